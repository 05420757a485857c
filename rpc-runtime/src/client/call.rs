//! A call that has not started, and the future that it becomes.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::client::channel::Channel;
use crate::client::one_way::OneWay;
use crate::client::options::CallOptions;
use crate::client::pending::{Callback, Pending};
use crate::client::request::{Prepared, Request};
use crate::client::retry::{RetryPolicy, needs_more};
use crate::client::returns::Returns;
use crate::client::view::View;
use crate::codec::Viewable;
use crate::error::{CallError, Error, ErrorKind, Execution};
use crate::link::Ticket;
use crate::security::Token;
use crate::task::{Task, Work};
use crate::wire::calls::Answer;

/// A call that has not started. It is finished in one of several ways:
///
/// | mode | how |
/// |---|---|
/// | asynchronous | `.await` |
/// | handle | [`Call::start`] gives a [`Pending`]: await, poll, block or cancel it later |
/// | callback | [`Call::on_reply`] |
/// | one-way | [`Call::forget`] |
/// | batch | [`Batch::add`](crate::Batch::add): several calls in one write |
/// | synchronous | not from here: the blocking client has the same methods as plain functions |
///
/// Dropping it before that does nothing; dropping it afterwards cancels the call, here and at the peer.
#[must_use = "a call does nothing until it is awaited, started or forgotten"]
pub struct Call<T, E = Infallible> {
    channel: Channel,
    request: Request,
    returns: Returns<T, E>,
    /// A mistake in an option, told when the call is made.
    mistake: Option<Error>,
}

impl<T, E> Call<T, E> {
    pub(crate) fn new(channel: Channel, request: Request, returns: Returns<T, E>) -> Self {
        Self {
            channel,
            request,
            returns,
            mistake: None,
        }
    }

    /// Asks for the reply as it comes: strings and bytes are then read where they are, see [`View`].
    pub fn view(self) -> Call<View<T>, E>
    where
        T: Viewable,
    {
        Call {
            channel: self.channel,
            request: self.request,
            returns: self.returns.view(),
            mistake: self.mistake,
        }
    }

    /// Limits the time of the call, connecting and repeated attempts included; 10 s if neither the caller nor the
    /// definition says anything. What is left of the time of a surrounding handler limits it too.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.request.options = self.request.options.timeout(limit);
        self
    }

    /// Lets the call take for ever, unless it is made inside of a handler whose own time is limited.
    pub fn no_timeout(mut self) -> Self {
        self.request.options = self.request.options.no_timeout();
        self
    }

    /// Sends an entry beside the parameters. A key that is none ([`Metadata`](crate::Metadata)) fails the call with
    /// `invalid_argument`.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        if let Err(error) = self.request.options.metadata.insert(key, value) {
            self.mistake.get_or_insert(error);
        }
        self
    }

    /// Shows this token with the call (metadata key `authorization`), instead of the connection's. It is sent where
    /// [`ChannelBuilder::token`](crate::ChannelBuilder::token) sends one, else the call fails with
    /// `failed_precondition`.
    pub fn token(mut self, token: Token) -> Self {
        self.request.options = self.request.options.token(token);
        self
    }

    /// Says that this call may run twice, although its definition does not say so.
    pub fn idempotent(mut self) -> Self {
        self.request.options = self.request.options.idempotent();
        self
    }

    /// Replaces the channel's [`RetryPolicy`] for this call, all but its budget.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.request.options = self.request.options.retry(policy);
        self
    }

    /// Makes one attempt: whatever fails, the call fails with it at once, also where no connection is to be had now.
    pub fn no_retry(self) -> Self {
        self.retry(RetryPolicy::none())
    }

    /// Replaces all options at once.
    pub fn options(mut self, options: CallOptions) -> Self {
        self.request.options = options;
        self
    }

    /// Starts the call now and gives a handle to it. Dropping the handle cancels the call.
    pub fn start(self) -> Pending<T, E>
    where
        T: 'static,
        E: 'static,
    {
        let mut future = self.into_future();
        future.begin(true);
        Pending::new(future)
    }

    /// Starts the call without writing it out; see [`Batch`](crate::Batch).
    pub(crate) fn start_unflushed(self) -> CallFuture<T, E> {
        let mut future = self.into_future();
        future.begin(false);
        future
    }

    /// Starts the call now; `then` gets what comes of it, on a task of the channel's runtime. Dropping the handle does
    /// not cancel the call; [`Callback::cancel`] does.
    pub fn on_reply(self, then: impl FnOnce(Result<T, CallError<E>>) + Send + 'static) -> Callback
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        let channel = self.channel.clone();
        let mut future = self.into_future();
        future.begin(true);
        Callback::new(
            channel
                .runtime()
                .spawn(async move { then(future.await) })
                .abort_handle(),
        )
    }

    /// Sends the call and lets the peer answer nothing. The result, an error of the method included, is lost; whether
    /// it could be sent is known by awaiting what this returns, or not at all by [`OneWay::forget`].
    pub fn forget(self) {
        OneWay::of(self.channel, self.request, self.mistake).forget();
    }
}

impl<T, E> IntoFuture for Call<T, E> {
    type Output = Result<T, CallError<E>>;
    type IntoFuture = CallFuture<T, E>;

    fn into_future(self) -> CallFuture<T, E> {
        let state = match self.mistake {
            Some(mistake) => State::Failed(mistake),
            None => State::New(self.request),
        };
        CallFuture {
            attempt: Attempt {
                channel: self.channel,
                state,
                method: None,
                started: false,
                deadline: None,
            },
            returns: self.returns,
        }
    }
}

/// A call at work. Dropping it cancels the call, here and at the peer.
#[must_use = "futures do nothing unless awaited"]
pub struct CallFuture<T, E = Infallible> {
    attempt: Attempt,
    returns: Returns<T, E>,
}

/// What does not depend on the method; there are many, and each would have its own.
struct Attempt {
    channel: Channel,
    state: State,
    method: Option<&'static crate::MethodDescriptor>,
    /// It goes on whether anybody polls or not.
    started: bool,
    deadline: Option<Instant>,
}

/// ```text
/// New ──> Sent ──answer──> Done
///  │        └─not executed, or unknown method─┐
///  └──no connection──> Slow or Task <─────────┘
/// ```
enum State {
    New(Request),
    Failed(Error),
    /// The frame is on its way; the prepared request is kept for another attempt.
    Sent(Prepared, Ticket),
    /// Everything that has to wait before or after the first attempt.
    Slow(Work<'static, Answer>),
    /// The same, on a task of its own, so that it goes on while nobody polls.
    Task(Task<Answer>),
    Done,
}

impl<T, E> CallFuture<T, E> {
    fn begin(&mut self, flush: bool) {
        self.attempt.begin(flush);
    }

    /// When the call has failed at the latest; none before it began.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.attempt.deadline
    }

    /// The method, once the call has begun.
    pub(crate) fn method(&self) -> Option<&'static crate::MethodDescriptor> {
        self.attempt.method
    }

    /// The connection that the call was sent on, if it needed no waiting.
    pub(crate) fn link(&self) -> Option<&std::sync::Arc<crate::link::Link>> {
        match &self.attempt.state {
            State::Sent(_, ticket) => Some(ticket.link()),
            _ => None,
        }
    }
}

impl<T, E> Future for CallFuture<T, E> {
    type Output = Result<T, CallError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Poll::Ready(answer) = self.attempt.poll_answer(cx) else {
            return Poll::Pending;
        };
        Poll::Ready(match (answer, self.attempt.method) {
            (answer, Some(method)) => self.returns.decode(answer, method),
            (answer, None) => Err(CallError::Failed(never_began(answer))),
        })
    }
}

impl Attempt {
    /// Leaves `New`: sends the frame if that needs no waiting, else hands the rest to a task.
    fn begin(&mut self, flush: bool) {
        self.started = true;
        self.step(flush, None);
    }

    /// What has to wait: on a task of its own if the call goes on by itself, or if it is polled where there are no
    /// timers.
    fn rest(&self, work: Work<'static, Answer>) -> State {
        if self.started || Handle::try_current().is_err() {
            State::Task(Task::start(self.channel.runtime(), work))
        } else {
            State::Slow(work)
        }
    }

    fn step(&mut self, flush: bool, by: Option<&Waker>) {
        let request = match std::mem::replace(&mut self.state, State::Done) {
            State::New(request) => request,
            other => return self.state = other,
        };
        self.method = Some(request.method);
        let prepared = match request.prepare(self.channel.limits()) {
            Ok(prepared) => prepared,
            Err(error) => return self.state = State::Failed(error),
        };
        self.deadline = prepared.deadline;
        self.state = match self.channel.try_begin(&prepared, flush, by) {
            Ok(Some(ticket)) => State::Sent(prepared, ticket),
            Ok(None) => self.rest(self.channel.clone().invoke(prepared)),
            Err(error) => State::Failed(error),
        };
    }

    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Answer> {
        loop {
            let answer = match &mut self.state {
                State::New(_) => {
                    self.step(true, Some(cx.waker()));
                    if let State::Sent(..) = self.state {
                        // Whoever answers, or ends the call, knows the waker already.
                        return Poll::Pending;
                    }
                    continue;
                }
                State::Failed(_) => {
                    let State::Failed(error) = std::mem::replace(&mut self.state, State::Done)
                    else {
                        continue;
                    };
                    Answer::Failed(error)
                }
                State::Sent(prepared, ticket) => {
                    let Poll::Ready(answer) = ticket.poll_answer(cx) else {
                        return Poll::Pending;
                    };
                    if needs_more(prepared, &answer) {
                        self.follow_up(answer);
                        continue;
                    }
                    let method = prepared.method;
                    self.channel.note(method, &answer);
                    answer
                }
                State::Slow(rest) => match rest.as_mut().poll(cx) {
                    Poll::Ready(answer) => answer,
                    Poll::Pending => return Poll::Pending,
                },
                State::Task(task) => match Pin::new(task).poll(cx) {
                    Poll::Ready(Some(answer)) => answer,
                    Poll::Ready(None) => Answer::Failed(
                        Error::new(ErrorKind::Cancelled, "the runtime of the channel has ended")
                            .with_execution(Execution::Unknown),
                    ),
                    Poll::Pending => return Poll::Pending,
                },
                State::Done => Answer::Failed(polled_again()),
            };
            self.state = State::Done;
            return Poll::Ready(answer);
        }
    }

    /// Goes on after the answer of the first attempt, where another one or a better message is due.
    #[cold]
    fn follow_up(&mut self, answer: Answer) {
        if let State::Sent(prepared, ticket) = std::mem::replace(&mut self.state, State::Done) {
            let link = ticket.link().clone();
            self.state = self.rest(self.channel.clone().go_on(prepared, link, answer));
        }
    }
}

fn never_began(answer: Answer) -> Error {
    match answer {
        Answer::Failed(error) => error,
        _ => Error::new(ErrorKind::Internal, "an answer before the call began"),
    }
}

/// For a future whose answer was given out already: waiting for another one would never end.
pub(crate) fn polled_again() -> Error {
    Error::new(ErrorKind::Internal, "polled after the call was finished")
        .with_execution(Execution::Unknown)
}

impl<T, E> fmt::Debug for Call<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Call({} on {:?})", self.request.method, self.channel)
    }
}

impl<T, E> fmt::Debug for CallFuture<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "CallFuture({:?} on {:?})",
            self.attempt.method, self.attempt.channel
        )
    }
}
