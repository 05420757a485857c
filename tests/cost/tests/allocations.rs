//! Calls in the steady state allocate as often as is written here, and not once more.
//!
//! A count above is a mistake or a decision: look for what allocates (`heaptrack target/debug/cost add 1 1000`), and
//! either mend it or write the new count here, with the reason in the commit.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::alloc::System;

use cost::{Case, run};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Calls that are counted: so many that what happens once in many calls (a new read buffer) does not show.
const CALLS: u64 = 4_000;

/// Allocations and growths for each call, both sides together, with `abreast` calls at a time.
fn allocations(case: Case, abreast: u64) -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut region = Region::new(COUNTED);
    runtime.block_on(run(case, abreast, CALLS, || region.reset()));
    let stats = region.change();
    (stats.allocations + stats.reallocations) as f64 / CALLS as f64
}

/// What the handler and the caller allocate for their own values is in the counts too.
#[test]
fn a_call_allocates_no_more_than_is_written_here() {
    // Parameters, the context of the call, and its handler's future.
    let own = 3.0;
    let mut found = Vec::new();
    for (case, abreast, most) in [
        (Case::Add, 1, own),
        (Case::Add, 64, own),
        // The text is the handler's.
        (Case::Measure, 64, own + 1.0),
        // The task of the handler; three of four find so many others that their parameters are copied out of the read buffer.
        (Case::Wait, 64, own + 1.75),
        // Eight strings and a list on each side.
        (Case::Get, 1, own + 18.0),
        (Case::Get, 64, own + 18.0),
    ] {
        let count = allocations(case, abreast);
        println!("{case:?}, {abreast} at a time: {count:.3} for each call, {most} are allowed");
        found.push((case, abreast, count, most));
    }
    for (case, abreast, count, most) in found {
        // Tasks, timers and buffers that are made once, shared by all calls.
        let tolerance = 0.15;
        assert!(
            count <= most + tolerance,
            "{case:?}, {abreast} at a time: {count:.3} allocations for each call, {most} are allowed"
        );
        assert!(
            count > most - 1.0,
            "{case:?}, {abreast} at a time: {count:.3} allocations for each call, fewer than {most}: write the new count here"
        );
    }
}
