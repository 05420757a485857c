//! Interleaved rounds: in each, everybody runs every spot once, one right after the other.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use bench_load::{Outcome, Result, machine_busy_seconds};

use crate::contestants::Entrant;
use crate::process::{INTERRUPTED, Run};
use crate::results::{self, Calls, Machine};
use crate::spots::Spot;

/// What is to be run, and how often.
pub(crate) struct Rounds {
    pub(crate) entrants: Vec<Entrant>,
    pub(crate) spots: Vec<Spot>,
    pub(crate) rounds: usize,
    pub(crate) seconds: f64,
    pub(crate) warm_up: f64,
    pub(crate) programs: PathBuf,
    /// How long to wait before each run for other programs to leave the machine.
    pub(crate) quiet: Duration,
}

/// The last rate of each entrant at full load: half of it is the rate of its open loop.
type Peaks = HashMap<String, f64>;

impl Rounds {
    /// Runs them all. Ends early, with what there is, on Ctrl-C.
    pub(crate) fn run(&self) -> Calls {
        let mut calls = Calls {
            machine: Machine::this(),
            rounds: self.rounds,
            seconds: self.seconds,
            warm_up: self.warm_up,
            ..Calls::default()
        };
        let mut progress = Progress::new(self.rounds * self.pairs(0).count());
        let mut peaks = Peaks::new();
        let mut failures = HashMap::new();
        for round in 1..=self.rounds {
            for (spot, entrant) in self.pairs(round) {
                if INTERRUPTED.load(Ordering::Relaxed) {
                    calls.remarks.push(format!("interrupted in round {round}"));
                    return calls;
                }
                if failures.get(&entrant.label()) == Some(&HOPELESS) {
                    progress.done += 1;
                    continue;
                }
                let outcome = self.one(spot, entrant, &mut peaks);
                count_failures(&mut failures, entrant, &outcome, &mut calls.remarks);
                progress.tell(round, spot, entrant, &outcome);
                match outcome {
                    Ok(outcome) => calls.runs.push(results::Run {
                        round,
                        case: spot.case.name.to_owned(),
                        load: spot.load.name.to_owned(),
                        entrant: entrant.label(),
                        outcome,
                    }),
                    Err(error) => calls.remarks.push(format!(
                        "{} failed in {} {}, round {round}: {error}",
                        entrant.label(),
                        spot.case.name,
                        spot.load.name
                    )),
                }
            }
        }
        calls
    }

    /// Who runs what; each round begins with somebody else.
    fn pairs(&self, round: usize) -> impl Iterator<Item = (&Spot, &Entrant)> {
        self.spots.iter().flat_map(move |spot| {
            let mut those: Vec<_> = self
                .entrants
                .iter()
                .filter(|entrant| spot.takes(entrant))
                .collect();
            let shift = round % those.len().max(1);
            those.rotate_left(shift);
            those.into_iter().map(move |entrant| (spot, entrant))
        })
    }

    fn one(&self, spot: &Spot, entrant: &Entrant, peaks: &mut Peaks) -> Result<Outcome> {
        let mut rate = 0.0;
        if spot.load.name == "open" {
            rate = self.peak(spot, entrant, peaks)? / 2.0;
        }
        let outcome = self.start(spot, entrant, rate)?;
        if spot.case.name == "get" && spot.load.name == "4x64" {
            peaks.insert(entrant.label(), outcome.rate);
        }
        Ok(outcome)
    }

    /// The rate at full load, measured now unless it was before.
    fn peak(&self, spot: &Spot, entrant: &Entrant, peaks: &mut Peaks) -> Result<f64> {
        if let Some(peak) = peaks.get(&entrant.label()) {
            return Ok(*peak);
        }
        let full = Spot::chosen(&[spot.case.name.to_owned()], &["4x64".to_owned()]);
        let full = full.first().ok_or("there is no full load of this case")?;
        let peak = self.start(full, entrant, 0.0)?.rate;
        peaks.insert(entrant.label(), peak);
        Ok(peak)
    }

    /// Looks twice in a row; gives up when the time is over, and then the run tells how disturbed it was.
    fn wait_for_quiet(&self) {
        let begun = Instant::now();
        let mut calm = 0;
        while calm < 2 && begun.elapsed() < self.quiet && !INTERRUPTED.load(Ordering::Relaxed) {
            let before = machine_busy_seconds();
            thread::sleep(LOOK);
            let busy = (machine_busy_seconds() - before) / LOOK.as_secs_f64();
            calm = if busy < 0.1 { calm + 1 } else { 0 };
        }
    }

    fn start(&self, spot: &Spot, entrant: &Entrant, rate: f64) -> Result<Outcome> {
        let (variant, load) = (&entrant.variant, &spot.load);
        let kind = match load.name {
            "open" => "open",
            "idle" => "idle",
            "upload" => "beside",
            _ if variant.blocking => "blocking",
            _ => "closed",
        };
        let counting = if load.name == "allocations" {
            "-counting"
        } else {
            ""
        };
        let (server_cpu, client_cpu) = load.cpus();
        self.wait_for_quiet();
        let run = Run {
            program: &self
                .programs
                .join(format!("{}{counting}", entrant.contestant.name)),
            unix: variant.unix,
            arguments: vec![
                format!("variant={}", variant.argument),
                format!("case={}", spot.case.argument),
                format!("kind={kind}"),
                format!("connections={}", load.connections),
                format!("in_flight={}", load.in_flight),
                format!("size={}", spot.case.size),
                format!("rate={rate}"),
                format!("warm_up={}", self.warm_up),
                format!("seconds={}", self.seconds),
                format!("unix={}", variant.unix),
            ],
            server_cpu,
            client_cpu,
            patience: Duration::from_secs_f64(self.seconds + self.warm_up) + PATIENCE,
        };
        run.outcome()
    }
}

/// Counts the failures of those who have never succeeded.
fn count_failures(
    failures: &mut HashMap<String, usize>,
    entrant: &Entrant,
    outcome: &Result<Outcome>,
    remarks: &mut Vec<String>,
) {
    let failed = failures.entry(entrant.label()).or_default();
    match outcome {
        // It works: whatever fails later is told each time.
        Ok(_) => *failed = usize::MAX,
        Err(_) if *failed < HOPELESS => {
            *failed += 1;
            if *failed == HOPELESS {
                remarks.push(format!(
                    "{} is left out: its first {HOPELESS} runs failed",
                    entrant.label()
                ));
            }
        }
        Err(_) => {}
    }
}

/// Failures in a row, from the first run on, after which somebody is left out.
const HOPELESS: usize = 3;

/// Tells how far it is.
struct Progress {
    begun: Instant,
    done: usize,
    all: usize,
}

impl Progress {
    fn new(all: usize) -> Self {
        Self {
            begun: Instant::now(),
            done: 0,
            all,
        }
    }

    fn tell(&mut self, round: usize, spot: &Spot, entrant: &Entrant, outcome: &Result<Outcome>) {
        self.done += 1;
        let each = self.begun.elapsed().as_secs_f64() / self.done as f64;
        let left = each * (self.all - self.done) as f64;
        let found = match outcome {
            Ok(outcome) if spot.load.name == "idle" => {
                format!("{:.1} KiB", outcome.server_idle_kib)
            }
            Ok(outcome) => format!("{:.0}/s, p99 {:.0} µs", outcome.rate, outcome.p99),
            Err(error) => format!("FAILED: {error}"),
        };
        eprintln!(
            "[{}/{}, {} left] round {round}, {} {}, {}: {found}",
            self.done,
            self.all,
            time(left),
            spot.case.name,
            spot.load.name,
            entrant.label()
        );
    }
}

fn time(seconds: f64) -> String {
    match seconds as u64 {
        seconds @ 0..100 => format!("{seconds} s"),
        seconds => format!("{} min", seconds.div_ceil(60)),
    }
}

/// How long the machine is watched.
const LOOK: Duration = Duration::from_millis(150);

/// For connecting, and for a gibibyte over a slow peer.
const PATIENCE: Duration = Duration::from_secs(120);
