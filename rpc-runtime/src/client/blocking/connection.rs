//! One connection of the synchronous client: whoever waits for an answer reads for all who wait.

use std::fmt;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Buf;
use tokio::time::Instant;

use crate::client::request::Prepared;
use crate::error::{Error, ErrorKind, Execution, Result};
use crate::limits::Limits;
use crate::link::{first_frame, read_answer, refused};
use crate::transport::Address;
use crate::transport::sync::{self, BlockingReader, BlockingWriter};
use crate::wire::calls::{Answer, Calls};
use crate::wire::frame::{self, Frame, Kind, PREFACE};
use crate::wire::hello::Hello;
use crate::wire::inbound::Inbound;
use crate::wire::outbound::Outbound;

/// Longest single wait for input: how late a deadline may be noticed is not bounded by it, how often an idle wait looks
/// around is.
const LOOK_AROUND: Duration = Duration::from_secs(1);

/// After this much idleness a connection is looked at before it is used: the server may have closed it.
const STALE: Duration = Duration::from_secs(1);

const READ_SIZE: usize = 64 << 10;

/// One connection, shared by the threads that call on it.
pub(super) struct Connection {
    peer: String,
    hello: Hello,
    limits: Limits,
    state: Mutex<State>,
    /// Somebody else's answer came, or nobody reads any more.
    changed: Condvar,
    reader: Mutex<Input>,
    writer: Mutex<BlockingWriter>,
}

struct State {
    calls: Calls,
    out: Outbound,
    /// A thread is reading for all.
    reading: bool,
    /// No new calls; set by GOAWAY and by every failure.
    closed: Option<Error>,
    last_heard: Instant,
}

struct Input {
    reader: BlockingReader,
    inbound: Inbound,
    /// Read into first: a frame's buffer is filled with what came, not with zeroes before.
    chunk: Box<[u8]>,
}

impl Connection {
    pub(super) fn open(address: &Address, limits: &Limits) -> Result<Self> {
        let io = sync::connect(address, limits.handshake_timeout)?;
        let peer = address.to_string();
        let mut writer = io.writer;
        let mut first = PREFACE.to_vec();
        frame::write_hello(&mut first, &Hello::of(limits, Vec::new()).encode());
        let lost = |error: io::Error| {
            Error::unavailable(format!("the handshake with {peer} failed: {error}"))
                .with_peer(&*peer)
        };
        let mut sent = 0;
        while sent < first.len() {
            sent += writer
                .write(&first[sent..], limits.handshake_timeout)
                .map_err(lost)?;
        }
        let mut input = Input {
            reader: io.reader,
            inbound: Inbound::client(limits),
            chunk: vec![0; READ_SIZE].into(),
        };
        let until = Instant::now() + limits.handshake_timeout;
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
                    let text = format!(
                        "{peer} accepted the connection and said nothing; is it a server of this protocol?"
                    );
                    return Err(Error::unavailable(text).with_peer(&*peer));
                }
                Err(error) => return Err(lost(error)),
            }
        };
        let state = State {
            calls: Calls::new(hello.max_inflight.max(1)),
            out: Outbound::default(),
            reading: false,
            closed: None,
            last_heard: Instant::now(),
        };
        Ok(Self {
            peer,
            hello,
            limits: limits.clone(),
            state: Mutex::new(state),
            changed: Condvar::new(),
            reader: Mutex::new(input),
            writer: Mutex::new(writer),
        })
    }

    /// What the peer said of itself.
    pub(super) fn hello(&self) -> &Hello {
        &self.hello
    }

    /// Whether no failure and no GOAWAY has ended it.
    pub(super) fn is_open(&self) -> bool {
        self.lock().closed.is_none()
    }

    /// Frees the place of a one-way call: nothing comes back for it.
    pub(super) fn release(&self, id: u32) {
        self.lock().calls.release(id);
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
            Ok(id) => self.wait(id, prepared.deadline),
            Err(error) => Answer::Failed(error),
        }
    }

    /// Writes the frame on this thread.
    pub(super) fn send(&self, prepared: &Prepared) -> Result<u32> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let call = prepared.frame()?;
        let length = frame::call_len(&call) - frame::LENGTH_FIELD;
        if length as u64 > u64::from(self.hello.max_frame) {
            let text = format!(
                "the call takes {length} bytes, {} accepts {}; send less at once",
                self.peer, self.hello.max_frame
            );
            return Err(Error::new(ErrorKind::ResourceExhausted, text).with_peer(&*self.peer));
        }
        let (id, batch) = {
            let mut state = self.wait_for_room(prepared.deadline)?;
            let id = state
                .calls
                .begin(prepared.deadline)
                .ok_or_else(|| full(&self.peer))?;
            let start = state.out.end();
            frame::write_call(state.out.buffer(), id, &call);
            let end = state.out.end();
            state.calls.sent_at(id, start, end);
            (id, state.out.take(Vec::new()))
        };
        // A failure is told to the call through its slot, like every other end of the connection.
        self.write(&mut writer, &batch);
        Ok(id)
    }

    fn wait_for_room(&self, deadline: Option<Instant>) -> Result<MutexGuard<'_, State>> {
        let mut state = self.lock();
        loop {
            if let Some(error) = &state.closed {
                return Err(error.clone().with_execution(Execution::NotSent));
            }
            if state.calls.has_room() {
                return Ok(state);
            }
            let left = time_left(deadline);
            if left.is_zero() {
                return Err(full(&self.peer));
            }
            state = self
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    fn write(&self, writer: &mut BlockingWriter, bytes: &[u8]) {
        let mut sent = 0;
        while sent < bytes.len() {
            match writer.write(&bytes[sent..], self.limits.write_stall_timeout) {
                Ok(0) => return self.write_failed("it takes no more input"),
                Ok(written) => {
                    sent += written;
                    self.lock().out.handed_over(written);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return self.write_failed(error),
            }
        }
    }

    /// Whoever writes knows to the byte what the kernel has.
    fn write_failed(&self, why: impl fmt::Display) {
        let handed = self.lock().out.handed();
        self.close_at(handed, lost(&self.peer, why));
    }

    /// Waits for the answer: reads the socket if nobody else does.
    fn wait(&self, id: u32, deadline: Option<Instant>) -> Answer {
        let mut state = self.lock();
        loop {
            if let Some(answer) = state.calls.try_take(id) {
                drop(state);
                self.changed.notify_all();
                return answer;
            }
            let left = time_left(deadline);
            if left.is_zero() {
                drop(state);
                return self.expire(id);
            }
            if state.reading {
                state = self
                    .changed
                    .wait_timeout(state, left)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0;
                continue;
            }
            state.reading = true;
            drop(state);
            self.read_some(left.min(LOOK_AROUND));
            self.stop_reading();
            state = self.lock();
        }
    }

    fn stop_reading(&self) {
        self.lock().reading = false;
        self.changed.notify_all();
    }

    fn expire(&self, id: u32) -> Answer {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let (answer, batch) = {
            let mut state = self.lock();
            let handed = state.out.handed();
            let State { calls, out, .. } = &mut *state;
            calls.expire(Instant::now(), handed, |expired, _| {
                frame::write_cancel(out.buffer(), expired)
            });
            let answer = state.calls.try_take(id);
            (answer, state.out.take(Vec::new()))
        };
        self.write(&mut writer, &batch);
        drop(writer);
        self.changed.notify_all();
        answer.unwrap_or_else(|| {
            Answer::Failed(
                Error::deadline(Duration::ZERO)
                    .with_execution(Execution::Unknown)
                    .with_peer(&*self.peer),
            )
        })
    }

    /// Reads once, for everybody.
    fn read_some(&self, limit: Duration) {
        let mut input = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        match input.fill(limit) {
            Ok(0) => return self.close(lost(&self.peer, "the peer closed it")),
            Ok(_) => self.lock().last_heard = Instant::now(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Err(error) => return self.close(lost(&self.peer, error)),
        }
        loop {
            match input.inbound.next_frame() {
                Ok(Some(frame)) => self.on_frame(&frame),
                Ok(None) => return,
                Err(refusal) => {
                    return self
                        .close(refused(&self.peer, &refusal).with_execution(Execution::Unknown));
                }
            }
        }
    }

    fn on_frame(&self, frame: &Frame) {
        let mut state = self.lock();
        match frame.kind {
            Kind::Reply | Kind::Fail => {
                state
                    .calls
                    .answered(frame.request_id, read_answer(frame, &self.peer));
            }
            Kind::Ping => frame::write_ping(
                state.out.buffer(),
                Kind::Pong,
                frame.fixed.as_ref().get_u64_le(),
            ),
            Kind::GoAway => {
                let text = frame::read_message(&frame.body);
                let error =
                    Error::unavailable(format!("{} takes no more calls: {text}", self.peer))
                        .with_peer(&*self.peer);
                state.calls.refuse_above(&frame.go_away_part(), &error);
                state.closed.get_or_insert(error);
            }
            // A blocking client serves nothing; streams are not asked for.
            _ => {}
        }
        if state.out.is_empty() {
            return;
        }
        drop(state);
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let batch = self.lock().out.take(Vec::new());
        self.write(&mut writer, &batch);
    }

    /// Ends the connection as a thread sees it that does not write: the kernel may have all that a writer has.
    fn close(&self, error: Error) {
        let reached = self.lock().out.offered();
        self.close_at(reached, error);
    }

    /// Ends the connection; what lies beyond `reached` in the output was not sent.
    fn close_at(&self, reached: u64, error: Error) {
        let mut state = self.lock();
        state.calls.end_all(reached, &error);
        state.closed.get_or_insert(error);
        drop(state);
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.writer
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
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

fn time_left(deadline: Option<Instant>) -> Duration {
    deadline.map_or(LOOK_AROUND, |deadline| {
        deadline.saturating_duration_since(Instant::now())
    })
}

fn lost(peer: &str, what: impl fmt::Display) -> Error {
    Error::unavailable(format!("the connection to {peer} was lost: {what}"))
        .with_peer(peer)
        .with_execution(Execution::Unknown)
}

fn full(peer: &str) -> Error {
    Error::new(
        ErrorKind::ResourceExhausted,
        format!("as many calls as {peer} allows are on their way"),
    )
    .with_peer(peer)
}
