//! The framework's own services, generated from `idl/*.idl` and checked in; a test of rpc-codegen keeps them fresh.

#[rustfmt::skip]
mod idl;

pub(crate) use idl::rpc::{health, reflection, registry};
