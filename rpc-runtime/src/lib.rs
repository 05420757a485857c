//! What generated code links against: codec, wire, transports, client, server, registry lookup.

pub mod codec;
pub mod discovery;
pub mod health;
pub mod msgpack_rpc;
pub mod reflection;
pub mod stream;

mod backoff;
mod client;
mod context;
mod descriptor;
mod error;
#[cfg(feature = "fuzzing")]
mod fuzz;
mod generated;
mod limits;
mod link;
mod metadata;
mod object;
mod park;
mod security;
mod server;
mod status;
mod transport;
mod wire;

pub use client::{
    Batch, BlockingChannel, BlockingChannelBuilder, BlockingExchange, BlockingItems, Call,
    CallFuture, CallOptions, Callback, Channel, ChannelBuilder, Items, OneWay, OneWayFuture,
    Pending, RetryPolicy, StreamCall, Unbroken,
};
pub use codec::{Decimal, DeclaredError, Invalid, RawVariant, Timestamp, Uuid, Value};
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
