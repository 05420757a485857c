//! Handlers that go on after their first poll, and what ends them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};

use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

use super::answer::fail_part;
use super::pace::{Pace, Start};
use super::{Link, Phase, State};
use crate::context::{Context, Scope};
use crate::error::{Error, ErrorKind, Execution};
use crate::server::catch_panic::CatchPanic;
use crate::server::incoming::Answer;
use crate::status::Status;
use crate::task;
use crate::wire::budgets::Charge;
use crate::wire::by_id::ById;
use crate::wire::frame::{self, Kind, flag};
use crate::wire::streams::Side;

/// A handler that goes on after its first poll.
#[derive(Clone)]
pub(super) struct Serving {
    context: Context,
    /// `None` for the moment between the first poll and the spawn.
    task: Option<AbortHandle>,
}

impl Serving {
    /// Tells the handler that nobody waits; drops it at its next `.await` unless it is declared to finish.
    pub(super) fn cancel(self) {
        self.context.set_cancelled();
        if let Some(task) = self.task
            && !self.context.method().finish
        {
            task.abort();
        }
    }

    /// Drops the handler at its next `.await`: its time is up.
    fn expire(self) {
        // First, so that it does not answer that it was cancelled.
        if let Some(task) = self.task {
            task.abort();
        }
        // A synchronous handler goes on, and may ask.
        self.context.set_cancelled();
    }

    fn has_deadline(&self, deadline: Instant) -> bool {
        self.context.deadline() == Some(deadline)
    }
}

impl Link {
    /// Polls a handler once on the reader's task, unless it is known to take long; most are done by then, the others get a
    /// task of their own.
    pub(super) fn run(
        self: &Arc<Self>,
        id: u32,
        context: Context,
        (begin, pace): (Start, &Pace),
        mut answer: Answer,
    ) {
        if begin == Start::Apart {
            return self.spawn(id, context, answer);
        }
        let before = (begin == Start::Measured).then(Instant::now);
        let first = context.run(|| {
            catch_unwind(AssertUnwindSafe(|| {
                answer
                    .as_mut()
                    .poll(&mut TaskContext::from_waker(Waker::noop()))
            }))
        });
        if let Some(before) = before {
            pace.note(before.elapsed());
        }
        // A panic has dropped what it was in, and with it the responder, which answers.
        if !matches!(first, Ok(Poll::Pending)) {
            return drop_quietly(answer);
        }
        self.spawn(id, context, answer);
    }

    /// Gives a handler a task of its own.
    fn spawn(&self, id: u32, context: Context, answer: Answer) {
        let mut state = self.lock();
        if state.phase != Phase::Closed {
            let (context, task) = (context.clone(), None);
            state.serving.insert(id, Serving { context, task });
        }
        drop(state);
        let handler = context.clone().scope(CatchPanic(answer));
        let (task, deadline) = match context.deadline() {
            // The keeper ends handlers in time, but this one may outlive the link.
            Some(deadline) if context.method().finish => {
                let timed = until(deadline, context.clone(), handler);
                (task::spawn(timed).abort_handle(), None)
            }
            deadline => (tokio::spawn(handler).abort_handle(), deadline),
        };
        let mut state = self.lock();
        if let Some(serving) = state.serving.get_mut(&id) {
            serving.task = Some(task);
            if let Some(deadline) = deadline {
                self.watch_handler(&mut state, id, deadline);
            }
            return;
        }
        // Not there: it is done by now, or the link was closed and has cancelled all that it knew of.
        let closed = state.phase == Phase::Closed;
        drop(state);
        if closed {
            let task = Some(task);
            Serving { context, task }.cancel();
        }
    }

    /// Has the keeper end a handler in time.
    fn watch_handler(&self, state: &mut State, id: u32, deadline: Instant) {
        let State {
            serving, deadlines, ..
        } = state;
        deadlines.add(deadline, id, (serving.len(), waiting(serving)));
        if deadline < state.keeper_due {
            self.wake_keeper.notify_one();
        }
    }

    /// Ends the handlers whose time is up.
    pub(super) fn expire_handlers(&self, now: Instant) {
        let mut state = self.lock();
        let State {
            serving, deadlines, ..
        } = &mut *state;
        if deadlines.next().is_none_or(|deadline| deadline > now) {
            return;
        }
        let due = deadlines.take_due(now, waiting(serving));
        // They stay in the table until they are really gone, as those that are cancelled do.
        let late: Vec<_> = due
            .iter()
            .filter_map(|id| serving.get(id).cloned())
            .collect();
        drop(state);
        late.into_iter().for_each(Serving::expire);
    }

    /// Ends a handler whose parameters broke: its caller gets `error` if the handler has nothing better to say.
    pub(crate) fn fail_handler(&self, id: u32, error: &Error) {
        let serving = self.lock().serving.get(&id).cloned();
        if let Some(serving) = serving {
            serving.context.set_broken(error.clone());
            serving.context.set_cancelled();
            // Even one that is declared to finish: without its parameters it never would.
            if let Some(task) = serving.task {
                task.abort();
            }
        }
    }

    pub(super) fn on_cancel(&self, id: u32) {
        // The place (`inflight`) and the ID stay taken until the handler is really gone: its responder frees both. It is
        // told outside of the lock, because dropping it may answer.
        let key = (Side::Theirs, id);
        let mut state = self.lock();
        let serving = state.serving.get(&id).cloned();
        let late = |serving: &Serving| {
            let deadline = serving.context.deadline();
            deadline.is_some_and(|deadline| deadline <= state.last_heard)
        };
        let charge = match &serving {
            Some(serving) if late(serving) => None,
            Some(_) => Some(Charge::Cancel),
            None if state.pieces.contains(key) => Some(Charge::Cancel),
            None => Some(Charge::Control(1)),
        };
        if let Some(charge) = charge {
            self.charge(&mut state, charge);
        }
        let dropped = state.pieces.drop_body(key);
        state.settle();
        let gone = Error::new(ErrorKind::Cancelled, "the caller has given the call up");
        let reader = state
            .streams
            .broke(key, gone.with_execution(Execution::Unknown));
        let writer = state.streams.stopped(key);
        if state.out.drop_body(key) {
            // The rest of an answer that nobody wants. The caller still waits for an end.
            let part = fail_part(Status::Cancelled, Execution::Executed);
            frame::write_fail(state.out.buffer(), id, &part, "the call was cancelled");
        }
        drop(state);
        if let Some(front) = dropped.filter(|front| front.kind == Kind::Call) {
            let one_way = front.flags & flag::ONE_WAY != 0;
            self.refuse_call(id, one_way, Status::Cancelled, "the call was cancelled");
        }
        if let Some(serving) = serving {
            serving.cancel();
        }
        reader.into_iter().chain(writer).for_each(Waker::wake);
    }
}

/// Whether a handler is there with such a deadline and ID.
fn waiting(serving: &ById<u32, Serving>) -> impl Fn(Instant, u32) -> bool + '_ {
    |deadline, id| {
        serving
            .get(&id)
            .is_some_and(|known| known.has_deadline(deadline))
    }
}

/// Drives a handler to its end, or to its deadline.
async fn until(deadline: Instant, context: Context, handler: Scope<CatchPanic>) {
    if timeout_at(deadline, handler).await.is_err() {
        // A synchronous handler goes on, and may ask.
        context.set_cancelled();
    }
}

/// Drops what is the user's, such as a handler's future; a destructor that panics must not take the reader with it.
pub(super) fn drop_quietly<T>(what: T) {
    let _ = catch_unwind(AssertUnwindSafe(|| drop(what)));
}
