//! A method written without `&self` gets one.

#![deny(warnings)]

#[rpc_runtime::rpc_service]
trait Bare {
    async fn hello(name: &str) -> String;
    async fn none();
}

struct Mine;

impl Bare for Mine {
    async fn hello(&self, name: &str) -> String {
        name.to_owned()
    }
    async fn none(&self) {}
}

#[tokio::main]
async fn main() {
    let client = BareClient::new(rpc_runtime::Channel::local(BareService::new(Mine)));
    assert_eq!(client.hello("x").await.unwrap(), "x");
    client.none().await.unwrap();
}
