//! A trait that comes out of `macro_rules`.

#![deny(warnings)]

macro_rules! service {
    ($name:ident, $method:ident, $ty:ty) => {
        #[rpc_runtime::rpc_service]
        trait $name {
            async fn $method(&self, value: $ty, list: &[$ty]) -> $ty;
        }
    };
}

service!(Made, make, Vec<u8>);

struct Mine;

impl Made for Mine {
    async fn make(&self, value: Vec<u8>, list: &[Vec<u8>]) -> Vec<u8> {
        assert_eq!(list.len(), 1);
        value
    }
}

#[tokio::main]
async fn main() {
    let client = MadeClient::new(rpc_runtime::Channel::local(MadeService::new(Mine)));
    assert_eq!(client.make(vec![1], &[vec![2]]).await.unwrap(), [1]);
}
