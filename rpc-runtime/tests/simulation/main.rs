//! Never twice: thousands of simulated lives of a system, each from one seed, each the same every time.
//!
//! `SEED=n cargo test -p rpc-runtime --test simulation` runs one seed and prints what happened; `SEEDS=n` runs so many.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test a panic is the report"
)]

mod herd;
mod network;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use world::{Figures, run};

/// Seeds of an ordinary run.
const SEEDS: u64 = 1_000;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text} is no number")),
    )
}

#[test]
fn no_call_runs_twice_and_no_caller_is_told_wrong() {
    if let Some(seed) = number("SEED") {
        let (verdict, trace) = run(seed);
        println!("{trace}");
        println!(
            "{:?}",
            verdict.unwrap_or_else(|why| panic!("seed {seed}: {why}"))
        );
        return;
    }
    let seeds = number("SEEDS").unwrap_or(SEEDS);
    let began = Instant::now();
    let next = AtomicU64::new(0);
    let work = || {
        let mut sum = Figures::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds {
                return sum;
            }
            let (verdict, _) = std::panic::catch_unwind(|| run(seed))
                .unwrap_or_else(|_| panic!("seed {seed} panicked; replay it: SEED={seed} cargo test -p rpc-runtime --test simulation"));
            match verdict {
                Ok(figures) => sum += figures,
                Err(why) => panic!(
                    "seed {seed}: {why}; replay it: SEED={seed} cargo test -p rpc-runtime --test simulation"
                ),
            }
        }
    };
    let mut sum = Figures::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            match worker.join() {
                Ok(figures) => sum += figures,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    println!("{seeds} seeds in {:?}: {sum:?}", began.elapsed());
    // A world in which nothing goes wrong, or nothing goes right, would prove nothing.
    assert!(sum.calls > 30 * seeds, "{sum:?}");
    assert!(sum.answered * 2 > sum.calls, "{sum:?}");
    assert!(sum.unknown > seeds / 4 && sum.twice > seeds / 20, "{sum:?}");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in [1, 7, 42, 1_000_003] {
        let (first, second) = (run(seed).1, run(seed).1);
        let differs = first.lines().zip(second.lines()).position(|(a, b)| a != b);
        if let Some(line) = differs {
            panic!(
                "seed {seed} differs at line {line}:\n{:?}\n{:?}",
                first.lines().nth(line),
                second.lines().nth(line)
            );
        }
        assert_eq!(first.len(), second.len(), "seed {seed}");
        assert!(first.lines().count() > 100, "seed {seed}: nothing happened");
    }
    assert_ne!(run(1).1, run(2).1);
}
