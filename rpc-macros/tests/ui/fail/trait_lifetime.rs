//! A trait with a lifetime.

use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter<'a> {
    async fn hello(&self, name: &str) -> String;
}

struct Mine;

impl Greeter<'_> for Mine {
    async fn hello(&self, name: &str) -> String {
        name.to_owned()
    }
}

fn main() {
    let _ = GreeterService::new(Mine);
    let _: Option<GreeterClient> = None;
    let _: Option<GreeterBlockingClient> = None;
}
