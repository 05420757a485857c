//! An optional reference to something else than text.

use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    async fn hello(&self, name: &str) -> String;
    async fn send(&self, value: Option<&u8>);
}

struct Mine;

impl Greeter for Mine {
    async fn hello(&self, name: &str) -> String {
        name.to_owned()
    }
    async fn send(&self, _value: Option<&u8>) {}
}

fn main() {
    let _ = GreeterService::new(Mine);
}
