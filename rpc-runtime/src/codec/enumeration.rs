//! Enums: numbers on the wire, names in JSON.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error, Visitor};
use serde::{Deserializer, Serializer};

use super::error::DecodeError;
use super::reader::Reader;
use super::write;

/// What generated code says about an enum; [`wire!`](super::wire!) makes the other traits of it.
pub trait Enumeration: Sized {
    /// The full name, for messages.
    const NAME: &'static str;
    /// The known numbers and their names.
    const VALUES: &'static [(i64, &'static str)];

    /// The number on the wire.
    fn number(&self) -> i64;

    /// The value with this number; an open enum keeps numbers that it does not know, as far as they fit.
    fn from_number(number: i64) -> Option<Self>;
}

/// Writes an enum as MessagePack.
#[inline]
pub fn encode<E: Enumeration>(value: &E, out: &mut Vec<u8>) {
    write::int(out, value.number());
}

/// Reads an enum from MessagePack.
///
/// # Errors
///
/// When the bytes are no number, or one that the enum refuses.
#[inline]
pub fn decode<E: Enumeration>(input: &mut Reader<'_>) -> Result<E, DecodeError> {
    let number = input
        .signed(i64::MIN, i64::MAX, "an enum")
        .map_err(|error| error.in_type(E::NAME))?;
    from_narrow(number)
}

/// Gives an enum to a serde format.
///
/// # Errors
///
/// Those of the format.
pub fn serialize<E: Enumeration, S: Serializer>(
    value: &E,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let number = value.number();
    let known = E::VALUES.iter().find(|(known, _)| *known == number);
    match known {
        Some((_, name)) if serializer.is_human_readable() => serializer.serialize_str(name),
        _ => serializer.serialize_i64(number),
    }
}

/// Takes an enum from a serde format: a name or a number.
///
/// # Errors
///
/// Those of the format, and names and numbers that the enum refuses.
pub fn deserialize<'de, E: Enumeration, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<E, D::Error> {
    if deserializer.is_human_readable() {
        return deserializer.deserialize_any(EnumerationVisitor(PhantomData));
    }
    deserializer.deserialize_i64(EnumerationVisitor(PhantomData))
}

fn from_wide<E: Enumeration>(number: i128) -> Result<E, DecodeError> {
    let narrow = i64::try_from(number)
        .map_err(|_| DecodeError::out_of_range(number, "an enum").in_type(E::NAME))?;
    from_narrow(narrow)
}

#[inline]
fn from_narrow<E: Enumeration>(number: i64) -> Result<E, DecodeError> {
    E::from_number(number).ok_or_else(|| DecodeError::unknown_number(E::NAME, number))
}

struct EnumerationVisitor<E>(PhantomData<E>);

impl<E: Enumeration> Visitor<'_> for EnumerationVisitor<E> {
    type Value = E;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a name or number of {}", E::NAME)
    }

    fn visit_i64<F: Error>(self, number: i64) -> Result<E, F> {
        from_wide(number.into()).map_err(F::custom)
    }

    fn visit_u64<F: Error>(self, number: u64) -> Result<E, F> {
        from_wide(number.into()).map_err(F::custom)
    }

    fn visit_str<F: Error>(self, text: &str) -> Result<E, F> {
        // The keys of a JSON object are strings, numbers too.
        let number = match E::VALUES.iter().find(|(_, name)| *name == text) {
            Some((number, _)) => Some(*number),
            None => text.parse().ok(),
        };
        number
            .and_then(E::from_number)
            .ok_or_else(|| F::custom(format!("`{text}` is no value of {}", E::NAME)))
    }
}
