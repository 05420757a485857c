//! Reads MessagePack from a slice, without copies and without recursion.

use rmp::Marker;

use super::Decode;
use super::error::{DecodeError, kind_of};

/// Reads one message, front to back.
///
/// Whoever makes one runs [`check`](super::check) over the message first: the check bounds depth and counts.
/// A reader by itself never panics, never trusts a count and never reserves memory.
#[derive(Clone, Debug)]
pub struct Reader<'de> {
    rest: &'de [u8],
}

impl<'de> Reader<'de> {
    /// Begins at the front of `bytes`.
    #[inline]
    pub fn new(bytes: &'de [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Reads the count of an array; that many values follow.
    #[inline]
    pub fn array(&mut self) -> Result<usize, DecodeError> {
        let count = match self.marker()? {
            Marker::FixArray(count) => usize::from(count),
            Marker::Array16 => self.length16()?,
            Marker::Array32 => self.length32()?,
            other => return Err(self.unexpected("an array", other)),
        };
        self.claim(count)
    }

    /// Reads the count of a map; that many keys, each with its value, follow.
    #[inline]
    pub fn map(&mut self) -> Result<usize, DecodeError> {
        let count = match self.marker()? {
            Marker::FixMap(count) => usize::from(count),
            Marker::Map16 => self.length16()?,
            Marker::Map32 => self.length32()?,
            other => return Err(self.unexpected("a map", other)),
        };
        self.claim(count.saturating_mul(2))?;
        Ok(count)
    }

    /// Reads nil.
    #[inline]
    pub fn nil(&mut self) -> Result<(), DecodeError> {
        match self.marker()? {
            Marker::Null => Ok(()),
            other => Err(self.unexpected("nil", other)),
        }
    }

    /// Reads a boolean.
    #[inline]
    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        match self.marker()? {
            Marker::True => Ok(true),
            Marker::False => Ok(false),
            other => Err(self.unexpected("a boolean", other)),
        }
    }

    /// Reads a whole number of any form; a float counts if it is integral and within ±2^53.
    #[inline]
    pub fn integer(&mut self) -> Result<i128, DecodeError> {
        match self.marker()? {
            Marker::FixPos(value) => Ok(value.into()),
            other => self.wide_integer(other),
        }
    }

    /// Reads a float of either size, or an integer.
    #[inline]
    pub fn float(&mut self) -> Result<f64, DecodeError> {
        match self.marker()? {
            Marker::F64 => Ok(f64::from_be_bytes(self.bytes_of()?)),
            Marker::F32 => Ok(f32::from_be_bytes(self.bytes_of()?).into()),
            other if is_integer(other) => Ok(self.wide_integer(other)? as f64),
            other => Err(self.unexpected("a number", other)),
        }
    }

    /// Reads a string, which must be UTF-8.
    #[inline]
    pub fn str(&mut self) -> Result<&'de str, DecodeError> {
        let marker = self.marker()?;
        let len = match marker {
            Marker::FixStr(len) => usize::from(len),
            Marker::Str8 => self.length8()?,
            Marker::Str16 => self.length16()?,
            Marker::Str32 => self.length32()?,
            other => return Err(self.unexpected("a string", other)),
        };
        std::str::from_utf8(self.take(len)?)
            .map_err(|_| DecodeError::custom("a string is not UTF-8"))
    }

    /// Reads binary.
    #[inline]
    pub fn bin(&mut self) -> Result<&'de [u8], DecodeError> {
        let len = match self.marker()? {
            Marker::Bin8 => self.length8()?,
            Marker::Bin16 => self.length16()?,
            Marker::Bin32 => self.length32()?,
            other => return Err(self.unexpected("binary", other)),
        };
        self.take(len)
    }

    /// Reads an extension: its type and its bytes.
    pub fn ext(&mut self) -> Result<(i8, &'de [u8]), DecodeError> {
        let len = match self.marker()? {
            Marker::FixExt1 => 1,
            Marker::FixExt2 => 2,
            Marker::FixExt4 => 4,
            Marker::FixExt8 => 8,
            Marker::FixExt16 => 16,
            Marker::Ext8 => self.length8()?,
            Marker::Ext16 => self.length16()?,
            Marker::Ext32 => self.length32()?,
            other => return Err(self.unexpected("an extension", other)),
        };
        let [kind] = self.bytes_of()?;
        Ok((kind as i8, self.take(len)?))
    }

    /// Reads a map's key that must be a string.
    #[inline]
    pub fn key(&mut self) -> Result<&'de str, DecodeError> {
        self.str()
            .map_err(|error| DecodeError::custom(format!("in a key: {}", error.reason())))
    }

    /// Reads a field of a struct; nil is `None`, and an error gets the field's name into its path.
    #[inline]
    pub fn field<T: Decode<'de>>(&mut self, name: &'static str) -> Result<Option<T>, DecodeError> {
        if self.is_nil() {
            self.nil()?;
            return Ok(None);
        }
        match T::decode(self) {
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(error.in_field(name)),
        }
    }

    /// Reads past one value, whatever it is, without recursion.
    pub fn skip(&mut self) -> Result<(), DecodeError> {
        let mut pending = 1_u64;
        while pending > 0 {
            pending -= 1;
            let (bytes, values) = self.step()?;
            self.take(bytes)?;
            pending = pending.saturating_add(values);
        }
        Ok(())
    }

    /// Reads past one value and gives its bytes.
    pub fn raw(&mut self) -> Result<&'de [u8], DecodeError> {
        let before = self.rest;
        self.skip()?;
        Ok(&before[..before.len() - self.rest.len()])
    }

    /// Whether nil is next.
    #[inline]
    pub fn is_nil(&self) -> bool {
        self.rest.first() == Some(&0xc0)
    }

    /// Whether a map is next.
    #[inline]
    pub fn is_map(&self) -> bool {
        matches!(self.rest, [0x80..=0x8f | 0xde | 0xdf, ..])
    }

    /// Whether an array is next.
    #[inline]
    pub fn is_array(&self) -> bool {
        matches!(self.rest, [0x90..=0x9f | 0xdc | 0xdd, ..])
    }

    /// Whether binary is next.
    #[inline]
    pub fn is_bin(&self) -> bool {
        matches!(self.rest, [0xc4..=0xc6, ..])
    }

    /// Whether a string is next.
    #[inline]
    pub fn is_str(&self) -> bool {
        matches!(self.rest, [0xa0..=0xbf | 0xd9..=0xdb, ..])
    }

    /// The first byte of what is next.
    #[inline]
    pub(crate) fn first(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// What is next, if anything is.
    #[inline]
    pub(super) fn peek(&self) -> Option<Marker> {
        self.rest.first().map(|byte| Marker::from_u8(*byte))
    }

    /// Fails unless the input is at its end.
    #[inline]
    pub fn finish(&self) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(DecodeError::custom(format!(
                "{left} bytes are left after the value"
            ))),
        }
    }

    #[inline]
    fn marker(&mut self) -> Result<Marker, DecodeError> {
        let [byte] = self.bytes_of()?;
        Ok(Marker::from_u8(byte))
    }

    #[inline]
    fn take(&mut self, len: usize) -> Result<&'de [u8], DecodeError> {
        let Some((head, rest)) = self.rest.split_at_checked(len) else {
            return Err(DecodeError::end_of_input());
        };
        self.rest = rest;
        Ok(head)
    }

    #[inline]
    fn bytes_of<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let Some((head, rest)) = self.rest.split_first_chunk() else {
            return Err(DecodeError::end_of_input());
        };
        self.rest = rest;
        Ok(*head)
    }

    #[inline]
    fn length8(&mut self) -> Result<usize, DecodeError> {
        Ok(u8::from_be_bytes(self.bytes_of()?).into())
    }

    #[inline]
    fn length16(&mut self) -> Result<usize, DecodeError> {
        Ok(u16::from_be_bytes(self.bytes_of()?).into())
    }

    #[inline]
    fn length32(&mut self) -> Result<usize, DecodeError> {
        // On 16-bit machines the count cannot be kept, and could not be true either.
        Ok(usize::try_from(u32::from_be_bytes(self.bytes_of()?)).unwrap_or(usize::MAX))
    }

    /// Every value takes at least one byte, so a count above the bytes left is a lie.
    #[inline]
    fn claim(&self, values: usize) -> Result<usize, DecodeError> {
        if values > self.rest.len() {
            return Err(DecodeError::end_of_input());
        }
        Ok(values)
    }

    fn wide_integer(&mut self, marker: Marker) -> Result<i128, DecodeError> {
        Ok(match marker {
            Marker::FixPos(value) => value.into(),
            Marker::FixNeg(value) => value.into(),
            Marker::U8 => u8::from_be_bytes(self.bytes_of()?).into(),
            Marker::U16 => u16::from_be_bytes(self.bytes_of()?).into(),
            Marker::U32 => u32::from_be_bytes(self.bytes_of()?).into(),
            Marker::U64 => u64::from_be_bytes(self.bytes_of()?).into(),
            Marker::I8 => i8::from_be_bytes(self.bytes_of()?).into(),
            Marker::I16 => i16::from_be_bytes(self.bytes_of()?).into(),
            Marker::I32 => i32::from_be_bytes(self.bytes_of()?).into(),
            Marker::I64 => i64::from_be_bytes(self.bytes_of()?).into(),
            Marker::F32 => integral(f32::from_be_bytes(self.bytes_of()?).into())?,
            Marker::F64 => integral(f64::from_be_bytes(self.bytes_of()?))?,
            other => return Err(self.unexpected("an integer", other)),
        })
    }

    /// Reads one header: how many bytes of content and how many values follow it.
    fn step(&mut self) -> Result<(usize, u64), DecodeError> {
        Ok(match self.marker()? {
            Marker::Null | Marker::True | Marker::False | Marker::FixPos(_) | Marker::FixNeg(_) => {
                (0, 0)
            }
            Marker::U8 | Marker::I8 => (1, 0),
            Marker::U16 | Marker::I16 => (2, 0),
            Marker::U32 | Marker::I32 | Marker::F32 => (4, 0),
            Marker::U64 | Marker::I64 | Marker::F64 => (8, 0),
            Marker::FixStr(len) => (len.into(), 0),
            Marker::Str8 | Marker::Bin8 => (self.length8()?, 0),
            Marker::Str16 | Marker::Bin16 => (self.length16()?, 0),
            Marker::Str32 | Marker::Bin32 => (self.length32()?, 0),
            Marker::FixExt1 => (2, 0),
            Marker::FixExt2 => (3, 0),
            Marker::FixExt4 => (5, 0),
            Marker::FixExt8 => (9, 0),
            Marker::FixExt16 => (17, 0),
            Marker::Ext8 => (self.length8()? + 1, 0),
            Marker::Ext16 => (self.length16()? + 1, 0),
            Marker::Ext32 => (self.length32()?.saturating_add(1), 0),
            Marker::FixArray(count) => (0, count.into()),
            Marker::Array16 => (0, self.length16()? as u64),
            Marker::Array32 => (0, self.length32()? as u64),
            Marker::FixMap(count) => (0, 2 * u64::from(count)),
            Marker::Map16 => (0, 2 * self.length16()? as u64),
            Marker::Map32 => (0, 2 * self.length32()? as u64),
            Marker::Reserved => return Err(self.unexpected("a value", Marker::Reserved)),
        })
    }

    #[cold]
    fn unexpected(&self, what: &str, found: Marker) -> DecodeError {
        // msgpackr writes JavaScript's undefined so, and nobody else writes type 0.
        if found == Marker::FixExt1 && self.rest.starts_with(&[0, 0]) {
            return DecodeError::expected(
                what,
                "an extension of type 0 (JavaScript's undefined, as msgpackr writes it)",
            );
        }
        DecodeError::expected(what, kind_of(found))
    }
}

fn is_integer(marker: Marker) -> bool {
    kind_of(marker) == "an integer"
}

/// A float as an integer, if nothing is lost by that.
pub(super) fn integral(value: f64) -> Result<i128, DecodeError> {
    if value.trunc() == value && value.abs() <= EXACT {
        return Ok(value as i128);
    }
    Err(DecodeError::custom(format!(
        "expected an integer, found the float {value}"
    )))
}

/// 2^53: up to here a float tells neighbouring integers apart.
const EXACT: f64 = 9_007_199_254_740_992.0;
