//! Streams of one connection: items in order, and how many bytes of them may be on their way.

use std::collections::VecDeque;
use std::task::Waker;

use bytes::Bytes;

use crate::error::Error;
use crate::wire::by_id::ById;
use crate::wire::frame::{self, Frame, flag};
use crate::wire::outbound::{PIECE, WHOLE};
use crate::wire::run::{self, Unread};

/// Who began the request that a stream belongs to; request IDs are counted by each side for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Side {
    /// We are the caller.
    Ours,
    /// The peer is.
    Theirs,
}

/// A request on a connection.
pub(crate) type Key = (Side, u32);

/// All streams of one connection, both directions.
///
/// Credit is counted in bytes of ITEM frames (and of the DATA frames of cut items), headers included, so that items
/// without content cost something too. A reader gives credit back when items are taken, not when they come.
#[derive(Debug)]
pub(crate) struct Streams {
    streams: ById<Key, Stream>,
    stream_window: u32,
    /// What the peer may still send on all streams together.
    receiving: Window,
    /// What the peer announced for a stream.
    peer_stream_window: u64,
    /// What the peer announced for all streams together.
    peer_window: u64,
    /// What we may still send on all streams together.
    sending: u64,
    /// Longest body that goes to the peer in one frame.
    whole: usize,
    /// Bytes of items that nobody has taken yet.
    held: u64,
    /// What the peer may still send of streams that are over here, because it may not have heard so yet.
    late: u64,
}

/// One request's streams: what comes from the peer and what goes to it.
#[derive(Debug, Default)]
struct Stream {
    inflow: Option<Inflow>,
    outflow: Option<Outflow>,
}

/// Items that came.
#[derive(Debug)]
struct Inflow {
    window: Window,
    items: VecDeque<Held>,
    ended: bool,
    broken: Option<Error>,
    waker: Option<Waker>,
}

/// What nobody has taken yet.
#[derive(Debug)]
enum Held {
    /// As it came.
    Run(Unread),
    /// The same, compressed.
    Packed(Unread),
    /// An item that came by itself, in pieces as a rule, and whether it is compressed.
    Body(Bytes, bool),
}

/// Credit for items that go out.
#[derive(Debug)]
struct Outflow {
    credit: u64,
    stopped: bool,
    waker: Option<Waker>,
}

/// What a peer may send: it never holds more credit than the window less what lies here untaken.
#[derive(Debug)]
struct Window {
    size: u64,
    /// What the peer may still send.
    allowance: u64,
    /// What lies here.
    untaken: u64,
}

/// Items that a reader has taken together and comes to one by one. They count as taken when it takes more, or closes.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    frames: Bytes,
    count: u32,
    /// Credit for them that is not given back yet.
    cost: u64,
}

impl Batch {
    fn new(items: Unread) -> Self {
        let cost = items.cost();
        let (frames, count) = items.freeze();
        Self {
            frames,
            count,
            cost,
        }
    }

    /// The next one.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<Bytes> {
        let body = run::next_of(&mut self.frames)?;
        self.count -= 1;
        Some(body)
    }

    /// Whether credit is owed for items that were taken before: to be given back when the reader comes again.
    pub(crate) fn owes(&self) -> bool {
        self.cost > 0
    }

    /// How many there are.
    pub(crate) fn len(&self) -> u32 {
        self.count
    }
}

/// Credit is given when this part of a window is missing: what is left lasts until it arrives.
const GRANTED_FROM: u64 = 4;

/// What is left of a window at least to a stream beside calls, as docs/wire.md wants it: enough for any item that goes out whole.
/// Windows of less than twice that are not narrowed.
const NARROW: u64 = 128 << 10;

/// What is given at once then.
const NARROW_STEP: u64 = 24 << 10;

/// Smallest window that a stream gets through: a frame with one byte of body.
pub(crate) const SMALLEST_WINDOW: u32 = 13;

/// More was sent than there was credit for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoCredit;

/// What a reader finds.
#[derive(Debug)]
pub(crate) enum Next {
    Item(Bytes),
    /// The same, compressed: what is kept is what came, so that windows hold.
    Packed(Bytes),
    /// The peer has sent END.
    End,
    /// Nothing yet.
    Wait,
    /// It broke before its end.
    Broken(Error),
    /// The request is over, or never had this stream.
    Gone,
}

/// What a writer may do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Leave {
    /// This many bytes of body may go out, header paid for.
    Bytes(usize),
    Wait,
    /// The reader is gone, or the request is over.
    Stopped,
}

/// A CREDIT to be sent.
pub(crate) type Grant = Option<u32>;

impl Streams {
    /// Nothing yet. The windows are those of a stream and of all together; longer bodies than `whole` go to the peer in pieces.
    pub(crate) fn new(ours: (u32, u32), peers: (u32, u32), whole: usize) -> Self {
        Self {
            streams: ById::default(),
            stream_window: ours.0,
            receiving: Window::new(u64::from(ours.1)),
            peer_stream_window: u64::from(peers.0),
            peer_window: u64::from(peers.1),
            sending: u64::from(peers.1),
            whole,
            held: 0,
            late: 0,
        }
    }

    /// Longest piece of a body that goes to the peer.
    pub(crate) fn piece(&self) -> usize {
        self.whole.min(PIECE)
    }

    /// Opens the streams of a request.
    pub(crate) fn open(&mut self, key: Key, receives: bool, sends: bool) {
        let inflow = receives.then(|| Inflow {
            window: Window::new(self.stream_window.into()),
            items: VecDeque::new(),
            ended: false,
            broken: None,
            waker: None,
        });
        let outflow = sends.then_some(Outflow {
            credit: self.peer_stream_window,
            stopped: false,
            waker: None,
        });
        self.streams.insert(key, Stream { inflow, outflow });
    }

    /// Forgets a request; returns what is to be granted for all streams, and who waits to send or to read.
    pub(crate) fn close(&mut self, key: Key) -> (Grant, Vec<Waker>) {
        // Looking for a key in an empty map costs as much as in a full one, and most calls have no stream.
        if self.streams.is_empty() {
            return (None, Vec::new());
        }
        let Some(stream) = self.streams.remove(&key) else {
            return (None, Vec::new());
        };
        let mut wakers = Vec::new();
        if let Some(inflow) = stream.inflow {
            self.excuse(&inflow);
            self.receiving.untaken -= inflow.window.untaken;
            self.held -= inflow.window.untaken;
            wakers.extend(inflow.waker);
        }
        wakers.extend(stream.outflow.and_then(|outflow| outflow.waker));
        (self.receiving.grant_shared(), wakers)
    }

    /// Whether no request has a stream.
    pub(crate) fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// Bytes of items that nobody has taken yet.
    pub(crate) fn held(&self) -> u64 {
        self.held
    }

    /// Whether a request has streams.
    pub(crate) fn contains(&self, key: Key) -> bool {
        self.streams.contains_key(&key)
    }

    /// Whether there is such a request with a stream from the peer.
    pub(crate) fn receives(&self, key: Key) -> bool {
        self.streams
            .get(&key)
            .is_some_and(|stream| stream.inflow.is_some())
    }

    /// Whether more may come on a stream from the peer.
    pub(crate) fn is_open(&self, key: Key) -> bool {
        let inflow = self.streams.get(&key).and_then(|it| it.inflow.as_ref());
        inflow.is_some_and(|inflow| !inflow.ended && inflow.broken.is_none())
    }

    /// Counts a frame of a stream (an ITEM, a piece of one) that came. Whether it has a stream, or may be late for one that is
    /// over: else it belongs to nothing at all.
    ///
    /// # Errors
    ///
    /// The peer had no credit for it.
    pub(crate) fn came(&mut self, key: Key, cost: u64) -> Result<bool, NoCredit> {
        self.receiving.spend(cost)?;
        if let Some(inflow) = self.inflow(key) {
            return inflow.window.spend(cost).map(|()| true);
        }
        let left = self.late.checked_sub(cost);
        self.late = left.unwrap_or(self.late);
        Ok(left.is_some())
    }

    /// A request with a stream was refused: what the peer sends of it before it hears that is late.
    pub(crate) fn refused(&mut self) {
        self.late = self.late.saturating_add(self.stream_window.into());
    }

    /// A stream is over here: what the peer has credit for may still come.
    fn excuse(&mut self, inflow: &Inflow) {
        if !inflow.ended {
            self.late = self.late.saturating_add(inflow.window.allowance);
        }
    }

    /// Counts and keeps items that came together, of a stream that is read.
    ///
    /// # Errors
    ///
    /// The peer had no credit for them.
    pub(crate) fn keep_run(
        &mut self,
        key: Key,
        packed: bool,
        run: Unread,
    ) -> Result<Option<Waker>, NoCredit> {
        let cost = run.cost();
        self.receiving.spend(cost)?;
        let stream = self.streams.get_mut(&key);
        let Some(inflow) = stream.and_then(|stream| stream.inflow.as_mut()) else {
            return Ok(None);
        };
        inflow.window.spend(cost)?;
        let kept = inflow.keep_run(packed, run, run::longest(self.stream_window));
        self.receiving.untaken += kept;
        self.held += kept;
        Ok(inflow.waker.take())
    }

    /// Keeps a whole item until it is taken; its frames were counted when they came. Items of requests that are over are
    /// dropped.
    pub(crate) fn keep(&mut self, key: Key, whole: Frame) -> Option<Waker> {
        let inflow = self.streams.get_mut(&key)?.inflow.as_mut()?;
        let kept = inflow.keep(whole);
        self.receiving.untaken += kept;
        self.held += kept;
        inflow.waker.take()
    }

    /// What is to be granted for all streams now, and for one; less for that if it is to leave room for calls beside it.
    pub(crate) fn grants(&mut self, key: Key, narrow: bool) -> (Grant, Grant) {
        let connection = self.receiving.grant_shared();
        let stream = self.inflow(key).and_then(|inflow| {
            // Nothing comes after the end, so credit would be noise.
            let open = !inflow.ended && inflow.broken.is_none();
            open.then(|| inflow.window.grant(narrow)).flatten()
        });
        (connection, stream)
    }

    /// The peer's END.
    pub(crate) fn ended(&mut self, key: Key) -> Option<Waker> {
        let inflow = self.inflow(key)?;
        // A stream of which something was refused is not complete, whatever is said behind that.
        inflow.ended = inflow.broken.is_none();
        inflow.waker.take()
    }

    /// The stream will have no END.
    pub(crate) fn broke(&mut self, key: Key, error: Error) -> Option<Waker> {
        let inflow = self.inflow(key)?;
        if !inflow.ended {
            inflow.broken.get_or_insert(error);
        }
        inflow.waker.take()
    }

    /// Takes the next item; [`Streams::grants`] follows.
    pub(crate) fn next(&mut self, key: Key, by: Option<&Waker>) -> Next {
        self.next_of(key, by, None)
    }

    /// The same, with those that came with it. [`Streams::grants`] follows also where there is none, if the batch has
    /// owed something before.
    pub(crate) fn next_batch(&mut self, key: Key, by: &Waker, batch: &mut Batch) -> Next {
        self.next_of(key, Some(by), Some(batch))
    }

    fn next_of(&mut self, key: Key, by: Option<&Waker>, mut batch: Option<&mut Batch>) -> Next {
        let stream = self.streams.get_mut(&key);
        let Some(inflow) = stream.and_then(|stream| stream.inflow.as_mut()) else {
            return Next::Gone;
        };
        let mut taken = 0;
        if let Some(batch) = &mut batch {
            taken += std::mem::take(&mut batch.cost);
        }
        let next = inflow.next(batch);
        if let Some(Next::Item(body) | Next::Packed(body)) = &next {
            taken += frame::cost(body.len());
        }
        inflow.window.untaken -= taken;
        self.receiving.untaken -= taken;
        self.held -= taken;
        if let Some(next) = next {
            return next;
        }
        if inflow.ended {
            return Next::End;
        }
        if let Some(error) = &inflow.broken {
            return Next::Broken(error.clone());
        }
        if let Some(by) = by {
            remember(&mut inflow.waker, by);
        }
        Next::Wait
    }

    /// The reader is gone: what is here is dropped, and what comes. Returns what is to be granted for all streams.
    pub(crate) fn stop_reading(&mut self, key: Key) -> Grant {
        let inflow = self.streams.get_mut(&key)?.inflow.take()?;
        self.excuse(&inflow);
        self.receiving.untaken -= inflow.window.untaken;
        self.held -= inflow.window.untaken;
        self.receiving.grant_shared()
    }

    /// Credit from the peer for one request.
    pub(crate) fn credit(&mut self, key: Key, bytes: u32) -> Option<Waker> {
        let outflow = self.streams.get_mut(&key)?.outflow.as_mut()?;
        outflow.credit = outflow.credit.saturating_add(u64::from(bytes));
        outflow.waker.take()
    }

    /// Credit from the peer for all requests; returns everybody who waits.
    pub(crate) fn credit_all(&mut self, bytes: u32) -> Vec<Waker> {
        self.sending = self.sending.saturating_add(u64::from(bytes));
        self.streams
            .values_mut()
            .filter_map(|stream| stream.outflow.as_mut()?.waker.take())
            .collect()
    }

    /// The peer reads no more of what we send.
    pub(crate) fn stopped(&mut self, key: Key) -> Option<Waker> {
        let outflow = self.streams.get_mut(&key)?.outflow.as_mut()?;
        outflow.stopped = true;
        outflow.waker.take()
    }

    /// Has a writer woken when its CALL is out, when there is more credit, and when its reader is gone.
    pub(crate) fn wait(&mut self, key: Key, by: &Waker) {
        let outflow = self
            .streams
            .get_mut(&key)
            .and_then(|it| it.outflow.as_mut());
        if let Some(outflow) = outflow {
            remember(&mut outflow.waker, by);
        }
    }

    /// The CALL of a request is out; returns who waits to send its items.
    pub(crate) fn call_is_out(&mut self, key: Key) -> Option<Waker> {
        self.streams.get_mut(&key)?.outflow.as_mut()?.waker.take()
    }

    /// Whether the peer reads no more of what we send.
    pub(crate) fn is_stopped(&self, key: Key) -> bool {
        let outflow = self.streams.get(&key).and_then(|it| it.outflow.as_ref());
        outflow.is_none_or(|outflow| outflow.stopped)
    }

    /// Leave to send one frame with up to `wanted` bytes of body; `whole` if less is of no use now. What is given is
    /// paid for.
    pub(crate) fn leave(
        &mut self,
        key: Key,
        wanted: usize,
        whole: bool,
        by: Option<&Waker>,
    ) -> Leave {
        let outflow = self
            .streams
            .get_mut(&key)
            .and_then(|it| it.outflow.as_mut());
        let Some(outflow) = outflow.filter(|outflow| !outflow.stopped) else {
            return Leave::Stopped;
        };
        let header = frame::cost(0);
        let credit = outflow.credit.min(self.sending);
        let affordable = credit.saturating_sub(header).min(wanted as u64);
        // A frame without content makes no progress, unless there is no content.
        if credit < header || affordable < (wanted as u64).min(if whole { u64::MAX } else { 1 }) {
            if let Some(by) = by {
                remember(&mut outflow.waker, by);
            }
            return Leave::Wait;
        }
        outflow.credit -= header + affordable;
        self.sending -= header + affordable;
        Leave::Bytes(affordable as usize)
    }

    /// Largest body that goes out as one ITEM. Readers may leave it at half a window, or at [`NARROW`] if that is less, so that
    /// more might never be there at once.
    pub(crate) fn largest_whole(&self) -> usize {
        let window = self.peer_stream_window.min(self.peer_window) / 2;
        window.saturating_sub(frame::cost(0)).min(self.whole as u64) as usize
    }

    /// The connection is gone: everything is over for everybody who waits.
    pub(crate) fn end_all(&mut self, error: &Error) -> Vec<Waker> {
        let mut wakers = Vec::new();
        for stream in self.streams.values_mut() {
            if let Some(inflow) = &mut stream.inflow {
                if !inflow.ended {
                    inflow.broken.get_or_insert_with(|| error.clone());
                }
                wakers.extend(inflow.waker.take());
            }
            if let Some(outflow) = &mut stream.outflow {
                outflow.stopped = true;
                wakers.extend(outflow.waker.take());
            }
        }
        wakers
    }

    /// What may still be sent on each stream, and on all together.
    #[cfg(test)]
    pub(crate) fn credits(&self) -> (Vec<u64>, u64) {
        let outflows = self.streams.values().filter_map(|it| it.outflow.as_ref());
        (outflows.map(|it| it.credit).collect(), self.sending)
    }

    fn inflow(&mut self, key: Key) -> Option<&mut Inflow> {
        self.streams.get_mut(&key)?.inflow.as_mut()
    }
}

impl Inflow {
    /// Keeps an item that came by itself; what it costs.
    fn keep(&mut self, whole: Frame) -> u64 {
        if self.ended || self.broken.is_some() {
            return 0;
        }
        let cost = frame::cost(whole.body.len());
        let body = if whole.body.len() <= WHOLE {
            // A view of the read buffer would keep all of it, which the windows do not count.
            Bytes::copy_from_slice(&whole.body)
        } else {
            whole.body
        };
        let packed = whole.flags & flag::COMPRESSED != 0;
        self.items.push_back(Held::Body(body, packed));
        self.window.untaken += cost;
        cost
    }

    /// The same for items that came together.
    fn keep_run(&mut self, packed: bool, run: Unread, longest: usize) -> u64 {
        if self.ended || self.broken.is_some() {
            return 0;
        }
        let cost = run.cost();
        let joined = match self.items.back_mut() {
            Some(Held::Run(last)) if !packed => last.join(&run, longest),
            _ => false,
        };
        if !joined {
            let held = if packed { Held::Packed } else { Held::Run };
            self.items.push_back(held(run));
        }
        self.window.untaken += cost;
        cost
    }

    /// Takes the first item, and those that came with it into a batch, if they are not compressed.
    fn next(&mut self, batch: Option<&mut Batch>) -> Option<Next> {
        let (run, packed) = match self.items.front_mut()? {
            Held::Run(run) => (run, false),
            Held::Packed(run) => (run, true),
            Held::Body(body, packed) => {
                let next = if *packed { Next::Packed } else { Next::Item };
                let next = next(std::mem::take(body));
                self.items.pop_front();
                return Some(next);
            }
        };
        if let Some(batch) = batch.filter(|_| !packed) {
            *batch = Batch::new(std::mem::take(run));
            self.items.pop_front();
            let body = batch.next()?;
            batch.cost -= frame::cost(body.len());
            return Some(Next::Item(body));
        }
        let body = run.next()?;
        if run.cost() == 0 {
            self.items.pop_front();
        }
        let next = if packed { Next::Packed } else { Next::Item };
        Some(next(body))
    }
}

impl Window {
    fn new(size: u64) -> Self {
        Self {
            size,
            allowance: size,
            untaken: 0,
        }
    }

    fn spend(&mut self, cost: u64) -> Result<(), NoCredit> {
        self.allowance = self.allowance.checked_sub(cost).ok_or(NoCredit)?;
        Ok(())
    }

    /// What to give the peer now, for one stream: a quarter of a window at least, because a CREDIT for every item would cost
    /// more than the items. The rest comes when the reader of this stream goes on.
    ///
    /// Of a narrow one little more than [`NARROW`] is kept: what is on its way stands before all else on the connection.
    fn grant(&mut self, narrow: bool) -> Grant {
        if narrow && self.size >= 2 * NARROW {
            let there = self.allowance + self.untaken;
            if there > NARROW {
                return None;
            }
            return self.give(NARROW + NARROW_STEP - there);
        }
        self.grant_from(self.size)
    }

    /// The same for all streams together. The reader of one may never go on, so what the others have left between them
    /// is given when a quarter of that is spent.
    fn grant_shared(&mut self) -> Grant {
        self.grant_from(self.size.saturating_sub(self.untaken))
    }

    fn grant_from(&mut self, whole: u64) -> Grant {
        let target = self.size.saturating_sub(self.untaken);
        let missing = target.saturating_sub(self.allowance);
        if missing == 0 || missing * GRANTED_FROM < whole {
            return None;
        }
        self.give(missing)
    }

    fn give(&mut self, credit: u64) -> Grant {
        self.allowance += credit;
        // The size is a u32, and so is what is missing of it.
        u32::try_from(credit).ok()
    }
}

fn remember(slot: &mut Option<Waker>, by: &Waker) {
    match slot {
        Some(known) if known.will_wake(by) => {}
        other => *other = Some(by.clone()),
    }
}
