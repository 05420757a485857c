//! Buffers of large messages, used again for the next ones while there are some: fresh memory costs more than filling it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

/// Bytes that a process keeps for the next messages, at most: enough for parameters and result of 64 MiB. They come on top of
/// `Limits::process_memory`, which says so.
const MOST: usize = 160 << 20;

/// Buffers from this length on grow by a quarter, not to twice what they are: the system moves their pages, and what is kept
/// is counted by the room that they have.
const GROWN: usize = 1 << 20;

/// Smaller buffers come out of the allocator's own store.
const LEAST: usize = 64 << 10;

/// Nothing is kept for longer than this after the last use, as far as connections are there that look at the clock.
const PATIENCE: Duration = Duration::from_secs(1);

/// The buffers of this process.
static SHELF: Shelf = Shelf::new();

struct Shelf {
    state: Mutex<State>,
    /// Whether there may be something to be given back: looked at often, and mostly there is nothing.
    is_used: AtomicBool,
}

struct State {
    buffers: Vec<Vec<u8>>,
    bytes: usize,
    /// When one was asked for last, since they were given back.
    used: Option<Instant>,
    /// How often they were given back.
    cleared: u64,
}

/// A message that is whole. Its buffer goes back when nobody has a piece of it any more, and nothing was given back since.
struct Whole {
    message: Vec<u8>,
    cleared: u64,
    shelf: &'static Shelf,
}

/// Makes room for so much more. The first time that it is much, what is in the buffer moves to one of those that are kept.
#[inline]
pub(crate) fn reserve(buffer: &mut Vec<u8>, more: usize) {
    if more >= LEAST && buffer.capacity() < LEAST {
        SHELF.exchange(buffer, more);
    }
    if buffer.len() >= GROWN && buffer.capacity() - buffer.len() < more {
        buffer.reserve_exact(more.max(buffer.len() / 4));
    }
}

/// Makes a message of what is in a buffer.
pub(crate) fn whole(message: Vec<u8>) -> Bytes {
    SHELF.whole(message)
}

/// When all that is kept is to be given back.
pub(crate) fn due() -> Option<Instant> {
    SHELF.due()
}

/// Gives back what is kept, and what is in use now when it comes.
pub(crate) fn give_back() {
    SHELF.give_back();
}

impl Shelf {
    const fn new() -> Self {
        Self {
            state: Mutex::new(State {
                buffers: Vec::new(),
                bytes: 0,
                used: None,
                cleared: 0,
            }),
            is_used: AtomicBool::new(false),
        }
    }

    fn exchange(&self, buffer: &mut Vec<u8>, more: usize) {
        let mut state = self.lock();
        state.used = Some(Instant::now());
        let mut spare = state.buffers.pop().unwrap_or_default();
        state.bytes -= spare.capacity();
        drop(state);
        self.is_used.store(true, Ordering::Relaxed);
        spare.reserve(buffer.len() + more);
        spare.extend_from_slice(buffer);
        *buffer = spare;
    }

    fn whole(&'static self, message: Vec<u8>) -> Bytes {
        if message.capacity() < LEAST {
            return message.into();
        }
        let cleared = self.lock().cleared;
        Bytes::from_owner(Whole {
            message,
            cleared,
            shelf: self,
        })
    }

    fn due(&self) -> Option<Instant> {
        if !self.is_used.load(Ordering::Relaxed) {
            return None;
        }
        self.lock().used.map(|used| used + PATIENCE)
    }

    fn give_back(&self) {
        if !self.is_used.swap(false, Ordering::Relaxed) {
            return;
        }
        let mut state = self.lock();
        let buffers = std::mem::take(&mut state.buffers);
        (state.bytes, state.used) = (0, None);
        state.cleared += 1;
        drop(state);
        drop(buffers);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsRef<[u8]> for Whole {
    fn as_ref(&self) -> &[u8] {
        &self.message
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        let mut state = self.shelf.lock();
        let bytes = state.bytes + self.message.capacity();
        if self.cleared != state.cleared || state.used.is_none() || bytes > MOST {
            return;
        }
        let mut buffer = std::mem::take(&mut self.message);
        buffer.clear();
        state.bytes = bytes;
        state.buffers.push(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    fn kept(shelf: &Shelf) -> usize {
        shelf.lock().bytes
    }

    #[test]
    fn a_buffer_is_used_again_up_to_a_limit_and_not_for_ever() {
        let shelf: &'static Shelf = Box::leak(Box::new(Shelf::new()));
        let mut first = vec![7, 8];
        shelf.exchange(&mut first, MIB);
        assert_eq!(first, [7, 8]);
        let (place, room) = (first.as_ptr(), first.capacity());
        let message = shelf.whole(first);
        let piece = message.slice(1..);
        drop(message);
        assert_eq!(kept(shelf), 0, "somebody has a piece");
        drop(piece);
        assert_eq!(kept(shelf), room);
        let mut again = vec![9];
        shelf.exchange(&mut again, 100_000);
        assert_eq!(
            (again.as_ptr(), &again[..], kept(shelf)),
            (place, &[9][..], 0)
        );

        let messages: Vec<_> = (0..200)
            .map(|_| shelf.whole(Vec::with_capacity(MIB)))
            .collect();
        drop(messages);
        assert_eq!(kept(shelf), MOST);
        assert!(shelf.due().is_some());
        let late = shelf.whole(again);
        shelf.give_back();
        drop(late);
        assert_eq!((kept(shelf), shelf.due()), (0, None));
    }

    #[test]
    fn small_buffers_are_left_to_the_allocator() {
        let shelf: &'static Shelf = Box::leak(Box::new(Shelf::new()));
        let mut buffer = Vec::new();
        shelf.exchange(&mut buffer, MIB);
        drop(shelf.whole(vec![0; 100]));
        assert_eq!(kept(shelf), 0);
    }
}
