//! Which methods are worth running on the reader's task: most are done sooner than a task is made, slow ones would hold up
//! their connection.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A first poll that takes longer makes its method slow. Far above what making and encoding a large answer takes: several of
/// those at once on tasks of their own keep more memory than one after the other on the reader's.
const SLOW: Duration = Duration::from_millis(20);

/// Calls of a slow method between two that are measured again.
const SPAWNED: u32 = 1_024;

/// Handlers that run between two looks at the clock.
const UNMEASURED: u32 = 8;

/// Handlers that are measured one by one after some together took long.
const MEASURED: u32 = 64;

/// What is known of the first polls of a method's handlers.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// Calls that still get a task at once; 0 for a method that is quick, as far as is known.
    spawned: AtomicU32,
}

/// How the handler of a call begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// On the reader's task.
    Here,
    /// The same, and its first poll is measured.
    Measured,
    /// On a task of its own.
    Apart,
}

/// How closely a reader looks at the handlers that it runs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Watch {
    /// Handlers that are measured one by one from now on.
    measured: u32,
    /// Handlers since the last look at the clock.
    unmeasured: u32,
}

impl Pace {
    /// How the next call of the method begins.
    pub(super) fn start(&self, watch: &mut Watch) -> Start {
        match self.spawned.load(Ordering::Relaxed) {
            0 if watch.measured == 0 => {
                watch.unmeasured += 1;
                Start::Here
            }
            0 => {
                watch.measured -= 1;
                Start::Measured
            }
            // Only a hint: two readers that count at once do no harm.
            1 => Start::Measured,
            left => {
                self.spawned.store(left - 1, Ordering::Relaxed);
                Start::Apart
            }
        }
    }

    /// Notes how long a first poll took.
    pub(super) fn note(&self, first_poll: Duration) {
        let spawned = if first_poll > SLOW { SPAWNED } else { 0 };
        self.spawned.store(spawned, Ordering::Relaxed);
    }
}

impl Watch {
    pub(super) const NONE: Self = Self {
        measured: 0,
        unmeasured: 0,
    };

    /// Whether enough handlers ran for a look at the clock.
    pub(super) fn is_due(self) -> bool {
        self.unmeasured >= UNMEASURED
    }

    /// Whether any handler ran since the last look.
    pub(super) fn is_running(self) -> bool {
        self.unmeasured > 0
    }

    /// Notes how long all handlers since the last look took together.
    pub(super) fn note(&mut self, together: Duration) {
        if together > SLOW.saturating_mul(self.unmeasured) {
            self.measured = MEASURED;
        }
        self.unmeasured = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_micros(1);

    #[test]
    fn a_method_whose_first_poll_took_long_gets_tasks_until_it_is_measured_again() {
        let (pace, mut watch) = (Pace::default(), Watch::default());
        assert_eq!(pace.start(&mut watch), Start::Here);
        pace.note(SLOW + QUICK);
        for _ in 1..SPAWNED {
            assert_eq!(pace.start(&mut watch), Start::Apart);
        }
        assert_eq!(pace.start(&mut watch), Start::Measured);
        pace.note(SLOW + QUICK);
        assert_eq!(pace.start(&mut watch), Start::Apart, "it is slow still");
        pace.note(QUICK);
        assert_eq!(pace.start(&mut watch), Start::Here);
    }

    #[test]
    fn handlers_are_measured_one_by_one_only_after_some_together_took_long() {
        let (pace, mut watch) = (Pace::default(), Watch::default());
        for _ in 0..UNMEASURED {
            assert!(!watch.is_due());
            assert_eq!(pace.start(&mut watch), Start::Here);
        }
        assert!(watch.is_due());
        watch.note(SLOW);
        assert_eq!(pace.start(&mut watch), Start::Here, "that was not long");
        watch.note(SLOW + QUICK);
        for _ in 0..MEASURED {
            assert_eq!(pace.start(&mut watch), Start::Measured);
        }
        assert_eq!(pace.start(&mut watch), Start::Here);
    }
}
