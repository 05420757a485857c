//! What becomes of our calls, told to the circuit breaker of their peer.

use super::{Link, NotBegun, Phase, Ticket};
use crate::breaker::Pass;
use crate::error::{Error, ErrorKind};
use crate::wire::calls::Answer;

impl Link {
    /// Whether a call may begin now, as far as it is known how others have ended. [`Link::give_pass_back`] follows if it
    /// does not.
    #[inline]
    pub(super) fn admitted(&self) -> Result<Pass, NotBegun> {
        match &self.breaker {
            None => Ok(Pass::default()),
            Some(breaker) => breaker.admit().ok_or(NotBegun::Shut),
        }
    }

    /// Why none may; `None` if one may by now.
    pub(crate) fn shut(&self) -> Option<Error> {
        self.breaker.as_ref()?.check().err()
    }

    /// Nothing will be known of a call that was let through.
    #[inline]
    pub(super) fn give_pass_back(&self, pass: Pass) {
        if pass.is_probe()
            && let Some(breaker) = &self.breaker
        {
            breaker.give_pass_back(pass);
        }
    }

    /// Tells the breaker what has become of a call. Not under the lock.
    #[cold]
    pub(super) fn settle(&self, pass: Pass, answer: &Answer) {
        let Some(breaker) = &self.breaker else { return };
        let verdict = {
            let mut state = self.lock();
            let is_gone = state.phase == Phase::Closed;
            state.tally.tell(breaker, tokio::time::Instant::now());
            state.tally.verdict(pass, answer, is_gone)
        };
        breaker.settle(pass, verdict);
    }
}

impl Ticket {
    /// An item has come, so that the peer is at work. A stream may go on for long: a probe has shown enough.
    #[inline]
    pub(super) fn hears(&mut self) {
        self.heard = true;
        if self.pass.is_probe()
            && let Some(breaker) = &self.link.breaker
        {
            breaker.succeeded(self.pass);
            self.pass = Pass::default();
        }
    }

    /// The stream has ended.
    pub(super) fn ends(&self, answer: &Answer) {
        // One that has brought something and has no end of its own may be meant to run out of time.
        let late =
            matches!(answer, Answer::Failed(error) if error.kind() == ErrorKind::DeadlineExceeded);
        if self.heard && late {
            return;
        }
        let told = self.link.lock().tally.counts(self.pass, answer);
        if !told {
            self.link.settle(self.pass, answer);
        }
    }
}
