//! What a program without the feature `registry` says of addresses that look a service up.
#![cfg(not(feature = "registry"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test a panic is the report"
)]

use rpc_runtime::{BlockingChannel, Channel, ErrorKind};

#[tokio::test]
async fn an_address_of_a_registry_names_the_feature_that_is_missing() {
    for address in [
        "registry://127.0.0.1:7400/acme.Shop",
        "file:///tmp/instances#acme.Shop",
    ] {
        let blocking =
            tokio::task::spawn_blocking(move || BlockingChannel::connect(address).map(drop));
        let outcomes = [
            Channel::connect(address).await.map(drop),
            blocking.await.unwrap(),
        ];
        for outcome in outcomes {
            let error = outcome.expect_err("no registries in this build");
            assert!(
                error.to_string().contains("features = [\"registry\"]"),
                "{error}"
            );
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        }
    }
}
