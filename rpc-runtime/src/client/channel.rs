//! Where calls go: one peer, a balanced set of instances, or a skeleton in this process.

use std::fmt;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use futures_core::Stream;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::{sleep_until, timeout_at};

use crate::breaker::BreakerState;
use crate::client::builder::ChannelBuilder;
use crate::client::call::Call;
use crate::client::direct::Direct;
use crate::client::items::Answering;
use crate::client::local::{Local, Near};
use crate::client::one_way::OneWay;
use crate::client::options::CallOptions;
use crate::client::profile::Profile;
use crate::client::request::{Prepared, Request};
use crate::client::retry::{Stage, Tried, pause_end};
use crate::client::returns::Returns;
use crate::client::stream_call::StreamCall;
use crate::client::upload::Upload;
use crate::codec::Codec;
use crate::descriptor::{MethodDescriptor, MethodKind, ServiceDescriptor};
use crate::discovery::{Balanced, Registry};
use crate::error::{Error, ErrorKind, Execution, Result};
use crate::limits::Limits;
use crate::link::{Begin, Link, NotBegun, Ticket};
use crate::object::Remote;
use crate::reflection;
use crate::server::Skeleton;
use crate::task::{Work, boxed, spawn_on};
#[cfg(feature = "registry")]
use crate::transport::Address;
use crate::transport::Target;
use crate::wire::calls::Answer;

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
    profile: Arc<Profile>,
    runtime: Handle,
}

enum Route {
    Direct(Direct),
    Balanced(Balanced),
    Local(Box<dyn Near>),
    /// The caller of a handler, on the connection that the call came on.
    Caller(Arc<Link>),
    /// An object of a peer.
    Object(Arc<Remote>),
}

impl Channel {
    /// Connects to an address that names one peer or a list; addresses that look a service up need
    /// [`Channel::connect_to`] or the service in the address.
    ///
    /// # Errors
    ///
    /// The address cannot be read, or nobody answers there.
    pub async fn connect(address: impl AsRef<str>) -> Result<Self> {
        Self::open(address.as_ref(), Profile::new(Limits::default(), None)).await
    }

    /// Connects to where a service is: what generated clients call.
    ///
    /// # Errors
    ///
    /// The address cannot be read, nobody answers there, or the registry knows no instance.
    pub async fn connect_to(address: &str, service: &'static ServiceDescriptor) -> Result<Self> {
        Self::open(address, Profile::new(Limits::default(), Some(service))).await
    }

    /// Says more than the defaults before connecting: limits, services that the peer may call back.
    pub fn builder() -> ChannelBuilder {
        ChannelBuilder::new()
    }

    /// One peer that is connected to when the first call is made.
    #[cfg(feature = "registry")]
    pub(crate) fn lazy(address: Address) -> Self {
        let profile = Arc::new(Profile::new(Limits::default(), None));
        Self::new(
            Route::Direct(Direct::new(address, profile.clone())),
            profile,
        )
    }

    /// Calls a skeleton of this process with nothing between: no connection, no frames.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn local(skeleton: impl Skeleton) -> Self {
        Self::local_shared(Arc::new(skeleton))
    }

    pub(crate) fn local_shared(skeleton: Arc<dyn Skeleton>) -> Self {
        let profile = Arc::new(Profile::new(Limits::default(), None));
        Self::new(Route::Local(Box::new(Local::new(skeleton))), profile)
    }

    /// Calls the services that the caller of a handler exports.
    pub(crate) fn caller(link: Arc<Link>) -> Self {
        let mut profile = Profile::new(Limits::default(), None);
        profile.spoken = link.spoken();
        Self::new(Route::Caller(link), Arc::new(profile))
    }

    /// Calls an object of a peer.
    pub(crate) fn object(remote: Arc<Remote>) -> Self {
        let profile = Arc::new(Profile::new(Limits::default(), None));
        Self::new(Route::Object(remote), profile)
    }

    /// Calls the instances that a registry knows of a service. Nothing is asked before the first call.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn discover(registry: impl Registry, service: impl Into<String>) -> Self {
        let profile = Arc::new(Profile::new(Limits::default(), None));
        Self::balanced(Arc::new(registry), service.into(), profile)
    }

    pub(super) fn balanced(
        registry: Arc<dyn Registry>,
        service: String,
        profile: Arc<Profile>,
    ) -> Self {
        let balanced = Balanced::start(registry, service, None, profile.clone());
        Self::new(Route::Balanced(balanced), profile)
    }

    pub(super) fn open(address: &str, profile: Profile) -> Work<'static, Result<Self>> {
        let channel = Self::unconnected(address, profile);
        boxed(async {
            let channel = channel?;
            match &channel.inner.route {
                Route::Direct(direct) => drop(direct.link().await?),
                Route::Balanced(balanced) => balanced.first().await?,
                Route::Local(_) | Route::Caller(_) | Route::Object(_) => {}
            }
            Ok(channel)
        })
    }

    /// A channel that connects when a call needs it.
    pub(super) fn unconnected(address: &str, mut profile: Profile) -> Result<Self> {
        let (target, options) = Target::parse(address)?;
        profile.speak(&options)?;
        Handle::try_current().map_err(|_| Error::no_runtime())?;
        let profile = Arc::new(profile);
        let route = match target {
            Target::Direct(address) => Route::Direct(Direct::new(address, profile.clone())),
            target => Route::Balanced(Balanced::open(target, &options, profile.clone())?),
        };
        Ok(Self::new(route, profile))
    }

    fn new(route: Route, profile: Arc<Profile>) -> Self {
        let runtime = Handle::current();
        Self {
            inner: Arc::new(Inner {
                route,
                profile,
                runtime,
            }),
        }
    }

    /// Makes a call that has not started. Generated clients call this.
    #[doc(hidden)]
    pub fn call<T, E>(
        &self,
        method: &'static MethodDescriptor,
        returns: Returns<T, E>,
        params: impl FnOnce(&mut Vec<u8>),
    ) -> Call<T, E> {
        Call::new(self.clone(), self.request(method, params), returns)
    }

    /// Makes a one-way call that has not started. Generated clients call this.
    #[doc(hidden)]
    pub fn one_way(
        &self,
        method: &'static MethodDescriptor,
        params: impl FnOnce(&mut Vec<u8>),
    ) -> OneWay {
        OneWay::new(self.clone(), self.request(method, params))
    }

    /// Makes a call whose answer is a stream. Generated clients call this.
    #[doc(hidden)]
    pub fn stream<T, E>(
        &self,
        method: &'static MethodDescriptor,
        returns: Returns<T, E>,
        params: impl FnOnce(&mut Vec<u8>),
    ) -> StreamCall<T, E> {
        StreamCall::new(self.clone(), self.request(method, params), returns)
    }

    /// Makes a call that sends a stream. Generated clients call this.
    #[doc(hidden)]
    pub fn upload<T, E, I: 'static>(
        &self,
        method: &'static MethodDescriptor,
        returns: Returns<T, E>,
        items: impl Stream<Item = I> + Send + 'static,
        codec: Codec<I>,
        params: impl FnOnce(&mut Vec<u8>),
    ) -> Call<T, E> {
        let mut request = self.request(method, params);
        request.extras.get_or_insert_default().upload = Some(Upload::new(items, codec));
        Call::new(self.clone(), request, returns)
    }

    /// Makes a call that sends a stream and whose answer is one. Generated clients call this.
    #[doc(hidden)]
    pub fn exchange<T, E, I: 'static>(
        &self,
        method: &'static MethodDescriptor,
        returns: Returns<T, E>,
        items: impl Stream<Item = I> + Send + 'static,
        codec: Codec<I>,
        params: impl FnOnce(&mut Vec<u8>),
    ) -> StreamCall<T, E> {
        let mut request = self.request(method, params);
        request.extras.get_or_insert_default().upload = Some(Upload::new(items, codec));
        StreamCall::new(self.clone(), request, returns)
    }

    fn request(
        &self,
        method: &'static MethodDescriptor,
        params: impl FnOnce(&mut Vec<u8>),
    ) -> Request {
        let mut params = Some(params);
        self.request_with(method, &mut |out| {
            if let Some(params) = params.take() {
                params(out);
            }
        })
    }

    /// What does not depend on the method; there are many, and each would have its own.
    fn request_with(
        &self,
        method: &'static MethodDescriptor,
        params: &mut dyn FnMut(&mut Vec<u8>),
    ) -> Request {
        self.inner.profile.learn(method);
        let mut request = Request::new(method, CallOptions::default(), params);
        if let Route::Object(remote) = &self.inner.route {
            request.extras.get_or_insert_default().target = Some(remote.id());
        }
        request
    }

    /// How many connections of this channel led to a peer whose definition of the called service differs from the one
    /// here. The first of them was logged too. Only channels that a generated client opened know the service.
    pub fn fingerprint_mismatches(&self) -> u64 {
        self.inner.profile.mismatches()
    }

    /// What the circuit breakers of this channel do now, by address: of all instances that it knows, or of its one peer.
    /// Empty without breakers ([`BreakerPolicy::none`](crate::BreakerPolicy::none)).
    ///
    /// Each change is logged as well: `warn` for one that opens, else `info`.
    pub fn breakers(&self) -> Vec<(String, BreakerState)> {
        let state = |direct: &Direct| {
            let breaker = direct.breaker()?;
            Some((direct.address().to_string(), breaker.state()))
        };
        match &self.inner.route {
            Route::Direct(direct) => state(direct).into_iter().collect(),
            Route::Balanced(balanced) => {
                let members = balanced.members();
                members.iter().filter_map(|member| state(member)).collect()
            }
            Route::Local(_) | Route::Caller(_) | Route::Object(_) => Vec::new(),
        }
    }

    /// The fingerprint that the peer announced for a service: `None` if it has no such service, or no peer is
    /// connected. Equal to the one of the generated client if both sides were made from the same definition.
    pub fn peer_fingerprint(&self, service: &str) -> Option<u64> {
        self.ready()?.peer_hello().fingerprint(service)
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.inner.profile.terms.limits
    }

    /// Where the tasks of its calls run.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.inner.runtime
    }

    /// Runs something there.
    pub(crate) fn spawn(&self, work: Work<'static, ()>) -> JoinHandle<()> {
        spawn_on(&self.inner.runtime, work)
    }

    /// A connection that a call may begin on at once.
    fn ready(&self) -> Option<Arc<Link>> {
        match &self.inner.route {
            Route::Direct(direct) => direct.ready(),
            Route::Balanced(balanced) => balanced.ready(),
            Route::Local(_) => None,
            Route::Caller(link) => Some(link.clone()),
            Route::Object(remote) => Some(remote.link().clone()),
        }
    }

    /// Begins a call without waiting, if there is a connection with room for it.
    ///
    /// # Errors
    ///
    /// The call can begin on no connection.
    pub(crate) fn try_begin(
        &self,
        prepared: &Prepared,
        flush: bool,
        by: Option<&Waker>,
    ) -> Result<Option<Ticket>> {
        let Some(link) = self.ready() else {
            return Ok(None);
        };
        let begin = Begin {
            deadline: prepared.deadline,
            flush,
            bound: self.is_bound(),
            by,
        };
        match link.begin_as(&prepared.first_frame()?, begin) {
            Ok(ticket) => Ok(Some(self.with_upload(ticket, prepared))),
            Err(NotBegun::Full | NotBegun::Gone | NotBegun::Shut) => Ok(None),
            Err(NotBegun::Refused(error)) => Err(error),
        }
    }

    /// Hands over a one-way call without waiting; `false` if there is no connection with room for it.
    pub(crate) fn try_send(&self, prepared: &Prepared) -> Result<bool> {
        let Some(link) = self.ready() else {
            return Ok(false);
        };
        match link.send_one_way(&prepared.frame()?, self.is_bound()) {
            Ok(()) => Ok(true),
            Err(NotBegun::Full | NotBegun::Gone | NotBegun::Shut) => Ok(false),
            Err(NotBegun::Refused(error)) => Err(error),
        }
    }

    /// What came of a call that needs nothing more.
    pub(crate) fn note(&self, method: &'static MethodDescriptor, answer: &Answer) {
        if let Answer::Result(_) | Answer::Lent(_) = answer {
            self.inner.profile.retry.succeeded(method.service);
        }
    }

    /// Sends a one-way call, connecting first if need be.
    pub(crate) fn send(self, prepared: Prepared) -> Work<'static, Result<()>> {
        boxed(self.send_slowly(prepared))
    }

    async fn send_slowly(self, mut prepared: Prepared) -> Result<()> {
        if self.is_direct_to_skeleton(&prepared) {
            return match self.invoke(prepared).await {
                Answer::Failed(error) => Err(error),
                _ => Ok(()),
            };
        }
        let mut tried = Tried::default();
        loop {
            let link = self.link(&mut prepared, &mut tried).await?;
            let frame = prepared.frame().map_err(|_| tried.too_late())?;
            let begun = link.send_one_way(&frame, self.is_bound());
            match begun {
                Ok(()) => return Ok(()),
                Err(not_begun) => {
                    self.not_begun(&mut prepared, &mut tried, &link, not_begun)
                        .await?;
                }
            }
        }
    }

    /// Makes a call to its end: connects, waits for room, repeats what may be repeated.
    pub(crate) fn invoke(self, prepared: Prepared) -> Work<'static, Answer> {
        if let Route::Local(local) = &self.inner.route
            && self.is_direct_to_skeleton(&prepared)
        {
            return local.call(prepared);
        }
        self.attempts(prepared, Tried::default())
    }

    /// Goes on after a first attempt that failed; see [`needs_more`](crate::client::retry::needs_more).
    pub(crate) fn go_on(
        self,
        mut prepared: Prepared,
        link: Arc<Link>,
        answer: Answer,
    ) -> Work<'static, Answer> {
        boxed(async move {
            let mut tried = Tried::default();
            match self.again(&mut prepared, &mut tried, &link, answer).await {
                Some(answer) => answer,
                None => self.attempts(prepared, tried).await,
            }
        })
    }

    fn attempts(self, prepared: Prepared, tried: Tried) -> Work<'static, Answer> {
        boxed(self.attempted(prepared, tried))
    }

    async fn attempted(self, mut prepared: Prepared, mut tried: Tried) -> Answer {
        loop {
            let (link, mut ticket) = match self.ticket(&mut prepared, &mut tried).await {
                Ok(begun) => begun,
                Err(error) => return Answer::Failed(error),
            };
            let answer = ticket.answer().await;
            if let Some(answer) = self.again(&mut prepared, &mut tried, &link, answer).await {
                return answer;
            }
        }
    }

    /// Begins a call whose answer is a stream, waiting for a connection and for room.
    pub(crate) fn begin(
        self,
        mut prepared: Prepared,
        mut tried: Tried,
    ) -> Work<'static, Result<Answering>> {
        boxed(async move {
            let (_, ticket) = self.ticket(&mut prepared, &mut tried).await?;
            Ok(Answering {
                channel: self,
                prepared,
                ticket,
                tried,
                any: false,
            })
        })
    }

    /// Begins such a call once more, of which nothing was read.
    pub(crate) fn begin_again(
        self,
        mut prepared: Prepared,
        mut tried: Tried,
        link: Arc<Link>,
        failure: Error,
    ) -> Work<'static, Result<Answering>> {
        boxed(async move {
            tried.pass_over(link.peer());
            let retry = &self.inner.profile.retry;
            let pause = tried.after(&mut prepared, retry, Stage::Calling, failure)?;
            rest(&prepared, &mut tried, pause).await?;
            self.begin(prepared, tried).await
        })
    }

    /// Waits until a call may begin on a link.
    async fn room(&self, prepared: &Prepared, tried: &mut Tried, link: &Arc<Link>) -> Result<()> {
        // The calls that take the room may be waiting for this one: a chain of calls back and forth would never end.
        if prepared.is_nested_on(link) {
            let text = format!(
                "the peer works on {} calls of this connection already, and this one is made for a call that came on it: waiting might never end; raise max_inflight_per_connection, or nest less deeply",
                link.peer_hello().inflight()
            );
            return Err(Error::new(ErrorKind::ResourceExhausted, text).with_peer(&**link.peer()));
        }
        until(prepared, tried, boxed(link.room(self.is_bound()))).await
    }

    /// Whether calls belong to one connection and can be made on no other.
    fn is_bound(&self) -> bool {
        matches!(self.inner.route, Route::Caller(_) | Route::Object(_))
    }

    /// Whether the call needs no connection: what moves streams or objects does.
    fn is_direct_to_skeleton(&self, prepared: &Prepared) -> bool {
        let plain = prepared.method.kind == MethodKind::Unary && !prepared.moves_objects();
        plain && matches!(self.inner.route, Route::Local(_))
    }

    fn with_upload(&self, mut ticket: Ticket, prepared: &Prepared) -> Ticket {
        if let Some(upload) = prepared.upload() {
            upload.begin(&mut ticket, &self.inner.runtime);
        }
        ticket
    }

    /// Begins one attempt, on whatever connection takes it within the time of the call.
    fn ticket<'a>(
        &'a self,
        prepared: &'a mut Prepared,
        tried: &'a mut Tried,
    ) -> Work<'a, Result<(Arc<Link>, Ticket)>> {
        boxed(self.begun(prepared, tried))
    }

    async fn begun(
        &self,
        prepared: &mut Prepared,
        tried: &mut Tried,
    ) -> Result<(Arc<Link>, Ticket)> {
        loop {
            let link = self.link(prepared, tried).await?;
            let begun = {
                let frame = prepared.frame().map_err(|_| tried.too_late())?;
                let begin = Begin {
                    deadline: prepared.deadline,
                    flush: true,
                    bound: self.is_bound(),
                    by: None,
                };
                link.clone().begin_as(&frame, begin)
            };
            match begun {
                Ok(ticket) => return Ok((link, self.with_upload(ticket, prepared))),
                Err(not_begun) => {
                    self.not_begun(prepared, tried, &link, not_begun).await?;
                }
            }
        }
    }

    /// After a connection did not take the call: waits for another chance.
    fn not_begun<'a>(
        &'a self,
        prepared: &'a mut Prepared,
        tried: &'a mut Tried,
        link: &'a Arc<Link>,
        why: NotBegun,
    ) -> Work<'a, Result<()>> {
        boxed(self.wait_for_chance(prepared, tried, link, why))
    }

    async fn wait_for_chance(
        &self,
        prepared: &mut Prepared,
        tried: &mut Tried,
        link: &Arc<Link>,
        why: NotBegun,
    ) -> Result<()> {
        let error = match why {
            NotBegun::Full => {
                let room = self.room(prepared, tried, link).await;
                return room.map_err(|error| tried.conclude(error));
            }
            // Whatever ended the connection, this call was not on it.
            NotBegun::Gone => link.close_reason().with_execution(Execution::NotSent),
            // Another call was the probe that this one was to be.
            NotBegun::Shut => match link.shut() {
                Some(error) => error,
                None => return Ok(()),
            },
            NotBegun::Refused(error) => return Err(tried.conclude(error)),
        };
        tried.pass_over(link.peer());
        let retry = &self.inner.profile.retry;
        let pause = tried.after(prepared, retry, Stage::Calling, error)?;
        rest(prepared, tried, pause).await
    }

    /// What follows the answer of an attempt: `None` after the pause before another one.
    async fn again(
        &self,
        prepared: &mut Prepared,
        tried: &mut Tried,
        link: &Arc<Link>,
        answer: Answer,
    ) -> Option<Answer> {
        let profile = &self.inner.profile;
        let pause = match answer {
            Answer::Failed(failure) if failure.kind() == ErrorKind::Unimplemented => {
                let explained =
                    reflection::explain(link, prepared, profile.service(), failure).await;
                return Some(tried.end(Answer::Failed(explained)));
            }
            Answer::Failed(failure) => {
                tried.pass_over(link.peer());
                match tried.after(prepared, &profile.retry, Stage::Calling, failure) {
                    Ok(pause) => pause,
                    Err(error) => return Some(Answer::Failed(error)),
                }
            }
            Answer::Declared(part, body) => {
                match tried.after_declared(prepared, &profile.retry, &part) {
                    Some(pause) => pause,
                    None => return Some(Answer::Declared(part, body)),
                }
            }
            Answer::Result(_) | Answer::Lent(_) => {
                self.note(prepared.method, &answer);
                return Some(answer);
            }
        };
        match rest(prepared, tried, pause).await {
            Ok(()) => None,
            Err(error) => Some(Answer::Failed(error)),
        }
    }

    /// A connection to try next; waits for one as long as the call may take.
    fn link<'a>(
        &'a self,
        prepared: &'a mut Prepared,
        tried: &'a mut Tried,
    ) -> Work<'a, Result<Arc<Link>>> {
        boxed(self.connection(prepared, tried))
    }

    async fn connection(&self, prepared: &mut Prepared, tried: &mut Tried) -> Result<Arc<Link>> {
        loop {
            let found = match &self.inner.route {
                Route::Direct(direct) => until(prepared, tried, direct.link()).await?,
                Route::Balanced(balanced) => {
                    let deadline = prepared.deadline;
                    let found = boxed(balanced.link(tried));
                    let found = match deadline {
                        None => Some(found.await),
                        Some(deadline) => timeout_at(deadline, found).await.ok(),
                    };
                    found.ok_or_else(|| tried.too_late())?
                }
                Route::Local(local) => local.link(&self.inner.profile).await,
                // No other connection will do, so there is nothing to wait for.
                Route::Caller(link) => {
                    let link = open(link, "the caller's connection is gone");
                    return link.map_err(|error| tried.conclude(error));
                }
                Route::Object(remote) => {
                    let link = open(remote.link(), LOST_OBJECT);
                    return link.map_err(|error| tried.conclude(error));
                }
            };
            let retry = &self.inner.profile.retry;
            let pause = match found {
                Ok(link) => return Ok(link),
                Err(error) => tried.after(prepared, retry, Stage::Connecting, error)?,
            };
            rest(prepared, tried, pause).await?;
        }
    }
}

/// Waits no longer than the call may take; nothing of it was sent meanwhile.
async fn until<T>(prepared: &Prepared, tried: &mut Tried, work: Work<'_, T>) -> Result<T> {
    match prepared.deadline {
        None => Ok(work.await),
        Some(deadline) => timeout_at(deadline, work)
            .await
            .map_err(|_| tried.too_late()),
    }
}

/// The pause before another attempt; dropping the call ends it.
async fn rest(prepared: &Prepared, tried: &mut Tried, pause: Duration) -> Result<()> {
    match pause_end(pause) {
        None => Ok(()),
        Some(end) => until(prepared, tried, boxed(sleep_until(end))).await,
    }
}

const LOST_OBJECT: &str =
    "the object went with its connection; keep the client that it came from, or ask for it anew";

/// The one link that will do, if it is still open.
fn open(link: &Arc<Link>, what: &str) -> Result<Arc<Link>> {
    if link.takes_bound() {
        return Ok(link.clone());
    }
    let reason = link.close_reason();
    Err(Error::unavailable(format!("{what}: {}", reason.message())).with_peer(&**link.peer()))
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.inner.route {
            Route::Direct(direct) => write!(f, "Channel({})", direct.address()),
            Route::Balanced(balanced) => write!(f, "Channel({balanced:?})"),
            Route::Local(local) => write!(f, "Channel(local {})", local.service()),
            Route::Caller(link) => write!(f, "Channel(caller {})", link.peer()),
            Route::Object(remote) => write!(f, "Channel(object at {})", remote.link().peer()),
        }
    }
}
