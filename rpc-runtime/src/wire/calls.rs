//! Our calls on one connection: request IDs, who waits for which, and what is known of each.

use std::ops::Range;
use std::sync::Arc;
use std::task::Waker;

use bytes::Bytes;
use tokio::time::Instant;

use crate::error::{Error, Execution};
use crate::object::LentResult;
use crate::wire::frame::{FailPart, GoAwayPart};
use crate::wire::outbound::Outbound;
use crate::wire::streams::Side;

/// What came back for a call.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// REPLY: the result.
    Result(Bytes),
    /// REPLY whose result is an object by reference.
    Lent(Arc<LentResult>),
    /// REPLY with the error flag: the declared error.
    Declared(FailPart, Bytes),
    /// FAIL, or the end of the connection.
    Failed(Error),
}

/// The calls of one side of one connection.
///
/// A table of slots whose length is a power of two; the slot of a request ID is its low bits. IDs only grow (and wrap),
/// so that GOAWAY can draw a line between them; an ID whose slot is taken by a long call is skipped.
#[derive(Debug)]
pub(crate) struct Calls {
    slots: Vec<Slot>,
    next_id: u32,
    live: u32,
    /// Most calls at once; the peer's announced limit.
    max_live: u32,
}

/// ```text
/// Free ──begin──> Waiting ──answer, deadline──> Answered ──take──> Free
///                    └─────abandon──> Abandoned ──answer──> Free
/// ```
/// An abandoned call keeps its slot until the peer's terminal frame says that its handler is gone.
#[derive(Debug)]
enum Slot {
    Free,
    Waiting {
        id: u32,
        start: u64,
        end: u64,
        deadline: Option<Instant>,
        waker: Option<Waker>,
    },
    Answered {
        id: u32,
        answer: Answer,
        peer_done: bool,
    },
    Abandoned {
        id: u32,
    },
}

impl Calls {
    pub(crate) fn new(max_live: u32) -> Self {
        // 1 is the first ID: 0 is the connection itself.
        Self {
            slots: Vec::new(),
            next_id: 1,
            live: 0,
            max_live,
        }
    }

    /// Starts numbering at `id`; for tests of the wrap.
    #[cfg(test)]
    pub(crate) fn starting_at(id: u32, max_live: u32) -> Self {
        Self {
            next_id: id,
            ..Self::new(max_live)
        }
    }

    /// Calls that have a slot.
    pub(crate) fn live(&self) -> u32 {
        self.live
    }

    /// Whether somebody still waits for an answer, or has not taken it.
    pub(crate) fn is_awaited(&self) -> bool {
        let awaited = |slot: &Slot| matches!(slot, Slot::Waiting { .. } | Slot::Answered { .. });
        self.slots.iter().any(awaited)
    }

    /// Whether an answer waits to be taken, of those calls that `counts` says.
    pub(crate) fn is_answered_where(&self, counts: impl Fn(u32) -> bool) -> bool {
        let answered = |slot: &Slot| matches!(slot, Slot::Answered { id, .. } if counts(*id));
        self.slots.iter().any(answered)
    }

    /// Whether the peer still owes the end of a call, and whether somebody waits for it; `None` if it owes nothing.
    pub(crate) fn is_owed(&self, id: u32) -> Option<bool> {
        match self.slots.get(self.index(id))? {
            Slot::Waiting { id: at, .. } if *at == id => Some(true),
            Slot::Abandoned { id: at } if *at == id => Some(false),
            Slot::Answered {
                id: at,
                peer_done: false,
                ..
            } if *at == id => Some(false),
            _ => None,
        }
    }

    /// Whether another call may begin now.
    pub(crate) fn has_room(&self) -> bool {
        self.live < self.max_live
    }

    /// Takes a request ID; `None` if the limit of calls at once is reached. [`Calls::sent_at`] follows. The waker is called
    /// when there is an answer.
    pub(crate) fn begin(&mut self, deadline: Option<Instant>, by: Option<&Waker>) -> Option<u32> {
        if !self.has_room() {
            return None;
        }
        if self.live as usize * 2 >= self.slots.len() {
            self.grow();
        }
        // At most half of the slots are taken, so a free one is found soon.
        loop {
            let id = self.next_id;
            self.next_id = self.next_id.wrapping_add(1);
            if id == 0 {
                continue;
            }
            let index = self.index(id);
            if matches!(self.slots[index], Slot::Free) {
                self.slots[index] = Slot::Waiting {
                    id,
                    start: 0,
                    end: 0,
                    deadline,
                    waker: by.cloned(),
                };
                self.live += 1;
                return Some(id);
            }
        }
    }

    /// Notes where in the stream the CALL frame lies.
    pub(crate) fn sent_at(&mut self, id: u32, from: u64, to: u64) {
        if let Some(Slot::Waiting { start, end, .. }) = self.slot(id) {
            *start = from;
            *end = to;
        }
    }

    /// Notes where the CALL frame, or the last piece of its parameters, ends.
    pub(crate) fn sent_to(&mut self, id: u32, to: u64) {
        if let Some(Slot::Waiting { end, .. }) = self.slot(id) {
            *end = to;
        }
    }

    /// Takes the answer, or leaves a waker that is called when there is one.
    pub(crate) fn poll(&mut self, id: u32, by: &Waker) -> Option<Answer> {
        let index = self.index(id);
        match &mut self.slots[index] {
            Slot::Waiting { id: at, waker, .. } if *at == id => {
                match waker {
                    Some(known) if known.will_wake(by) => {}
                    other => *other = Some(by.clone()),
                }
                None
            }
            Slot::Answered { id: at, .. } if *at == id => self.take(index),
            // The slot was answered and taken, or never was: a defect of the caller, answered rather than panicked.
            _ => Some(Answer::Failed(Error::new(
                crate::error::ErrorKind::Internal,
                "the answer was taken before",
            ))),
        }
    }

    /// Takes the answer if there is one; for callers that do not wait by a waker.
    pub(crate) fn try_take(&mut self, id: u32) -> Option<Answer> {
        let index = self.index(id);
        match &self.slots[index] {
            Slot::Answered { id: at, .. } if *at == id => self.take(index),
            _ => None,
        }
    }

    fn take(&mut self, index: usize) -> Option<Answer> {
        let Slot::Answered {
            id,
            answer,
            peer_done,
        } = std::mem::replace(&mut self.slots[index], Slot::Free)
        else {
            return None;
        };
        if peer_done {
            self.live -= 1;
        } else {
            self.slots[index] = Slot::Abandoned { id };
        }
        Some(answer)
    }

    /// The peer's terminal frame for a call. Frames for calls that nobody knows are ignored: they may be late.
    pub(crate) fn answered(&mut self, id: u32, answer: Answer) -> Option<Waker> {
        let index = self.index(id);
        match self.slots.get_mut(index)? {
            slot @ Slot::Waiting { .. } => {
                let Slot::Waiting { id: at, waker, .. } = slot else {
                    return None;
                };
                if *at != id {
                    return None;
                }
                let waker = waker.take();
                *slot = Slot::Answered {
                    id,
                    answer,
                    peer_done: true,
                };
                waker
            }
            Slot::Answered {
                id: at, peer_done, ..
            } if *at == id => {
                *peer_done = true;
                None
            }
            slot @ Slot::Abandoned { .. } => {
                if matches!(slot, Slot::Abandoned { id: at } if *at == id) {
                    *slot = Slot::Free;
                    self.live -= 1;
                }
                None
            }
            _ => None,
        }
    }

    /// Gives a call up: whether the peer must be told, and an answer that nobody took, to be dropped outside of locks.
    pub(crate) fn abandon(&mut self, id: u32) -> (bool, Option<Answer>) {
        let index = self.index(id);
        match &self.slots[index] {
            Slot::Waiting { id: at, .. } if *at == id => {
                self.slots[index] = Slot::Abandoned { id };
                (true, None)
            }
            Slot::Answered { id: at, .. } if *at == id => (false, self.take(index)),
            _ => (false, None),
        }
    }

    /// Ends a call here although the peer goes on; `None` if it is over already, else whom to wake. The peer must be told.
    pub(crate) fn give_up(&mut self, id: u32, error: Error) -> Option<Option<Waker>> {
        let slot = self.slot(id)?;
        let Slot::Waiting { id: at, waker, .. } = slot else {
            return None;
        };
        if *at != id {
            return None;
        }
        let waker = waker.take();
        *slot = Slot::Answered {
            id,
            answer: Answer::Failed(error),
            peer_done: false,
        };
        Some(waker)
    }

    /// Frees the slot of a one-way call: nothing will come back.
    pub(crate) fn release(&mut self, id: u32) {
        let index = self.index(id);
        if matches!(&self.slots[index], Slot::Waiting { id: at, .. } if *at == id) {
            self.slots[index] = Slot::Free;
            self.live -= 1;
        }
    }

    /// Ends every call whose time is up; `on_expired` is told each ID and waker. Returns the next deadline.
    pub(crate) fn expire(
        &mut self,
        now: Instant,
        handed: u64,
        mut on_expired: impl FnMut(u32, Option<Waker>),
    ) -> Option<Instant> {
        let mut next: Option<Instant> = None;
        for slot in &mut self.slots {
            let Slot::Waiting {
                id,
                start,
                end,
                deadline: Some(deadline),
                waker,
            } = slot
            else {
                continue;
            };
            if *deadline > now {
                next = Some(next.map_or(*deadline, |known| known.min(*deadline)));
                continue;
            }
            let (id, waker) = (*id, waker.take());
            let error = Error::new(crate::error::ErrorKind::DeadlineExceeded, EXPIRED)
                .with_execution(execution(*start, *end, handed));
            *slot = Slot::Answered {
                id,
                answer: Answer::Failed(error),
                peer_done: false,
            };
            on_expired(id, waker);
        }
        next
    }

    /// Ends the calls whose time is up while no writer has their frames: those are made void, and nothing comes back.
    /// [`Calls::expire`] sees to the others, whose frames will be sent, so that `handed` is no less than
    /// [`Outbound::offered`] there.
    pub(crate) fn expire_unsent(
        &mut self,
        now: Instant,
        out: &mut Outbound,
        mut on_expired: impl FnMut(u32),
    ) -> Vec<Waker> {
        let error = Error::new(crate::error::ErrorKind::DeadlineExceeded, EXPIRED);
        self.end_where(|id, frame, deadline| {
            let late = deadline.is_some_and(|deadline| deadline <= now);
            (late && out.void(frame.start)).then(|| {
                out.drop_body((Side::Ours, id));
                on_expired(id);
                error.clone()
            })
        })
    }

    /// Where the frames begin that the kernel has not taken to their end, of calls that are waited for; and whether the last
    /// piece of one is not cut yet.
    pub(crate) fn beyond(&self, handed: u64) -> Vec<(u64, bool)> {
        self.slots
            .iter()
            .filter_map(|slot| match slot {
                Slot::Waiting { start, end, .. } if *end > handed => {
                    Some((*start, *end == u64::MAX))
                }
                _ => None,
            })
            .collect()
    }

    /// GOAWAY: calls above the line were not and will not be started.
    pub(crate) fn refuse_above(
        &mut self,
        part: &GoAwayPart,
        error: &Error,
        mut on_refused: impl FnMut(u32),
    ) -> Vec<Waker> {
        self.end_where(|id, _, _| {
            is_after(id, part.last_id).then(|| {
                on_refused(id);
                error.clone().with_execution(Execution::NotStarted)
            })
        })
    }

    /// The connection is gone: every call ends with what is known of it.
    pub(crate) fn end_all(&mut self, handed: u64, error: &Error) -> Vec<Waker> {
        self.end_where(|_, frame, _| {
            let known = execution(frame.start, frame.end, handed);
            Some(error.clone().with_execution(known))
        })
    }

    /// Ends the calls for which `verdict` has an error; it is told ID, place in the stream and deadline of each.
    fn end_where(
        &mut self,
        mut verdict: impl FnMut(u32, Range<u64>, Option<Instant>) -> Option<Error>,
    ) -> Vec<Waker> {
        let mut wakers = Vec::new();
        for slot in &mut self.slots {
            let Slot::Waiting {
                id,
                start,
                end,
                deadline,
                waker,
            } = slot
            else {
                continue;
            };
            let Some(error) = verdict(*id, *start..*end, *deadline) else {
                continue;
            };
            let id = *id;
            wakers.extend(waker.take());
            *slot = Slot::Answered {
                id,
                answer: Answer::Failed(error),
                peer_done: true,
            };
        }
        wakers
    }

    fn slot(&mut self, id: u32) -> Option<&mut Slot> {
        let index = self.index(id);
        self.slots.get_mut(index)
    }

    fn index(&self, id: u32) -> usize {
        // The length is a power of two (or zero, in which case no ID was given out).
        id as usize & self.slots.len().wrapping_sub(1)
    }

    fn grow(&mut self) {
        let doubled = (self.slots.len() * 2).max(16);
        let old = std::mem::replace(&mut self.slots, (0..doubled).map(|_| Slot::Free).collect());
        // IDs that differ in few low bits differ in more low bits, so no two meet.
        for slot in old {
            let (Slot::Waiting { id, .. } | Slot::Answered { id, .. } | Slot::Abandoned { id }) =
                &slot
            else {
                continue;
            };
            let index = self.index(*id);
            self.slots[index] = slot;
        }
    }
}

const EXPIRED: &str = "the time for the call is up; raise its timeout, or find out what is slow";

/// What is known of a frame from how far the kernel has taken the stream.
pub(crate) fn execution(start: u64, end: u64, handed: u64) -> Execution {
    if handed <= start {
        Execution::NotSent
    } else if handed < end {
        // A frame not completely received is never dispatched (docs/wire.md, promise 4).
        Execution::NotStarted
    } else {
        Execution::Unknown
    }
}

/// Whether `id` was given out after `line`, across the wrap (RFC 1982 serial number arithmetic).
pub(crate) fn is_after(id: u32, line: u32) -> bool {
    id != line && id.wrapping_sub(line) < 1 << 31
}
