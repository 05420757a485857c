//! An object by reference as a declared error.

use rpc_runtime::{Handle, rpc_service};

#[rpc_service]
trait Greeter {
    async fn hello(&self, name: &str) -> String;
    async fn add(&self) -> Result<u8, Handle<CounterClient>>;
}

struct Mine;

impl Greeter for Mine {
    async fn hello(&self, name: &str) -> String {
        name.to_owned()
    }
    async fn add(&self) -> Result<u8, Handle<CounterClient>> {
        Ok(1)
    }
}

#[rpc_service]
trait Counter {
    async fn add(&self, n: u64) -> u64;
}

fn main() {
    let _ = GreeterService::new(Mine);
    let _: Option<GreeterClient> = None;
    let _: Option<GreeterBlockingClient> = None;
}
