//! A receiver that is borrowed mutably.

use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    async fn hello(&self, name: &str) -> String;
    async fn send(&mut self);
}

struct Mine;

impl Greeter for Mine {
    async fn hello(&self, name: &str) -> String {
        name.to_owned()
    }
    async fn send(&mut self) {}
}

fn main() {
    let _ = GreeterService::new(Mine);
    let _: Option<GreeterClient> = None;
    let _: Option<GreeterBlockingClient> = None;
}
