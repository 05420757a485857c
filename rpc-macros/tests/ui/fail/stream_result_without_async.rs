//! A stream that may not open, from a method that is not `async`.

use rpc_runtime::{Stream, rpc_service, stream};

#[rpc_service]
trait Greeter {
    async fn hello(&self, name: &str) -> String;
    fn list(&self) -> Result<impl Stream<Item = u8>, String>;
}

struct Mine;

impl Greeter for Mine {
    async fn hello(&self, name: &str) -> String {
        name.to_owned()
    }
    fn list(&self) -> Result<impl Stream<Item = u8>, String> {
        Ok(stream::iter([1]))
    }
}

fn main() {
    let _ = GreeterService::new(Mine);
    let _: Option<GreeterClient> = None;
    let _: Option<GreeterBlockingClient> = None;
}
