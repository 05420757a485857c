//! Where a client's token comes from: asked anew for each connection, so that it can change.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::security::Token;

/// Gives the token for a connection that is about to be used.
///
/// It is asked for every connection, the first one and those after a loss or after the server has said that the
/// credentials have expired. A [`Token`] is one that never changes; a closure may read a file or ask somebody:
///
/// ```
/// use rpc_runtime::{Channel, Error, ErrorKind, Token};
///
/// let builder = Channel::builder().credentials(async || {
///     let text = std::fs::read_to_string("/run/secrets/token")
///         .map_err(|error| Error::new(ErrorKind::Unauthenticated, format!("no token: {error}")))?;
///     Token::new(text.trim())
/// });
/// # let _ = builder;
/// ```
pub trait Credentials: Send + Sync + 'static {
    /// The token as it is now. Dropped when the time for connecting is up.
    ///
    /// # Errors
    ///
    /// There is none: the connection is given up with this error.
    fn token(&self) -> impl Future<Output = Result<Token>> + Send;
}

impl Credentials for Token {
    async fn token(&self) -> Result<Token> {
        Ok(self.clone())
    }
}

impl<F, Answer> Credentials for F
where
    F: Fn() -> Answer + Send + Sync + 'static,
    Answer: Future<Output = Result<Token>> + Send,
{
    fn token(&self) -> impl Future<Output = Result<Token>> + Send {
        self()
    }
}

type Giving<'a> = Pin<Box<dyn Future<Output = Result<Token>> + Send + 'a>>;

trait AnyCredentials: Send + Sync {
    fn ask(&self) -> Giving<'_>;
}

impl<C: Credentials> AnyCredentials for C {
    fn ask(&self) -> Giving<'_> {
        Box::pin(self.token())
    }
}

/// What a channel shows of itself, if anything.
#[derive(Clone, Default)]
pub(crate) struct Wallet {
    source: Option<Arc<dyn AnyCredentials>>,
}

impl Wallet {
    pub(crate) fn new(credentials: impl Credentials) -> Self {
        Self {
            source: Some(Arc::new(credentials)),
        }
    }

    /// The token for a connection to this peer.
    ///
    /// # Errors
    ///
    /// `failed_precondition` where others could read it on the way, or what the source says.
    pub(crate) async fn token(&self, peer: &str, is_private: bool) -> Result<Option<Token>> {
        let Some(source) = &self.source else {
            return Ok(None);
        };
        if !is_private {
            return Err(not_here(peer));
        }
        source.ask().await.map(Some)
    }
}

/// A token is not sent where others could read it.
pub(crate) fn not_here(peer: &str) -> Error {
    let text = format!(
        "the token is not sent to {peer}: others could read it on the way; use tls:// (or a Unix socket, or the same machine)"
    );
    Error::new(ErrorKind::FailedPrecondition, text).with_peer(peer)
}

impl fmt::Debug for Wallet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.source.is_some() {
            "Wallet(…)"
        } else {
            "Wallet"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_token_is_not_even_asked_for_where_others_could_read_it() {
        let never = || async { panic!("nobody may ask") };
        let wallet = Wallet::new(never);
        let error = wallet.token("tcp://10.1.2.3:4", false).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FailedPrecondition);
        assert!(
            error.to_string().contains("not sent to tcp://10.1.2.3:4"),
            "{error}"
        );
        let wallet = Wallet::new(Token::new("x").unwrap());
        assert!(
            wallet
                .token("tls://10.1.2.3:4", true)
                .await
                .unwrap()
                .is_some()
        );
    }
}
