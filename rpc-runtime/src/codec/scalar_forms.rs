//! The serde forms of points in time, UUIDs and decimals: text for people, the wire's form elsewhere.

use std::fmt::{self, Display};
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::{Error, SeqAccess, Unexpected, Visitor};
use serde::{Deserializer, Serialize, Serializer};

use super::decimal::Decimal;
use super::reader::Reader;
use super::timestamp::Timestamp;
use super::uuid::Uuid;
use super::wire::{De, Encode, Wire};

impl Wire for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.collect_str(self);
        }
        let mut message = Vec::new();
        self.encode(&mut message);
        let (kind, data) = Reader::new(&message)
            .ext()
            .map_err(serde::ser::Error::custom)?;
        serialize_ext(kind, data, serializer)
    }

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return deserializer.deserialize_str(Text(PhantomData));
        }
        match deserializer.deserialize_newtype_struct(EXT, Ext)? {
            (-1, data) => Timestamp::from_data(&data).map_err(D::Error::custom),
            (kind, _) => Err(D::Error::custom(format!(
                "expected a timestamp, found an extension of type {kind}"
            ))),
        }
    }
}

impl Wire for Uuid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.collect_str(self);
        }
        serializer.serialize_bytes(&self.0)
    }

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return deserializer.deserialize_str(Text(PhantomData));
        }
        Uuid::from_data(&super::text::deserialize_bytes(deserializer)?).map_err(D::Error::custom)
    }
}

/// A string in every format. JSON numbers are taken as they are written, if the format still knows.
impl Wire for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return deserializer.deserialize_any(Text(PhantomData));
        }
        deserializer.deserialize_str(Text(PhantomData))
    }
}

/// Reads a type from its text.
struct Text<T>(PhantomData<T>);

impl<T: FromStr<Err: Display + Default>> Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Errors of these types say what is expected.
        f.write_str(
            T::Err::default()
                .to_string()
                .trim_start_matches("expected "),
        )
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        text.parse()
            .map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        number
            .to_string()
            .parse()
            .map_err(|_| E::invalid_type(Unexpected::Signed(number), &self))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        number
            .to_string()
            .parse()
            .map_err(|_| E::invalid_type(Unexpected::Unsigned(number), &self))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        number
            .to_string()
            .parse()
            .map_err(|_| E::invalid_type(Unexpected::Float(number), &self))
    }
}

/// Gives an extension to a serde format, in the way that `rmp-serde` knows.
pub(super) fn serialize_ext<S: Serializer>(
    kind: i8,
    data: &[u8],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_newtype_struct(EXT, &(kind, Binary(data)))
}

struct Binary<'a>(&'a [u8]);

impl Serialize for Binary<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

/// Reads an extension's type and bytes.
pub(super) struct Ext;

impl<'de> Visitor<'de> for Ext {
    type Value = (i8, Vec<u8>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an extension")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_tuple(2, self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut pair: A) -> Result<Self::Value, A::Error> {
        let (kind, data) = (pair.next_element()?, pair.next_element()?);
        let (Some(De(kind)), Some(De(data))) = (kind, data) else {
            return Err(A::Error::invalid_length(0, &self));
        };
        Ok((kind, data))
    }
}

super::wire!(serde Timestamp);
super::wire!(serde Uuid);
super::wire!(serde Decimal);

/// The name by which `rmp-serde` knows extensions.
const EXT: &str = "_ExtStruct";
