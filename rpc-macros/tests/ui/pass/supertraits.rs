//! Supertraits stay, also those we add ourselves, and a trait called `S`.

#![deny(warnings)]

use std::fmt::Debug;

#[rpc_runtime::rpc_service]
trait S: Debug + Send + Sync {
    async fn hello(&self) -> String;
}

#[derive(Debug)]
struct Mine;

impl S for Mine {
    async fn hello(&self) -> String {
        format!("{self:?}")
    }
}

#[tokio::main]
async fn main() {
    let client = SClient::new(rpc_runtime::Channel::local(SService::new(Mine)));
    assert_eq!(client.hello().await.unwrap(), "Mine");
}
