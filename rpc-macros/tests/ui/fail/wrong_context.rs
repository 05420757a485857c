//! A context in the wrong form.

use rpc_runtime::{Context, rpc_service};

#[rpc_service]
trait Greeter {
    async fn owned(&self, context: rpc_runtime::Context);
    async fn mutable(&self, context: &mut Context);
    async fn optional(&self, context: Option<&Context>);
}

struct Mine;

impl Greeter for Mine {
    async fn owned(&self, _context: Context) {}
    async fn mutable(&self, _context: &mut Context) {}
    async fn optional(&self, _context: Option<&Context>) {}
}

fn main() {
    let _ = GreeterService::new(Mine);
    let _: Option<GreeterClient> = None;
    let _: Option<GreeterBlockingClient> = None;
}
