//! One connection of the synchronous client: whoever waits for an answer reads for all who wait.

use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::backoff::random_fraction;
use crate::breaker::{Breaker, Pass, Tally};
use crate::client::blocking::Own;
use crate::client::request::Prepared;
use crate::error::{Error, ErrorKind, Execution, Result};
use crate::limits::Limits;
use crate::link::{AFTER_A_LOSS, first_frame, refused, told};
use crate::metadata;
use crate::security::{AUTHORIZATION, not_here};
use crate::status::Status;
use crate::transport::Address;
use crate::transport::sync::{self, BlockingReader, BlockingWriter};
use crate::wire::calls::{Answer, Calls, execution};
use crate::wire::frame::{self, FailPart, Frame, GoAwayReason, Kind, PREFACE, flag};
use crate::wire::hello::Hello;
use crate::wire::inbound::{Inbound, Refusal};
use crate::wire::outbound::Outbound;
use crate::wire::pieces::Pieces;
use crate::wire::sending;
use crate::wire::streams::{Side, Streams};

/// Longest single wait for input: how late a deadline may be noticed is not bounded by it, how often an idle wait looks
/// around is.
const LOOK_AROUND: Duration = Duration::from_secs(1);

/// Longest single wait for input, or for the socket to take output, while there is some: reading and writing take turns.
pub(super) const TURN: Duration = Duration::from_millis(50);

/// After this much idleness a connection is looked at before it is used: the server may have closed it.
const STALE: Duration = Duration::from_secs(1);

/// Objects are called at any time, and nobody reads here unless a call is on its way.
pub(super) const NO_OBJECTS: &str =
    "a blocking client takes and lends no objects by reference; use the asynchronous client";

const READ_SIZE: usize = 64 << 10;

/// One connection, shared by the threads that call on it.
pub(super) struct Connection {
    pub(super) peer: Arc<str>,
    is_private: bool,
    pub(super) hello: Hello,
    pub(super) limits: Limits,
    /// Lets calls through, and is told what becomes of them.
    pub(super) breaker: Option<Arc<Breaker>>,
    state: Mutex<State>,
    /// Somebody else's answer came, or nobody reads any more.
    changed: Condvar,
    /// Threads that wait for `changed`. Changed under the lock, so that who has changed the state finds all that saw the old.
    waiting: AtomicU32,
    reader: Mutex<Input>,
    output: Mutex<Output>,
    /// Something that counts as sent lies in the transport still.
    unflushed: AtomicBool,
}

pub(super) struct State {
    pub(super) calls: Calls,
    pub(super) tally: Tally,
    pub(super) out: Outbound,
    pub(super) streams: Streams,
    pub(super) pieces: Pieces,
    /// A thread is reading for all.
    reading: bool,
    /// No new calls; set by GOAWAY and by every failure.
    pub(super) closed: Option<Error>,
    /// Every call was told how it ended: nothing more is written.
    pub(super) ended: bool,
    pub(super) last_heard: Instant,
    /// When the peer wants to see its clients again, or a moment soon after it was lost.
    due: Option<Instant>,
    /// Answers to PING and the like in the output that the kernel may not have yet.
    pub(super) queued_control: u32,
}

struct Output {
    io: BlockingWriter,
    /// Taken from the output, `sent` bytes of it written.
    batch: Vec<u8>,
    sent: usize,
    /// Since when the socket takes nothing.
    stuck: Option<Instant>,
}

/// How a frame has left the output.
#[derive(Default)]
struct Left {
    /// No more frames are to be taken for now.
    choked: bool,
    /// There is something to write.
    unsent: bool,
}

struct Input {
    reader: BlockingReader,
    inbound: Inbound,
    /// Read into first: a frame's buffer is filled with what came, not with zeroes before.
    chunk: Box<[u8]>,
}

impl Connection {
    /// Connects, within `limit` for an address and again for the handshake.
    pub(super) fn open(
        address: &Address,
        limits: &Limits,
        own: &Own,
        limit: Duration,
    ) -> Result<Self> {
        let io = sync::connect(address, &own.security, limit, limits.write_stall_timeout)?;
        let (peer, is_private) = (address.to_string(), io.is_private);
        let mut writer = io.writer;
        let mut first = PREFACE.to_vec();
        let hello = Hello {
            token: own.token(&peer, is_private)?,
            ..Hello::of(limits, Vec::new())
        };
        frame::write_hello(&mut first, &hello.encode());
        let lost = |error: io::Error| {
            told(&error).unwrap_or_else(|| {
                Error::unavailable(format!("the handshake with {peer} failed: {error}"))
                    .with_peer(&*peer)
            })
        };
        let mut sent = 0;
        while sent < first.len() {
            sent += writer.write(&first[sent..], limit).map_err(lost)?;
        }
        writer.flush(limit).map_err(lost)?;
        let mut input = Input {
            reader: io.reader,
            inbound: Inbound::client(limits),
            chunk: vec![0; READ_SIZE].into(),
        };
        let until = Instant::now() + limit;
        let hello = loop {
            if let Some(frame) = input
                .inbound
                .next_frame()
                .map_err(|refusal| refused(&peer, &refusal))?
            {
                break first_frame(&frame, &peer)?;
            }
            match input.fill(until.saturating_duration_since(Instant::now())) {
                Ok(0) => {
                    let text = format!(
                        "{peer} closed the connection before HELLO; is it a server of this protocol?"
                    );
                    return Err(Error::unavailable(text).with_peer(&*peer));
                }
                Ok(_) => {}
                Err(error)
                    if error.kind() == io::ErrorKind::WouldBlock && Instant::now() < until => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(silent(&peer));
                }
                Err(error) => return Err(lost(error)),
            }
        };
        let streams = Streams::new(
            (limits.stream_window, limits.connection_window),
            (hello.stream_window, hello.connection_window),
            hello.whole(),
        );
        let state = State {
            calls: Calls::new(hello.inflight()),
            tally: Tally::new(Instant::now()),
            out: Outbound::new(hello.whole()),
            streams,
            pieces: Pieces::default(),
            reading: false,
            closed: None,
            ended: false,
            last_heard: Instant::now(),
            due: None,
            queued_control: 0,
        };
        Ok(Self {
            peer: peer.into(),
            is_private,
            hello,
            limits: limits.clone(),
            breaker: None,
            state: Mutex::new(state),
            changed: Condvar::new(),
            waiting: AtomicU32::new(0),
            unflushed: AtomicBool::new(false),
            reader: Mutex::new(input),
            output: Mutex::new(Output {
                io: writer,
                batch: Vec::new(),
                sent: 0,
                stuck: None,
            }),
        })
    }

    /// Address of the peer.
    pub(super) fn peer(&self) -> &Arc<str> {
        &self.peer
    }

    /// What the peer said of itself.
    pub(super) fn hello(&self) -> &Hello {
        &self.hello
    }

    /// Why it takes no more calls, and when its peer may be connected to again.
    pub(super) fn end(&self) -> Option<(Error, Option<Instant>)> {
        let state = self.lock();
        state.closed.clone().map(|error| (error, state.due))
    }

    /// Whether it can be used. After a while of silence the socket is looked at: while nobody calls, nobody reads.
    pub(super) fn is_alive(&self) -> bool {
        let mut state = self.lock();
        if state.closed.is_some() {
            return false;
        }
        if state.calls.live() > 0 || state.reading || state.last_heard.elapsed() < STALE {
            return true;
        }
        state.reading = true;
        drop(state);
        self.read_some(Duration::ZERO);
        self.stop_reading();
        self.lock().closed.is_none()
    }

    pub(super) fn call(&self, prepared: &Prepared) -> Answer {
        match self.send(prepared) {
            Ok((id, pass)) => self.wait(id, pass, prepared.deadline),
            Err(error) => Answer::Failed(error),
        }
    }

    /// Sends a call to which nothing comes back.
    pub(super) fn send_one_way(&self, prepared: &Prepared) -> Result<()> {
        let (id, pass, frame) = self.begin(prepared)?;
        // Nobody will tell what becomes of it.
        self.give_pass_back(pass);
        // It takes no place while it is on its way.
        self.lock().calls.release(id);
        self.tell();
        self.flush(TURN);
        let state = self.lock();
        match &state.closed {
            Some(error) if state.ended && state.out.handed() < frame.end => Err(error
                .clone()
                .with_execution(execution(frame.start, frame.end, state.out.handed()))),
            _ => Ok(()),
        }
    }

    /// Puts the frame into the output and writes it on this thread, unless another one is writing.
    fn send(&self, prepared: &Prepared) -> Result<(u32, Pass)> {
        let (id, pass, _) = self.begin(prepared)?;
        self.flush(time_left(prepared.deadline).min(TURN));
        Ok((id, pass))
    }

    /// Waits for room; the frame is in the output then, or nothing happened.
    pub(super) fn begin(&self, prepared: &Prepared) -> Result<(u32, Pass, Range<u64>)> {
        let pass = self.admitted()?;
        let begun = self.until(prepared.deadline, |state| {
            if let Some(error) = &state.closed {
                return Some(Err(error.clone().with_execution(Execution::NotSent)));
            }
            if !state.calls.has_room() {
                return None;
            }
            let Ok(call) = prepared.frame() else {
                return Some(Err(Error::too_late()));
            };
            if !self.is_private && metadata::find(call.metadata, AUTHORIZATION).is_some() {
                return Some(Err(not_here(&self.peer)));
            }
            if !call.lent.is_empty() {
                return Some(Err(Error::new(ErrorKind::Unimplemented, NO_OBJECTS)));
            }
            if let Err(error) = sending::check_length(&call, &self.hello, &self.peer) {
                return Some(Err(error));
            }
            let id = state.calls.begin(prepared.deadline, None)?;
            let start = state.out.end();
            let State {
                calls,
                out,
                streams,
                ..
            } = state;
            let peer = (&self.hello, None);
            sending::write_call(id, &call, &[], peer, (calls, out, streams));
            Some(Ok((id, start..out.end())))
        });
        let begun = begun.unwrap_or_else(|| Err(no_room(&self.peer)));
        let (id, frame) = begun.inspect_err(|_| self.give_pass_back(pass))?;
        Ok((id, pass, frame))
    }

    /// Waits until `ready` finds something, or the deadline; reads for everybody while nobody else does. Whoever waits,
    /// for an answer or for room, comes by here: else nobody might read what would end the wait.
    pub(super) fn until<T>(
        &self,
        deadline: Option<Instant>,
        mut ready: impl FnMut(&mut State) -> Option<T>,
    ) -> Option<T> {
        let mut state = self.lock();
        loop {
            if let Some(found) = ready(&mut state) {
                return Some(found);
            }
            let left = time_left(deadline);
            if left.is_zero() {
                return None;
            }
            // A writer that gave up has left the rest to us; a server may take it only after we have read.
            let unflushed = self.unflushed.load(Ordering::Acquire);
            let unsent = !state.ended && (unflushed || state.out.unsent() > 0);
            let turn = left.min(if unsent { TURN } else { LOOK_AROUND });
            if unsent {
                drop(state);
                self.flush(Duration::ZERO);
                state = self.lock();
                // What another thread has read meanwhile may be it.
                if let Some(found) = ready(&mut state) {
                    return Some(found);
                }
            }
            // Whoever was answered gives up a place as soon as it runs: no input would tell a reader of that.
            if state.reading || state.is_being_answered() {
                state = self.wait_for_change(state, turn);
                continue;
            }
            state.reading = true;
            drop(state);
            self.read_some(turn);
            self.stop_reading();
            state = self.lock();
        }
    }

    /// Writes what waits, unless another thread is at it: that one looks again when it is done. Stops after `patience`
    /// without progress; the rest is left to whoever comes next.
    pub(super) fn flush(&self, patience: Duration) {
        loop {
            let mut output = match self.output.try_lock() {
                Ok(output) => output,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => return,
            };
            if !self.write(&mut output, patience) {
                return;
            }
            drop(output);
            let state = self.lock();
            if state.ended || state.out.is_empty() {
                return;
            }
        }
    }

    /// Whether everything was written.
    fn write(&self, output: &mut Output, patience: Duration) -> bool {
        loop {
            while output.sent < output.batch.len() {
                let began = Instant::now();
                match output.io.write(&output.batch[output.sent..], patience) {
                    Ok(0) => return self.write_failed("it takes no more input"),
                    Ok(written) => {
                        output.sent += written;
                        output.stuck = None;
                        let mut state = self.lock();
                        state.out.handed_over(written);
                        if state.out.queued() == 0 {
                            state.queued_control = 0;
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        return self.stuck(output, began);
                    }
                    Err(error) => return self.write_failed(error),
                }
            }
            let mut state = self.lock();
            // What callers were told was not sent must not be sent any more.
            if state.ended {
                return false;
            }
            output.sent = 0;
            output.batch = state.out.take(Vec::new());
            for ((side, id), end) in state.out.completed() {
                if side == Side::Ours {
                    state.calls.sent_to(id, end);
                }
            }
            if output.batch.is_empty() {
                drop(state);
                return self.let_out(output, patience);
            }
        }
    }

    /// Gives the socket what the transport has kept; whether that is all.
    fn let_out(&self, output: &mut Output, patience: Duration) -> bool {
        let began = Instant::now();
        match output.io.flush(patience) {
            Ok(()) => {
                self.unflushed.store(false, Ordering::Release);
                true
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.unflushed.store(true, Ordering::Release);
                self.stuck(output, began)
            }
            Err(error) => self.write_failed(error),
        }
    }

    /// The socket takes nothing at the moment; after a long time of that it is given up.
    fn stuck(&self, output: &mut Output, began: Instant) -> bool {
        let stuck = *output.stuck.get_or_insert(began);
        if stuck.elapsed() < self.limits.write_stall_timeout {
            return false;
        }
        self.write_failed("it takes nothing of our output")
    }

    /// Whoever writes knows to the byte what the kernel has.
    fn write_failed(&self, why: impl fmt::Display) -> bool {
        let handed = self.lock().out.handed();
        self.close_at(handed, Error::lost(&self.peer, why));
        false
    }

    /// Waits for the answer.
    pub(super) fn wait(&self, id: u32, pass: Pass, deadline: Option<Instant>) -> Answer {
        let mut told = false;
        let answer = self.until(deadline, |state| {
            let answer = state.calls.try_take(id)?;
            told = state.tally.counts(pass, &answer);
            Some(answer)
        });
        let answer = answer.unwrap_or_else(|| self.expire(id));
        if !told {
            self.settle(pass, &answer);
        }
        self.tell();
        answer
    }

    fn stop_reading(&self) {
        self.lock().reading = false;
        self.tell();
    }

    pub(super) fn expire(&self, id: u32) -> Answer {
        let answer = {
            let mut state = self.lock();
            let now = Instant::now();
            let State {
                calls,
                out,
                streams,
                pieces,
                ..
            } = &mut *state;
            // No thread waits by a waker here.
            drop(calls.expire_unsent(now, out, |_| {}));
            let offered = out.offered();
            calls.expire(now, offered, |expired, _| {
                let key = (Side::Ours, expired);
                frame::write_cancel(out.buffer(), expired);
                out.drop_body(key);
                pieces.discard(key);
                drop(streams.stopped(key));
            });
            state.calls.try_take(id)
        };
        self.flush(Duration::ZERO);
        answer.unwrap_or_else(|| Answer::Failed(Error::too_slow().with_peer(&*self.peer)))
    }

    /// Reads once, for everybody.
    fn read_some(&self, limit: Duration) {
        if self.is_choked() {
            return self.wait_until_drained(limit.min(TURN));
        }
        let mut input = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        // What was left where it is while the peer took nothing of our output.
        if self.take_frames(&mut input) {
            return;
        }
        match input.fill(limit) {
            Ok(0) => return self.close(Error::lost(&self.peer, "the peer closed it")),
            Ok(_) => self.heard(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Err(error) => {
                let told = told(&error).map(|told| told.with_execution(Execution::Unknown));
                return self.close(told.unwrap_or_else(|| Error::lost(&self.peer, error)));
            }
        }
        self.take_frames(&mut input);
    }

    /// Handles the whole frames that are here, until too many answers to them are unread; whether there were any. What
    /// there is to write is written once for all of them: the socket may take nothing, and to ask it takes its time.
    fn take_frames(&self, input: &mut Input) -> bool {
        let mut last = None;
        loop {
            match input.inbound.next_frame() {
                Ok(Some(frame)) => {
                    let left = last.insert(self.on_frame(frame));
                    if left.choked {
                        break;
                    }
                }
                Ok(None) => break,
                Err(refusal) => {
                    let error = refused(&self.peer, &refusal);
                    self.close(error.with_execution(Execution::Unknown));
                    return true;
                }
            }
        }
        if last.as_ref().is_some_and(|left| left.unsent) {
            self.flush(Duration::ZERO);
        }
        last.is_some()
    }

    fn is_choked(&self) -> bool {
        self.is_choked_by(&self.lock())
    }

    /// Whether the peer has left so many answers to its control frames unread that no more are made.
    fn is_choked_by(&self, state: &State) -> bool {
        !state.ended && state.queued_control >= self.limits.max_queued_control
    }

    /// Gives the peer time to take some of our output.
    fn wait_until_drained(&self, limit: Duration) {
        let began = Instant::now();
        self.flush(limit);
        let left = limit.saturating_sub(began.elapsed());
        let state = self.lock();
        // Another thread is writing; it tells when it is done.
        if !state.ended && state.queued_control > 0 && !left.is_zero() {
            drop(self.wait_for_change(state, left));
        }
    }

    fn on_frame(&self, frame: Frame) -> Left {
        let mut state = self.lock();
        match frame.kind {
            Kind::Reply | Kind::Fail => state.on_answer(frame, &self.peer),
            Kind::Item | Kind::Data | Kind::Credit => {
                if let Err(text) = state.on_stream(frame, &self.peer, &self.limits) {
                    drop(state);
                    let refusal = Refusal::Frame(GoAwayReason::Protocol, text);
                    let error = refused(&self.peer, &refusal);
                    self.close(error.with_execution(Execution::Unknown));
                    return Left::default();
                }
            }
            Kind::Ping => {
                state.queued_control += 1;
                frame::write_ping(state.out.buffer(), Kind::Pong, frame.fixed.token());
            }
            Kind::GoAway => {
                let text = frame::read_message(&frame.body);
                let error =
                    Error::unavailable(format!("{} takes no more calls: {text}", self.peer))
                        .with_peer(&*self.peer);
                let part = frame.go_away_part();
                state.due.get_or_insert_with(|| within(part.spread()));
                // An announcement draws no line yet.
                if part.is_final {
                    state.calls.refuse_above(&part, &error, |_| {});
                }
                state.closed.get_or_insert(error);
            }
            Kind::Call if frame.flags & flag::ONE_WAY == 0 => {
                let text =
                    "a blocking client serves nothing; export services on an asynchronous one";
                let part = FailPart {
                    status: Status::Unimplemented.code(),
                    execution: Execution::NotStarted,
                    retryable: false,
                    retry_after_ms: 0,
                };
                state.queued_control += 1;
                frame::write_fail(state.out.buffer(), frame.request_id, &part, text);
            }
            _ => {}
        }
        Left {
            choked: self.is_choked_by(&state),
            unsent: !state.out.is_empty(),
        }
    }

    /// Ends the connection as a thread sees it that does not write: the kernel may have all that a writer has.
    pub(super) fn close(&self, error: Error) {
        let reached = self.lock().out.offered();
        self.close_at(reached, error);
    }

    /// Ends the connection; what lies beyond `reached` in the output was not sent.
    fn close_at(&self, reached: u64, error: Error) {
        let mut state = self.lock();
        if state.ended {
            return;
        }
        state.ended = true;
        // A peer that was lost may have lost all of us at once.
        if error.execution() == Execution::Unknown {
            state.due.get_or_insert_with(|| within(AFTER_A_LOSS));
        }
        state.calls.end_all(reached, &error);
        drop(state.streams.end_all(&error));
        state.pieces.clear();
        state.out.drop_bodies();
        state.closed.get_or_insert(error);
        drop(state);
        self.tell();
    }

    fn wait_for_change<'a>(
        &self,
        state: MutexGuard<'a, State>,
        limit: Duration,
    ) -> MutexGuard<'a, State> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let waited = self.changed.wait_timeout(state, limit);
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Wakes who waits for a change of the state. Nobody does as long as one thread calls: to tell nobody would be a call of
    /// the kernel as well.
    pub(super) fn tell(&self) {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.changed.notify_all();
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.output
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .io
            .shutdown();
    }
}

impl Input {
    fn fill(&mut self, limit: Duration) -> io::Result<usize> {
        let count = self.reader.read(&mut self.chunk, limit)?;
        self.inbound
            .buffer()
            .extend_from_slice(&self.chunk[..count]);
        Ok(count)
    }
}

/// A peer that took the connection and nothing else: no server, or one that this very thread keeps from answering.
fn silent(peer: &str) -> Error {
    let mut text = format!(
        "{peer} accepted the connection and said nothing; is it a server of this protocol?"
    );
    if Handle::try_current().is_ok() {
        text += " If it is one of this program: a blocking client in asynchronous code stops the thread that has to \
                 answer, take the asynchronous client there";
    }
    Error::unavailable(text).with_peer(peer)
}

fn time_left(deadline: Option<Instant>) -> Duration {
    deadline.map_or(LOOK_AROUND, |deadline| {
        deadline.saturating_duration_since(Instant::now())
    })
}

/// A random moment of the time that begins now.
fn within(spread: Duration) -> Instant {
    Instant::now() + spread.mul_f64(random_fraction())
}

fn no_room(peer: &str) -> Error {
    let text =
        format!("as many calls as {peer} allows were on their way all the time that the call had");
    Error::new(ErrorKind::DeadlineExceeded, text).with_peer(peer)
}

#[cfg(test)]
mod tests {
    use super::silent;

    #[test]
    fn a_silent_peer_may_be_silenced_by_the_caller_itself() {
        let outside = silent("tcp://a:1").to_string();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let inside = runtime.block_on(async { silent("tcp://a:1").to_string() });
        assert!(!outside.contains("asynchronous client"), "{outside}");
        assert!(inside.contains("take the asynchronous client"), "{inside}");
    }
}
