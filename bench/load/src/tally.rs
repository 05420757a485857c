//! What one worker counts: nobody else touches it until the worker is done.

use hdrhistogram::Histogram;

use crate::{Error, Result};

/// Calls that were finished within the measured time, and how long they took.
pub struct Tally {
    latencies: Histogram<u32>,
    /// Units of work: calls, or items of a stream.
    pub count: u64,
    /// The fault that ended the worker, if there was one.
    pub fault: Option<Error>,
}

impl Tally {
    /// Makes an empty one. Latencies are kept in nanoseconds to two digits (one in a hundred), which is 20 KiB of counters.
    pub fn new() -> Self {
        Self {
            latencies: Histogram::new_with_bounds(100, LONGEST, 2)
                .expect("the bounds are in order"),
            count: 0,
            fault: None,
        }
    }

    /// Counts one finished call.
    pub fn record(&mut self, nanoseconds: u64) {
        self.count += 1;
        self.latencies.saturating_record(nanoseconds);
    }

    /// Adds what another worker has counted.
    ///
    /// # Errors
    ///
    /// The fault of that worker.
    pub fn add(&mut self, other: Self) -> Result<()> {
        if let Some(fault) = other.fault {
            return Err(fault);
        }
        self.count += other.count;
        self.latencies.add(&other.latencies)?;
        Ok(())
    }

    /// The latency that this share of the calls did not exceed, in microseconds.
    pub fn microseconds(&self, quantile: f64) -> f64 {
        self.latencies.value_at_quantile(quantile) as f64 / 1_000.0
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self::new()
    }
}

/// A minute: longer waits count as this.
const LONGEST: u64 = 60_000_000_000;
