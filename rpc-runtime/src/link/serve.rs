//! Calls of the peer: call ID, method, limits, decode, handler, answer, in this order.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

use super::{Link, Phase};
use crate::codec::{CheckLimits, check};
use crate::context::Context;
use crate::descriptor::MethodDescriptor;
use crate::error::Execution;
use crate::metadata::Metadata;
use crate::server::catch_panic::CatchPanic;
use crate::server::incoming::{Answer, Incoming};
use crate::status::Status;
use crate::wire::frame::{self, FailPart, Frame, GoAwayReason, flag};
use crate::wire::inbound::Refusal;

/// The body of an answer that has nothing to say.
const NIL: u8 = 0xc0;

thread_local! {
    /// The link whose reader polls a handler on this thread; its answers are flushed after the whole read.
    static READER: Cell<usize> = const { Cell::new(0) };
}

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
}

/// Answers one call of the peer, exactly once: what is not answered when it is dropped is answered then.
pub(crate) struct Responder {
    link: Arc<Link>,
    request_id: u32,
    one_way: bool,
    context: Context,
    answered: AtomicBool,
}

impl Responder {
    /// REPLY with a result.
    pub(crate) fn reply(&self, encode: impl FnOnce(&mut Vec<u8>)) {
        self.answer(encode, frame::write_reply);
    }

    /// REPLY with the declared error.
    pub(crate) fn declare(&self, part: FailPart, encode: impl FnOnce(&mut Vec<u8>)) {
        self.answer(encode, |out, id, body| {
            frame::write_declared(out, id, &part, body)
        });
    }

    /// FAIL.
    pub(crate) fn fail(&self, status: Status, execution: Execution, message: &str) {
        let part = fail_part(status, execution);
        self.answer(
            |_| {},
            |out, id, _| frame::write_fail(out, id, &part, message),
        );
    }

    /// The end of a one-way method: nothing, unless the caller has not said that it wants nothing.
    pub(crate) fn done(&self) {
        self.reply(|out| out.push(NIL));
    }

    fn answer(
        &self,
        encode: impl FnOnce(&mut Vec<u8>),
        write: impl FnOnce(&mut Vec<u8>, u32, &[u8]),
    ) {
        if self.answered.swap(true, Ordering::AcqRel) {
            return;
        }
        // Encoding runs the user's code, so it must not happen under the link's lock.
        with_scratch(|scratch| {
            let encoded = catch_unwind(AssertUnwindSafe(|| encode(scratch)));
            let message = encoded.err().map(|panic| {
                format!(
                    "encoding the answer of {} panicked: {}",
                    self.context.method(),
                    text(&*panic)
                )
            });
            self.finish(scratch, message, write);
        });
    }

    fn finish(
        &self,
        body: &[u8],
        panicked: Option<String>,
        write: impl FnOnce(&mut Vec<u8>, u32, &[u8]),
    ) {
        let link = &*self.link;
        let mut state = link.lock();
        state.serving.remove(&self.request_id);
        state.inflight -= 1;
        state.last_call = Instant::now();
        let idle = state.inflight == 0;
        if !self.one_way && state.phase != Phase::Closed {
            let limit = link.peer_hello.max_frame as usize;
            let out = state.out.buffer();
            let fail = |out: &mut Vec<u8>, status, text: &str| {
                let part = fail_part(status, Execution::Executed);
                frame::write_fail(out, self.request_id, &part, text);
            };
            if let Some(text) = panicked {
                fail(out, Status::Internal, &text);
            } else {
                let start = out.len();
                // What is too large by itself is not even copied.
                let fits = body.len() <= limit && {
                    write(out, self.request_id, body);
                    out.len() - start <= limit + frame::LENGTH_FIELD
                };
                if !fits {
                    let text = format!(
                        "the answer takes {} bytes, the caller accepts frames of {limit}; answer with less at once",
                        body.len()
                    );
                    out.truncate(start);
                    fail(out, Status::ResourceExhausted, &text);
                }
            }
            link.choke(&state);
        }
        drop(state);
        if idle {
            link.idle.notify_waiters();
        }
        if READER.get() != address(link) {
            if idle {
                link.flush_now()
            } else {
                link.wake_keeper.notify_one()
            }
        }
    }
}

impl Drop for Responder {
    /// The handler is gone without an answer: it panicked, was cancelled, or ran out of time.
    fn drop(&mut self) {
        if *self.answered.get_mut() {
            return;
        }
        let method = self.context.method();
        let late = self
            .context
            .deadline()
            .is_some_and(|deadline| deadline <= Instant::now());
        if std::thread::panicking() {
            // The payload of the panic stays here: it may hold what the caller must not see.
            self.fail(
                Status::Internal,
                Execution::Executed,
                &format!("the handler of {method} panicked; the server's log says why"),
            );
        } else if self.context.is_cancelled() {
            self.fail(
                Status::Cancelled,
                Execution::Executed,
                &format!("{method} was cancelled"),
            );
        } else if late {
            self.fail(
                Status::DeadlineExceeded,
                Execution::Executed,
                &format!("{method} did not finish in time"),
            );
        } else {
            self.fail(
                Status::Internal,
                Execution::Executed,
                &format!("the handler of {method} ended without an answer"),
            );
        }
    }
}

impl Link {
    pub(super) fn on_call(self: &Arc<Self>, frame: Frame) -> Result<(), Refusal> {
        let part = frame.call_part();
        let (id, one_way) = (frame.request_id, frame.flags & flag::ONE_WAY != 0);
        let arrived = self.admit_id(id)?;
        let Some(router) = &self.router else {
            self.refuse_call(
                id,
                one_way,
                Status::Unimplemented,
                "this side serves nothing",
            );
            return Ok(());
        };
        let Some((skeleton, index, method)) = router.find(part.call_id) else {
            self.refuse_call(
                id,
                one_way,
                Status::Unimplemented,
                &router.unknown(part.call_id),
            );
            return Ok(());
        };
        if let Err((status, text)) = self.admit(&frame, method) {
            self.refuse_call(id, one_way, status, &text);
            return Ok(());
        }
        let metadata = match self.read_parts(&frame, method) {
            Ok(metadata) => metadata,
            Err(text) => {
                self.refuse_call(id, one_way, Status::InvalidArgument, &text);
                return Ok(());
            }
        };
        let deadline = (part.remaining_ms > 0)
            .then(|| arrived + Duration::from_millis(u64::from(part.remaining_ms)));
        let repeated = frame.flags & flag::NO_RETRY != 0;
        let context = Context::new(method, self.peer.clone(), metadata, deadline, repeated);
        let responder = Responder {
            link: self.clone(),
            request_id: id,
            one_way,
            context: context.clone(),
            answered: AtomicBool::new(false),
        };
        self.lock().inflight += 1;
        let incoming = Incoming::new(frame.body, context.clone(), responder.into());
        // A panic has dropped the call, which has answered by that; the reader goes on.
        if let Ok(answer) = catch_unwind(AssertUnwindSafe(|| skeleton.call(index, incoming))) {
            self.run(id, context, answer);
        }
        Ok(())
    }

    /// Request IDs of a peer are not zero and not used twice at once. Returns when the call arrived: with the read that
    /// brought it, so that what it waited for its turn is taken off its time.
    fn admit_id(&self, id: u32) -> Result<Instant, Refusal> {
        let mut state = self.lock();
        if id == 0 || state.serving.contains_key(&id) {
            let text = format!(
                "request ID {id} is {}",
                if id == 0 {
                    "not allowed for a call"
                } else {
                    "in use"
                }
            );
            return Err(Refusal::Frame(GoAwayReason::Protocol, text));
        }
        state.last_seen = id;
        Ok(state.last_heard)
    }

    /// Limits and parts of the protocol that are not served yet.
    fn admit(&self, frame: &Frame, method: &MethodDescriptor) -> Result<(), (Status, String)> {
        const LATER: u8 =
            flag::STREAM_IN | flag::STREAM_OUT | flag::MORE | flag::TARGET | flag::COMPRESSED;
        if !method.served || frame.flags & LATER != 0 {
            return Err((
                Status::Unimplemented,
                format!(
                    "{method}: streams, cut or compressed bodies and object targets are not served by this version"
                ),
            ));
        }
        let state = self.lock();
        if state.phase == Phase::Closed || state.leaving.refusing {
            return Err((
                Status::Unavailable,
                "this side takes no more calls on this connection".to_owned(),
            ));
        }
        if state.inflight >= self.limits.max_inflight_per_connection {
            let text = format!(
                "{} calls of this connection are worked on, more are not taken",
                state.inflight
            );
            return Err((Status::ResourceExhausted, text));
        }
        Ok(())
    }

    /// Metadata and structure of the parameters; nothing of it is decoded for a caller that is refused.
    fn read_parts(&self, frame: &Frame, method: &MethodDescriptor) -> Result<Metadata, String> {
        let limits = CheckLimits {
            max_depth: self.limits.max_depth,
            max_nodes: self.limits.max_nodes,
        };
        if !frame.metadata.is_empty() {
            check(&frame.metadata, &limits)
                .map_err(|malformed| format!("{method}: metadata: {malformed}"))?;
        }
        let metadata = Metadata::decode(&frame.metadata, &self.limits)
            .map_err(|error| format!("{method}: metadata: {error}"))?;
        check(&frame.body, &limits)
            .map_err(|malformed| format!("{method}: parameters: {malformed}"))?;
        Ok(metadata)
    }

    fn refuse_call(&self, id: u32, one_way: bool, status: Status, text: &str) {
        if one_way {
            return;
        }
        let mut state = self.lock();
        state.queued_control += 1;
        frame::write_fail(
            state.out.buffer(),
            id,
            &fail_part(status, Execution::NotStarted),
            text,
        );
        self.choke(&state);
    }

    /// Polls a handler once on the reader's task; most are done by then, the others get a task of their own.
    fn run(self: &Arc<Self>, id: u32, context: Context, mut answer: Answer) {
        let before = READER.replace(address(self));
        let first = context.run(|| {
            catch_unwind(AssertUnwindSafe(|| {
                answer
                    .as_mut()
                    .poll(&mut TaskContext::from_waker(Waker::noop()))
            }))
        });
        READER.set(before);
        // A panic has dropped what it was in, and with it the responder, which answers.
        if !matches!(first, Ok(Poll::Pending)) {
            return drop_quietly(answer);
        }
        let mut state = self.lock();
        if state.phase != Phase::Closed {
            let (context, task) = (context.clone(), None);
            state.serving.insert(id, Serving { context, task });
        }
        drop(state);
        let task = tokio::spawn(finish(context.clone(), answer)).abort_handle();
        let mut state = self.lock();
        if let Some(serving) = state.serving.get_mut(&id) {
            serving.task = Some(task);
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

    pub(super) fn on_cancel(&self, id: u32) {
        // The place (`inflight`) and the ID stay taken until the handler is really gone: its responder frees both. It is
        // told outside of the lock, because dropping it may answer.
        let serving = self.lock().serving.get(&id).cloned();
        if let Some(serving) = serving {
            serving.cancel();
        }
    }
}

/// Drives a handler to its end, or to its deadline.
async fn finish(context: Context, answer: Answer) {
    let deadline = context.deadline();
    let guarded = context.clone().scope(CatchPanic(answer));
    match deadline {
        Some(deadline) => {
            if timeout_at(deadline, guarded).await.is_err() {
                // A synchronous handler goes on, and may ask.
                context.set_cancelled();
            }
        }
        None => guarded.await,
    }
}

/// Drops a handler's future; a destructor that panics must not take the reader with it.
fn drop_quietly(answer: Answer) {
    let _ = catch_unwind(AssertUnwindSafe(|| drop(answer)));
}

fn fail_part(status: Status, execution: Execution) -> FailPart {
    FailPart {
        status: status.code(),
        execution,
        retryable: false,
        retry_after_ms: 0,
    }
}

fn address(link: &Link) -> usize {
    std::ptr::from_ref(link) as usize
}

fn text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

/// Lends a buffer of this thread, so that small answers need no allocation.
fn with_scratch(work: impl FnOnce(&mut Vec<u8>)) {
    thread_local! {
        static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    }
    /// Larger buffers are given back.
    const KEPT: usize = 64 << 10;
    let mut scratch = SCRATCH.take();
    scratch.clear();
    work(&mut scratch);
    if scratch.capacity() <= KEPT {
        SCRATCH.set(scratch);
    }
}
