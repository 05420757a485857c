//! Any value: what the IDL calls `any`.

use super::error::DecodeError;
use super::reader::Reader;
use super::timestamp::Timestamp;
use super::wire::{Decode, Encode, prealloc};
use super::write;

/// A value of any kind, for data whose shape is not known before.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// Nothing.
    #[default]
    Nil,
    /// True or false.
    Bool(bool),
    /// A whole number that fits into 64 bits with a sign.
    Int(i64),
    /// A whole number above [`i64::MAX`]; smaller ones are read as [`Value::Int`].
    Uint(u64),
    /// A number of single precision.
    F32(f32),
    /// A number of double precision.
    F64(f64),
    /// Text.
    Str(String),
    /// Bytes.
    Bin(Vec<u8>),
    /// A list.
    Array(Vec<Value>),
    /// Keys and values, in the order in which they came.
    Map(Vec<(Value, Value)>),
    /// An extension that MessagePack has not given a meaning to: its type and its bytes.
    Ext(i8, Vec<u8>),
    /// A point in time.
    Timestamp(Timestamp),
}

impl Encode for Value {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Value::Nil => write::nil(out),
            Value::Bool(value) => write::bool(out, *value),
            Value::Int(value) => write::int(out, *value),
            Value::Uint(value) => write::uint(out, *value),
            Value::F32(value) => write::f32(out, *value),
            Value::F64(value) => write::f64(out, *value),
            Value::Str(text) => write::str(out, text),
            Value::Bin(bytes) => write::bin(out, bytes),
            Value::Array(items) => items.encode(out),
            Value::Map(entries) => {
                write::map(out, entries.len());
                for (key, value) in entries {
                    key.encode(out);
                    value.encode(out);
                }
            }
            Value::Ext(kind, data) => write::ext(out, *kind, data),
            Value::Timestamp(time) => time.encode(out),
        }
    }
}

impl<'de> Decode<'de> for Value {
    fn decode(input: &mut Reader<'de>) -> Result<Self, DecodeError> {
        decode(input, DEPTH)
    }

    fn absent() -> Option<Self> {
        Some(Value::Nil)
    }
}

/// Reads a value whose arrays and maps are nested no deeper than `depth`.
fn decode(input: &mut Reader<'_>, depth: usize) -> Result<Value, DecodeError> {
    use rmp::Marker;
    let Some(marker) = input.peek() else {
        return Err(DecodeError::end_of_input());
    };
    Ok(match marker {
        Marker::Null => input.nil().map(|()| Value::Nil)?,
        Marker::True | Marker::False => Value::Bool(input.bool()?),
        Marker::F32 => Value::F32(input.float()? as f32),
        Marker::F64 => Value::F64(input.float()?),
        _ if input.is_str() => Value::Str(input.str()?.to_owned()),
        _ if input.is_bin() => Value::Bin(input.bin()?.to_vec()),
        _ if input.is_array() => Value::Array(decode_items(input, depth)?),
        _ if input.is_map() => Value::Map(decode_entries(input, depth)?),
        Marker::FixPos(_)
        | Marker::FixNeg(_)
        | Marker::U8
        | Marker::U16
        | Marker::U32
        | Marker::U64 => decode_integer(input)?,
        Marker::I8 | Marker::I16 | Marker::I32 | Marker::I64 => decode_integer(input)?,
        _ => match input.ext()? {
            (-1, data) => Value::Timestamp(Timestamp::from_data(data)?),
            (kind, data) => Value::Ext(kind, data.to_vec()),
        },
    })
}

fn decode_integer(input: &mut Reader<'_>) -> Result<Value, DecodeError> {
    let value = input.integer()?;
    if let Ok(value) = i64::try_from(value) {
        return Ok(Value::Int(value));
    }
    u64::try_from(value)
        .map(Value::Uint)
        .map_err(|_| DecodeError::out_of_range(value, "64 bits"))
}

fn decode_items(input: &mut Reader<'_>, depth: usize) -> Result<Vec<Value>, DecodeError> {
    let depth = deeper(depth)?;
    let count = input.array()?;
    let mut items = Vec::with_capacity(prealloc::<Value>(count));
    for index in 0..count {
        items.push(decode(input, depth).map_err(|error| error.in_index(index))?);
    }
    input.close();
    Ok(items)
}

fn decode_entries(
    input: &mut Reader<'_>,
    depth: usize,
) -> Result<Vec<(Value, Value)>, DecodeError> {
    let depth = deeper(depth)?;
    let count = input.map()?;
    let mut entries = Vec::with_capacity(prealloc::<(Value, Value)>(count));
    for _ in 0..count {
        let key = decode(input, depth)?;
        let value = decode(input, depth).map_err(|error| error.in_key(format!("{key:?}")))?;
        entries.push((key, value));
    }
    input.close();
    Ok(entries)
}

fn deeper(depth: usize) -> Result<usize, DecodeError> {
    depth
        .checked_sub(1)
        .ok_or_else(|| DecodeError::custom(format!("values are nested deeper than {DEPTH}")))
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Str(text.to_owned())
    }
}

macro_rules! from {
    ($($ty:ty => $variant:ident;)*) => {$(
        impl From<$ty> for Value {
            fn from(value: $ty) -> Self {
                Value::$variant(value.into())
            }
        }
    )*};
}

from! {
    bool => Bool;
    i8 => Int;
    i16 => Int;
    i32 => Int;
    i64 => Int;
    u8 => Int;
    u16 => Int;
    u32 => Int;
    f32 => F32;
    f64 => F64;
    String => Str;
    Vec<u8> => Bin;
    Vec<Value> => Array;
    Vec<(Value, Value)> => Map;
    Timestamp => Timestamp;
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        i64::try_from(value).map_or(Value::Uint(value), Value::Int)
    }
}

/// The deepest nesting that is read, as much as [`check`](super::check) can be told to allow.
const DEPTH: usize = 128;
