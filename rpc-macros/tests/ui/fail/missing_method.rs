//! An implementation that forgets a method.

use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    async fn hello(&self, name: &str) -> String;
    async fn goodbye(&self, name: &str) -> String;
}

struct Mine;

impl Greeter for Mine {
    async fn hello(&self, name: &str) -> String {
        name.to_owned()
    }
}

fn main() {
    let _ = GreeterService::new(Mine);
}
