//! What a caller may say about one call.

use std::sync::Arc;
use std::time::Duration;

use crate::client::retry::RetryPolicy;
use crate::error::Result;
use crate::metadata::Metadata;
use crate::security::Token;

/// Options of a call, for those who make many alike; a single call has the same as methods of [`Call`](crate::Call).
///
/// ```
/// use std::time::Duration;
/// use rpc_runtime::CallOptions;
///
/// let options = CallOptions::new().timeout(Duration::from_millis(200)).metadata("tenant", "blue")?;
/// # let _ = options;
/// # Ok::<(), rpc_runtime::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct CallOptions {
    pub(crate) timeout: Option<Timeout>,
    pub(crate) metadata: Metadata,
    pub(crate) idempotent: bool,
    pub(crate) retry: Option<Arc<RetryPolicy>>,
    pub(crate) token: Option<Token>,
}

/// How long a call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timeout {
    After(Duration),
    Never,
}

impl CallOptions {
    /// Makes options that change nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Limits the time of the call, attempts and connecting included. What is left of the context's time
    /// ([`Context::time_left`](crate::Context::time_left)) limits it too.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(Timeout::After(limit));
        self
    }

    /// Lets the call take for ever, unless it is made inside of a handler whose own time is limited.
    #[must_use]
    pub fn no_timeout(mut self) -> Self {
        self.timeout = Some(Timeout::Never);
        self
    }

    /// Sends an entry beside the parameters.
    ///
    /// # Errors
    ///
    /// If the key is none; see [`Metadata`].
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Result<Self> {
        self.metadata.insert(key, value)?;
        Ok(self)
    }

    /// Shows this token with the call (metadata key `authorization`), instead of the connection's. It is sent where
    /// [`ChannelBuilder::token`](crate::ChannelBuilder::token) sends one, else the call fails with
    /// `failed_precondition`.
    #[must_use]
    pub fn token(mut self, token: Token) -> Self {
        self.token = Some(token);
        self
    }

    /// Says that this call may run twice, although its definition does not say so.
    #[must_use]
    pub fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// Replaces the channel's [`RetryPolicy`] for this call, all but its budget.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = Some(Arc::new(policy));
        self
    }

    /// Makes one attempt: whatever fails, the call fails with it at once.
    #[must_use]
    pub fn no_retry(self) -> Self {
        self.retry(RetryPolicy::none())
    }
}
