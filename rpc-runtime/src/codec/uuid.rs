//! UUIDs: 16 bytes of binary, hyphenated text.

use std::fmt;
use std::str::FromStr;

use super::error::DecodeError;
use super::reader::Reader;
use super::wire::{Decode, Encode};
use super::write;

/// A universally unique identifier, in network order.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uuid(pub [u8; 16]);

impl Encode for Uuid {
    #[inline]
    fn encode(&self, out: &mut Vec<u8>) {
        write::bin(out, &self.0);
    }
}

impl<'de> Decode<'de> for Uuid {
    fn decode(input: &mut Reader<'de>) -> Result<Self, DecodeError> {
        Self::from_data(input.bin()?)
    }
}

impl Uuid {
    pub(super) fn from_data(data: &[u8]) -> Result<Self, DecodeError> {
        let wrong_length = |_| {
            DecodeError::custom(format!(
                "expected the 16 bytes of a UUID, found {}",
                data.len()
            ))
        };
        data.try_into().map(Self).map_err(wrong_length)
    }
}

/// Lower-case digits in five groups: `67e55044-10b1-426f-9247-bb680e5fe0c8`.
impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uuid({self})")
    }
}

/// A text that is no UUID.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoUuid;

impl fmt::Display for NoUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a UUID such as 67e55044-10b1-426f-9247-bb680e5fe0c8")
    }
}

impl std::error::Error for NoUuid {}

/// Takes digits of either case, with the four hyphens or without any.
impl FromStr for Uuid {
    type Err = NoUuid;

    fn from_str(text: &str) -> Result<Self, NoUuid> {
        let hyphens: Vec<_> = text
            .bytes()
            .enumerate()
            .filter(|(_, byte)| *byte == b'-')
            .map(|(at, _)| at)
            .collect();
        if !matches!(hyphens[..], [] | [8, 13, 18, 23]) {
            return Err(NoUuid);
        }
        let digits: Option<Vec<_>> = text
            .chars()
            .filter(|&digit| digit != '-')
            .map(|digit| digit.to_digit(16))
            .collect();
        let digits: [u32; 32] = digits
            .and_then(|digits| digits.try_into().ok())
            .ok_or(NoUuid)?;
        Ok(Self(std::array::from_fn(|index| {
            (digits[2 * index] << 4 | digits[2 * index + 1]) as u8
        })))
    }
}
