//! What generated code links against: codec, wire, transports, client, server, registry lookup.

pub mod codec;
mod status;

pub use status::Status;
