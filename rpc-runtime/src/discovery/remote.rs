//! Our registry server as a [`Registry`]: what `registry://host:port` looks services up in.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use crate::client::Channel;
use crate::discovery::server::to_wire;
use crate::discovery::{BoxFuture, Cursor, Instance, Lease, Registry, Renewal, Snapshot};
use crate::error::{Error, Result};
use crate::generated::registry::v1::RegistryClient;
use crate::transport::Address;

/// How long one watch waits at the registry.
const WATCH: Duration = Duration::from_secs(30);

/// Time for an answer beside the time that was asked for.
const ANSWER: Duration = Duration::from_secs(5);

/// The registry server at an address. Connects when it is first needed, and again when the connection is lost.
pub struct RemoteRegistry {
    place: Place,
    client: OnceLock<RegistryClient>,
}

/// Where the server is.
enum Place {
    At(Address),
    Over(Channel),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(address) => address.fmt(f),
            Self::Over(channel) => write!(f, "{channel:?}"),
        }
    }
}

impl RemoteRegistry {
    /// Makes it from an address such as `tcp://127.0.0.1:7400`.
    ///
    /// # Errors
    ///
    /// `invalid_argument` if the address names no single peer. That nobody answers there is no error: it may come.
    pub fn new(address: impl AsRef<str>) -> Result<Self> {
        // The form that consumers write is understood as well.
        let text = address.as_ref().replacen("registry://", "tcp://", 1);
        Ok(Self::at(Address::parse(&text)?))
    }

    pub(crate) fn at(address: Address) -> Self {
        Self {
            place: Place::At(address),
            client: OnceLock::new(),
        }
    }

    /// Asks over this channel: for a registry that is reached by TLS, or wants to know who asks.
    ///
    /// ```no_run
    /// # #[cfg(feature = "tls")]
    /// # async fn f() -> rpc_runtime::Result<()> {
    /// use rpc_runtime::discovery::RemoteRegistry;
    /// use rpc_runtime::{Channel, ClientTls, Token};
    ///
    /// let builder = Channel::builder()
    ///     .tls(ClientTls::from_file("ca.pem")?)
    ///     .token(Token::new("c2VjcmV0")?);
    /// let registry = RemoteRegistry::over(builder.connect("tls://registry.example:7400").await?);
    /// # Ok(()) }
    /// ```
    pub fn over(channel: Channel) -> Self {
        Self {
            place: Place::Over(channel),
            client: OnceLock::new(),
        }
    }

    /// Its calls are made once: whoever makes them has a loop of its own, and wants to hear at once that the registry is
    /// down.
    fn client(&self) -> &RegistryClient {
        self.client.get_or_init(|| {
            RegistryClient::new(match &self.place {
                Place::At(address) => Channel::lazy(address.clone()),
                Place::Over(channel) => channel.clone(),
            })
        })
    }

    /// Names of all services that have instances.
    ///
    /// # Errors
    ///
    /// `unavailable` if the registry cannot be reached.
    pub async fn names(&self) -> Result<Vec<String>> {
        Ok(self.client().names().timeout(ANSWER).no_retry().await?)
    }

    fn down(&self, error: impl Into<Error>) -> Error {
        let error = error.into();
        Error::new(
            error.kind(),
            format!(
                "the registry at {} does not answer: {}",
                self.place,
                error.message()
            ),
        )
        .with_execution(error.execution())
        .with_peer(self.place.to_string())
    }
}

impl Registry for RemoteRegistry {
    fn register<'a>(&'a self, instance: &'a Instance, ttl: Duration) -> BoxFuture<'a, Lease> {
        Box::pin(async move {
            let lease = self
                .client()
                .register(&to_wire(instance), ttl)
                .timeout(ANSWER)
                .no_retry()
                .await;
            lease.map(Lease::from).map_err(|error| self.down(error))
        })
    }

    fn renew<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Renewal> {
        Box::pin(async move {
            let known = self
                .client()
                .renew(&lease.clone().into())
                .timeout(ANSWER)
                .no_retry()
                .await
                .map_err(|error| self.down(error))?;
            Ok(if known {
                Renewal::Renewed
            } else {
                Renewal::Lost
            })
        })
    }

    fn deregister<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let outcome = self
                .client()
                .deregister(&lease.clone().into())
                .timeout(ANSWER)
                .no_retry()
                .await;
            outcome.map_err(|error| self.down(error))
        })
    }

    fn snapshot<'a>(&'a self, service: &'a str) -> BoxFuture<'a, Snapshot> {
        Box::pin(async move {
            let listing = self
                .client()
                .lookup(service)
                .timeout(ANSWER)
                .no_retry()
                .await;
            listing
                .map(Snapshot::from)
                .map_err(|error| self.down(error))
        })
    }

    fn changed<'a>(&'a self, service: &'a str, cursor: Cursor) -> BoxFuture<'a, Snapshot> {
        Box::pin(async move {
            let listing = self
                .client()
                .watch(service, cursor.0, WATCH)
                .timeout(WATCH + ANSWER)
                .no_retry()
                .await;
            listing
                .map(Snapshot::from)
                .map_err(|error| self.down(error))
        })
    }
}

impl fmt::Debug for RemoteRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteRegistry({})", self.place)
    }
}
