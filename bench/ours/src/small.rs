//! The same as `strings` with `SmolStr`.
#![expect(
    clippy::duplicate_mod,
    reason = "the same code over types of the same names"
)]

#[path = "strings/client.rs"]
pub(crate) mod client;
#[path = "strings/service.rs"]
pub(crate) mod service;

include!(concat!(env!("OUT_DIR"), "/small.rs"));
