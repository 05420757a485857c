//! Memory inside one process: `mem://name`, two bounded pipes per connection.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;

use crate::transport::Io;

/// Bytes that fit between writer and reader, about what a socket takes.
const CAPACITY: usize = 256 << 10;

/// Connections that may wait to be accepted, as the usual backlog of a socket.
const BACKLOG: usize = 128;

static NAMES: LazyLock<Mutex<HashMap<String, mpsc::Sender<Io>>>> = LazyLock::new(Mutex::default);

/// One direction of a connection.
#[derive(Default)]
struct Pipe {
    bytes: VecDeque<u8>,
    closed: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// The reading end; dropping it makes writes fail.
pub(crate) struct PipeReader(Arc<Mutex<Pipe>>);

/// The writing end; dropping it ends the input of the reader.
pub(crate) struct PipeWriter(Arc<Mutex<Pipe>>);

/// Accepts connections to one name; dropping it frees the name.
pub(crate) struct MemListener {
    name: String,
    incoming: mpsc::Receiver<Io>,
}

/// Takes a name.
pub(crate) fn listen(name: &str) -> io::Result<MemListener> {
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if names.get(name).is_some_and(|sender| !sender.is_closed()) {
        return Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            "the name is taken in this process",
        ));
    }
    let (sender, incoming) = mpsc::channel(BACKLOG);
    names.insert(name.to_owned(), sender);
    Ok(MemListener {
        name: name.to_owned(),
        incoming,
    })
}

/// Two ends of one connection, without a listener.
pub(crate) fn pair(peer: &str) -> (Io, Io) {
    let (there_reader, here_writer) = pipe();
    let (here_reader, there_writer) = pipe();
    let end =
        |reader: PipeReader, writer: PipeWriter| Io::new(reader, writer, peer.to_owned()).local();
    (
        end(here_reader, here_writer),
        end(there_reader, there_writer),
    )
}

/// Connects to a name; the other end waits in the backlog until it is accepted.
pub(crate) fn connect(name: &str) -> io::Result<Io> {
    let (reader, writer) = connect_halves(name)?;
    Ok(Io::new(reader, writer, format!("mem://{name}")).local())
}

/// The same as plain ends, for a caller without an async runtime.
pub(crate) fn connect_halves(name: &str) -> io::Result<(PipeReader, PipeWriter)> {
    let names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    let refused = || {
        io::Error::new(
            io::ErrorKind::ConnectionRefused,
            "no server of this process has the name",
        )
    };
    let sender = names.get(name).ok_or_else(refused)?;
    let (there_reader, here_writer) = pipe();
    let (here_reader, there_writer) = pipe();
    let there = Io::new(there_reader, there_writer, format!("mem://{name}")).local();
    match sender.try_send(there) {
        Ok(()) => Ok((here_reader, here_writer)),
        Err(mpsc::error::TrySendError::Closed(_)) => Err(refused()),
        Err(mpsc::error::TrySendError::Full(_)) => Err(io::Error::new(
            io::ErrorKind::ConnectionRefused,
            "the backlog is full",
        )),
    }
}

fn pipe() -> (PipeReader, PipeWriter) {
    let pipe = Arc::new(Mutex::new(Pipe::default()));
    (PipeReader(pipe.clone()), PipeWriter(pipe))
}

impl MemListener {
    pub(crate) async fn accept(&mut self) -> io::Result<Io> {
        self.incoming
            .recv()
            .await
            .ok_or_else(|| io::Error::other("the listener is closed"))
    }
}

impl Drop for MemListener {
    fn drop(&mut self) {
        self.incoming.close();
        let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
        if names.get(&self.name).is_some_and(mpsc::Sender::is_closed) {
            names.remove(&self.name);
        }
    }
}

impl AsyncRead for PipeReader {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut pipe = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pipe.bytes.is_empty() {
            if pipe.closed {
                return Poll::Ready(Ok(()));
            }
            pipe.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        while buf.remaining() > 0 && !pipe.bytes.is_empty() {
            let (front, _) = pipe.bytes.as_slices();
            let count = front.len().min(buf.remaining());
            buf.put_slice(&front[..count]);
            pipe.bytes.drain(..count);
        }
        if let Some(writer) = pipe.writer.take() {
            writer.wake();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for PipeWriter {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut pipe = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pipe.closed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let count = bytes.len().min(CAPACITY - pipe.bytes.len());
        if count == 0 && !bytes.is_empty() {
            pipe.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        pipe.bytes.extend(&bytes[..count]);
        if let Some(reader) = pipe.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        close(&self.0);
        Poll::Ready(Ok(()))
    }
}

impl Drop for PipeReader {
    fn drop(&mut self) {
        close(&self.0);
    }
}

impl Drop for PipeWriter {
    fn drop(&mut self) {
        close(&self.0);
    }
}

fn close(pipe: &Mutex<Pipe>) {
    let mut pipe = pipe.lock().unwrap_or_else(PoisonError::into_inner);
    pipe.closed = true;
    for waker in [pipe.reader.take(), pipe.writer.take()]
        .into_iter()
        .flatten()
    {
        waker.wake();
    }
}
