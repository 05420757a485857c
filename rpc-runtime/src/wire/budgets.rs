//! What a peer may have us do for nothing: cancelled calls, refused calls, frames that carry nothing.

use std::time::Duration;

use tokio::time::Instant;

use crate::limits::Limits;
use crate::wire::frame;

/// Bodies of DATA frames below this carry too little to pay for the frame around them, unless they are the last ones.
pub(crate) const SMALL_PIECE: usize = 256;

/// Frames of control that an item, or a call, may honestly bring with it: credit for a stream, credit for all streams,
/// and one that was on its way.
const PER_WORK: u32 = 3;

/// Time in which a fiftieth of each budget comes back.
const STEP: Duration = Duration::from_millis(100);

/// The budgets of one connection. Each is full at first, comes back by a fifth every second, and is refilled by work:
/// whoever calls and reads never meets them, whoever only makes trouble is out of them soon.
#[derive(Debug)]
pub(crate) struct Budgets {
    cancels: Budget,
    errors: Budget,
    control: Budget,
    /// When they were refilled last.
    since: Instant,
}

#[derive(Debug)]
struct Budget {
    size: u32,
    left: u32,
}

/// What is charged for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charge {
    /// A CANCEL for a call that had time left.
    Cancel,
    /// A call that was refused through a fault of the peer.
    Error,
    /// Frames that carry nothing.
    Control(u32),
}

impl Budgets {
    pub(crate) fn new(limits: &Limits, now: Instant) -> Self {
        Self {
            cancels: Budget::new(limits.cancel_budget),
            errors: Budget::new(limits.error_budget),
            control: Budget::new(limits.control_budget),
            since: now,
        }
    }

    /// Charges for something.
    ///
    /// # Errors
    ///
    /// The budget is used up; the text says which one.
    pub(crate) fn charge(&mut self, what: Charge, now: Instant) -> Result<(), String> {
        let (budget, count, name) = match what {
            Charge::Cancel => (&mut self.cancels, 1, "CANCELs of calls that had time left"),
            Charge::Error => (&mut self.errors, 1, "calls that had to be refused"),
            Charge::Control(count) => (&mut self.control, count, "frames that carry nothing"),
        };
        if budget.take(count) {
            return Ok(());
        }
        let size = budget.size;
        // Looking at the time only now keeps it out of the way of honest frames.
        self.refill(now);
        let budget = match what {
            Charge::Cancel => &mut self.cancels,
            Charge::Error => &mut self.errors,
            Charge::Control(_) => &mut self.control,
        };
        if budget.take(count) {
            return Ok(());
        }
        Err(format!(
            "too many {name}: {size} without work in between are allowed"
        ))
    }

    /// So many calls were served, or items were read.
    pub(crate) fn worked(&mut self, count: u32) {
        self.cancels.give(count);
        self.errors.give(count);
        self.control.give(count.saturating_mul(PER_WORK));
    }

    /// So many bytes of items were sent. The smallest frame has twelve, and each may bring as many frames of control with
    /// it as a call.
    pub(crate) fn sent(&mut self, bytes: u64) {
        self.worked(1);
        let frames = u32::try_from(bytes / frame::HEADER as u64).unwrap_or(u32::MAX);
        self.control.give(frames.saturating_mul(PER_WORK));
    }

    /// A fifth of each budget for every second since the last time.
    fn refill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.since);
        // Who is asked more often than once in a step must not lose the time in between.
        let steps = elapsed.as_millis() / STEP.as_millis();
        if steps == 0 {
            return;
        }
        self.since = now;
        for budget in [&mut self.cancels, &mut self.errors, &mut self.control] {
            let back = steps.saturating_mul(u128::from(budget.size)) / 50;
            budget.give(u32::try_from(back).unwrap_or(u32::MAX));
        }
    }
}

impl Budget {
    fn new(size: u32) -> Self {
        Self { size, left: size }
    }

    fn take(&mut self, count: u32) -> bool {
        let left = self.left.checked_sub(count);
        self.left = left.unwrap_or(self.left);
        left.is_some()
    }

    fn give(&mut self, count: u32) {
        self.left = self.left.saturating_add(count).min(self.size);
    }
}
