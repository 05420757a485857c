//! A trait whose name says that it is a service.

#![deny(warnings)]

#[rpc_runtime::rpc_service(name = "Users")]
pub(crate) trait UserService {
    async fn count(&self) -> u64;
}

struct Mine;

impl UserService for Mine {
    async fn count(&self) -> u64 {
        1
    }
}

#[tokio::main]
async fn main() {
    let client = UserServiceClient::new(rpc_runtime::Channel::local(UserServiceServer::from_arc(std::sync::Arc::new(Mine))));
    assert_eq!(client.count().await.unwrap(), 1);
    assert_eq!(UserServiceClient::SERVICE.name, "Users");
}
