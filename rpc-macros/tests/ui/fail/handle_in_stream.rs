//! Objects by reference in a stream.

use rpc_runtime::{Handle, Stream, rpc_service, stream};

#[rpc_service]
trait Greeter {
    async fn hello(&self, name: &str) -> String;
    fn counters(&self) -> impl Stream<Item = Handle<CounterClient>>;
}

struct Mine;

impl Greeter for Mine {
    async fn hello(&self, name: &str) -> String {
        name.to_owned()
    }
    fn counters(&self) -> impl Stream<Item = Handle<CounterClient>> {
        stream::iter([])
    }
}

#[rpc_service]
trait Counter {
    async fn add(&self, n: u64) -> u64;
}

fn main() {
    let _ = GreeterService::new(Mine);
    let _: Option<GreeterClient> = None;
    let _: Option<GreeterBlockingClient> = None;
}
