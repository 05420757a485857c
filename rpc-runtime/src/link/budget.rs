//! What a link keeps for its peer, and what its peer does for nothing: both are counted, and end somewhere.

use std::sync::atomic::Ordering;

use super::{Link, Phase, State};
use crate::status::Status;
use crate::wire::budgets::Charge;
use crate::wire::frame::GoAwayReason;
use crate::wire::inbound::{Inbound, Refusal};

/// Bytes of a frame that may wait for its rest without being counted: what is read ahead.
const UNCOUNTED: usize = 64 << 10;

impl State {
    /// Bytes that are kept for the peer.
    pub(super) fn held(&self) -> u64 {
        self.streams.held() + self.pieces.held() + self.params
    }

    /// Bytes that are kept because of the peer: for it, and because it does not read.
    fn kept(&self) -> u64 {
        self.held() + self.reading + self.out.unsent()
    }

    /// Brings the account of all connections up to date.
    pub(super) fn settle(&mut self) {
        if self.phase != Phase::Closed {
            let kept = self.kept();
            self.share.settle(kept);
        }
    }

    /// Whether so many more bytes may be kept for the peer.
    ///
    /// # Errors
    ///
    /// The memory for this connection, or for all together, is used up; the text says which.
    pub(super) fn check_memory(&self, more: u64, limit: u64) -> Result<(), String> {
        let held = self.held();
        if held + more > limit {
            return Err(format!(
                "the calls and streams of this connection keep {held} bytes already, {limit} are allowed"
            ));
        }
        self.share.check(self.kept(), more)
    }
}

impl Link {
    /// Charges the peer for something; if it has no budget left, the reader ends the connection after this frame.
    pub(super) fn charge(&self, state: &mut State, what: Charge) {
        let now = state.last_heard;
        if let Err(text) = state.budgets.charge(what, now) {
            state.overdrawn.get_or_insert(text);
            self.overdrawn.store(true, Ordering::Release);
        }
    }

    /// Charges for a call that was refused, unless that was our fault.
    pub(super) fn charge_refusal(&self, status: Status) {
        self.lock().streams.refused();
        let ours = matches!(
            status,
            Status::ResourceExhausted
                | Status::Unavailable
                | Status::DeadlineExceeded
                | Status::Internal
        );
        if !ours {
            self.charge(&mut self.lock(), Charge::Error);
        }
    }

    /// Frames of kinds that nobody knows were skipped.
    pub(super) fn charge_skipped(&self, inbound: &mut Inbound) {
        let skipped = inbound.take_skipped();
        if skipped > 0 {
            self.charge(&mut self.lock(), Charge::Control(skipped));
        }
    }

    /// Refuses to go on with a peer that has used up a budget.
    #[inline]
    pub(super) fn check_budgets(&self) -> Result<(), Refusal> {
        if self.overdrawn.load(Ordering::Acquire) {
            return Err(self.overdrawn());
        }
        Ok(())
    }

    #[cold]
    fn overdrawn(&self) -> Refusal {
        let text = self.lock().overdrawn.clone().unwrap_or_default();
        Refusal::Frame(GoAwayReason::Limit, text)
    }

    /// Counts what is here of a frame that is not complete.
    /// `known` is what the reader has counted last.
    pub(super) fn count_partial(&self, inbound: &Inbound, known: &mut u64) -> Result<(), Refusal> {
        let here = inbound.unread();
        let counted = if here > UNCOUNTED { here as u64 } else { 0 };
        if counted == *known {
            return Ok(());
        }
        *known = counted;
        let mut state = self.lock();
        let more = counted.saturating_sub(state.reading);
        let room = state.share.check(state.kept(), more);
        room.map_err(|text| Refusal::Frame(GoAwayReason::Limit, text))?;
        state.reading = counted;
        state.settle();
        Ok(())
    }
}
