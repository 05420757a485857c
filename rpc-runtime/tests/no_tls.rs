//! What a program without the feature `tls` says of `tls://`.
#![cfg(not(feature = "tls"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test a panic is the report"
)]

use rpc_runtime::{BlockingChannel, Channel, ErrorKind, Server};

#[tokio::test]
async fn a_tls_address_names_the_feature_that_is_missing() {
    let address = "tls://127.0.0.1:7443";
    let blocking = tokio::task::spawn_blocking(move || BlockingChannel::connect(address).map(drop));
    let outcomes = [
        Channel::connect(address).await.map(drop),
        Channel::connect("list://tls://127.0.0.1:7443")
            .await
            .map(drop),
        Server::new().listen(address).await.map(drop),
        blocking.await.unwrap(),
    ];
    for outcome in outcomes {
        let error = outcome.expect_err("no TLS in this build");
        assert!(
            error.to_string().contains("features = [\"tls\"]"),
            "{error}"
        );
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    }
}
