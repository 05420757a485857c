//! Arguments that are nearly right.

use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    #[rpc(idempotnt)]
    async fn hello(&self, name: &str) -> String;
    #[rpc(timeout = 2)]
    async fn number(&self);
    #[rpc(timeout("2s"))]
    async fn parentheses(&self);
    #[rpc]
    async fn nothing(&self);
}

#[rpc_service("acme.v1")]
trait Unnamed {}

#[rpc_service(package = acme.v1)]
trait Unquoted {}

struct Mine;

impl Greeter for Mine {
    async fn hello(&self, name: &str) -> String {
        name.to_owned()
    }
    async fn number(&self) {}
    async fn parentheses(&self) {}
    async fn nothing(&self) {}
}

fn main() {
    let _ = GreeterService::new(Mine);
    let _: Option<GreeterClient> = None;
    let _: Option<GreeterBlockingClient> = None;
}
