//! Decimal numbers of any size, as text.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use super::error::DecodeError;
use super::reader::Reader;
use super::wire::{Decode, Encode};
use super::write;

/// A decimal number: an optional `-`, digits without needless zeros in front, and perhaps a point and digits.
///
/// It only carries the number; reckoning is for a library of the user's choice, by way of the text.
/// Zeros at the end are kept (`1.50` is not `1.5`, though they stand next to each other in order).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Decimal(String);

impl Decimal {
    /// The number as text, such as `-12.50`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Sign, digits before the point, digits after it without zeros at the end.
    fn parts(&self) -> (bool, &str, &str) {
        let (negative, digits) = match self.0.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, self.0.as_str()),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        (negative, whole, fraction.trim_end_matches('0'))
    }
}

impl Default for Decimal {
    fn default() -> Self {
        Self("0".to_owned())
    }
}

/// By value, then by length, so that `1.5` comes before `1.50`.
impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let ((negative, whole, fraction), (other_negative, other_whole, other_fraction)) =
            (self.parts(), other.parts());
        let size = whole
            .len()
            .cmp(&other_whole.len())
            .then_with(|| (whole, fraction).cmp(&(other_whole, other_fraction)));
        let value = match (negative, other_negative) {
            (false, false) => size,
            (true, true) => size.reverse(),
            (negative, other_negative) => other_negative.cmp(&negative),
        };
        value.then_with(|| self.0.len().cmp(&other.0.len()))
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Decimal({})", self.0)
    }
}

/// A text that is no decimal number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoDecimal;

impl fmt::Display for NoDecimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a decimal number such as -12.50")
    }
}

impl std::error::Error for NoDecimal {}

/// Takes an exponent too, and puts the number into its one form: `1.5e3` is `1500`, `007` is `7`, `-0` is `0`.
impl FromStr for Decimal {
    type Err = NoDecimal;

    fn from_str(text: &str) -> Result<Self, NoDecimal> {
        normalise(text).map(Self).ok_or(NoDecimal)
    }
}

fn normalise(text: &str) -> Option<String> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse().ok()?),
        None => (unsigned, 0_i32),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (mantissa, ""),
    };
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty()
        || !all_digits(whole)
        || !all_digits(fraction)
        || exponent.unsigned_abs() > MAX_EXPONENT
    {
        return None;
    }
    let (whole, fraction) = shift(whole, fraction, exponent);
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    let zero = whole == "0" && fraction.bytes().all(|digit| digit == b'0');
    let sign = if negative && !zero { "-" } else { "" };
    let point = if fraction.is_empty() { "" } else { "." };
    Some(format!("{sign}{whole}{point}{fraction}"))
}

/// Moves the point by `exponent` places.
fn shift(whole: &str, fraction: &str, exponent: i32) -> (String, String) {
    let places = exponent.unsigned_abs() as usize;
    let zeros = "0".repeat(places);
    if exponent < 0 {
        let padded = format!("{zeros}{whole}");
        let (whole, moved) = padded.split_at(padded.len() - places);
        return (whole.to_owned(), format!("{moved}{fraction}"));
    }
    let (moved, fraction) = fraction.split_at(places.min(fraction.len()));
    (
        format!("{whole}{moved}{}", &zeros[moved.len()..]),
        fraction.to_owned(),
    )
}

impl Encode for Decimal {
    #[inline]
    fn encode(&self, out: &mut Vec<u8>) {
        write::str(out, &self.0);
    }
}

impl<'de> Decode<'de> for Decimal {
    fn decode(input: &mut Reader<'de>) -> Result<Self, DecodeError> {
        let text = input.str()?;
        text.parse()
            .map_err(|error| DecodeError::custom(format!("{error}, found {text:?}")))
    }
}

macro_rules! from_integer {
    ($($ty:ident)*) => {$(
        impl From<$ty> for Decimal {
            fn from(value: $ty) -> Self {
                Self(value.to_string())
            }
        }
    )*};
}

from_integer!(i8 i16 i32 i64 i128 u8 u16 u32 u64 u128);

/// A short text must not stand for a long number: `1e999999999` would be a gigabyte of zeros.
const MAX_EXPONENT: u32 = 1000;
