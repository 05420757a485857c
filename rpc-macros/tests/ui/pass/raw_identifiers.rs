//! Names that are words of Rust travel without their `r#`.

#![deny(warnings)]

use rpc_runtime::rpc_service;

#[rpc_service]
trait Raw {
    async fn r#type(&self, r#match: u8) -> u8;
}

struct Mine;

impl Raw for Mine {
    async fn r#type(&self, r#match: u8) -> u8 {
        r#match
    }
}

#[tokio::main]
async fn main() {
    let client = RawClient::new(rpc_runtime::Channel::local(RawService::new(Mine)));
    assert_eq!(client.r#type(3).await.unwrap(), 3);
    let method = &RawClient::SERVICE.methods[0];
    assert_eq!((method.name, method.signature), ("type", "(match: u8) -> u8"));
}
