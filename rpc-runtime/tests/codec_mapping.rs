//! The mapping table, row by row: what is written, what else is read, what is refused.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test, a panic is the report"
)]
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::convert::Infallible;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rpc_runtime::codec::{
    CheckLimits, De, Decimal, Decode, Encode, Reader, Ser, Timestamp, Uuid, Value, Wire, check,
};

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .collect();
    digits
        .chunks(2)
        .map(|pair| (pair[0] << 4 | pair[1]) as u8)
        .collect()
}

fn read<T: for<'de> Decode<'de>>(message: &[u8]) -> Result<T, String> {
    check(message, &CheckLimits::default()).map_err(|error| error.to_string())?;
    let mut input = Reader::new(message);
    let value = T::decode(&mut input).map_err(|error| error.to_string())?;
    input.finish().map_err(|error| error.to_string())?;
    Ok(value)
}

/// A value, its canonical bytes, and other bytes that mean it.
#[track_caller]
fn row<T: Wire + PartialEq + Debug>(value: T, canonical: &str, accepted: &[&str]) {
    let mut out = Vec::new();
    value.encode(&mut out);
    assert_eq!(out, hex(canonical), "{value:?}");
    for message in [canonical].iter().chain(accepted) {
        assert_eq!(read::<T>(&hex(message)).as_ref(), Ok(&value), "{message}");
    }
    // serde's binary form is the same bytes, and JSON goes there and back.
    assert_eq!(
        rmp_serde::to_vec(&Ser(&value)).unwrap(),
        out,
        "{value:?} through rmp-serde"
    );
    let De(back) = rmp_serde::from_slice::<De<T>>(&out).unwrap();
    assert_eq!(back, value, "{value:?} through rmp-serde");
    let json = serde_json::to_string(&Ser(&value)).unwrap();
    let De(back) =
        serde_json::from_str::<De<T>>(&json).unwrap_or_else(|error| panic!("{json}: {error}"));
    assert_eq!(back, value, "{json}");
}

#[track_caller]
fn refused<T: for<'de> Decode<'de> + Debug>(cases: &[(&str, &str)]) {
    for (message, reason) in cases {
        assert_eq!(read::<T>(&hex(message)).unwrap_err(), *reason, "{message}");
    }
}

#[track_caller]
fn json<T: Wire + PartialEq + Debug>(value: T, text: &str, accepted: &[&str], refused: &[&str]) {
    assert_eq!(serde_json::to_string(&Ser(&value)).unwrap(), text);
    for text in [text].iter().chain(accepted) {
        let De(back) =
            serde_json::from_str::<De<T>>(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(back, value, "{text}");
    }
    for text in refused {
        assert!(serde_json::from_str::<De<T>>(text).is_err(), "{text}");
    }
}

#[test]
fn booleans_and_nothing() {
    row(true, "c3", &[]);
    row(false, "c2", &[]);
    refused::<bool>(&[
        ("01", "expected a boolean, found an integer"),
        ("c0", "expected a boolean, found nil"),
    ]);
    row((), "c0", &["07", "93 01 02 a1 78", "81 a1 78 c0"]);
    refused::<Infallible>(&[("c0", "found a value where none is possible")]);
}

#[test]
fn integers_take_every_form_that_fits() {
    let one = [
        "cc 01",
        "cd 0001",
        "ce 00000001",
        "cf 0000000000000001",
        "d0 01",
        "d1 0001",
        "d2 00000001",
    ];
    let one = [
        &one[..],
        &["d3 0000000000000001", "ca 3f800000", "cb 3ff0000000000000"],
    ]
    .concat();
    row(1_u8, "01", &one);
    row(1_u16, "01", &one);
    row(1_u32, "01", &one);
    row(1_u64, "01", &one);
    row(1_i8, "01", &one);
    row(1_i16, "01", &one);
    row(1_i32, "01", &one);
    row(1_i64, "01", &one);
    let minus = [
        "d0 ff",
        "d1 ffff",
        "d2 ffffffff",
        "d3 ffffffffffffffff",
        "ca bf800000",
        "cb bff0000000000000",
    ];
    row(-1_i8, "ff", &minus);
    row(-1_i64, "ff", &minus);
    row(127_u64, "7f", &[]);
    row(128_u64, "cc 80", &[]);
    row(256_u64, "cd 0100", &[]);
    row(65_536_u64, "ce 00010000", &[]);
    row(1_u64 << 32, "cf 0000000100000000", &["ca 4f800000"]);
    row(u64::MAX, "cf ffffffffffffffff", &[]);
    row(i64::MAX, "cf 7fffffffffffffff", &["d3 7fffffffffffffff"]);
    row(-32_i64, "e0", &[]);
    row(-33_i64, "d0 df", &[]);
    row(-129_i64, "d1 ff7f", &[]);
    row(-32_769_i64, "d2 ffff7fff", &[]);
    row(i64::MIN, "d3 8000000000000000", &[]);
    row(
        9_007_199_254_740_992_i64,
        "cf 0020000000000000",
        &["cb 4340000000000000"],
    );
}

#[test]
fn integers_never_wrap() {
    refused::<u8>(&[
        ("ff", "-1 is out of range for u8"),
        ("cd 0100", "256 is out of range for u8"),
        ("cb 4070000000000000", "256 is out of range for u8"),
        ("ca 3f000000", "expected an integer, found the float 0.5"),
        ("a1 31", "expected an integer, found a string"),
        ("c0", "expected an integer, found nil"),
    ]);
    refused::<i8>(&[
        ("cc 80", "128 is out of range for i8"),
        ("d1 ff7f", "-129 is out of range for i8"),
    ]);
    refused::<u64>(&[(
        "d3 8000000000000000",
        "-9223372036854775808 is out of range for u64",
    )]);
    refused::<i64>(&[
        (
            "cf 8000000000000000",
            "9223372036854775808 is out of range for i64",
        ),
        (
            "cb 4340000000000001",
            "expected an integer, found the float 9007199254740994",
        ),
        (
            "cb 7ff0000000000000",
            "expected an integer, found the float inf",
        ),
        (
            "cb 7ff8000000000000",
            "expected an integer, found the float NaN",
        ),
        (
            "d4 0000",
            "expected an integer, found an extension of type 0 (JavaScript's undefined, as msgpackr writes it)",
        ),
    ]);
}

#[test]
fn wide_integers_are_16_bytes() {
    row(
        1_u128,
        "c4 10 00000000000000000000000000000001",
        &["01", "cf 0000000000000001", "d0 01"],
    );
    row(u128::MAX, "c4 10 ffffffffffffffffffffffffffffffff", &[]);
    row(
        -1_i128,
        "c4 10 ffffffffffffffffffffffffffffffff",
        &["ff", "d3 ffffffffffffffff"],
    );
    row(i128::MIN, "c4 10 80000000000000000000000000000000", &[]);
    refused::<u128>(&[
        ("ff", "-1 is out of range for u128"),
        (
            "c4 01 01",
            "expected 16 bytes for a 128-bit integer, found 1",
        ),
        ("a1 31", "expected an integer, found a string"),
    ]);
    json(
        u128::MAX,
        r#""340282366920938463463374607431768211455""#,
        &[],
        &["-1", "1.5", r#""-1""#, r#""""#],
    );
    json(-5_i128, r#""-5""#, &["-5"], &["true"]);
}

#[test]
fn floats_keep_all_but_the_payload_of_nan() {
    row(1.5_f32, "ca 3fc00000", &["cb 3ff8000000000000"]);
    row(
        2.0_f32,
        "ca 40000000",
        &["02", "cc 02", "d3 0000000000000002"],
    );
    row(0.1_f32, "ca 3dcccccd", &["cb 3fb999999999999a"]);
    row(1.5_f64, "cb 3ff8000000000000", &["ca 3fc00000"]);
    row(-3.0_f64, "cb c008000000000000", &["fd", "d0 fd"]);
    row(f64::INFINITY, "cb 7ff0000000000000", &["ca 7f800000"]);
    row(f32::NEG_INFINITY, "ca ff800000", &["cb fff0000000000000"]);
    let mut out = Vec::new();
    [-0.0_f64].encode(&mut out);
    assert_eq!(out, hex("91 cb 8000000000000000"));
    out.clear();
    f64::from_bits(0xfff0_0000_0000_0001).encode(&mut out);
    f32::from_bits(0xffc0_1234).encode(&mut out);
    assert_eq!(out, hex("cb 7ff8000000000000 ca 7fc00000"));
    assert!(read::<f64>(&hex("ca ffc01234")).unwrap().is_nan());
    refused::<f32>(&[(
        "cb 7fe0000000000000",
        &format!("{} is out of range for f32", f64::from_bits(0x7fe0 << 48)),
    )]);
    refused::<f64>(&[
        ("a1 31", "expected a number, found a string"),
        ("c0", "expected a number, found nil"),
    ]);
    json(1.5_f64, "1.5", &[], &["null", r#""1.5""#, "true"]);
    json(f64::NEG_INFINITY, r#""-Infinity""#, &[], &[]);
    json(2.0_f32, "2.0", &["2"], &["1e300"]);
    assert_eq!(serde_json::to_string(&Ser(&f64::NAN)).unwrap(), r#""NaN""#);
}

#[test]
fn strings_are_utf_8_and_no_binary() {
    row(
        "a☃".to_owned(),
        "a4 61e29883",
        &["d9 04 61e29883", "da 0004 61e29883", "db 00000004 61e29883"],
    );
    refused::<String>(&[
        ("a1 ff", "a string is not UTF-8"),
        ("a3 eda080", "a string is not UTF-8"),
        ("c4 01 61", "expected a string, found binary"),
        ("07", "expected a string, found an integer"),
    ]);
    assert!(rmp_serde::from_slice::<De<String>>(&hex("c4 01 61")).is_err());
    for len in [0, 31, 32, 255, 256, 65_535, 65_536] {
        let text = "x".repeat(len);
        let mut out = Vec::new();
        text.encode(&mut out);
        assert_eq!(out, rmp_serde::to_vec(&text).unwrap());
        assert_eq!(<&str>::decode(&mut Reader::new(&out)), Ok(text.as_str()));
        assert_eq!(
            Option::<&str>::decode(&mut Reader::new(&out)),
            Ok(Some(text.as_str()))
        );
    }
}

#[test]
fn bytes_are_binary() {
    row(
        vec![1_u8, 2],
        "c4 02 0102",
        &["c5 0002 0102", "c6 00000002 0102", "92 01 02"],
    );
    row([1_u8, 2], "c4 02 0102", &["92 01 02"]);
    row(Bytes::from_static(&[1, 2]), "c4 02 0102", &["92 01 02"]);
    row(vec![vec![1_u8], vec![]], "92 c401 01 c400", &[]);
    row(BTreeSet::from([1_u8, 2]), "92 01 02", &["93 02 01 02"]);
    refused::<Vec<u8>>(&[
        ("a1 61", "expected binary, found a string"),
        ("92 01 cd0100", "[1]: 256 is out of range for u8"),
        ("c0", "expected binary, found nil"),
    ]);
    refused::<[u8; 2]>(&[
        ("c4 01 01", "expected 2 elements, found 1"),
        ("c4 03 010203", "expected 2 elements, found 3"),
    ]);
    assert_eq!(
        <&[u8]>::decode(&mut Reader::new(&hex("c4 01 07"))),
        Ok(&[7_u8][..])
    );
    json(
        vec![0xfb_u8, 0xff],
        r#""+/8=""#,
        &[r#""+/8""#, "[251, 255]"],
        &[r#""-_8=""#, r#""+/8==""#, r#""+""#, "[256]"],
    );
    for (bytes, text) in [
        (&b""[..], ""),
        (b"f", "Zg=="),
        (b"fo", "Zm8="),
        (b"foo", "Zm9v"),
        (b"foobar", "Zm9vYmFy"),
    ] {
        json(bytes.to_vec(), &format!("{text:?}"), &[], &[]);
    }
}

#[test]
fn optionals_and_lists() {
    row(None::<u8>, "c0", &[]);
    row(Some(5_u8), "05", &[]);
    row(
        vec![Some(1_u16), None],
        "92 01 c0",
        &["dc 0002 01 c0", "dd 00000002 01 c0"],
    );
    row([1_i32, -1], "92 01 ff", &[]);
    row(Box::new(5_u8), "05", &[]);
    row(Arc::new("x".to_owned()), "a1 78", &[]);
    row(
        BTreeSet::from(["a".to_owned(), "b".to_owned()]),
        "92 a161 a162",
        &["93 a162 a161 a162"],
    );
    row(HashSet::from([2_u64, 1, 1000]), "93 01 02 cd03e8", &[]);
    refused::<[i32; 2]>(&[
        ("91 01", "expected 2 elements, found 1"),
        ("93 01 02 03", "expected 2 elements, found 3"),
    ]);
    refused::<Vec<Vec<i32>>>(&[("92 90 92 01 c0", "[1][1]: expected an integer, found nil")]);
    refused::<BTreeSet<i32>>(&[
        ("91 c0", "[0]: expected an integer, found nil"),
        ("80", "expected an array, found a map"),
    ]);
}

#[test]
fn maps_are_sorted_and_the_last_of_equal_keys_wins() {
    let map = [("a".to_owned(), 1_u8), ("b".to_owned(), 2)];
    let accepted = [
        "82 a162 02 a161 01",
        "83 a162 09 a161 01 a162 02",
        "de 0002 a161 01 a162 02",
    ];
    row(BTreeMap::from(map.clone()), "82 a161 01 a162 02", &accepted);
    row(HashMap::from(map), "82 a161 01 a162 02", &accepted);
    row(
        BTreeMap::from([(-1_i8, true), (1, false)]),
        "82 ff c3 01 c2",
        &[],
    );
    row(BTreeMap::from([(true, ())]), "81 c3 c0", &[]);
    row(
        BTreeMap::from([(Uuid([1; 16]), 1_u8)]),
        "81 c410 01010101010101010101010101010101 01",
        &[],
    );
    refused::<BTreeMap<String, u8>>(&[
        (
            "82 a161 01 a162 a0",
            r#"["b"]: expected an integer, found a string"#,
        ),
        ("81 05 01", "[5]: expected a string, found an integer"),
        ("90", "expected a map, found an array"),
    ]);
    refused::<BTreeMap<u8, Vec<u8>>>(&[("81 05 91 c0", "[5][0]: expected an integer, found nil")]);
}

#[test]
fn timestamps_take_all_three_forms() {
    let time = |seconds, nanos| Timestamp { seconds, nanos };
    row(
        time(1, 0),
        "d6 ff 00000001",
        &[
            "d7 ff 0000000000000001",
            "c7 0c ff 00000000 0000000000000001",
            "c7 04 ff 00000001",
        ],
    );
    row(
        time(1, 5),
        "d7 ff 0000001400000001",
        &["c7 0c ff 00000005 0000000000000001"],
    );
    row(time(u32::MAX.into(), 0), "d6 ff ffffffff", &[]);
    row(time(1 << 32, 0), "d7 ff 0000000100000000", &[]);
    row(
        time((1 << 34) - 1, 999_999_999),
        "d7 ff ee6b27ffffffffff",
        &[],
    );
    row(time(1 << 34, 0), "c7 0c ff 00000000 0000000400000000", &[]);
    row(
        time(-1, 999_999_999),
        "c7 0c ff 3b9ac9ff ffffffffffffffff",
        &[],
    );
    row(time(i64::MIN, 0), "c7 0c ff 00000000 8000000000000000", &[]);
    row(time(i64::MAX, 1), "c7 0c ff 00000001 7fffffffffffffff", &[]);
    refused::<Timestamp>(&[
        (
            "d7 ff ee6b280000000000",
            "1000000000 is out of range for the nanoseconds of a timestamp",
        ),
        (
            "c7 0c ff 3b9aca00 0000000000000001",
            "1000000000 is out of range for the nanoseconds of a timestamp",
        ),
        ("d4 ff 00", "a timestamp has 4, 8 or 12 bytes, not 1"),
        (
            "d6 05 00000001",
            "expected a timestamp, found an extension of type 5",
        ),
        ("01", "expected an extension, found an integer"),
    ]);
    // The public fields allow what the wire does not; it is carried over.
    let mut out = Vec::new();
    time(1, 2_000_000_001).encode(&mut out);
    assert_eq!(read::<Timestamp>(&out), Ok(time(3, 1)));
}

#[test]
fn timestamps_are_rfc_3339() {
    let time = |seconds, nanos| Timestamp { seconds, nanos };
    let accepted = [
        r#""1970-01-01T00:00:01Z""#,
        r#""1970-01-01t00:00:01.000z""#,
        r#""1970-01-01 02:00:01+02:00""#,
    ];
    let refused = [
        "1",
        r#""""#,
        r#""1970-01-01""#,
        r#""1970-13-01T00:00:01Z""#,
        r#""1970-02-29T00:00:01Z""#,
        r#""1970-01-01T00:00:01""#,
        r#""1970-01-01T24:00:01Z""#,
        r#""1970-01-01T00:00:01.Z""#,
        r#""1970-01-01T00:00:01+2""#,
        r#""70-01-01T00:00:01Z""#,
        r#""1970-01-01T00:00:01Zx""#,
        r#""1970-01-01T00:00:61Z""#,
        r#""1970-01-00T00:00:01Z""#,
        r#""１970-01-01T00:00:01Z""#,
        r#""-""#,
        r#""+""#,
        r#""+999999999999-01-01T00:00:00Zé""#,
    ];
    json(time(1, 0), r#""1970-01-01T00:00:01Z""#, &accepted, &refused);
    json(
        time(951_782_400, 0),
        r#""2000-02-29T00:00:00Z""#,
        &["\"2000-02-28T23:00:00-01:00\""],
        &[],
    );
    json(
        time(-1, 500_000_000),
        r#""1969-12-31T23:59:59.5Z""#,
        &[r#""1969-12-31T23:59:59.5000000009Z""#],
        &[],
    );
    json(
        time(1_795_128_480, 1),
        r#""2026-11-19T22:48:00.000000001Z""#,
        &[],
        &[],
    );
    json(
        time(253_402_300_799, 0),
        r#""9999-12-31T23:59:59Z""#,
        &[],
        &[],
    );
    json(
        time(253_402_300_800, 0),
        r#""+010000-01-01T00:00:00Z""#,
        &[],
        &[],
    );
    json(
        time(-62_135_596_800, 0),
        r#""0001-01-01T00:00:00Z""#,
        &[],
        &[],
    );
    json(
        time(-62_198_755_200, 0),
        r#""-000001-01-01T00:00:00Z""#,
        &[],
        &[],
    );
    for seconds in [i64::MIN, i64::MAX] {
        assert_eq!(time(seconds, 0).to_string().parse(), Ok(time(seconds, 0)));
    }
    let now = Timestamp::now();
    assert_eq!(Timestamp::from(std::time::SystemTime::from(now)), now);
    assert_eq!(
        std::time::SystemTime::from(time(-1, 500_000_000)),
        std::time::UNIX_EPOCH - Duration::from_millis(500)
    );
}

#[test]
fn durations_are_nanoseconds() {
    row(
        Duration::from_nanos(5),
        "05",
        &["cb 4014000000000000", "d3 0000000000000005"],
    );
    row(
        Duration::from_nanos(i64::MAX as u64),
        "cf 7fffffffffffffff",
        &["d3 7fffffffffffffff"],
    );
    refused::<Duration>(&[
        ("ff", "-1 is out of range for a duration in nanoseconds"),
        (
            "cf 8000000000000000",
            "9223372036854775808 is out of range for a duration in nanoseconds",
        ),
        ("ca 3f000000", "expected an integer, found the float 0.5"),
    ]);
    let mut out = Vec::new();
    Duration::MAX.encode(&mut out);
    assert_eq!(out, hex("cf 7fffffffffffffff"));
    let half = [
        r#""1500ms""#,
        r#""1500000us""#,
        r#""1500000000ns""#,
        r#""0.025m""#,
        "1500000000",
    ];
    let wrong = [
        r#""1.5""#,
        r#""-1s""#,
        r#""1.s""#,
        r#"".5s""#,
        r#""s""#,
        r#""1y""#,
        "-1",
        "1.5",
        r#""99999999999s""#,
        r#""1s ""#,
    ];
    json(Duration::from_millis(1500), r#""1.5s""#, &half, &wrong);
    json(
        Duration::from_secs(7200),
        r#""7200s""#,
        &[r#""2h""#, r#""120m""#],
        &[],
    );
}

#[test]
fn uuids_are_16_bytes() {
    let uuid = Uuid(*b"\x67\xe5\x50\x44\x10\xb1\x42\x6f\x92\x47\xbb\x68\x0e\x5f\xe0\xc8");
    row(
        uuid,
        "c4 10 67e5504410b1426f9247bb680e5fe0c8",
        &["c5 0010 67e5504410b1426f9247bb680e5fe0c8"],
    );
    refused::<Uuid>(&[
        ("c4 01 67", "expected the 16 bytes of a UUID, found 1"),
        ("a1 67", "expected binary, found a string"),
    ]);
    let accepted = [
        r#""67E55044-10B1-426F-9247-BB680E5FE0C8""#,
        r#""67e5504410b1426f9247bb680e5fe0c8""#,
    ];
    let wrong = [
        r#""67e55044-10b1-426f-9247-bb680e5fe0c""#,
        r#""67e5504410b1-426f-9247-bb680e5fe0c8""#,
        r#""x""#,
        "1",
    ];
    json(
        uuid,
        r#""67e55044-10b1-426f-9247-bb680e5fe0c8""#,
        &accepted,
        &wrong,
    );
}

#[test]
fn decimals_are_text_of_one_form() {
    let decimal = |text: &str| text.parse::<Decimal>().unwrap();
    row(
        decimal("-12.50"),
        "a6 2d31322e3530",
        &["a7 2d3031322e3530", "d9 06 2d31322e3530"],
    );
    let forms = [
        ("1.5e3", "1500"),
        ("1.5E-3", "0.0015"),
        ("007", "7"),
        ("-0", "0"),
        ("-0.00", "0.00"),
        ("+1", "1"),
        ("1e0", "1"),
        ("12.345e2", "1234.5"),
        ("12.345e-1", "1.2345"),
        ("0e5", "0"),
        ("100e-2", "1.00"),
        ("-1e2", "-100"),
    ];
    for (text, normal) in forms {
        assert_eq!(decimal(text).as_str(), normal, "{text}");
    }
    for wrong in [
        "",
        "-",
        ".5",
        "1.",
        "1e",
        "e1",
        "1e1001",
        "1e99999999999",
        "1,5",
        "NaN",
        "0x1",
        " 1",
        "1 ",
        "--1",
        "１",
    ] {
        assert!(wrong.parse::<Decimal>().is_err(), "{wrong}");
    }
    let mut sorted = ["10", "9", "-1", "-10", "0", "1.50", "1.5", "1.49", "-1.5"].map(decimal);
    sorted.sort();
    assert_eq!(
        sorted.map(|d| d.to_string()),
        ["-10", "-1.5", "-1", "0", "1.49", "1.5", "1.50", "9", "10"]
    );
    refused::<Decimal>(&[
        (
            "a1 78",
            "expected a decimal number such as -12.50, found \"x\"",
        ),
        ("01", "expected a string, found an integer"),
    ]);
    json(decimal("-12.50"), r#""-12.50""#, &[], &[r#""x""#, "true"]);
    json(decimal("12.5"), r#""12.5""#, &["12.5", "12.5e0"], &[]);
}

#[test]
fn any_is_whatever_it_is() {
    let all = Value::Array(vec![
        Value::Nil,
        true.into(),
        (-1_i64).into(),
        u64::MAX.into(),
        1.5_f32.into(),
        1.5_f64.into(),
        "x".into(),
        vec![7_u8].into(),
        Value::Map(vec![(1_u8.into(), Value::Nil)]),
        Value::Ext(5, vec![1, 2, 3]),
        Timestamp {
            seconds: 1,
            nanos: 0,
        }
        .into(),
    ]);
    let canonical = "9b c0 c3 ff cf ffffffffffffffff ca 3fc00000 cb 3ff8000000000000 a178 c40107 81 01 c0 c703 05 010203 d6ff 00000001";
    let mut out = Vec::new();
    all.encode(&mut out);
    assert_eq!(out, hex(canonical));
    assert_eq!(read::<Value>(&out), Ok(all.clone()));
    assert_eq!(rmp_serde::to_vec(&all).unwrap(), out);
    assert_eq!(rmp_serde::from_slice::<Value>(&out).unwrap(), all);
    let json = r#"[null,true,-1,18446744073709551615,1.5,1.5,"x","Bw==",{"1":null},{"ext":5,"data":"AQID"},"1970-01-01T00:00:01Z"]"#;
    assert_eq!(serde_json::to_string(&all).unwrap(), json);
    assert_eq!(
        serde_json::to_string(&serde_json::from_str::<Value>(json).unwrap()).unwrap(),
        json
    );
    refused::<Value>(&[
        ("d4 ff 00", "a timestamp has 4, 8 or 12 bytes, not 1"),
        ("92 c0 a1 ff", "[1]: a string is not UTF-8"),
    ]);
}
