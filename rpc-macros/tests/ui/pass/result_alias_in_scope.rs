//! An alias called `Result` in scope breaks nothing.

#![deny(warnings)]

use rpc_runtime::rpc_service;

#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct Failure;

type Result<T, E = Failure> = core::result::Result<T, E>;

#[rpc_service]
trait Aliased {
    async fn both(&self) -> Result<u8, Failure>;
    async fn spelled(&self) -> std::result::Result<u8, Failure>;
}

struct Mine;

impl Aliased for Mine {
    async fn both(&self) -> Result<u8> {
        Ok(1)
    }
    async fn spelled(&self) -> Result<u8> {
        Err(Failure)
    }
}

#[tokio::main]
async fn main() {
    let client = AliasedClient::new(rpc_runtime::Channel::local(AliasedService::new(Mine)));
    assert_eq!(client.both().await.unwrap(), 1);
    assert!(client.spelled().await.is_err());
}
