//! Types that only know serde, and how a type's codec is found.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test, a panic is the report"
)]
#![allow(clippy::needless_borrow, reason = "a probe is always borrowed")]

use std::collections::HashMap;
use std::fmt;

use rpc_runtime::Status;
use rpc_runtime::codec::{
    CheckLimits, Codec, DeclaredError, DecodeError, Probe, Reader, RpcType, Timestamp, Uuid,
    ViaDeclared as _, ViaSerde as _, ViaUndeclared as _, ViaWire as _, check,
};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Foreign {
    name: String,
    at: Timestamp,
    id: Uuid,
    kind: Kind,
    nested: Option<Box<Foreign>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Kind {
    Unit,
    One(u32),
    Fields { x: f32 },
}

fn foreign() -> Foreign {
    let inner = Foreign {
        name: "inner".into(),
        at: Timestamp {
            seconds: -1,
            nanos: 5,
        },
        id: Uuid([7; 16]),
        kind: Kind::Fields { x: 1.5 },
        nested: None,
    };
    let outer = Foreign {
        name: "outer".into(),
        at: Timestamp::default(),
        kind: Kind::One(3),
        ..inner.clone()
    };
    Foreign {
        nested: Some(Box::new(inner)),
        ..outer
    }
}

macro_rules! codec_of {
    ($ty:ty) => {
        (&Probe::<$ty>::new()).codec().of::<$ty>()
    };
}

fn encode<T>(codec: Codec<T>, value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    (codec.encode)(value, &mut out);
    out
}

fn decode<T>(codec: Codec<T>, message: &[u8]) -> Result<T, DecodeError> {
    let mut input = Reader::new(message);
    let value = (codec.decode)(&mut input)?;
    input.finish()?;
    Ok(value)
}

#[test]
fn a_type_with_its_own_form_is_found_by_it() {
    assert_eq!(encode(codec_of!(Vec<u8>), &vec![1, 2]), [0xc4, 2, 1, 2]);
    assert_eq!(
        encode(codec_of!(Option<[u8; 2]>), &Some([1, 2])),
        [0xc4, 2, 1, 2]
    );
    assert_eq!(
        encode(
            codec_of!(std::time::Duration),
            &std::time::Duration::from_nanos(5)
        ),
        [5]
    );
    assert_eq!(encode(codec_of!(()), &()), [0xc0]);
}

#[test]
fn another_type_goes_through_serde() {
    let codec = codec_of!(Foreign);
    let message = encode(codec, &foreign());
    assert_eq!(message, rmp_serde::to_vec(&foreign()).unwrap());
    assert_eq!(check(&message, &CheckLimits::default()), Ok(()));
    assert_eq!(decode(codec, &message), Ok(foreign()));
    // Its lists and maps do too, and its list is a list.
    let list = codec_of!(Vec<Foreign>);
    let message = encode(list, &vec![foreign(); 2]);
    assert_eq!(decode(list, &message), Ok(vec![foreign(); 2]));
    let mut out = Vec::new();
    (codec.encode_list)(&[foreign(), foreign()], &mut out);
    assert_eq!(out, message);
    assert_eq!(
        (codec.decode_list)(&mut Reader::new(&message)),
        Ok(vec![foreign(); 2])
    );
    let map = codec_of!(HashMap<String, (u8, Kind)>);
    let value = HashMap::from([("k".to_owned(), (1, Kind::Unit))]);
    assert_eq!(decode(map, &encode(map, &value)), Ok(value));
}

#[test]
fn faulty_bytes_for_a_foreign_type_are_errors() {
    let codec = codec_of!(Kind);
    for message in [
        &[0x92, 1, 2][..],
        &[0xa1, b'x'],
        &[0xc0],
        &[],
        &[0xa4],
        &[0x82, 1, 2, 3, 4],
    ] {
        assert!(decode(codec, message).is_err(), "{message:02x?}");
    }
    assert!(
        decode(
            codec_of!((u8, Kind)),
            &[0x93, 1, 0xa4, b'U', b'n', b'i', b't', 3]
        )
        .is_err()
    );
    let list = codec_of!(Vec<Kind>);
    let unit_and_nil = [0x92, 0xa4, b'U', b'n', b'i', b't', 0xc0];
    assert!(decode(list, &unit_and_nil).is_err());
}

/// What reads less than it is given must not go unseen.
#[derive(Debug)]
struct Sloppy;

impl<'de> Deserialize<'de> for Sloppy {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Ok(Self)
    }
}

impl Serialize for Sloppy {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("not today"))
    }
}

#[test]
fn a_value_must_be_read_to_its_end() {
    let error = decode(Sloppy::codec(), &[7]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the value has more in it than its type reads"
    );
}

#[test]
fn a_value_that_cannot_be_written_says_so_to_the_receiver() {
    let mut message = vec![0x91];
    (Sloppy::codec().encode)(&Sloppy, &mut message);
    let error = check(&message, &CheckLimits::default())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("the sender could not write the value: ") && error.contains("not today"),
        "{error}"
    );
}

#[derive(Debug, Serialize, Deserialize)]
struct Said;

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("said")
    }
}

impl std::error::Error for Said {}

impl DeclaredError for Said {
    fn status(&self) -> Status {
        Status::Aborted
    }
}

#[test]
fn an_error_may_say_what_it_means() {
    let declared = (&Probe::<Said>::new()).facts().of::<Said>();
    assert_eq!(declared.of(&Said).status, Status::Aborted);
    let undeclared = (&Probe::<String>::new()).facts().of::<String>();
    assert_eq!(undeclared.of(&"no".to_owned()).status, Status::Unknown);
}
