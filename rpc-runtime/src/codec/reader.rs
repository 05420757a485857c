//! Reads MessagePack from a slice, without copies and without recursion.

use bytes::Bytes;
use rmp::Marker;

use super::Decode;
use super::check::{self, CheckLimits, Fault, Malformed};
use super::error::{DecodeError, kind_of};

/// Reads one message, front to back.
///
/// Decoders of nested types recurse, and what a message holds becomes memory: so depth and counts need a bound. Either
/// the message has gone through [`check`](super::check) before ([`new`](Self::new)), or the reader keeps to limits while
/// it reads ([`bounded`](Self::bounded)). By itself it never panics, never trusts a count and never reserves memory.
#[derive(Clone, Debug)]
pub struct Reader<'de> {
    rest: &'de [u8],
    /// How much deeper arrays and maps may be nested here; more than any message can have if there is no limit.
    depth: u32,
    /// How many more values there may be.
    nodes: usize,
    /// What the message is a piece of, for values that keep a piece of it.
    frame: Option<&'de Bytes>,
}

/// What a value may take in memory; larger ones count for as many as would fit in.
const ROOM: usize = 128;

const TOO_LARGE: &str =
    "the message would take more memory than `max_nodes` values of 128 bytes each";

impl<'de> Reader<'de> {
    /// Begins at the front of `bytes`, which have been [checked](super::check).
    #[inline]
    pub fn new(bytes: &'de [u8]) -> Self {
        Self {
            rest: bytes,
            depth: u32::MAX,
            nodes: usize::MAX,
            frame: None,
        }
    }

    /// Begins at the front of `bytes`, which nobody has looked at: what [`check`](super::check) refuses, the reader
    /// refuses on the way.
    #[inline]
    pub fn bounded(bytes: &'de [u8], limits: &CheckLimits) -> Self {
        Self {
            rest: bytes,
            depth: limits.max_depth.min(check::DEPTH) as u32,
            // The message itself is a value too.
            nodes: limits.max_nodes.saturating_sub(1),
            frame: None,
        }
    }

    /// The same reader, of a message that is all of `frame` or in it: large binary is then shared with the frame, not
    /// copied.
    #[inline]
    #[must_use]
    pub fn in_frame(self, frame: &'de Bytes) -> Self {
        Self {
            frame: Some(frame),
            ..self
        }
    }

    /// Reads the count of an array; that many values follow, and then a [`close`](Self::close).
    #[inline]
    pub fn array(&mut self) -> Result<usize, DecodeError> {
        let count = match self.rest {
            [byte @ 0x90..=0x9f, rest @ ..] => {
                self.rest = rest;
                usize::from(byte & 15)
            }
            _ => self.long_array()?,
        };
        self.open(count)?;
        Ok(count)
    }

    /// Reads the count of a map; that many keys, each with its value, follow, and then a [`close`](Self::close).
    #[inline]
    pub fn map(&mut self) -> Result<usize, DecodeError> {
        let count = match self.marker()? {
            Marker::FixMap(count) => usize::from(count),
            Marker::Map16 => self.length16()?,
            Marker::Map32 => self.length32()?,
            other => return Err(self.unexpected("a map", other)),
        };
        self.open(count.saturating_mul(2))?;
        Ok(count)
    }

    /// Ends an array or map: what follows is one level up. Who leaves it out meets the limit of depth too early.
    #[inline]
    pub fn close(&mut self) {
        self.depth = self.depth.saturating_add(1);
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

    /// Reads a whole number from 0 up to `max`, in any form; `ty` is the type that must hold it.
    #[inline]
    pub(super) fn unsigned(&mut self, max: u64, ty: &'static str) -> Result<u64, DecodeError> {
        match self.rest {
            [byte @ 0..=0x7f, rest @ ..] => {
                self.rest = rest;
                Ok(u64::from(*byte))
            }
            _ => self.long_unsigned(max, ty),
        }
    }

    /// Reads a whole number from `min` up to `max`, in any form; `ty` is the type that must hold it.
    #[inline]
    pub(super) fn signed(
        &mut self,
        min: i64,
        max: i64,
        ty: &'static str,
    ) -> Result<i64, DecodeError> {
        match self.rest {
            [byte @ (0..=0x7f | 0xe0..=0xff), rest @ ..] => {
                self.rest = rest;
                Ok(i64::from(*byte as i8))
            }
            _ => self.long_signed(min, max, ty),
        }
    }

    /// Reads a float of either size, or an integer.
    #[inline]
    pub fn float(&mut self) -> Result<f64, DecodeError> {
        match self.rest {
            [0xcb, a, b, c, d, e, f, g, h, rest @ ..] => {
                self.rest = rest;
                Ok(f64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]))
            }
            _ => self.other_float(),
        }
    }

    fn other_float(&mut self) -> Result<f64, DecodeError> {
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
        std::str::from_utf8(self.text()?).map_err(|_| not_utf8())
    }

    /// Reads a string of one's own.
    pub(super) fn string(&mut self) -> Result<String, DecodeError> {
        self.str().map(str::to_owned)
    }

    /// Reads the bytes of a string.
    #[inline]
    fn text(&mut self) -> Result<&'de [u8], DecodeError> {
        if let [byte @ 0xa0..=0xbf, rest @ ..] = self.rest
            && let Some((text, rest)) = rest.split_at_checked(usize::from(byte & 31))
        {
            self.rest = rest;
            return Ok(text);
        }
        self.long_text()
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

    /// Reads binary that outlives the message: a piece of the frame if it is large, a copy if it is small.
    pub(super) fn shared_bin(&mut self) -> Result<Bytes, DecodeError> {
        let frame = self.frame;
        self.bin().map(|bytes| share(frame, bytes))
    }

    /// Takes all that is left, unread.
    pub(crate) fn rest(&mut self) -> Bytes {
        match self.frame {
            Some(frame) => frame.slice_ref(std::mem::take(&mut self.rest)),
            None => Bytes::copy_from_slice(std::mem::take(&mut self.rest)),
        }
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
        if self.depth as usize <= check::DEPTH {
            return self.skip_within_limits();
        }
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

    /// Reads past nil if it is next, and says whether it was.
    #[inline]
    pub(super) fn eat_nil(&mut self) -> bool {
        let [0xc0, rest @ ..] = self.rest else {
            return false;
        };
        self.rest = rest;
        true
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

    /// How many elements to reserve for a list that claims `count`: as many as fit into twice the bytes that are left, and
    /// into 64 KiB, but 1 KiB in any case: lists that are not complete are no more than arrays may be nested. Beyond that the
    /// list grows as elements really arrive, so memory follows the bytes received.
    #[inline]
    pub(super) fn room_for<T>(&self, count: usize) -> usize {
        let bytes = (2 * self.rest.len()).clamp(1 << 10, 64 << 10);
        count.min(bytes / size_of::<T>().max(1))
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

    /// Goes one level down, to so many values.
    #[inline]
    fn open(&mut self, values: usize) -> Result<(), DecodeError> {
        // Every value takes at least one byte, so a count above the bytes left is a lie.
        if self.depth == 0 || values > self.nodes || values > self.rest.len() {
            return Err(self.too_much(values));
        }
        self.depth -= 1;
        self.nodes -= values;
        Ok(())
    }

    /// Has values count for more than one each if they take more than [`ROOM`] bytes in memory: large ones can be made of a byte.
    /// `counted` is what was counted for them already.
    #[inline]
    pub(super) fn weigh(
        &mut self,
        count: usize,
        size: usize,
        counted: usize,
    ) -> Result<(), DecodeError> {
        if size <= ROOM && counted == count {
            return Ok(());
        }
        let values = count.saturating_mul(size) / ROOM;
        match self.nodes.checked_sub(values.saturating_sub(counted)) {
            Some(nodes) => self.nodes = nodes,
            None => return Err(DecodeError::custom(TOO_LARGE)),
        }
        Ok(())
    }

    #[cold]
    fn too_much(&self, values: usize) -> DecodeError {
        if self.depth == 0 {
            return DecodeError::custom("values are nested too deep");
        }
        if values > self.nodes {
            return DecodeError::custom("the message has too many values");
        }
        DecodeError::end_of_input()
    }

    fn skip_within_limits(&mut self) -> Result<(), DecodeError> {
        let limits = CheckLimits {
            max_depth: self.depth as usize,
            // The value itself was counted with the array or map that it is in.
            max_nodes: self.nodes.saturating_add(1),
        };
        let (end, nodes) = check::scan(self.rest, &limits, true).map_err(refused)?;
        self.rest = &self.rest[end..];
        self.nodes = nodes;
        Ok(())
    }

    fn long_array(&mut self) -> Result<usize, DecodeError> {
        match self.marker()? {
            Marker::Array16 => self.length16(),
            Marker::Array32 => self.length32(),
            other => Err(self.unexpected("an array", other)),
        }
    }

    fn long_text(&mut self) -> Result<&'de [u8], DecodeError> {
        if let [0xd9, len, rest @ ..] = self.rest
            && let Some((text, rest)) = rest.split_at_checked(usize::from(*len))
        {
            self.rest = rest;
            return Ok(text);
        }
        let len = match self.marker()? {
            Marker::FixStr(len) => usize::from(len),
            Marker::Str8 => self.length8()?,
            Marker::Str16 => self.length16()?,
            Marker::Str32 => self.length32()?,
            other => return Err(self.unexpected("a string", other)),
        };
        self.take(len)
    }

    fn long_unsigned(&mut self, max: u64, ty: &'static str) -> Result<u64, DecodeError> {
        let (value, rest) = match *self.rest {
            [0xcc, a, ref rest @ ..] => (u64::from(a), rest),
            [0xcd, a, b, ref rest @ ..] => (u64::from(u16::from_be_bytes([a, b])), rest),
            [0xce, a, b, c, d, ref rest @ ..] => {
                (u64::from(u32::from_be_bytes([a, b, c, d])), rest)
            }
            [0xcf, a, b, c, d, e, f, g, h, ref rest @ ..] => {
                (u64::from_be_bytes([a, b, c, d, e, f, g, h]), rest)
            }
            _ => {
                let value = self.integer()?;
                let value =
                    u64::try_from(value).map_err(|_| DecodeError::out_of_range(value, ty))?;
                (value, self.rest)
            }
        };
        self.rest = rest;
        if value > max {
            return Err(DecodeError::out_of_range(value, ty));
        }
        Ok(value)
    }

    fn long_signed(&mut self, min: i64, max: i64, ty: &'static str) -> Result<i64, DecodeError> {
        let (value, rest) = match *self.rest {
            [0xcc, a, ref rest @ ..] => (i64::from(a), rest),
            [0xcd, a, b, ref rest @ ..] => (i64::from(u16::from_be_bytes([a, b])), rest),
            [0xce, a, b, c, d, ref rest @ ..] => {
                (i64::from(u32::from_be_bytes([a, b, c, d])), rest)
            }
            [0xd0, a, ref rest @ ..] => (i64::from(a as i8), rest),
            [0xd1, a, b, ref rest @ ..] => (i64::from(i16::from_be_bytes([a, b])), rest),
            [0xd2, a, b, c, d, ref rest @ ..] => {
                (i64::from(i32::from_be_bytes([a, b, c, d])), rest)
            }
            // Above the highest `i64` it is for the general way to say so.
            [0xcf, a @ 0..=0x7f, b, c, d, e, f, g, h, ref rest @ ..]
            | [0xd3, a, b, c, d, e, f, g, h, ref rest @ ..] => {
                (i64::from_be_bytes([a, b, c, d, e, f, g, h]), rest)
            }
            _ => {
                let value = self.integer()?;
                let value =
                    i64::try_from(value).map_err(|_| DecodeError::out_of_range(value, ty))?;
                (value, self.rest)
            }
        };
        self.rest = rest;
        if value < min || value > max {
            return Err(DecodeError::out_of_range(value, ty));
        }
        Ok(value)
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
        if found == Marker::Reserved {
            return DecodeError::custom(check::reserved(self.rest).to_string());
        }
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

/// A small piece would keep the whole frame, and what it was read together with, for little.
fn share(frame: Option<&Bytes>, bytes: &[u8]) -> Bytes {
    match frame {
        Some(frame) if bytes.len() >= SHARED => frame.slice_ref(bytes),
        _ => Bytes::copy_from_slice(bytes),
    }
}

#[cold]
fn not_utf8() -> DecodeError {
    DecodeError::custom("a string is not UTF-8")
}

/// What the check says of a value that is only read past.
#[cold]
fn refused(malformed: Malformed) -> DecodeError {
    match malformed.fault {
        Fault::Ends | Fault::Claim { .. } => DecodeError::end_of_input(),
        fault => DecodeError::custom(fault.to_string()),
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

/// From this length on, binary stays where it was received.
const SHARED: usize = 4096;
