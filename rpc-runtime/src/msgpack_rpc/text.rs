//! Values as text: what a person sees of an error that is no text.

use std::fmt::Write as _;

use crate::codec::{Decode, Reader, Value};

/// Longest text made of a value, in bytes; about what a FAIL carries.
const LONGEST: usize = 2_000;

/// What an error of a MessagePack-RPC peer says: a text, `[code, text]`, a map with a `message`, or anything else as
/// text. The bytes must have been checked.
pub(super) fn of_error(error: &[u8]) -> String {
    let Ok(value) = Value::decode(&mut Reader::new(error)) else {
        return "the peer's error cannot be read".to_owned();
    };
    let text = match &value {
        Value::Array(items) => match &items[..] {
            [code @ (Value::Int(_) | Value::Uint(_)), text] if plain(text).is_some() => {
                plain(text).map(|text| format!("{text} (code {})", of_value(code)))
            }
            [only] => plain(only),
            _ => None,
        },
        Value::Map(entries) => {
            let get = |wanted: &str| {
                let found = entries.iter().find(|(key, _)| *key == Value::from(wanted));
                found.map(|(_, value)| value)
            };
            let text = get("message").and_then(plain);
            match (text, get("code")) {
                (Some(text), Some(code)) => Some(format!("{text} (code {})", of_value(code))),
                (text, _) => text,
            }
        }
        other => plain(other),
    };
    let text = text.unwrap_or_else(|| of_value(&value));
    // A message is one line: controls are dropped on the way, and lines would run together.
    let spaced = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect::<String>();
    match spaced.trim() {
        "" => "the peer's error is empty".to_owned(),
        text => text.to_owned(),
    }
}

/// A declared error that does not say what it means, from its own encoding.
pub(super) fn of_declared(body: &[u8]) -> String {
    match Value::decode(&mut Reader::new(body)) {
        Ok(value) => plain(&value).unwrap_or_else(|| of_value(&value)),
        Err(_) => "the handler failed".to_owned(),
    }
}

/// Text, as a string or as bytes.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Str(text) => Some(text.clone()),
        Value::Bin(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    }
}

/// A value in a notation like JSON's.
fn of_value(value: &Value) -> String {
    let mut out = String::new();
    show(value, &mut out);
    if out.len() > LONGEST {
        let mut end = LONGEST;
        while !out.is_char_boundary(end) {
            end -= 1;
        }
        out.truncate(end);
        out.push('…');
    }
    out
}

/// Recursive: a decoded value is nested no deeper than the check of the message allows.
fn show(value: &Value, out: &mut String) {
    if out.len() > LONGEST {
        return;
    }
    let _ = match value {
        Value::Nil => write!(out, "nil"),
        Value::Bool(value) => write!(out, "{value}"),
        Value::Int(value) => write!(out, "{value}"),
        Value::Uint(value) => write!(out, "{value}"),
        Value::F32(value) => write!(out, "{value}"),
        Value::F64(value) => write!(out, "{value}"),
        Value::Str(text) => write!(out, "{text:?}"),
        Value::Bin(bytes) => write!(out, "{:?}", String::from_utf8_lossy(bytes)),
        Value::Ext(kind, bytes) => write!(out, "extension {kind} {bytes:02x?}"),
        Value::Timestamp(time) => write!(out, "{time}"),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                separate(index, out);
                show(item, out);
            }
            write!(out, "]")
        }
        Value::Map(entries) => {
            out.push('{');
            for (index, (key, value)) in entries.iter().enumerate() {
                separate(index, out);
                show(key, out);
                out.push_str(": ");
                show(value, out);
            }
            write!(out, "}}")
        }
    };
}

fn separate(index: usize, out: &mut String) {
    // Nothing is shown past the longest text, so neither are its commas.
    if index > 0 && out.len() <= LONGEST {
        out.push_str(", ");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Encode;

    #[test]
    fn every_form_of_an_error_becomes_a_readable_text() {
        let pair = Value::from(vec![Value::from(0), Value::from("Invalid method: x")]);
        let map = Value::from(vec![
            (Value::from("code"), Value::from(7)),
            (Value::from("message"), Value::from("no")),
        ]);
        let cases = [
            (Value::from("boom"), "boom"),
            (Value::from("two\nlines"), "two lines"),
            (Value::from(b"raw".to_vec()), "raw"),
            (pair, "Invalid method: x (code 0)"),
            (map, "no (code 7)"),
            (Value::from(vec![Value::from("only")]), "only"),
            (Value::from(42), "42"),
            (Value::from(false), "false"),
            (Value::from(vec![Value::from(1), Value::Nil]), "[1, nil]"),
            (Value::Ext(3, vec![1]), "extension 3 [01]"),
            (Value::from(""), "the peer's error is empty"),
        ];
        for (value, expected) in cases {
            let mut encoded = Vec::new();
            value.encode(&mut encoded);
            assert_eq!(of_error(&encoded), expected, "{value:?}");
        }
    }

    #[test]
    fn a_long_error_is_cut() {
        let long = Value::from(vec![Value::from("ä".repeat(700)); 100]);
        let mut encoded = Vec::new();
        long.encode(&mut encoded);
        assert!(of_error(&encoded).len() < LONGEST + 10);
    }
}
