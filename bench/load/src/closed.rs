//! The closed loop: each worker calls again as soon as it has its answer.

use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::Result;
use crate::contestant::{Blocking, Client, Contestant};
use crate::control::Control;
use crate::outcome::{Both, Outcome};
use crate::plan::Plan;
use crate::tally::Tally;
use crate::usage::{Allocations, Usage};
use crate::work::{Job, body};

/// Runs `in_flight` workers on each connection.
pub(crate) async fn run<C: Contestant>(plan: &Plan, count: Allocations) -> Result<Outcome> {
    let mut control = Control::connect(&plan.control)?;
    let job = Job::new(plan);
    let workers = start::<C>(plan, &job).await?;
    let measured = measure(plan, &job, &mut control, count).await?;
    let mut sum = Tally::new();
    for worker in workers {
        sum.add(tokio::time::timeout(PATIENCE, worker).await??)?;
    }
    Ok(measured.outcome(&sum))
}

/// Opens all connections, and then starts `in_flight` workers on each.
pub(crate) async fn start<C: Contestant>(plan: &Plan, job: &Job) -> Result<Vec<JoinHandle<Tally>>> {
    let mut clients = Vec::new();
    for _ in 0..plan.connections {
        clients.push(C::connect(plan).await?);
    }
    let mut workers = Vec::new();
    for client in clients {
        workers.extend((0..plan.in_flight).map(|_| client.clone().start(job.clone())));
    }
    Ok(workers)
}

/// Warms up, measures for the planned time, and ends the phase.
pub(crate) async fn measure(
    plan: &Plan,
    job: &Job,
    control: &mut Control,
    count: Allocations,
) -> Result<Measured> {
    tokio::time::sleep(plan.warm_up).await;
    let server = control.usage()?;
    let before = Both {
        client: Usage::now(count),
        server,
    };
    let begun = Instant::now();
    job.phase.measure();
    tokio::time::sleep(plan.time).await;
    job.phase.end();
    let seconds = begun.elapsed().as_secs_f64();
    let client = Usage::now(count);
    let server = control.usage()?;
    Ok(Measured {
        seconds,
        before,
        after: Both { client, server },
    })
}

/// A measured stretch of time.
pub(crate) struct Measured {
    pub(crate) seconds: f64,
    pub(crate) before: Both,
    pub(crate) after: Both,
}

impl Measured {
    pub(crate) fn outcome(&self, tally: &Tally) -> Outcome {
        Outcome::new(tally, self.seconds, self.before, self.after)
    }
}

/// One call after the other on this thread, without an async runtime.
pub(crate) fn block<C: Contestant>(plan: &Plan, count: Allocations) -> Result<Outcome> {
    let mut control = Control::connect(&plan.control)?;
    let mut client = C::blocking(plan)?;
    let mut body = body(plan.size);
    let mut number = 0;
    let mut call = |begun: Instant, tally: &mut Tally| -> Result<Instant> {
        if let Some(place) = body.first_chunk_mut() {
            *place = u64::to_le_bytes(number);
        }
        client.call(plan.case, number, &body)?;
        number += 1;
        let now = Instant::now();
        tally.record((now - begun).as_nanos() as u64);
        Ok(now)
    };
    let mut warm_up = Tally::new();
    let begun = Instant::now();
    let mut now = begun;
    while now - begun < plan.warm_up {
        now = call(now, &mut warm_up)?;
    }
    let server = control.usage()?;
    let before = Both {
        client: Usage::now(count),
        server,
    };
    let mut tally = Tally::new();
    let begun = Instant::now();
    let mut now = begun;
    while now - begun < plan.time {
        now = call(now, &mut tally)?;
    }
    let seconds = (now - begun).as_secs_f64();
    let client = Usage::now(count);
    let server = control.usage()?;
    Ok(Outcome::new(
        &tally,
        seconds,
        before,
        Both { client, server },
    ))
}

/// Workers end with their last call; one that does not is a fault.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
