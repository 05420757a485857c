//! Structs: one description serves MessagePack and serde, in slots and by names.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserializer, Serializer};

use super::error::DecodeError;
use super::reader::Reader;
use super::sink::{self, Fields, Sink};
use super::slots::Slots;
use super::source::{ByName, BySlot, Source};

/// What generated code says about a struct; [`wire!`](super::wire!) makes the other traits of it.
///
/// Its fields stand in slots: slot 0 is ordinal 1.
pub trait Record: Sized {
    /// The full name, for messages.
    const NAME: &'static str;
    /// The name of each slot; an empty one is a hole.
    const FIELDS: &'static [&'static str];

    /// Gives each slot to the sink, in order, holes too.
    ///
    /// # Errors
    ///
    /// Those of the sink.
    fn write<S: Sink>(&self, to: &mut S) -> Result<(), S::Error>;

    /// Takes each slot in order, holes too, and [finishes](Slots::finish).
    ///
    /// # Errors
    ///
    /// When bytes do not fit, and missing fields.
    fn decode(from: &mut Slots<'_, '_>) -> Result<Self, DecodeError>;

    /// Takes fields as long as the source has some, in whatever order it has them.
    ///
    /// # Errors
    ///
    /// Those of the source, and missing fields.
    fn read<'de, S: Source<'de>>(from: &mut S) -> Result<Self, S::Error>;
}

impl<R: Record> Fields for R {
    #[inline]
    fn give<S: Sink>(&self, to: &mut S) -> Result<(), S::Error> {
        self.write(to)
    }
}

/// Writes a struct as MessagePack.
#[inline]
pub fn encode<R: Record>(record: &R, out: &mut Vec<u8>) {
    sink::encode(record, out);
}

/// Reads a struct from MessagePack.
///
/// # Errors
///
/// When the bytes do not fit.
#[inline]
pub fn decode<R: Record>(input: &mut Reader<'_>) -> Result<R, DecodeError> {
    R::decode(&mut Slots::open(input, R::NAME, R::FIELDS)?)
}

/// Gives a struct to a serde format.
///
/// # Errors
///
/// Those of the format.
pub fn serialize<R: Record, S: Serializer>(record: &R, serializer: S) -> Result<S::Ok, S::Error> {
    sink::serialize(record, serializer)
}

/// Takes a struct from a serde format.
///
/// # Errors
///
/// Those of the format, and whatever does not fit.
pub fn deserialize<'de, R: Record, D: Deserializer<'de>>(deserializer: D) -> Result<R, D::Error> {
    if deserializer.is_human_readable() {
        // Not `deserialize_map`: slots are taken too.
        return deserializer.deserialize_any(RecordVisitor(PhantomData));
    }
    deserializer.deserialize_seq(RecordVisitor(PhantomData))
}

struct RecordVisitor<R>(PhantomData<R>);

impl<'de, R: Record> Visitor<'de> for RecordVisitor<R> {
    type Value = R;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(R::NAME)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<R, A::Error> {
        R::read(&mut BySlot::new(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<R, A::Error> {
        R::read(&mut ByName(map))
    }
}
