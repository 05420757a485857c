//! A point in time: MessagePack's extension −1, RFC 3339 as text.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::error::DecodeError;
use super::reader::Reader;
use super::wire::{Decode, Encode};
use super::write;

/// A point in time, to the nanosecond, without leap seconds and without a time zone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp {
    /// Seconds since 1970-01-01 00:00:00 UTC; negative before.
    pub seconds: i64,
    /// Nanoseconds after that second, below 1,000,000,000.
    pub nanos: u32,
}

impl Timestamp {
    /// A point in time; `None` if the nanoseconds make a second or more.
    pub const fn new(seconds: i64, nanos: u32) -> Option<Self> {
        if nanos >= SECOND {
            None
        } else {
            Some(Self { seconds, nanos })
        }
    }

    /// The present, by the system's clock.
    #[expect(clippy::disallowed_methods, reason = "users ask for the time of day")]
    pub fn now() -> Self {
        SystemTime::now().into()
    }

    /// With nanoseconds of a second or more carried over, which the public fields cannot rule out.
    fn normal(self) -> Self {
        Self {
            seconds: self.seconds.saturating_add((self.nanos / SECOND).into()),
            nanos: self.nanos % SECOND,
        }
    }
}

impl Encode for Timestamp {
    fn encode(&self, out: &mut Vec<u8>) {
        let Timestamp { seconds, nanos } = self.normal();
        match u64::try_from(seconds) {
            Ok(seconds) if nanos == 0 && seconds <= u32::MAX.into() => {
                write::ext(out, KIND, &(seconds as u32).to_be_bytes())
            }
            Ok(seconds) if seconds < 1 << 34 => {
                write::ext(out, KIND, &(u64::from(nanos) << 34 | seconds).to_be_bytes())
            }
            _ => {
                let mut data = [0; 12];
                data[..4].copy_from_slice(&nanos.to_be_bytes());
                data[4..].copy_from_slice(&seconds.to_be_bytes());
                write::ext(out, KIND, &data);
            }
        }
    }
}

impl<'de> Decode<'de> for Timestamp {
    fn decode(input: &mut Reader<'de>) -> Result<Self, DecodeError> {
        match input.ext()? {
            (KIND, data) => Self::from_data(data),
            (kind, _) => Err(DecodeError::custom(format!(
                "expected a timestamp, found an extension of type {kind}"
            ))),
        }
    }
}

impl Timestamp {
    /// Reads the content of an extension of type −1.
    pub(super) fn from_data(data: &[u8]) -> Result<Self, DecodeError> {
        let (seconds, nanos) = if let Ok(data) = data.try_into() {
            (u32::from_be_bytes(data).into(), 0)
        } else if let Ok(data) = data.try_into() {
            let both = u64::from_be_bytes(data);
            ((both & ((1 << 34) - 1)) as i64, (both >> 34) as u32)
        } else if let Some((nanos, seconds)) = data.split_first_chunk()
            && let Ok(seconds) = seconds.try_into()
        {
            (i64::from_be_bytes(seconds), u32::from_be_bytes(*nanos))
        } else {
            return Err(DecodeError::custom(format!(
                "a timestamp has 4, 8 or 12 bytes, not {}",
                data.len()
            )));
        };
        Self::new(seconds, nanos)
            .ok_or_else(|| DecodeError::out_of_range(nanos, "the nanoseconds of a timestamp"))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let nanos = match time.duration_since(UNIX_EPOCH) {
            Ok(after) => after.as_nanos() as i128,
            Err(before) => -(before.duration().as_nanos() as i128),
        };
        let second = i128::from(SECOND);
        Self {
            seconds: nanos.div_euclid(second) as i64,
            nanos: nanos.rem_euclid(second) as u32,
        }
    }
}

/// A point in time that the system's clock cannot show becomes the nearest one it can, the epoch.
impl From<Timestamp> for SystemTime {
    fn from(time: Timestamp) -> Self {
        let Timestamp { seconds, nanos } = time.normal();
        let nanos = Duration::new(0, nanos);
        let whole = Duration::from_secs(seconds.unsigned_abs());
        let base = if seconds < 0 {
            UNIX_EPOCH.checked_sub(whole)
        } else {
            UNIX_EPOCH.checked_add(whole)
        };
        base.and_then(|base| base.checked_add(nanos))
            .unwrap_or(UNIX_EPOCH)
    }
}

/// RFC 3339 in UTC, such as `2026-11-20T22:38:00.5Z`; years beyond four digits get a sign, as in ISO 8601.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Timestamp { seconds, nanos } = self.normal();
        let (year, month, day) = date_of(seconds.div_euclid(DAY));
        match year {
            0..=9999 => write!(f, "{year:04}")?,
            _ => write!(f, "{year:+07}")?,
        }
        let time = seconds.rem_euclid(DAY);
        write!(
            f,
            "-{month:02}-{day:02}T{:02}:{:02}:{:02}",
            time / 3600,
            time / 60 % 60,
            time % 60
        )?;
        if nanos > 0 {
            let digits = format!("{nanos:09}");
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        f.write_str("Z")
    }
}

/// A text that is no RFC 3339 point in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoTimestamp;

impl fmt::Display for NoTimestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a point in time such as 2026-11-20T22:38:00Z")
    }
}

impl std::error::Error for NoTimestamp {}

impl FromStr for Timestamp {
    type Err = NoTimestamp;

    fn from_str(text: &str) -> Result<Self, NoTimestamp> {
        parse(text).ok_or(NoTimestamp)
    }
}

fn parse(text: &str) -> Option<Timestamp> {
    let (sign, unsigned) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => (1, text),
    };
    let (year, rest) = unsigned.split_once('-')?;
    if year.len() < 4 || year.len() > 12 || (year.len() != 4 && unsigned.len() == text.len()) {
        return None;
    }
    let year = sign * i64::try_from(digits(year)?).ok()?;
    let (month, rest) = (pair(rest, 0)?, rest.get(2..)?.strip_prefix('-')?);
    let (day, rest) = (
        pair(rest, 0)?,
        rest.get(2..)?.strip_prefix(['T', 't', ' '])?,
    );
    let (hour, rest) = (pair(rest, 0)?, rest.get(2..)?.strip_prefix(':')?);
    let (minute, rest) = (pair(rest, 0)?, rest.get(2..)?.strip_prefix(':')?);
    let (second, rest) = (pair(rest, 0)?, rest.get(2..)?);
    if hour > 23 || minute > 59 || second > 60 || day > days_in(year, month)? || day == 0 {
        return None;
    }
    let (nanos, zone) = fraction(rest)?;
    // A leap second is the second after it, as on clocks that do not know it.
    let of_day = hour * 3600 + minute * 60 + second - offset(zone)?;
    // A year of many digits is more seconds than an `i64` holds.
    let seconds = i128::from(days_to(year, month, day)) * i128::from(DAY) + i128::from(of_day);
    Some(Timestamp {
        seconds: seconds.try_into().ok()?,
        nanos,
    })
}

/// Reads `.digits`, if there, as nanoseconds; further digits are cut off.
fn fraction(text: &str) -> Option<(u32, &str)> {
    let Some(rest) = text.strip_prefix('.') else {
        return Some((0, text));
    };
    let len = rest.bytes().take_while(u8::is_ascii_digit).count();
    if len == 0 {
        return None;
    }
    let nanos = rest[..len]
        .bytes()
        .chain([b'0'; 9])
        .take(9)
        .fold(0, |nanos, digit| nanos * 10 + u32::from(digit - b'0'));
    Some((nanos, &rest[len..]))
}

/// Reads `Z` or `+02:00` as seconds.
fn offset(zone: &str) -> Option<i64> {
    let sign = match zone.as_bytes() {
        [b'Z' | b'z'] => return Some(0),
        [b'+', _, _, b':', _, _] => 1,
        [b'-', _, _, b':', _, _] => -1,
        _ => return None,
    };
    let (hours, minutes) = (pair(zone, 1)?, pair(zone, 4)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn pair(text: &str, at: usize) -> Option<i64> {
    digits(text.get(at..at + 2)?).map(|value| value as i64)
}

fn digits(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}

fn days_in(year: i64, month: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 => Some(28 + i64::from(leap)),
        _ => None,
    }
}

/// Days since the epoch of a date, by Howard Hinnant's `days_from_civil`: years begin in March, so leap days end them.
fn days_to(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The date of a day since the epoch, by Howard Hinnant's `civil_from_days`.
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    (
        year_of_era + era * 400 + i64::from(month <= 2),
        month,
        day_of_year - (153 * shifted + 2) / 5 + 1,
    )
}

/// The type that MessagePack has given to timestamps.
const KIND: i8 = -1;
const SECOND: u32 = 1_000_000_000;
const DAY: i64 = 86_400;
