//! The synchronous client: writes and reads the socket on the caller's own thread, without an async runtime.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::client::options::CallOptions;
use crate::client::request::{Prepared, Request};
use crate::client::returns::Returns;
use crate::descriptor::{MethodDescriptor, ServiceDescriptor};
use crate::discovery;
use crate::error::{CallError, Error, ErrorKind, Execution, Result};
use crate::limits::Limits;
use crate::link::{first_frame, read_answer, refused};
use crate::reflection;
use crate::transport::sync::{self, BlockingReader, BlockingWriter};
use crate::transport::{Address, Target};
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

/// Where blocking calls go. Cloning is cheap and shares the connection; threads may call at once.
///
/// Whoever waits for an answer reads the socket for all who wait. Needs no async runtime, and must not be used on a
/// thread that drives one: it would hold it up.
#[derive(Clone)]
pub struct BlockingChannel {
    shared: Arc<Shared>,
    options: CallOptions,
}

struct Shared {
    route: Route,
    limits: Limits,
    connections: Mutex<Vec<(Address, Arc<Connection>)>>,
    next: AtomicUsize,
}

/// How addresses are found.
enum Route {
    Fixed(Vec<Address>),
    Lookup(discovery::BlockingLookup),
}

/// One connection, shared by the threads that call on it.
struct Connection {
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
}

impl BlockingChannel {
    /// Connects to an address that names one peer, a list, or a registry with the service in the address.
    ///
    /// # Errors
    ///
    /// The address cannot be read, or nobody answers there.
    pub fn connect(address: impl AsRef<str>) -> Result<Self> {
        Self::open(address.as_ref(), None)
    }

    /// Connects to where a service is: what generated clients call.
    ///
    /// # Errors
    ///
    /// As [`BlockingChannel::connect`].
    pub fn connect_to(address: &str, service: &'static ServiceDescriptor) -> Result<Self> {
        Self::open(address, Some(service.name))
    }

    fn open(address: &str, service: Option<&str>) -> Result<Self> {
        let (target, _) = Target::parse(address)?;
        let route = match target {
            Target::Direct(address) => Route::Fixed(vec![address]),
            Target::List(addresses) => Route::Fixed(addresses),
            target => Route::Lookup(discovery::BlockingLookup::new(target, service)?),
        };
        let next = AtomicUsize::new(crate::backoff::random() as usize);
        let shared = Shared {
            route,
            limits: Limits::default(),
            connections: Mutex::default(),
            next,
        };
        let channel = Self {
            shared: Arc::new(shared),
            options: CallOptions::new(),
        };
        channel.connection(&[], &mut None)?;
        Ok(channel)
    }

    /// A channel over the same connections whose calls have these options.
    #[must_use]
    pub fn with_options(&self, options: CallOptions) -> Self {
        Self {
            shared: self.shared.clone(),
            options,
        }
    }

    /// Makes a call and waits for its answer. Generated clients call this.
    ///
    /// # Errors
    ///
    /// What the call failed with.
    pub fn call<T, E>(
        &self,
        method: &'static MethodDescriptor,
        returns: Returns<T, E>,
        params: impl FnOnce(&mut Vec<u8>),
    ) -> Result<T, CallError<E>> {
        let prepared = self.prepare(method, params)?;
        returns.decode(self.attempts(prepared), method)
    }

    /// Sends a one-way call. Generated clients call this.
    ///
    /// # Errors
    ///
    /// Why it could not be handed to a connection.
    pub fn one_way(
        &self,
        method: &'static MethodDescriptor,
        params: impl FnOnce(&mut Vec<u8>),
    ) -> Result<()> {
        let prepared = self.prepare(method, params)?.one_way();
        let (_, connection) = self.connection(&[], &mut None)?;
        let id = connection.send(&prepared)?;
        connection.lock().calls.release(id);
        Ok(())
    }

    fn prepare(
        &self,
        method: &'static MethodDescriptor,
        params: impl FnOnce(&mut Vec<u8>),
    ) -> Result<Prepared> {
        let mut encoded = Vec::new();
        params(&mut encoded);
        Request {
            method,
            params: encoded,
            options: self.options.clone(),
        }
        .prepare(&self.shared.limits)
    }

    /// Repeats what was not executed, on another instance where there is one.
    fn attempts(&self, mut prepared: Prepared) -> Answer {
        const ATTEMPTS: usize = 3;
        let (mut tried, mut last) = (Vec::new(), None);
        loop {
            let (address, connection) = match self.connection(&tried, &mut last) {
                Ok(found) => found,
                Err(error) => return Answer::Failed(error),
            };
            let answer = connection.call(&prepared);
            let Answer::Failed(error) = answer else {
                return answer;
            };
            if error.kind() == ErrorKind::Unimplemented
                && !reflection::is_framework(prepared.method)
            {
                return Answer::Failed(reflection::explain_blocking(
                    self,
                    &connection.hello,
                    prepared.method,
                    error,
                ));
            }
            let not_run = matches!(
                error.execution(),
                Execution::NotSent | Execution::NotStarted
            );
            let again = not_run || (error.execution() == Execution::Unknown && prepared.idempotent);
            tried.push(address);
            if error.kind() != ErrorKind::Unavailable || !again || tried.len() >= ATTEMPTS {
                return Answer::Failed(error);
            }
            prepared.repeated();
            last = Some(error);
        }
    }

    /// An open connection to an address that was not tried, or to any when all were.
    fn connection(
        &self,
        tried: &[Address],
        last: &mut Option<Error>,
    ) -> Result<(Address, Arc<Connection>)> {
        let addresses = match &self.shared.route {
            Route::Fixed(addresses) => addresses.clone(),
            Route::Lookup(lookup) => lookup.addresses()?,
        };
        let start = self.shared.next.fetch_add(1, Ordering::Relaxed);
        let rotated = (0..addresses.len())
            .map(|offset| &addresses[start.wrapping_add(offset) % addresses.len()]);
        let (fresh, again): (Vec<_>, Vec<_>) =
            rotated.partition(|address| !tried.contains(address));
        for address in fresh.into_iter().chain(again) {
            match self.connected(address) {
                Ok(connection) => return Ok((address.clone(), connection)),
                Err(error) => *last = Some(error),
            }
        }
        Err(last
            .take()
            .unwrap_or_else(|| Error::unavailable("no address is known")))
    }

    fn connected(&self, address: &Address) -> Result<Arc<Connection>> {
        let known = {
            let mut connections = self.connections();
            connections.retain(|(_, connection)| connection.lock().closed.is_none());
            connections
                .iter()
                .find(|(known, _)| known == address)
                .map(|(_, connection)| connection.clone())
        };
        if let Some(connection) = known
            && connection.is_alive()
        {
            return Ok(connection);
        }
        let connection = Arc::new(Connection::open(address, &self.shared.limits)?);
        self.connections()
            .push((address.clone(), connection.clone()));
        Ok(connection)
    }

    fn connections(&self) -> MutexGuard<'_, Vec<(Address, Arc<Connection>)>> {
        self.shared
            .connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    fn open(address: &Address, limits: &Limits) -> Result<Self> {
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
                    return Err(silent(&peer));
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

    /// Whether it can be used. After a while of silence the socket is looked at: while nobody calls, nobody reads.
    fn is_alive(&self) -> bool {
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

    fn call(&self, prepared: &Prepared) -> Answer {
        match self.send(prepared) {
            Ok(id) => self.wait(id, prepared.deadline),
            Err(error) => Answer::Failed(error),
        }
    }

    /// Writes the frame on this thread.
    fn send(&self, prepared: &Prepared) -> Result<u32> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let call = prepared.frame()?;
        let length = frame::call_len(&call);
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
                Ok(0) => return self.close(lost(&self.peer, "it takes no more input")),
                Ok(written) => {
                    sent += written;
                    self.lock().out.handed_over(written);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return self.close(lost(&self.peer, error)),
            }
        }
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
        answer.unwrap_or_else(|| Answer::Failed(Error::too_slow().with_peer(&*self.peer)))
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

    fn close(&self, error: Error) {
        let mut state = self.lock();
        let handed = state.out.handed();
        state.calls.end_all(handed, &error);
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
        let buffer: &mut BytesMut = self.inbound.buffer();
        let start = buffer.len();
        buffer.resize(start + READ_SIZE, 0);
        let outcome = self.reader.read(&mut buffer[start..], limit);
        buffer.truncate(start + *outcome.as_ref().unwrap_or(&0));
        outcome
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

impl fmt::Debug for BlockingChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.shared.route {
            Route::Fixed(addresses) => f.debug_tuple("BlockingChannel").field(addresses).finish(),
            Route::Lookup(lookup) => f.debug_tuple("BlockingChannel").field(lookup).finish(),
        }
    }
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
