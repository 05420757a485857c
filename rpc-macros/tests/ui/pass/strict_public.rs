//! A public trait in a program that uses one of the generated items only.

#![deny(warnings, dead_code)]

use rpc_runtime::rpc_service;

/// A service.
#[rpc_service]
pub trait Lonely {
    /// Documented.
    async fn hello(&self) -> u8;
}

fn main() {
    assert_eq!(LonelyClient::SERVICE.methods.len(), 1);
}
