//! The three traits of everything that travels: encode, decode, and the forms for serde.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::containers;
use super::error::DecodeError;
use super::reader::Reader;
use super::write;

/// Writes itself as canonical MessagePack.
pub trait Encode {
    /// Appends this value to `out`.
    fn encode(&self, out: &mut Vec<u8>);

    /// Appends a list of such values; `u8` overrides it, since a list of bytes is `bytes`.
    #[doc(hidden)]
    #[inline]
    fn encode_list(items: &[Self], out: &mut Vec<u8>)
    where
        Self: Sized,
    {
        write::array(out, items.len());
        items.iter().for_each(|item| item.encode(out));
    }

    /// Whether this is an absent optional, which need not be written at the end of a struct.
    #[doc(hidden)]
    #[inline]
    fn is_absent(&self) -> bool {
        false
    }
}

/// Reads itself from MessagePack: every form that the mapping allows, not only the canonical one.
pub trait Decode<'de>: Sized {
    /// Reads one value.
    ///
    /// # Errors
    ///
    /// When the bytes are of another kind, out of range or cut off.
    fn decode(input: &mut Reader<'de>) -> Result<Self, DecodeError>;

    /// Reads a list of such values; `u8` overrides it, since a list of bytes is `bytes`.
    #[doc(hidden)]
    fn decode_list(input: &mut Reader<'de>) -> Result<Vec<Self>, DecodeError> {
        let count = input.array()?;
        input.weigh(count, size_of::<Self>(), count)?;
        let mut items = Vec::with_capacity(input.room_for::<Self>(count));
        for index in 0..count {
            items.push(Self::decode(input).map_err(|error| error.in_index(index))?);
        }
        input.close();
        Ok(items)
    }

    /// What a field of this type is when it is absent or nil, if that is a value of it.
    #[doc(hidden)]
    #[inline]
    fn absent() -> Option<Self> {
        None
    }
}

/// A type with all its forms: MessagePack both ways, and serde's.
///
/// serde gets names and text where the format is for people (JSON), the form of the wire elsewhere.
pub trait Wire: Encode + for<'de> Decode<'de> {
    /// Gives this value to a serde format.
    ///
    /// # Errors
    ///
    /// Those of the format.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;

    /// Takes a value from a serde format.
    ///
    /// # Errors
    ///
    /// Those of the format, and whatever does not fit the type.
    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;

    /// Gives a list of such values to a serde format; `u8` overrides it.
    #[doc(hidden)]
    fn serialize_list<S: Serializer>(items: &[Self], serializer: S) -> Result<S::Ok, S::Error> {
        containers::serialize_items(items.iter(), serializer)
    }

    /// Takes a list of such values from a serde format; `u8` overrides it.
    #[doc(hidden)]
    fn deserialize_list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Self>, D::Error> {
        containers::deserialize_items(deserializer)
    }
}

/// Serializes what it points to by its [`Wire`] form, such as a `Duration` in a list.
#[derive(Debug)]
pub struct Ser<'a, T: ?Sized>(pub &'a T);

impl<T: Wire> Serialize for Ser<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Wire::serialize(self.0, serializer)
    }
}

/// Deserializes its content by its [`Wire`] form.
#[derive(Debug)]
pub struct De<T>(pub T);

impl<'de, T: Wire> Deserialize<'de> for De<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <T as Wire>::deserialize(deserializer).map(De)
    }
}

/// How many elements to reserve for a list that claims `count`: a page at most, however large the claim.
///
/// Beyond that the list grows as elements really arrive, so memory follows the bytes received.
pub(super) fn prealloc<T>(count: usize) -> usize {
    count.min(4096 / size_of::<T>().max(1))
}
