//! How a call of the peer is answered: exactly once, with a result, a declared error, or what went wrong.

use std::any::Any;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

use tokio::time::Instant;

use super::objects::drop_objects;
use super::turn::{self, Encoded, Message};
use super::{Link, Phase, State};
use crate::context::Context;
use crate::descriptor::MethodKind;
use crate::error::{ErrorKind, Execution};
use crate::object::{Lent, Loan};
use crate::status::Status;
use crate::wire::body::Body;
use crate::wire::budgets::Charge;
use crate::wire::frame::{self, FailPart, Kind, flag};
use crate::wire::sending::is_cut;
use crate::wire::streams::{Key, Side};

/// The body of an answer that has nothing to say.
const NIL: u8 = 0xc0;

/// Answers one call of the peer, exactly once: what is not answered when it is dropped is answered then.
pub(crate) struct Responder {
    /// Knows the link.
    context: Context,
    request_id: u32,
    one_way: bool,
    /// Bytes of the parameters, which are kept until the answer.
    params: u64,
    answered: AtomicBool,
    /// The parameters were looked at: from here on the handler may have run.
    begun: AtomicBool,
}

impl Responder {
    /// For a call that came on the link of its context.
    pub(super) fn new(context: Context, request_id: u32, one_way: bool, params: u64) -> Self {
        Self {
            context,
            request_id,
            one_way,
            params,
            answered: AtomicBool::new(false),
            begun: AtomicBool::new(false),
        }
    }

    /// REPLY with a result.
    pub(crate) fn reply(&self, encode: &mut dyn FnMut(&mut Vec<u8>)) {
        self.answer(encode, Head::Result);
    }

    /// REPLY with the declared error.
    pub(crate) fn declare(&self, part: FailPart, encode: &mut dyn FnMut(&mut Vec<u8>)) {
        self.answer(encode, Head::Declared(part));
    }

    /// The call that is answered.
    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    /// Whether the caller cannot read a declared error unless it is a text.
    pub(crate) fn wants_text(&self) -> bool {
        self.link().is_msgpack_rpc()
    }

    /// FAIL.
    pub(crate) fn fail(&self, status: Status, execution: Execution, message: &str) {
        self.answer(
            &mut |_| {},
            Head::Fail(fail_part(status, execution), message),
        );
    }

    /// The end of a one-way method: nothing, unless the caller has not said that it wants nothing.
    pub(crate) fn done(&self) {
        self.reply(&mut |out| out.push(NIL));
    }

    /// The parameters are looked at.
    pub(crate) fn begun(&self) {
        self.begun.store(true, Ordering::Relaxed);
    }

    /// Where items are read from and written to.
    pub(crate) fn link(&self) -> &Arc<Link> {
        let link = self.context.link();
        link.expect("`Responder::new` is called with the context of a call that came on a link")
    }

    /// The request, as streams name it.
    pub(crate) fn key(&self) -> Key {
        (Side::Theirs, self.request_id)
    }

    fn answer(&self, encode: &mut dyn FnMut(&mut Vec<u8>), head: Head<'_>) {
        // Only the handler answers, and its destructor when nobody else can.
        if self.answered.load(Ordering::Relaxed) {
            return;
        }
        self.answered.store(true, Ordering::Relaxed);
        let link = self.link();
        let plain = matches!(head, Head::Result) && !self.one_way && !link.packs;
        let apart = if plain && self.is_unary() && turn::is_of(link) {
            match turn::answer(link, self.request_id, self.params, encode) {
                Encoded::Kept => return,
                Encoded::Apart(message) => Some(message),
            }
        } else {
            None
        };
        with_scratch(|scratch| {
            let mut message = apart.unwrap_or_else(|| {
                // Encoding runs the user's code, so it must not happen under the link's lock.
                Message::encode(std::mem::take(scratch), encode, link.packs)
            });
            let packed = match head {
                Head::Result if message.lent.is_empty() && message.panic.is_none() => {
                    link.packed(&message.bytes)
                }
                _ => None,
            };
            let flags = match packed {
                Some(packed) => {
                    message.bytes = packed;
                    flag::COMPRESSED
                }
                None => 0,
            };
            self.finish(&mut message, (head, flags));
            *scratch = message.bytes;
        });
    }

    /// Whether the method has no streams.
    fn is_unary(&self) -> bool {
        self.context.method().kind == MethodKind::Unary
    }

    fn finish(&self, message: &mut Message, (head, flags): (Head<'_>, u8)) {
        let link = &**self.link();
        let in_turn = turn::is_of(link);
        turn::catch_up(link);
        let mut state = link.lock();
        if !state.serving.is_empty() {
            state.serving.remove(&self.request_id);
        }
        state.inflight -= 1;
        state.params -= self.params;
        state.last_call = if in_turn {
            state.last_heard
        } else {
            Instant::now()
        };
        if !state.streams.contains(self.key()) {
            state.last_plain_call = state.last_call;
        }
        match &head {
            Head::Fail(part, _) if is_fault_of_caller(part) => {
                link.charge(&mut state, Charge::Error)
            }
            Head::Fail(part, _) if part.status == Status::Cancelled.code() => {}
            _ => state.budgets.worked(1),
        }
        let idle = state.inflight == 0;
        let waiting = link.close_streams(&mut state, self.key());
        state.pieces.drop_body(self.key());
        let mut back = Vec::new();
        if !self.one_way && state.phase != Phase::Closed {
            let panicked = message.panic.take().map(|panic| {
                let method = self.context.method();
                let text = format!(
                    "encoding the answer of {method} panicked: {}",
                    text(&*panic)
                );
                (Status::Internal, text)
            });
            let lends = match &message.lent[..] {
                [] => Ok(Vec::new()),
                lent => self.lend(&mut state, &mut message.bytes, lent),
            };
            let (loans, failed) = match lends {
                Ok(loans) => (loans, panicked),
                Err(error) => (Vec::new(), Some(error)),
            };
            // An object that comes home needs its connection as well.
            let flags = if loans.is_empty() { flags } else { flag::LENDS };
            if !self.write_answer(&mut state, message, failed, head, flags) {
                back = state.objects.take_back(&loans);
            }
            link.choke(&state);
            link.note_full(&state);
        }
        state.settle();
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
        drop_objects(back);
        if idle {
            link.tell_idle();
        }
        if !in_turn {
            if idle {
                link.flush_now()
            } else {
                link.wake_keeper.notify_one()
            }
        }
    }
}

/// What an answer says before its body.
enum Head<'a> {
    Result,
    Declared(FailPart),
    Fail(FailPart, &'a str),
}

impl Responder {
    /// Lends the objects of a result.
    fn lend(
        &self,
        state: &mut State,
        body: &mut [u8],
        lent: &[Lent],
    ) -> Result<Vec<Loan>, (Status, String)> {
        let limit = self.link().limits.max_objects;
        let loans = state
            .objects
            .lend(lent, self.link(), limit)
            .map_err(|error| {
                let status = match error.kind() {
                    ErrorKind::ResourceExhausted => Status::ResourceExhausted,
                    _ => Status::Internal,
                };
                (
                    status,
                    format!("{}: {}", self.context.method(), error.message()),
                )
            })?;
        loans.iter().for_each(|loan| loan.fill(body));
        Ok(loans)
    }

    /// Appends the answer, or a FAIL if it cannot be given; whether it was the answer.
    fn write_answer(
        &self,
        state: &mut State,
        message: &mut Message,
        failed: Option<(Status, String)>,
        head: Head<'_>,
        flags: u8,
    ) -> bool {
        let (link, id) = (&**self.link(), self.request_id);
        let fail = |out: &mut Vec<u8>, status, text: &str| {
            frame::write_fail(out, id, &fail_part(status, Execution::Executed), text);
        };
        if let Some((status, text)) = failed {
            fail(state.out.buffer(), status, &text);
            return false;
        }
        let fixed = match head {
            Head::Declared(_) => 8,
            _ => 0,
        };
        let body_len = message
            .large
            .as_ref()
            .map_or(message.bytes.len(), Body::len);
        let cut = is_cut(fixed, body_len, &link.peer_hello);
        let (length, limit, unit) = if cut {
            (body_len, link.peer_hello.max_message, "messages")
        } else {
            let length = frame::HEADER - frame::LENGTH_FIELD + fixed + body_len;
            (length, link.peer_hello.max_frame, "frames")
        };
        if length > limit as usize {
            let text = format!(
                "the answer takes {length} bytes, the caller accepts {unit} of {limit}; answer with less at once, or as a stream, or raise the limits of the caller"
            );
            fail(state.out.buffer(), Status::ResourceExhausted, &text);
            return false;
        }
        let out = state.out.buffer();
        match head {
            Head::Fail(part, message) => frame::write_fail(out, id, &part, message),
            Head::Result if cut => frame::write_front(out, Kind::Reply, flags, id),
            Head::Declared(part) if cut => frame::write_declared_front(out, id, &part),
            Head::Result => frame::write_reply_head(out, flags, id, body_len),
            Head::Declared(part) => frame::write_declared_head(out, id, &part, body_len),
        }
        match message.large.take() {
            Some(body) if cut => state.out.add_body(self.key(), body),
            Some(body) => state.out.append(&body),
            None if cut => {
                let bytes = std::mem::take(&mut message.bytes);
                let body = Body::new(bytes, Vec::new());
                state.out.add_body(self.key(), body);
            }
            None => state.out.buffer().extend_from_slice(&message.bytes),
        }
        true
    }
}

impl Drop for Responder {
    /// The handler is gone without an answer: it panicked, was cancelled, or ran out of time.
    fn drop(&mut self) {
        if *self.answered.get_mut() {
            return;
        }
        let method = self.context.method();
        let known = if *self.begun.get_mut() {
            Execution::Executed
        } else {
            Execution::NotStarted
        };
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
        } else if let Some(error) = self.context.broken() {
            self.fail(error.status(), Execution::Executed, error.message());
        } else if late {
            // Before the next: a handler whose time is up is told that it is cancelled, and may be dropped after that.
            self.fail(
                Status::DeadlineExceeded,
                known,
                &format!("{method} did not finish in time"),
            );
        } else if self.context.is_cancelled() {
            self.fail(Status::Cancelled, known, &format!("{method} was cancelled"));
        } else {
            self.fail(
                Status::Internal,
                Execution::Executed,
                &format!("the handler of {method} ended without an answer"),
            );
        }
    }
}
pub(super) fn fail_part(status: Status, execution: Execution) -> FailPart {
    FailPart {
        status: status.code(),
        execution,
        retryable: false,
        retry_after_ms: 0,
    }
}

/// Whether the caller could have known better: parameters that cannot be read.
fn is_fault_of_caller(part: &FailPart) -> bool {
    part.execution == Execution::NotStarted && part.status == Status::InvalidArgument.code()
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
