//! The interface definition language: grammar, resolver, checks, and the model that every generator reads.
//!
//! [`Model`] and [`ids`] are always there; the text door (everything that reads `.idl` files) is behind the feature
//! `parser`, so that a user of the trait door compiles none of it.

pub mod ids;
pub mod model;

pub use model::Model;
