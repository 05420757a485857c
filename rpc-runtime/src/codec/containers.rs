//! Optionals, lists, arrays and pointers.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::de::{Error, SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serializer};

use super::error::DecodeError;
use super::reader::Reader;
use super::wire::{De, Decode, Encode, Ser, Wire, prealloc};
use super::write;

impl<T: Encode> Encode for Option<T> {
    #[inline]
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Some(value) => value.encode(out),
            None => write::nil(out),
        }
    }

    #[inline]
    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

impl<'de, T: Decode<'de>> Decode<'de> for Option<T> {
    #[inline]
    fn decode(input: &mut Reader<'de>) -> Result<Self, DecodeError> {
        if input.is_nil() {
            return input.nil().map(|()| None);
        }
        T::decode(input).map(Some)
    }

    #[inline]
    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: Wire> Wire for Option<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Some(value) => serializer.serialize_some(&Ser(value)),
            None => serializer.serialize_none(),
        }
    }

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value: Option<De<T>> = Deserialize::deserialize(deserializer)?;
        Ok(value.map(|De(value)| value))
    }
}

/// Nothing: written as nil, and whatever a peer answers in its place is passed over.
impl Encode for () {
    #[inline]
    fn encode(&self, out: &mut Vec<u8>) {
        write::nil(out);
    }
}

impl<'de> Decode<'de> for () {
    #[inline]
    fn decode(input: &mut Reader<'de>) -> Result<Self, DecodeError> {
        input.skip()
    }

    #[inline]
    fn absent() -> Option<Self> {
        Some(())
    }
}

impl Wire for () {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| ())
    }
}

impl Encode for std::convert::Infallible {
    fn encode(&self, _: &mut Vec<u8>) {
        match *self {}
    }
}

impl<'de> Decode<'de> for std::convert::Infallible {
    fn decode(_: &mut Reader<'de>) -> Result<Self, DecodeError> {
        Err(DecodeError::custom("found a value where none is possible"))
    }
}

impl Wire for std::convert::Infallible {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        match *self {}
    }

    fn deserialize<'de, D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(D::Error::custom("found a value where none is possible"))
    }
}

impl<T: Encode> Encode for [T] {
    #[inline]
    fn encode(&self, out: &mut Vec<u8>) {
        T::encode_list(self, out);
    }
}

impl<T: Encode> Encode for Vec<T> {
    #[inline]
    fn encode(&self, out: &mut Vec<u8>) {
        T::encode_list(self, out);
    }
}

impl<'de, T: Decode<'de>> Decode<'de> for Vec<T> {
    #[inline]
    fn decode(input: &mut Reader<'de>) -> Result<Self, DecodeError> {
        T::decode_list(input)
    }
}

impl<T: Encode, const N: usize> Encode for [T; N] {
    #[inline]
    fn encode(&self, out: &mut Vec<u8>) {
        T::encode_list(self, out);
    }
}

impl<'de, T: Decode<'de>, const N: usize> Decode<'de> for [T; N] {
    fn decode(input: &mut Reader<'de>) -> Result<Self, DecodeError> {
        exactly(T::decode_list(input)?).map_err(DecodeError::custom)
    }
}

fn exactly<T, const N: usize>(items: Vec<T>) -> Result<[T; N], String> {
    items
        .try_into()
        .map_err(|items: Vec<T>| format!("expected {N} elements, found {}", items.len()))
}

impl<T: Encode + ?Sized> Encode for &T {
    #[inline]
    fn encode(&self, out: &mut Vec<u8>) {
        (**self).encode(out);
    }

    #[inline]
    fn is_absent(&self) -> bool {
        (**self).is_absent()
    }
}

/// A pointer travels as what it points to.
macro_rules! pointer {
    ($($ty:ident)*) => {$(
        impl<T: Encode + ?Sized> Encode for $ty<T> {
            #[inline]
            fn encode(&self, out: &mut Vec<u8>) {
                (**self).encode(out);
            }

            #[inline]
            fn is_absent(&self) -> bool {
                (**self).is_absent()
            }
        }

        impl<'de, T: Decode<'de>> Decode<'de> for $ty<T> {
            #[inline]
            fn decode(input: &mut Reader<'de>) -> Result<Self, DecodeError> {
                T::decode(input).map($ty::new)
            }

            #[inline]
            fn absent() -> Option<Self> {
                T::absent().map($ty::new)
            }
        }

        impl<T: Wire> Wire for $ty<T> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                Wire::serialize(&**self, serializer)
            }

            fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                <T as Wire>::deserialize(deserializer).map($ty::new)
            }
        }
    )*};
}

pointer!(Box Arc);

impl<T: Wire> Wire for Vec<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        T::serialize_list(self, serializer)
    }

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize_list(deserializer)
    }
}

impl<T: Wire, const N: usize> Wire for [T; N] {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        T::serialize_list(self, serializer)
    }

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        exactly(T::deserialize_list(deserializer)?).map_err(D::Error::custom)
    }
}

/// Gives elements to a serde format as a sequence.
pub(super) fn serialize_items<'a, T: Wire + 'a, S: Serializer>(
    items: impl ExactSizeIterator<Item = &'a T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut sequence = serializer.serialize_seq(Some(items.len()))?;
    for item in items {
        sequence.serialize_element(&Ser(item))?;
    }
    sequence.end()
}

/// Takes elements from a serde format's sequence.
pub(super) fn deserialize_items<'de, T: Wire, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    deserializer.deserialize_seq(Items(PhantomData))
}

struct Items<T>(PhantomData<T>);

impl<'de, T: Wire> Visitor<'de> for Items<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Vec<T>, A::Error> {
        let mut items = Vec::with_capacity(prealloc::<T>(elements.size_hint().unwrap_or(0)));
        while let Some(De(item)) = elements.next_element()? {
            items.push(item);
        }
        Ok(items)
    }
}
