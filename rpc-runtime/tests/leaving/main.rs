//! Servers that go, as their clients live through it: streams, objects, calls back, registries, blocking clients.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test a panic is the report"
)]

mod blocking;
mod objects;
mod rolling;
mod service;
mod streams;
