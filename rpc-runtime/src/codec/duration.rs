//! Spans of time: `std::time::Duration` as whole nanoseconds, and as text.

use std::fmt;
use std::time::Duration;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserializer, Serializer};

use super::error::DecodeError;
use super::reader::Reader;
use super::wire::{Decode, Encode, Wire};
use super::write;

/// Nanoseconds as an `i64`: up to 292 years, and what is longer is written as that.
impl Encode for Duration {
    #[inline]
    fn encode(&self, out: &mut Vec<u8>) {
        write::uint(out, nanoseconds(*self));
    }
}

impl<'de> Decode<'de> for Duration {
    #[inline]
    fn decode(input: &mut Reader<'de>) -> Result<Self, DecodeError> {
        let nanos = input.integer()?;
        from_nanoseconds(nanos)
            .ok_or_else(|| DecodeError::out_of_range(nanos, "a duration in nanoseconds"))
    }
}

/// As text, seconds: `1.5s`. Text in `ns`, `us`, `ms`, `s`, `m` and `h` is taken, and numbers are nanoseconds.
impl Wire for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.serialize_str(&text_of(*self));
        }
        serializer.serialize_u64(nanoseconds(*self))
    }

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return deserializer.deserialize_any(Span);
        }
        deserializer.deserialize_i64(Span)
    }
}

fn nanoseconds(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).map_or(LONGEST, |nanos| nanos.min(LONGEST))
}

fn from_nanoseconds(nanos: i128) -> Option<Duration> {
    u64::try_from(nanos)
        .ok()
        .filter(|nanos| *nanos <= LONGEST)
        .map(Duration::from_nanos)
}

fn text_of(span: Duration) -> String {
    let (seconds, nanos) = (span.as_secs(), format!("{:09}", span.subsec_nanos()));
    match nanos.trim_end_matches('0') {
        "" => format!("{seconds}s"),
        fraction => format!("{seconds}.{fraction}s"),
    }
}

/// Reads `1.5s`, `250ms` and the like.
fn parse(text: &str) -> Option<Duration> {
    let unit_at = text.find(|digit: char| !digit.is_ascii_digit() && digit != '.')?;
    let (number, unit) = text.split_at(unit_at);
    let nanos_per_unit: i128 = match unit {
        "ns" => 1,
        "us" | "µs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" | "min" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let whole = whole.parse::<u64>().ok()?;
    if fraction.is_empty() || fraction.len() > 18 {
        return None;
    }
    let part = i128::from(fraction.parse::<u64>().ok()?) * nanos_per_unit
        / 10_i128.pow(fraction.len() as u32);
    from_nanoseconds(i128::from(whole) * nanos_per_unit + part)
}

struct Span;

impl Visitor<'_> for Span {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as \"1.5s\", or whole nanoseconds")
    }

    fn visit_i64<E: Error>(self, nanos: i64) -> Result<Duration, E> {
        from_nanoseconds(nanos.into())
            .ok_or_else(|| E::invalid_value(Unexpected::Signed(nanos), &self))
    }

    fn visit_u64<E: Error>(self, nanos: u64) -> Result<Duration, E> {
        from_nanoseconds(nanos.into())
            .ok_or_else(|| E::invalid_value(Unexpected::Unsigned(nanos), &self))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
        parse(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

/// The longest span that fits: 292 years.
const LONGEST: u64 = i64::MAX as u64;
