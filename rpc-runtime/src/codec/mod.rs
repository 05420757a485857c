//! MessagePack as generated code writes and reads it.
//!
//! Canonical is written, tolerant is read. A message is first looked over as a whole ([`check`]); then values read
//! themselves from a [`Reader`], and say the path to whatever does not fit ([`DecodeError`]).
//!
//! # What emitted code looks like
//!
//! A type says once what it consists of ([`Record`], [`Enumeration`] or [`Union`]); [`wire!`] makes of that its
//! [`Encode`], [`Decode`], [`Wire`], `Serialize` and `Deserialize`. `tests/codec_emitted.rs` has the same in full, with
//! a closed enum and a closed error, and proves what it promises.
//!
//! ```
//! use rpc_runtime::codec as __private;
//!
//! // struct User { 1: id: u64, reserved 2; 3: email: string?, 4: state: State = State.Active }
//! # #[derive(Debug, PartialEq)]
//! pub struct User { pub id: u64, pub email: Option<String>, pub state: State }
//!
//! impl __private::Record for User {
//!     const NAME: &'static str = "acme.v1.User";
//!     const FIELDS: &'static [&'static str] = &["id", "", "email", "state"];         // by slot, ordinal - 1; "" is a hole
//!
//!     fn write<S: __private::Sink>(&self, to: &mut S) -> ::core::result::Result<(), S::Error> {
//!         to.field("id", &self.id)?;
//!         to.hole()?;
//!         to.field("email", &self.email)?;
//!         to.field("state", &self.state)
//!     }
//!
//!     fn decode(from: &mut __private::Slots<'_, '_>) -> ::core::result::Result<Self, __private::DecodeError> {
//!         let id = from.required(1, "id")?;                                            // required
//!         from.hole()?;
//!         let email = from.optional("email")?;                                         // optional
//!         let state = from.optional("state")?.unwrap_or(State::Active);                // with a default
//!         from.finish()?;
//!         Ok(Self { id, email, state })
//!     }
//!
//!     // Only serde formats come by here.
//!     fn read<'de, S: __private::Source<'de>>(from: &mut S) -> ::core::result::Result<Self, S::Error> {
//!         let (mut id, mut email, mut state) = (None, None, None);
//!         while let Some(slot) = from.next(Self::FIELDS)? {
//!             match slot {
//!                 0 => id = from.field("id")?,
//!                 2 => email = from.field("email")?,
//!                 3 => state = from.field("state")?,
//!                 _ => from.skip()?,                                                   // holes, newer fields
//!             }
//!         }
//!         Ok(Self {
//!             id: from.required(id, Self::NAME, 1, "id")?,                             // required
//!             email,                                                                   // optional
//!             state: state.unwrap_or(State::Active),                                   // with a default
//!         })
//!     }
//! }
//! __private::wire!(record User);
//!
//! // enum State { 0: Unknown, 1: Active }
//! # #[derive(Debug, PartialEq)]
//! pub enum State { Unknown, Active, Unrecognized(i32) }
//!
//! impl __private::Enumeration for State {
//!     const NAME: &'static str = "acme.v1.State";
//!     const VALUES: &'static [(i64, &'static str)] = &[(0, "Unknown"), (1, "Active")];
//!
//!     fn number(&self) -> i64 {
//!         match *self { Self::Unknown => 0, Self::Active => 1, Self::Unrecognized(number) => number.into() }
//!     }
//!
//!     fn from_number(number: i64) -> ::core::option::Option<Self> {
//!         Some(match number {
//!             0 => Self::Unknown,
//!             1 => Self::Active,
//!             _ => Self::Unrecognized(number.try_into().ok()?),                        // closed: `_ => return None`
//!         })
//!     }
//! }
//! __private::wire!(enumeration State);
//!
//! // union Shape { 1: Circle(f64), 2: Rect { 1: w: f64, 2: h: f64? }, 3: Empty }; an error looks the same
//! # #[derive(Debug, PartialEq)]
//! pub enum Shape { Circle(f64), Rect { w: f64, h: Option<f64> }, Empty, Unrecognized(__private::RawVariant) }
//!
//! impl __private::Union for Shape {
//!     const NAME: &'static str = "acme.v1.Shape";
//!     const VARIANTS: &'static [(u32, &'static str)] = &[(1, "Circle"), (2, "Rect"), (3, "Empty")];
//!
//!     fn ordinal(&self) -> u32 {
//!         match self {
//!             Self::Circle(..) => 1,
//!             Self::Rect { .. } => 2,
//!             Self::Empty => 3,
//!             Self::Unrecognized(variant) => variant.ordinal,
//!         }
//!     }
//!
//!     fn write<S: __private::PayloadSink>(&self, to: S) -> ::core::result::Result<S::Ok, S::Error> {
//!         match self {
//!             Self::Circle(value) => to.value(value),
//!             Self::Rect { .. } => to.fields(self),
//!             Self::Empty => to.unit(),
//!             Self::Unrecognized(variant) => to.raw(variant),
//!         }
//!     }
//!
//!     fn read<'de, S: __private::PayloadSource<'de>>(ordinal: u32, from: S) -> ::core::result::Result<Self, S::Error> {
//!         match ordinal {
//!             1 => from.value().map(Self::Circle),
//!             2 => from.fields(ordinal),
//!             3 => from.unit().map(|()| Self::Empty),
//!             _ => from.raw(ordinal).map(Self::Unrecognized),                          // closed: `_ => Err(from.unknown(Self::NAME, ordinal))`
//!         }
//!     }
//!
//!     // These three only if a variant has fields.
//!     fn write_fields<S: __private::Sink>(&self, to: &mut S) -> ::core::result::Result<(), S::Error> {
//!         match self {
//!             Self::Rect { w, h } => {
//!                 to.field("w", w)?;
//!                 to.field("h", h)
//!             }
//!             _ => Ok(()),                                                             // left out if all variants have fields
//!         }
//!     }
//!
//!     fn decode_fields(ordinal: u32, input: &mut __private::Reader<'_>) -> ::core::result::Result<Self, __private::DecodeError> {
//!         match ordinal {
//!             2 => {
//!                 let mut from = __private::Slots::open(input, Self::NAME, &["w", "h"])?;
//!                 let variant = Self::Rect { w: from.required(1, "w")?, h: from.optional("h")? };
//!                 from.finish()?;
//!                 Ok(variant)
//!             }
//!             _ => Err(__private::DecodeError::unknown_variant(Self::NAME, ordinal.into())),
//!         }
//!     }
//!
//!     fn read_fields<'de, S: __private::Source<'de>>(ordinal: u32, from: &mut S) -> ::core::result::Result<Self, S::Error> {
//!         match ordinal {
//!             2 => {
//!                 let (mut w, mut h) = (None, None);
//!                 while let Some(slot) = from.next(&["w", "h"])? {
//!                     match slot {
//!                         0 => w = from.field("w")?,
//!                         1 => h = from.field("h")?,
//!                         _ => from.skip()?,
//!                     }
//!                 }
//!                 Ok(Self::Rect { w: from.required(w, Self::NAME, 1, "w")?, h })
//!             }
//!             _ => Err(from.unknown(Self::NAME, ordinal)),
//!         }
//!     }
//! }
//! __private::wire!(union Shape);
//!
//! # fn main() {
//! # use __private::{Decode, Encode, Reader};
//! let mut message = Vec::new();
//! User { id: 7, email: None, state: State::Active }.encode(&mut message);
//! assert_eq!(message, [0x94, 7, 0xc0, 0xc0, 1]);
//! # let user = User { id: 7, email: None, state: State::Active };
//! assert_eq!(User::decode(&mut Reader::new(&[0x91, 7])), Ok(user));
//! # }
//! ```
//!
//! A type alias of the IDL needs nothing of this, a field of type `any` that is absent is nil, and a recursive field is a
//! `Box`. How the types of a trait find their codec is told in `probe.rs`.

mod check;
mod error;
mod progress;
mod reader;
mod wire;
#[macro_use]
mod wire_macro;
pub mod write;

pub(crate) mod apart;
mod base64;
mod containers;
mod decimal;
mod duration;
mod floats;
mod maps;
mod numbers;
mod scalar_forms;
mod text;
mod timestamp;
mod uuid;
mod value;
mod value_form;
mod wide;

pub mod enumeration;
mod payload;
mod raw_variant;
pub mod record;
mod sink;
mod slots;
#[cfg(feature = "small-strings")]
mod small_strings;
mod source;
pub mod union;

mod error_facts;
mod foreign;
mod probe;
mod table;
mod viewable;

mod invalid;
mod pattern;
pub mod validate;

#[doc(hidden)]
pub use ::serde;

#[doc(hidden)]
pub use crate::__rpc_viewable as viewable;
#[doc(hidden)]
pub use crate::__rpc_wire as wire;

pub use check::{CheckLimits, Malformed, check, check_prefix};
pub use decimal::{Decimal, NoDecimal};
pub use enumeration::Enumeration;
pub use error::DecodeError;
pub use error_facts::{DeclaredError, ErrorFacts, Facts};
pub use foreign::RpcType;
pub use invalid::Invalid;
pub use pattern::Pattern;
pub use payload::{PayloadSink, PayloadSource};
pub(crate) use progress::Progress;

pub use probe::{Probe, ViaDeclared, ViaSerde, ViaUndeclared, ViaWire};
pub use raw_variant::RawVariant;
pub use reader::Reader;
pub use record::Record;
pub use sink::Sink;
pub use slots::Slots;
pub use source::Source;
pub use table::{Codec, ErrorCodec};
pub use text::BytesArg;
pub use timestamp::{NoTimestamp, Timestamp};
pub use union::Union;
pub use uuid::{NoUuid, Uuid};
pub use value::Value;
pub use viewable::Viewable;
pub use wire::{De, Decode, Encode, Ser, Wire};
