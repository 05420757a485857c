//! The generator: definitions in, Rust out.
//!
//! Two doors lead here and one emitter comes out: [`expand_service`] reads a trait, the functions behind the feature
//! `idl` read `.idl` files. Both make the model of [`rpc_idl`]; what stands around a service is emitted from it by the
//! same code.

mod refusals;
mod runtime;
mod service;
mod trait_door;

pub use trait_door::{expand_service, read_trait};
