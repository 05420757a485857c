//! A stream by reference.

use rpc_runtime::{Items, rpc_service};

#[rpc_service]
trait Greeter {
    async fn hello(&self, name: &str) -> String;
    async fn upload(&self, chunks: &mut Items<Vec<u8>>);
}

struct Mine;

impl Greeter for Mine {
    async fn hello(&self, name: &str) -> String {
        name.to_owned()
    }
    async fn upload(&self, _chunks: &mut Items<Vec<u8>>) {}
}

fn main() {
    let _ = GreeterService::new(Mine);
    let _: Option<GreeterClient> = None;
    let _: Option<GreeterBlockingClient> = None;
}
