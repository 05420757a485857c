//! A stream that does not say of what.

use rpc_runtime::{Stream, rpc_service, stream};

#[rpc_service]
trait Greeter {
    async fn hello(&self, name: &str) -> String;
    fn list(&self) -> impl Stream;
}

struct Mine;

impl Greeter for Mine {
    async fn hello(&self, name: &str) -> String {
        name.to_owned()
    }
    fn list(&self) -> impl Stream {
        stream::iter([1])
    }
}

fn main() {
    let _ = GreeterService::new(Mine);
    let _: Option<GreeterClient> = None;
    let _: Option<GreeterBlockingClient> = None;
}
