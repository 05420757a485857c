//! The smallest service.

use rpc_runtime::rpc_service;

#[rpc_service]
pub trait Greeter {
    async fn hello(&self, name: &str) -> String;
}

struct Mine;

impl Greeter for Mine {
    async fn hello(&self, name: &str) -> String {
        format!("hello {name}")
    }
}

#[tokio::main]
async fn main() {
    let client = GreeterClient::from(rpc_runtime::Channel::local(GreeterService::new(Mine)));
    assert_eq!(client.hello("you").await.unwrap(), "hello you");
}
