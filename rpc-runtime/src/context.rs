//! What a handler knows about the call it works on, and what calls made by it inherit.

use std::cell::Cell;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{self, Poll};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::client::Channel;
use crate::descriptor::MethodDescriptor;
use crate::error::Error;
use crate::link::Link;
use crate::metadata::Metadata;
use crate::security::Identity;

thread_local! {
    /// The call that is worked on by what runs on this thread right now.
    static CURRENT: Cell<Option<Context>> = const { Cell::new(None) };
}

/// The call that a handler works on: who asks, what came with it, how long it may take.
///
/// A method gets it by having a parameter `context: &Context`, which does not travel. It is also ambient:
/// [`Context::current`] finds it anywhere inside of a handler, and calls made there inherit its deadline and its
/// `traceparent`. Cloning is cheap.
///
/// ```
/// use rpc_runtime::Context;
///
/// // Outside of a handler there is none.
/// assert!(Context::current().is_none());
/// ```
#[derive(Clone)]
pub struct Context {
    inner: Arc<Inner>,
}

struct Inner {
    method: &'static MethodDescriptor,
    metadata: Metadata,
    deadline: Option<Instant>,
    repeated: bool,
    /// Set once: with the context, or when the call's own credentials were accepted.
    identity: OnceLock<Identity>,
    /// The connection that the call came on; `None` for a call of a skeleton of this process.
    link: Option<Arc<Link>>,
    cancelled: AtomicBool,
    cancel: Notify,
    /// Why the handler is dropped, if the caller is not the reason.
    broken: OnceLock<Error>,
}

impl Context {
    pub(crate) fn new(
        method: &'static MethodDescriptor,
        link: Option<Arc<Link>>,
        metadata: Metadata,
        deadline: Option<Instant>,
        repeated: bool,
    ) -> Self {
        let (cancelled, cancel) = (AtomicBool::new(false), Notify::new());
        Self {
            inner: Arc::new(Inner {
                method,
                metadata,
                deadline,
                repeated,
                identity: OnceLock::new(),
                link,
                cancelled,
                cancel,
                broken: OnceLock::new(),
            }),
        }
    }

    /// The connection that the call came on.
    pub(crate) fn link(&self) -> Option<&Arc<Link>> {
        self.inner.link.as_ref()
    }

    /// The context of the handler that this code runs in; `None` outside of handlers and in tasks they spawned.
    pub fn current() -> Option<Self> {
        CURRENT
            .try_with(|current| {
                let taken = current.take();
                let found = taken.clone();
                current.set(taken);
                found
            })
            .unwrap_or(None)
    }

    /// The method that was called.
    pub fn method(&self) -> &'static MethodDescriptor {
        self.inner.method
    }

    /// Address of the caller, such as `tcp://127.0.0.1:51234`.
    pub fn peer(&self) -> &str {
        self.link().map_or("local", |link| &**link.peer())
    }

    /// Who the caller is: by the credentials of this call, else by those of its connection, else by its certificate.
    /// `None` if nothing vouches for anybody.
    pub fn identity(&self) -> Option<&Identity> {
        self.inner.identity.get()
    }

    /// Calls back: a channel to the services that the caller exports, on the connection that the call came on
    /// ([`ChannelBuilder::export`](crate::ChannelBuilder::export)). `None` where there is no connection: a call
    /// of a skeleton of this process that moves neither streams nor objects.
    ///
    /// Calls fail with `unavailable` once the connection is gone. A call that finds no room
    /// ([`Limits::max_inflight_per_connection`](crate::Limits::max_inflight_per_connection) of the caller) fails at once
    /// with `resource_exhausted`, because the calls that take the room may be waiting for this one.
    pub fn caller(&self) -> Option<Channel> {
        self.inner.link.clone().map(Channel::caller)
    }

    /// What the caller sent beside the parameters.
    pub fn metadata(&self) -> &Metadata {
        &self.inner.metadata
    }

    /// Time left until nobody waits for the answer any more; `None` if the caller waits for ever.
    pub fn time_left(&self) -> Option<Duration> {
        self.inner
            .deadline
            .map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Whether the caller has given up. A synchronous handler asks this now and then; an asynchronous one is dropped
    /// at its next `.await` instead, unless its method is declared to finish.
    pub fn is_cancelled(&self) -> bool {
        self.inner.cancelled.load(Ordering::Acquire)
    }

    /// Completes when the caller gives up. Dropping the future does nothing.
    pub async fn cancelled(&self) {
        let notified = self.inner.cancel.notified();
        if !self.is_cancelled() {
            notified.await;
        }
    }

    /// Whether the caller repeats an earlier attempt; calls made by the handler are then not repeated in turn.
    pub fn is_repeated(&self) -> bool {
        self.inner.repeated
    }

    /// Says who the caller is, unless that is said already.
    pub(crate) fn identify(&self, identity: Option<Identity>) {
        if let Some(identity) = identity {
            let _ = self.inner.identity.set(identity);
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.inner.deadline
    }

    /// Notes why the handler is dropped.
    pub(crate) fn set_broken(&self, error: Error) {
        let _ = self.inner.broken.set(error);
    }

    /// Why the handler is dropped, if the caller is not the reason.
    pub(crate) fn broken(&self) -> Option<&Error> {
        self.inner.broken.get()
    }

    pub(crate) fn set_cancelled(&self) {
        self.inner.cancelled.store(true, Ordering::Release);
        self.inner.cancel.notify_waiters();
    }

    /// Runs `work` with this context ambient.
    pub(crate) fn run<T>(&self, work: impl FnOnce() -> T) -> T {
        let before = CURRENT.try_with(|current| current.replace(Some(self.clone())));
        let _restore = Restore(before.unwrap_or(None));
        work()
    }

    /// Polls `future` with this context ambient.
    pub(crate) fn scope<F: Future + Unpin>(self, future: F) -> Scope<F> {
        let future = Some(future);
        Scope {
            context: self,
            future,
        }
    }
}

/// Makes the context ambient again that was so before, also when what ran panics.
struct Restore(Option<Context>);

impl Drop for Restore {
    fn drop(&mut self) {
        let before = self.0.take();
        drop(CURRENT.try_with(|current| current.replace(before)));
    }
}

/// A future that is polled, and dropped, with a context ambient.
pub(crate) struct Scope<F> {
    context: Context,
    /// Taken when this is dropped.
    future: Option<F>,
}

impl<F: Future + Unpin> Future for Scope<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<F::Output> {
        let Self { context, future } = &mut *self;
        match future {
            Some(future) => context.run(|| Pin::new(future).poll(cx)),
            None => Poll::Pending,
        }
    }
}

impl<F> Drop for Scope<F> {
    fn drop(&mut self) {
        let future = self.future.take();
        self.context.run(|| drop(future));
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("method", &format_args!("{}", self.inner.method))
            .field("peer", &self.peer())
            .field("identity", &self.identity())
            .field("time_left", &self.time_left())
            .field("cancelled", &self.is_cancelled())
            .finish_non_exhaustive()
    }
}
