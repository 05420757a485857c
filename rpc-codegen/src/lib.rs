//! The generator: definitions in, Rust out.
//!
//! Two doors lead here and one emitter comes out: [`expand_service`] reads a trait, the functions behind the feature
//! `idl` read `.idl` files. Both make the model of [`rpc_idl`]; what stands around a service is emitted from it by the
//! same code.

#[cfg(feature = "idl")]
mod build;
#[cfg(feature = "idl")]
mod idl_door;
#[cfg(feature = "idl")]
mod inline;
mod refusals;
mod runtime;
mod service;
mod trait_door;

#[cfg(feature = "idl")]
pub use build::{Build, Generated, build};
#[cfg(feature = "idl")]
pub use idl_door::{Options, emit_model, emit_text};
#[cfg(feature = "idl")]
pub use inline::expand_idl;
pub use trait_door::{expand_service, read_trait};
