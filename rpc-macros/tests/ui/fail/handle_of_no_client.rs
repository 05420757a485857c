//! A handle of a skeleton, and a client where a handle is meant.

use rpc_runtime::{Handle, rpc_service};

#[rpc_service]
pub trait Counter {
    async fn add(&self, n: u64) -> u64;
}

pub struct Mine;

#[rpc_service]
pub trait Desk {
    async fn take(&self, counter: Handle<CounterService<Mine>>);
}

#[rpc_service]
pub trait Shelf {
    async fn put(&self, counter: CounterClient);
}

fn main() {}
