//! A generic method.

use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    async fn hello(&self, name: &str) -> String;
    async fn send<T: Send>(&self, value: T);
}

struct Mine;

impl Greeter for Mine {
    async fn hello(&self, name: &str) -> String {
        name.to_owned()
    }
    async fn send<T: Send>(&self, _value: T) {}
}

fn main() {
    let _ = GreeterService::new(Mine);
    let _: Option<GreeterClient> = None;
    let _: Option<GreeterBlockingClient> = None;
}
