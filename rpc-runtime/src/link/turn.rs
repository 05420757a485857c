//! One read of a link: what many frames have in common is done once, so that the link is locked once for all of them.
//!
//! Answers of handlers that end while the reader runs them are kept apart until the end of the read. So are the answers to
//! our own calls that came with it.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::time::Instant;

use super::pace::{Pace, Start, Watch};
use super::read::{Woken, read_answer};
use super::{Link, Phase};
use crate::object::{self, Lent};
use crate::wire::calls::Answer;
use crate::wire::frame::{self, Frame};
use crate::wire::sending::is_cut;

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
    /// It is left in the body that was given, with the objects in it, or with the panic of who encoded it.
    Apart(Result<Vec<Lent>, Box<dyn Any + Send>>),
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
    pub(super) fn on_answer(&mut self, frame: Frame) {
        let id = frame.request_id;
        self.came.push((id, read_answer(frame, self.link.peer())));
        if self.came.len() >= AT_ONCE {
            self.settle();
        }
    }

    /// Hands the answers over that have come.
    pub(super) fn settle(&mut self) {
        if self.came.is_empty() {
            return;
        }
        let mut woken = WOKEN.take();
        let mut state = self.link.lock();
        // The read that brought the answers was a moment ago; asking the clock again would cost more than it tells.
        state.last_call = state.last_heard;
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

/// Encodes a result straight behind the other answers of this turn; `body` gets it where that will not do.
pub(super) fn answer(
    link: &Link,
    request_id: u32,
    params: u64,
    encode: &mut dyn FnMut(&mut Vec<u8>),
    body: &mut Vec<u8>,
) -> Encoded {
    // Taken while the user's code runs, which may come by here again.
    let mut answers = ANSWERS.take();
    let out = &mut answers.out;
    let start = frame::begin_reply(out, request_id);
    let encoded = catch_unwind(AssertUnwindSafe(|| object::collect(|| encode(out))));
    let length = answers.out.len() - start;
    let whole = !is_cut(0, length, &link.peer_hello) && link.peer_hello.takes(length);
    let encoded = match encoded {
        Ok(lent) if lent.is_empty() && whole => {
            frame::end_reply(&mut answers.out, start);
            answers.count += 1;
            answers.params += params;
            // Those of a peer that does not count must not be refused for calls that are done.
            let many = answers.count >= link.limits.max_inflight_per_connection / 4;
            if answers.out.len() >= WRITE_AT || many {
                link.merge(&mut answers);
                link.flush_now();
            }
            Encoded::Kept
        }
        other => {
            body.extend_from_slice(&answers.out[start..]);
            answers.out.truncate(start - frame::HEADER);
            answers.give_back();
            Encoded::Apart(other.map(|lent| object::moved(lent, start)))
        }
    };
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
            self.idle.notify_waiters();
        }
        answers.out.clear();
        answers.give_back();
        (answers.count, answers.params) = (0, 0);
    }
}

fn address(link: &Link) -> usize {
    std::ptr::from_ref(link) as usize
}
