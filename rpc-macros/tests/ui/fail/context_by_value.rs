//! A context by value.

use rpc_runtime::rpc_service;
use rpc_runtime::Context;

#[rpc_service]
trait Greeter {
    async fn hello(&self, name: &str) -> String;
    async fn send(&self, #[rpc(ctx)] context: Context);
}

struct Mine;

impl Greeter for Mine {
    async fn hello(&self, name: &str) -> String {
        name.to_owned()
    }
    async fn send(&self, _context: Context) {}
}

fn main() {
    let _ = GreeterService::new(Mine);
    let _: Option<GreeterClient> = None;
    let _: Option<GreeterBlockingClient> = None;
}
