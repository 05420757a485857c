//! Messages made to break decoders, on a stack of 256 KiB.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test, a panic is the report"
)]
use rpc_runtime::codec::{CheckLimits, Decode, Reader, Value, check, check_prefix};

/// Runs the check where recursion would show.
fn refused(name: &str, message: Vec<u8>, reason: &str) {
    let run = move || {
        check(&message, &CheckLimits::default())
            .unwrap_err()
            .to_string()
    };
    let error = std::thread::Builder::new()
        .stack_size(256 * 1024)
        .spawn(run)
        .unwrap()
        .join()
        .unwrap();
    assert!(error.ends_with(reason), "{name}: {error}");
}

fn nested(open: &[u8], levels: usize, close: &[u8]) -> Vec<u8> {
    [open.repeat(levels), close.to_vec()].concat()
}

#[test]
fn nesting_is_refused_beyond_64() {
    for levels in [65, 1_000, 26_100, 100_000] {
        let deep = "nested deeper than 64";
        refused("enum in enum", nested(&[0x81, 0x01], levels, &[0xc0]), deep);
        refused("map in map key", nested(&[0x81], levels, &[0xc0]), deep);
        refused("array in array", nested(&[0x91], levels, &[0xc0]), deep);
        refused(
            "empty array innermost",
            nested(&[0x91], levels - 1, &[0x90]),
            deep,
        );
        refused("array 16", nested(&[0xdc, 0, 1], levels, &[0xc0]), deep);
        refused(
            "map 32",
            nested(&[0xdf, 0, 0, 0, 1, 0xc0], levels, &[0xc0]),
            deep,
        );
        refused(
            "wide and deep",
            nested(&[0x92, 0xc0], levels, &[0xc0]),
            deep,
        );
    }
    for open in [&[0x91][..], &[0x81, 0x01], &[0x92, 0xc0]] {
        let message = nested(open, 64, &[0xc0]);
        assert_eq!(check(&message, &CheckLimits::default()), Ok(()));
        assert!(Value::decode(&mut Reader::new(&message)).is_ok());
    }
    assert!(check(&nested(&[0x91], 63, &[0x90]), &CheckLimits::default()).is_ok());
}

#[test]
fn a_limit_above_128_is_128() {
    let limits = CheckLimits {
        max_depth: usize::MAX,
        ..CheckLimits::default()
    };
    assert!(check(&nested(&[0x91], 128, &[0xc0]), &limits).is_ok());
    assert!(check(&nested(&[0x91], 129, &[0xc0]), &limits).is_err());
    let none = CheckLimits {
        max_depth: 0,
        ..CheckLimits::default()
    };
    assert!(check(&[0x07], &none).is_ok() && check(&[0x90], &none).is_err());
}

#[test]
fn counts_that_nothing_backs_are_refused() {
    let lies: [(&str, &[u8], &str); 12] = [
        (
            "array 32",
            &[0xdd, 0xff, 0xff, 0xff, 0xff],
            "more than 1048576 values",
        ),
        (
            "map 32",
            &[0xdf, 0xff, 0xff, 0xff, 0xff],
            "more than 1048576 values",
        ),
        (
            "array 16",
            &[0xdc, 0xff, 0xff],
            "an array or map is said to have 65535, but 0 bytes are left",
        ),
        (
            "map 16",
            &[0xde, 0xff, 0xff],
            "is said to have 131070, but 0 bytes are left",
        ),
        (
            "fixmap",
            &[0x82, 1, 2, 3],
            "is said to have 4, but 3 bytes are left",
        ),
        (
            "fixarray",
            &[0x9f, 1],
            "is said to have 15, but 1 bytes are left",
        ),
        (
            "str 32",
            &[0xdb, 0xff, 0xff, 0xff, 0xff],
            "is said to have 4294967295, but 0 bytes are left",
        ),
        (
            "bin 32",
            &[0xc6, 0xff, 0xff, 0xff, 0xff, 0],
            "is said to have 4294967295, but 1 bytes are left",
        ),
        (
            "ext 32",
            &[0xc9, 0xff, 0xff, 0xff, 0xff, 1],
            "is said to have 4294967296, but 1 bytes are left",
        ),
        (
            "ext 8",
            &[0xc7, 1, 1],
            "is said to have 2, but 1 bytes are left",
        ),
        ("half a length", &[0xdd, 0xff], "it ends inside of a value"),
        ("nothing", &[], "it ends inside of a value"),
    ];
    for (name, message, reason) in lies {
        refused(name, message.to_vec(), reason);
        assert!(Value::decode(&mut Reader::new(message)).is_err());
        assert!(Reader::new(message).skip().is_err());
    }
    // A lie in each of 60 levels.
    refused(
        "nested lies",
        nested(&[0xdc, 0xff, 0xff], 60, &[]),
        "bytes are left",
    );
}

#[test]
fn a_message_is_one_value_and_nothing_after_it() {
    refused("two values", vec![1, 2], "1 bytes are left after the value");
    refused(
        "the reserved marker",
        vec![0x92, 1, 0xc1],
        "c1 is no MessagePack",
    );
    let failure = [&[0x91, 0xc1, 0xa3][..], b"why"].concat();
    refused(
        "what our own encoder leaves",
        failure,
        "the sender could not write the value: why",
    );
    assert_eq!(
        check(&[0x92, 1, 0xc1], &CheckLimits::default())
            .unwrap_err()
            .position(),
        2
    );
}

#[test]
fn values_are_counted() {
    let limits = CheckLimits {
        max_nodes: 4,
        ..CheckLimits::default()
    };
    assert!(check(&[0x93, 1, 2, 3], &limits).is_ok());
    assert!(check(&[0x93, 1, 0x90, 0x90], &limits).is_ok());
    assert!(check(&[0x93, 1, 2, 0x91, 3], &limits).is_err());
    let many = [vec![0xdd, 0, 0x10, 0, 0], vec![0x80; 1 << 20]].concat();
    refused("a megabyte of empty maps", many, "more than 1048576 values");
}

#[test]
fn a_prefix_is_incomplete_or_hopeless() {
    let limits = CheckLimits::default();
    assert_eq!(check_prefix(&[], &limits), Ok(None));
    assert_eq!(check_prefix(&[0x92, 1], &limits), Ok(None));
    assert_eq!(check_prefix(&[0x92, 1, 2, 3], &limits), Ok(Some(3)));
    assert_eq!(check_prefix(&[0xdb, 0, 0, 0, 9, b'x'], &limits), Ok(None));
    assert!(check_prefix(&[0xdd, 0xff, 0xff, 0xff, 0xff], &limits).is_err());
    assert!(check_prefix(&nested(&[0x91], 65, &[]), &limits).is_err());
    assert!(check_prefix(&[0x92, 0xc1], &limits).is_err());
}

/// What the check refuses, a reader with limits refuses while it reads or passes over the value, on a stack of 256 KiB.
fn refused_on_the_way(message: Vec<u8>, limits: CheckLimits) {
    let run = move || {
        let read = |mut input: Reader<'_>| {
            Value::decode(&mut input)?;
            input.finish()
        };
        let skip = |mut input: Reader<'_>| {
            input.skip()?;
            input.finish()
        };
        let list = |mut input: Reader<'_>| {
            Vec::<Value>::decode(&mut input)?;
            input.finish()
        };
        let whole = check(&message, &limits).is_ok();
        let begin = || Reader::bounded(&message, &limits);
        assert_eq!(read(begin()).is_ok(), whole, "{message:x?}");
        assert_eq!(skip(begin()).is_ok(), whole, "{message:x?}");
        assert_eq!(
            list(begin()).is_ok(),
            whole && Reader::new(&message).is_array(),
            "{message:x?}"
        );
    };
    std::thread::Builder::new()
        .stack_size(256 * 1024)
        .spawn(run)
        .unwrap()
        .join()
        .unwrap();
}

#[test]
fn a_reader_with_limits_needs_no_check_before() {
    let small = CheckLimits {
        max_depth: 3,
        max_nodes: 8,
    };
    let messages: [&[u8]; 12] = [
        &[7],
        &[7, 7],
        &[0x91, 0x91, 0x91, 1],
        &[0x91, 0x91, 0x91, 0x90],
        &[0x93, 0x91, 0x90, 0x91, 0x90, 0x91, 0x90],
        &[0x93, 0x91, 0x90, 0x91, 0x90, 0x92, 0x90, 1],
        &[0x82, 1, 0x81, 1, 2, 3, 4],
        &[0x82, 1, 0x81, 1, 2, 3, 0x91, 4],
        &[0x87, 1, 2],
        &[0x92, 0xc1, 1],
        &[0xdd, 0xff, 0xff, 0xff, 0xff, 1],
        &[0x91, 0xdb, 0xff, 0xff, 0xff, 0xff, 1],
    ];
    for message in messages {
        refused_on_the_way(message.to_vec(), small);
    }
    for levels in [63, 64, 65, 1_000, 100_000] {
        for open in [&[0x91][..], &[0x81, 0x01], &[0x92, 0xc0]] {
            refused_on_the_way(nested(open, levels, &[0xc0]), CheckLimits::default());
        }
    }
    let many = [vec![0xdd, 0, 0x10, 0, 0], vec![0x80; 1 << 20]].concat();
    refused_on_the_way(many, CheckLimits::default());
}

#[test]
fn what_the_sender_could_not_write_is_said_by_the_reader_too() {
    let failure = [&[0x91, 0xc1, 0xa3][..], b"why"].concat();
    let mut input = Reader::bounded(&failure, &CheckLimits::default());
    let error = Vec::<String>::decode(&mut input).unwrap_err().to_string();
    assert_eq!(error, "[0]: the sender could not write the value: why");
}

#[test]
fn skipping_does_not_recurse() {
    let message = nested(&[0x92, 0xc0], 100_000, &[0xc0]);
    let run = move || Reader::new(&message).raw().map(<[u8]>::len);
    let skipped = std::thread::Builder::new()
        .stack_size(64 * 1024)
        .spawn(run)
        .unwrap()
        .join()
        .unwrap();
    assert_eq!(skipped, Ok(200_001));
}
