//! Who is calling, as far as the server knows.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// What vouches for an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IdentityKind {
    /// A SPIFFE ID (`spiffe://…`) among the names of a certificate that was verified.
    Spiffe,
    /// A DNS name among the names of a certificate that was verified.
    Dns,
    /// Credentials that the server's [`Authenticator`](crate::Authenticator) has accepted.
    Credentials,
}

/// Who is calling: a name, and what vouches for it.
///
/// Handlers find it at [`Context::identity`](crate::Context::identity), rules at
/// [`Access::identity`](crate::Access::identity). Two identities are equal if kind and name are: a certificate for the
/// DNS name `admin` is not the holder of the token that was given the name `admin`.
#[derive(Clone)]
pub struct Identity {
    inner: Arc<Inner>,
}

struct Inner {
    kind: IdentityKind,
    name: String,
    until: Option<Instant>,
}

impl Identity {
    /// Makes one for credentials that were accepted; for an [`Authenticator`](crate::Authenticator).
    pub fn new(name: impl Into<String>) -> Self {
        Self::of(IdentityKind::Credentials, name.into())
    }

    pub(crate) fn of(kind: IdentityKind, name: String) -> Self {
        let until = None;
        Self {
            inner: Arc::new(Inner { kind, name, until }),
        }
    }

    /// Lets it end after this time; calls are refused as `unauthenticated` from then on. The clock that is watched
    /// cannot be set.
    #[must_use]
    pub fn valid_for(self, time: Duration) -> Self {
        let until = Instant::now().checked_add(time);
        let (kind, name) = (self.inner.kind, self.inner.name.clone());
        Self {
            inner: Arc::new(Inner { kind, name, until }),
        }
    }

    /// Lets it end at this time, as [`Identity::valid_for`] with what is left until then; at once if it has passed.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "credentials are good until a date: turned into a length of time once, when they are shown"
    )]
    pub fn valid_until(self, end: SystemTime) -> Self {
        let left = end.duration_since(SystemTime::now()).unwrap_or_default();
        self.valid_for(left)
    }

    /// What vouches for it.
    pub fn kind(&self) -> IdentityKind {
        self.inner.kind
    }

    /// The name, such as `spiffe://example.org/billing`, `billing.example.org`, or what the authenticator said.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Whether its time is over.
    pub fn is_expired(&self) -> bool {
        self.inner
            .until
            .is_some_and(|until| until <= Instant::now())
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.inner.kind == other.inner.kind && self.inner.name == other.inner.name
    }
}

impl Eq for Identity {}

impl fmt::Display for Identity {
    /// The name, with control characters escaped: it may come from a stranger and go into a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.inner.name.escape_debug())
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({:?})", self.inner.kind, self.inner.name)
    }
}
