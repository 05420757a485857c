//! A method that never returns.

use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    async fn hello(&self, name: &str) -> String;
    fn stop(&self) -> !;
}

struct Mine;

impl Greeter for Mine {
    async fn hello(&self, name: &str) -> String {
        name.to_owned()
    }
    fn stop(&self) -> ! {
        std::process::exit(0)
    }
}

fn main() {
    let _ = GreeterService::new(Mine);
    let _: Option<GreeterClient> = None;
    let _: Option<GreeterBlockingClient> = None;
}
