//! Listens on addresses, accepts for ever, and stops in order.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, yield_now};
use tokio::time::sleep;

use crate::descriptor::ServiceDescriptor;
use crate::discovery::{Advertised, Provider, Registering, Registry};
use crate::error::{Error, ErrorKind, Result};
use crate::health::Board;
use crate::limits::Limits;
use crate::link::{self, Link, Terms};
use crate::msgpack_rpc::{Door, ErrorForm, Names};
use crate::reflection;
use crate::security::{Authenticator, Rule};
use crate::server::router::{Router, Skeleton};
use crate::server::shutdown::{keep, send_away};
use crate::task::{self, Work, boxed};
#[cfg(feature = "tls")]
use crate::transport::tls::ServerTls;
use crate::transport::{Address, Io, Listener, ServerSecurity, Transport};
use crate::wire::frame::GoAwayReason;

/// Pause of the accept loop when the system has no more sockets; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Most connections beyond `Limits::max_handshaking` that are told so at once. Each takes a task and 4 KiB, for two seconds if it
/// is silent: enough for clients that come in a herd, and little for a flood.
const TOLD_AT_ONCE: u32 = 64;

/// What is to be served, before it listens.
///
/// ```
/// # use rpc_runtime::Server;
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> rpc_runtime::Result<()> {
/// let mut serving = Server::new().listen("tcp://127.0.0.1:0").await?;
/// serving.listen("mem://docs").await?;
/// assert!(serving.address().starts_with("tcp://127.0.0.1:"));
/// # Ok(()) }
/// ```
#[must_use = "a server does nothing until it listens"]
#[derive(Default)]
pub struct Server {
    router: Router,
    limits: Limits,
    /// The first mistake in building it, told when it listens.
    mistake: Option<Error>,
    registries: Vec<Registering>,
    advertised: Advertised,
    propagation: Option<Duration>,
    transport: Option<Arc<dyn Transport>>,
    second_door: SecondDoor,
    security: ServerSecurity,
    /// See `compress()`.
    compress: bool,
}

/// Whether and how MessagePack-RPC is served on addresses that are opened from now on.
#[derive(Clone, Copy)]
struct SecondDoor {
    open: bool,
    form: ErrorForm,
}

impl Default for SecondDoor {
    fn default() -> Self {
        Self {
            open: true,
            form: ErrorForm::default(),
        }
    }
}

/// A server that listens. It stops when this is dropped: at once, without waiting for calls; see
/// [`Serving::shutdown`].
#[must_use = "dropping it stops the server: keep it, and `.wait().await` to serve for ever"]
pub struct Serving {
    pub(super) shared: Arc<Shared>,
    addresses: Vec<String>,
    pub(super) acceptors: Vec<JoinHandle<()>>,
    pub(super) providers: Vec<Provider>,
    registries: Vec<Registering>,
    advertised: Advertised,
    pub(super) propagation: Option<Duration>,
    transport: Option<Arc<dyn Transport>>,
    second_door: SecondDoor,
    pub(super) stopped: watch::Sender<bool>,
}

pub(super) struct Shared {
    router: Arc<Router>,
    /// What MessagePack-RPC peers may call, by name.
    names: Arc<Names>,
    pub(super) security: ServerSecurity,
    pub(super) health: Board,
    pub(super) terms: Terms,
    /// Connections of each IP address, where they are counted.
    by_ip: Mutex<HashMap<IpAddr, u32>>,
    links: Mutex<HashMap<u64, Arc<Link>>>,
    next_link: AtomicU64,
    connections: AtomicU32,
    handshaking: AtomicU32,
    /// Connections that are told that there are too many handshakes.
    turning_away: AtomicU32,
    /// A handshake has ended, one way or the other.
    shaken: Notify,
    /// Health: no shutdown has begun.
    pub(super) ready: watch::Sender<bool>,
    /// Clients are told to go elsewhere, new ones too.
    pub(super) leaving: AtomicBool,
    /// No more connections are accepted once those that wait have been.
    pub(super) closing: watch::Sender<bool>,
    /// Everything is closed.
    pub(super) stopping: AtomicBool,
}

impl Server {
    /// Makes a server with the default [`Limits`] and no services but the built-in reflection and health.
    pub fn new() -> Self {
        Self::default()
    }

    /// Mounts a service. A call ID that is taken is told by [`Server::listen`].
    #[expect(
        clippy::should_implement_trait,
        reason = "adding a service is no addition of numbers"
    )]
    pub fn add(mut self, skeleton: impl Skeleton) -> Self {
        if let Err(error) = self.router.add(Arc::new(skeleton)) {
            self.mistake.get_or_insert(error);
        }
        self
    }

    /// Replaces the limits.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the certificate for `tls://` addresses, and whom it takes as clients there. A mistake in it is told by
    /// [`Server::listen`]. [`Serving::reload_tls`] replaces it later.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: ServerTls) -> Self {
        if let Err(error) = self.security.set(&tls) {
            self.mistake.get_or_insert(error);
        }
        self
    }

    /// Announces that compressed bodies are read (LZ4), and compresses results and items of more than 4 KiB for peers
    /// that announce it as well, where they get smaller by it. Off unless asked for: it costs time on both sides, which pays
    /// on slow networks and for text only. `BlockingChannel` neither compresses nor reads what is compressed. Limits hold for
    /// what a body is without its compression.
    #[cfg(feature = "lz4")]
    pub fn compress(mut self, compress: bool) -> Self {
        self.compress = compress;
        self
    }

    /// Says who callers are. Without this, whoever shows a certificate that was verified is whom it is for, and everybody
    /// else is nobody.
    pub fn authenticate(mut self, authenticator: impl Authenticator) -> Self {
        self.router.guard_mut().authenticate(authenticator);
        self
    }

    /// Says who may call what. The target is a service (`package.Service`), one of its methods
    /// (`package.Service/method`), or everything (`*`).
    ///
    /// As soon as there is one rule, **whatever no rule allows is refused**, reflection and health included. Several rules
    /// for the same target are alternatives, of which one that denies is the last word. What is said of a method replaces
    /// what is said of its service, and that what is said of everything. Rules look at call IDs, before anything of a call
    /// is decoded. A target that is not mounted is told by [`Server::listen`].
    ///
    /// ```
    /// use rpc_runtime::{Rule, Server};
    ///
    /// let server = Server::new()
    ///     // .add(ShopService::new(shop))
    ///     .rule("*", Rule::authenticated())
    ///     .rule("rpc.reflection.v1.Reflection", Rule::spiffe("spiffe://example.org/admin"));
    /// # let _ = server;
    /// ```
    pub fn rule(mut self, target: impl Into<String>, rule: Rule) -> Self {
        self.router.guard_mut().rule(target.into(), rule);
        self
    }

    /// Registers every mounted service, for each address it listens on, in this registry: as long as it listens, and
    /// again whenever the registry has lost it. A registry that is down delays nothing.
    pub fn register(mut self, registry: impl Registry) -> Self {
        self.registries.push(Registering::new(registry));
        self
    }

    /// Sets what the registry is told instead of the address listened on: needed behind a port mapping, and for
    /// `tcp://0.0.0.0`, which nobody can call.
    pub fn advertise(mut self, address: impl Into<String>) -> Self {
        self.advertised.address = Some(address.into());
        self
    }

    /// Sets how long a registry believes in this server without a word from it: 15 s unless said otherwise, renewed
    /// three times in that time. Shorter finds a dead process sooner and costs more messages.
    pub fn lease(mut self, time: Duration) -> Self {
        self.advertised.lease = time;
        self
    }

    /// Sets how long a shutdown goes on serving after it has left the registries, before it tells its clients: as long
    /// as consumers, and load balancers that ask for its health, may take to notice. 1 s if it is registered anywhere,
    /// else nothing.
    pub fn propagation(mut self, time: Duration) -> Self {
        self.propagation = Some(time);
        self
    }

    /// Listens by this instead of the system's sockets.
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// Serves peers that speak MessagePack-RPC on the same addresses (that is so unless `false` is given here), or
    /// refuses them; docs/msgpack-rpc.md tells what they may call and how.
    pub fn msgpack_rpc(mut self, serve: bool) -> Self {
        self.second_door.open = serve;
        self
    }

    /// Sets how MessagePack-RPC peers are told errors: as one string, unless said otherwise. An address that needs
    /// another form is opened after [`Serving::msgpack_rpc_errors`].
    pub fn msgpack_rpc_errors(mut self, form: ErrorForm) -> Self {
        self.second_door.form = form;
        self
    }

    /// Opens an address: `tcp://host:port` (port 0 takes a free one), `tls://host:port`, `unix:///path` or
    /// `mem://name`.
    ///
    /// # Errors
    ///
    /// The address cannot be read or opened, or two mounted methods have the same call ID.
    pub async fn listen(self, address: impl AsRef<str>) -> Result<Serving> {
        self.start(address.as_ref().to_owned()).await
    }

    fn start(self, address: String) -> Work<'static, Result<Serving>> {
        boxed(async move {
            let mut serving = self.build()?;
            serving.open(&address).await?;
            Ok(serving)
        })
    }

    /// Everything but an address.
    fn build(mut self) -> Result<Serving> {
        let health = Board::new(self.router.services());
        self.router.add(Arc::new(health.skeleton()))?;
        self.router
            .add(Arc::new(reflection::skeleton(self.router.services())))?;
        self.router.close()?;
        if let Some(mistake) = self.mistake {
            return Err(mistake);
        }
        let shared = Shared {
            names: Arc::new(Names::of(&self.router)),
            router: Arc::new(self.router),
            security: self.security,
            health,
            terms: Terms {
                compress: self.compress,
                ..Terms::new(self.limits)
            },
            by_ip: Mutex::default(),
            links: Mutex::default(),
            next_link: AtomicU64::new(0),
            connections: AtomicU32::new(0),
            handshaking: AtomicU32::new(0),
            turning_away: AtomicU32::new(0),
            shaken: Notify::new(),
            ready: watch::Sender::new(true),
            leaving: AtomicBool::new(false),
            closing: watch::Sender::new(false),
            stopping: AtomicBool::new(false),
        };
        Ok(Serving {
            shared: Arc::new(shared),
            addresses: Vec::new(),
            acceptors: Vec::new(),
            providers: Vec::new(),
            registries: self.registries,
            advertised: self.advertised,
            propagation: self.propagation,
            transport: self.transport,
            second_door: self.second_door,
            stopped: watch::Sender::new(false),
        })
    }
}

impl Serving {
    /// Serves or refuses MessagePack-RPC on addresses that are opened after this; see [`Server::msgpack_rpc`].
    pub fn msgpack_rpc(&mut self, serve: bool) {
        self.second_door.open = serve;
    }

    /// Sets how MessagePack-RPC peers are told errors on addresses that are opened after this.
    pub fn msgpack_rpc_errors(&mut self, form: ErrorForm) {
        self.second_door.form = form;
    }

    /// Opens a further address; returns it with its real port.
    ///
    /// # Errors
    ///
    /// As [`Server::listen`], and after [`Serving::shutdown`].
    pub async fn listen(&mut self, address: impl AsRef<str>) -> Result<String> {
        self.open(address.as_ref()).await
    }

    fn open<'a>(&'a mut self, address: &'a str) -> Work<'a, Result<String>> {
        boxed(self.opened(address))
    }

    async fn opened(&mut self, address: &str) -> Result<String> {
        let address = Address::parse(address)?;
        Handle::try_current().map_err(|_| Error::no_runtime())?;
        if !self.is_ready() {
            return Err(Error::new(
                ErrorKind::FailedPrecondition,
                "this server was shut down; make another one",
            ));
        }
        self.shared.security.check(&address)?;
        let patience = self.shared.terms.limits.write_stall_timeout;
        let (listener, real) = Listener::bind(self.transport.as_ref(), &address, patience).await?;
        let is_tls = matches!(real, Address::Tls(_));
        let text = real.to_string();
        for registry in &self.registries {
            let providers = registry.start(&self.advertised, &text, self.services())?;
            self.providers.extend(providers);
        }
        let router = match self.second_door {
            SecondDoor { open: false, .. } => self.shared.router.clone(),
            SecondDoor { form, .. } => Arc::new(self.shared.router.with_door(Door {
                names: self.shared.names.clone(),
                form,
                spoken: Arc::default(),
            })),
        };
        let accepting = accept_loop(self.shared.clone(), router, listener, is_tls);
        self.acceptors.push(task::spawn(accepting));
        self.addresses.push(text.clone());
        Ok(text)
    }

    /// Replaces the certificate, the CAs of clients and the revocation lists: handshakes that begin from now on use
    /// the new ones, open connections go on as they are.
    ///
    /// # Errors
    ///
    /// `invalid_argument` if the new configuration cannot be used; the old one stays.
    #[cfg(feature = "tls")]
    pub fn reload_tls(&self, tls: &ServerTls) -> Result<()> {
        self.shared.security.set(tls)
    }

    /// The first address, with its real port: what a client connects to.
    pub fn address(&self) -> &str {
        &self.addresses[0]
    }

    /// All addresses, in the order they were opened.
    pub fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// The call-ID tables of everything that is mounted.
    pub fn services(&self) -> &[&'static ServiceDescriptor] {
        self.shared.router.services()
    }

    /// Says whether a service takes calls, for those who ask by [`health`](crate::health): its full name, or an empty
    /// one for the server as a whole. Everything does at first. It is what is told, no more: calls are served all the
    /// same. From [`Serving::shutdown`] on nothing takes calls, whatever is set here.
    ///
    /// # Errors
    ///
    /// `invalid_argument` if no such service is mounted.
    pub fn set_serving(&self, service: &str, serves: bool) -> Result<()> {
        self.shared.health.set(service, serves)
    }

    /// Number of connections that are open now.
    pub fn connections(&self) -> usize {
        self.shared.links().len()
    }

    /// Waits until [`Serving::shutdown`] has ended. Dropping the future does nothing.
    pub async fn wait(&self) {
        let mut stopped = self.stopped.subscribe();
        // The sender lives in `self`, so this cannot fail.
        let _ = stopped.wait_for(|stopped| *stopped).await;
    }

    /// Whether it takes calls and means to go on: `false` as soon as a shutdown has begun. For health checks.
    pub fn is_ready(&self) -> bool {
        *self.shared.ready.borrow()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    pub(super) fn links(&self) -> MutexGuard<'_, HashMap<u64, Arc<Link>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn by_ip(&self) -> MutexGuard<'_, HashMap<IpAddr, u32>> {
        self.by_ip.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The open connections, in the order in which they came.
    pub(super) fn every_link(&self) -> Vec<Arc<Link>> {
        let links = self.links();
        let mut numbers: Vec<u64> = links.keys().copied().collect();
        numbers.sort_unstable();
        let each = numbers.iter().filter_map(|number| links.get(number));
        each.cloned().collect()
    }

    /// Waits until no handshake is under way, and whoever is sent away was told.
    pub(super) async fn handshakes_over(&self) {
        loop {
            let shaken = self.shaken.notified();
            tokio::pin!(shaken);
            shaken.as_mut().enable();
            if self.handshaking.load(Ordering::Acquire) == 0 {
                return;
            }
            shaken.await;
        }
    }
}

/// Accepts until the server goes; whatever goes wrong with one connection is that connection's affair.
async fn accept_loop(
    shared: Arc<Shared>,
    router: Arc<Router>,
    mut listener: Listener,
    is_tls: bool,
) {
    let mut pause = FIRST_PAUSE;
    let mut closing = shared.closing.subscribe();
    while !*closing.borrow() {
        let accepted = {
            let mut accept = pin!(listener.accept());
            let mut closed = pin!(closing.wait_for(|closing| *closing));
            poll_fn(|cx| match accept.as_mut().poll(cx) {
                Poll::Ready(accepted) => Poll::Ready(Some(accepted)),
                Poll::Pending => closed.as_mut().poll(cx).map(|_| None),
            })
            .await
        };
        match accepted {
            Some(Ok(io)) => {
                pause = FIRST_PAUSE;
                take_in(&shared, &router, io, is_tls);
            }
            // The peer hung up before we came to it.
            Some(Err(error)) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            // Out of file descriptors or memory: what is open goes on, and somebody will close one.
            Some(Err(_)) => {
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            None => break,
        }
    }
    // Those that have connected by now are known to the system, perhaps not yet to us.
    for _ in 0..3 {
        yield_now().await;
        while let Some(Ok(io)) = at_once(listener.accept()).await {
            take_in(&shared, &router, io, is_tls);
        }
    }
}

/// What a future has to say without waiting.
async fn at_once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

fn take_in(shared: &Arc<Shared>, router: &Arc<Router>, io: Io, is_tls: bool) {
    let limit = shared.terms.limits.max_handshaking;
    let Some(handshaking) = Counted::below(limit, shared, |shared| &shared.handshaking) else {
        return tell_crowd(shared, io, is_tls);
    };
    let (shared, router) = (shared.clone(), router.clone());
    task::spawn(async move {
        let place = Place::take(&shared, &io.peer);
        // Also for those who cannot stay: without TLS they could not be told why. What that costs is bounded by the number of
        // handshakes at once.
        let io = if is_tls {
            match link::secure(io, &shared.terms.limits, &shared.security).await {
                Ok(io) => io,
                Err(error) => {
                    let audit = shared.router.guard().audit();
                    return audit.warn(format_args!("{}", error.message()));
                }
            }
        } else {
            io
        };
        let _place = match place {
            Ok(place) => place,
            Err(text) => {
                return link::turn_away(io, &shared.terms.limits, GoAwayReason::Limit, &text).await;
            }
        };
        if shared.leaving.load(Ordering::Acquire) {
            return send_away(io, &shared).await;
        }
        let accepted = link::accept(io, shared.terms.clone(), router).await;
        let Ok(link) = accepted else { return };
        let number = shared.next_link.fetch_add(1, Ordering::Relaxed);
        shared.links().insert(number, link.clone());
        drop(handshaking);
        keep(&shared, &link).await;
        shared.links().remove(&number);
    });
}

/// Tells a connection that there are too many handshakes. Where that would take a handshake, or where many are being told
/// already, it is closed without a word: dropping does it.
fn tell_crowd(shared: &Arc<Shared>, io: Io, is_tls: bool) {
    if is_tls {
        return;
    }
    let Some(place) = Counted::below(TOLD_AT_ONCE, shared, |shared| &shared.turning_away) else {
        return;
    };
    task::spawn(async move {
        let limits = &place.shared.terms.limits;
        let text = format!(
            "{} connections have not said HELLO to this server yet, more are not taken; try again later, or raise its `Limits::max_handshaking`",
            limits.max_handshaking
        );
        link::turn_away(io, limits, GoAwayReason::Limit, &text).await;
    });
}

/// One of the connections that there may be, for as long as it lives.
struct Place {
    _of_all: Counted,
    _of_ip: Option<OfIp>,
}

impl Place {
    /// Takes one.
    ///
    /// # Errors
    ///
    /// There are as many as may be; the text tells the peer.
    fn take(shared: &Arc<Shared>, peer: &str) -> std::result::Result<Self, String> {
        let limit = shared.terms.limits.max_connections;
        let _of_all = Counted::below(limit, shared, |shared| &shared.connections).ok_or_else(
            || {
                format!(
                    "this server has {limit} connections, more are not taken; try again later, or raise its `Limits::max_connections`"
                )
            },
        )?;
        let _of_ip = OfIp::count(shared, peer)?;
        Ok(Self { _of_all, _of_ip })
    }
}

/// Counts something for as long as it lives.
struct Counted {
    shared: Arc<Shared>,
    counter: fn(&Shared) -> &AtomicU32,
}

impl Counted {
    /// Counts one more, unless there are as many as may be.
    fn below(limit: u32, shared: &Arc<Shared>, counter: fn(&Shared) -> &AtomicU32) -> Option<Self> {
        let more = |count| (count < limit).then_some(count + 1);
        let counted = counter(shared).fetch_update(Ordering::AcqRel, Ordering::Acquire, more);
        counted.ok().map(|_| Self {
            shared: shared.clone(),
            counter,
        })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        (self.counter)(&self.shared).fetch_sub(1, Ordering::AcqRel);
        self.shared.shaken.notify_waiters();
    }
}

/// Counts a connection of an IP address for as long as it lives.
struct OfIp {
    shared: Arc<Shared>,
    ip: IpAddr,
}

impl OfIp {
    /// Counts one more, if these are counted and the peer has an IP address.
    ///
    /// # Errors
    ///
    /// There are as many as may be; the text tells the peer.
    fn count(shared: &Arc<Shared>, peer: &str) -> std::result::Result<Option<Self>, String> {
        let Some(limit) = shared.terms.limits.max_connections_per_ip else {
            return Ok(None);
        };
        let host = peer.split_once("://").map_or(peer, |(_, host)| host);
        let Ok(address) = host.parse::<SocketAddr>() else {
            return Ok(None);
        };
        let ip = address.ip().to_canonical();
        let mut by_ip = shared.by_ip();
        let count = by_ip.entry(ip).or_default();
        if *count >= limit {
            return Err(format!(
                "{ip} has {count} connections to this server, more are not taken; share one channel, or raise `Limits::max_connections_per_ip`"
            ));
        }
        *count += 1;
        let shared = shared.clone();
        Ok(Some(Self { shared, ip }))
    }
}

impl Drop for OfIp {
    fn drop(&mut self) {
        let mut by_ip = self.shared.by_ip();
        if let Entry::Occupied(mut count) = by_ip.entry(self.ip) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("services", &self.router)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serving")
            .field("addresses", &self.addresses)
            .field("services", &self.shared.router)
            .finish_non_exhaustive()
    }
}
