//! A service inside of a function.

#![deny(warnings)]

#[tokio::main]
async fn main() {
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Local(u8);

    #[rpc_runtime::rpc_service]
    trait Inner {
        async fn twice(&self, value: Local) -> Local;
    }

    struct Mine;

    impl Inner for Mine {
        async fn twice(&self, value: Local) -> Local {
            Local(value.0 * 2)
        }
    }

    let client = InnerClient::new(rpc_runtime::Channel::local(InnerService::new(Mine)));
    assert_eq!(client.twice(Local(2)).await.unwrap(), Local(4));
}
