//! Buffers of large bodies, used again for the next ones while there are some: fresh memory costs more than filling it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

/// Bytes that are kept for the next bodies, at most.
const MOST: u64 = 4 << 20;

/// Smaller buffers come out of the allocator's own store.
const LEAST: usize = 64 << 10;

/// Nothing is kept for longer than this after the last use.
const PATIENCE: Duration = Duration::from_secs(1);

/// The buffers of one connection.
#[derive(Debug, Default)]
pub(crate) struct Spares {
    shelf: Arc<Shelf>,
    /// When one was asked for last, since they were given back.
    used: Option<Instant>,
}

#[derive(Debug, Default)]
struct Shelf {
    buffers: Mutex<Vec<Vec<u8>>>,
    bytes: AtomicU64,
}

/// A body that is whole. Its buffer goes back when nobody has a piece of it any more.
struct Whole {
    body: Vec<u8>,
    /// Gone with the connection, or after some time.
    shelf: Weak<Shelf>,
}

impl Spares {
    /// An empty buffer.
    pub(crate) fn take(&mut self, now: Instant) -> Vec<u8> {
        self.used = Some(now);
        self.shelf.take()
    }

    /// Makes a body of what is in a buffer.
    pub(crate) fn whole(&self, body: Vec<u8>) -> Bytes {
        if self.used.is_none() || body.capacity() < LEAST {
            return body.into();
        }
        let shelf = Arc::downgrade(&self.shelf);
        Bytes::from_owner(Whole { body, shelf })
    }

    /// Bytes that are kept.
    pub(crate) fn bytes(&self) -> u64 {
        match self.used {
            None => 0,
            Some(_) => self.shelf.bytes.load(Ordering::Relaxed),
        }
    }

    /// When all of it is to be given back.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.used.map(|used| used + PATIENCE)
    }

    /// Gives everything back, and what is in use now when it comes.
    pub(crate) fn give_back(&mut self) {
        *self = Self::default();
    }
}

impl Shelf {
    fn take(&self) -> Vec<u8> {
        let mut buffers = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        let buffer = buffers.pop().unwrap_or_default();
        self.bytes
            .fetch_sub(buffer.capacity() as u64, Ordering::Relaxed);
        buffer
    }

    fn put(&self, mut buffer: Vec<u8>) {
        let bytes = buffer.capacity() as u64;
        buffer.clear();
        let mut buffers = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        if self.bytes.load(Ordering::Relaxed) + bytes > MOST {
            return drop(buffers);
        }
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        buffers.push(buffer);
    }
}

impl AsRef<[u8]> for Whole {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        if let Some(shelf) = self.shelf.upgrade() {
            shelf.put(std::mem::take(&mut self.body));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_up_to_a_limit_and_not_for_ever() {
        let now = Instant::now();
        let mut spares = Spares::default();
        let mut first = spares.take(now);
        first.resize(1 << 20, 7);
        let place = first.as_ptr();
        let body = spares.whole(first);
        let piece = body.slice(5..);
        drop(body);
        assert_eq!(spares.bytes(), 0, "somebody has a piece");
        drop(piece);
        assert_eq!(spares.bytes(), 1 << 20);
        let again = spares.take(now);
        assert_eq!((again.as_ptr(), again.len(), spares.bytes()), (place, 0, 0));
        let bodies: Vec<_> = (0..6).map(|_| spares.whole(vec![0; 1 << 20])).collect();
        drop(bodies);
        assert_eq!(spares.bytes(), MOST);
        let late = spares.whole(again);
        assert_eq!(spares.due(), Some(now + PATIENCE));
        spares.give_back();
        drop(late);
        assert_eq!((spares.bytes(), spares.due()), (0, None));
    }
}
