//! Calls that have started: a handle to wait on, a callback that waits by itself.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::client::call::{CallFuture, polled_again};
use crate::error::{CallError, Error, ErrorKind, Execution};
use crate::park;

/// A call that has started: await it, poll it, block on it, or cancel it. Dropping it cancels the call.
///
/// It goes on by itself, whether anybody waits or not; many can be under way at once.
#[must_use = "dropping it cancels the call; `.forget()` instead of `.start()` lets it go on"]
pub struct Pending<T, E = Infallible> {
    state: State<T, E>,
}

enum State<T, E> {
    Running(CallFuture<T, E>),
    Finished(Option<Result<T, CallError<E>>>),
}

// Nothing is pinned in place: the running call is a plain handle.
impl<T, E> Unpin for Pending<T, E> {}

impl<T, E> Pending<T, E> {
    pub(crate) fn new(call: CallFuture<T, E>) -> Self {
        Self {
            state: State::Running(call),
        }
    }

    /// Whether the answer is here.
    pub fn is_finished(&mut self) -> bool {
        self.advance(&mut Context::from_waker(Waker::noop()))
            .is_ready()
    }

    /// Blocks this thread until the answer is here. Not for asynchronous code: it would hold up its executor, and an
    /// executor that has no other thread would never see the answer.
    ///
    /// # Errors
    ///
    /// What the call failed with; `deadline_exceeded` also if the runtime of the channel stands still meanwhile.
    pub fn wait(mut self) -> Result<T, CallError<E>> {
        let waker = park::waker();
        let mut cx = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(outcome) = Pin::new(&mut self).poll(&mut cx) {
                return outcome;
            }
            match self.patience() {
                None => thread::park(),
                Some(Duration::ZERO) => return Err(CallError::Failed(self.stands_still())),
                Some(left) => thread::park_timeout(left),
            }
        }
    }

    /// Cancels the call, here and at the peer. The same as dropping it, said aloud.
    pub fn cancel(self) {}

    /// How long to wait for the runtime to say that the time is up.
    fn patience(&self) -> Option<Duration> {
        let State::Running(call) = &self.state else {
            return None;
        };
        let end = call.deadline()?.checked_add(GRACE)?;
        Some(end.saturating_duration_since(Instant::now()))
    }

    fn stands_still(&self) -> Error {
        let error = Error::new(
            ErrorKind::DeadlineExceeded,
            "the time for the call is up and its runtime stands still: `wait` blocks a thread that the runtime needs; `.await` the call there",
        )
        .with_execution(Execution::Unknown);
        match &self.state {
            State::Running(call) => match call.method() {
                Some(method) => error.in_call(method),
                None => error,
            },
            State::Finished(_) => error,
        }
    }

    fn advance(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let State::Running(call) = &mut self.state {
            let Poll::Ready(outcome) = Pin::new(call).poll(cx) else {
                return Poll::Pending;
            };
            self.state = State::Finished(Some(outcome));
        }
        Poll::Ready(())
    }
}

impl<T, E> Future for Pending<T, E> {
    type Output = Result<T, CallError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.advance(cx).is_pending() {
            return Poll::Pending;
        }
        match &mut self.state {
            State::Finished(outcome) => match outcome.take() {
                Some(outcome) => Poll::Ready(outcome),
                None => Poll::Ready(Err(CallError::Failed(polled_again()))),
            },
            State::Running(_) => Poll::Pending,
        }
    }
}

impl<T, E> fmt::Debug for Pending<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.state {
            State::Running(call) => write!(f, "Pending({call:?})"),
            State::Finished(_) => f.write_str("Pending(finished)"),
        }
    }
}

/// A call whose answer goes to a callback. Dropping it changes nothing.
#[derive(Debug)]
pub struct Callback {
    task: AbortHandle,
}

impl Callback {
    pub(crate) fn new(task: AbortHandle) -> Self {
        Self { task }
    }

    /// Cancels the call, here and at the peer; the callback is dropped without being called, unless it runs already.
    pub fn cancel(self) {
        self.task.abort();
    }

    /// Whether the callback has been called or cancelled.
    pub fn is_finished(&self) -> bool {
        self.task.is_finished()
    }
}

/// What the runtime may be late by, as the clock of a call is its; a blocked one would be late for ever.
const GRACE: Duration = Duration::from_millis(200);
