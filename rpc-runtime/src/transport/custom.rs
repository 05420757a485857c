//! Transports of the user's own: another kind of socket, a proxy, a simulated network.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};

/// What the methods of [`Transport`] and [`Acceptor`] return.
pub type Opening<'a, T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send + 'a>>;

/// Opens connections in place of the operating system's sockets: for a kind of socket that is not built in, or for
/// tests of a whole system in one process, where connections are cut and delayed on purpose.
///
/// [`ChannelBuilder::transport`](crate::ChannelBuilder::transport) and [`Server::transport`](crate::Server::transport)
/// take one. It is asked for every address that names one peer, in the forms that are known already (`tcp://host:port`,
/// `mem://name`, …), whatever the host means to it. The framework's promises rest on two properties of sockets: bytes
/// arrive in order and without gaps, and what a write has not taken never arrives.
pub trait Transport: Send + Sync + 'static {
    /// Opens a connection to where somebody listens. Dropping the future gives it up.
    ///
    /// # Errors
    ///
    /// Nobody listens there, or the attempt has failed; nothing was sent.
    fn connect<'a>(&'a self, address: &'a str) -> Opening<'a, Connection>;

    /// Takes an address.
    ///
    /// # Errors
    ///
    /// The address is taken, or means nothing here.
    fn listen<'a>(&'a self, address: &'a str) -> Opening<'a, Box<dyn Acceptor>>;
}

/// An address that was taken; dropping it gives the address back.
pub trait Acceptor: Send + Sync + 'static {
    /// The address as clients reach it.
    fn address(&self) -> String;

    /// The next connection. Dropping the future loses none.
    ///
    /// # Errors
    ///
    /// One connection has failed, or there are too many: after a pause the next one is asked for.
    fn accept(&mut self) -> Opening<'_, Connection>;
}

/// Two directions, and whom they lead to.
pub struct Connection {
    /// What the peer sends.
    pub reader: Box<dyn AsyncRead + Send + Unpin>,
    /// What goes to the peer. Shutting it down ends the peer's input.
    pub writer: Box<dyn AsyncWrite + Send + Unpin>,
    /// Address of the peer, for messages and [`Context::peer`](crate::Context::peer).
    pub peer: String,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({})", self.peer)
    }
}
