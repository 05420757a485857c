//! Default bodies, with `?`, `return` and arguments that are borrowed.

#![deny(warnings)]

use rpc_runtime::rpc_service;

#[rpc_service]
trait Defaults {
    async fn base(&self) -> u8;
    async fn next(&self, text: &str) -> Result<u8, String> {
        if text.is_empty() {
            return Err("empty".to_owned());
        }
        let number: u8 = text.parse().map_err(|_| text.to_owned())?;
        Ok(number + self.base().await)
    }
    fn sync(&self, mut items: Vec<u8>) -> u8 {
        items.push(1);
        items.len() as u8
    }
}

struct Mine;

impl Defaults for Mine {
    async fn base(&self) -> u8 {
        40
    }
}

#[tokio::main]
async fn main() {
    let client = DefaultsClient::new(rpc_runtime::Channel::local(DefaultsService::new(Mine)));
    assert_eq!(client.next("2").await.unwrap(), 42);
    assert!(client.next("").await.is_err());
    assert_eq!(client.sync(vec![1]).await.unwrap(), 2);
}
