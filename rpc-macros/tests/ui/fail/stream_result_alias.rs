//! A stream of results behind an alias.

use rpc_runtime::{Result, Stream, rpc_service, stream};

#[rpc_service]
trait Greeter {
    async fn hello(&self, name: &str) -> String;
    fn list(&self) -> impl Stream<Item = Result<u8>>;
}

struct Mine;

impl Greeter for Mine {
    async fn hello(&self, name: &str) -> String {
        name.to_owned()
    }
    fn list(&self) -> impl Stream<Item = Result<u8>> {
        stream::iter([Ok(1)])
    }
}

fn main() {
    let _ = GreeterService::new(Mine);
    let _: Option<GreeterClient> = None;
    let _: Option<GreeterBlockingClient> = None;
}
