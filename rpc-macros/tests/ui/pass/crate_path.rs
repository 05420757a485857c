//! The runtime under another name.

#![deny(warnings)]

mod framework {
    pub use ::rpc_runtime as rpc;
}

#[framework::rpc::rpc_service(crate = crate::framework::rpc)]
trait Renamed {
    async fn hello(&self, r: Result<u8, u8>) -> u8;
}

fn main() {
    let _ = RenamedClient::SERVICE;
}
