//! Serves and calls every method of the service that `build.rs` makes.

rpc_runtime::include_idl!();

use big::v1::*;

struct Store;

include!(concat!(env!("OUT_DIR"), "/uses.rs"));

fn answer<P, T>(parameters: P) -> T {
    drop(std::hint::black_box(parameters));
    made()
}

/// Never runs: what matters is that it compiles.
fn made<T>() -> T {
    std::hint::black_box(None).expect("nobody calls it")
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    if std::env::args().count() > 1 {
        let client = BigClient::new(rpc_runtime::Channel::local(BigService::new(Store)));
        call_all(&client).await;
    }
}
