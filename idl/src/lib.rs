//! The interface definition language: grammar, resolver, checks, and the model that every generator reads.
//!
//! [`Model`] and [`ids`] are always there; the text door (everything that reads `.idl` files) is behind the feature
//! `parser`, so that a user of the trait door compiles none of it.

#[cfg(feature = "parser")]
pub mod ast;
#[cfg(feature = "parser")]
mod check;
#[cfg(feature = "parser")]
pub mod codes;
#[cfg(feature = "parser")]
mod compile;
#[cfg(feature = "parser")]
mod diagnostic;
#[cfg(feature = "parser")]
mod grammar;
pub mod ids;
#[cfg(feature = "parser")]
mod load;
pub mod model;
#[cfg(feature = "parser")]
mod parse;
#[cfg(feature = "parser")]
pub mod pattern;
#[cfg(feature = "parser")]
mod render;
#[cfg(feature = "parser")]
mod resolve;
#[cfg(feature = "parser")]
mod source;
#[cfg(feature = "parser")]
mod suggest;

#[cfg(feature = "parser")]
pub use compile::{Compiled, compile, parse};
#[cfg(feature = "parser")]
pub use diagnostic::{Diagnostic, Diagnostics, Label, MAX_ERRORS, Severity, Suggestion};
#[cfg(feature = "parser")]
pub use load::{Loaded, compile_paths};
pub use model::Model;
#[cfg(feature = "parser")]
pub use source::{FileId, Place, SourceFile, Span};
