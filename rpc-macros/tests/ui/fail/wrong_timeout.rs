//! A timeout that is no duration.

use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    async fn hello(&self, name: &str) -> String;
    #[rpc(timeout = 2)]
    async fn send(&self);

    #[rpc(timeout = "2 apples")]
    async fn wait(&self);
}

struct Mine;

impl Greeter for Mine {
    async fn hello(&self, name: &str) -> String {
        name.to_owned()
    }
    async fn send(&self) {}
    async fn wait(&self) {}
}

fn main() {
    let _ = GreeterService::new(Mine);
    let _: Option<GreeterClient> = None;
    let _: Option<GreeterBlockingClient> = None;
}
