//! A small shop: orders here, payment and warehouse in other processes, found by name through a registry.
//!
//! ```text
//! cargo run -p shop             # everything: starts its registry and its processes, ends by itself
//! cargo run -p shop -- --help
//! ```
//!
//! Placing an order is a local call. It calls payment and waits for it (a synchronous call), and the warehouse without
//! waiting (an asynchronous call whose answer changes the order later). In the middle one payment process is killed
//! with SIGKILL; orders go on, and the registry drops the instance when its lease has run out.

mod load;
mod orders;
mod payment;
mod process;
mod story;
mod warehouse;

rpc_runtime::include_idl!();

use std::env;

/// How to use the program.
const USAGE: &str = "\
A small shop: orders, payment and warehouse in separate processes, found through a registry.

usage: shop                                   the whole story; starts and stops everything by itself
       shop registry                          the registry alone; prints its address
       shop payment NAME REGISTRY             one payment process
       shop warehouse NAME REGISTRY           one warehouse process

example: shop payment payment-3 tcp://127.0.0.1:7400";

#[tokio::main]
async fn main() -> rpc_runtime::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [] => story::tell().await,
        ["registry"] => process::registry().await,
        ["payment", name, registry] => process::provider(payment::server(name), registry).await,
        ["warehouse", name, registry] => process::provider(warehouse::server(name), registry).await,
        ["--help" | "-h" | "help"] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => {
            eprintln!("{USAGE}");
            std::process::exit(2)
        }
    }
}
