//! A future written out.

use std::pin::Pin;

use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    fn hello(&self) -> Pin<Box<dyn Future<Output = String> + Send>>;
}

struct Mine;

impl Greeter for Mine {
    fn hello(&self) -> Pin<Box<dyn Future<Output = String> + Send>> {
        Box::pin(std::future::ready(String::new()))
    }
}

fn main() {
    let _ = GreeterService::new(Mine);
    let _: Option<GreeterClient> = None;
    let _: Option<GreeterBlockingClient> = None;
}
