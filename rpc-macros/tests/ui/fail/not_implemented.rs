//! A service that does not implement its trait.

use rpc_runtime::{Server, rpc_service};

#[rpc_service]
trait Greeter {
    async fn hello(&self, name: &str) -> String;
}

struct Mine;

fn main() {
    let _ = Server::new().add(GreeterService::new(Mine));
}
