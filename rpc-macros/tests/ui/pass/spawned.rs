//! Calls and clients can move to other threads.

#![deny(warnings)]

#[rpc_runtime::rpc_service]
trait Moved {
    async fn hello(&self, name: &str) -> String;
}

struct Mine;

impl Moved for Mine {
    async fn hello(&self, name: &str) -> String {
        tokio::task::yield_now().await;
        name.to_owned()
    }
}

async fn ask(moved: &impl Moved) -> String {
    moved.hello("direct").await
}

#[tokio::main]
async fn main() {
    assert_eq!(ask(&Mine).await, "direct");
    let client = MovedClient::new(rpc_runtime::Channel::local(MovedService::new(Mine)));
    let call = client.hello("far");
    let answer = tokio::spawn(async move { call.await.unwrap() }).await.unwrap();
    assert_eq!(answer, "far");
}
