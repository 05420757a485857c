//! Streams on a connection of the synchronous client: the thread that reads or writes one drives the socket.

use std::time::Duration;

use tokio::time::Instant;

use super::connection::{Connection, NO_OBJECTS, State, TURN};
use crate::breaker::Pass;
use crate::client::request::Prepared;
use crate::error::{Error, ErrorKind, Execution, Result};
use crate::limits::Limits;
use crate::link::{Event, MIXED, read_answer};
use crate::object::lent_result;
use crate::wire::calls::Answer;
use crate::wire::frame::{self, Frame, Kind, flag};
use crate::wire::pieces::{Added, Piece};
use crate::wire::sending::{Sending, Sent};
use crate::wire::streams::{Next, Side};

impl State {
    /// Whether a call has its answer and its thread is about to take it. Whoever reads a stream may be long in coming.
    pub(super) fn is_being_answered(&self) -> bool {
        let streams = &self.streams;
        self.calls
            .is_answered_where(|id| !streams.contains((Side::Ours, id)))
    }

    pub(super) fn on_answer(&mut self, frame: Frame, peer: &str) {
        let key = (Side::Ours, frame.request_id);
        if frame.kind == Kind::Reply && frame.flags & flag::MORE != 0 {
            // What nobody asked for is not kept.
            if let Some(wanted) = self.calls.is_owed(key.1) {
                self.pieces.begin(key, frame, wanted, Instant::now());
            }
            return;
        }
        if frame.kind == Kind::Reply
            && frame.flags & (flag::LENDS | flag::ERROR) == flag::LENDS
            && let Some(object) = lent_result(&frame.body)
        {
            self.queued_control += 1;
            frame::write_release(self.out.buffer(), object, 1);
            let error = Error::new(ErrorKind::Unimplemented, NO_OBJECTS);
            let error = error.with_execution(Execution::Executed).with_peer(peer);
            self.calls.answered(key.1, Answer::Failed(error));
            return;
        }
        self.pieces.drop_body(key);
        self.out.drop_body(key);
        drop(self.streams.stopped(key));
        self.calls.answered(key.1, read_answer(frame, peer));
    }

    /// ITEM, DATA and CREDIT of calls of ours.
    ///
    /// # Errors
    ///
    /// What breaks the protocol.
    pub(super) fn on_stream(
        &mut self,
        frame: Frame,
        peer: &str,
        limits: &Limits,
    ) -> Result<(), String> {
        let key = (Side::Ours, frame.request_id);
        match frame.kind {
            Kind::Credit if frame.request_id == 0 => {
                drop(self.streams.credit_all(frame.credit()));
            }
            Kind::Credit if frame.flags & flag::STOP != 0 => drop(self.streams.stopped(key)),
            Kind::Credit => drop(self.streams.credit(key, frame.credit())),
            // The peer calls nothing here, so all streams are answers.
            _ if frame.flags & flag::CALLEE == 0 => {}
            Kind::Item => {
                self.came(&frame)?;
                if self.pieces.contains(key) {
                    return Err("an ITEM in the middle of another body of the same request".into());
                }
                if !self.streams.receives(key) {
                } else if frame.flags & flag::MORE != 0 {
                    self.pieces.begin(key, frame, true, Instant::now());
                } else {
                    drop(self.streams.keep(key, frame));
                }
                self.grant(key);
            }
            _ => self.on_piece(frame, peer, limits)?,
        }
        Ok(())
    }

    fn on_piece(&mut self, frame: Frame, peer: &str, limits: &Limits) -> Result<(), String> {
        let key = (Side::Ours, frame.request_id);
        let of_item = frame.flags & flag::OF_ITEM != 0;
        if of_item {
            self.came(&frame)?;
        }
        if self
            .pieces
            .is_item(key)
            .is_some_and(|is_item| is_item != of_item)
        {
            return Err(MIXED.to_owned());
        }
        let held = self.streams.held() + self.pieces.held() + frame.body.len() as u64;
        let added = if held > limits.connection_memory && self.pieces.keeps(key) {
            self.pieces
                .drop_body(key)
                .map_or(Added::Unknown, Added::TooLarge)
        } else {
            let limit = u64::from(limits.max_message_bytes);
            self.pieces
                .add(key, Piece::Framed(frame), limit, Instant::now())
        };
        match added {
            Added::Unknown | Added::More => {}
            Added::Whole(whole, _) if whole.kind == Kind::Item => {
                drop(self.streams.keep(key, whole));
            }
            Added::Whole(whole, _) => self.on_answer(whole, peer),
            Added::TooLarge(front) => {
                let text = format!(
                    "a body of more than {} bytes, or more than {} on this connection",
                    limits.max_message_bytes, limits.connection_memory
                );
                let known = match front.kind {
                    Kind::Item => Execution::Unknown,
                    _ => Execution::Executed,
                };
                let error = Error::new(ErrorKind::ResourceExhausted, text)
                    .with_execution(known)
                    .with_peer(peer);
                if front.kind == Kind::Item {
                    // The call is over with it: else an answer that says all is well would hide that something is missing.
                    if self.calls.give_up(key.1, error.clone()).is_some() {
                        frame::write_cancel(self.out.buffer(), key.1);
                    }
                    drop(self.streams.broke(key, error));
                } else {
                    self.calls.answered(key.1, Answer::Failed(error));
                }
            }
        }
        self.grant(key);
        Ok(())
    }

    fn came(&mut self, frame: &Frame) -> Result<(), String> {
        let key = (Side::Ours, frame.request_id);
        self.streams
            .came(key, frame.cost())
            .map(drop)
            .map_err(|_| "more was sent on a stream than there was credit for".to_owned())
    }

    fn grant(&mut self, key: (Side, u32)) -> bool {
        let (connection, stream) = self.streams.grants(key, false);
        let due = connection.is_some() || stream.is_some();
        self.out.grant(connection, (key.0, 0));
        self.out.grant(stream, key);
        due
    }
}

impl Connection {
    /// Begins a call with streams.
    pub(super) fn begin_streams(&self, prepared: &Prepared) -> Result<(u32, Pass)> {
        let (id, pass, _) = self.begin(prepared)?;
        self.flush(TURN);
        // Items come behind the last piece of the CALL.
        let is_out = self.until(prepared.deadline, |state| {
            (!state.out.has_body((Side::Ours, id))).then_some(())
        });
        if is_out.is_none() {
            self.give_pass_back(pass);
            self.abandon(id);
            return Err(Error::too_slow().with_peer(&*self.peer));
        }
        Ok((id, pass))
    }

    /// The next item of an answer, or its end.
    pub(super) fn next_event(&self, id: u32, deadline: Option<Instant>) -> Event {
        let key = (Side::Ours, id);
        let mut granted = false;
        let event = self.until(deadline, |state| {
            let next = state.streams.next(key, None);
            if let Next::Item(body) = next {
                granted = state.grant(key);
                return Some(Event::Item(body));
            }
            if let Some(answer) = state.calls.try_take(id) {
                return Some(Event::Over(answer));
            }
            match next {
                Next::Broken(error) => Some(Event::Over(Answer::Failed(error))),
                Next::Packed(_) => {
                    let text =
                        "an item is compressed, which this client has not said that it reads";
                    let error = Error::new(ErrorKind::DataLoss, text);
                    Some(Event::Over(Answer::Failed(
                        error.with_execution(Execution::Unknown),
                    )))
                }
                _ => None,
            }
        });
        let event = event.unwrap_or_else(|| Event::Over(self.expire(id)));
        if let Event::Over(_) = event {
            self.close_streams(id);
        }
        if granted {
            // Others wait for it, and this thread may be long in coming again.
            self.flush(Duration::ZERO);
        }
        self.tell();
        event
    }

    /// Sends an item, waiting for credit; `false`: nobody reads it any more, or the time is up.
    pub(super) fn send_item(&self, sending: &mut Sending, deadline: Option<Instant>) -> bool {
        let queue = self.limits.outbound_queue_bytes as u64;
        let sent = self.until(deadline, |state| {
            let State { streams, out, .. } = state;
            match sending.advance(streams, out, queue, None) {
                Sent::All => Some(true),
                Sent::Stopped => Some(false),
                Sent::Wait | Sent::NoRoom => None,
            }
        });
        self.flush(TURN);
        sent.unwrap_or(false)
    }

    /// Whether the peer takes an item of this length.
    pub(super) fn check_item(&self, sending: &Sending) -> Result<()> {
        sending.check_item(&self.hello, &self.peer)
    }

    /// Ends our direction.
    pub(super) fn send_end(&self, id: u32) {
        let mut state = self.lock();
        if state.closed.is_none() && !state.streams.is_stopped((Side::Ours, id)) {
            frame::write_end(state.out.buffer(), id);
        }
        drop(state);
        self.flush(TURN);
    }

    /// Gives a call up, here and at the peer.
    pub(super) fn abandon(&self, id: u32) {
        let mut state = self.lock();
        let (tell, untaken) = state.calls.abandon(id);
        if tell && state.closed.is_none() {
            frame::write_cancel(state.out.buffer(), id);
        }
        drop(state);
        drop(untaken);
        self.close_streams(id);
        self.tell();
        self.flush(TURN);
    }

    fn close_streams(&self, id: u32) {
        let key = (Side::Ours, id);
        let mut state = self.lock();
        let (connection, _) = state.streams.close(key);
        state.out.drop_body(key);
        state.pieces.discard(key);
        state.out.grant(connection, (Side::Ours, 0));
    }
}
