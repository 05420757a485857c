//! Pauses between attempts: growing, with full jitter.

use std::cell::Cell;
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
    failures: u32,
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
        let failures = self.failures;
        self.failures = failures.saturating_add(1);
        Self::bound(self.first, FACTOR, self.longest, failures).mul_f64(random_fraction())
    }

    /// The bound of the pause after so many failures before the latest one.
    pub(crate) fn bound(
        first: Duration,
        growth: f64,
        longest: Duration,
        failures: u32,
    ) -> Duration {
        // The numbers may be a user's: what is none, negative or beyond all measure becomes the longest pause.
        let bound = first.as_secs_f64() * growth.powi(failures.min(64) as i32);
        match Duration::try_from_secs_f64(bound) {
            Ok(bound) => bound.min(longest),
            Err(_) => longest,
        }
    }

    /// Forgets the failures after a success.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

thread_local! {
    /// The state of a repeatable sequence, on threads that asked for one.
    static SEQUENCE: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Makes all that is random on this thread (pauses, who is next) follow from `seed`; `None` ends that.
///
/// For simulations on one thread under paused time, which must come out the same for the same seed.
pub fn seed_random(seed: Option<u64>) {
    SEQUENCE.set(seed);
}

/// A random number that is the same for nobody: the seed of a new hash map.
pub(crate) fn random() -> u64 {
    match SEQUENCE.get() {
        None => RandomState::new().hash_one(()),
        Some(state) => {
            // SplitMix64 (Steele, Lea, Flood 2014).
            let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            SEQUENCE.set(Some(state));
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        }
    }
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
    fn numbers_that_make_no_sense_give_the_longest_pause() {
        let (first, longest) = (Duration::from_millis(100), Duration::from_secs(1));
        for growth in [f64::NAN, f64::INFINITY, -3.0, 1e300] {
            let bound = Backoff::bound(first, growth, longest, 3);
            assert_eq!(bound, longest, "{growth}");
        }
        assert_eq!(Backoff::bound(first, 0.0, longest, 3), Duration::ZERO);
        assert_eq!(
            Backoff::bound(Duration::MAX, 2.0, Duration::MAX, 9),
            Duration::MAX
        );
    }

    #[test]
    fn a_seed_makes_the_numbers_of_a_thread_repeatable() {
        let drawn = |seed| {
            seed_random(Some(seed));
            let numbers: Vec<_> = (0..5).map(|_| random()).collect();
            seed_random(None);
            numbers
        };
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
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
