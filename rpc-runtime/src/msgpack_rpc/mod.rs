//! The second door: MessagePack-RPC, as Neovim and many small libraries speak it.
//!
//! A message is `[0, ID, method, params]`, `[1, ID, error, result]` or `[2, method, params]`, with no length before it.
//! Both sides may ask, each with IDs of its own. The door is a translator between such messages and the frames of
//! docs/wire.md: what is behind it (limits, order of work, handlers, callers, shutdown) is the one link that native
//! connections have too, so that nothing is allowed here that is refused there.
//!
//! ```text
//!   socket ── messages ──> Messages ──> Translator ── frames ──> Link
//!          <─────────────────────────── Translator <── frames ──
//! ```
//!
//! A server opens the door for whoever knocks in that way ([`Server::msgpack_rpc`](crate::Server::msgpack_rpc)); a
//! client asks for it by its address, `msgpack-rpc+tcp://host:port`, or by
//! [`ChannelBuilder::msgpack_rpc`](crate::ChannelBuilder::msgpack_rpc).

mod io;
mod message;
mod names;
mod text;
mod translate;

use std::sync::Arc;

use bytes::BytesMut;

use crate::limits::Limits;
use crate::server::router::Router;
use crate::transport::Io;
use translate::Translator;

pub use names::Spelling;

pub(crate) use names::{Names, Spoken};

/// How a peer of the MessagePack-RPC door is told that its call failed.
///
/// The protocol does not say what an error is, and the peers differ: Go's codec closes the connection when it is not a
/// string, pynvim takes the second element of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorForm {
    /// One string, which every known peer can show.
    #[default]
    Text,
    /// `[code, message]`, as Neovim and pynvim have it; the code is the number of the [`Status`](crate::Status).
    Pair,
}

/// What a listener knows to serve MessagePack-RPC.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    pub(crate) names: Arc<Names>,
    pub(crate) form: ErrorForm,
    /// What handlers call of their own callers.
    pub(crate) spoken: Arc<Spoken>,
}

/// The feature of the HELLO that a translator gives in its peer's name.
pub(crate) const FEATURE: &str = "msgpack-rpc";

/// Makes a server's connection, whose peer has begun with `received`, one that speaks frames.
pub(crate) fn serve(io: &mut Io, received: BytesMut, door: &Door, limits: &Limits) {
    io::wrap(io, Translator::server(received, door, limits), limits);
}

/// Makes a client's connection one that speaks frames; nothing is exchanged before the first call. Gives back what the
/// peer may call, with the names of it.
pub(crate) fn translate(
    io: &mut Io,
    spoken: &Arc<Spoken>,
    limits: &Limits,
    exports: Option<Arc<Router>>,
) -> Option<Arc<Router>> {
    let names = Arc::new(exports.as_deref().map(Names::of).unwrap_or_default());
    let translator = Translator::client(spoken.clone(), names.clone(), limits);
    io::wrap(io, translator, limits);
    let door = Door {
        names,
        form: ErrorForm::default(),
        spoken: spoken.clone(),
    };
    exports.map(|router| Arc::new(router.with_door(door)))
}
