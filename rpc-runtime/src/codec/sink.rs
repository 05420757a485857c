//! Where the fields of a struct or variant go: MessagePack, or a serde format.

use std::convert::Infallible;

use serde::Serializer;
use serde::ser::{SerializeMap, SerializeSeq};

use super::wire::{Ser, Wire};
use super::write;

/// Takes the slots of a struct, in order.
pub trait Sink {
    /// Why a field could not be taken.
    type Error;

    /// Takes a field.
    ///
    /// # Errors
    ///
    /// Those of the format.
    fn field<T: Wire>(&mut self, name: &'static str, value: &T) -> Result<(), Self::Error>;

    /// Takes a slot that has no field, or no longer has.
    ///
    /// # Errors
    ///
    /// Those of the format.
    fn hole(&mut self) -> Result<(), Self::Error>;
}

/// Something with fields: a struct, or a variant that has some.
pub(super) trait Fields {
    fn give<S: Sink>(&self, to: &mut S) -> Result<(), S::Error>;
}

/// Writes an array of slots, as short as what is absent at its end allows.
#[inline]
pub(super) fn encode<F: Fields>(fields: &F, out: &mut Vec<u8>) {
    let mut count = Count::default();
    let Ok(()) = fields.give(&mut count);
    write::array(out, count.used);
    let Ok(()) = fields.give(&mut Slots {
        out,
        left: count.used,
    });
}

/// Gives fields to a serde format: by name where it is for people, as slots elsewhere.
pub(super) fn serialize<F: Fields, S: Serializer>(
    fields: &F,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut count = Count::default();
    let Ok(()) = fields.give(&mut count);
    if serializer.is_human_readable() {
        let mut names = Names(serializer.serialize_map(Some(count.present))?);
        fields.give(&mut names)?;
        return names.0.end();
    }
    let mut elements = Elements {
        elements: serializer.serialize_seq(Some(count.used))?,
        left: count.used,
    };
    fields.give(&mut elements)?;
    elements.elements.end()
}

/// Counts slots up to the last one that must be written; the compiler makes a constant of it where it can.
#[derive(Default)]
struct Count {
    slots: usize,
    used: usize,
    present: usize,
}

impl Sink for Count {
    type Error = Infallible;

    #[inline]
    fn field<T: Wire>(&mut self, _: &'static str, value: &T) -> Result<(), Infallible> {
        self.slots += 1;
        if !value.is_absent() {
            self.used = self.slots;
            self.present += 1;
        }
        Ok(())
    }

    #[inline]
    fn hole(&mut self) -> Result<(), Infallible> {
        self.slots += 1;
        Ok(())
    }
}

struct Slots<'a> {
    out: &'a mut Vec<u8>,
    left: usize,
}

impl Sink for Slots<'_> {
    type Error = Infallible;

    #[inline]
    fn field<T: Wire>(&mut self, _: &'static str, value: &T) -> Result<(), Infallible> {
        if self.left > 0 {
            self.left -= 1;
            value.encode(self.out);
        }
        Ok(())
    }

    #[inline]
    fn hole(&mut self) -> Result<(), Infallible> {
        self.field("", &None::<()>)
    }
}

struct Elements<S> {
    elements: S,
    left: usize,
}

impl<S: SerializeSeq> Sink for Elements<S> {
    type Error = S::Error;

    fn field<T: Wire>(&mut self, _: &'static str, value: &T) -> Result<(), S::Error> {
        if self.left == 0 {
            return Ok(());
        }
        self.left -= 1;
        self.elements.serialize_element(&Ser(value))
    }

    fn hole(&mut self) -> Result<(), S::Error> {
        self.field("", &None::<()>)
    }
}

struct Names<S>(S);

impl<S: SerializeMap> Sink for Names<S> {
    type Error = S::Error;

    fn field<T: Wire>(&mut self, name: &'static str, value: &T) -> Result<(), S::Error> {
        if value.is_absent() {
            return Ok(());
        }
        self.0.serialize_entry(name, &Ser(value))
    }

    fn hole(&mut self) -> Result<(), S::Error> {
        Ok(())
    }
}
