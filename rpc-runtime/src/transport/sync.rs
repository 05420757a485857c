//! The same bytes for a caller without an async runtime: blocking reads and writes on its own thread.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::mem::{PipeReader, PipeWriter};
use super::{Address, ClientSecurity, cannot_connect, mem};
#[cfg(not(unix))]
use crate::error::Error;
use crate::error::Result;
use crate::park;

/// Both ends of a connection that blocks.
pub(crate) struct BlockingIo {
    pub(crate) reader: BlockingReader,
    pub(crate) writer: BlockingWriter,
    /// As in [`Io`](super::Io).
    pub(crate) is_private: bool,
}

/// The receiving end.
pub(crate) enum BlockingReader {
    Tcp(TcpStream, Option<Duration>),
    #[cfg(feature = "tls")]
    Tls(super::tls::BlockingTls),
    #[cfg(unix)]
    Unix(UnixStream, Option<Duration>),
    Mem(PipeReader),
}

/// The sending end; dropping it ends the connection.
pub(crate) enum BlockingWriter {
    Tcp(TcpStream, Option<Duration>),
    #[cfg(feature = "tls")]
    Tls(super::tls::BlockingTls),
    #[cfg(unix)]
    Unix(UnixStream, Option<Duration>),
    Mem(PipeWriter),
}

/// Opens a connection; `limit` bounds the time for each address of a host name, `patience` is how long a peer may take
/// nothing.
pub(crate) fn connect(
    address: &Address,
    security: &ClientSecurity,
    limit: Duration,
    patience: Duration,
) -> Result<BlockingIo> {
    let failed = |error: io::Error| cannot_connect(address, &error);
    match address {
        Address::Tcp(host) => {
            let stream = connect_tcp(host, limit).map_err(failed)?;
            stream.set_nodelay(true).map_err(failed)?;
            super::patience::set(&stream, patience);
            let peer = stream.peer_addr().map_err(failed)?;
            let reader = BlockingReader::Tcp(stream.try_clone().map_err(failed)?, None);
            Ok(BlockingIo {
                reader,
                writer: BlockingWriter::Tcp(stream, None),
                is_private: peer.ip().to_canonical().is_loopback(),
            })
        }
        #[cfg(not(feature = "tls"))]
        Address::Tls(_) => Err(security
            .check(address)
            .err()
            .unwrap_or_else(|| crate::error::Error::invalid("no TLS"))),
        #[cfg(feature = "tls")]
        Address::Tls(host) => {
            security.check(address)?;
            let stream = connect_tcp(host, limit).map_err(failed)?;
            stream.set_nodelay(true).map_err(failed)?;
            super::patience::set(&stream, patience);
            let (name, peer) = (super::address::host(host), address.to_string());
            let (reader, writer) =
                super::tls::connect_blocking(stream, name, &peer, security.side()?, limit)?;
            Ok(BlockingIo {
                reader: BlockingReader::Tls(reader),
                writer: BlockingWriter::Tls(writer),
                is_private: true,
            })
        }
        #[cfg(unix)]
        Address::Unix(path) => {
            let stream = UnixStream::connect(path).map_err(failed)?;
            let reader = BlockingReader::Unix(stream.try_clone().map_err(failed)?, None);
            Ok(BlockingIo {
                reader,
                writer: BlockingWriter::Unix(stream, None),
                is_private: true,
            })
        }
        #[cfg(not(unix))]
        Address::Unix(_) => Err(Error::invalid(
            "unix:// addresses work on Unix systems only",
        )),
        Address::Mem(name) => {
            let (reader, writer) = mem::connect_halves(name).map_err(failed)?;
            Ok(BlockingIo {
                reader: BlockingReader::Mem(reader),
                writer: BlockingWriter::Mem(writer),
                is_private: true,
            })
        }
    }
}

fn connect_tcp(host: &str, limit: Duration) -> io::Result<TcpStream> {
    let mut last = None;
    for address in host.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, limit) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(error),
        }
    }
    Err(last
        .unwrap_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the host name has no address")))
}

impl BlockingReader {
    /// Reads what is there, waiting at most `limit`; [`io::ErrorKind::WouldBlock`] if nothing came.
    pub(crate) fn read(&mut self, buffer: &mut [u8], limit: Duration) -> io::Result<usize> {
        // Zero would mean for ever.
        let limit = limit.max(Duration::from_millis(1));
        let outcome = match self {
            Self::Tcp(stream, set) => {
                if *set != Some(limit) {
                    stream.set_read_timeout(Some(limit))?;
                    *set = Some(limit);
                }
                stream.read(buffer)
            }
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.read(buffer, limit),
            #[cfg(unix)]
            Self::Unix(stream, set) => {
                if *set != Some(limit) {
                    stream.set_read_timeout(Some(limit))?;
                    *set = Some(limit);
                }
                stream.read(buffer)
            }
            Self::Mem(pipe) => {
                let mut buffer = ReadBuf::new(buffer);
                let read = block_until(Instant::now() + limit, |cx| {
                    Pin::new(&mut *pipe).poll_read(cx, &mut buffer)
                });
                read.and_then(|outcome| outcome.map(|()| buffer.filled().len()))
            }
        };
        match outcome {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
                ) =>
            {
                Err(io::ErrorKind::WouldBlock.into())
            }
            other => other,
        }
    }
}

impl BlockingWriter {
    /// Writes some bytes, waiting at most `limit`; [`io::ErrorKind::WouldBlock`] if none was taken.
    pub(crate) fn write(&mut self, bytes: &[u8], limit: Duration) -> io::Result<usize> {
        // Zero would mean for ever.
        let limit = limit.max(Duration::from_millis(1));
        let outcome = match self {
            Self::Tcp(stream, set) => {
                if *set != Some(limit) {
                    stream.set_write_timeout(Some(limit))?;
                    *set = Some(limit);
                }
                stream.write(bytes)
            }
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.write(bytes, limit),
            #[cfg(unix)]
            Self::Unix(stream, set) => {
                if *set != Some(limit) {
                    stream.set_write_timeout(Some(limit))?;
                    *set = Some(limit);
                }
                stream.write(bytes)
            }
            Self::Mem(pipe) => block_until(Instant::now() + limit, |cx| {
                Pin::new(&mut *pipe).poll_write(cx, bytes)
            })
            .and_then(|outcome| outcome),
        };
        match outcome {
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                Err(io::ErrorKind::WouldBlock.into())
            }
            other => other,
        }
    }

    /// Lets out what was taken and still lies here, waiting at most `limit`; [`io::ErrorKind::WouldBlock`] if some of it
    /// is left. Only TLS keeps anything.
    pub(crate) fn flush(&mut self, limit: Duration) -> io::Result<()> {
        match self {
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.flush(limit.max(Duration::from_millis(1))),
            _ => {
                let _ = limit;
                Ok(())
            }
        }
    }

    /// Ends both directions, so that a thread that reads notices.
    pub(crate) fn shutdown(&mut self) {
        match self {
            Self::Tcp(stream, _) => drop(stream.shutdown(Shutdown::Both)),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.shutdown(),
            #[cfg(unix)]
            Self::Unix(stream, _) => drop(stream.shutdown(Shutdown::Both)),
            Self::Mem(pipe) => {
                let _ = Pin::new(pipe).poll_shutdown(&mut Context::from_waker(Waker::noop()));
            }
        }
    }
}

/// Polls on this thread until ready or `until`.
fn block_until<T>(
    until: Instant,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> io::Result<T> {
    let waker = park::waker();
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(value) = poll(&mut cx) {
            return Ok(value);
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        thread::park_timeout(left);
    }
}
