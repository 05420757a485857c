//! A value that stays on its thread.

use std::rc::Rc;

use rpc_runtime::rpc_service;

#[rpc_service]
trait Greeter {
    fn hello(&self, name: Rc<String>) -> Option<Rc<u8>>;
}

struct Mine;

impl Greeter for Mine {
    fn hello(&self, _name: Rc<String>) -> Option<Rc<u8>> {
        None
    }
}

fn main() {
    let _ = GreeterService::new(Mine);
    let _: Option<GreeterClient> = None;
    let _: Option<GreeterBlockingClient> = None;
}
