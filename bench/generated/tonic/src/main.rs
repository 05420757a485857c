//! Serves and calls every method of the service that `build.rs` makes.

mod big {
    tonic::include_proto!("big.v1");
}

use big::*;

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
        let router = tonic::transport::Server::builder().add_service(big_server::BigServer::new(Store));
        drop(router);
        let mut client = big_client::BigClient::connect("http://127.0.0.1:1").await.expect("nobody is there");
        call_all(&mut client).await;
    }
}
