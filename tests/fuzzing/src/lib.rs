//! Properties that hold for all bytes; the targets of `fuzz/` and the replay of their corpora call the same functions.
//!
//! Each takes what a fuzzer has thought of, and panics if its property does not hold.

mod arguments;
mod connection;
mod idl_text;

pub use arguments::arguments;
pub use connection::{client, second_door, server};
pub use idl_text::idl_text;
pub use rpc_runtime::__fuzz::{frame, handshake};

rpc_runtime::include_idl!();

/// A fuzz target.
pub type Target = fn(&[u8]);

/// All targets, by the names of their corpora.
pub const TARGETS: &[(&str, Target)] = &[
    ("arguments", arguments),
    ("client", client),
    ("frame", frame),
    ("handshake", handshake),
    ("idl_text", idl_text),
    ("second_door", second_door),
    ("server", server),
];
