//! A stream in, in a method that is not `async`.

use rpc_runtime::{Items, rpc_service};

#[rpc_service]
trait Greeter {
    async fn hello(&self, name: &str) -> String;
    fn upload(&self, chunks: Items<Vec<u8>>) -> u64;
}

struct Mine;

impl Greeter for Mine {
    async fn hello(&self, name: &str) -> String {
        name.to_owned()
    }
    fn upload(&self, _chunks: Items<Vec<u8>>) -> u64 {
        0
    }
}

fn main() {
    let _ = GreeterService::new(Mine);
    let _: Option<GreeterClient> = None;
    let _: Option<GreeterBlockingClient> = None;
}
