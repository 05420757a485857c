//! Which failed calls are made again, when, and how often: one decision for all clients.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::backoff::{Backoff, random_fraction};
use crate::client::request::Prepared;
use crate::client::upload::Upload;
use crate::error::{Error, ErrorKind, Execution};
use crate::limits::DEFAULT_TIMEOUT;
use crate::status::Status;
use crate::wire::calls::Answer;
use crate::wire::frame::FailPart;

/// Longest pause before a call that a busy peer has refused is made again for the first time.
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// Failures in a row that cost no pause while nothing of the call has left: connections that closed under it.
const AT_ONCE: u32 = 3;

/// Longest pause before a call that could not be sent looks for a connection again.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// How often a call is made again after a failure, and with what pauses.
///
/// It is for repetitions that cost something: of calls that a peer refused more than once, and of idempotent calls whose
/// outcome is unknown. What was not sent is no repetition to anybody: that waits for a connection until the deadline of
/// the call (10 s if it has none), whatever the policy says, unless the policy is [`RetryPolicy::none`].
///
/// ```
/// use rpc_runtime::RetryPolicy;
///
/// let patient = RetryPolicy { max_attempts: 5, ..RetryPolicy::default() };
/// # let _ = patient;
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RetryPolicy {
    /// Most attempts of one call, the first included. 3; 1 makes every failure the last one.
    pub max_attempts: u32,
    /// Bound of the first pause; a pause is drawn between zero and its bound ("full jitter"). 100 ms.
    pub first_pause: Duration,
    /// Growth of the bound from pause to pause. 1.6, as in gRPC.
    pub growth: f64,
    /// Longest bound of a pause. 30 s.
    pub longest_pause: Duration,
    /// Repetitions that a channel may be ahead of its successes, for each service. 10, as in gRPC. Only that of the
    /// channel counts, not that of one call.
    pub budget: f64,
    /// What each successful call gives back to the budget. 0.1: in the long run one repetition for ten successes. Only
    /// that of the channel counts.
    pub refund: f64,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            first_pause: Duration::from_millis(100),
            growth: 1.6,
            longest_pause: Duration::from_secs(30),
            budget: 10.0,
            refund: 0.1,
        }
    }
}

impl RetryPolicy {
    /// One attempt: whatever fails, the call fails with it at once, also where no connection is to be had now.
    pub fn none() -> Self {
        Self {
            max_attempts: 1,
            ..Self::default()
        }
    }

    /// The pause after the given number of failures.
    fn pause(&self, failures: u32) -> Duration {
        Backoff::bound(
            self.first_pause,
            self.growth,
            self.longest_pause,
            failures.saturating_sub(1),
        )
        .mul_f64(random_fraction())
    }
}

/// The policy of a channel and what is left of its budget.
#[derive(Debug, Default)]
pub(crate) struct Retry {
    pub(crate) policy: RetryPolicy,
    /// Whether any budget is not full; spares the lock after every successful call.
    owes: AtomicBool,
    /// What was spent, by service.
    spent: Mutex<Vec<(&'static str, f64)>>,
}

impl Retry {
    pub(crate) fn new(policy: RetryPolicy) -> Self {
        Self {
            policy,
            ..Self::default()
        }
    }

    /// Pays for one repetition; `false` if the budget of the service is empty.
    fn spend(&self, service: &'static str) -> bool {
        let mut accounts = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        let at = accounts.iter().position(|(name, _)| *name == service);
        let at = at.unwrap_or_else(|| {
            accounts.push((service, 0.0));
            accounts.len() - 1
        });
        let spent = &mut accounts[at].1;
        // Written so that a budget that is no number allows nothing.
        let covered = *spent + 1.0 <= self.policy.budget + 1e-9;
        if covered {
            *spent += 1.0;
            self.owes.store(true, Ordering::Relaxed);
        }
        covered
    }

    /// A call has succeeded.
    pub(crate) fn succeeded(&self, service: &'static str) {
        if !self.owes.load(Ordering::Relaxed) {
            return;
        }
        let mut accounts = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, spent) in accounts.iter_mut() {
            if *name == service {
                *spent = (*spent - self.policy.refund).max(0.0);
            }
        }
        let owes = accounts.iter().any(|(_, spent)| *spent > 0.0);
        self.owes.store(owes, Ordering::Relaxed);
    }
}

/// Where an attempt has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// There was no connection to be had.
    Connecting,
    /// A connection was there, and was asked to take the call.
    Calling,
}

/// What is known of the attempts of one call.
#[derive(Debug, Default)]
pub(crate) struct Tried {
    /// Peers that attempts have failed on, so that the next one goes to another.
    pub(crate) peers: Vec<Arc<str>>,
    /// How many peers there are; set by a balanced route.
    pub(crate) instances: usize,
    /// Why the latest attempt failed.
    pub(crate) last: Option<Error>,
    /// Failures in a row of which nothing has left, and since when.
    unsent: u32,
    unsent_since: Option<Instant>,
    /// The repetition that costs nothing, after a peer has refused the call, was made.
    refused_once: bool,
    /// Repetitions that were paid for.
    paid: u32,
    /// The most that any attempt may have done.
    worst: Option<Execution>,
}

/// Whether there is another attempt.
enum Verdict {
    After(Duration),
    No,
    /// The policy would allow it, the budget does not.
    Broke,
}

impl Tried {
    /// What follows a failed attempt: the pause before the next one.
    ///
    /// # Errors
    ///
    /// It was the last one: the failure of the whole call.
    pub(crate) fn after(
        &mut self,
        call: &mut Prepared,
        retry: &Retry,
        stage: Stage,
        failure: Error,
    ) -> Result<Duration, Error> {
        let execution = failure.execution();
        let verdict = self.judge(call, retry, stage, &failure);
        self.note(call, execution);
        match verdict {
            // A pause that ends after the call does is not worth waiting for.
            Verdict::After(pause) if call.time_left().is_none_or(|left| pause < left) => {
                self.last = Some(failure);
                Ok(pause)
            }
            Verdict::Broke => Err(self.conclude(failure.adding(format_args!(
                "; not repeated: calls of {} fail so often that the retry budget of this channel is empty",
                call.method.service
            )))),
            Verdict::After(_) | Verdict::No => Err(self.conclude(failure)),
        }
    }

    /// The same for a declared error; `None` if it is the answer.
    pub(crate) fn after_declared(
        &mut self,
        call: &mut Prepared,
        retry: &Retry,
        part: &FailPart,
    ) -> Option<Duration> {
        if !may_repeat_declared(call, part) {
            return None;
        }
        let pushback = Duration::from_millis(u64::from(part.retry_after_ms));
        let verdict = self.pay(call, retry, (!pushback.is_zero()).then_some(pushback));
        self.note(call, Execution::Executed);
        match verdict {
            Verdict::After(pause) if call.time_left().is_none_or(|left| pause < left) => {
                Some(pause)
            }
            _ => None,
        }
    }

    fn judge(&mut self, call: &Prepared, retry: &Retry, stage: Stage, failure: &Error) -> Verdict {
        if !may_repeat(call, failure) {
            return Verdict::No;
        }
        let pushback = failure.retry_after();
        // A connection that closed under a call that was about to use it was no attempt. A circuit breaker that refuses the
        // call says when to come again.
        let unused = stage == Stage::Calling
            && failure.execution() == Execution::NotSent
            && pushback.is_none()
            && self.unsent < AT_ONCE;
        if call.policy(retry).max_attempts <= 1 && !unused {
            return Verdict::No;
        }
        match failure.execution() {
            Execution::NotSent => {
                let since = *self.unsent_since.get_or_insert_with(Instant::now);
                // A call that may take for ever does not wait for ever for somebody to take it.
                if call.deadline.is_none() && since.elapsed() >= DEFAULT_TIMEOUT {
                    return Verdict::No;
                }
                self.unsent += 1;
                let at_once = stage == Stage::Calling && self.unsent <= AT_ONCE;
                let policy = call.policy(retry);
                Verdict::After(match pushback {
                    Some(due) => due,
                    None if at_once => Duration::ZERO,
                    None => policy.pause(self.unsent).min(LONGEST_WAIT),
                })
            }
            Execution::NotStarted if !self.refused_once => {
                self.refused_once = true;
                let busy = failure.kind() == ErrorKind::ResourceExhausted;
                let breath = if busy { BUSY_PAUSE } else { Duration::ZERO };
                Verdict::After(pushback.unwrap_or_else(|| breath.mul_f64(random_fraction())))
            }
            _ => self.pay(call, retry, pushback),
        }
    }

    /// A repetition by the policy.
    fn pay(&mut self, call: &Prepared, retry: &Retry, pushback: Option<Duration>) -> Verdict {
        let policy = call.policy(retry);
        if self.paid + 1 >= policy.max_attempts {
            return Verdict::No;
        }
        let pause = policy.pause(self.paid + 1);
        let pause = pushback.map_or(pause, |due| due.max(pause));
        if call.time_left().is_some_and(|left| left <= pause) {
            return Verdict::No;
        }
        if !retry.spend(call.method.service) {
            return Verdict::Broke;
        }
        self.paid += 1;
        Verdict::After(pause)
    }

    fn note(&mut self, call: &mut Prepared, execution: Execution) {
        if execution != Execution::NotSent {
            self.unsent = 0;
            self.unsent_since = None;
            // Some peer has seen it: from now on it is a repetition.
            call.repeated();
        }
        self.worst = self.worst.max(Some(execution));
        if self.peers.len() >= self.instances {
            self.peers.clear();
        }
    }

    /// Passes a peer over for the next attempt.
    pub(crate) fn pass_over(&mut self, peer: &Arc<str>) {
        self.peers.push(peer.clone());
    }

    /// The failure of a call of several attempts: what the last one did not do, an earlier one may have done.
    pub(crate) fn conclude(&self, failure: Error) -> Error {
        match self.worst {
            Some(worst) if worst > failure.execution() => failure.with_execution(worst),
            _ => failure,
        }
    }

    /// The time is up while nothing of the latest attempt was sent.
    pub(crate) fn too_late(&mut self) -> Error {
        let late = Error::too_late();
        let late = match self.last.take() {
            Some(last) => late.adding(format_args!(
                "; the last attempt failed: {}",
                last.message()
            )),
            None => late,
        };
        self.conclude(late)
    }

    /// [`Tried::conclude`] for an answer.
    pub(crate) fn end(&self, answer: Answer) -> Answer {
        match answer {
            Answer::Failed(error) => Answer::Failed(self.conclude(error)),
            answer => answer,
        }
    }
}

/// Whether what came of a first attempt is to be followed by another step: a repetition, or a better message.
pub(crate) fn needs_more(call: &Prepared, answer: &Answer) -> bool {
    match answer {
        Answer::Failed(failure) => {
            failure.kind() == ErrorKind::Unimplemented || may_repeat(call, failure)
        }
        Answer::Declared(part, _) => may_repeat_declared(call, part),
        Answer::Result(_) | Answer::Lent(_) => false,
    }
}

/// Never twice: only what is known not to have started, or what is declared idempotent.
pub(crate) fn may_repeat(call: &Prepared, failure: &Error) -> bool {
    // A stream cannot be run again, whatever has come of what was sent of it.
    if call.upload().is_some_and(Upload::has_begun) {
        return false;
    }
    let passing = matches!(
        failure.kind(),
        ErrorKind::Unavailable | ErrorKind::ResourceExhausted
    );
    // What is too large for one peer is so for the others.
    if failure.is_hopeless() {
        return false;
    }
    let named = call.names(failure.status());
    match failure.execution() {
        // The peer has not seen it, so this is not a repetition to anybody.
        Execution::NotSent => passing,
        Execution::NotStarted => named.unwrap_or(passing) && !call.once,
        Execution::Unknown => {
            let lost = failure.kind() == ErrorKind::Unavailable;
            call.idempotent && !call.once && named.unwrap_or(lost)
        }
        Execution::Executed => {
            let wanted = failure.is_marked_retryable() || named == Some(true);
            call.idempotent && !call.once && wanted
        }
    }
}

fn may_repeat_declared(call: &Prepared, part: &FailPart) -> bool {
    let wanted = part.retryable || call.names(Status::from_code(part.status)) == Some(true);
    wanted && call.idempotent && !call.once && !call.upload().is_some_and(Upload::has_begun)
}

/// Of two reasons why no instance takes a call, the one that is over first; the later one if that is not said.
pub(crate) fn first_over(known: Option<Error>, error: Error) -> Error {
    match (known, error.retry_after()) {
        (Some(known), Some(due)) if known.retry_after().is_some_and(|first| first < due) => known,
        _ => error,
    }
}

/// When a pause that begins now is over; none for a pause of nothing.
pub(crate) fn pause_end(pause: Duration) -> Option<Instant> {
    (!pause.is_zero()).then(|| Instant::now() + pause)
}
