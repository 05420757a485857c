//! Strings and bytes.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserializer, Serializer};

use super::error::DecodeError;
use super::reader::Reader;
use super::wire::{De, Decode, Encode, Wire, prealloc};
use super::write;
use super::{apart, base64};

impl Encode for str {
    #[inline]
    fn encode(&self, out: &mut Vec<u8>) {
        write::str(out, self);
    }
}

impl Encode for String {
    #[inline]
    fn encode(&self, out: &mut Vec<u8>) {
        write::str(out, self);
    }
}

impl Encode for Cow<'_, str> {
    #[inline]
    fn encode(&self, out: &mut Vec<u8>) {
        write::str(out, self);
    }
}

impl<'de> Decode<'de> for String {
    #[inline]
    fn decode(input: &mut Reader<'de>) -> Result<Self, DecodeError> {
        input.string()
    }
}

impl<'de> Decode<'de> for &'de str {
    #[inline]
    fn decode(input: &mut Reader<'de>) -> Result<Self, DecodeError> {
        input.str()
    }
}

impl Wire for String {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize(deserializer)
    }
}

/// Takes a text from a serde format.
pub(super) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: From<String> + for<'a> From<&'a str>,
    D: Deserializer<'de>,
{
    struct Text<T>(PhantomData<T>);

    impl<T: From<String> + for<'a> From<&'a str>> Visitor<'_> for Text<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_str<E>(self, text: &str) -> Result<T, E> {
            Ok(text.into())
        }

        fn visit_string<E>(self, text: String) -> Result<T, E> {
            Ok(text.into())
        }
    }

    // serde's own visitor of strings takes binary too, which the mapping does not.
    deserializer.deserialize_string(Text(PhantomData))
}

impl<'de> Decode<'de> for &'de [u8] {
    #[inline]
    fn decode(input: &mut Reader<'de>) -> Result<Self, DecodeError> {
        input.bin()
    }
}

impl<'de> Decode<'de> for Cow<'de, [u8]> {
    #[inline]
    fn decode(input: &mut Reader<'de>) -> Result<Self, DecodeError> {
        if input.is_bin() {
            return input.bin().map(Cow::Borrowed);
        }
        u8::decode_list(input).map(Cow::Owned)
    }
}

impl Encode for Bytes {
    #[inline]
    fn encode(&self, out: &mut Vec<u8>) {
        write::bin_len(out, self.len());
        if !apart::leave(out, self) {
            out.extend_from_slice(self);
        }
    }
}

/// What a client takes for `bytes` where they are shared (`rpc_codegen::Build::shared_bytes`): [`Bytes`], which are not copied from
/// 16 KiB on, but sent from where they are, or a slice or vector, which is copied once.
pub trait BytesArg: Encode + sealed::Sealed {}

mod sealed {
    pub trait Sealed {}
}

macro_rules! bytes_args {
    ($([$($generics:tt)*] $ty:ty;)+) => {
        $(
            impl<$($generics)*> sealed::Sealed for $ty {}
            impl<$($generics)*> BytesArg for $ty {}
        )+
    };
}

bytes_args! {
    [] Bytes;
    [] [u8];
    [] Vec<u8>;
    [const N: usize] [u8; N];
    [T: BytesArg + ?Sized] &T;
}

impl<'de> Decode<'de> for Bytes {
    #[inline]
    fn decode(input: &mut Reader<'de>) -> Result<Self, DecodeError> {
        if input.is_bin() {
            return input.shared_bin();
        }
        u8::decode_list(input).map(Bytes::from)
    }
}

impl Wire for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_bytes(self, serializer)
    }

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_bytes(deserializer).map(Bytes::from)
    }
}

/// Gives bytes to a serde format: base64 where it is for people.
pub(super) fn serialize_bytes<S: Serializer>(
    bytes: &[u8],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    if serializer.is_human_readable() {
        return serializer.serialize_str(&base64::encode(bytes));
    }
    serializer.serialize_bytes(bytes)
}

/// Takes bytes from a serde format: binary, base64, or a list of small numbers.
pub(super) fn deserialize_bytes<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<u8>, D::Error> {
    if deserializer.is_human_readable() {
        return deserializer.deserialize_any(Binary { text: true });
    }
    deserializer.deserialize_byte_buf(Binary { text: false })
}

struct Binary {
    text: bool,
}

impl<'de> Visitor<'de> for Binary {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.text {
            "bytes as base64"
        } else {
            "bytes"
        })
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
        Ok(bytes)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<u8>, E> {
        let found = serde::de::Unexpected::Str(text);
        if !self.text {
            return Err(E::invalid_type(found, &self));
        }
        base64::decode(text).ok_or_else(|| E::invalid_value(found, &self))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<u8>, A::Error> {
        let mut bytes = Vec::with_capacity(prealloc::<u8>(items.size_hint().unwrap_or(0)));
        while let Some(De(byte)) = items.next_element()? {
            bytes.push(byte);
        }
        Ok(bytes)
    }
}
