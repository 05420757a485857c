//! Real processes under load: killed, stopped, restarted; what they ran is compared with what callers were told.
//!
//! `cargo test -p rpc-runtime --test processes -- --nocapture` shows calls, restarts and repetitions.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test a panic is the report"
)]

mod fleet;
mod load;

use std::time::{Duration, Instant};

use fleet::{Fleet, Signal, serve_if_child};
use load::Load;

/// Restarts of the rolling test.
const RESTARTS: usize = 50;

/// The servers of the other tests: this test does nothing unless it was started by one of them.
#[test]
fn child_server() {
    serve_if_child();
}

#[test]
fn a_rolling_restart_under_load_loses_no_call() {
    let began = Instant::now();
    let mut fleet = Fleet::start("rolling");
    let load = Load::start(&fleet.addresses());
    std::thread::sleep(Duration::from_millis(300));
    let (mut slowest, mut in_time) = (Duration::ZERO, 0);
    for restart in 0..RESTARTS {
        let asked = Instant::now();
        let left = fleet.stop(restart % fleet.len());
        slowest = slowest.max(asked.elapsed());
        in_time += usize::from(left);
        fleet.restart(restart % fleet.len());
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(Duration::from_millis(300));
    let told = load.stop();
    let ran = fleet.end();
    let figures = told.compare(&ran);
    println!(
        "rolling restart: {RESTARTS} restarts in {:?}, the slowest took {slowest:?}; {figures:?}",
        began.elapsed()
    );
    assert_eq!(in_time, RESTARTS, "every server ends by itself");
    assert_eq!(
        figures.failed_idempotent,
        0,
        "{figures:?}\n{}",
        told.failures()
    );
    assert_eq!(figures.failed_others, 0, "{figures:?}\n{}", told.failures());
    assert!(figures.calls > 10_000, "{figures:?}");
}

#[test]
fn processes_that_are_killed_and_stopped_run_nothing_twice_and_callers_know() {
    let began = Instant::now();
    let mut fleet = Fleet::start("faults");
    let load = Load::start(&fleet.addresses());
    std::thread::sleep(Duration::from_millis(300));
    let rounds = 18;
    for round in 0..rounds {
        // Four is no multiple of three, so every server meets every fate.
        let at = round % fleet.len();
        match round % 4 {
            0 | 1 => {
                fleet.signal(at, Signal::Kill);
                std::thread::sleep(Duration::from_millis(100 * (round as u64 % 3)));
                fleet.restart(at);
            }
            2 => {
                fleet.signal(at, Signal::Stop);
                std::thread::sleep(Duration::from_millis(900));
                fleet.signal(at, Signal::Continue);
            }
            _ => {
                fleet.stop(at);
                fleet.restart(at);
            }
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    let told = load.stop();
    // Whoever was stopped may still have something to do.
    std::thread::sleep(Duration::from_millis(300));
    let ran = fleet.end();
    let figures = told.compare(&ran);
    println!("faults: {rounds} in {:?}; {figures:?}", began.elapsed());
    assert!(figures.calls > 1_000, "{figures:?}");
    assert!(
        figures.unknown > 0,
        "nobody was hit, so nothing was tested: {figures:?}"
    );
}
