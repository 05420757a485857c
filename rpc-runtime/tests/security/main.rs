//! Who is calling and what they may: tokens, authenticators, rules.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "in a test a panic is the report"
)]

#[path = "../raw/mod.rs"]
mod raw;

mod credentials;
mod rules;
mod service;
