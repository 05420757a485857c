//! One connection: the protocol core with a socket under it, callers and handlers above it.
//!
//! Two tasks drive a link: the reader (`read.rs`) hands frames to waiting callers and to handlers (`serve.rs`,
//! `handlers.rs`), the keeper (`keep.rs`) writes what could not be written at once (`write.rs`) and watches the clock.
//! The reader never waits for a handler or a caller; it pauses only while the peer leaves too much of our output unread.

mod answer;
mod budget;
mod drain;
mod handlers;
mod handshake;
mod in_place;
mod keep;
mod objects;
mod outcome;
mod pace;
mod packed;
mod read;
mod serve;
mod streams;
mod turn;
mod write;

#[cfg(test)]
mod stream_tests;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

use crate::breaker::{Breaker, Pass, Tally};
use crate::error::{Error, Execution};
use crate::limits::Limits;
use crate::memory::{Memory, Share};
use crate::metadata;
use crate::object::Objects;
use crate::security::{AUTHORIZATION, Identity, not_here};
use crate::server::router::Router;
use crate::spares;
use crate::transport::Io;
use crate::wire::budgets::Budgets;
use crate::wire::by_id::ById;
use crate::wire::calls::{Answer, Calls};
use crate::wire::deadlines::Deadlines;
use crate::wire::frame::{self, CallFrame, GoAwayPart, GoAwayReason, flag};
use crate::wire::hello::Hello;
use crate::wire::on_the_way::LARGE;
use crate::wire::outbound::Outbound;
use crate::wire::pieces::Pieces;
use crate::wire::sending;
use crate::wire::streams::{Batch, Next, Side, Streams};

pub(crate) use answer::Responder;
pub(crate) use handshake::{accept, connect, first_frame, refused, secure, told, turn_away};
pub(crate) use pace::Pace;
pub(crate) use read::read_answer;

pub(crate) use streams::{Event, MIXED};

/// What all connections of a server, or of a channel, have in common.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) limits: Arc<Limits>,
    pub(crate) memory: Arc<Memory>,
    /// Compressed bodies are read, and large ones are compressed for peers that read them as well.
    pub(crate) compress: bool,
    /// Judges the peer by what becomes of calls.
    pub(crate) breaker: Option<Arc<Breaker>>,
}

impl Terms {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            memory: Memory::new(limits.process_memory),
            limits: Arc::new(limits),
            compress: false,
            breaker: None,
        }
    }
}

/// Clients of a peer that went without a word connect again within this time, not all at once.
pub(crate) const AFTER_A_LOSS: Duration = Duration::from_millis(100);

/// So much that a write of it costs more than waiting for company saves: whoever has added to it writes.
const MUCH: u64 = 128 << 10;

/// Longest single wait for the calls of a peer to end.
const LOOK_AROUND: Duration = Duration::from_millis(200);

/// One open connection. Whoever holds it may call; it closes when [`Link::close`] is called or the peer goes.
pub(crate) struct Link {
    role: Role,
    peer: Arc<str>,
    peer_hello: Hello,
    /// Who the peer is, where that is known.
    identity: Option<Identity>,
    /// Nobody between can read what is sent.
    is_private: bool,
    limits: Arc<Limits>,
    /// Compressed bodies are read, as we have announced.
    unpacks: bool,
    /// Large bodies go out compressed.
    packs: bool,
    /// What the peer may call here.
    router: Option<Arc<Router>>,
    /// How long handlers of lent objects take, all together.
    objects_pace: pace::Pace,
    /// Lets our calls through, and is told what becomes of them.
    breaker: Option<Arc<Breaker>>,
    state: Mutex<State>,
    writer: Mutex<write::Writer>,
    /// Wakes the keeper: bytes wait to be written, or a deadline moved forward.
    wake_keeper: Notify,
    /// A call of ours ended, so that another one may begin.
    room: Notify,
    /// So many replies to control frames are unread that no more frames are taken for now.
    choked: AtomicBool,
    /// The peer has used up a budget; the reader ends the connection.
    overdrawn: AtomicBool,
    /// The peer took enough of our output for the reader to go on.
    drained: Notify,
    /// So much of our output is unread that answers and items wait.
    full: AtomicBool,
    /// The peer took enough of our output for one of those who wait.
    writable: Notify,
    /// Ends the reader and the keeper.
    closed: Notify,
    /// Why it ended.
    reason: OnceLock<Error>,
    /// Nothing is being served any more, or the link is closed.
    idle: Notify,
    /// Somebody has waited for that: on most links nobody does before they end.
    idle_wanted: AtomicBool,
    /// The peer has heard that we leave; see `drain.rs`.
    heard_announcement: Notify,
    /// That the peer leaves, or has left.
    left: OnceLock<drain::Left>,
    /// One of the tasks has ended.
    ended: Notify,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Client,
    Server,
}

/// What callers, handlers, the reader and the keeper share.
struct State {
    calls: Calls,
    tally: Tally,
    out: Outbound,
    streams: Streams,
    pieces: Pieces,
    objects: Objects,
    /// Objects of the peer that somebody here holds.
    borrowed: usize,
    /// Bytes of parameters that handlers work on.
    params: u64,
    /// Bytes of a frame that is not complete.
    reading: u64,
    /// Our part of what all connections keep.
    share: Share,
    budgets: Budgets,
    /// Which budget is used up.
    overdrawn: Option<String>,
    phase: Phase,
    /// Handlers that did not finish on their first poll.
    serving: ById<u32, handlers::Serving>,
    /// Theirs, but for those that may outlive the link.
    deadlines: Deadlines,
    /// Calls of the peer that are worked on, those on their first poll included.
    inflight: u32,
    /// Highest request ID the peer has used.
    last_seen: u32,
    /// Earliest deadline among our calls.
    next_deadline: Option<Instant>,
    last_heard: Instant,
    /// Several of our calls were answered by one read, so that their callers may all be about to call again. The reader writes
    /// for them when they had their turn.
    flushed_soon: bool,
    /// Last time the kernel had taken all of what the keeper wrote, or enough of it to count.
    last_written: Instant,
    /// Bytes that it has taken since.
    written: u64,
    /// Last time a call ended, or one began while there was no other.
    last_call: Instant,
    /// Last time a call without streams ended.
    last_plain_call: Instant,
    /// When the keeper looks at the clock next.
    keeper_due: Instant,
    ping_sent: Option<Instant>,
    pings: PingWatch,
    /// Replies to control frames in the output that the kernel may not have yet.
    queued_control: u32,
    /// Callers that wait for room.
    waiting_for_room: u32,
    /// Close when nobody waits for an answer any more.
    retired: bool,
    /// … and no object of the peer is held: its client is there still, with another connection.
    replaced: bool,
    /// The peer has drawn the line: it serves nothing more that begins now.
    line_drawn: bool,
    /// A call of the peer is between its admission and its handler.
    admitting: bool,
    leaving: drain::Leaving,
    /// The reader and the keeper, as long as they run.
    tasks: u8,
}

/// ```text
/// Open ──GOAWAY received, or retired──> Draining ──last call done, or told to──> Closed
///   └──────────────────────────── input ends, error ─────────────────────────────┘
/// ```
/// It is about our own calls; whether those of the peer are taken is in [`drain::Leaving`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// No new calls of ours; those that began go on.
    Draining,
    Closed,
}

/// How often the peer sends PING.
#[derive(Clone, Copy, Debug, Default)]
struct PingWatch {
    last: Option<Instant>,
    strikes: u32,
    /// A PING of ours was on its way when something else came.
    answered: bool,
}

/// How a call begins.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Begin<'a> {
    pub(crate) deadline: Option<Instant>,
    /// Writes the call out; else [`Link::flush`] follows.
    pub(crate) flush: bool,
    /// It belongs to this connection, and may begin until the peer has drawn the line.
    pub(crate) bound: bool,
    /// Who is woken by the answer; who polls for it later need not say so.
    pub(crate) by: Option<&'a Waker>,
}

/// Why a call could not begin on this link; nothing was sent.
#[derive(Debug)]
pub(crate) enum NotBegun {
    /// As many calls as the peer allows are on their way: wait for [`Link::room`].
    Full,
    /// The link is closed or closing: use another one.
    Gone,
    /// The circuit breaker lets nothing through at the moment.
    Shut,
    /// This call can begin on no link.
    Refused(Error),
}

/// A call on its way; dropping it cancels the call.
pub(crate) struct Ticket {
    link: Arc<Link>,
    id: u32,
    pass: Pass,
    done: bool,
    /// An item has come.
    heard: bool,
    /// Sends the items of the call.
    sender: Option<AbortHandle>,
}

impl Link {
    fn new(
        role: Role,
        io: Io,
        peer_hello: Hello,
        terms: Terms,
        router: Option<Arc<Router>>,
    ) -> (Arc<Self>, read::Input) {
        let Terms {
            limits,
            memory,
            compress,
            breaker,
        } = terms;
        let now = Instant::now();
        let streams = Streams::new(
            (limits.stream_window, limits.connection_window),
            (peer_hello.stream_window, peer_hello.connection_window),
            peer_hello.whole(),
        );
        let state = State {
            calls: Calls::new(peer_hello.inflight()),
            tally: Tally::new(now),
            out: Outbound::paced(&peer_hello),
            streams,
            pieces: Pieces::default(),
            objects: Objects::default(),
            borrowed: 0,
            params: 0,
            reading: 0,
            share: memory.share(),
            budgets: Budgets::new(&limits, now),
            overdrawn: None,
            phase: Phase::Open,
            serving: ById::default(),
            deadlines: Deadlines::default(),
            inflight: 0,
            last_seen: 0,
            next_deadline: None,
            last_heard: now,
            flushed_soon: false,
            last_written: now,
            written: 0,
            last_call: now,
            last_plain_call: now,
            keeper_due: now,
            ping_sent: None,
            pings: PingWatch::default(),
            queued_control: 0,
            waiting_for_room: 0,
            retired: false,
            replaced: false,
            line_drawn: false,
            admitting: false,
            leaving: drain::Leaving::default(),
            tasks: 2,
        };
        let link = Arc::new(Self {
            role,
            peer: io.peer.into(),
            unpacks: compress,
            packs: compress && peer_hello.reads_compressed(),
            peer_hello,
            identity: io.identity,
            is_private: io.is_private,
            limits,
            router,
            objects_pace: pace::Pace::default(),
            breaker,
            state: Mutex::new(state),
            writer: Mutex::new(write::Writer::new(io.writer)),
            wake_keeper: Notify::new(),
            room: Notify::new(),
            choked: AtomicBool::new(false),
            overdrawn: AtomicBool::new(false),
            drained: Notify::new(),
            full: AtomicBool::new(false),
            writable: Notify::new(),
            closed: Notify::new(),
            reason: OnceLock::new(),
            idle: Notify::new(),
            idle_wanted: AtomicBool::new(false),
            heard_announcement: Notify::new(),
            left: OnceLock::new(),
            ended: Notify::new(),
        });
        (link, io.reader)
    }

    /// Address of the peer.
    pub(crate) fn peer(&self) -> &Arc<str> {
        &self.peer
    }

    /// What the peer said of itself.
    pub(crate) fn peer_hello(&self) -> &Hello {
        &self.peer_hello
    }

    /// Whether new calls may begin here.
    pub(crate) fn is_open(&self) -> bool {
        self.lock().phase == Phase::Open
    }

    /// Whether calls may begin that belong to this connection: on its objects, and for calls that came on it.
    pub(crate) fn takes_bound(&self) -> bool {
        self.lock().takes(true)
    }

    /// Begins a call: the frame is in the output, or nothing happened.
    pub(crate) fn begin(
        self: &Arc<Self>,
        call: &CallFrame<'_>,
        deadline: Option<Instant>,
        flush: bool,
    ) -> Result<Ticket, NotBegun> {
        let begin = Begin {
            deadline,
            flush,
            // An object lives on its connection, and nowhere else.
            bound: call.target.is_some(),
            by: None,
        };
        self.clone().begin_as(call, begin)
    }

    /// The same, in every way there is.
    pub(crate) fn begin_as(
        self: Arc<Self>,
        call: &CallFrame<'_>,
        begin: Begin<'_>,
    ) -> Result<Ticket, NotBegun> {
        let Begin {
            deadline,
            flush,
            bound,
            by,
        } = begin;
        let packed = self.packed_call(call);
        let call = &as_packed(call, packed.as_deref());
        let pass = self.admitted()?;
        let mut state = self.lock();
        let id = self
            .write_call(&mut state, call, deadline, bound, by)
            .inspect_err(|_| self.give_pass_back(pass))?;
        let alone = state.calls.live() == 1;
        if alone {
            self.watch(&mut state);
        }
        let much = state.out.queued() >= MUCH;
        let soon = state.flushed_soon;
        drop(state);
        if flush {
            // A lone call is written by its caller: waking the keeper would cost it a hop. Callers made ready by one read
            // share one write, of the reader. Beside other calls the keeper yields once for the same reason.
            if much || (alone && !soon) {
                self.flush_now()
            } else if !soon {
                self.wake_keeper.notify_one()
            }
        }
        Ok(Ticket {
            link: self,
            id,
            pass,
            done: false,
            heard: false,
            sender: None,
        })
    }

    /// A first call is on its way: from now on the peer must be heard.
    fn watch(&self, state: &mut State) {
        state.last_call = Instant::now();
        // The keeper sleeps long while there is nothing to watch. Woken once, it looks again by itself every few
        // seconds as long as there are calls, so that most calls need not wake it.
        if state.keeper_due > state.last_call + self.ping_after() {
            self.wake_keeper.notify_one();
        }
    }

    /// Sends a call to which nothing comes back.
    pub(crate) fn send_one_way(
        self: &Arc<Self>,
        call: &CallFrame<'_>,
        bound: bool,
    ) -> Result<(), NotBegun> {
        let packed = self.packed_call(call);
        let call = &as_packed(call, packed.as_deref());
        let pass = self.admitted()?;
        let mut state = self.lock();
        let begun = self.write_call(&mut state, call, None, bound, None);
        // Nobody will tell what becomes of it.
        self.give_pass_back(pass);
        state.calls.release(begun?);
        drop(state);
        self.flush_now();
        Ok(())
    }

    fn write_call(
        &self,
        state: &mut State,
        call: &CallFrame<'_>,
        deadline: Option<Instant>,
        bound: bool,
        by: Option<&Waker>,
    ) -> Result<u32, NotBegun> {
        if !state.takes(bound) {
            return Err(NotBegun::Gone);
        }
        if !self.is_private && metadata::find(call.metadata, AUTHORIZATION).is_some() {
            return Err(NotBegun::Refused(not_here(&self.peer)));
        }
        sending::check_length(call, &self.peer_hello, &self.peer).map_err(NotBegun::Refused)?;
        if !state.calls.has_room() {
            return Err(NotBegun::Full);
        }
        let loans = match call.lent {
            [] => Vec::new(),
            lent => state
                .objects
                .lend(lent, self, self.limits.max_objects)
                .map_err(NotBegun::Refused)?,
        };
        let id = state.calls.begin(deadline, by).ok_or(NotBegun::Full)?;
        if call.flags & flag::ONE_WAY == 0 {
            state.objects.lent_with(id, &loans);
        }
        let State {
            calls,
            out,
            streams,
            ..
        } = state;
        let large = (call.params_len() >= LARGE).then(Instant::now);
        let peer = (&self.peer_hello, large);
        sending::write_call(id, call, &loans, peer, (calls, out, streams));
        self.watch_held(state);
        if let Some(deadline) = deadline
            && state.next_deadline.is_none_or(|known| deadline < known)
        {
            state.next_deadline = Some(deadline);
            self.wake_keeper.notify_one();
        }
        Ok(id)
    }

    /// Writes out what waits; after calls begun with `flush: false`.
    pub(crate) fn flush(&self) {
        self.flush_now();
    }

    /// Whether so much waits that a write is well filled.
    pub(crate) fn has_much(&self) -> bool {
        self.lock().out.queued() >= MUCH / 2
    }

    /// Waits until a call may begin again, or the link is gone. Dropping the future does nothing.
    pub(crate) async fn room(&self, bound: bool) {
        loop {
            let freed = self.room.notified();
            {
                let mut state = self.lock();
                if !state.takes(bound) || state.calls.has_room() {
                    return;
                }
                state.waiting_for_room += 1;
            }
            let _guard = WaitingForRoom(self);
            freed.await;
        }
    }

    /// Completes when the link is closed. Dropping the future does nothing.
    pub(crate) async fn closed(&self) {
        loop {
            let closed = self.closed.notified();
            tokio::pin!(closed);
            // Registered before looking, so that a close in between is not missed.
            closed.as_mut().enable();
            if self.lock().phase == Phase::Closed {
                return;
            }
            closed.await;
        }
    }

    /// Takes no more calls that another connection can take, and closes as soon as nobody waits for an answer and no
    /// object of the peer is held: for a link whose peer goes, and that has a successor.
    pub(crate) fn replaced(&self) {
        self.lock().replaced = true;
        self.retire();
    }

    /// Takes no more calls and closes as soon as nobody waits for an answer: for the last owner of a client's link.
    pub(crate) fn retire(&self) {
        let mut state = self.lock();
        state.retired = true;
        if state.phase == Phase::Open {
            state.phase = Phase::Draining;
        }
        let over = state.is_over();
        drop(state);
        self.room.notify_waiters();
        if over {
            self.close(self.close_reason());
        }
    }

    /// Waits until no call of the peer is worked on. Dropping the future does nothing.
    pub(crate) async fn idle(&self) {
        loop {
            let idle = self.idle.notified();
            tokio::pin!(idle);
            idle.as_mut().enable();
            self.idle_wanted.store(true, Ordering::Relaxed);
            {
                let state = self.lock();
                if state.phase == Phase::Closed || (!state.works() && state.out.unsent() == 0) {
                    return;
                }
            }
            // Nobody tells when the rest of a body is given up, or a call refused.
            let _ = timeout(LOOK_AROUND, idle).await;
        }
    }

    /// Tells who waits for it that nothing is being served, or that no object is lent, any more. Who begins to wait looks
    /// under the lock, and so has whoever calls this.
    fn tell_idle(&self) {
        if self.idle_wanted.load(Ordering::Relaxed) {
            self.idle.notify_waiters();
        }
    }

    /// Ends the link: callers get `error`, handlers are dropped, the peer gets what is in the output.
    pub(crate) fn close(&self, error: Error) {
        // While nobody else writes, what the kernel has is known to the byte. Else it may have all that a writer has.
        let mut writer = match self.writer.try_lock() {
            Ok(writer) => Some(writer),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        };
        let mut state = self.lock();
        if state.phase == Phase::Closed {
            return;
        }
        state.phase = Phase::Closed;
        let reached = match &writer {
            Some(_) => state.out.handed(),
            None => state.out.offered(),
        };
        // What the caller is told was not sent, or not completely, must not be sent after all with the last bytes.
        for (start, is_cut) in state.calls.beyond(reached) {
            // The last piece of a body that is cut will not go.
            if !state.out.void(start)
                && !is_cut
                && let Some(writer) = &mut writer
            {
                writer.cut();
            }
        }
        drop(writer);
        let mut wakers = state.calls.end_all(reached, &error);
        wakers.extend(state.streams.end_all(&error));
        state.pieces.clear();
        state.out.drop_bodies();
        spares::give_back();
        state.share.settle(0);
        let objects = state.objects.take();
        let mut serving = std::mem::take(&mut state.serving);
        state.deadlines = Deadlines::default();
        drop(state);
        // A peer that was lost may have lost all of us at once.
        let lost = error.execution() == Execution::Unknown;
        self.peer_left(if lost { AFTER_A_LOSS } else { Duration::ZERO });
        let _ = self.reason.set(error);
        // In the order in which they came, so that a simulation runs the same way twice; as numbers that are sorted elsewhere
        // too, so that the program has the code for it once.
        let mut ids: Vec<u64> = serving.keys().map(|id| u64::from(*id)).collect();
        ids.sort_unstable();
        for id in ids {
            if let Some(handler) = serving.remove(&(id as u32)) {
                handler.cancel();
            }
        }
        wakers.into_iter().for_each(Waker::wake);
        self.closed.notify_waiters();
        self.room.notify_waiters();
        self.idle.notify_waiters();
        self.heard_announcement.notify_waiters();
        self.full.store(false, Ordering::Release);
        self.writable.notify_waiters();
        self.drained.notify_one();
        self.wake_keeper.notify_one();
        objects::drop_objects(objects);
    }

    /// Ends the link after telling the peer why.
    pub(crate) fn go_away(&self, reason: GoAwayReason, message: &str) {
        self.go_away_if(reason, message, |_| true);
    }

    /// The same, if what speaks for it still holds when the line is drawn.
    fn go_away_if(&self, reason: GoAwayReason, message: &str, still: impl FnOnce(&State) -> bool) {
        let error = Error::unavailable(format!("the connection was closed: {message}"));
        self.say_and_close(reason, message, error.with_peer(&*self.peer), still);
    }

    fn say_and_close(
        &self,
        reason: GoAwayReason,
        message: &str,
        error: Error,
        still: impl FnOnce(&State) -> bool,
    ) {
        {
            let mut state = self.lock();
            if !still(&state) {
                return;
            }
            let part = GoAwayPart {
                last_id: state.last_seen,
                reason,
                is_final: true,
                reconnect_ms: 0,
            };
            // What is read from here on is refused: the peer is told that it was not started.
            state.leaving.refusing = true;
            frame::write_go_away(state.out.buffer(), &part, message);
        }
        self.close(error);
    }

    /// Why the link ended.
    pub(crate) fn close_reason(&self) -> Error {
        let unknown = || Error::unavailable("the connection is closing").with_peer(&*self.peer);
        self.reason.get().cloned().unwrap_or_else(unknown)
    }

    /// Whether so many replies to control frames are unread that no more frames are to be taken.
    fn is_choked(&self, state: &State) -> bool {
        // Answers do not count: who has answers waits for room instead (`until_writable`). If both sides stopped
        // reading because of what the other has not read, neither would ever go on.
        state.queued_control >= self.limits.max_queued_control
    }

    /// Has the reader stop after this frame if enough is unread.
    fn choke(&self, state: &State) {
        if self.is_choked(state) {
            self.choked.store(true, Ordering::Relaxed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while holding it; a poisoned lock would still hold consistent tables.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets one more call begin after one has ended.
    fn made_room(&self, state: &State) {
        if state.waiting_for_room > 0 {
            self.room.notify_waiters();
        }
        if state.retired {
            // It may have been the last one; the keeper looks.
            self.wake_keeper.notify_one();
        }
    }
}

/// A call with its parameters compressed, if they are.
fn as_packed<'a>(call: &CallFrame<'a>, packed: Option<&'a [u8]>) -> CallFrame<'a> {
    packed.map_or(*call, |params| CallFrame {
        params,
        large: None,
        flags: call.flags | frame::flag::COMPRESSED,
        ..*call
    })
}

impl State {
    /// Whether a call of ours may begin. A peer that has said that it goes takes calls that cannot be made on another
    /// connection until it has drawn its line: the calls and objects that they belong to are still there.
    fn takes(&self, bound: bool) -> bool {
        match self.phase {
            Phase::Open => true,
            Phase::Draining => bound && !self.line_drawn,
            Phase::Closed => false,
        }
    }

    /// Whether the peer has calls here that are not done.
    fn works(&self) -> bool {
        self.inflight > 0 || self.pieces.calls() > 0 || self.admitting
    }

    /// Whether a link that is used no more has nothing left to do: nobody waits for an answer, what is on its way
    /// without one is out, and no object of the peer is held, unless the client of all of them is gone.
    fn is_over(&self) -> bool {
        let done = !self.calls.is_awaited() && !self.out.has_bodies();
        self.retired && done && (self.borrowed == 0 || !self.replaced)
    }
}

struct WaitingForRoom<'a>(&'a Link);

impl Drop for WaitingForRoom<'_> {
    fn drop(&mut self) {
        self.0.lock().waiting_for_room -= 1;
    }
}

impl Ticket {
    /// Waits for the answer. Dropping the future does not cancel the call; dropping the ticket does.
    pub(crate) async fn answer(&mut self) -> Answer {
        poll_fn(|cx| self.poll_answer(cx)).await
    }

    pub(crate) fn poll_answer(&mut self, cx: &mut std::task::Context<'_>) -> Poll<Answer> {
        let mut state = self.link.lock();
        let Some(answer) = state.calls.poll(self.id, cx.waker()) else {
            return Poll::Pending;
        };
        self.link.made_room(&state);
        self.done = true;
        if !state.tally.counts(self.pass, &answer) {
            drop(state);
            self.link.settle(self.pass, &answer);
            state = self.link.lock();
        }
        if !state.streams.is_empty() {
            let wakers = self.link.close_streams(&mut state, (Side::Ours, self.id));
            drop(state);
            wakers.into_iter().for_each(Waker::wake);
        }
        Poll::Ready(answer)
    }

    /// The next item of the answer, or its end. Both are looked for under one lock: items that come together with the
    /// end are found before it.
    pub(crate) fn poll_event(
        &mut self,
        batch: &mut Batch,
        cx: &mut std::task::Context<'_>,
    ) -> Poll<Event> {
        if let Some(item) = batch.next() {
            return Poll::Ready(Event::Item(item));
        }
        let key = (Side::Ours, self.id);
        let mut state = self.link.lock();
        let owed = batch.owes();
        let next = state.streams.next_batch(key, cx.waker(), batch);
        let came = matches!(next, Next::Item(_) | Next::Packed(_));
        if (came || owed) && self.link.grant(&mut state, key) {
            self.link.wake_keeper.notify_one();
        }
        if came {
            drop(state);
            self.hears();
            return Poll::Ready(match self.link.unpacked_item(next) {
                Next::Item(body) => Event::Item(body),
                // The call is given up when this is dropped.
                Next::Broken(error) => Event::Over(Answer::Failed(error)),
                _ => return Poll::Pending,
            });
        }
        let answer = state.calls.poll(self.id, cx.waker());
        let answer = match (answer, next) {
            (Some(answer), _) => answer,
            // The call is given up when this is dropped.
            (None, Next::Broken(error)) => return Poll::Ready(Event::Over(Answer::Failed(error))),
            (None, _) => return Poll::Pending,
        };
        self.link.made_room(&state);
        let wakers = self.link.close_streams(&mut state, key);
        drop(state);
        self.done = true;
        self.ends(&answer);
        wakers.into_iter().for_each(Waker::wake);
        Poll::Ready(Event::Over(answer))
    }

    /// Notes the task that sends the items of the call; it ends with the ticket.
    pub(crate) fn sends(&mut self, task: AbortHandle) {
        self.sender = Some(task);
    }

    /// The request ID.
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.link
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(sender) = &self.sender {
            sender.abort();
        }
        if self.done {
            return;
        }
        self.link.give_pass_back(self.pass);
        let mut state = self.link.lock();
        let (tell, untaken) = state.calls.abandon(self.id);
        // An answer that nobody took has freed its slot.
        self.link.made_room(&state);
        let key = (Side::Ours, self.id);
        let wakers = self.link.close_streams(&mut state, key);
        state.out.drop_body(key);
        state.pieces.discard(key);
        if tell && state.phase != Phase::Closed {
            frame::write_cancel(state.out.buffer(), self.id);
            self.link.wake_keeper.notify_one();
        }
        drop(state);
        drop(untaken);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("role", &self.role)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}
