//! Methods under conditions are gone from everywhere, and the others keep their numbers.

#![deny(warnings)]

use rpc_runtime::rpc_service;

#[rpc_service]
trait Conditional {
    async fn a(&self) -> u8;
    #[cfg(target_os = "none")]
    async fn b(&self, value: Nowhere) -> Nowhere;
    async fn c(&self) -> u8;
    #[cfg(not(target_os = "none"))]
    async fn d(&self) -> u8;
    #[cfg(target_os = "none")]
    async fn e(&self, value: Nowhere);
    #[cfg(all(not(target_os = "none"), any(unix, windows)))]
    async fn f(&self, value: Vec<u16>) -> u8;
}

struct Mine;

impl Conditional for Mine {
    async fn a(&self) -> u8 {
        1
    }
    async fn c(&self) -> u8 {
        3
    }
    async fn d(&self) -> u8 {
        4
    }
    async fn f(&self, value: Vec<u16>) -> u8 {
        value.len() as u8
    }
}

#[tokio::main]
async fn main() {
    let client = ConditionalClient::new(rpc_runtime::Channel::local(ConditionalService::new(Mine)));
    assert_eq!(client.a().await.unwrap(), 1);
    assert_eq!(client.c().await.unwrap(), 3);
    assert_eq!(client.d().await.unwrap(), 4);
    assert_eq!(client.f(vec![1, 2]).await.unwrap(), 2);
    assert_eq!(ConditionalClient::SERVICE.methods.len(), 4);
}
