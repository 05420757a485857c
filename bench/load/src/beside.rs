//! Small calls alone, and then beside an upload over the same connection.

use std::time::Instant;

use crate::Result;
use crate::closed::PATIENCE;
use crate::contestant::{Client, Contestant};
use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::tally::Tally;
use crate::work::Job;

/// Measures `in_flight` small calls for the planned time alone, and then for as long as the upload takes.
pub(crate) async fn run<C: Contestant>(plan: &Plan) -> Result<Outcome> {
    let client = C::connect(plan).await?;
    // The size is that of the upload's pieces; the calls beside it are small.
    let piece = plan.size.max(1);
    let small = Plan {
        size: 16,
        ..plan.clone()
    };

    let job = Job::new(&small);
    let workers = start(&client, &small, &job);
    tokio::time::sleep(plan.warm_up).await;
    job.phase.measure();
    tokio::time::sleep(plan.time).await;
    job.phase.end();
    let alone = collect(workers).await?;

    let job = Job::new(&small);
    let workers = start(&client, &small, &job);
    let count = (UPLOAD / piece) as u64;
    job.phase.measure();
    let begun = Instant::now();
    let upload = client.clone().upload(piece, count);
    tokio::time::timeout(4 * PATIENCE, upload).await???;
    let seconds = begun.elapsed().as_secs_f64();
    job.phase.end();
    let beside = collect(workers).await?;
    Ok(Outcome {
        count: beside.count,
        seconds,
        rate: beside.count as f64 / seconds,
        p50: beside.microseconds(0.5),
        p99: beside.microseconds(0.99),
        p999: beside.microseconds(0.999),
        p50_alone: alone.microseconds(0.5),
        p99_alone: alone.microseconds(0.99),
        beside_rate: (count as usize * piece) as f64 / seconds,
        ..Outcome::default()
    })
}

fn start<C: Client>(client: &C, plan: &Plan, job: &Job) -> Vec<tokio::task::JoinHandle<Tally>> {
    let workers = (0..plan.in_flight).map(|_| client.clone().start(job.clone()));
    workers.collect()
}

async fn collect(workers: Vec<tokio::task::JoinHandle<Tally>>) -> Result<Tally> {
    let mut sum = Tally::new();
    for worker in workers {
        sum.add(tokio::time::timeout(PATIENCE, worker).await??)?;
    }
    Ok(sum)
}

/// Bytes that are uploaded: 1 GiB.
const UPLOAD: usize = 1 << 30;
