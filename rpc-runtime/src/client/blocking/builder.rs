//! Everything that can be said about a blocking channel before it connects.

use std::fmt;
use std::sync::Arc;

use crate::breaker::BreakerPolicy;
use crate::client::blocking::BlockingChannel;
use crate::client::retry::RetryPolicy;
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::security::{Token, not_here};
use crate::transport::ClientSecurity;
#[cfg(feature = "tls")]
use crate::transport::tls::ClientTls;

/// Makes a blocking channel with more than the defaults; the brother of [`ChannelBuilder`](crate::ChannelBuilder).
///
/// ```no_run
/// # fn f() -> rpc_runtime::Result<()> {
/// use rpc_runtime::{BlockingChannel, Limits};
///
/// let limits = Limits { max_frame_bytes: 16 << 20, ..Limits::default() };
/// let channel = BlockingChannel::builder().limits(limits).connect("tcp://127.0.0.1:7000")?;
/// // let greeter = GreeterBlockingClient::new(channel);
/// # Ok(()) }
/// ```
#[must_use = "a builder does nothing until it connects"]
#[derive(Default)]
pub struct BlockingChannelBuilder {
    pub(super) limits: Limits,
    pub(super) own: Own,
    pub(super) retry: RetryPolicy,
    pub(super) breaker: BreakerPolicy,
    /// The first mistake in building it, told when it connects.
    mistake: Option<Error>,
}

/// What a blocking channel trusts, and shows of itself.
#[derive(Default)]
pub(super) struct Own {
    pub(super) security: ClientSecurity,
    source: Option<Arc<dyn Fn() -> Result<Token> + Send + Sync>>,
}

impl Own {
    /// The token for a connection to this peer.
    ///
    /// # Errors
    ///
    /// `failed_precondition` where others could read it on the way, or what the source says.
    pub(super) fn token(&self, peer: &str, is_private: bool) -> Result<Option<Token>> {
        match &self.source {
            None => Ok(None),
            Some(_) if !is_private => Err(not_here(peer)),
            Some(source) => source().map(Some),
        }
    }
}

impl BlockingChannelBuilder {
    /// Makes a builder with the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces the limits.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Replaces the policy by which failed calls are repeated.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Replaces the policy by which addresses are left alone where most calls fail.
    pub fn breaker(mut self, policy: BreakerPolicy) -> Self {
        self.breaker = policy;
        self
    }

    /// Says which servers are trusted at `tls://` addresses, and who this client is there. A mistake in it is told by
    /// [`BlockingChannelBuilder::connect`].
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: ClientTls) -> Self {
        match ClientSecurity::new(&tls) {
            Ok(security) => self.own.security = security,
            Err(error) => drop(self.mistake.get_or_insert(error)),
        }
        self
    }

    /// Shows this token on every connection, where [`ChannelBuilder::token`](crate::ChannelBuilder::token) does.
    pub fn token(self, token: Token) -> Self {
        self.credentials(move || Ok(token.clone()))
    }

    /// The same with a token that is asked for anew for each connection, on the thread that calls.
    pub fn credentials(
        mut self,
        source: impl Fn() -> Result<Token> + Send + Sync + 'static,
    ) -> Self {
        self.own.source = Some(Arc::new(source));
        self
    }

    /// Connects to an address that names one peer, a list, or a registry with the service in the address.
    ///
    /// # Errors
    ///
    /// The address cannot be read, or nobody answers there.
    pub fn connect(mut self, address: impl AsRef<str>) -> Result<BlockingChannel> {
        match self.mistake.take() {
            Some(mistake) => Err(mistake),
            None => BlockingChannel::open(address.as_ref(), None, self),
        }
    }
}

impl fmt::Debug for BlockingChannelBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockingChannelBuilder")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
