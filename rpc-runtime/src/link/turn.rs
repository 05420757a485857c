//! One read of a link: what many frames have in common is done once, so that the link is locked once for all of them.
//!
//! Answers of handlers that end while the reader runs them are kept apart until the end of the read. So are the answers to
//! our own calls that came with it.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use tokio::time::Instant;

use super::pace::{Pace, Start, Watch};
use super::read::{Woken, read_answer};
use super::{Link, Phase};
use crate::codec::apart::{self, Part};
use crate::object::{self, Lent};
use crate::spares;
use crate::wire::body::Body;
use crate::wire::calls::Answer;
use crate::wire::frame::{self, Frame};
use crate::wire::sending::is_cut;
use crate::wire::streams::Side;

/// Answers longer than this together are handed to the writer before the read is at its end.
const WRITE_AT: usize = 64 << 10;

/// Room for answers that a thread keeps.
const KEPT: usize = 256 << 10;

/// Answers to our own calls that are handed over together.
const AT_ONCE: usize = 256;

thread_local! {
    /// The link whose reader runs handlers on this thread.
    static LINK: Cell<usize> = const { Cell::new(0) };
    /// What they have answered.
    static ANSWERS: Cell<Answers> = const { Cell::new(Answers::NONE) };
    /// How closely the readers of this thread look at handlers.
    static WATCH: Cell<Watch> = const { Cell::new(Watch::NONE) };
    /// The list of [`Turn::came`] while there is no turn, for its room.
    static CAME: Cell<Vec<(u32, Answer)>> = const { Cell::new(Vec::new()) };
    /// The lists that answers are handed over with, for their room.
    static WOKEN: Cell<Woken> = const { Cell::new(Woken::NONE) };
}

/// REPLYs as they go out, and what the link does not know of them yet.
#[derive(Default)]
struct Answers {
    out: Vec<u8>,
    count: u32,
    /// Bytes of their calls' parameters.
    params: u64,
}

impl Answers {
    const NONE: Self = Self {
        out: Vec::new(),
        count: 0,
        params: 0,
    };
}

impl Answers {
    /// Makes an answer of what was encoded from `start` on, or takes it out again.
    fn keep(
        &mut self,
        link: &Link,
        (start, params): (usize, u64),
        collected: Result<Collected, Box<dyn Any + Send>>,
    ) -> Encoded {
        let is_cut = |length| is_cut(0, length, &link.peer_hello);
        let (lent, mut parts) = match collected {
            Ok(collected) => collected,
            Err(panic) => {
                self.take_out(start);
                return Encoded::Apart(Message::panicked(panic));
            }
        };
        let length = self.out.len() - start;
        if lent.is_empty() && parts.is_empty() && !is_cut(length) && link.peer_hello.takes(length) {
            frame::end_reply(&mut self.out, start);
            self.count += 1;
            self.params += params;
            // Those of a peer that does not count must not be refused for calls that are done.
            let many = self.count >= link.limits.max_inflight_per_connection / 4;
            if self.out.len() >= WRITE_AT || many {
                link.merge(self);
                link.flush_now();
            }
            return Encoded::Kept;
        }
        parts.iter_mut().for_each(|part| part.at -= start);
        let whole = length + parts.iter().map(|part| part.bytes.len()).sum::<usize>();
        let encoded = self.take_out(start);
        Encoded::Apart(if lent.is_empty() && (is_cut(whole) || !parts.is_empty()) {
            Message::large(encoded, parts)
        } else {
            Message::flat(encoded.into(), parts, object::moved(lent, start))
        })
    }

    /// Takes out what was encoded from `start` on, with the head before it. What is large is not copied: the answers before
    /// it are.
    fn take_out(&mut self, start: usize) -> Bytes {
        let before = start - frame::HEADER;
        if self.out.len() - start > before.max(WRITE_AT) {
            let kept = self.out[..before].to_vec();
            return spares::whole(std::mem::replace(&mut self.out, kept)).slice(start..);
        }
        let taken = Bytes::copy_from_slice(&self.out[start..]);
        self.out.truncate(before);
        self.give_back();
        taken
    }

    /// Gives back the room of a large result: the buffer is a thread's, for as long as it lives.
    fn give_back(&mut self) {
        if self.out.capacity() > KEPT {
            self.out.shrink_to(WRITE_AT);
        }
    }
}

/// One read of a link's reader. Its end tells the link of the answers.
pub(super) struct Turn<'a> {
    link: &'a Link,
    /// The last look at the clock.
    looked: Instant,
    /// Answers to our calls, by request ID.
    came: Vec<(u32, Answer)>,
    /// The turn around this one: a handler that runs a runtime of its own may come to poll another reader.
    around: (usize, Answers),
}

/// What became of a result that was encoded for a turn.
pub(super) enum Encoded {
    /// It is among the answers.
    Kept,
    /// It is to be written by itself.
    Apart(Message),
}

/// What was encoded and is not written yet.
#[derive(Default)]
pub(super) struct Message {
    pub(super) bytes: Vec<u8>,
    /// All of it, if it is large; there are no bytes then.
    pub(super) large: Option<Body>,
    pub(super) lent: Vec<Lent>,
    /// The encoder's, so that there is no message.
    pub(super) panic: Option<Box<dyn Any + Send>>,
}

impl Message {
    /// Encodes into an empty buffer; `flat` if it is needed as a whole.
    pub(super) fn encode(
        mut bytes: Vec<u8>,
        encode: &mut dyn FnMut(&mut Vec<u8>),
        flat: bool,
    ) -> Self {
        match collect(encode, &mut bytes) {
            Err(panic) => Self::panicked(panic),
            Ok((lent, parts)) if flat || parts.is_empty() || !lent.is_empty() => {
                Self::flat(bytes, parts, lent)
            }
            Ok((_, parts)) => Self::large(bytes.into(), parts),
        }
    }

    fn panicked(panic: Box<dyn Any + Send>) -> Self {
        Self {
            panic: Some(panic),
            ..Self::default()
        }
    }

    fn large(bytes: Bytes, parts: Vec<Part>) -> Self {
        Self {
            large: Some(Body::from_bytes(bytes, parts)),
            ..Self::default()
        }
    }

    fn flat(mut bytes: Vec<u8>, parts: Vec<Part>, mut lent: Vec<Lent>) -> Self {
        if !parts.is_empty() {
            object::moved_by(&mut lent, &parts);
            bytes = Body::new(bytes, parts).to_vec();
        }
        Self {
            bytes,
            lent,
            ..Self::default()
        }
    }
}

type Collected = (Vec<Lent>, Vec<Part>);

/// Runs an encoder, which is the user's code; gives the objects in the message and the large bytes that were left out.
fn collect(
    encode: &mut dyn FnMut(&mut Vec<u8>),
    out: &mut Vec<u8>,
) -> Result<Collected, Box<dyn Any + Send>> {
    catch_unwind(AssertUnwindSafe(|| {
        let mut lent = Vec::new();
        let parts = apart::collect(|| lent = object::collect(|| encode(out)));
        (lent, parts)
    }))
}

impl<'a> Turn<'a> {
    /// A read that ended at the given moment.
    pub(super) fn begin(link: &'a Link, read: Instant) -> Self {
        let mut around = (LINK.replace(address(link)), ANSWERS.take());
        if around.1.count == 0 {
            // The buffer is the same for all reads of this thread.
            ANSWERS.set(std::mem::take(&mut around.1));
        }
        Self {
            link,
            looked: read,
            came: CAME.take(),
            around,
        }
    }

    /// After each frame: looks at the clock if enough handlers ran since the last time.
    #[inline]
    pub(super) fn look(&mut self) {
        if WATCH.get().is_due() {
            self.look_now();
        }
    }

    fn look_now(&mut self) {
        let (now, mut watch) = (Instant::now(), WATCH.get());
        watch.note(now.saturating_duration_since(self.looked));
        self.looked = now;
        WATCH.set(watch);
    }

    /// An answer to a call of ours.
    #[inline]
    pub(super) fn on_answer(&mut self, frame: Frame) {
        let id = frame.request_id;
        self.came.push((id, read_answer(frame, self.link.peer())));
        if self.came.len() >= AT_ONCE {
            self.settle();
        }
    }

    /// Hands over the answers that have come.
    pub(super) fn settle(&mut self) {
        if self.came.is_empty() {
            return;
        }
        let mut woken = WOKEN.take();
        let mut state = self.link.lock();
        // The read that brought the answers was a moment ago; asking the clock again would cost more than it tells.
        state.last_call = state.last_heard;
        let mut ids = self.came.iter().map(|(id, _)| *id);
        if ids.any(|id| !state.streams.contains((Side::Ours, id))) {
            state.last_plain_call = state.last_heard;
        }
        state.flushed_soon |= self.came.len() > 1;
        for (id, answer) in self.came.drain(..) {
            self.link.settle_answer(&mut state, id, answer, &mut woken);
        }
        drop(state);
        woken.wake();
        WOKEN.set(woken);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if WATCH.get().is_running() {
            self.look_now();
        }
        self.settle();
        CAME.set(std::mem::take(&mut self.came));
        let mut answers = ANSWERS.take();
        self.link.merge(&mut answers);
        LINK.set(self.around.0);
        if self.around.1.count > 0 {
            answers = std::mem::take(&mut self.around.1);
        }
        ANSWERS.set(answers);
    }
}

/// How the handler of a call begins that the reader has come to.
pub(super) fn start(link: &Link, pace: &Pace) -> Start {
    if !is_of(link) {
        // Not on a reader's task, as in a test.
        return Start::Here;
    }
    let mut watch = WATCH.get();
    let start = pace.start(&mut watch);
    WATCH.set(watch);
    start
}

/// Whether this thread runs handlers for the link's reader, which writes when it has read all that is there.
pub(super) fn is_of(link: &Link) -> bool {
    LINK.get() == address(link)
}

/// Encodes a result straight behind the other answers of this turn, where that will do.
pub(super) fn answer(
    link: &Link,
    request_id: u32,
    params: u64,
    encode: &mut dyn FnMut(&mut Vec<u8>),
) -> Encoded {
    // Taken while the user's code runs, which may come by here again.
    let mut answers = ANSWERS.take();
    let start = frame::begin_reply(&mut answers.out, request_id);
    let collected = collect(encode, &mut answers.out);
    let encoded = answers.keep(link, (start, params), collected);
    ANSWERS.set(answers);
    encoded
}

/// Tells the link of the answers of this turn, so that what is written next comes behind them.
pub(super) fn catch_up(link: &Link) {
    if is_of(link) {
        let mut answers = ANSWERS.take();
        link.merge(&mut answers);
        ANSWERS.set(answers);
    }
}

impl Link {
    /// Takes over answers that the link does not know of yet.
    fn merge(&self, answers: &mut Answers) {
        if answers.count == 0 {
            return;
        }
        let mut state = self.lock();
        state.inflight -= answers.count;
        state.params -= answers.params;
        state.last_call = state.last_heard;
        state.last_plain_call = state.last_heard;
        state.budgets.worked(answers.count);
        if state.phase != Phase::Closed {
            let waiting = state.out.buffer();
            if waiting.is_empty() {
                std::mem::swap(waiting, &mut answers.out);
            } else {
                waiting.extend_from_slice(&answers.out);
            }
            self.note_full(&state);
        }
        state.settle();
        let idle = state.inflight == 0;
        drop(state);
        if idle {
            self.tell_idle();
        }
        answers.out.clear();
        answers.give_back();
        (answers.count, answers.params) = (0, 0);
    }
}

fn address(link: &Link) -> usize {
    std::ptr::from_ref(link) as usize
}
