//! A stream in an `Option`.

use rpc_runtime::{Items, rpc_service};

#[rpc_service]
trait Greeter {
    async fn hello(&self, name: &str) -> String;
    async fn upload(&self, chunks: Option<Items<Vec<u8>>>);
}

struct Mine;

impl Greeter for Mine {
    async fn hello(&self, name: &str) -> String {
        name.to_owned()
    }
    async fn upload(&self, _chunks: Option<Items<Vec<u8>>>) {}
}

fn main() {
    let _ = GreeterService::new(Mine);
    let _: Option<GreeterClient> = None;
    let _: Option<GreeterBlockingClient> = None;
}
