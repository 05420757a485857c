//! Reads the text of literals.

/// An integer of any type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Int {
    Small(i128),
    /// Above `i128::MAX`.
    Big(u128),
}

/// Reads `12`, `-1_000`, `0xff`. `None`: no type holds it.
pub(crate) fn int(text: &str) -> Option<Int> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (digits, radix) = match digits.strip_prefix("0x") {
        Some(digits) => (digits, 16),
        None => (digits, 10),
    };
    let mut value: u128 = 0;
    for digit in digits.chars().filter(|c| *c != '_') {
        let digit = digit.to_digit(radix)?;
        value = value
            .checked_mul(u128::from(radix))?
            .checked_add(u128::from(digit))?;
    }
    match (negative, i128::try_from(value)) {
        (false, Ok(small)) => Some(Int::Small(small)),
        (false, Err(_)) => Some(Int::Big(value)),
        (true, Ok(small)) => Some(Int::Small(-small)),
        (true, Err(_)) if value == i128::MIN.unsigned_abs() => Some(Int::Small(i128::MIN)),
        (true, Err(_)) => None,
    }
}

/// A plain number, as ordinals and enum numbers are.
pub(crate) fn small(text: &str) -> Option<i128> {
    match int(text)? {
        Int::Small(value) => Some(value),
        Int::Big(_) => None,
    }
}

/// Reads `1.5`, `2e9`, `1_000.5`. `None`: too large for any float.
pub(crate) fn float(text: &str) -> Option<f64> {
    let value: f64 = text.replace('_', "").parse().ok()?;
    value.is_finite().then_some(value)
}

/// An amount with a unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Quantity {
    Nanoseconds(i64),
    Bytes(i128),
}

/// Reads `2s`, `1.5h`, `4MiB`. `None`: too large, or a fraction of a nanosecond or byte.
pub(crate) fn quantity(text: &str) -> Option<Quantity> {
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(unit_at);
    let is_size = unit.ends_with("iB");
    let scale: i128 = match unit {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" | "min" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let mut total = small(whole)?.checked_mul(scale)?;
    let sign = if number.starts_with('-') { -1 } else { 1 };
    let mut part = scale;
    for digit in fraction.chars().filter(|c| *c != '_') {
        let digit = i128::from(digit.to_digit(10)?);
        if part % 10 != 0 && digit != 0 {
            return None;
        }
        part /= 10;
        total = total.checked_add(sign * digit * part)?;
    }
    if is_size {
        return (total >= 0).then_some(Quantity::Bytes(total));
    }
    i64::try_from(total).ok().map(Quantity::Nanoseconds)
}

/// Reads a quoted string; the error is the byte offset of a wrong escape, and its length.
pub(crate) fn string(quoted: &str) -> Result<String, (usize, usize)> {
    let inner = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or("");
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let here = inner.len() - rest.len() + at + 1;
        let escape = &rest[at + 1..];
        let letter = escape.chars().next().ok_or((here, 1))?;
        let wrong = (here, 1 + letter.len_utf8());
        let mut length = letter.len_utf8();
        out.push(match letter {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            '0' => '\0',
            '\\' | '"' | '\'' => letter,
            'u' => {
                let end = escape.find('}').ok_or(wrong)?;
                let digits = escape.get(2..end).filter(|_| escape[1..].starts_with('{'));
                let code = u32::from_str_radix(digits.ok_or(wrong)?, 16).map_err(|_| wrong)?;
                length = end + 1;
                char::from_u32(code).ok_or((here, 1 + length))?
            }
            _ => return Err(wrong),
        });
        rest = &escape[length..];
    }
    out.push_str(rest);
    Ok(out)
}

/// Canonical text of a UUID.
pub(crate) fn uuid(text: &str) -> Option<String> {
    let groups: Vec<_> = text.split('-').map(str::len).collect();
    let is_hex = text.chars().all(|c| c == '-' || c.is_ascii_hexdigit());
    (groups == [8, 4, 4, 4, 12] && is_hex).then(|| text.to_ascii_lowercase())
}

/// Whether the text is a decimal in canonical form: `-?digits(.digits)?`, no leading zeros.
pub(crate) fn is_decimal(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    digits(whole) && (whole == "0" || !whole.starts_with('0')) && fraction.is_none_or(digits)
}

/// Reads an RFC 3339 timestamp: seconds since 1970 and nanoseconds.
pub(crate) fn timestamp(text: &str) -> Option<(i64, u32)> {
    let number = |from: usize, to: usize| -> Option<i64> {
        let part = text.get(from..to)?;
        part.bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| part.parse().ok())?
    };
    let mark = |at: usize, wanted: &str| text.get(at..=at).filter(|c| wanted.contains(*c));
    mark(4, "-")?;
    mark(7, "-")?;
    mark(10, "Tt ")?;
    mark(13, ":")?;
    mark(16, ":")?;
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let month_days = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=month_days).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut rest = text.get(19..)?;
    let mut nanos = 0;
    if let Some(fraction) = rest.strip_prefix('.') {
        let length = fraction.bytes().take_while(u8::is_ascii_digit).count();
        if !(1..=9).contains(&length) {
            return None;
        }
        nanos = fraction[..length].parse::<u32>().ok()? * 10_u32.pow(9 - length as u32);
        rest = &fraction[length..];
    }
    let offset = match rest {
        "Z" | "z" => 0,
        _ => {
            let sign = if rest.starts_with('+') { 1 } else { -1 };
            let body = rest.strip_prefix(['+', '-'])?;
            let (hours, minutes) = body.split_once(':')?;
            let two = |part: &str| (part.len() == 2).then(|| part.parse::<i64>().ok())?;
            let (hours, minutes) = (two(hours)?, two(minutes)?);
            if !(0..=23).contains(&hours) || !(0..=59).contains(&minutes) {
                return None;
            }
            sign * (hours * 3600 + minutes * 60)
        }
    };
    let days = days_since_1970(year, month, day);
    Some((
        days * 86_400 + hour * 3600 + minute * 60 + second - offset,
        nanos,
    ))
}

/// Days of the Gregorian calendar; years are counted from March, so that the leap day comes last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers() {
        assert_eq!(int("1_000"), Some(Int::Small(1000)));
        assert_eq!(int("0xff"), Some(Int::Small(255)));
        assert_eq!(int("-3"), Some(Int::Small(-3)));
        assert_eq!(
            int("170141183460469231731687303715884105728"),
            Some(Int::Big(1 << 127))
        );
        assert_eq!(
            int("-170141183460469231731687303715884105728"),
            Some(Int::Small(i128::MIN))
        );
        assert_eq!(int("999999999999999999999999999999999999999999"), None);
    }

    #[test]
    fn quantities() {
        assert_eq!(quantity("2s"), Some(Quantity::Nanoseconds(2_000_000_000)));
        assert_eq!(quantity("1.5ms"), Some(Quantity::Nanoseconds(1_500_000)));
        assert_eq!(quantity("-1.5ms"), Some(Quantity::Nanoseconds(-1_500_000)));
        assert_eq!(quantity("1.5ns"), None);
        assert_eq!(quantity("4MiB"), Some(Quantity::Bytes(4 << 20)));
        assert_eq!(quantity("999999999d"), None);
    }

    #[test]
    fn strings_and_their_escapes() {
        assert_eq!(string(r#""a\n\u{e9}\\""#).unwrap(), "a\né\\");
        assert_eq!(string(r#""a\d""#), Err((2, 2)));
        assert_eq!(string(r#""\u{110000}""#), Err((1, 10)));
    }

    #[test]
    fn timestamps_count_seconds() {
        assert_eq!(timestamp("1970-01-01T00:00:00Z"), Some((0, 0)));
        assert_eq!(
            timestamp("2000-02-29T12:00:00.5+01:00"),
            Some((951_822_000, 500_000_000))
        );
        assert_eq!(timestamp("2001-02-29T12:00:00Z"), None);
        assert_eq!(timestamp("1969-12-31T23:59:59Z"), Some((-1, 0)));
    }

    #[test]
    fn decimals_are_canonical() {
        assert!(is_decimal("0") && is_decimal("-12.50") && is_decimal("0.1"));
        assert!(!is_decimal("01") && !is_decimal("1.") && !is_decimal("1e5") && !is_decimal(""));
    }
}
