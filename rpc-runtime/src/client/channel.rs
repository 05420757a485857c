//! Where calls go: one peer, a balanced set of instances, or a skeleton in this process.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout_at};

use crate::backoff::random_fraction;
use crate::client::call::Call;
use crate::client::direct::Direct;
use crate::client::one_way::OneWay;
use crate::client::options::CallOptions;
use crate::client::request::{Prepared, Request};
use crate::client::returns::Returns;
use crate::context::Context;
use crate::descriptor::{MethodDescriptor, ServiceDescriptor};
use crate::discovery::{Balanced, Registry};
use crate::error::{Error, ErrorKind, Execution, Result};
use crate::limits::Limits;
use crate::link::{Link, NotBegun, Ticket};
use crate::reflection;
use crate::server::Skeleton;
use crate::server::catch_panic::CatchPanic;
use crate::server::incoming::Incoming;
use crate::transport::{Address, Target};
use crate::wire::calls::Answer;

/// Attempts of one call on one peer, the first included, as long as nothing was executed.
const ATTEMPTS: usize = 3;

/// Longest pause before a call that a busy peer has refused is made again.
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// Where calls go. Cloning is cheap and shares the connections; they close when the last clone is dropped.
///
/// Generated clients make one by themselves; several clients may share one:
///
/// ```no_run
/// # async fn f() -> rpc_runtime::Result<()> {
/// let channel = rpc_runtime::Channel::connect("tcp://127.0.0.1:7000").await?;
/// // let greeter = GreeterClient::new(channel.clone());
/// // let clock = ClockClient::new(channel);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Channel {
    inner: Arc<Inner>,
}

struct Inner {
    route: Route,
    limits: Arc<Limits>,
    runtime: Handle,
}

enum Route {
    Direct(Direct),
    Balanced(Balanced),
    Local(Arc<dyn Skeleton>),
}

impl Channel {
    /// Connects to an address that names one peer or a list; addresses that look a service up need
    /// [`Channel::connect_to`] or the service in the address.
    ///
    /// # Errors
    ///
    /// The address cannot be read, or nobody answers there.
    pub async fn connect(address: impl AsRef<str>) -> Result<Self> {
        Self::open(address.as_ref(), None, Limits::default()).await
    }

    /// Connects to where a service is: what generated clients call.
    ///
    /// # Errors
    ///
    /// The address cannot be read, nobody answers there, or the registry knows no instance.
    pub async fn connect_to(address: &str, service: &'static ServiceDescriptor) -> Result<Self> {
        let channel = Self::open(address, Some(service.name), Limits::default()).await?;
        channel.compare(service);
        Ok(channel)
    }

    /// Connects with other limits than the default ones.
    ///
    /// # Errors
    ///
    /// As [`Channel::connect`].
    pub async fn connect_with(address: impl AsRef<str>, limits: Limits) -> Result<Self> {
        Self::open(address.as_ref(), None, limits).await
    }

    /// One peer that is connected to when the first call is made.
    pub(crate) fn lazy(address: Address) -> Self {
        let limits = Limits::default();
        let direct = Direct::new(address, Arc::new(limits.clone()));
        Self::new(Route::Direct(direct), limits)
    }

    /// Calls a skeleton of this process with nothing between: no connection, no frames.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn local(skeleton: impl Skeleton) -> Self {
        Self::new(Route::Local(Arc::new(skeleton)), Limits::default())
    }

    /// Calls the instances that a registry knows of a service. Nothing is asked before the first call.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn discover(registry: impl Registry, service: impl Into<String>) -> Self {
        let limits = Arc::new(Limits::default());
        let balanced = Balanced::start(Arc::new(registry), service.into(), None, limits.clone());
        Self {
            inner: Arc::new(Inner {
                route: Route::Balanced(balanced),
                limits,
                runtime: Handle::current(),
            }),
        }
    }

    async fn open(address: &str, service: Option<&str>, limits: Limits) -> Result<Self> {
        let (target, options) = Target::parse(address)?;
        let runtime = Handle::try_current().map_err(|_| Error::no_runtime())?;
        let limits = Arc::new(limits);
        let route = match target {
            Target::Direct(address) => {
                let direct = Direct::new(address, limits.clone());
                direct.link().await?;
                Route::Direct(direct)
            }
            target => {
                let balanced = Balanced::open(target, service, &options, limits.clone()).await?;
                balanced.first().await?;
                Route::Balanced(balanced)
            }
        };
        Ok(Self {
            inner: Arc::new(Inner {
                route,
                limits,
                runtime,
            }),
        })
    }

    fn new(route: Route, limits: Limits) -> Self {
        Self {
            inner: Arc::new(Inner {
                route,
                limits: Arc::new(limits),
                runtime: Handle::current(),
            }),
        }
    }

    /// Makes a call that has not started. Generated clients call this.
    pub fn call<T, E>(
        &self,
        method: &'static MethodDescriptor,
        returns: Returns<T, E>,
        params: impl FnOnce(&mut Vec<u8>),
    ) -> Call<T, E> {
        Call::new(self.clone(), request(method, params), returns)
    }

    /// Makes a one-way call that has not started. Generated clients call this.
    pub fn one_way(
        &self,
        method: &'static MethodDescriptor,
        params: impl FnOnce(&mut Vec<u8>),
    ) -> OneWay {
        OneWay::new(self.clone(), request(method, params))
    }

    /// The fingerprint that the peer announced for a service: `None` if it has no such service, or no peer is
    /// connected. Equal to the one of the generated client if both sides were made from the same definition.
    pub fn peer_fingerprint(&self, service: &str) -> Option<u64> {
        self.ready()?.peer_hello().fingerprint(service)
    }

    /// Says once per connection that both sides were made from different definitions. That is no error: additive
    /// changes are compatible.
    fn compare(&self, service: &'static ServiceDescriptor) {
        let Some(link) = self.ready() else { return };
        if let Some(theirs) = link.peer_hello().fingerprint(service.name)
            && theirs != service.fingerprint
        {
            log::warn!(
                "{}: the definition here has the fingerprint {:016x}, that of {} has {theirs:016x}",
                service.name,
                service.fingerprint,
                link.peer()
            );
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    pub(crate) fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.inner.runtime.spawn(future)
    }

    /// A connection that a call may begin on at once.
    fn ready(&self) -> Option<Arc<Link>> {
        match &self.inner.route {
            Route::Direct(direct) => direct.ready(),
            Route::Balanced(balanced) => balanced.ready(),
            Route::Local(_) => None,
        }
    }

    /// Begins a call without waiting, if there is a connection with room for it.
    ///
    /// # Errors
    ///
    /// The call can begin on no connection.
    pub(crate) fn try_begin(&self, prepared: &Prepared, flush: bool) -> Result<Option<Ticket>> {
        let Some(link) = self.ready() else {
            return Ok(None);
        };
        match link.begin(&prepared.frame()?, prepared.deadline, flush) {
            Ok(ticket) => Ok(Some(ticket)),
            Err(NotBegun::Full | NotBegun::Gone) => Ok(None),
            Err(NotBegun::Refused(error)) => Err(error),
        }
    }

    /// Hands over a one-way call without waiting; `false` if there is no connection with room for it.
    pub(crate) fn try_send(&self, prepared: &Prepared) -> Result<bool> {
        let Some(link) = self.ready() else {
            return Ok(false);
        };
        match link.send_one_way(&prepared.frame()?) {
            Ok(()) => Ok(true),
            Err(NotBegun::Full | NotBegun::Gone) => Ok(false),
            Err(NotBegun::Refused(error)) => Err(error),
        }
    }

    /// Sends a one-way call, connecting first if need be.
    pub(crate) async fn send(self, prepared: Prepared) -> Result<()> {
        if let Route::Local(_) = &self.inner.route {
            return match self.invoke(prepared).await {
                Answer::Failed(error) => Err(error),
                _ => Ok(()),
            };
        }
        let mut tried = Tried::default();
        loop {
            let link = self.link(&prepared, &mut tried).await?;
            match link.send_one_way(&prepared.frame()?) {
                Ok(()) => return Ok(()),
                Err(NotBegun::Full) => link.room().await,
                Err(NotBegun::Gone) => tried.failed(&link, link.close_reason())?,
                Err(NotBegun::Refused(error)) => return Err(error),
            }
        }
    }

    /// Makes a call to its end: connects, waits for room, repeats what was not executed.
    pub(crate) async fn invoke(self, prepared: Prepared) -> Answer {
        if let Route::Local(skeleton) = &self.inner.route {
            return local(skeleton.clone(), prepared).await;
        }
        self.attempts(prepared, Tried::default())
            .await
            .unwrap_or_else(Answer::Failed)
    }

    /// Goes on after a first attempt that failed; see [`needs_more`].
    pub(crate) async fn go_on(self, prepared: Prepared, link: Arc<Link>, failure: Error) -> Answer {
        if failure.kind() == ErrorKind::Unimplemented {
            return Answer::Failed(reflection::explain(&link, prepared.method, failure).await);
        }
        let mut tried = Tried::default();
        let outcome = match tried.failed(&link, failure) {
            Ok(()) => self.attempts(prepared, tried).await,
            Err(error) => Err(error),
        };
        outcome.unwrap_or_else(Answer::Failed)
    }

    async fn attempts(&self, mut prepared: Prepared, mut tried: Tried) -> Result<Answer> {
        loop {
            if tried.count > 0 {
                prepared.repeated();
            }
            let link = self.link(&prepared, &mut tried).await?;
            let mut ticket = match link.begin(&prepared.frame()?, prepared.deadline, true) {
                Ok(ticket) => ticket,
                Err(NotBegun::Full) => {
                    until(&prepared, link.room()).await?;
                    continue;
                }
                Err(NotBegun::Gone) => {
                    tried.failed(&link, link.close_reason())?;
                    continue;
                }
                Err(NotBegun::Refused(error)) => return Err(error),
            };
            match ticket.answer().await {
                Answer::Failed(failure) if failure.kind() == ErrorKind::Unimplemented => {
                    return Ok(Answer::Failed(
                        reflection::explain(&link, prepared.method, failure).await,
                    ));
                }
                Answer::Failed(failure) if may_repeat(&prepared, &failure) => {
                    if failure.kind() == ErrorKind::ResourceExhausted {
                        until(&prepared, sleep(BUSY_PAUSE.mul_f64(random_fraction()))).await?;
                    }
                    tried.failed(&link, failure)?;
                }
                answer => return Ok(answer),
            }
        }
    }

    /// A connection to try next, within the time of the call.
    async fn link(&self, prepared: &Prepared, tried: &mut Tried) -> Result<Arc<Link>> {
        match &self.inner.route {
            Route::Direct(direct) => until(prepared, direct.link()).await?,
            Route::Balanced(balanced) => until(prepared, balanced.link(tried)).await?,
            Route::Local(skeleton) => {
                let text = format!("{} is called without a connection", skeleton.service().name);
                Err(Error::new(ErrorKind::Internal, text))
            }
        }
    }
}

/// Which peers an earlier attempt of the same call has failed on.
#[derive(Debug, Default)]
pub(crate) struct Tried {
    pub(crate) peers: Vec<Arc<str>>,
    pub(crate) count: usize,
    /// How many peers there are; set by a balanced route.
    pub(crate) instances: usize,
    pub(crate) last: Option<Error>,
}

impl Tried {
    /// Notes a failure; gives it back when it was the last attempt.
    fn failed(&mut self, link: &Link, error: Error) -> Result<()> {
        self.peers.push(link.peer().clone());
        self.count += 1;
        if self.count >= ATTEMPTS.max(self.instances) {
            return Err(error);
        }
        self.last = Some(error);
        Ok(())
    }
}

/// Whether a failed first attempt is to be followed by [`Channel::go_on`].
pub(crate) fn needs_more(prepared: &Prepared, failure: &Error) -> bool {
    failure.kind() == ErrorKind::Unimplemented || may_repeat(prepared, failure)
}

/// Never twice: only what is known not to have started, or what is declared idempotent.
fn may_repeat(prepared: &Prepared, failure: &Error) -> bool {
    match failure.execution() {
        Execution::NotSent | Execution::NotStarted => {
            matches!(
                failure.kind(),
                ErrorKind::Unavailable | ErrorKind::ResourceExhausted
            )
        }
        Execution::Unknown => prepared.idempotent && failure.kind() == ErrorKind::Unavailable,
        Execution::Executed => false,
    }
}

/// Waits no longer than the call may take; nothing of it was sent meanwhile.
async fn until<F: Future>(prepared: &Prepared, future: F) -> Result<F::Output> {
    match prepared.deadline {
        None => Ok(future.await),
        Some(deadline) => timeout_at(deadline, future)
            .await
            .map_err(|_| Error::too_late()),
    }
}

fn request(method: &'static MethodDescriptor, params: impl FnOnce(&mut Vec<u8>)) -> Request {
    let mut encoded = Vec::new();
    params(&mut encoded);
    Request {
        method,
        params: encoded,
        options: CallOptions::default(),
    }
}

/// Runs a skeleton's method on the caller's task.
async fn local(skeleton: Arc<dyn Skeleton>, prepared: Prepared) -> Answer {
    let method = prepared.method;
    let Some(index) = skeleton.service().find(method.id) else {
        return Answer::Failed(Error::new(
            ErrorKind::Unimplemented,
            format!("{} has no {method}", skeleton.service().name),
        ));
    };
    let metadata = crate::metadata::Metadata::decode(prepared.metadata(), &Limits::default())
        .unwrap_or_default();
    let context = Context::new(method, "local".into(), metadata, prepared.deadline, false);
    let (incoming, mut answer) =
        Incoming::local(prepared.params().to_vec().into(), context.clone());
    let handler = context.scope(CatchPanic(skeleton.call(index, incoming)));
    let in_time = match prepared.deadline {
        Some(deadline) => timeout_at(deadline, handler).await.is_ok(),
        None => {
            handler.await;
            true
        }
    };
    let unanswered = if in_time {
        Error::new(
            ErrorKind::Internal,
            format!("the handler of {method} panicked"),
        )
    } else {
        Error::new(
            ErrorKind::DeadlineExceeded,
            format!("{method} did not finish in time"),
        )
    };
    answer
        .try_recv()
        .unwrap_or_else(|_| Answer::Failed(unanswered.with_execution(Execution::Executed)))
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.inner.route {
            Route::Direct(direct) => write!(f, "Channel({})", direct.address()),
            Route::Balanced(balanced) => write!(f, "Channel({balanced:?})"),
            Route::Local(skeleton) => write!(f, "Channel(local {})", skeleton.service().name),
        }
    }
}
