//! Everything that can be said about a channel before it connects.

use std::fmt;
use std::sync::Arc;

use tokio::runtime::Handle;

use crate::breaker::BreakerPolicy;
use crate::client::channel::Channel;
use crate::client::profile::Profile;
use crate::client::retry::{Retry, RetryPolicy};
use crate::descriptor::{Client, ServiceDescriptor};
use crate::discovery::Registry;
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::msgpack_rpc::{Spelling, Spoken};
use crate::security::{Credentials, Token, Wallet};
use crate::server::Skeleton;
use crate::server::router::Router;
use crate::transport::ClientSecurity;
use crate::transport::Transport;
#[cfg(feature = "tls")]
use crate::transport::tls::ClientTls;

/// Makes a channel with more than the defaults: limits, services that the peer may call back.
///
/// ```no_run
/// # async fn f() -> rpc_runtime::Result<()> {
/// use rpc_runtime::{Channel, Limits};
///
/// let limits = Limits { max_frame_bytes: 16 << 20, ..Limits::default() };
/// let channel = Channel::builder().limits(limits).connect("tcp://127.0.0.1:7000").await?;
/// // let greeter = GreeterClient::new(channel);
/// # Ok(()) }
/// ```
#[must_use = "a builder does nothing until it connects"]
#[derive(Default)]
pub struct ChannelBuilder {
    limits: Limits,
    exports: Router,
    retry: RetryPolicy,
    breaker: BreakerPolicy,
    transport: Option<Arc<dyn Transport>>,
    /// How the peers name methods, if they speak MessagePack-RPC.
    spelling: Option<Spelling>,
    security: ClientSecurity,
    wallet: Wallet,
    /// See `compress()`.
    compress: bool,
    /// The first mistake in building it, told when it connects.
    mistake: Option<Error>,
}

impl ChannelBuilder {
    /// Makes a builder with the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces the limits.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Announces that compressed bodies are read (LZ4), and compresses parameters and items of more than 4 KiB for peers
    /// that announce it as well, where they get smaller by it. Off unless asked for: it costs time on both sides, which pays
    /// on slow networks and for text only. `BlockingChannel` neither compresses nor reads what is compressed. Limits hold for
    /// what a body is without its compression.
    #[cfg(feature = "lz4")]
    pub fn compress(mut self, compress: bool) -> Self {
        self.compress = compress;
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

    /// Opens connections by this instead of the system's sockets.
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// Lets the peer call this service over the channel's connections. A call ID that is taken is told by
    /// [`ChannelBuilder::connect`].
    pub fn export(mut self, skeleton: impl Skeleton) -> Self {
        if let Err(error) = self.exports.add(Arc::new(skeleton)) {
            self.mistake.get_or_insert(error);
        }
        self
    }

    /// Speaks MessagePack-RPC to the peers: calls go by the method's bare name, errors are texts, and there are neither
    /// streams nor metadata. `msgpack-rpc+` before an address says the same; docs/msgpack-rpc.md tells the rest.
    pub fn msgpack_rpc(mut self) -> Self {
        self.spelling.get_or_insert_default();
        self
    }

    /// Speaks MessagePack-RPC to peers that name methods in another way than by the bare name.
    pub fn msgpack_rpc_spelling(mut self, spelling: Spelling) -> Self {
        self.spelling = Some(spelling);
        self
    }

    /// Says which servers are trusted at `tls://` addresses, and who this client is there. A mistake in it is told by
    /// [`ChannelBuilder::connect`].
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: ClientTls) -> Self {
        match ClientSecurity::new(&tls) {
            Ok(security) => self.security = security,
            Err(error) => drop(self.mistake.get_or_insert(error)),
        }
        self
    }

    /// Shows this token on every connection, in HELLO.
    ///
    /// It is sent over `tls://`, `unix://`, `mem://` and to this machine itself only. Over plain TCP to another one, where
    /// others can read it, connecting fails with `failed_precondition`.
    pub fn token(self, token: Token) -> Self {
        self.credentials(token)
    }

    /// The same with a token that is asked for anew for each connection.
    pub fn credentials(mut self, credentials: impl Credentials) -> Self {
        self.wallet = Wallet::new(credentials);
        self
    }

    /// Connects to an address that names one peer or a list; addresses that look a service up need
    /// [`ChannelBuilder::client`] or the service in the address.
    ///
    /// # Errors
    ///
    /// The address cannot be read, nobody answers there, or two exported methods have the same call ID.
    pub async fn connect(self, address: impl AsRef<str>) -> Result<Channel> {
        Channel::open(address.as_ref(), self.profile(None)?).await
    }

    /// A channel that connects when the first call is made: for servers that need each other, in whatever order they
    /// start. That call waits for the connection as long as it may take.
    ///
    /// # Errors
    ///
    /// The address cannot be read, there is no tokio runtime here, or two exported methods have the same call ID.
    pub fn lazy(self, address: impl AsRef<str>) -> Result<Channel> {
        Channel::unconnected(address.as_ref(), self.profile(None)?)
    }

    /// Connects to where the service of a generated client is, and gives that client.
    ///
    /// # Errors
    ///
    /// As [`ChannelBuilder::connect`], and if the registry knows no instance.
    pub async fn client<C: Client>(self, address: impl AsRef<str>) -> Result<C> {
        let profile = self.profile(Some(C::SERVICE))?;
        Channel::open(address.as_ref(), profile).await.map(C::from)
    }

    /// Calls the instances that a registry knows of a service, as [`Channel::discover`] does. Nothing is asked before the
    /// first call.
    ///
    /// # Errors
    ///
    /// There is a mistake in what was said before, or no tokio runtime here.
    pub fn discover(self, registry: impl Registry, service: impl Into<String>) -> Result<Channel> {
        let profile = Arc::new(self.profile(None)?);
        Handle::try_current().map_err(|_| Error::no_runtime())?;
        Ok(Channel::balanced(
            Arc::new(registry),
            service.into(),
            profile,
        ))
    }

    fn profile(self, service: Option<&'static ServiceDescriptor>) -> Result<Profile> {
        if let Some(mistake) = self.mistake {
            return Err(mistake);
        }
        let mut profile = Profile::new(self.limits, service);
        profile.retry = Retry::new(self.retry);
        profile.breaker = self.breaker;
        profile.transport = self.transport;
        profile.spoken = self
            .spelling
            .map(|spelling| Arc::new(Spoken::new(spelling)));
        profile.security = self.security;
        profile.wallet = self.wallet;
        profile.terms.compress = self.compress;
        if !self.exports.services().is_empty() {
            profile.exports = Some(Arc::new(self.exports));
        }
        Ok(profile)
    }
}

impl fmt::Debug for ChannelBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelBuilder")
            .field("exports", &self.exports)
            .finish_non_exhaustive()
    }
}
