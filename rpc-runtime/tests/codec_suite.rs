//! Every encoding of kawanet's msgpack-test-suite, which is data from outside and not part of this repository.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test, a panic is the report"
)]
use std::path::PathBuf;

use rpc_runtime::codec::{
    CheckLimits, Decode, Encode, Reader, Timestamp, Value, check, check_prefix,
};
use serde_json::Value as Json;

/// Where the suite may be: beside the checkout, where the environment says, or as an npm package.
fn suite() -> Option<Json> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let places = [
        Some(root.join("../shared/data/msgpack-test-suite.json")),
        std::env::var_os("MSGPACK_TEST_SUITE").map(PathBuf::from),
        Some(root.join("node_modules/msgpack-test-suite/dist/msgpack-test-suite.json")),
    ];
    let text = places
        .into_iter()
        .flatten()
        .find_map(|place| std::fs::read_to_string(place).ok())?;
    Some(serde_json::from_str(&text).unwrap())
}

fn from_hex(text: &str) -> Vec<u8> {
    text.split('-')
        .filter(|byte| !byte.is_empty())
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect()
}

/// A value of the suite; numbers are compared by what they are worth.
fn expected(case: &Json) -> Value {
    let case = case.as_object().unwrap();
    let (kind, value) = case
        .iter()
        .find(|(key, _)| *key != "msgpack" && *key != "bignum")
        .unwrap_or_else(|| case.iter().next().unwrap());
    let bignum = || case["bignum"].as_str().unwrap();
    match kind.as_str() {
        "binary" => Value::Bin(from_hex(value.as_str().unwrap())),
        "timestamp" => Value::Timestamp(
            Timestamp::new(
                value[0].as_i64().unwrap(),
                value[1].as_u64().unwrap().try_into().unwrap(),
            )
            .unwrap(),
        ),
        "ext" => Value::Ext(
            value[0].as_i64().unwrap().try_into().unwrap(),
            from_hex(value[1].as_str().unwrap()),
        ),
        "bignum" | "msgpack" => match bignum().parse::<i64>() {
            Ok(small) => Value::Int(small),
            Err(_) => Value::Uint(bignum().parse().unwrap()),
        },
        "nil" | "bool" | "number" | "string" | "array" | "map" => natural(value),
        other => panic!("the suite has a new kind: {other}"),
    }
}

fn natural(value: &Json) -> Value {
    match value {
        Json::Null => Value::Nil,
        Json::Bool(value) => (*value).into(),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => number.into(),
            (_, Some(number)) => number.into(),
            _ => number.as_f64().unwrap().into(),
        },
        Json::String(text) => text.as_str().into(),
        Json::Array(items) => Value::Array(items.iter().map(natural).collect()),
        Json::Object(map) => Value::Map(
            map.iter()
                .map(|(key, value)| (key.as_str().into(), natural(value)))
                .collect(),
        ),
    }
}

fn same(found: &Value, expected: &Value) -> bool {
    fn number(value: &Value) -> Option<f64> {
        match value {
            Value::Int(value) => Some(*value as f64),
            Value::Uint(value) => Some(*value as f64),
            Value::F32(value) => Some((*value).into()),
            Value::F64(value) => Some(*value),
            _ => None,
        }
    }
    match (found, expected) {
        (Value::Int(_) | Value::Uint(_), Value::Int(_) | Value::Uint(_)) => found == expected,
        // The suite gives some floats as JSON numbers, which have lost the last bits of a float 32.
        (Value::F32(found), expected) => {
            number(expected).is_some_and(|expected| expected as f32 == *found)
        }
        (found, expected) => {
            found == expected || (number(found).is_some() && number(found) == number(expected))
        }
    }
}

#[test]
fn every_encoding_is_read_and_every_canonical_one_written() {
    let Some(suite) = suite() else {
        println!(
            "SKIPPED: msgpack-test-suite.json is not here; set MSGPACK_TEST_SUITE or install the npm package"
        );
        return;
    };
    let limits = CheckLimits::default();
    let (mut encodings, mut prefixes, mut rewritten) = (0, 0, 0);
    for (file, cases) in suite.as_object().unwrap() {
        for case in cases.as_array().unwrap() {
            let expected = expected(case);
            let all: Vec<_> = case["msgpack"]
                .as_array()
                .unwrap()
                .iter()
                .map(|hex| from_hex(hex.as_str().unwrap()))
                .collect();
            let float = |message: &&Vec<u8>| matches!(message[0], 0xca | 0xcb);
            let smallest = all
                .iter()
                .filter(|message| !float(message))
                .map(Vec::len)
                .min()
                .unwrap_or(0);
            for message in &all {
                check(message, &limits)
                    .unwrap_or_else(|error| panic!("{file}: {message:02x?}: {error}"));
                assert_eq!(check_prefix(message, &limits), Ok(Some(message.len())));
                let mut input = Reader::new(message);
                let value = Value::decode(&mut input)
                    .unwrap_or_else(|error| panic!("{file}: {message:02x?}: {error}"));
                input.finish().unwrap();
                assert!(
                    same(&value, &expected),
                    "{file}: {message:02x?} is {value:?}, not {expected:?}"
                );
                for end in 0..message.len() {
                    assert!(
                        check(&message[..end], &limits).is_err(),
                        "{file}: {message:02x?} up to {end}"
                    );
                    assert_eq!(
                        check_prefix(&message[..end], &limits),
                        Ok(None),
                        "{file}: {message:02x?} up to {end}"
                    );
                    prefixes += 1;
                }
                // A float stays a float, whose form need not be the smallest of the number. Of 2^63 - 1 there are two
                // smallest forms; the suite's first is with a sign, ours without.
                if !matches!(value, Value::F32(_) | Value::F64(_)) {
                    let mut out = Vec::new();
                    value.encode(&mut out);
                    assert_eq!(out.len(), smallest, "{file}: {value:?}");
                    assert!(
                        all.contains(&out),
                        "{file}: {value:?} is written as {out:02x?}"
                    );
                    rewritten += 1;
                }
                encodings += 1;
            }
        }
    }
    println!(
        "{encodings} encodings read, {prefixes} prefixes refused, {rewritten} canonical forms written"
    );
    assert_eq!(encodings, 233);
}
