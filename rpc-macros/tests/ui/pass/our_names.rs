//! Methods and parameters called as ours are.

#![deny(warnings)]

use rpc_runtime::rpc_service;

#[rpc_service]
trait Names {
    async fn new(&self) -> u8;
    async fn connect(&self, channel: u8) -> u8;
    async fn channel(&self, address: u8, options: u8) -> u8;
    async fn with_options(&self, request: u8, service: u8, context: u8, ctx: u8) -> u8;
    async fn serve(&self, out: u8, input: u8, args: u8, codec: u8) -> u8;
    async fn call(&self, method: u8, value: u8) -> u8;
    async fn service(&self, error: u8, decoded: u8, reply: u8) -> u8;
    async fn clone(&self) -> u8;
    async fn from(&self) -> u8;
    async fn as_ref(&self) -> u8;
    async fn from_arc(&self, index: u8) -> u8;
    async fn one_way(&self) -> u8;
    async fn codec_0(&self) -> u8;
}

struct Mine;

impl Names for Mine {
    async fn new(&self) -> u8 {
        1
    }
    async fn connect(&self, channel: u8) -> u8 {
        channel
    }
    async fn channel(&self, address: u8, options: u8) -> u8 {
        address + options
    }
    async fn with_options(&self, request: u8, service: u8, context: u8, ctx: u8) -> u8 {
        request + service + context + ctx
    }
    async fn serve(&self, out: u8, input: u8, args: u8, codec: u8) -> u8 {
        out + input + args + codec
    }
    async fn call(&self, method: u8, value: u8) -> u8 {
        method + value
    }
    async fn service(&self, error: u8, decoded: u8, reply: u8) -> u8 {
        error + decoded + reply
    }
    async fn clone(&self) -> u8 {
        2
    }
    async fn from(&self) -> u8 {
        3
    }
    async fn as_ref(&self) -> u8 {
        4
    }
    async fn from_arc(&self, index: u8) -> u8 {
        index
    }
    async fn one_way(&self) -> u8 {
        5
    }
    async fn codec_0(&self) -> u8 {
        6
    }
}

#[tokio::main]
async fn main() {
    let client: NamesClient = rpc_runtime::Channel::local(NamesService::new(Mine)).into();
    assert_eq!(client.new().await.unwrap(), 1);
    assert_eq!(client.with_options(1, 2, 3, 4).await.unwrap(), 10);
    assert_eq!(client.channel(1, 2).await.unwrap(), 3);
    let _: &rpc_runtime::Channel = AsRef::as_ref(&client);
}
