//! An unsafe trait.

use rpc_runtime::rpc_service;

#[rpc_service]
unsafe trait Greeter {
    async fn hello(&self, name: &str) -> String;
}

struct Mine;

impl Greeter for Mine {
    async fn hello(&self, name: &str) -> String {
        name.to_owned()
    }
}

fn main() {
    let _ = GreeterService::new(Mine);
    let _: Option<GreeterClient> = None;
    let _: Option<GreeterBlockingClient> = None;
}
