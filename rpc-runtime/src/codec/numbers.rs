//! Booleans, integers and floats: the smallest form out, any form that fits in.

use std::fmt;

use serde::de::{Error as _, Visitor};
use serde::{Deserializer, Serializer};

use super::error::DecodeError;
use super::reader::{Reader, integral};
use super::text;
use super::wire::{Decode, Encode, Wire, prealloc};
use super::write;

impl Encode for bool {
    #[inline]
    fn encode(&self, out: &mut Vec<u8>) {
        write::bool(out, *self);
    }
}

impl<'de> Decode<'de> for bool {
    #[inline]
    fn decode(input: &mut Reader<'de>) -> Result<Self, DecodeError> {
        input.bool()
    }
}

impl Wire for bool {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(*self)
    }

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::Deserialize::deserialize(deserializer)
    }
}

/// Encode and Decode of one integer type, as the wider type that has a writer.
macro_rules! integer {
    // The reader has held it against the bounds of the type.
    (@uint $input:ident, $ty:ident) => {
        $input.unsigned($ty::MAX.into(), stringify!($ty)).map(|value| value as $ty)
    };
    (@int $input:ident, $ty:ident) => {
        $input.signed($ty::MIN.into(), $ty::MAX.into(), stringify!($ty)).map(|value| value as $ty)
    };
    ($($ty:ident: $writer:ident, $hint:ident, $give:ident;)*) => {$(
        impl<'de> Decode<'de> for $ty {
            #[inline]
            fn decode(input: &mut Reader<'de>) -> Result<Self, DecodeError> {
                integer!(@$writer input, $ty)
            }
        }

        impl Encode for $ty {
            #[inline]
            fn encode(&self, out: &mut Vec<u8>) {
                write::$writer(out, (*self).into());
            }
        }

        impl Wire for $ty {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.$give(*self)
            }

            fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let value = deserializer.$hint(WholeNumber)?;
                $ty::try_from(value).map_err(|_| D::Error::custom(DecodeError::out_of_range(value, stringify!($ty))))
            }
        }
    )*};
}

integer! {
    i8: int, deserialize_i8, serialize_i8;
    i16: int, deserialize_i16, serialize_i16;
    i32: int, deserialize_i32, serialize_i32;
    i64: int, deserialize_i64, serialize_i64;
    u16: uint, deserialize_u16, serialize_u16;
    u32: uint, deserialize_u32, serialize_u32;
    u64: uint, deserialize_u64, serialize_u64;
}

impl Encode for u8 {
    #[inline]
    fn encode(&self, out: &mut Vec<u8>) {
        write::uint(out, (*self).into());
    }

    #[inline]
    fn encode_list(items: &[Self], out: &mut Vec<u8>) {
        write::bin(out, items);
    }
}

impl<'de> Decode<'de> for u8 {
    #[inline]
    fn decode(input: &mut Reader<'de>) -> Result<Self, DecodeError> {
        integer!(@uint input, u8)
    }

    fn decode_list(input: &mut Reader<'de>) -> Result<Vec<Self>, DecodeError> {
        if !input.is_array() {
            return input.bin().map(<[u8]>::to_vec);
        }
        let count = input.array()?;
        let mut bytes = Vec::with_capacity(prealloc::<u8>(count));
        for index in 0..count {
            bytes.push(u8::decode(input).map_err(|error| error.in_index(index))?);
        }
        input.close();
        Ok(bytes)
    }
}

impl Wire for u8 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(*self)
    }

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = deserializer.deserialize_u8(WholeNumber)?;
        u8::try_from(value).map_err(|_| D::Error::custom(DecodeError::out_of_range(value, "u8")))
    }

    fn serialize_list<S: Serializer>(items: &[Self], serializer: S) -> Result<S::Ok, S::Error> {
        text::serialize_bytes(items, serializer)
    }

    fn deserialize_list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Self>, D::Error> {
        text::deserialize_bytes(deserializer)
    }
}

/// Takes a whole number in whatever form a serde format gives it.
pub(super) struct WholeNumber;

impl Visitor<'_> for WholeNumber {
    type Value = i128;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an integer")
    }

    fn visit_i64<E>(self, value: i64) -> Result<i128, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<i128, E> {
        Ok(value.into())
    }

    fn visit_i128<E>(self, value: i128) -> Result<i128, E> {
        Ok(value)
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<i128, E> {
        integral(value).map_err(E::custom)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<i128, E> {
        text.parse()
            .map_err(|_| E::invalid_value(serde::de::Unexpected::Str(text), &self))
    }
}
