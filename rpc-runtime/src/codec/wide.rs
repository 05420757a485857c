//! 128-bit integers: 16 bytes of binary, big endian; text in JSON.

use std::fmt;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserializer, Serializer};

use super::error::DecodeError;
use super::reader::Reader;
use super::wire::{Decode, Encode, Wire};
use super::write;

macro_rules! wide {
    ($($ty:ident)*) => {$(
        impl Encode for $ty {
            #[inline]
            fn encode(&self, out: &mut Vec<u8>) {
                write::bin(out, &self.to_be_bytes());
            }
        }

        impl<'de> Decode<'de> for $ty {
            fn decode(input: &mut Reader<'de>) -> Result<Self, DecodeError> {
                if input.is_bin() {
                    let bytes = input.bin()?;
                    return bytes.try_into().map($ty::from_be_bytes).map_err(|_| wrong_length(bytes.len()));
                }
                let value = input.integer()?;
                $ty::try_from(value).map_err(|_| DecodeError::out_of_range(value, stringify!($ty)))
            }
        }

        impl Wire for $ty {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    return serializer.collect_str(self);
                }
                serializer.serialize_bytes(&self.to_be_bytes())
            }

            fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Digits;

                impl Visitor<'_> for Digits {
                    type Value = $ty;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str(concat!("an integer of type ", stringify!($ty)))
                    }

                    fn visit_i64<E: Error>(self, value: i64) -> Result<$ty, E> {
                        $ty::try_from(value).map_err(|_| E::invalid_value(Unexpected::Signed(value), &self))
                    }

                    fn visit_u64<E: Error>(self, value: u64) -> Result<$ty, E> {
                        Ok(value.into())
                    }

                    fn visit_str<E: Error>(self, text: &str) -> Result<$ty, E> {
                        text.parse().map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
                    }

                    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<$ty, E> {
                        bytes.try_into().map($ty::from_be_bytes).map_err(|_| E::custom(wrong_length(bytes.len())))
                    }
                }

                if deserializer.is_human_readable() {
                    return deserializer.deserialize_any(Digits);
                }
                deserializer.deserialize_bytes(Digits)
            }
        }
    )*};
}

wide! {
    i128
    u128
}

fn wrong_length(len: usize) -> DecodeError {
    DecodeError::custom(format!(
        "expected 16 bytes for a 128-bit integer, found {len}"
    ))
}
