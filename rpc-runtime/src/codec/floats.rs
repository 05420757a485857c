//! Floats: NaN in one form only, and text for what JSON has no number for.

use std::fmt;

use serde::de::{Error as _, Visitor};
use serde::{Deserializer, Serializer};

use super::error::DecodeError;
use super::reader::Reader;
use super::wire::{Decode, Encode, Wire};
use super::write;

impl Encode for f32 {
    #[inline]
    fn encode(&self, out: &mut Vec<u8>) {
        write::f32(out, *self);
    }
}

impl Encode for f64 {
    #[inline]
    fn encode(&self, out: &mut Vec<u8>) {
        write::f64(out, *self);
    }
}

impl<'de> Decode<'de> for f32 {
    #[inline]
    fn decode(input: &mut Reader<'de>) -> Result<Self, DecodeError> {
        let value = input.float()?;
        narrow(value).ok_or_else(|| DecodeError::out_of_range(value, "f32"))
    }
}

impl<'de> Decode<'de> for f64 {
    #[inline]
    fn decode(input: &mut Reader<'de>) -> Result<Self, DecodeError> {
        input.float()
    }
}

impl Wire for f32 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match name_of((*self).into()) {
            Some(name) if serializer.is_human_readable() => serializer.serialize_str(name),
            _ if self.is_nan() => serializer.serialize_f32(f32::from_bits(0x7fc0_0000)),
            _ => serializer.serialize_f32(*self),
        }
    }

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = read(deserializer)?;
        narrow(value).ok_or_else(|| D::Error::custom(DecodeError::out_of_range(value, "f32")))
    }
}

impl Wire for f64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match name_of(*self) {
            Some(name) if serializer.is_human_readable() => serializer.serialize_str(name),
            _ if self.is_nan() => serializer.serialize_f64(f64::from_bits(0x7ff8_0000_0000_0000)),
            _ => serializer.serialize_f64(*self),
        }
    }

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer)
    }
}

/// Rounds to a float 32; a finite number that would become infinite is refused.
#[inline]
fn narrow(value: f64) -> Option<f32> {
    let narrow = value as f32;
    (narrow.is_finite() || !value.is_finite()).then_some(narrow)
}

/// How JSON names the floats that it has no number for.
pub(super) fn name_of(value: f64) -> Option<&'static str> {
    match value {
        _ if value.is_nan() => Some("NaN"),
        f64::INFINITY => Some("Infinity"),
        f64::NEG_INFINITY => Some("-Infinity"),
        _ => None,
    }
}

fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    if deserializer.is_human_readable() {
        // The hint of a float would keep some formats from giving us the names.
        return deserializer.deserialize_any(Number);
    }
    deserializer.deserialize_f64(Number)
}

struct Number;

impl Visitor<'_> for Number {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_f64<E>(self, value: f64) -> Result<f64, E> {
        Ok(value)
    }

    fn visit_i64<E>(self, value: i64) -> Result<f64, E> {
        Ok(value as f64)
    }

    fn visit_u64<E>(self, value: u64) -> Result<f64, E> {
        Ok(value as f64)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<f64, E> {
        match text {
            "NaN" => Ok(f64::NAN),
            "Infinity" => Ok(f64::INFINITY),
            "-Infinity" => Ok(f64::NEG_INFINITY),
            _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
        }
    }
}
