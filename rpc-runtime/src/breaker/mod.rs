//! Leaves an address alone for a while when most calls to it fail: the circuit breaker.

mod tally;
mod window;

use std::fmt;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use log::Level;
use tokio::time::Instant;

use crate::backoff::random_fraction;
use crate::error::{Error, ErrorKind, Result};

pub(crate) use tally::{Tally, Verdict};
use window::Window;

/// When a channel stops calling an address where most calls fail, and how it finds out that it may call again.
///
/// Each address of a channel has a breaker of its own, so that others are called meanwhile. While it is open, calls are
/// refused at once (`unavailable`, not sent, with [`Error::retry_after`]); they cost the peer nothing, and wait for the
/// next probe if they have the time and may be repeated. What counts as a failure is in docs/errors-and-retries.md.
///
/// ```
/// use rpc_runtime::{BreakerPolicy, Channel};
///
/// let strict = BreakerPolicy { failure_share: 0.2, ..BreakerPolicy::default() };
/// let builder = Channel::builder().breaker(strict);
/// # let _ = builder;
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct BreakerPolicy {
    /// Share of failures, from 0 to 1, from which on the breaker opens. 0.5, as in Kitex. More than 1: never.
    pub failure_share: f64,
    /// Fewest calls within the window by which a peer is judged. 200, as in Kitex.
    pub min_samples: u32,
    /// How far back calls count, to a tenth of this. 10 s, as in Kitex.
    pub window: Duration,
    /// Time from opening to the first probe, give or take a fifth, so that many clients do not probe at once. 5 s, as in
    /// Kitex.
    pub open_time: Duration,
    /// Time from the end of one probe to the next. 200 ms, as in Kitex.
    pub probe_pause: Duration,
    /// Probes in a row that must succeed before all calls go again; one that fails opens the breaker anew. 2, as in Kitex.
    pub probes: u32,
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        Self {
            failure_share: 0.5,
            min_samples: 200,
            window: Duration::from_secs(10),
            open_time: Duration::from_secs(5),
            probe_pause: Duration::from_millis(200),
            probes: 2,
        }
    }
}

impl BreakerPolicy {
    /// No breaker: calls go whatever has come of others.
    pub fn none() -> Self {
        Self {
            failure_share: f64::INFINITY,
            ..Self::default()
        }
    }

    fn opens(&self, failed: u32, samples: u32) -> bool {
        // Written so that a share that is no number never opens.
        samples >= self.min_samples && f64::from(failed) >= self.failure_share * f64::from(samples)
    }
}

/// What a channel does with calls to an address.
///
/// ```text
/// Closed ──most calls failed──> Open ──its time is over──> HalfOpen ──probes succeeded──> Closed
///                                ^───────── a probe failed ────┘
/// ```
/// Half open for two windows in which no probe failed is closed too: not every call tells how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BreakerState {
    /// All calls go.
    Closed,
    /// No call goes.
    Open,
    /// One call at a time goes, as a probe.
    HalfOpen,
}

/// The breaker of one address of a channel.
pub(crate) struct Breaker {
    policy: BreakerPolicy,
    address: String,
    /// Changes with each change of the phase; odd unless that is `Closed`.
    stamp: AtomicU16,
    inner: Mutex<Inner>,
}

struct Inner {
    phase: Phase,
    window: Window,
    /// What has opened it while it was closed.
    why: String,
    /// How the latest probe has failed since.
    failed_probe: Option<ErrorKind>,
}

enum Phase {
    Closed,
    Open {
        until: Instant,
    },
    HalfOpen {
        since: Instant,
        /// No probe before this: the pause after one, or the time that the present one may hold up others.
        next: Instant,
        probing: bool,
        succeeded: u32,
    },
}

/// How a call was let through. What becomes of it counts only while the breaker is in the phase that let it through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pass(u16);

impl Breaker {
    /// A breaker for an address; `None` if the policy has none.
    pub(crate) fn new(policy: &BreakerPolicy, address: impl fmt::Display) -> Option<Arc<Self>> {
        if policy.failure_share.is_nan() || policy.failure_share > 1.0 {
            return None;
        }
        let policy = BreakerPolicy {
            window: policy.window.clamp(SHORTEST, LONGEST),
            open_time: policy.open_time.min(LONGEST),
            probe_pause: policy.probe_pause.min(LONGEST),
            probes: policy.probes.max(1),
            ..*policy
        };
        let inner = Inner {
            phase: Phase::Closed,
            window: Window::new(policy.window, Instant::now()),
            why: String::new(),
            failed_probe: None,
        };
        Some(Arc::new(Self {
            policy,
            address: address.to_string(),
            stamp: AtomicU16::new(0),
            inner: Mutex::new(inner),
        }))
    }

    /// What it does with calls now.
    pub(crate) fn state(&self) -> BreakerState {
        match self.lock().phase {
            Phase::Closed => BreakerState::Closed,
            Phase::Open { .. } => BreakerState::Open,
            Phase::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    /// Whether a call would be let through now.
    pub(crate) fn is_passable(&self) -> bool {
        is_closed(self.stamp.load(Ordering::Relaxed))
            || self.wait(&self.lock(), Instant::now()).is_zero()
    }

    /// The same, with the reason.
    ///
    /// # Errors
    ///
    /// `unavailable`, not sent: most calls have failed, and the next probe is not due.
    pub(crate) fn check(&self) -> Result<()> {
        if is_closed(self.stamp.load(Ordering::Relaxed)) {
            return Ok(());
        }
        self.check_in(&self.lock(), Instant::now())
    }

    /// Lets a call through, like all others or as a probe; `None` while [`Breaker::check`] says why not.
    /// [`Breaker::settle`] follows for a probe.
    #[inline]
    pub(crate) fn admit(&self) -> Option<Pass> {
        let stamp = self.stamp.load(Ordering::Relaxed);
        if is_closed(stamp) {
            return Some(Pass(stamp));
        }
        self.admit_probe()
    }

    #[cold]
    fn admit_probe(&self) -> Option<Pass> {
        let now = Instant::now();
        let mut inner = self.lock();
        if !self.wait(&inner, now).is_zero() {
            return None;
        }
        let change = match inner.phase {
            Phase::Open { .. } => Some(self.half_open(&mut inner, now)),
            Phase::HalfOpen { since, .. } if self.is_over(since, now) => {
                Some(self.close(&mut inner, now))
            }
            Phase::Closed | Phase::HalfOpen { .. } => None,
        };
        if let Phase::HalfOpen { next, probing, .. } = &mut inner.phase {
            *probing = true;
            // One that takes longer than this does not hold up others for ever.
            *next = now + self.policy.open_time;
        }
        let pass = Pass(self.stamp.load(Ordering::Relaxed));
        drop(inner);
        write(change);
        Some(pass)
    }

    /// Takes note of what became of a call. Not under a lock: it may log.
    #[cold]
    pub(crate) fn settle(&self, pass: Pass, verdict: Verdict) {
        let now = Instant::now();
        let mut inner = self.lock();
        if pass.0 != self.stamp.load(Ordering::Relaxed) {
            return;
        }
        let change = match (&mut inner.phase, verdict) {
            (Phase::Closed, Verdict::Good) => {
                inner.window.add(now, 1, 0);
                None
            }
            (Phase::Closed, Verdict::Bad(kind)) => {
                inner.window.add(now, 0, 1);
                let (failed, samples) = inner.window.sums(now);
                self.policy.opens(failed, samples).then(|| {
                    inner.why = format!(
                        "{failed} of {samples} calls within {:?} have failed, the last of them by {kind}",
                        self.policy.window
                    );
                    inner.failed_probe = None;
                    self.open(&mut inner, now)
                })
            }
            (Phase::HalfOpen { .. }, Verdict::Bad(kind)) => {
                inner.failed_probe = Some(kind);
                Some(self.open(&mut inner, now))
            }
            (
                Phase::HalfOpen {
                    next,
                    probing,
                    succeeded,
                    ..
                },
                verdict,
            ) => {
                *probing = false;
                *next = now + self.policy.probe_pause;
                *succeeded += u32::from(verdict == Verdict::Good);
                (*succeeded >= self.policy.probes).then(|| self.close(&mut inner, now))
            }
            _ => None,
        };
        drop(inner);
        write(change);
    }

    /// A probe has shown that the peer is at work, before its end.
    pub(crate) fn succeeded(&self, probe: Pass) {
        self.settle(probe, Verdict::Good);
    }

    /// A probe was not made after all, or nothing will be known of it. That changes no phase, so that nothing is logged.
    #[cold]
    pub(crate) fn give_pass_back(&self, probe: Pass) {
        self.settle(probe, Verdict::Nothing);
    }

    fn check_in(&self, inner: &Inner, now: Instant) -> Result<()> {
        let left = self.wait(inner, now);
        if left.is_zero() {
            return Ok(());
        }
        let text = format!(
            "the circuit breaker of {} is open: {}; the next probe is due in {:?}",
            self.address,
            inner.reason(),
            Duration::from_millis(left.as_millis() as u64 + 1)
        );
        Err(Error::unavailable(text)
            .with_peer(&*self.address)
            .with_retry_after(Some(left)))
    }

    /// The time until a call may be let through.
    fn wait(&self, inner: &Inner, now: Instant) -> Duration {
        match inner.phase {
            Phase::Closed => Duration::ZERO,
            Phase::Open { until } => until.saturating_duration_since(now),
            Phase::HalfOpen { since, .. } if self.is_over(since, now) => Duration::ZERO,
            Phase::HalfOpen { next, probing, .. } => {
                let left = next.saturating_duration_since(now);
                // The one on its way may be over at any time, and the pause begins then.
                let soonest = if probing {
                    self.policy.probe_pause
                } else {
                    left
                };
                left.min(soonest)
            }
        }
    }

    /// Whether being half open has led to nothing for so long that it is over.
    fn is_over(&self, since: Instant, now: Instant) -> bool {
        now.saturating_duration_since(since) >= self.policy.window * 2
    }

    fn open(&self, inner: &mut Inner, now: Instant) -> Line {
        let pause = self.policy.open_time.mul_f64(0.8 + 0.4 * random_fraction());
        inner.phase = Phase::Open { until: now + pause };
        self.changed(false);
        let why = inner.reason();
        self.line(Level::Warn, format_args!("opens for {pause:?}: {why}"))
    }

    fn half_open(&self, inner: &mut Inner, now: Instant) -> Line {
        inner.phase = Phase::HalfOpen {
            since: now,
            next: now,
            probing: false,
            succeeded: 0,
        };
        self.changed(false);
        self.line(
            Level::Info,
            format_args!("is half open: one call goes as a probe"),
        )
    }

    fn close(&self, inner: &mut Inner, now: Instant) -> Line {
        inner.phase = Phase::Closed;
        inner.window = Window::new(self.policy.window, now);
        self.changed(true);
        self.line(Level::Info, format_args!("closes"))
    }

    /// Gives the phase a stamp that no pass has; those of earlier ones come again after 32,768 changes. Under the lock.
    fn changed(&self, closed: bool) {
        let next = (self.stamp.load(Ordering::Relaxed) | 1).wrapping_add(1);
        self.stamp
            .store(next | u16::from(!closed), Ordering::Relaxed);
    }

    fn line(&self, level: Level, what: fmt::Arguments<'_>) -> Line {
        let text = format!("the circuit breaker of {} {what}", self.address);
        (level, text)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A change, to be logged outside of the lock.
type Line = (Level, String);

fn write(line: Option<Line>) {
    if let Some((level, text)) = line {
        log::log!(level, "{text}");
    }
}

impl Inner {
    fn reason(&self) -> String {
        match self.failed_probe {
            None => self.why.clone(),
            Some(kind) => format!("{}; then a probe by {kind}", self.why),
        }
    }
}

fn is_closed(stamp: u16) -> bool {
    stamp & 1 == 0
}

impl Pass {
    pub(crate) fn is_probe(self) -> bool {
        !is_closed(self.0)
    }
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Breaker({}, {:?})", self.address, self.state())
    }
}

/// Windows shorter than this are taken to be this long: a slot has to be some time.
const SHORTEST: Duration = Duration::from_millis(10);

/// Times of a policy longer than this are taken to be this long, so that sums of them are moments still.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);
