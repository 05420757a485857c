//! The translator between a socket and a link: both see bytes they understand.

use std::io;
use std::mem;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Buf;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::translate::Translator;
use crate::limits::Limits;
use crate::transport::Io;

/// Bytes read at once, and taken from the link at once.
const CHUNK: usize = 64 << 10;

/// A buffer that grew past this is given back after use.
const KEPT_BUFFER: usize = 256 << 10;

/// Puts the translator between.
pub(super) fn wrap(io: &mut Io, translator: Translator, limits: &Limits) {
    // What stands here for a moment is not used.
    let reader = mem::replace(&mut io.reader, Box::new(tokio::io::empty()));
    let writer = mem::replace(&mut io.writer, Box::new(tokio::io::sink()));
    let between = Arc::new(Between {
        state: Mutex::new(State {
            translator,
            reader: None,
            ended: false,
        }),
        input: Mutex::new(reader),
    });
    let reader = Reader {
        between: between.clone(),
        limit: limits.frame_timeout,
        partial: None,
    };
    let writer = Writer {
        between,
        io: writer,
        batch: Vec::new(),
        sent: 0,
        failed: None,
        closing: None,
        swallow: limits.max_frame_bytes as usize,
    };
    io.reader = Box::new(reader);
    io.writer = Box::new(writer);
}

/// What both halves share. The two locks are never held at once but by the closing writer, input first.
struct Between {
    state: Mutex<State>,
    input: Mutex<Box<dyn AsyncRead + Send + Unpin>>,
}

struct State {
    translator: Translator,
    /// Waits for frames; the writer makes some (PONG) while the socket is silent.
    reader: Option<Waker>,
    /// The peer has closed its direction, or ours is being closed.
    ended: bool,
}

impl Between {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll_input(
        &self,
        buffer: &mut bytes::BytesMut,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let mut input = self.input.lock().unwrap_or_else(PoisonError::into_inner);
        buffer.reserve(CHUNK);
        // Dropping the future between polls loses nothing: it holds no bytes.
        pin!(input.read_buf(buffer)).poll(cx)
    }
}

/// Gives the link frames.
struct Reader {
    between: Arc<Between>,
    /// Time for the rest of a message.
    limit: Duration,
    /// Set while a message is incomplete.
    partial: Option<Pin<Box<Sleep>>>,
}

impl AsyncRead for Reader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let mut received = bytes::BytesMut::new();
        loop {
            let between = this.between.clone();
            let mut state = between.lock();
            if !received.is_empty() {
                state.translator.input().extend_from_slice(&received);
                received.clear();
            }
            let translated = state.translator.take_input();
            this.watch(state.translator.has_partial(), translated);
            let frames = state.translator.frames();
            if !frames.is_empty() {
                let count = frames.len().min(out.remaining());
                out.put_slice(&frames[..count]);
                frames.advance(count);
                if frames.is_empty() {
                    *frames = bytes::BytesMut::new();
                }
                return Poll::Ready(Ok(()));
            }
            if let Some(why) = state.translator.broken() {
                let text = format!("the MessagePack-RPC is broken: {why}");
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, text)));
            }
            if state.ended {
                return Poll::Ready(Ok(()));
            }
            state.reader = Some(cx.waker().clone());
            drop(state);
            match this.between.poll_input(&mut received, cx) {
                Poll::Ready(Ok(0)) => this.input_ended(),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    let partial = this.partial.as_mut();
                    let Some(Poll::Ready(())) = partial.map(|timer| timer.as_mut().poll(cx)) else {
                        return Poll::Pending;
                    };
                    let text = format!("a message was not complete within {:?}", this.limit);
                    this.between.lock().translator.interrupted(text);
                }
            }
        }
    }
}

impl Reader {
    /// Measures the time of an incomplete message, from when its first bytes were seen.
    fn watch(&mut self, is_partial: bool, translated: usize) {
        if translated > 0 || !is_partial {
            self.partial = None;
        }
        if is_partial && self.partial.is_none() {
            self.partial = Some(Box::pin(sleep_until(Instant::now() + self.limit)));
        }
    }

    fn input_ended(&mut self) {
        let mut state = self.between.lock();
        state.ended = true;
        if state.translator.has_partial() {
            let why = "the peer closed it in the middle of a message".to_owned();
            state.translator.interrupted(why);
        }
    }
}

/// Takes frames from the link.
struct Writer {
    between: Arc<Between>,
    io: Box<dyn AsyncWrite + Send + Unpin>,
    /// Messages, `sent` bytes of them written. What is here counts as handed over: it may be on its way.
    batch: Vec<u8>,
    sent: usize,
    /// Told when the link comes again: what it wrote before may have been sent in part.
    failed: Option<io::Error>,
    closing: Option<Closing>,
    /// Bytes of the peer that are read and dropped at the end.
    swallow: usize,
}

/// The end, in its order.
enum Closing {
    /// Answers to all who wait.
    Answers,
    /// What the peer still sends: closing with unread input would reset the connection, and the answers be lost.
    Input,
}

impl Writer {
    /// Writes what was translated.
    fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Err(error));
        }
        while self.sent < self.batch.len() {
            let written = ready!(Pin::new(&mut self.io).poll_write(cx, &self.batch[self.sent..]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += written;
        }
        if self.batch.capacity() > KEPT_BUFFER {
            self.batch = Vec::new();
        }
        self.batch.clear();
        self.sent = 0;
        Poll::Ready(Ok(()))
    }

    /// Has the translator work on what the link wrote, and wakes the reader where that made frames.
    fn translate(&mut self, work: impl FnOnce(&mut State)) {
        let mut state = self.between.lock();
        work(&mut state);
        self.batch.append(state.translator.output());
        if state.translator.output().capacity() > KEPT_BUFFER {
            *state.translator.output() = Vec::new();
        }
        let wake = state.ended || !state.translator.frames().is_empty();
        let reader = if wake { state.reader.take() } else { None };
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    fn poll_swallow(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut sink = bytes::BytesMut::new();
        while self.swallow > 0 {
            sink.clear();
            match ready!(self.between.poll_input(&mut sink, cx)) {
                Ok(0) | Err(_) => return Poll::Ready(()),
                Ok(count) => self.swallow = self.swallow.saturating_sub(count),
            }
        }
        Poll::Ready(())
    }
}

impl AsyncWrite for Writer {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        ready!(this.poll_batch(cx))?;
        let chunk = &bytes[..bytes.len().min(CHUNK)];
        this.translate(|state| state.translator.take_frames(chunk));
        // The link counts the chunk as handed over, so that it never takes for unsent what may be on its way. What the
        // socket does not take now goes before the next chunk, or with the flush; an error is told then too.
        if let Poll::Ready(Err(error)) = this.poll_batch(cx) {
            this.failed = Some(error);
        }
        Poll::Ready(Ok(chunk.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_batch(cx))?;
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            match this.closing {
                None => {
                    this.translate(|state| {
                        state.translator.close();
                        state.ended = true;
                    });
                    this.closing = Some(Closing::Answers);
                }
                Some(Closing::Answers) => {
                    ready!(this.poll_batch(cx))?;
                    ready!(Pin::new(&mut this.io).poll_flush(cx))?;
                    ready!(Pin::new(&mut this.io).poll_shutdown(cx))?;
                    this.closing = Some(Closing::Input);
                }
                Some(Closing::Input) => {
                    ready!(this.poll_swallow(cx));
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}
