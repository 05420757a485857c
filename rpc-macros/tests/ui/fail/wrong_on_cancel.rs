//! A word that `on_cancel` does not know.

use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    async fn hello(&self, name: &str) -> String;
    #[rpc(on_cancel = "panic")]
    async fn send(&self);
}

struct Mine;

impl Greeter for Mine {
    async fn hello(&self, name: &str) -> String {
        name.to_owned()
    }
    async fn send(&self) {}
}

fn main() {
    let _ = GreeterService::new(Mine);
    let _: Option<GreeterClient> = None;
    let _: Option<GreeterBlockingClient> = None;
}
