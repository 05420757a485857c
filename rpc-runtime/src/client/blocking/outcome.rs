//! What becomes of calls of the synchronous client, told to the circuit breaker of their peer.

use std::sync::Arc;

use tokio::time::Instant;

use super::connection::Connection;
use crate::breaker::{Breaker, Pass};
use crate::error::Result;
use crate::wire::calls::Answer;

impl Connection {
    /// Has a breaker judge the peer by what becomes of calls.
    pub(super) fn judged_by(mut self, breaker: Option<Arc<Breaker>>) -> Self {
        self.breaker = breaker;
        self
    }

    /// Lets a call through. [`Connection::give_pass_back`] follows if it does not begin.
    ///
    /// # Errors
    ///
    /// `unavailable`, not sent: another call is the probe that this one was to be.
    pub(super) fn admitted(&self) -> Result<Pass> {
        let Some(breaker) = &self.breaker else {
            return Ok(Pass::default());
        };
        loop {
            if let Some(pass) = breaker.admit() {
                return Ok(pass);
            }
            breaker.check()?;
        }
    }

    /// Nothing will be known of a call that was let through.
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
            let is_gone = state.ended;
            state.tally.tell(breaker, Instant::now());
            state.tally.verdict(pass, answer, is_gone)
        };
        breaker.settle(pass, verdict);
    }

    /// Notes that something came.
    pub(super) fn heard(&self) {
        let now = Instant::now();
        let mut state = self.lock();
        state.last_heard = now;
        if state.tally.is_due(now)
            && let Some(breaker) = &self.breaker
        {
            state.tally.tell(breaker, now);
        }
    }
}
