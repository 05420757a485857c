//! A stream in whose items may be errors.

use rpc_runtime::{Stream, rpc_service};

#[rpc_service]
trait Greeter {
    async fn hello(&self, name: &str) -> String;
    async fn upload(&self, chunks: impl Stream<Item = Result<u8, String>>);
}

struct Mine;

impl Greeter for Mine {
    async fn hello(&self, name: &str) -> String {
        name.to_owned()
    }
    async fn upload(&self, _chunks: impl Stream<Item = Result<u8, String>> + Send) {}
}

fn main() {
    let _ = GreeterService::new(Mine);
    let _: Option<GreeterClient> = None;
    let _: Option<GreeterBlockingClient> = None;
}
