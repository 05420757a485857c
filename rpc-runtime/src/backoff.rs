//! Pauses between attempts: growing, with full jitter.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// First bound of a pause; gRPC starts at 1 s, which is long inside of one data centre.
const FIRST: Duration = Duration::from_millis(100);

/// Growth from attempt to attempt, as in gRPC.
const FACTOR: f64 = 1.6;

/// Longest pause.
const LONGEST: Duration = Duration::from_secs(30);

/// Counts failures and says how long to wait after each.
///
/// "Full jitter": a pause is drawn from zero to the bound, so that a thousand clients of a server that came back do not
/// all arrive at once (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    failures: i32,
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new(FIRST, LONGEST)
    }
}

impl Backoff {
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            failures: 0,
        }
    }

    /// The pause after one more failure.
    pub(crate) fn next(&mut self) -> Duration {
        let bound = self.first.as_secs_f64() * FACTOR.powi(self.failures.min(64));
        self.failures += 1;
        Duration::from_secs_f64(bound.min(self.longest.as_secs_f64()) * random_fraction())
    }

    /// Forgets the failures after a success.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

/// A random number that is the same for nobody: the seed of a new hash map.
pub(crate) fn random() -> u64 {
    RandomState::new().hash_one(())
}

/// Uniform in [0, 1).
pub(crate) fn random_fraction() -> f64 {
    (random() >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_stay_below_a_bound_that_grows_to_the_longest() {
        let mut backoff = Backoff::default();
        let mut bound = FIRST.as_secs_f64();
        for _ in 0..40 {
            assert!(backoff.next().as_secs_f64() <= bound.min(LONGEST.as_secs_f64()));
            bound *= FACTOR;
        }
    }

    #[test]
    fn random_numbers_differ_and_spread() {
        let fractions: Vec<f64> = (0..1000).map(|_| random_fraction()).collect();
        let mean = fractions.iter().sum::<f64>() / 1000.0;
        assert!((0.4..0.6).contains(&mean), "{mean}");
        assert!(
            fractions
                .iter()
                .all(|fraction| (0.0..1.0).contains(fraction))
        );
    }
}
