//! A received stream as the result.

use rpc_runtime::{Items, rpc_service};

#[rpc_service]
trait Greeter {
    async fn hello(&self, name: &str) -> String;
    async fn list(&self) -> Items<u8>;
}

struct Mine;

impl Greeter for Mine {
    async fn hello(&self, name: &str) -> String {
        name.to_owned()
    }
    async fn list(&self) -> Items<u8> {
        unreachable!()
    }
}

fn main() {
    let _ = GreeterService::new(Mine);
    let _: Option<GreeterClient> = None;
    let _: Option<GreeterBlockingClient> = None;
}
