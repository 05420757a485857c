//! TLS under a connection: 1.3 only, ALPN `rpcidl/1` on both sides, no resumption, no early data.
//!
//! It lies around an [`Io`](super::Io) of any transport, so that TCP needs no second way in.

mod blocking;
mod config;
mod explain;
mod handshake;
mod verify;

pub(crate) use blocking::{BlockingTls, connect_blocking};
pub(crate) use config::{ClientSide, ServerSide};
pub use config::{ClientTls, ServerTls};
pub(crate) use handshake::{accept, connect};

/// What both sides must agree on: a listener that speaks something else under TLS is found out before the first frame.
pub(crate) const ALPN: &[u8] = b"rpcidl/1";
