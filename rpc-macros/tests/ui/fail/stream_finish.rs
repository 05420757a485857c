//! A method that finishes without its caller, and takes bare items.

use rpc_runtime::{Stream, rpc_service};

#[rpc_service]
trait Greeter {
    async fn hello(&self, name: &str) -> String;
    #[rpc(on_cancel = "finish")]
    async fn upload(&self, chunks: impl Stream<Item = u8>);
}

struct Mine;

impl Greeter for Mine {
    async fn hello(&self, name: &str) -> String {
        name.to_owned()
    }
    async fn upload(&self, _chunks: impl Stream<Item = u8> + Send) {}
}

fn main() {
    let _ = GreeterService::new(Mine);
    let _: Option<GreeterClient> = None;
    let _: Option<GreeterBlockingClient> = None;
}
