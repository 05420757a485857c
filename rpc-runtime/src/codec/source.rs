//! Where the fields of a struct or variant come from in a serde format.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::error::DecodeError;
use super::slots::slot_of;
use super::wire::{De, Decode, Wire};

/// Gives the fields of a struct, in whatever order a serde format has them.
pub trait Source<'de> {
    /// Why a field could not be given.
    type Error;

    /// Goes to the next field and says in which slot it belongs: one outside of `fields` if nobody knows it.
    ///
    /// # Errors
    ///
    /// Those of the format.
    fn next(&mut self, fields: &'static [&'static str]) -> Result<Option<usize>, Self::Error>;

    /// Gives the field that `next` has gone to; `None` if it is nil, or not there after all.
    ///
    /// # Errors
    ///
    /// When it does not fit the type.
    fn field<T: Wire>(&mut self, name: &'static str) -> Result<Option<T>, Self::Error>;

    /// Passes over the field that `next` has gone to.
    ///
    /// # Errors
    ///
    /// Those of the format.
    fn skip(&mut self) -> Result<(), Self::Error>;

    /// Makes an error of this format of ours.
    fn refuse(&self, error: DecodeError) -> Self::Error;

    /// Makes the error of a union that has no such variant with fields.
    fn unknown(&self, ty: &'static str, ordinal: u32) -> Self::Error {
        self.refuse(DecodeError::unknown_variant(ty, ordinal.into()))
    }

    /// Insists on a field that must be there.
    ///
    /// # Errors
    ///
    /// When it is not.
    #[inline]
    fn required<T: Wire>(
        &self,
        value: Option<T>,
        ty: &'static str,
        ordinal: u32,
        name: &'static str,
    ) -> Result<T, Self::Error> {
        match value.or_else(<T as Decode<'de>>::absent) {
            Some(value) => Ok(value),
            None => Err(self.refuse(DecodeError::missing(ty, ordinal, name))),
        }
    }
}

/// Fields from a serde sequence.
pub(super) struct BySlot<A> {
    elements: A,
    slot: usize,
    ended: bool,
}

impl<A> BySlot<A> {
    pub(super) fn new(elements: A) -> Self {
        Self {
            elements,
            slot: 0,
            ended: false,
        }
    }
}

impl<'de, A: SeqAccess<'de>> BySlot<A> {
    fn element<T: Deserialize<'de>>(&mut self) -> Result<Option<T>, A::Error> {
        let element = self.elements.next_element()?;
        self.ended |= element.is_none();
        Ok(element)
    }
}

impl<'de, A: SeqAccess<'de>> Source<'de> for BySlot<A> {
    type Error = A::Error;

    fn next(&mut self, _: &'static [&'static str]) -> Result<Option<usize>, A::Error> {
        if self.ended {
            return Ok(None);
        }
        self.slot += 1;
        Ok(Some(self.slot - 1))
    }

    fn field<T: Wire>(&mut self, _: &'static str) -> Result<Option<T>, A::Error> {
        let element: Option<Option<De<T>>> = self.element()?;
        Ok(element.flatten().map(|De(value)| value))
    }

    fn skip(&mut self) -> Result<(), A::Error> {
        self.element::<IgnoredAny>().map(|_| ())
    }

    fn refuse(&self, error: DecodeError) -> A::Error {
        A::Error::custom(error)
    }
}

/// Fields from a serde map.
pub(super) struct ByName<A>(pub(super) A);

impl<'de, A: MapAccess<'de>> Source<'de> for ByName<A> {
    type Error = A::Error;

    fn next(&mut self, fields: &'static [&'static str]) -> Result<Option<usize>, A::Error> {
        self.0.next_key_seed(Slot(fields))
    }

    fn field<T: Wire>(&mut self, _: &'static str) -> Result<Option<T>, A::Error> {
        let value: Option<De<T>> = self.0.next_value()?;
        Ok(value.map(|De(value)| value))
    }

    fn skip(&mut self) -> Result<(), A::Error> {
        self.0.next_value::<IgnoredAny>().map(|_| ())
    }

    fn refuse(&self, error: DecodeError) -> A::Error {
        A::Error::custom(error)
    }
}

/// Reads a field's name as the slot it belongs in.
struct Slot(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for Slot {
    type Value = usize;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Slot {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E>(self, name: &str) -> Result<usize, E> {
        Ok(slot_of(name, self.0).unwrap_or(usize::MAX))
    }
}
