//! What generated code links against: codec, wire, transports, client, server, registry lookup.

pub mod codec;
mod status;

pub use codec::{
    Codec, Decimal, DeclaredError, Decode, DecodeError, Encode, ErrorCodec, Invalid, RawVariant,
    Reader, RpcType, Timestamp, Uuid, Value, Wire,
};
pub use status::Status;
