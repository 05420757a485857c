//! One worker: calls, checks, counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Instant;

use crate::Result;
use crate::contestant::Client;
use crate::plan::{Case, Plan};
use crate::tally::Tally;

/// What a worker is to do, and how far the run is.
#[derive(Clone)]
pub struct Job {
    pub(crate) case: Case,
    pub(crate) size: usize,
    /// Where the arrivals of an open loop come from; without it the loop is closed.
    pub(crate) arrivals: Option<async_channel::Receiver<Instant>>,
    pub(crate) phase: Phase,
}

impl Job {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            case: plan.case,
            size: plan.size,
            arrivals: None,
            phase: Phase::default(),
        }
    }
}

/// How far a run is: warming up, measuring, over.
#[derive(Clone, Default)]
pub(crate) struct Phase(Arc<AtomicU8>);

impl Phase {
    const MEASURING: u8 = 1;
    const OVER: u8 = 2;

    pub(crate) fn measure(&self) {
        self.0.store(Self::MEASURING, Ordering::Relaxed);
    }

    pub(crate) fn end(&self) {
        self.0.store(Self::OVER, Ordering::Relaxed);
    }

    pub(crate) fn is_measuring(&self) -> bool {
        self.0.load(Ordering::Relaxed) == Self::MEASURING
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.load(Ordering::Relaxed) == Self::OVER
    }
}

/// Does the job until the run is over. What is finished while it is being measured counts, whenever it began.
pub async fn work<C: Client>(client: C, job: Job) -> Tally {
    let mut tally = Tally::new();
    let done = if job.case == Case::Stream {
        read_streams(&client, &job, &mut tally).await
    } else if let Some(arrivals) = job.arrivals.clone() {
        take_arrivals(&client, &job, &arrivals, &mut tally).await
    } else {
        call_again_and_again(&client, &job, &mut tally).await
    };
    tally.fault = done.err();
    tally
}

async fn call_again_and_again<C: Client>(client: &C, job: &Job, tally: &mut Tally) -> Result<()> {
    let mut body = body(job.size);
    let mut begun = Instant::now();
    let mut number = 0;
    while !job.phase.is_over() {
        stamp(&mut body, number);
        client.call(job.case, number, &body).await?;
        number += 1;
        // The end of this call is the beginning of the next: one look at the clock for each.
        let now = Instant::now();
        if job.phase.is_measuring() {
            tally.record((now - begun).as_nanos() as u64);
        }
        begun = now;
    }
    Ok(())
}

/// Latency counts from when a call should have been sent, so that a slow answer is not hidden by calls that were never made.
async fn take_arrivals<C: Client>(
    client: &C,
    job: &Job,
    arrivals: &async_channel::Receiver<Instant>,
    tally: &mut Tally,
) -> Result<()> {
    let mut body = body(job.size);
    let mut number = 0;
    while let Ok(due) = arrivals.recv().await {
        if job.phase.is_over() {
            break;
        }
        stamp(&mut body, number);
        client.call(job.case, number, &body).await?;
        number += 1;
        if job.phase.is_measuring() {
            tally.record(due.elapsed().as_nanos() as u64);
        }
    }
    Ok(())
}

async fn read_streams<C: Client>(client: &C, job: &Job, tally: &mut Tally) -> Result<()> {
    while !job.phase.is_over() {
        let mut stamp = Stamp { job, tally };
        client.stream(job.size, ITEMS, &mut stamp).await?;
    }
    Ok(())
}

/// Items of one stream; then the next one is opened, so that a run ends soon after its time.
const ITEMS: u64 = 20_000;

/// Counts the items of a stream.
pub struct Stamp<'a> {
    job: &'a Job,
    tally: &'a mut Tally,
}

impl Stamp<'_> {
    /// Counts one item; false when no more are wanted.
    pub fn item(&mut self) -> bool {
        if self.job.phase.is_measuring() {
            self.tally.count += 1;
        }
        !self.job.phase.is_over()
    }
}

/// What an echo sends: bytes that depend on their place.
pub fn body(size: usize) -> Vec<u8> {
    (0..size).map(at).collect()
}

fn at(place: usize) -> u8 {
    ((place as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8
}

fn stamp(body: &mut [u8], number: u64) {
    if let Some(place) = body.first_chunk_mut() {
        *place = number.to_le_bytes();
    }
}

/// Whether an echo came back as it was sent: length, number, the end, and a byte in every page.
pub fn body_is_right(body: &[u8], size: usize, number: u64) -> bool {
    if body.len() != size {
        return false;
    }
    let Some(place) = body.first_chunk() else {
        return true;
    };
    *place == number.to_le_bytes()
        && (size == 8 || body[size - 1] == at(size - 1))
        && (4_000..size)
            .step_by(4_000)
            .all(|place| body[place] == at(place))
}
