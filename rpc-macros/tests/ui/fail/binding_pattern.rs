//! Parameters that bind in another way than by a name.

use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    async fn hello(&self, ref name: String, all @ _: u8);
}

struct Mine;

impl Greeter for Mine {
    async fn hello(&self, _name: String, _all: u8) {}
}

fn main() {
    let _ = GreeterService::new(Mine);
    let _: Option<GreeterClient> = None;
    let _: Option<GreeterBlockingClient> = None;
}
