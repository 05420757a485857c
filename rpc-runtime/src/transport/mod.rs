//! The bytes under a connection: TCP, Unix sockets, memory, TLS. Only this room touches sockets.
//!
//! All look alike: `connect` gives an [`Io`], a [`Listener`] accepts them.

mod address;
mod custom;
pub(crate) mod mem;
mod patience;
mod secure;
pub(crate) mod sync;
#[cfg(feature = "tls")]
pub(crate) mod tls;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};
use tokio::time::Instant;

pub(crate) use secure::{ClientSecurity, ServerSecurity};

pub(crate) use address::{Address, Options, Target};
pub use custom::{Acceptor, Connection, Opening, Transport};
pub(crate) use mem::pair;

use crate::error::{Error, Result};
use crate::security::Identity;

/// A connected pair of directions, and whom they lead to.
pub(crate) struct Io {
    pub(crate) reader: Box<dyn AsyncRead + Send + Unpin>,
    pub(crate) writer: Box<dyn AsyncWrite + Send + Unpin>,
    /// Address of the peer, for messages and [`Context::peer`](crate::Context::peer).
    pub(crate) peer: String,
    /// Whom the peer's certificate is for.
    pub(crate) identity: Option<Identity>,
    /// Nobody between can listen, so that a secret may travel: memory, a socket of this machine, TLS.
    pub(crate) is_private: bool,
    /// When it was connected or accepted: the handshake's time runs from then.
    pub(crate) since: Instant,
}

impl Io {
    /// A connection that anybody between can read, to nobody in particular.
    pub(crate) fn new(
        reader: impl AsyncRead + Send + Unpin + 'static,
        writer: impl AsyncWrite + Send + Unpin + 'static,
        peer: String,
    ) -> Self {
        Self {
            reader: Box::new(reader),
            writer: Box::new(writer),
            peer,
            identity: None,
            is_private: false,
            since: Instant::now(),
        }
    }

    /// One that stays on this machine.
    fn local(mut self) -> Self {
        self.is_private = true;
        self
    }
}

impl From<Connection> for Io {
    fn from(connection: Connection) -> Self {
        Self::new(connection.reader, connection.writer, connection.peer)
    }
}

/// Opens a connection, by the user's transport where there is one.
pub(crate) async fn connect_by(
    custom: Option<&Arc<dyn Transport>>,
    address: &Address,
    security: &ClientSecurity,
    patience: Duration,
) -> Result<Io> {
    let Some(custom) = custom else {
        return connect(address, security, patience).await;
    };
    security.check(address)?;
    let opened = custom.connect(&address.to_string()).await;
    let io = opened.map_err(|error| cannot_connect(address, &error))?;
    match address {
        Address::Tls(host) => security.connect(io.into(), address::host(host)).await,
        _ => Ok(io.into()),
    }
}

/// Opens a connection; `patience` is how long a peer may take nothing.
async fn connect(address: &Address, security: &ClientSecurity, patience: Duration) -> Result<Io> {
    match address {
        Address::Tls(host) => {
            security.check(address)?;
            let stream = TcpStream::connect(host.as_str())
                .await
                .map_err(|error| cannot_connect(address, &error))?;
            patience::set(&stream, patience);
            let io = tcp_io(stream, address.to_string())
                .map_err(|error| cannot_connect(address, &error))?;
            security.connect(io, address::host(host)).await
        }
        Address::Tcp(host) => {
            let stream = TcpStream::connect(host.as_str())
                .await
                .map_err(|error| cannot_connect(address, &error))?;
            patience::set(&stream, patience);
            tcp_io(stream, address.to_string()).map_err(|error| cannot_connect(address, &error))
        }
        #[cfg(unix)]
        Address::Unix(path) => {
            let stream = UnixStream::connect(path)
                .await
                .map_err(|error| cannot_connect(address, &error))?;
            let (reader, writer) = stream.into_split();
            Ok(Io::new(reader, writer, address.to_string()).local())
        }
        #[cfg(not(unix))]
        Address::Unix(_) => Err(Error::invalid(
            "unix:// addresses work on Unix systems only",
        )),
        Address::Mem(name) => mem::connect(name).map_err(|error| cannot_connect(address, &error)),
    }
}

/// One open address of a server.
pub(crate) enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener, UnixPath),
    Mem(mem::MemListener),
    Custom(Box<dyn Acceptor>),
}

/// Removes the socket file when the listener is gone.
pub(crate) struct UnixPath(PathBuf);

impl Listener {
    /// Opens an address; the second value is the address as clients reach it (port 0 replaced by the real one).
    pub(crate) async fn bind(
        custom: Option<&Arc<dyn Transport>>,
        address: &Address,
        patience: Duration,
    ) -> Result<(Self, Address)> {
        let failed = |error: io::Error| {
            let hint = match error.kind() {
                io::ErrorKind::AddrInUse => {
                    "; another program (or an earlier run of this one) listens there, port 0 takes a free one"
                }
                io::ErrorKind::PermissionDenied => {
                    "; ports below 1024 and foreign directories need rights"
                }
                _ => "",
            };
            Error::unavailable(format!("cannot listen on {address}: {error}{hint}"))
                .with_peer(address.to_string())
        };
        if let Some(custom) = custom {
            let listener = custom.listen(&address.to_string()).await.map_err(failed)?;
            let real = Address::parse(&listener.address())?;
            return Ok((Self::Custom(listener), real));
        }
        match address {
            Address::Tcp(host) | Address::Tls(host) => {
                let listener = TcpListener::bind(host.as_str()).await.map_err(failed)?;
                patience::set(&listener, patience);
                let real = listener.local_addr().map_err(failed)?.to_string();
                let real = match address {
                    Address::Tls(_) => Address::Tls(real),
                    _ => Address::Tcp(real),
                };
                Ok((Self::Tcp(listener), real))
            }
            #[cfg(unix)]
            Address::Unix(path) => {
                remove_stale(path);
                let listener = UnixListener::bind(path).map_err(failed)?;
                Ok((
                    Self::Unix(listener, UnixPath(path.clone())),
                    address.clone(),
                ))
            }
            #[cfg(not(unix))]
            Address::Unix(_) => Err(Error::invalid(
                "unix:// addresses work on Unix systems only",
            )),
            Address::Mem(name) => Ok((
                Self::Mem(mem::listen(name).map_err(failed)?),
                address.clone(),
            )),
        }
    }

    /// The next connection. Dropping the future loses none.
    pub(crate) async fn accept(&mut self) -> io::Result<Io> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                tcp_io(stream, format!("tcp://{peer}"))
            }
            #[cfg(unix)]
            Self::Unix(listener, path) => {
                let (stream, _) = listener.accept().await?;
                let (reader, writer) = stream.into_split();
                let peer = format!("unix://{}", path.0.display());
                Ok(Io::new(reader, writer, peer).local())
            }
            Self::Mem(listener) => listener.accept().await,
            Self::Custom(listener) => listener.accept().await.map(Io::from),
        }
    }
}

impl Drop for UnixPath {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn tcp_io(stream: TcpStream, peer: String) -> io::Result<Io> {
    // Frames are batched by us; Nagle's algorithm would only add its delay.
    stream.set_nodelay(true)?;
    let is_loopback = stream.peer_addr()?.ip().to_canonical().is_loopback();
    let (reader, writer) = stream.into_split();
    let io = Io::new(reader, writer, peer);
    Ok(if is_loopback { io.local() } else { io })
}

/// A socket file that nobody answers on is left from a process that died: it would block the address for ever.
#[cfg(unix)]
fn remove_stale(path: &std::path::Path) {
    use std::os::unix::fs::FileTypeExt;
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket());
    if is_socket && std::os::unix::net::UnixStream::connect(path).is_err() {
        let _ = std::fs::remove_file(path);
    }
}

pub(crate) fn cannot_connect(address: &Address, error: &io::Error) -> Error {
    let text = match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => {
            format!("nobody listens on {address} ({error})")
        }
        _ => format!("cannot connect to {address}: {error}"),
    };
    Error::unavailable(text).with_peer(address.to_string())
}
