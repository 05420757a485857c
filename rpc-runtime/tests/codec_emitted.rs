//! The shape of emitted types, written by hand: what the generator copies, and proof of the rules of evolution.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test, a panic is the report"
)]
#![allow(
    missing_docs,
    reason = "stands for generated code, whose docs are the user's"
)]

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use rpc_runtime::Status;
use rpc_runtime::codec as __private;
use rpc_runtime::codec::{DeclaredError, Decode, DecodeError, Encode, Invalid, RawVariant, Reader};

// ---------------------------------------------------------------------------------------------------------------
// struct User {
//     1: id: u64,
//     @len(max = 64) 2: name: string,
//     3: email: string?,
//     reserved 4;
//     5: tags: set<string> = [],
//     6: status: State = State.Active,
//     7: nick: string?,
// }

#[derive(Clone, Debug, PartialEq)]
pub struct User {
    pub id: u64,
    pub name: String,
    pub email: Option<String>,
    pub tags: BTreeSet<String>,
    pub status: State,
    pub nick: Option<String>,
}

impl __private::Record for User {
    const NAME: &'static str = "acme.user.v1.User";
    const FIELDS: &'static [&'static str] = &["id", "name", "email", "", "tags", "status", "nick"];

    fn write<S: __private::Sink>(&self, to: &mut S) -> ::core::result::Result<(), S::Error> {
        to.field("id", &self.id)?;
        to.field("name", &self.name)?;
        to.field("email", &self.email)?;
        to.hole()?;
        to.field("tags", &self.tags)?;
        to.field("status", &self.status)?;
        to.field("nick", &self.nick)
    }

    fn decode(
        from: &mut __private::Slots<'_, '_>,
    ) -> ::core::result::Result<Self, __private::DecodeError> {
        let id = from.required(1, "id")?;
        let name = from.required(2, "name")?;
        let email = from.optional("email")?;
        from.hole()?;
        let tags = from.optional("tags")?.unwrap_or_else(BTreeSet::new);
        let status = from.optional("status")?.unwrap_or(State::Active);
        let nick = from.optional("nick")?;
        from.finish()?;
        Ok(Self {
            id,
            name,
            email,
            tags,
            status,
            nick,
        })
    }

    fn read<'de, S: __private::Source<'de>>(
        from: &mut S,
    ) -> ::core::result::Result<Self, S::Error> {
        let (mut id, mut name, mut email) = (None, None, None);
        let (mut tags, mut status, mut nick) = (None, None, None);
        while let Some(slot) = from.next(Self::FIELDS)? {
            match slot {
                0 => id = from.field("id")?,
                1 => name = from.field("name")?,
                2 => email = from.field("email")?,
                4 => tags = from.field("tags")?,
                5 => status = from.field("status")?,
                6 => nick = from.field("nick")?,
                _ => from.skip()?,
            }
        }
        Ok(Self {
            id: from.required(id, Self::NAME, 1, "id")?,
            name: from.required(name, Self::NAME, 2, "name")?,
            email,
            tags: tags.unwrap_or_else(BTreeSet::new),
            status: status.unwrap_or(State::Active),
            nick,
        })
    }
}

__private::wire!(record User);

impl User {
    pub fn validate(&self) -> Result<(), Invalid> {
        __private::validate::len_str(&self.name, None, Some(64))
            .map_err(|invalid| invalid.in_field("name"))
    }
}

// ---------------------------------------------------------------------------------------------------------------
// enum State { 0: Unknown, 1: Active, 2: Suspended }

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum State {
    #[default]
    Unknown,
    Active,
    Suspended,
    Unrecognized(i32),
}

impl __private::Enumeration for State {
    const NAME: &'static str = "acme.user.v1.State";
    const VALUES: &'static [(i64, &'static str)] =
        &[(0, "Unknown"), (1, "Active"), (2, "Suspended")];

    fn number(&self) -> i64 {
        match *self {
            Self::Unknown => 0,
            Self::Active => 1,
            Self::Suspended => 2,
            Self::Unrecognized(number) => number.into(),
        }
    }

    fn from_number(number: i64) -> Option<Self> {
        Some(match number {
            0 => Self::Unknown,
            1 => Self::Active,
            2 => Self::Suspended,
            _ => Self::Unrecognized(number.try_into().ok()?),
        })
    }
}

__private::wire!(enumeration State);

// ---------------------------------------------------------------------------------------------------------------
// closed enum Side: u8 { 1: Left, 2: Right }

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    Left,
    Right,
}

impl __private::Enumeration for Side {
    const NAME: &'static str = "acme.user.v1.Side";
    const VALUES: &'static [(i64, &'static str)] = &[(1, "Left"), (2, "Right")];

    fn number(&self) -> i64 {
        match *self {
            Self::Left => 1,
            Self::Right => 2,
        }
    }

    fn from_number(number: i64) -> Option<Self> {
        Some(match number {
            1 => Self::Left,
            2 => Self::Right,
            _ => return None,
        })
    }
}

__private::wire!(enumeration Side);

// ---------------------------------------------------------------------------------------------------------------
// union Shape { 1: Circle(f64), 2: Rect { 1: w: f64, 2: h: f64? }, 3: Empty, 4: Group(list<Shape>) }

#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Shape {
    Circle(f64),
    Rect { w: f64, h: Option<f64> },
    Empty,
    Group(Vec<Shape>),
    Unrecognized(RawVariant),
}

impl __private::Union for Shape {
    const NAME: &'static str = "acme.user.v1.Shape";
    const VARIANTS: &'static [(u32, &'static str)] =
        &[(1, "Circle"), (2, "Rect"), (3, "Empty"), (4, "Group")];

    fn ordinal(&self) -> u32 {
        match self {
            Self::Circle(..) => 1,
            Self::Rect { .. } => 2,
            Self::Empty => 3,
            Self::Group(..) => 4,
            Self::Unrecognized(variant) => variant.ordinal,
        }
    }

    fn write<S: __private::PayloadSink>(&self, to: S) -> ::core::result::Result<S::Ok, S::Error> {
        match self {
            Self::Circle(value) => to.value(value),
            Self::Rect { .. } => to.fields(self),
            Self::Empty => to.unit(),
            Self::Group(value) => to.value(value),
            Self::Unrecognized(variant) => to.raw(variant),
        }
    }

    fn read<'de, S: __private::PayloadSource<'de>>(
        ordinal: u32,
        from: S,
    ) -> ::core::result::Result<Self, S::Error> {
        match ordinal {
            1 => from.value().map(Self::Circle),
            2 => from.fields(ordinal),
            3 => from.unit().map(|()| Self::Empty),
            4 => from.value().map(Self::Group),
            _ => from.raw(ordinal).map(Self::Unrecognized), // a closed union: `Err(from.unknown(Self::NAME, ordinal))`
        }
    }

    fn write_fields<S: __private::Sink>(&self, to: &mut S) -> ::core::result::Result<(), S::Error> {
        match self {
            Self::Rect { w, h } => {
                to.field("w", w)?;
                to.field("h", h)
            }
            _ => Ok(()),
        }
    }

    fn decode_fields(
        ordinal: u32,
        input: &mut Reader<'_>,
    ) -> ::core::result::Result<Self, DecodeError> {
        match ordinal {
            2 => {
                let mut from = __private::Slots::open(input, Self::NAME, &["w", "h"])?;
                let variant = Self::Rect {
                    w: from.required(1, "w")?,
                    h: from.optional("h")?,
                };
                from.finish()?;
                Ok(variant)
            }
            _ => Err(DecodeError::unknown_variant(Self::NAME, ordinal.into())),
        }
    }

    fn read_fields<'de, S: __private::Source<'de>>(
        ordinal: u32,
        from: &mut S,
    ) -> ::core::result::Result<Self, S::Error> {
        match ordinal {
            2 => {
                let (mut w, mut h) = (None, None);
                while let Some(slot) = from.next(&["w", "h"])? {
                    match slot {
                        0 => w = from.field("w")?,
                        1 => h = from.field("h")?,
                        _ => from.skip()?,
                    }
                }
                Ok(Self::Rect {
                    w: from.required(w, Self::NAME, 1, "w")?,
                    h,
                })
            }
            _ => Err(from.unknown(Self::NAME, ordinal)),
        }
    }
}

__private::wire!(union Shape);

// ---------------------------------------------------------------------------------------------------------------
// closed error Refused { @status(not_found) 1: NotFound { 1: id: u64 }, @status(unavailable) @retryable 2: Busy(duration) }

#[derive(Clone, Debug, PartialEq)]
pub enum Refused {
    NotFound { id: u64 },
    Busy(Duration),
}

impl __private::Union for Refused {
    const NAME: &'static str = "acme.user.v1.Refused";
    const VARIANTS: &'static [(u32, &'static str)] = &[(1, "NotFound"), (2, "Busy")];

    fn ordinal(&self) -> u32 {
        match self {
            Self::NotFound { .. } => 1,
            Self::Busy(..) => 2,
        }
    }

    fn write<S: __private::PayloadSink>(&self, to: S) -> ::core::result::Result<S::Ok, S::Error> {
        match self {
            Self::NotFound { .. } => to.fields(self),
            Self::Busy(value) => to.value(value),
        }
    }

    fn read<'de, S: __private::PayloadSource<'de>>(
        ordinal: u32,
        from: S,
    ) -> ::core::result::Result<Self, S::Error> {
        match ordinal {
            1 => from.fields(ordinal),
            2 => from.value().map(Self::Busy),
            _ => Err(from.unknown(Self::NAME, ordinal)),
        }
    }

    fn write_fields<S: __private::Sink>(&self, to: &mut S) -> ::core::result::Result<(), S::Error> {
        match self {
            Self::NotFound { id } => to.field("id", id),
            _ => Ok(()),
        }
    }

    fn decode_fields(
        ordinal: u32,
        input: &mut Reader<'_>,
    ) -> ::core::result::Result<Self, DecodeError> {
        match ordinal {
            1 => {
                let mut from = __private::Slots::open(input, Self::NAME, &["id"])?;
                let variant = Self::NotFound {
                    id: from.required(1, "id")?,
                };
                from.finish()?;
                Ok(variant)
            }
            _ => Err(DecodeError::unknown_variant(Self::NAME, ordinal.into())),
        }
    }

    fn read_fields<'de, S: __private::Source<'de>>(
        ordinal: u32,
        from: &mut S,
    ) -> ::core::result::Result<Self, S::Error> {
        match ordinal {
            1 => {
                let mut id = None;
                while let Some(slot) = from.next(&["id"])? {
                    match slot {
                        0 => id = from.field("id")?,
                        _ => from.skip()?,
                    }
                }
                Ok(Self::NotFound {
                    id: from.required(id, Self::NAME, 1, "id")?,
                })
            }
            _ => Err(from.unknown(Self::NAME, ordinal)),
        }
    }
}

__private::wire!(union Refused);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { .. } => f.write_str("not found"),
            Self::Busy(..) => f.write_str("busy"),
        }
    }
}

impl std::error::Error for Refused {}

impl DeclaredError for Refused {
    fn status(&self) -> Status {
        match self {
            Self::NotFound { .. } => Status::NotFound,
            Self::Busy(..) => Status::Unavailable,
        }
    }

    fn retryable(&self) -> bool {
        matches!(self, Self::Busy(..))
    }
}

// ---------------------------------------------------------------------------------------------------------------
// What the shape above promises.

fn bytes<T: Encode + ?Sized>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    value.encode(&mut out);
    out
}

fn read<T: for<'de> Decode<'de>>(message: &[u8]) -> Result<T, DecodeError> {
    let mut input = Reader::new(message);
    let value = T::decode(&mut input)?;
    input.finish()?;
    Ok(value)
}

/// MessagePack of a JSON text: arrays, objects, numbers, strings, null.
fn pack(json: &str) -> Vec<u8> {
    rmp_serde::to_vec(&serde_json::from_str::<serde_json::Value>(json).unwrap()).unwrap()
}

fn user() -> User {
    User {
        id: 7,
        name: "ann".into(),
        email: None,
        tags: BTreeSet::from(["a".into()]),
        status: State::Suspended,
        nick: None,
    }
}

#[test]
fn a_struct_is_an_array_by_ordinal_without_absent_ends() {
    assert_eq!(bytes(&user()), pack(r#"[7, "ann", null, null, ["a"], 2]"#));
    let named = User {
        nick: Some("x".into()),
        ..user()
    };
    assert_eq!(
        bytes(&named),
        pack(r#"[7, "ann", null, null, ["a"], 2, "x"]"#)
    );
}

#[test]
fn a_struct_reads_what_older_and_newer_versions_write() {
    let cases = [
        r#"[7, "ann", null, null, ["a"], 2]"#,
        r#"[7, "ann", null, null, ["a"], 2, null, "newer", [[{"x": {}}]]]"#,
        r#"[7, "ann", null, "in a reserved slot", ["a", "a"], 2]"#,
        r#"{"name": "ann", "unknown": [1, {"": 2}], "": 3, "status": 2, "id": 7, "tags": ["a"], "nick": null}"#,
    ];
    for case in cases {
        assert_eq!(read::<User>(&pack(case)), Ok(user()), "{case}");
    }
    let least = User {
        tags: BTreeSet::new(),
        status: State::Active,
        ..user()
    };
    for case in [
        r#"[7, "ann"]"#,
        r#"[7, "ann", null, null, null, null]"#,
        r#"{"id": 7, "name": "ann"}"#,
    ] {
        assert_eq!(read::<User>(&pack(case)), Ok(least.clone()), "{case}");
    }
}

#[test]
fn a_missing_or_wrong_field_is_named() {
    let cases = [
        (
            "[7]",
            "acme.user.v1.User: missing required field 2 (`name`)",
        ),
        (
            r#"[null, "ann"]"#,
            "acme.user.v1.User: missing required field 1 (`id`)",
        ),
        ("{}", "acme.user.v1.User: missing required field 1 (`id`)"),
        (
            "[7, 8]",
            "acme.user.v1.User.name: expected a string, found an integer",
        ),
        (
            r#"[7, "ann", null, null, ["a", 3]]"#,
            "acme.user.v1.User.tags[1]: expected a string, found an integer",
        ),
        (
            r#"[-7, "ann"]"#,
            "acme.user.v1.User.id: -7 is out of range for u64",
        ),
        (
            r#""ann""#,
            "acme.user.v1.User: expected an array, found a string",
        ),
    ];
    for (case, expected) in cases {
        assert_eq!(
            read::<User>(&pack(case)).unwrap_err().to_string(),
            expected,
            "{case}"
        );
    }
    let nested = read::<Vec<User>>(&pack(r#"[[7, "ann"], [8, []]]"#)).unwrap_err();
    assert_eq!(
        nested.to_string(),
        "[1].name: expected a string, found an array"
    );
}

#[test]
fn a_recursive_type_is_read_no_deeper_than_the_limit() {
    // Each level of groups is two arrays deep: the pair and the list in it.
    let nested = |levels: usize| [[0x92, 4, 0x91].repeat(levels), vec![0x91, 3]].concat();
    let run = move |levels: usize| {
        let message = nested(levels);
        let limits = __private::CheckLimits::default();
        let mut input = Reader::bounded(&message, &limits);
        let read = Shape::decode(&mut input).and_then(|_| input.finish());
        assert_eq!(read.is_ok(), __private::check(&message, &limits).is_ok());
        read
    };
    let outcomes = std::thread::Builder::new()
        .stack_size(256 * 1024)
        .spawn(move || [1, 31, 32, 33, 20_000].map(|levels| run(levels).is_ok()))
        .unwrap()
        .join()
        .unwrap();
    assert_eq!(outcomes, [true, true, false, false, false]);
    // What a newer version has beyond the fields counts too.
    let newer = [
        b"\x98\x07\xa3ann\xc0\xc0\xc0\xc0\xc0".to_vec(),
        [0x91].repeat(64),
        vec![0xc0],
    ]
    .concat();
    let mut input = Reader::bounded(&newer, &__private::CheckLimits::default());
    let error = User::decode(&mut input).unwrap_err().to_string();
    assert!(error.contains("nested"), "{error}");
}

#[test]
fn an_open_enum_keeps_unknown_numbers_and_a_closed_one_refuses_them() {
    assert_eq!(read::<State>(&[2]), Ok(State::Suspended));
    assert_eq!(read::<State>(&[99]), Ok(State::Unrecognized(99)));
    assert_eq!(bytes(&State::Unrecognized(99)), [99]);
    assert_eq!(bytes(&State::Suspended), [2]);
    let too_large = read::<State>(&pack("3000000000")).unwrap_err();
    assert_eq!(
        too_large.to_string(),
        "acme.user.v1.State: 3000000000 is no value of this enum"
    );
    assert_eq!(read::<Side>(&[1]), Ok(Side::Left));
    assert_eq!(
        read::<Side>(&[3]).unwrap_err().to_string(),
        "acme.user.v1.Side: 3 is no value of this enum"
    );
}

#[test]
fn a_union_is_a_number_and_a_payload() {
    let group = Shape::Group(vec![Shape::Empty, Shape::Circle(1.0)]);
    let cases = [
        (Shape::Empty, "[3, null]"),
        (
            Shape::Rect {
                w: 2.0,
                h: Some(3.0),
            },
            "[2, [2.0, 3.0]]",
        ),
        (Shape::Rect { w: 2.0, h: None }, "[2, [2.0]]"),
        (group.clone(), "[4, [[3, null], [1, 1.0]]]"),
        (
            Shape::Unrecognized(RawVariant {
                ordinal: 9,
                payload: pack(r#"{"x": [1]}"#),
            }),
            r#"[9, {"x": [1]}]"#,
        ),
    ];
    for (shape, json) in cases {
        assert_eq!(bytes(&shape), pack(json));
        assert_eq!(read::<Shape>(&pack(json)), Ok(shape));
    }
    let accepted = [
        (Shape::Empty, "[3]"),
        (Shape::Empty, "[3, 5, 6]"),
        (Shape::Empty, r#""Empty""#),
        (Shape::Circle(1.0), "[1, 1, [2]]"),
        (Shape::Circle(1.0), r#"{"Circle": 1}"#),
        (Shape::Rect { w: 2.0, h: None }, r#"[2, {"w": 2, "z": 1}]"#),
        (
            Shape::Unrecognized(RawVariant {
                ordinal: 9,
                payload: vec![0xc0],
            }),
            "[9]",
        ),
    ];
    for (shape, json) in accepted {
        assert_eq!(read::<Shape>(&pack(json)), Ok(shape), "{json}");
    }
    let refused = [
        (
            "[]",
            "acme.user.v1.Shape: expected the number of a variant, found an empty array",
        ),
        (
            "[1]",
            "acme.user.v1.Shape.Circle: expected a number, found nil",
        ),
        (
            "[2]",
            "acme.user.v1.Shape.Rect: missing required field 1 (`w`)",
        ),
        (
            r#"[2, ["w"]]"#,
            "acme.user.v1.Shape.Rect.w: expected a number, found a string",
        ),
        (
            r#"[4, [[3], [1, "x"]]]"#,
            "acme.user.v1.Shape.Group[1].Circle: expected a number, found a string",
        ),
        (
            r#""Square""#,
            "acme.user.v1.Shape: `Square` is no variant of this union",
        ),
    ];
    for (json, expected) in refused {
        assert_eq!(
            read::<Shape>(&pack(json)).unwrap_err().to_string(),
            expected,
            "{json}"
        );
    }
}

#[test]
fn a_closed_error_refuses_unknown_variants_and_states_facts() {
    let not_found = Refused::NotFound { id: 5 };
    assert_eq!(bytes(&not_found), pack("[1, [5]]"));
    assert_eq!(read::<Refused>(&pack("[1, [5]]")), Ok(not_found));
    let unknown = read::<Refused>(&pack("[3, null]")).unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "acme.user.v1.Refused: 3 is no variant of this union"
    );
    let codec = __private::ErrorCodec::<Refused>::direct();
    let facts = codec.facts.of(&Refused::Busy(Duration::from_secs(1)));
    assert_eq!((facts.status, facts.retryable), (Status::Unavailable, true));
}

#[test]
fn json_has_names() {
    let json = r#"{"id":7,"name":"ann","tags":["a"],"status":"Suspended"}"#;
    assert_eq!(serde_json::to_string(&user()).unwrap(), json);
    assert_eq!(serde_json::from_str::<User>(json).unwrap(), user());
    assert_eq!(
        serde_json::from_str::<User>(r#"[7,"ann",null,1,["a"],2,null,{"newer":[]}]"#).unwrap(),
        user()
    );
    let missing = serde_json::from_str::<User>(r#"{"id":7}"#)
        .unwrap_err()
        .to_string();
    assert!(
        missing.starts_with("acme.user.v1.User: missing required field 2 (`name`)"),
        "{missing}"
    );

    let cases = [
        (Shape::Empty, r#""Empty""#),
        (Shape::Circle(1.5), r#"{"Circle":1.5}"#),
        (Shape::Rect { w: 2.0, h: None }, r#"{"Rect":{"w":2.0}}"#),
        (Shape::Group(vec![Shape::Empty]), r#"{"Group":["Empty"]}"#),
        (
            Shape::Unrecognized(RawVariant {
                ordinal: 9,
                payload: pack(r#"{"x":[1]}"#),
            }),
            r#"{"9":{"x":[1]}}"#,
        ),
    ];
    for (shape, json) in cases {
        assert_eq!(serde_json::to_string(&shape).unwrap(), json);
        assert_eq!(serde_json::from_str::<Shape>(json).unwrap(), shape);
    }
    assert_eq!(
        serde_json::to_string(&[State::Active, State::Unrecognized(9)]).unwrap(),
        r#"["Active",9]"#
    );
    assert_eq!(
        serde_json::from_str::<Vec<State>>(r#"["Active",9,1]"#).unwrap()[1],
        State::Unrecognized(9)
    );
    assert_eq!(
        serde_json::to_string(&Refused::Busy(Duration::from_millis(1500))).unwrap(),
        r#"{"Busy":"1.5s"}"#
    );
}

#[test]
fn rmp_serde_writes_and_reads_the_same_bytes() {
    let wide = User {
        nick: Some("x".into()),
        email: Some("e".into()),
        ..user()
    };
    for user in [user(), wide] {
        assert_eq!(rmp_serde::to_vec(&user).unwrap(), bytes(&user));
        assert_eq!(rmp_serde::from_slice::<User>(&bytes(&user)).unwrap(), user);
    }
    let raw = Shape::Unrecognized(RawVariant {
        ordinal: 9,
        payload: pack("[1]"),
    });
    for shape in [
        Shape::Empty,
        Shape::Circle(1.5),
        Shape::Rect { w: 2.0, h: None },
        Shape::Group(vec![raw]),
    ] {
        assert_eq!(rmp_serde::to_vec(&shape).unwrap(), bytes(&shape));
        assert_eq!(
            rmp_serde::from_slice::<Shape>(&bytes(&shape)).unwrap(),
            shape
        );
    }
    let extra = pack(r#"[7, "ann", null, null, ["a"], 2, null, "newer"]"#);
    assert_eq!(rmp_serde::from_slice::<User>(&extra).unwrap(), user());
}

#[test]
fn a_broken_rule_says_where() {
    let long = User {
        name: "x".repeat(65),
        ..user()
    };
    assert_eq!(
        long.validate().unwrap_err().to_string(),
        "name: must have at most 64 characters, has 65"
    );
}
