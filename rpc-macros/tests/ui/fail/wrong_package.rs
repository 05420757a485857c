//! A package that is no dotted name.

use rpc_runtime::rpc_service;

#[rpc_service(package = "acme/user")]
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
