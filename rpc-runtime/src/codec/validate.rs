//! The rules of `@len`, `@range`, `@items` and `@pattern`, as generated `validate()` functions call them.

use std::collections::HashMap;
use std::fmt::Display;
use std::time::Duration;

use super::invalid::Invalid;
use super::pattern::Pattern;
use super::timestamp::Timestamp;
use super::wire::Encode;

/// The length of a text, in characters.
///
/// # Errors
///
/// When it is outside of `min..=max`.
pub fn len_str(text: &str, min: Option<u64>, max: Option<u64>) -> Result<(), Invalid> {
    // A character takes four bytes at most, so a text that is short in bytes need not be counted.
    if min.is_none() && max.is_some_and(|max| text.len() as u64 <= max) {
        return Ok(());
    }
    count(text.chars().count(), min, max, "character")
}

/// The length of bytes.
///
/// # Errors
///
/// When it is outside of `min..=max`.
pub fn len_bytes(bytes: &[u8], min: Option<u64>, max: Option<u64>) -> Result<(), Invalid> {
    count(bytes.len(), min, max, "byte")
}

/// The number of elements of a list, set or map.
///
/// # Errors
///
/// When it is outside of `min..=max`.
pub fn items(len: usize, min: Option<u64>, max: Option<u64>) -> Result<(), Invalid> {
    count(len, min, max, "element")
}

/// That no two elements of a list are equal, which is: have the same bytes.
///
/// # Errors
///
/// When two are.
pub fn unique<'a, T: Encode + 'a>(items: impl IntoIterator<Item = &'a T>) -> Result<(), Invalid> {
    // By hash, not by comparing all with all: a stranger may send a million.
    let mut seen = HashMap::new();
    for (index, item) in items.into_iter().enumerate() {
        let mut bytes = Vec::new();
        item.encode(&mut bytes);
        if let Some(first) = seen.insert(bytes, index) {
            return Err(rule(format!(
                "must have no equal elements, but {first} and {index} are"
            )));
        }
    }
    Ok(())
}

/// A whole number.
///
/// # Errors
///
/// When it is outside of `min..=max`.
pub fn range_int(value: i128, min: Option<i128>, max: Option<i128>) -> Result<(), Invalid> {
    range(value, min, max)
}

/// A whole number of type `u128`.
///
/// # Errors
///
/// When it is outside of `min..=max`.
pub fn range_u128(value: u128, min: Option<u128>, max: Option<u128>) -> Result<(), Invalid> {
    range(value, min, max)
}

/// A float; NaN is in no range.
///
/// # Errors
///
/// When it is outside of `min..=max`.
pub fn range_float(value: f64, min: Option<f64>, max: Option<f64>) -> Result<(), Invalid> {
    range(value, min, max)
}

/// A span of time; the limits are nanoseconds.
///
/// # Errors
///
/// When it is outside of `min..=max`.
pub fn range_duration(value: Duration, min: Option<i64>, max: Option<i64>) -> Result<(), Invalid> {
    let nanos = i128::try_from(value.as_nanos()).unwrap_or(i128::MAX);
    let inside =
        min.is_none_or(|min| nanos >= min.into()) && max.is_none_or(|max| nanos <= max.into());
    let shown = |limit: Option<i64>| {
        limit.map(|limit| format!("{:?}", Duration::from_nanos(limit.max(0).unsigned_abs())))
    };
    if inside {
        Ok(())
    } else {
        Err(outside(&format!("{value:?}"), shown(min), shown(max)))
    }
}

/// A point in time.
///
/// # Errors
///
/// When it is outside of `min..=max`.
pub fn range_timestamp(
    value: Timestamp,
    min: Option<Timestamp>,
    max: Option<Timestamp>,
) -> Result<(), Invalid> {
    range(value, min, max)
}

/// A text that must match a pattern as a whole.
///
/// # Errors
///
/// When it does not.
pub fn pattern(pattern: &Pattern, text: &str) -> Result<(), Invalid> {
    if pattern.matches(text) {
        Ok(())
    } else {
        Err(rule(format!("must match `{}`", pattern.as_str())))
    }
}

fn count(len: usize, min: Option<u64>, max: Option<u64>, unit: &str) -> Result<(), Invalid> {
    let len = len as u64;
    let plural = |count| {
        if count == 1 {
            unit.to_owned()
        } else {
            format!("{unit}s")
        }
    };
    match (min, max) {
        (Some(min), _) if len < min => Err(rule(format!(
            "must have at least {min} {}, has {len}",
            plural(min)
        ))),
        (_, Some(max)) if len > max => Err(rule(format!(
            "must have at most {max} {}, has {len}",
            plural(max)
        ))),
        _ => Ok(()),
    }
}

fn range<T: PartialOrd + Display>(value: T, min: Option<T>, max: Option<T>) -> Result<(), Invalid> {
    // Asked for what must hold, not for what must not: NaN is neither below nor above anything.
    if min.as_ref().is_none_or(|min| value >= *min) && max.as_ref().is_none_or(|max| value <= *max)
    {
        return Ok(());
    }
    Err(outside(&value, min, max))
}

fn outside(value: &dyn Display, min: Option<impl Display>, max: Option<impl Display>) -> Invalid {
    rule(match (min, max) {
        (Some(min), Some(max)) => format!("must be from {min} to {max}, is {value}"),
        (Some(min), None) => format!("must be at least {min}, is {value}"),
        (None, Some(max)) => format!("must be at most {max}, is {value}"),
        (None, None) => format!("must be a number, is {value}"),
    })
}

/// The path is filled in on the way out, by whoever knows the field.
fn rule(message: String) -> Invalid {
    Invalid::new("", message)
}
