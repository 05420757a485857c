//! Output of a link: whoever has something to write writes it, unless somebody is at it already.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{PoisonError, TryLockError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use tokio::time::Instant;

use super::{Link, State};
use crate::error::Error;
use crate::wire::pieces::STRETCH;
use crate::wire::streams::Side;

/// The writing half and what it is in the middle of.
pub(super) struct Writer {
    io: Box<dyn AsyncWrite + Send + Unpin>,
    /// Taken from the output, `sent` bytes of it and of the pieces written.
    batch: Vec<u8>,
    /// Pieces of large bodies, with their places in the batch.
    pieces: Vec<(usize, Bytes)>,
    /// Bytes of the batch and of the pieces.
    length: usize,
    sent: usize,
    /// All is written, and some of it may lie in the transport (TLS) still.
    unflushed: bool,
    failed: bool,
}

/// Most parts of a batch that are given to the socket at once.
const SLICES: usize = 16;

/// A batch buffer that grew past this is given back after use.
const KEPT_BUFFER: usize = 256 << 10;

impl Writer {
    pub(super) fn new(io: Box<dyn AsyncWrite + Send + Unpin>) -> Self {
        Self {
            io,
            batch: Vec::new(),
            pieces: Vec::new(),
            length: 0,
            sent: 0,
            unflushed: false,
            failed: false,
        }
    }

    /// Whether a write is waiting for the socket; the keeper's waker is registered then and must stay.
    fn is_blocked(&self) -> bool {
        self.sent < self.length || self.unflushed
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let io = Pin::new(&mut self.io);
        if self.pieces.is_empty() {
            return io.poll_write(cx, &self.batch[self.sent..]);
        }
        let (mut slices, mut count) = ([IoSlice::new(&[]); SLICES], 0);
        let (mut skip, mut from) = (self.sent, 0);
        let pieces = self.pieces.iter().map(|(at, piece)| (*at, &piece[..]));
        for (at, piece) in pieces.chain([(self.batch.len(), &[][..])]) {
            for part in [&self.batch[from..at], piece] {
                let rest = part.get(skip..).unwrap_or(&[]);
                skip -= part.len() - rest.len();
                if let Some(slice) = slices.get_mut(count).filter(|_| !rest.is_empty()) {
                    *slice = IoSlice::new(rest);
                    count += 1;
                }
            }
            from = at;
        }
        if io.is_write_vectored() {
            io.poll_write_vectored(cx, &slices[..count])
        } else {
            io.poll_write(cx, &slices[0])
        }
    }

    /// Writes what waits, and what comes meanwhile if it is to be `all`; large bodies to their end in any case.
    fn poll_batches(
        &mut self,
        link: &Link,
        all: bool,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let mut any = false;
        loop {
            while self.sent < self.length {
                let written = match self.poll_write(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(0)) => return self.fail(io::ErrorKind::WriteZero.into()),
                    Poll::Ready(Err(error)) => return self.fail(error),
                    Poll::Ready(Ok(written)) => written,
                };
                self.sent += written;
                link.handed_over(written, all);
            }
            if self.batch.capacity() > KEPT_BUFFER {
                self.batch = Vec::new();
            }
            self.forget();
            let mut state = link.lock();
            if state.out.holds() {
                state.out.begin_held(Instant::now());
            }
            if state.out.is_empty() || (any && !all && !state.out.has_bodies()) {
                link.watch_held(&state);
                drop(state);
                return self.poll_flush(cx);
            }
            any = true;
            let batch = std::mem::take(&mut self.batch);
            self.batch = state.out.take_apart(batch, &mut self.pieces);
            let apart = self.pieces.iter().map(|(_, piece)| piece.len());
            self.length = self.batch.len() + apart.sum::<usize>();
            let mut wakers = Vec::new();
            for ((side, id), end) in state.out.completed() {
                if side == Side::Ours {
                    state.calls.sent_to(id, end);
                    state.out.is_out(id, Instant::now());
                    wakers.extend(state.streams.call_is_out((side, id)));
                }
            }
            drop(state);
            wakers.into_iter().for_each(Waker::wake);
        }
    }

    /// What a transport keeps for a while is out when this is ready; sockets keep nothing.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.unflushed = true;
        match Pin::new(&mut self.io).poll_flush(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(error)) => return self.fail(error),
            Poll::Ready(Ok(())) => self.unflushed = false,
        }
        Poll::Ready(Ok(()))
    }

    /// Gives the kernel nothing more, not even the rest of a frame that it has begun with.
    pub(super) fn cut(&mut self) {
        self.failed = true;
        self.forget();
        self.unflushed = false;
    }

    fn forget(&mut self) {
        self.batch.clear();
        self.pieces.clear();
        (self.length, self.sent) = (0, 0);
    }

    fn fail(&mut self, error: io::Error) -> Poll<io::Result<()>> {
        self.cut();
        Poll::Ready(Err(error))
    }

    /// Ends our direction.
    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl Link {
    /// Writes what waits, as far as the socket takes it at once; the keeper does the rest.
    pub(super) fn flush_now(&self) {
        loop {
            let mut writer = match self.writer.try_lock() {
                Ok(writer) => writer,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                // Whoever holds it looks at the output again after letting go.
                Err(TryLockError::WouldBlock) => return,
            };
            if writer.is_blocked() || writer.failed {
                drop(writer);
                // The keeper may have come by while this thread held the writer only to look at it, and have left the
                // rest to this thread: without a word it would never come again.
                return self.wake_keeper.notify_one();
            }
            let outcome = writer.poll_batches(self, true, &mut Context::from_waker(Waker::noop()));
            drop(writer);
            match outcome {
                // Nobody would be woken by the socket: the keeper tries again with its own waker.
                Poll::Pending => return self.wake_keeper.notify_one(),
                Poll::Ready(Err(error)) => return self.close(Error::lost(&self.peer, error)),
                Poll::Ready(Ok(())) if self.lock().out.is_empty() => return,
                Poll::Ready(Ok(())) => {}
            }
        }
    }

    /// Writes what waits; pending until the socket has taken it. Ready with whether more has come meanwhile. Only the
    /// keeper calls this.
    pub(super) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut writer = match self.writer.try_lock() {
            Ok(writer) => writer,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Whoever holds it looks at the output again after letting go.
            Err(TryLockError::WouldBlock) => return Poll::Ready(Ok(false)),
        };
        if writer.failed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let written = writer.poll_batches(self, false, cx);
        drop(writer);
        written.map_ok(|()| !self.lock().out.is_empty())
    }

    /// Ends our direction after the last flush.
    pub(super) fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .poll_shutdown(cx)
    }

    /// Has the keeper look when calls that are held may go out although none is answered.
    #[inline]
    pub(super) fn watch_held(&self, state: &State) {
        if state.out.holds()
            && let Some(due) = state.out.held_until()
            && state.keeper_due > due
        {
            self.wake_keeper.notify_one();
        }
    }

    fn handed_over(&self, bytes: usize, at_once: bool) {
        let mut state = self.lock();
        state.out.handed_over(bytes);
        state.written += bytes as u64;
        let is_all = state.out.queued() == 0;
        // Of the keeper only, which may be waiting for the socket. A peer that takes a few bytes now and then takes none, for
        // all that it costs.
        if !at_once && (is_all || state.written >= STRETCH) {
            state.written = 0;
            state.last_written = Instant::now();
        }
        state.settle();
        if is_all {
            state.queued_control = 0;
        }
        let full = self.is_full(&state);
        if state.out.unsent() == 0 && state.inflight == 0 {
            self.tell_idle();
        }
        let read_on = self.choked.load(Ordering::Relaxed) && !self.is_choked(&state);
        drop(state);
        if read_on {
            self.drained.notify_one();
        }
        if !full && self.full.load(Ordering::Relaxed) && self.full.swap(false, Ordering::AcqRel) {
            self.writable.notify_one();
        }
    }
}
