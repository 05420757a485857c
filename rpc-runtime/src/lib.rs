//! RPC from a trait or an `.idl` file: what programs use, and what generated code links against.
//!
//! ```
//! use rpc_runtime::{Server, rpc_service};
//!
//! #[rpc_service]
//! pub trait Greeter {
//!     async fn hello(&self, name: &str) -> String;
//! }
//!
//! struct English;
//!
//! impl Greeter for English {
//!     async fn hello(&self, name: &str) -> String {
//!         format!("Hello, {name}!")
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> rpc_runtime::Result<()> {
//! let server = Server::new().add(GreeterService::new(English)).listen("tcp://127.0.0.1:0").await?;
//! let greeter = GreeterClient::connect(server.address()).await?;
//! assert_eq!(greeter.hello("world").await?, "Hello, world!");
//! # Ok(()) }
//! ```
//!
//! # Where to look
//!
//! | to | see |
//! |---|---|
//! | define a service | [`rpc_service`], [`include_idl!`], `idl!` (feature `idl`) |
//! | serve, listen, stop in order | [`Server`], [`Serving`]; what a handler knows of its call: [`Context`] |
//! | connect, with more than the defaults | [`Channel`], [`Channel::builder`]; without an async runtime [`BlockingChannel`] |
//! | finish a call in one of six ways | [`Call`], [`Pending`], [`Callback`], [`OneWay`], [`Batch`] |
//! | send and read streams | [`stream`], [`StreamCall`], [`Items`], [`BlockingItems`], [`BlockingExchange`] |
//! | pass objects by reference | [`Handle`] |
//! | call a client back | [`ChannelBuilder::export`], [`Context::caller`] |
//! | handle failures, repeat calls | [`CallError`], [`Error`], [`Execution`], [`RetryPolicy`] |
//! | find instances by name | [`discovery`] |
//! | say who may do what | [`Token`], [`Authenticator`], [`Rule`], [`Identity`]; `ServerTls` and `ClientTls` (feature `tls`) |
//! | look into a running server | [`reflection`], [`health`] |
//! | talk to peers of MessagePack-RPC | [`msgpack_rpc`] |
//! | leave an ill server alone for a while | [`BreakerPolicy`], [`Channel::breakers`] |
//! | bound what peers may cost | [`Limits`] |
//! | bring a transport of one's own | [`Transport`] |
//! | hold values that `.idl` files know | [`Value`], [`Timestamp`], [`Decimal`], [`Uuid`] |
//!
//! # Features
//!
//! | feature | brings | default |
//! |---|---|---|
//! | `registry` | `registry://` and `file://` addresses, and the registries behind them | on |
//! | `tls` | `tls://` addresses: TLS 1.3 by rustls and ring, which compiles some C and assembly | off |
//! | `lz4` | compressed bodies, where both sides say `compress(true)` | off |
//! | `small-strings` | `SmolStr` as a string, in traits and by `rpc_codegen::Build::small_strings` | off |
//! | `idl` | the macro `idl!()`: `.idl` files and inline text without a build script | off |

#![warn(clippy::disallowed_types, clippy::disallowed_methods)]

pub mod codec;
pub mod discovery;
pub mod health;
pub mod msgpack_rpc;
pub mod reflection;
pub mod stream;

mod backoff;
mod breaker;
mod client;
mod context;
mod descriptor;
mod error;
#[cfg(feature = "fuzzing")]
mod fuzz;
mod generated;
mod limits;
mod link;
mod memory;
mod metadata;
mod object;
mod park;
mod security;
mod server;
mod shared;
mod spares;
mod status;
mod task;
mod transport;
mod wire;

pub use breaker::{BreakerPolicy, BreakerState};
pub use bytes::Bytes;
#[doc(hidden)]
pub use client::Unbroken;
pub use client::{
    Batch, BlockingChannel, BlockingChannelBuilder, BlockingExchange, BlockingItems, Call,
    CallFuture, CallOptions, Callback, Channel, ChannelBuilder, Items, OneWay, OneWayFuture,
    Pending, RetryPolicy, StreamCall, View, Views,
};
pub use codec::{
    BytesArg, Decimal, DeclaredError, Invalid, RawVariant, Timestamp, Uuid, Value, Viewable,
};
pub use context::Context;
pub use descriptor::{Client, MethodDescriptor, MethodKind, MethodRetry, ServiceDescriptor};
pub use error::{CallError, Error, ErrorKind, Execution, Result};
pub use futures_core::Stream;
pub use limits::{DEFAULT_TIMEOUT, Limits};
pub use metadata::Metadata;
pub use object::Handle;
#[cfg(feature = "idl")]
pub use rpc_macros::idl;
pub use rpc_macros::rpc_service;
pub use security::{
    Access, Authenticator, Credentials, Identity, IdentityKind, Login, Rule, Token, Tokens,
};
pub use server::{Server, Serving};
pub use shared::Shared;
#[cfg(feature = "small-strings")]
pub use smol_str::SmolStr;
pub use status::Status;
#[cfg(feature = "tls")]
pub use transport::tls::{ClientTls, ServerTls};
pub use transport::{Acceptor, Connection, Opening, Transport};

/// What generated code names. Not for people: it changes with the generator.
#[doc(hidden)]
pub mod __private {
    pub use crate::backoff::seed_random;
    pub use crate::client::Returns;
    pub use crate::codec::*;
    pub use crate::object::Serves;
    pub use crate::server::{Answer, Args, Incoming, Outgoing, Skeleton};
    pub use serde;
}

/// What the fuzz targets of `fuzz/` call. Not for people: it changes with the inside.
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod __fuzz {
    pub use crate::fuzz::{End, Listener, dial, frame, handshake};
}

/// Includes what a build script with `rpc_codegen::build("idl")` generated: one module for each package.
///
/// ```text
/// rpc_runtime::include_idl!();
/// use acme::user::v1::UserServiceClient;
/// ```
#[macro_export]
macro_rules! include_idl {
    () => {
        include!(concat!(
            env!(
                "OUT_DIR",
                "this package has no build script: put `fn main() { rpc_codegen::build(\"idl\") }` into build.rs beside Cargo.toml, and `rpc-codegen` under [build-dependencies]"
            ),
            "/idl.rs"
        ));
    };
}
