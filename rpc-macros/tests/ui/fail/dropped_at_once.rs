//! Things that end when they are dropped, dropped.
#![deny(unused_must_use)]

use rpc_runtime::{Items, Result, Server, Stream, rpc_service, stream};

#[rpc_service]
trait Counter {
    async fn add(&self, n: u64) -> u64;
    async fn count(&self) -> impl Stream<Item = u64>;
    async fn sum(&self, items: Items<u64>) -> u64;
    #[rpc(oneway)]
    async fn note(&self);
}

async fn calls(counter: CounterClient) -> Result<()> {
    counter.add(1);
    counter.add(1).start();
    counter.count();
    counter.count().start();
    counter.sum(stream::iter([1]));
    counter.note();
    Server::new().listen("tcp://127.0.0.1:0").await?;
    Ok(())
}

fn main() {
    let _ = calls;
}
