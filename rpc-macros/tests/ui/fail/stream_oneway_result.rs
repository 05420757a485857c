//! A stream out of a one-way method.

use rpc_runtime::{Stream, rpc_service, stream};

#[rpc_service]
trait Greeter {
    async fn hello(&self, name: &str) -> String;
    #[rpc(oneway)]
    async fn list(&self) -> impl Stream<Item = u8>;
}

struct Mine;

impl Greeter for Mine {
    async fn hello(&self, name: &str) -> String {
        name.to_owned()
    }
    async fn list(&self) -> impl Stream<Item = u8> {
        stream::iter([1])
    }
}

fn main() {
    let _ = GreeterService::new(Mine);
    let _: Option<GreeterClient> = None;
    let _: Option<GreeterBlockingClient> = None;
}
