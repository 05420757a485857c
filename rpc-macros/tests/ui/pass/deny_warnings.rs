//! Generated code gives no warning, however strict the crate is.

#![deny(warnings, missing_docs, unreachable_pub, unused_qualifications, rust_2018_idioms, elided_lifetimes_in_paths)]
#![deny(missing_debug_implementations, single_use_lifetimes, trivial_casts, unused_lifetimes, let_underscore_drop)]

use rpc_runtime::{Context, rpc_service};

/// A service.
#[rpc_service(package = "acme.v1", version = "1.2")]
trait Strict {
    /// Documented.
    #[rpc(idempotent, timeout = "2s", on_cancel = "finish")]
    async fn hello(&self, context: &Context, name: &str, times: Option<u8>) -> Result<String, u32>;
    /// Nothing comes back.
    #[rpc(oneway)]
    async fn touch(&self, items: &[u64]);
    /// Old.
    #[deprecated(since = "1.0", note = "use hello")]
    async fn old(&self, bytes: &[u8], text: Option<&str>) -> Vec<u8>;
    /// On the blocking pool.
    fn sync(&self) -> u8;
}

struct Mine;

impl Strict for Mine {
    async fn hello(&self, _context: &Context, name: &str, _times: Option<u8>) -> Result<String, u32> {
        Ok(name.to_owned())
    }
    async fn touch(&self, _items: &[u64]) {}
    async fn old(&self, bytes: &[u8], _text: Option<&str>) -> Vec<u8> {
        bytes.to_vec()
    }
    fn sync(&self) -> u8 {
        7
    }
}

#[tokio::main]
async fn main() {
    let client = StrictClient::new(rpc_runtime::Channel::local(StrictService::new(Mine)));
    assert_eq!(client.hello("x", None).await.unwrap(), "x");
    assert_eq!(client.sync().await.unwrap(), 7);
}
