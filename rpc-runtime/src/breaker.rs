//! Leaves an address alone for a while when most calls to it fail: the circuit breaker.

use std::fmt;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::backoff::random_fraction;
use crate::error::{Error, ErrorKind, Execution, Result};
use crate::wire::calls::Answer;

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

/// What became of a call, as far as it speaks for its peer or against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Good,
    Bad(ErrorKind),
    Nothing,
}

/// What one connection has seen of calls; under the connection's own lock, so that a success costs an addition there.
#[derive(Debug)]
pub(crate) struct Tally {
    /// Successes of which the breaker does not know, and since when; not for longer than a slot of the window.
    succeeded: u32,
    since: Instant,
    /// When the breaker is to know of them.
    due: Instant,
    /// The calls that the connection took along count as one.
    lost: bool,
}

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
        self.tell(change);
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
        self.tell(change);
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

    fn open(&self, inner: &mut Inner, now: Instant) -> Change {
        let pause = self.policy.open_time.mul_f64(0.8 + 0.4 * random_fraction());
        inner.phase = Phase::Open { until: now + pause };
        self.changed(false);
        Change::Opened(inner.reason(), pause)
    }

    fn half_open(&self, inner: &mut Inner, now: Instant) -> Change {
        inner.phase = Phase::HalfOpen {
            since: now,
            next: now,
            probing: false,
            succeeded: 0,
        };
        self.changed(false);
        Change::HalfOpened
    }

    fn close(&self, inner: &mut Inner, now: Instant) -> Change {
        inner.phase = Phase::Closed;
        inner.window = Window::new(self.policy.window, now);
        self.changed(true);
        Change::Closed
    }

    /// Gives the phase a stamp that no pass has. Under the lock.
    fn changed(&self, closed: bool) {
        let next = (self.stamp.load(Ordering::Relaxed) | 1).wrapping_add(1);
        self.stamp
            .store(next | u16::from(!closed), Ordering::Relaxed);
    }

    fn tell(&self, change: Option<Change>) {
        let address = &self.address;
        match change {
            None => {}
            Some(Change::Opened(why, pause)) => {
                log::warn!("the circuit breaker of {address} opens for {pause:?}: {why}");
            }
            Some(Change::HalfOpened) => {
                log::info!(
                    "the circuit breaker of {address} is half open: one call goes as a probe"
                );
            }
            Some(Change::Closed) => log::info!("the circuit breaker of {address} closes"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is logged, outside of the lock.
enum Change {
    Opened(String, Duration),
    HalfOpened,
    Closed,
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

impl Verdict {
    /// What an answer says of the peer.
    ///
    /// Whoever answers is there: declared errors and refusals that are the caller's affair are good. A peer that is busy or
    /// leaves says so itself, and what was not sent or was given up says nothing.
    pub(crate) fn of(answer: &Answer) -> Self {
        let Answer::Failed(error) = answer else {
            return Self::Good;
        };
        match (error.kind(), error.execution()) {
            (_, Execution::NotSent)
            | (ErrorKind::ResourceExhausted | ErrorKind::Cancelled, _)
            | (ErrorKind::Unavailable, Execution::NotStarted) => Self::Nothing,
            (
                kind @ (ErrorKind::Unavailable
                | ErrorKind::DeadlineExceeded
                | ErrorKind::Internal),
                _,
            )
            // The connection broke because of what came on it.
            | (kind @ ErrorKind::DataLoss, Execution::Unknown) => Self::Bad(kind),
            _ => Self::Good,
        }
    }
}

impl Tally {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            succeeded: 0,
            since: now,
            due: now,
            lost: false,
        }
    }

    /// Counts a success; `false` for what is to be told to the breaker at once.
    #[inline]
    pub(crate) fn counts(&mut self, pass: Pass, answer: &Answer) -> bool {
        if matches!(answer, Answer::Failed(_)) || pass.is_probe() {
            return false;
        }
        self.succeeded = self.succeeded.wrapping_add(1);
        true
    }

    /// Something has come, answers perhaps; whether [`Tally::tell`] is to follow.
    #[inline]
    pub(crate) fn is_due(&mut self, now: Instant) -> bool {
        if self.succeeded == 0 {
            self.since = now;
            return false;
        }
        self.due <= now
    }

    /// Tells the breaker of the successes.
    #[cold]
    pub(crate) fn tell(&mut self, breaker: &Breaker, now: Instant) {
        let mut inner = breaker.lock();
        inner.window.add(self.since, self.succeeded, 0);
        self.succeeded = 0;
        self.since = now;
        self.due = now + inner.window.slot;
    }

    /// What an answer says of the peer. A connection that is lost is one failure, however many calls and streams it takes
    /// along.
    pub(crate) fn verdict(&mut self, pass: Pass, answer: &Answer, is_gone: bool) -> Verdict {
        let verdict = Verdict::of(answer);
        let is_lost = match verdict {
            Verdict::Bad(kind) => is_gone && kind != ErrorKind::DeadlineExceeded,
            _ => false,
        };
        let known = is_lost && std::mem::replace(&mut self.lost, true);
        if known && !pass.is_probe() {
            return Verdict::Nothing;
        }
        verdict
    }
}

/// Calls that have ended lately, by slots of time.
struct Window {
    start: Instant,
    slot: Duration,
    /// Number of the latest slot since the start.
    latest: u64,
    /// Successes and failures.
    slots: [(u32, u32); SLOTS],
}

impl Window {
    fn new(length: Duration, start: Instant) -> Self {
        Self {
            start,
            slot: length / SLOTS as u32,
            latest: 0,
            slots: [(0, 0); SLOTS],
        }
    }

    fn add(&mut self, at: Instant, succeeded: u32, failed: u32) {
        let Some(slot) = self.reach(at) else { return };
        slot.0 = slot.0.saturating_add(succeeded);
        slot.1 = slot.1.saturating_add(failed);
    }

    /// How many of how many have failed.
    fn sums(&mut self, now: Instant) -> (u32, u32) {
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

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Breaker({}, {:?})", self.address, self.state())
    }
}

/// Parts that the window is counted in.
const SLOTS: usize = 10;

/// Windows shorter than this are taken to be this long: a slot has to be some time.
const SHORTEST: Duration = Duration::from_millis(10);

/// Times of a policy longer than this are taken to be this long, so that sums of them are moments still.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);
