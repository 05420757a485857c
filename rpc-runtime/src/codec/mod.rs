//! MessagePack as generated code writes and reads it.

mod check;
mod error;
mod reader;
mod wire;
pub mod write;

mod base64;
mod containers;
mod decimal;
mod duration;
mod floats;
mod maps;
mod numbers;
mod text;
mod timestamp;
mod uuid;
mod value;
mod wide;

mod error_facts;
mod foreign;
mod invalid;
mod probe;
mod raw_variant;
mod table;

pub use check::{CheckLimits, Malformed, check, check_prefix};
pub use decimal::{Decimal, NoDecimal};
pub use error::DecodeError;
pub use error_facts::{DeclaredError, ErrorFacts};
pub use foreign::RpcType;
pub use invalid::Invalid;
pub use probe::{Probe, ViaDeclared, ViaSerde, ViaUndeclared, ViaWire};
pub use raw_variant::RawVariant;
pub use reader::Reader;
pub use table::{Codec, ErrorCodec};
pub use timestamp::{NoTimestamp, Timestamp};
pub use uuid::{NoUuid, Uuid};
pub use value::Value;
pub use wire::{De, Decode, Encode, Ser, Wire};
