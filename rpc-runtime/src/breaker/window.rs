//! How many calls have ended well and badly lately.

use std::time::Duration;

use tokio::time::Instant;

/// Calls that have ended lately, by slots of time.
pub(super) struct Window {
    start: Instant,
    pub(super) slot: Duration,
    /// Number of the latest slot since the start.
    latest: u64,
    /// Successes and failures.
    slots: [(u32, u32); SLOTS],
}

impl Window {
    pub(super) fn new(length: Duration, start: Instant) -> Self {
        Self {
            start,
            slot: length / SLOTS as u32,
            latest: 0,
            slots: [(0, 0); SLOTS],
        }
    }

    pub(super) fn add(&mut self, at: Instant, succeeded: u32, failed: u32) {
        let Some(slot) = self.reach(at) else { return };
        slot.0 = slot.0.saturating_add(succeeded);
        slot.1 = slot.1.saturating_add(failed);
    }

    /// How many of how many have failed.
    pub(super) fn sums(&mut self, now: Instant) -> (u32, u32) {
        self.reach(now);
        self.slots
            .iter()
            .fold((0, 0), |(failed, samples): (u32, u32), slot| {
                let ended = slot.0.saturating_add(slot.1);
                (failed.saturating_add(slot.1), samples.saturating_add(ended))
            })
    }

    /// The slot of a moment, with those before it forgotten that are too old then; `None` for one that is itself.
    fn reach(&mut self, at: Instant) -> Option<&mut (u32, u32)> {
        let since = at.checked_duration_since(self.start)?;
        let number = (since.as_nanos() / self.slot.as_nanos()) as u64;
        for passed in (self.latest + 1..=number).rev().take(SLOTS) {
            self.slots[passed as usize % SLOTS] = (0, 0);
        }
        self.latest = self.latest.max(number);
        let kept = number + SLOTS as u64 > self.latest;
        kept.then_some(&mut self.slots[number as usize % SLOTS])
    }
}

/// Parts that the window is counted in.
const SLOTS: usize = 10;
