//! Takes the fields of a struct or variant out of MessagePack, one after the other.

use super::error::DecodeError;
use super::reader::Reader;
use super::wire::Decode;

/// The fields of one struct, asked for in the order of their slots.
///
/// They come as an array, so the usual way through is straight: is there one more, is it nil, read it. If they come as a
/// map by names, where each value begins is noted first.
#[derive(Debug)]
pub struct Slots<'a, 'de> {
    input: &'a mut Reader<'de>,
    /// The full name of the type, for messages.
    ty: &'static str,
    /// Elements of the array that nobody has asked for yet.
    left: usize,
    named: Option<Box<Named<'de>>>,
}

/// Where the value of each slot begins, and the next slot.
#[derive(Debug)]
struct Named<'de> {
    values: Vec<Option<Reader<'de>>>,
    next: usize,
}

impl<'a, 'de> Slots<'a, 'de> {
    /// Goes into the array or map that is next; `fields` has the name of each slot.
    ///
    /// # Errors
    ///
    /// If neither is next.
    #[inline(always)]
    pub fn open(
        input: &'a mut Reader<'de>,
        ty: &'static str,
        fields: &'static [&'static str],
    ) -> Result<Self, DecodeError> {
        if input.is_map() {
            return Self::by_name(input, ty, fields).map_err(|error| error.in_type(ty));
        }
        let left = match input.array() {
            Ok(left) => left,
            Err(error) => return Err(error.in_type(ty)),
        };
        Ok(Self {
            input,
            ty,
            left,
            named: None,
        })
    }

    /// Takes a field that must be there, unless its type has a value for what is absent.
    ///
    /// # Errors
    ///
    /// If it is missing, nil, or of another type.
    #[inline(always)]
    pub fn required<T: Decode<'de>>(
        &mut self,
        ordinal: u32,
        name: &'static str,
    ) -> Result<T, DecodeError> {
        if let Some(input) = self.place() {
            return match T::decode(input) {
                Ok(value) => Ok(value),
                Err(error) => Err(self.blame(error, name)),
            };
        }
        match T::absent() {
            Some(value) => Ok(value),
            None => Err(DecodeError::missing(self.ty, ordinal, name)),
        }
    }

    /// Takes a field that may be missing or nil.
    ///
    /// # Errors
    ///
    /// If it is of another type.
    #[inline(always)]
    pub fn optional<T: Decode<'de>>(
        &mut self,
        name: &'static str,
    ) -> Result<Option<T>, DecodeError> {
        match self.place() {
            Some(input) => match T::decode(input) {
                Ok(value) => Ok(Some(value)),
                Err(error) => Err(self.blame(error, name)),
            },
            None => Ok(None),
        }
    }

    /// Passes over a slot that has no field, or no longer has.
    ///
    /// # Errors
    ///
    /// If there is no value.
    #[inline(always)]
    pub fn hole(&mut self) -> Result<(), DecodeError> {
        let ty = self.ty;
        match self.place() {
            Some(input) => input.skip().map_err(|error| error.in_type(ty)),
            None => Ok(()),
        }
    }

    /// Ends the struct: newer fields are passed over.
    ///
    /// # Errors
    ///
    /// If there are fewer bytes than fields.
    #[inline(always)]
    pub fn finish(&mut self) -> Result<(), DecodeError> {
        if self.left > 0 {
            self.pass_rest()?;
        }
        self.input.close();
        Ok(())
    }

    /// Where the value of the next slot begins, unless it is nil or missing.
    #[inline(always)]
    fn place(&mut self) -> Option<&mut Reader<'de>> {
        if self.left == 0 {
            return self.named.as_mut().and_then(|named| named.place());
        }
        self.left -= 1;
        (!self.input.eat_nil()).then_some(&mut *self.input)
    }

    #[cold]
    fn blame(&self, error: DecodeError, name: &'static str) -> DecodeError {
        error.in_field(name).in_type(self.ty)
    }

    #[cold]
    fn pass_rest(&mut self) -> Result<(), DecodeError> {
        let mut rest = 0..std::mem::take(&mut self.left);
        rest.try_for_each(|_| self.input.skip())
            .map_err(|error| error.in_type(self.ty))
    }

    #[cold]
    fn by_name(
        input: &'a mut Reader<'de>,
        ty: &'static str,
        fields: &'static [&'static str],
    ) -> Result<Self, DecodeError> {
        let mut values = Vec::new();
        for _ in 0..input.map()? {
            let key = input.key()?;
            // Names that nobody knows, and the empty one that holes have, are passed over; of equal ones the last counts.
            if let Some(slot) = slot_of(key, fields) {
                values.resize(fields.len(), None);
                values[slot] = Some(input.clone());
            }
            input.skip()?;
        }
        let (left, named) = (0, Some(Box::new(Named { values, next: 0 })));
        Ok(Self {
            input,
            ty,
            left,
            named,
        })
    }
}

impl<'de> Named<'de> {
    #[cold]
    fn place(&mut self) -> Option<&mut Reader<'de>> {
        let value = self.values.get_mut(self.next).and_then(Option::as_mut);
        self.next += 1;
        value.filter(|input| !input.is_nil())
    }
}

/// The slot of a name, unless nobody knows it.
pub(super) fn slot_of(name: &str, fields: &[&str]) -> Option<usize> {
    fields
        .iter()
        .position(|field| *field == name && !name.is_empty())
}
