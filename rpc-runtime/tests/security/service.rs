//! The service that is guarded, and shorthands for both ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rpc_runtime::{Channel, Context, Result, Server, Token, rpc_service};

/// Nothing in these tests waits on purpose; what takes this long hangs.
pub const LONG: Duration = Duration::from_secs(20);

#[rpc_service(package = "guarded.v1")]
pub trait Vault {
    /// Who the caller is, by the server's knowledge.
    async fn who(&self, context: &Context) -> String;
    async fn open(&self, weight: u64) -> u64;
    async fn close(&self);
    async fn put(&self, bytes: Vec<u8>) -> u64;
    #[rpc(oneway)]
    async fn ring(&self);
}

/// What a newer client believes that the vault can do.
#[allow(dead_code, reason = "nobody serves it, its client is what counts")]
pub mod newer {
    use rpc_runtime::rpc_service;

    #[rpc_service(package = "guarded.v1")]
    pub trait Vault {
        async fn explode(&self);
    }
}

#[derive(Clone, Default)]
pub struct Guarded {
    /// How many handlers have run.
    pub ran: Arc<AtomicU32>,
}

impl Guarded {
    pub fn ran(&self) -> u32 {
        self.ran.load(Ordering::SeqCst)
    }

    fn count(&self) {
        self.ran.fetch_add(1, Ordering::SeqCst);
    }
}

impl Vault for Guarded {
    async fn who(&self, context: &Context) -> String {
        self.count();
        match context.identity() {
            Some(identity) => identity.name().to_owned(),
            None => "nobody".to_owned(),
        }
    }

    async fn open(&self, weight: u64) -> u64 {
        self.count();
        weight
    }

    async fn close(&self) {
        self.count();
    }

    async fn put(&self, bytes: Vec<u8>) -> u64 {
        self.count();
        bytes.len() as u64
    }

    async fn ring(&self) {
        self.count();
    }
}

pub fn token(text: &str) -> Token {
    Token::new(text).unwrap()
}

/// A server with the vault, to be guarded.
pub fn vault(guarded: &Guarded) -> Server {
    Server::new().add(VaultService::new(guarded.clone()))
}

pub async fn with_token(address: &str, text: &str) -> Result<VaultClient> {
    let builder = Channel::builder().token(token(text));
    builder.connect(address).await.map(VaultClient::new)
}
