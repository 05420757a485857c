//! A type that cannot travel, used everywhere: one message.

use rpc_runtime::rpc_service;

#[derive(Debug)]
pub struct Secret;

#[rpc_service]
trait Greeter {
    async fn hello(&self, name: &str) -> String;
    async fn send(&self, value: Secret) -> Secret;
    async fn list(&self, values: &[Secret], one: &Secret, may: Option<Secret>) -> Result<Secret, Secret>;
}

struct Mine;

impl Greeter for Mine {
    async fn hello(&self, name: &str) -> String {
        name.to_owned()
    }
    async fn send(&self, value: Secret) -> Secret {
        value
    }
    async fn list(&self, _values: &[Secret], _one: &Secret, _may: Option<Secret>) -> Result<Secret, Secret> {
        Ok(Secret)
    }
}

fn main() {
    let _ = GreeterService::new(Mine);
    let _: Option<GreeterClient> = None;
    let _: Option<GreeterBlockingClient> = None;
}
