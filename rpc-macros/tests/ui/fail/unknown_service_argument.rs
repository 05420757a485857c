//! An argument nobody knows.

use rpc_runtime::rpc_service;

#[rpc_service(magic = 1)]
trait Greeter {
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
