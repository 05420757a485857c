//! Methods with a visibility of their own; all of them are served nevertheless.

use rpc_runtime::rpc_service;

#[rpc_service]
pub trait Greeter {
    pub async fn hello(&self, name: &str) -> String;
    pub(crate) fn now(&self) -> u64;
}

struct Mine;

impl Greeter for Mine {
    async fn hello(&self, name: &str) -> String {
        name.to_owned()
    }
    fn now(&self) -> u64 {
        0
    }
}

fn main() {
    let _ = GreeterService::new(Mine);
    let _ = |client: GreeterClient| client.hello("Ann").start();
    let _ = |client: GreeterBlockingClient| client.now();
}
