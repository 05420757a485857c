//! The open loop: calls arrive at a rate of their own, whether answers have come or not.

use std::thread;
use std::time::{Duration, Instant};

use crate::Result;
use crate::closed::{PATIENCE, measure, start};
use crate::contestant::Contestant;
use crate::control::Control;
use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::tally::Tally;
use crate::usage::Allocations;
use crate::work::{Job, Phase};

/// Lets calls arrive at the planned rate; `in_flight` workers on each connection take them.
pub(crate) async fn run<C: Contestant>(plan: &Plan, count: Allocations) -> Result<Outcome> {
    if plan.rate <= 0.0 {
        return Err("an open loop needs a rate".into());
    }
    let mut control = Control::connect(&plan.control)?;
    let (sender, receiver) = async_channel::unbounded();
    let mut job = Job::new(plan);
    job.arrivals = Some(receiver);
    let workers = start::<C>(plan, &job).await?;
    let (phase, rate) = (job.phase.clone(), plan.rate);
    let pace = thread::spawn(move || let_arrive(rate, &phase, &sender));
    let measured = measure(plan, &job, &mut control, count).await?;
    let lateness = pace.join().map_err(|_| "the pacing thread panicked")?;
    let mut sum = Tally::new();
    for worker in workers {
        sum.add(tokio::time::timeout(PATIENCE, worker).await??)?;
    }
    let mut outcome = measured.outcome(&sum);
    outcome.generator_p50 = lateness.microseconds(0.5);
    outcome.generator_p99 = lateness.microseconds(0.99);
    Ok(outcome)
}

/// Sends the moments at which calls are due, with exponential pauses, and notes how late it was itself.
fn let_arrive(rate: f64, phase: &Phase, arrivals: &async_channel::Sender<Instant>) -> Tally {
    let mut lateness = Tally::new();
    let mut random = 0x2545_F491_4F6C_DD1D_u64;
    let mut due = Instant::now();
    while !phase.is_over() {
        let now = Instant::now();
        while due <= now {
            if arrivals.try_send(due).is_err() {
                return lateness;
            }
            if phase.is_measuring() {
                lateness.record((now - due).as_nanos() as u64);
            }
            due += pause(rate, &mut random);
        }
        // The kernel's timers are precise to some tens of microseconds, those of tokio to a millisecond.
        thread::sleep(
            due.saturating_duration_since(Instant::now())
                .min(LONGEST_SLEEP),
        );
    }
    lateness
}

/// An exponentially distributed pause: calls of many independent callers.
fn pause(rate: f64, random: &mut u64) -> Duration {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    let uniform = ((*random >> 11) as f64 + 1.0) / (1_u64 << 53) as f64;
    Duration::from_secs_f64(-uniform.ln() / rate)
}

/// So that the end of the run is noticed.
const LONGEST_SLEEP: Duration = Duration::from_millis(10);
