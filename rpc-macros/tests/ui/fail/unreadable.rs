//! A parameter without a type: what rustc and our parser say, and nothing about missing names.

use rpc_runtime::rpc_service;

#[rpc_service]
pub trait Greeter {
    #[rpc(idempotent)]
    async fn hello(&self, name) -> String;
}

struct Mine;

impl Greeter for Mine {
    async fn hello(&self, name: String) -> String {
        name
    }
}

fn main() {
    let _ = GreeterService::new(Mine);
    let _: Option<GreeterClient> = None;
    let _: Option<GreeterBlockingClient> = None;
}
