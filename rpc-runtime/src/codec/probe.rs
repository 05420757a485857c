//! Chooses a type's codec at compile time: its own form if it has one, else serde.
//!
//! A trait's types are known to the compiler only, so generated code asks it. Exactly this is written, once for each
//! distinct type of a service, with the tokens of `Vec<User>` and of the call spanned at the user's type:
//!
//! ```
//! # use rpc_runtime::codec as __private;
//! # #[derive(serde::Serialize, serde::Deserialize)] struct User { name: String }
//! #[allow(unused_imports, clippy::needless_borrow, reason = "which of the two is used depends on the type")]
//! fn codec_0() -> __private::Codec<Vec<User>> {
//!     use __private::{ViaSerde as _, ViaWire as _};
//!     (&__private::Probe::<Vec<User>>::new()).codec().of::<Vec<User>>()
//! }
//! ```
//!
//! and for an error type, on top of its `codec_1`:
//!
//! ```
//! # use rpc_runtime::codec as __private;
//! # type Refused = String;
//! # fn codec_1() -> __private::Codec<Refused> { __private::Codec::direct() }
//! #[allow(unused_imports, clippy::needless_borrow, reason = "which of the two is used depends on the type")]
//! fn error_1() -> __private::ErrorCodec<Refused> {
//!     use __private::{ViaDeclared as _, ViaUndeclared as _};
//!     __private::ErrorCodec { codec: codec_1(), facts: (&__private::Probe::<Refused>::new()).facts().of::<Refused>() }
//! }
//! ```
//!
//! Why it works: a method found on `&Probe<T>` itself comes before one that needs another `&`. So the trait for
//! `Probe<T>`, which is bound to `T`'s own form, wins where that bound holds, and the unbound trait for `&Probe<T>`
//! takes the rest. The bound of the rest ([`RpcType`]) is asked for by `of` only, so a type without any form is
//! one error with the message of `RpcType`.

use std::marker::PhantomData;

use super::error_facts::{DeclaredError, Facts};
use super::foreign::RpcType;
use super::table::Codec;
use super::wire::{Decode, Encode};

/// Stands for a type while its codec is chosen.
#[derive(Debug)]
pub struct Probe<T>(PhantomData<fn() -> T>);

impl<T> Probe<T> {
    /// A probe for `T`.
    #[expect(
        clippy::new_without_default,
        reason = "only generated code makes one, and only so"
    )]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

/// Chosen for types with a form of their own.
pub trait ViaWire {
    /// The choice.
    fn codec(&self) -> WireCodec;
}

impl<T: Encode + for<'de> Decode<'de>> ViaWire for Probe<T> {
    #[inline]
    fn codec(&self) -> WireCodec {
        WireCodec
    }
}

/// Chosen for all other types.
pub trait ViaSerde {
    /// The choice.
    fn codec(&self) -> SerdeCodec;
}

impl<T> ViaSerde for &Probe<T> {
    #[inline]
    fn codec(&self) -> SerdeCodec {
        SerdeCodec
    }
}

/// The type has a form of its own.
#[derive(Clone, Copy, Debug)]
pub struct WireCodec;

impl WireCodec {
    /// The codec.
    #[inline]
    pub const fn of<T: Encode + for<'de> Decode<'de>>(self) -> Codec<T> {
        Codec::direct()
    }
}

/// The type has serde's form, or none.
#[derive(Clone, Copy, Debug)]
pub struct SerdeCodec;

impl SerdeCodec {
    /// The codec, if the type may travel.
    #[inline]
    pub fn of<T: RpcType>(self) -> Codec<T> {
        T::codec()
    }
}

/// Chosen for errors that say what they mean.
pub trait ViaDeclared {
    /// The choice.
    fn facts(&self) -> DeclaredFacts;
}

impl<E: DeclaredError> ViaDeclared for Probe<E> {
    #[inline]
    fn facts(&self) -> DeclaredFacts {
        DeclaredFacts
    }
}

/// Chosen for all other errors.
pub trait ViaUndeclared {
    /// The choice.
    fn facts(&self) -> UndeclaredFacts;
}

impl<E> ViaUndeclared for &Probe<E> {
    #[inline]
    fn facts(&self) -> UndeclaredFacts {
        UndeclaredFacts
    }
}

/// The error says what it means.
#[derive(Clone, Copy, Debug)]
pub struct DeclaredFacts;

impl DeclaredFacts {
    /// Asks the error.
    #[inline]
    pub const fn of<E: DeclaredError>(self) -> Facts<E> {
        Facts::declared()
    }
}

/// The error does not say what it means.
#[derive(Clone, Copy, Debug)]
pub struct UndeclaredFacts;

impl UndeclaredFacts {
    /// Answers for it.
    #[inline]
    pub const fn of<E>(self) -> Facts<E> {
        Facts::unknown()
    }
}
