//! Whatever bytes come, nothing panics; whatever value goes out, comes back.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test, a panic is the report"
)]
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use proptest::prelude::*;
use rpc_runtime::codec::{
    CheckLimits, Codec, De, Decimal, Decode, Encode, Pattern, Reader, Ser, Timestamp, Uuid, Value,
    Wire, check, check_prefix,
};

/// All the forms of a value lead back to it, and its bytes are canonical: there is no second form of them.
fn there_and_back<T: Wire + PartialEq + std::fmt::Debug>(value: &T) -> Result<(), TestCaseError> {
    let mut out = Vec::new();
    value.encode(&mut out);
    prop_assert_eq!(check(&out, &CheckLimits::default()), Ok(()));
    prop_assert_eq!(
        check_prefix(&out, &CheckLimits::default()),
        Ok(Some(out.len()))
    );
    let mut input = Reader::new(&out);
    prop_assert_eq!(&T::decode(&mut input).unwrap(), value);
    prop_assert_eq!(input.finish(), Ok(()));
    // Some of the ends of a long message are enough.
    for end in (0..out.len()).step_by(1 + out.len() / 64) {
        prop_assert!(T::decode(&mut Reader::new(&out[..end])).is_err());
        prop_assert!(check(&out[..end], &CheckLimits::default()).is_err());
    }
    // By way of any value, and by way of rmp-serde, the same bytes.
    let any = Value::decode(&mut Reader::new(&out)).unwrap();
    let mut again = Vec::new();
    any.encode(&mut again);
    prop_assert_eq!(&again, &out);
    prop_assert_eq!(&rmp_serde::to_vec(&Ser(value)).unwrap(), &out);
    let De(back) = rmp_serde::from_slice::<De<T>>(&out).unwrap();
    prop_assert_eq!(&back, value);
    // As serde_json is built here, it may read a float with its last bit wrong.
    let json = serde_json::to_string(&Ser(value)).unwrap();
    let De(back) = serde_json::from_str::<De<T>>(&json).unwrap();
    prop_assert!(back == *value || json.contains(['.', 'e']), "{}", json);
    Ok(())
}

fn decimal() -> impl Strategy<Value = Decimal> {
    "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,10})?".prop_map(|text| text.parse().unwrap())
}

fn timestamp() -> impl Strategy<Value = Timestamp> {
    let seconds = prop_oneof![
        any::<i64>(),
        -100_000_000_000..100_000_000_000_i64,
        0..1_i64 << 35
    ];
    (seconds, prop_oneof![Just(0), 0..1_000_000_000_u32])
        .prop_map(|(seconds, nanos)| Timestamp { seconds, nanos })
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Nil),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f32>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        any::<Vec<u8>>().prop_map(Value::from),
        timestamp().prop_map(Value::from),
        // Type -1 is a timestamp.
        (0..=127_i8, any::<Vec<u8>>()).prop_map(|(kind, data)| Value::Ext(kind, data)),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::vec((inner.clone(), inner), 0..6).prop_map(Value::Map),
        ]
    })
}

/// Bytes that look more like MessagePack than noise does.
fn messages() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![any::<u8>(), 0x80..=0x9f_u8, 0xc0..=0xdf_u8, 0..4_u8];
    prop::collection::vec(byte, 0..64)
}

/// Reads bytes as `T` and as a list of `T`, for better or worse.
fn try_read<T: Encode + for<'de> Decode<'de>>(message: &[u8]) {
    let codec = Codec::<T>::direct();
    let _ = (codec.decode)(&mut Reader::new(message));
    let _ = (codec.decode_list)(&mut Reader::new(message));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn numbers(a: (i8, i16, i32, i64), b: (u8, u16, u32, u64), c: (i128, u128, f32, f64), d: bool) {
        there_and_back(&a.0)?;
        there_and_back(&a.1)?;
        there_and_back(&a.2)?;
        there_and_back(&a.3)?;
        there_and_back(&b.0)?;
        there_and_back(&b.1)?;
        there_and_back(&b.2)?;
        there_and_back(&b.3)?;
        there_and_back(&c.0)?;
        there_and_back(&c.1)?;
        there_and_back(&d)?;
        if !c.2.is_nan() {
            there_and_back(&c.2)?;
        }
        if !c.3.is_nan() {
            there_and_back(&c.3)?;
        }
    }

    #[test]
    fn texts(text: String, data: Vec<u8>, array: [u8; 5], id: [u8; 16], decimal in decimal(), time in timestamp(), nanos in 0..=i64::MAX as u64) {
        there_and_back(&text)?;
        there_and_back(&data)?;
        there_and_back(&bytes::Bytes::from(data))?;
        there_and_back(&array)?;
        there_and_back(&Uuid(id))?;
        there_and_back(&decimal)?;
        there_and_back(&time)?;
        there_and_back(&Duration::from_nanos(nanos))?;
    }

    #[test]
    fn containers(
        list: Vec<Option<String>>,
        map: BTreeMap<String, Vec<u32>>,
        hash: HashMap<i64, bool>,
        set: BTreeSet<i16>,
        hash_set: HashSet<String>,
        array: [i64; 3],
    ) {
        there_and_back(&list)?;
        there_and_back(&map)?;
        there_and_back(&hash)?;
        there_and_back(&set)?;
        there_and_back(&hash_set)?;
        there_and_back(&array)?;
        there_and_back(&Box::new(Some(array)))?;
        let sorted: BTreeMap<_, _> = hash.clone().into_iter().collect();
        let (mut one, mut other) = (Vec::new(), Vec::new());
        hash.encode(&mut one);
        sorted.encode(&mut other);
        prop_assert_eq!(one, other);
    }

    #[test]
    fn decimals_are_ordered_as_numbers(a in -1_000_000_i64..1_000_000, b in -1_000_000_i64..1_000_000) {
        let decimal = |n: i64| format!("{n}e-3").parse::<Decimal>().unwrap();
        prop_assert_eq!(decimal(a).cmp(&decimal(b)), a.cmp(&b));
    }

    #[test]
    fn any_value(value in value()) {
        let mut out = Vec::new();
        value.encode(&mut out);
        prop_assert_eq!(check(&out, &CheckLimits::default()), Ok(()));
        let back = Value::decode(&mut Reader::new(&out)).unwrap();
        prop_assert_eq!(&back, &value);
        prop_assert_eq!(&rmp_serde::to_vec(&value).unwrap(), &out);
        prop_assert_eq!(&rmp_serde::from_slice::<Value>(&out).unwrap(), &value);
        prop_assert_eq!(Reader::new(&out).raw().unwrap(), &out[..]);
    }

    #[test]
    fn no_bytes_panic(message in prop_oneof![messages(), any::<Vec<u8>>()]) {
        let limits = CheckLimits::default();
        let sound = check(&message, &limits).is_ok();
        let prefix = check_prefix(&message, &limits);
        prop_assert_eq!(sound, prefix == Ok(Some(message.len())));
        prop_assert_eq!(sound, Reader::new(&message).raw() == Ok(&message[..]));
        try_read::<bool>(&message);
        try_read::<u8>(&message);
        try_read::<i64>(&message);
        try_read::<u128>(&message);
        try_read::<f32>(&message);
        try_read::<String>(&message);
        try_read::<[u8; 3]>(&message);
        try_read::<Timestamp>(&message);
        try_read::<Uuid>(&message);
        try_read::<Decimal>(&message);
        try_read::<Duration>(&message);
        try_read::<Vec<Option<Vec<()>>>>(&message);
        try_read::<HashMap<String, Vec<u64>>>(&message);
        try_read::<BTreeMap<u64, BTreeSet<String>>>(&message);
        try_read::<Value>(&message);
        let _ = rmp_serde::from_slice::<Value>(&message);
        // In one pass, what is read is what the check lets through.
        let mut bounded = Reader::bounded(&message, &limits);
        let read = Value::decode(&mut bounded).and_then(|value| bounded.finish().map(|()| value));
        let checked = if sound { Value::decode(&mut Reader::new(&message)).ok() } else { None };
        prop_assert_eq!(format!("{:?}", read.ok()), format!("{:?}", checked));
        if sound {
            let timestamps = message.contains(&0xff);
            match Value::decode(&mut Reader::new(&message)) {
                Ok(_) => {}
                // What the check leaves to decoders: the content of strings and timestamps.
                Err(error) => prop_assert!(error.reason().contains("UTF-8") || timestamps, "{}", error),
            }
        }
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,40}|[-+0-9TZ:.]{0,30}|[0-9.]{1,5}[a-z]{1,2}|[-+0-9.eE]{0,12}") {
        let _ = text.parse::<Timestamp>();
        let _ = text.parse::<Uuid>();
        let _ = text.parse::<Decimal>();
        let json = serde_json::to_string(&text).unwrap();
        let _ = serde_json::from_str::<De<Duration>>(&json);
        let _ = serde_json::from_str::<De<Vec<u8>>>(&json);
        let _ = serde_json::from_str::<De<f64>>(&json);
        let _ = serde_json::from_str::<De<i8>>(&json);
    }

    #[test]
    fn a_pattern_means_what_it_means_elsewhere(text in "[ab]{0,6}") {
        let pairs = |text: &str| text.len().is_multiple_of(2) && text.as_bytes().chunks(2).all(|pair| pair == b"ab");
        let cases = [
            ("a*b*", !text.contains("ba")),
            ("(ab)*", pairs(&text)),
            ("[ab]{2,4}", (2..=4).contains(&text.len())),
            (".*(aa|bb).*", text.contains("aa") || text.contains("bb")),
        ];
        for (pattern, expected) in cases {
            prop_assert_eq!(Pattern::new(pattern).matches(&text), expected, "{} {}", pattern, text);
        }
    }
}

#[test]
fn memory_follows_the_bytes_and_not_the_claims() {
    // 65,535 elements claimed, one byte each: the claim is true, and still only a page is reserved before they come.
    let mut message = vec![0xdc, 0xff, 0xff];
    message.resize(3 + 0xffff, 0xc0);
    assert!(check(&message, &CheckLimits::default()).is_ok());
    assert!(Vec::<[u64; 64]>::decode(&mut Reader::new(&message)).is_err());
    let items = Vec::<Option<u8>>::decode(&mut Reader::new(&message)).unwrap();
    assert_eq!(items.len(), 0xffff);
    // Doubling from a page at most is twice what is there.
    assert!(items.capacity() <= 2 * items.len());
    let units = Vec::<()>::decode(&mut Reader::new(&message)).unwrap();
    assert_eq!(units.len(), 0xffff);
}
