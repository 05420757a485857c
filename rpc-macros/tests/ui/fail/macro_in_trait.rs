//! A macro call in the trait.

use rpc_runtime::rpc_service;

macro_rules! methods {
    () => {};
}

#[rpc_service]
trait Greeter {
    async fn hello(&self, name: &str) -> String;
    methods!();
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
