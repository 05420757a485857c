//! A `crate` argument that is no path, and a wire name that is no name.

use rpc_runtime::rpc_service;

#[rpc_service(crate = "rpc_runtime", name = "Gree ter")]
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
}
