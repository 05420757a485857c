//! The second door: MessagePack-RPC, as a server and as a client, by hand and with the programs that speak it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test a panic is the report"
)]

mod by_hand;
mod client;
mod hostile;
mod leaving;
mod peers;
mod service;
mod vectors;
