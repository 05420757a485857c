//! A stream that breaks with another error than it does not open with.

use rpc_runtime::{Stream, rpc_service, stream};

#[rpc_service]
trait Greeter {
    async fn hello(&self, name: &str) -> String;
    async fn list(&self) -> Result<impl Stream<Item = Result<u8, String>>, u8>;
}

struct Mine;

impl Greeter for Mine {
    async fn hello(&self, name: &str) -> String {
        name.to_owned()
    }
    async fn list(&self) -> Result<impl Stream<Item = Result<u8, String>>, u8> {
        Ok(stream::iter([Ok(1)]))
    }
}

fn main() {
    let _ = GreeterService::new(Mine);
    let _: Option<GreeterClient> = None;
    let _: Option<GreeterBlockingClient> = None;
}
