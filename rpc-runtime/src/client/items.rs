//! Received streams: the answer of a streaming method at the caller, a stream parameter at the callee.

use std::convert::Infallible;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use tokio::runtime::Handle;

use crate::client::channel::Channel;
use crate::client::request::Prepared;
use crate::client::retry::{Tried, may_repeat};
use crate::client::returns::Returns;
use crate::descriptor::MethodDescriptor;
use crate::error::{CallError, Error, ErrorKind, Execution, Result};
use crate::link::{Event, Link, Ticket};
use crate::task::{Task, Work};
use crate::wire::calls::Answer;
use crate::wire::streams::{Batch, Key, Next};

/// A stream of items from the other side: a [`Stream`] of `Result<T, CallError<E>>`.
///
/// Items come in order. The stream ends with `None` when the sender has said that it is complete; whatever else ends it
/// (the connection, the deadline, a declared error, a panic) is an `Err`, after which nothing comes. Unread items are
/// bounded by [`Limits::stream_window`](crate::Limits::stream_window); a sender waits when its reader is slow.
///
/// Dropping it tells the sender to stop: at the caller that cancels the call, at the callee the call goes on.
///
/// ```no_run
/// # async fn f(mut prices: rpc_runtime::Items<f64>) -> rpc_runtime::Result<()> {
/// while let Some(price) = prices.next().await {
///     println!("{}", price?);
/// }
/// # Ok(()) }
/// ```
#[must_use = "dropping a stream cancels it"]
pub struct Items<T, E = Infallible> {
    state: State,
    /// Items that were taken with an earlier one.
    batch: Batch,
    returns: Returns<T, E>,
    method: &'static MethodDescriptor,
}

/// ```text
/// Beginning ──connected──> Answering ──terminal frame──> Over
///     ^────not started, nothing read yet────┘
/// Given (a parameter) ──END, or broken──> Over
/// ```
enum State {
    Beginning(Beginning),
    Answering(Box<Answering>),
    Given(Given),
    Failed(Error),
    Over,
}

type Begun = Result<Answering>;

enum Beginning {
    Future(Work<'static, Begun>),
    Task(Task<Begun>),
}

/// The answer of a call.
pub(crate) struct Answering {
    pub(crate) channel: Channel,
    pub(crate) prepared: Prepared,
    pub(crate) ticket: Ticket,
    pub(crate) tried: Tried,
    pub(crate) any: bool,
}

/// A stream parameter of a handler.
struct Given {
    link: Arc<Link>,
    key: Key,
}

impl<T, E> Items<T, E> {
    pub(crate) fn answering(
        answering: Answering,
        returns: Returns<T, E>,
        method: &'static MethodDescriptor,
    ) -> Self {
        let state = State::Answering(Box::new(answering));
        Self {
            state,
            batch: Batch::default(),
            returns,
            method,
        }
    }

    pub(crate) fn failed(
        error: Error,
        returns: Returns<T, E>,
        method: &'static MethodDescriptor,
    ) -> Self {
        let state = State::Failed(error);
        Self {
            state,
            batch: Batch::default(),
            returns,
            method,
        }
    }

    /// The answer of a call that cannot begin at once. It goes on although nobody reads.
    pub(crate) fn beginning(channel: &Channel, prepared: Prepared, returns: Returns<T, E>) -> Self {
        let method = prepared.method;
        let begin = channel.clone().begin(prepared, Tried::default());
        Self {
            state: State::Beginning(Beginning::Task(Task::start(channel.runtime(), begin))),
            batch: Batch::default(),
            returns,
            method,
        }
    }

    /// The next item; `None` after the last one. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<T, CallError<E>>> {
        poll_fn(|cx| self.poll_item(cx)).await
    }

    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, CallError<E>>>> {
        loop {
            match &mut self.state {
                State::Over => return Poll::Ready(None),
                State::Failed(_) => {
                    let State::Failed(error) = std::mem::replace(&mut self.state, State::Over)
                    else {
                        continue;
                    };
                    let error = error.in_call(self.method);
                    return Poll::Ready(Some(Err(CallError::Failed(error))));
                }
                State::Beginning(beginning) => {
                    let Poll::Ready(begun) = beginning.poll(cx) else {
                        return Poll::Pending;
                    };
                    self.state = match begun {
                        Ok(answering) => State::Answering(Box::new(answering)),
                        Err(error) => State::Failed(error),
                    };
                }
                State::Given(given) => {
                    let Poll::Ready(next) = given.link.poll_next(given.key, &mut self.batch, cx)
                    else {
                        return Poll::Pending;
                    };
                    return Poll::Ready(self.next_given(next));
                }
                State::Answering(answering) => {
                    match answering.ticket.poll_event(&mut self.batch, cx) {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(Event::Item(body)) => {
                            answering.any = true;
                            return Poll::Ready(Some(self.decode(Answer::Result(body))));
                        }
                        Poll::Ready(Event::Over(answer)) => {
                            if let Some(end) = self.over(answer) {
                                return Poll::Ready(end);
                            }
                        }
                    }
                }
            }
        }
    }

    fn next_given(&mut self, next: Next) -> Option<Result<T, CallError<E>>> {
        let error = match next {
            Next::Item(body) => return Some(self.decode(Answer::Result(body))),
            Next::End => {
                self.state = State::Over;
                return None;
            }
            Next::Broken(error) => error,
            Next::Gone | Next::Wait | Next::Packed(_) => Error::new(
                ErrorKind::Cancelled,
                "the call that the stream belongs to is over",
            )
            .with_execution(Execution::Unknown),
        };
        self.state = State::Over;
        Some(Err(CallError::Failed(error.in_call(self.method))))
    }

    fn decode(&mut self, answer: Answer) -> Result<T, CallError<E>> {
        let item = self.returns.decode(answer, self.method);
        if item.is_err() {
            // What cannot be read now will not be read later: the sender is told to stop.
            self.stop();
        }
        item
    }

    /// The terminal frame; `None` if the call is made once more.
    fn over(&mut self, answer: Answer) -> Option<Option<Result<T, CallError<E>>>> {
        let State::Answering(answering) = std::mem::replace(&mut self.state, State::Over) else {
            return Some(None);
        };
        match answer {
            Answer::Result(_) | Answer::Lent(_) => Some(None),
            Answer::Failed(failure)
                if !answering.any && may_repeat(&answering.prepared, &failure) =>
            {
                let Answering {
                    channel,
                    prepared,
                    ticket,
                    tried,
                    ..
                } = *answering;
                let link = ticket.link().clone();
                let again = channel.clone().begin_again(prepared, tried, link, failure);
                self.state = State::Beginning(if Handle::try_current().is_ok() {
                    Beginning::Future(again)
                } else {
                    Beginning::Task(Task::start(channel.runtime(), again))
                });
                None
            }
            answer => Some(Some(self.returns.decode(answer, self.method))),
        }
    }

    fn stop(&mut self) {
        if let State::Given(given) = &self.state {
            given.link.stop_reading(given.key);
        }
        // Dropping the ticket of a call cancels it.
        self.state = State::Over;
    }
}

impl<T> Items<T> {
    /// A stream parameter of a call of the peer.
    pub(crate) fn given(
        link: Arc<Link>,
        key: Key,
        codec: crate::codec::Codec<T>,
        method: &'static MethodDescriptor,
    ) -> Self {
        Self {
            state: State::Given(Given { link, key }),
            batch: Batch::default(),
            returns: Returns::plain(codec),
            method,
        }
    }
}

impl Beginning {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Begun> {
        match self {
            Self::Future(future) => future.as_mut().poll(cx),
            Self::Task(task) => Pin::new(task).poll(cx).map(|joined| {
                joined.unwrap_or_else(|| {
                    Err(Error::new(
                        ErrorKind::Cancelled,
                        "the runtime of the channel has ended",
                    ))
                })
            }),
        }
    }
}

// The stream is read through handles; nothing is pinned in place.
impl<T, E> Unpin for Items<T, E> {}

impl<T, E> Stream for Items<T, E> {
    type Item = Result<T, CallError<E>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_item(cx)
    }
}

impl<T, E> Drop for Items<T, E> {
    fn drop(&mut self) {
        if let State::Given(given) = &self.state {
            given.link.stop_reading(given.key);
        }
    }
}

impl<T, E> fmt::Debug for Items<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Beginning(_) => "beginning",
            State::Answering(_) | State::Given(_) => "open",
            State::Failed(_) | State::Over => "over",
        };
        write!(f, "Items({}, {state})", self.method)
    }
}

/// Items of a stream parameter without their errors: a stream that broke never ends, and its handler is dropped.
///
/// What a handler gets whose parameter is written `impl Stream<Item = T>`.
#[derive(Debug)]
pub struct Unbroken<T> {
    items: Items<T>,
}

impl<T> Items<T> {
    /// Takes the errors out of a stream parameter: where one would come, the call fails with it and the handler is
    /// dropped. Generated code calls this, for `impl Stream<Item = T>`; an answered stream has no handler that could be
    /// dropped, and ends early.
    #[doc(hidden)]
    pub fn unbroken(self) -> Unbroken<T> {
        Unbroken { items: self }
    }
}

impl<T> Unpin for Unbroken<T> {}

impl<T> Stream for Unbroken<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let at = match &self.items.state {
            State::Given(given) => Some((given.link.clone(), given.key.1)),
            _ => None,
        };
        match self.items.poll_item(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Ready(Some(Ok(item))) => Poll::Ready(Some(item)),
            Poll::Ready(Some(Err(error))) => {
                let Some((link, id)) = at else {
                    // Waiting for ever would be worse, and nobody here can be told.
                    log::warn!("a stream whose errors were taken out has ended early: {error}");
                    return Poll::Ready(None);
                };
                let CallError::Failed(error) = error;
                link.fail_handler(id, &error);
                Poll::Pending
            }
        }
    }
}

/// What a callee tells of streams that no connection carries.
pub(crate) fn no_streams() -> Error {
    Error::new(
        ErrorKind::Unimplemented,
        "streams need a connection of this protocol",
    )
}
