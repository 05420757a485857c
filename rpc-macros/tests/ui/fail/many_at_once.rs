//! Every mistake is reported, not the first one only.

use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    async fn hello(&self, name: &str) -> String;
    async fn one<T>(&self);
    async fn two(&mut self);
    #[rpc(magic)]
    async fn three(&self) -> &str;
}

struct Mine;

impl Greeter for Mine {
    async fn hello(&self, name: &str) -> String {
        name.to_owned()
    }
    async fn one<T>(&self) {}
    async fn two(&mut self) {}
    async fn three(&self) -> &str {
        ""
    }
}

fn main() {
    let _ = GreeterService::new(Mine);
    let _: Option<GreeterClient> = None;
    let _: Option<GreeterBlockingClient> = None;
}
