//! gRPC's interoperability cases under their names, and Connect's that add something, over tcp, unix, mem and tls.
//!
//! What these cases ask for and this protocol does not have:
//!
//! - `orca_per_rpc`, `orca_oob`: servers report no load.
//! - `custom_metadata`: answers carry no metadata. What is tested is that a request's arrives, repeated keys in order, and
//!   that keys which are none are refused at the caller.
//! - `cacheable_unary`, compressed cases, `jwt_token_creds` and others of one company's platform: no such thing here.
//! - `error-with-metadata`, `duplicate_metadata` of answers: as `custom_metadata`.
//! - Empty metadata sizes, trailers: there are no headers and trailers but the frames of `docs/wire.md`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "in a test a panic is the report"
)]

mod blocking;
mod connect;
mod grpc;
mod hand;
mod negative;
mod service;
mod stage;
mod statuses;
