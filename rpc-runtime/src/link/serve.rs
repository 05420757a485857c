//! Calls of the peer: call ID, method, limits, decode, handler, answer, in this order.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::answer::{Responder, fail_part};
use super::pace::{Pace, Start};
use super::read::READ_AHEAD;
use super::turn;
use super::{Link, Phase, State};
use crate::codec::{CheckLimits, check};
use crate::context::Context;
use crate::descriptor::{MethodDescriptor, MethodKind};
use crate::error::Execution;
use crate::metadata::Metadata;
use crate::msgpack_rpc::{self, Spoken};
use crate::security::{Admission, Asked, Identity, Refused, Target};
use crate::server::incoming::{Answer, Incoming};
use crate::server::router::Skeleton;
use crate::status::Status;
use crate::wire::budgets::Charge;
use crate::wire::frame::{self, Frame, GoAwayReason, flag};
use crate::wire::inbound::Refusal;
use crate::wire::streams::Side;

/// What a client is told whose credentials were good for a time that is over.
const EXPIRED: &str = "the credentials have expired";

/// Handlers at work that may keep the read buffers which brought their parameters.
const FEW: usize = 16;

impl Link {
    /// Whether a translator stands between, and the peer speaks MessagePack-RPC.
    pub(super) fn is_msgpack_rpc(&self) -> bool {
        let features = &self.peer_hello.features;
        features
            .iter()
            .any(|feature| feature == msgpack_rpc::FEATURE)
    }

    /// How the peer names methods, if it does not know them by number.
    pub(crate) fn spoken(&self) -> Option<Arc<Spoken>> {
        let door = self.router.as_ref()?.door()?;
        self.is_msgpack_rpc().then(|| door.spoken.clone())
    }

    pub(super) fn on_call(self: &Arc<Self>, frame: Frame) -> Result<(), Refusal> {
        let found = self.find(&frame);
        let mut state = self.lock();
        let above_the_line = self.admit_id(&mut state, frame.request_id)?;
        let admitted = found.and_then(|found| {
            if above_the_line {
                let text = "this side takes no more calls on this connection";
                return Err(Refused::from((Status::Unavailable, text.to_owned())));
            }
            self.admit(&mut state, &frame, found.method)?;
            Ok(found)
        });
        // With the read that brought it, so that what it waited for its turn is taken off its time.
        let arrived = state.last_heard;
        let found = match admitted {
            Ok(found) => found,
            Err(refused) => {
                drop(state);
                self.refuse_found(&frame, refused);
                return Ok(());
            }
        };
        if frame.flags & flag::MORE != 0 {
            let key = (Side::Theirs, frame.request_id);
            state.pieces.begin(key, frame, true, arrived);
            drop(state);
            self.wake_keeper.notify_one();
            return Ok(());
        }
        self.start(state, frame, found, arrived);
        Ok(())
    }

    /// A call whose parameters came in pieces, of which the last one is here.
    pub(super) fn on_whole_call(self: &Arc<Self>, frame: Frame, arrived: Instant) {
        let found = self.find(&frame);
        let mut state = self.lock();
        let admitted = found.and_then(|found| {
            self.admit(&mut state, &frame, found.method)?;
            Ok(found)
        });
        match admitted {
            Ok(found) => self.start(state, frame, found, arrived),
            Err(refused) => {
                drop(state);
                self.refuse_found(&frame, refused);
            }
        }
    }

    /// Refuses a call before its parameters are looked at, or because of them.
    fn refuse_found(&self, frame: &Frame, refused: Refused) {
        if refused.is_expired {
            // The client's next connection comes with what is valid then. This call is before the line.
            self.drain(GoAwayReason::Unauthenticated, EXPIRED, Duration::ZERO);
        }
        self.charge_refusal(refused.status);
        let one_way = frame.flags & flag::ONE_WAY != 0;
        self.refuse_call(frame.request_id, one_way, refused.status, &refused.text);
    }

    /// Call ID to method, and the caller's rights: whatever can be said of a call without knowing the state of the link.
    fn find(&self, frame: &Frame) -> Result<Found<'_>, Refused> {
        if let Some(object) = frame.target() {
            return self.find_object(frame, object);
        }
        let call_id = frame.call_part().call_id;
        let Some(router) = &self.router else {
            let text =
                "this client exports no services; `Channel::builder().export(…)` does".to_owned();
            return Err(Refused::from((Status::Unimplemented, text)));
        };
        let Some((mounted, method)) = router.find(call_id) else {
            return Err(Refused::from((
                Status::Unimplemented,
                router.unknown(call_id),
            )));
        };
        let caller = self.authorise(frame, method, Target::Mounted)?;
        Ok(Found {
            pace: &mounted.pace,
            skeleton: Cow::Borrowed(&mounted.skeleton),
            index: mounted.index,
            method,
            caller,
        })
    }

    /// Who calls, and whether the rules let them. Where the call says for itself who makes it, that is found out when all
    /// of it is here.
    fn authorise(
        &self,
        frame: &Frame,
        method: &'static MethodDescriptor,
        target: Target,
    ) -> Result<Caller, Refused> {
        let Some(router) = &self.router else {
            return Ok(Caller::Known(self.identity.clone()));
        };
        let guard = router.guard();
        if guard.is_open() && self.identity.is_none() {
            return Ok(Caller::Known(None));
        }
        if frame.flags & flag::MORE != 0 && guard.is_asked(&frame.metadata) {
            return Ok(Caller::Known(None));
        }
        match guard.admit(
            method,
            &self.peer,
            self.identity.as_ref(),
            &frame.metadata,
            target,
        ) {
            Admission::Granted(identity) => Ok(Caller::Known(identity)),
            Admission::Asked(asked) => Ok(Caller::Asked(asked)),
            Admission::Refused(refused) => Err(refused),
        }
    }

    fn find_object(&self, frame: &Frame, object: u64) -> Result<Found<'_>, Refused> {
        let Some(skeleton) = self.lent(object) else {
            let text =
                "the object is not there: it was given back, or was never lent on this connection";
            return Err(Refused::from((Status::FailedPrecondition, text.to_owned())));
        };
        let (call_id, service) = (frame.call_part().call_id, skeleton.service());
        let Some(index) = service.find(call_id) else {
            let text = format!(
                "the object is a {}, which has no method with the call ID {call_id}",
                service.name
            );
            return Err(Refused::from((Status::Unimplemented, text)));
        };
        let method = &service.methods[index];
        let caller = self.authorise(frame, method, Target::Lent)?;
        Ok(Found {
            pace: &self.objects_pace,
            skeleton: Cow::Owned(skeleton),
            index,
            method,
            caller,
        })
    }

    /// Begins with a call that was admitted under this very lock.
    fn start<'link>(
        self: &'link Arc<Self>,
        mut state: MutexGuard<'link, State>,
        mut frame: Frame,
        found: Found<'_>,
        arrived: Instant,
    ) {
        let method = found.method;
        if frame.flags & flag::COMPRESSED != 0 {
            // Until it is begun or refused, which is on this task: who waits for the end waits for it too.
            state.admitting = true;
            drop(state);
            if let Err((status, text)) = self.unpack_call(&mut frame) {
                let text = format!("{method}: parameters: {text}");
                return self.refuse_found(&frame, (status, text).into());
            }
            state = self.lock();
        }
        let params = frame.body.len() as u64;
        state.inflight += 1;
        state.admitting = false;
        state.params += params;
        state.settle();
        let (handlers, lends) = (state.serving.len(), state.objects.len() > 0);
        drop(state);
        let metadata = match self.read_metadata(&frame, method) {
            Ok(metadata) => metadata,
            Err(refused) => {
                self.is_not_begun(params);
                return self.refuse_found(&frame, refused.into());
            }
        };
        let (receives, sends) = streams_of(method);
        if receives || sends {
            let key = (Side::Theirs, frame.request_id);
            self.lock().streams.open(key, receives, sends);
        }
        let homes = if lends {
            self.homes(&frame.body)
        } else {
            Vec::new()
        };
        let remaining = u64::from(frame.call_part().remaining_ms);
        let deadline = (remaining > 0).then(|| arrived + Duration::from_millis(remaining));
        // The read buffer that brought a small body is large: handlers that take their time must not keep many of them.
        let body = if handlers >= FEW && frame.body.len() < READ_AHEAD / 2 {
            Bytes::copy_from_slice(&frame.body)
        } else {
            frame.body
        };
        let repeated = frame.flags & flag::NO_RETRY != 0;
        let (id, one_way) = (frame.request_id, frame.flags & flag::ONE_WAY != 0);
        let context = Context::new(method, Some(self.clone()), metadata, deadline, repeated);
        let responder = Responder::new(context.clone(), id, one_way, params);
        let incoming = Incoming::new(body, responder, homes);
        self.hand_over((id, one_way), context, incoming, found);
    }

    /// Takes back that a call has begun.
    fn is_not_begun(&self, params: u64) {
        let mut state = self.lock();
        state.inflight -= 1;
        state.params -= params;
        state.settle();
        if state.inflight == 0 {
            self.tell_idle();
        }
    }

    /// Gives a call to its skeleton, when it is known who makes it and there is room for the answer.
    fn hand_over(
        self: &Arc<Self>,
        (id, one_way): (u32, bool),
        context: Context,
        incoming: Incoming,
        found: Found<'_>,
    ) {
        let Found {
            skeleton,
            index,
            caller,
            pace,
            ..
        } = found;
        let begin = (turn::start(self, pace), pace);
        match caller {
            Caller::Known(identity) => context.identify(identity),
            Caller::Asked(asked) => {
                let answer = ask_first(asked, skeleton.into_owned(), index, incoming);
                return self.run(id, context, begin, answer);
            }
        }
        // Who begins on a task of its own begins later, when there may be no room any more.
        let later = begin.0 == Start::Apart;
        if !one_way && (later || self.full.load(Ordering::Acquire)) {
            let answer = room_first(self.clone(), skeleton.into_owned(), index, incoming);
            return self.run(id, context, begin, answer);
        }
        // A panic has dropped the call, which has answered by that; the reader goes on.
        if let Ok(answer) = catch_unwind(AssertUnwindSafe(|| skeleton.call(index, incoming))) {
            self.run(id, context, begin, answer);
        }
    }

    /// Request IDs of a peer are not zero and not used twice at once. Returns whether the last call that is served was
    /// before it.
    pub(super) fn admit_id(&self, state: &mut State, id: u32) -> Result<bool, Refusal> {
        let in_use = state.serving.contains_key(&id) || state.pieces.contains((Side::Theirs, id));
        if id == 0 || in_use {
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
        let above_the_line = state.leaving.refusing || state.phase == Phase::Closed;
        if !above_the_line {
            state.last_seen = id;
        }
        Ok(above_the_line)
    }

    /// Limits, and whether both sides mean the same kind of method.
    fn admit(
        &self,
        state: &mut State,
        frame: &Frame,
        method: &MethodDescriptor,
    ) -> Result<(), (Status, String)> {
        if frame.flags & flag::COMPRESSED != 0 && !self.unpacks {
            let text = format!(
                "{method}: compressed parameters are not read here; send them as they are to a server that does not announce the feature `lz4`"
            );
            return Err((Status::Unimplemented, text));
        }
        let (receives, sends) = streams_of(method);
        let (has_in, has_out) = (
            frame.flags & flag::STREAM_IN != 0,
            frame.flags & flag::STREAM_OUT != 0,
        );
        if (receives, sends) != (has_in, has_out) {
            let text = format!(
                "{method}: the CALL's flags for streams are not those of the method; compare the definitions of both sides"
            );
            return Err((Status::InvalidArgument, text));
        }
        if (has_in || has_out) && frame.flags & flag::ONE_WAY != 0 {
            let text = format!("{method} has a stream, which nothing would end for a one-way call");
            return Err((Status::InvalidArgument, text));
        }
        if sends && !self.peer_hello.takes_streams() {
            let text = format!(
                "{method} answers with a stream, and the caller announced windows of {} and {} bytes; raise its `Limits::stream_window` and `connection_window`",
                self.peer_hello.stream_window, self.peer_hello.connection_window
            );
            return Err((Status::FailedPrecondition, text));
        }
        // A call whose parameters are being received is one of those that are worked on.
        let own = u32::from(state.pieces.contains((Side::Theirs, frame.request_id)));
        let inflight = state.inflight + state.pieces.calls() - own;
        if inflight >= self.limits.max_inflight_per_connection {
            // Callers know the limit, but not when calls end to which nothing comes back; MessagePack-RPC has no way to tell.
            if frame.flags & flag::ONE_WAY == 0 && !self.is_msgpack_rpc() {
                self.charge(state, Charge::Error);
            }
            let text =
                format!("{inflight} calls of this connection are worked on, more are not taken");
            return Err((Status::ResourceExhausted, text));
        }
        state
            .check_memory(frame.body.len() as u64, self.limits.connection_memory)
            .map_err(|text| (Status::ResourceExhausted, text))
    }

    /// What a message of the peer may consist of.
    pub(crate) fn check_limits(&self) -> CheckLimits {
        CheckLimits {
            max_depth: self.limits.max_depth,
            max_nodes: self.limits.max_nodes,
        }
    }

    /// The metadata, which is not decoded for a caller that is refused. The parameters are looked over while they are.
    fn read_metadata(
        &self,
        frame: &Frame,
        method: &MethodDescriptor,
    ) -> Result<Metadata, (Status, String)> {
        if frame.metadata.is_empty() {
            return Ok(Metadata::default());
        }
        let invalid = |text: String| (Status::InvalidArgument, text);
        check(&frame.metadata, &self.check_limits())
            .map_err(|malformed| invalid(format!("{method}: metadata: {malformed}")))?;
        Metadata::decode(&frame.metadata, &self.limits)
            .map_err(|error| invalid(format!("{method}: metadata: {error}")))
    }

    pub(super) fn refuse_call(&self, id: u32, one_way: bool, status: Status, text: &str) {
        turn::catch_up(self);
        let mut state = self.lock();
        state.admitting = false;
        if one_way {
            return;
        }
        state.queued_control += 1;
        frame::write_fail(
            state.out.buffer(),
            id,
            &fail_part(status, Execution::NotStarted),
            text,
        );
        self.choke(&state);
    }
}

/// Finds out who calls, and hands the call over if they may make it.
fn ask_first(
    asked: Asked,
    skeleton: Arc<dyn Skeleton>,
    index: usize,
    incoming: Incoming,
) -> Answer {
    Box::pin(async move {
        match asked.await {
            Ok(identity) => {
                incoming.context().identify(identity);
                incoming.room().await;
                skeleton.call(index, incoming).await
            }
            Err(refused) => incoming.refuse_caller(refused.status, &refused.text),
        }
    })
}

/// Hands a call over when the caller has read enough of earlier answers: the results of handlers that are done would wait
/// for it, however large they are.
fn room_first(
    link: Arc<Link>,
    skeleton: Arc<dyn Skeleton>,
    index: usize,
    incoming: Incoming,
) -> Answer {
    Box::pin(async move {
        link.until_writable().await;
        skeleton.call(index, incoming).await
    })
}

/// What a call ID leads to.
struct Found<'a> {
    pace: &'a Pace,
    skeleton: Cow<'a, Arc<dyn Skeleton>>,
    index: usize,
    method: &'static MethodDescriptor,
    caller: Caller,
}

/// Who makes a call that may be made.
enum Caller {
    Known(Option<Identity>),
    /// The call says so itself: found out before it is handed over.
    Asked(Asked),
}

/// Whether a method's caller sends a stream, and whether its callee does.
fn streams_of(method: &MethodDescriptor) -> (bool, bool) {
    match method.kind {
        MethodKind::Unary => (false, false),
        MethodKind::ClientStream => (true, false),
        MethodKind::ServerStream => (false, true),
        MethodKind::BidiStream => (true, true),
    }
}
