//! A stream behind a pointer.

use rpc_runtime::{Stream, rpc_service, stream};

#[rpc_service]
trait Greeter {
    async fn hello(&self, name: &str) -> String;
    async fn list(&self) -> Box<dyn Stream<Item = u8> + Send + Unpin>;
}

struct Mine;

impl Greeter for Mine {
    async fn hello(&self, name: &str) -> String {
        name.to_owned()
    }
    async fn list(&self) -> Box<dyn Stream<Item = u8> + Send + Unpin> {
        Box::new(stream::iter([1]))
    }
}

fn main() {
    let _ = GreeterService::new(Mine);
    let _: Option<GreeterClient> = None;
    let _: Option<GreeterBlockingClient> = None;
}
