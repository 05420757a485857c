//! What strings are unless something else is chosen: `String`.

pub(crate) mod client;
pub(crate) mod service;

include!(concat!(env!("OUT_DIR"), "/strings.rs"));
