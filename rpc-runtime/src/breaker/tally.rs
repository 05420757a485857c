//! What the outcome of a call says of its peer, and what one connection has seen of outcomes.

use tokio::time::Instant;

use super::{Breaker, Pass};
use crate::error::{ErrorKind, Execution};
use crate::wire::calls::Answer;

/// What became of a call, as far as it speaks for its peer or against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Good,
    Bad(ErrorKind),
    Nothing,
}

/// What one connection has seen of calls; under the connection's own lock, so that a success costs an addition there.
#[derive(Debug)]
pub(crate) struct Tally {
    /// Successes of which the breaker does not know, and since when; not for longer than a slot of the window.
    succeeded: u32,
    since: Instant,
    /// When the breaker is to know of them.
    due: Instant,
    /// The calls that the connection took along count as one.
    lost: bool,
}

impl Verdict {
    /// What an answer says of the peer.
    ///
    /// Whoever answers is there: declared errors and refusals that are the caller's affair are good. A peer that is busy or
    /// leaves says so itself, and what was not sent or was given up says nothing.
    pub(crate) fn of(answer: &Answer) -> Self {
        let Answer::Failed(error) = answer else {
            return Self::Good;
        };
        match (error.kind(), error.execution()) {
            (_, Execution::NotSent)
            | (ErrorKind::ResourceExhausted | ErrorKind::Cancelled, _)
            | (ErrorKind::Unavailable | ErrorKind::DeadlineExceeded, Execution::NotStarted) => {
                Self::Nothing
            }
            (
                kind @ (ErrorKind::Unavailable
                | ErrorKind::DeadlineExceeded
                | ErrorKind::Internal),
                _,
            )
            // The connection broke because of what came on it.
            | (kind @ ErrorKind::DataLoss, Execution::Unknown) => Self::Bad(kind),
            _ => Self::Good,
        }
    }
}

impl Tally {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            succeeded: 0,
            since: now,
            due: now,
            lost: false,
        }
    }

    /// Counts a success; `false` for what is to be told to the breaker at once.
    #[inline]
    pub(crate) fn counts(&mut self, pass: Pass, answer: &Answer) -> bool {
        if matches!(answer, Answer::Failed(_)) || pass.is_probe() {
            return false;
        }
        self.succeeded = self.succeeded.wrapping_add(1);
        true
    }

    /// Something has come, answers perhaps; whether [`Tally::tell`] is to follow.
    #[inline]
    pub(crate) fn is_due(&mut self, now: Instant) -> bool {
        if self.succeeded == 0 {
            self.since = now;
            return false;
        }
        self.due <= now
    }

    /// Tells the breaker of the successes.
    #[cold]
    pub(crate) fn tell(&mut self, breaker: &Breaker, now: Instant) {
        let mut inner = breaker.lock();
        inner.window.add(self.since, self.succeeded, 0);
        self.succeeded = 0;
        self.since = now;
        self.due = now + inner.window.slot;
    }

    /// What an answer says of the peer. A connection that is gone is one failure, however many calls and streams it has taken
    /// along.
    pub(crate) fn verdict(&mut self, pass: Pass, answer: &Answer, is_gone: bool) -> Verdict {
        let was_taken_along = is_gone
            && matches!(answer, Answer::Failed(error) if error.execution() == Execution::Unknown
                && error.kind() != ErrorKind::DeadlineExceeded);
        let known = was_taken_along && std::mem::replace(&mut self.lost, true);
        if known && !pass.is_probe() {
            return Verdict::Nothing;
        }
        Verdict::of(answer)
    }
}
