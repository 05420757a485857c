//! The attribute on something that is no trait.

use rpc_runtime::rpc_service;

#[rpc_service]
struct Greeter;

#[rpc_service]
fn greet() {}

fn main() {
    let _ = Greeter;
    greet();
}
