//! The functions that carry one type over the wire, as plain values.

use std::fmt;

use super::error::DecodeError;
use super::error_facts::{DeclaredError, Facts};
use super::reader::Reader;
use super::wire::{Decode, Encode};

/// How a `T` is written and read: the same shape whether `T` is generated or only knows serde.
///
/// A few function pointers, made at compile time.
pub struct Codec<T> {
    /// Appends a value to a message.
    pub encode: fn(&T, &mut Vec<u8>),
    /// Reads a value.
    pub decode: for<'a, 'de> fn(&'a mut Reader<'de>) -> Result<T, DecodeError>,
    /// Appends a list of values.
    pub encode_list: fn(&[T], &mut Vec<u8>),
    /// Reads a list of values.
    pub decode_list: for<'a, 'de> fn(&'a mut Reader<'de>) -> Result<Vec<T>, DecodeError>,
}

impl<T: Encode + for<'de> Decode<'de>> Codec<T> {
    /// The codec of a type with a form of its own.
    pub const fn direct() -> Self {
        Self {
            encode: T::encode,
            decode: |input| T::decode(input),
            encode_list: T::encode_list,
            decode_list: |input| T::decode_list(input),
        }
    }
}

impl<T> Clone for Codec<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Codec<T> {}

impl<T> fmt::Debug for Codec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Codec<{}>", std::any::type_name::<T>())
    }
}

/// How a declared error is written and read, and what it says about itself.
pub struct ErrorCodec<E> {
    /// Its content.
    pub codec: Codec<E>,
    /// Its status and whether to try again.
    pub facts: Facts<E>,
}

impl<E: DeclaredError + Encode + for<'de> Decode<'de>> ErrorCodec<E> {
    /// The codec of a generated error.
    pub const fn direct() -> Self {
        Self {
            codec: Codec::direct(),
            facts: Facts::declared(),
        }
    }
}

impl<E> Clone for ErrorCodec<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for ErrorCodec<E> {}

impl<E> fmt::Debug for ErrorCodec<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ErrorCodec<{}>", std::any::type_name::<E>())
    }
}
