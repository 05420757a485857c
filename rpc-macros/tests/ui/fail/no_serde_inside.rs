//! A list of a type that cannot travel.

use rpc_runtime::rpc_service;

pub struct Secret;

#[rpc_service]
trait Greeter {
    async fn hello(&self, name: &str) -> String;
    async fn list(&self) -> Vec<Secret>;
}

struct Mine;

impl Greeter for Mine {
    async fn hello(&self, name: &str) -> String {
        name.to_owned()
    }
    async fn list(&self) -> Vec<Secret> {
        Vec::new()
    }
}

fn main() {
    let _ = GreeterService::new(Mine);
    let _: Option<GreeterClient> = None;
    let _: Option<GreeterBlockingClient> = None;
}
