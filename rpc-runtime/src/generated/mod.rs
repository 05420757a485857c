//! The framework's own services, generated from `idl/*/*.idl` and checked in; a test of rpc-codegen keeps them fresh.

#[cfg(feature = "registry")]
#[rustfmt::skip]
#[path = "registry.rs"]
mod of_registry;
#[rustfmt::skip]
#[path = "server.rs"]
mod of_server;

#[cfg(feature = "registry")]
pub(crate) use of_registry::rpc::registry;
pub(crate) use of_server::rpc::{health, reflection};
