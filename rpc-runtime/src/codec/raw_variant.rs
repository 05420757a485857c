//! A variant that this side does not know, kept as it came.

/// An unknown variant of an open union or error: its number, and its payload as it was on the wire.
///
/// Written again, it is what it was, so a service can pass on what newer services say.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RawVariant {
    /// The variant's number.
    pub ordinal: u32,
    /// One MessagePack value.
    pub payload: Vec<u8>,
}
