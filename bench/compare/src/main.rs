//! The one command: builds all contestants, runs them beside each other, and writes what was found.

mod build;
mod contestants;
mod process;
mod report;
mod results;
mod rounds;
mod spots;

use std::process::ExitCode;
use std::sync::atomic::Ordering;

use bench_load::Result;
use clap::{Args, Parser, Subcommand};

use crate::process::INTERRUPTED;
use crate::rounds::Rounds;
use crate::spots::{CASES, LOADS, Spot};

/// Measures the framework beside hand-written limits and other frameworks.
#[derive(Parser)]
#[command(after_help = EXAMPLES)]
struct Options {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    calls: CallOptions,
}

#[derive(Subcommand)]
enum What {
    /// Calls, streams and memory (the default)
    Calls(CallOptions),
    /// Tells who takes part, the cases and the loads
    List,
}

#[derive(Args, Clone)]
struct CallOptions {
    /// Only these contestants or variants, such as `limit,ours,tarpc` or `ours/blocking`; the limit is the base of all ratios
    #[arg(long, value_delimiter = ',')]
    peers: Vec<String>,
    /// Only these cases
    #[arg(long, value_delimiter = ',')]
    cases: Vec<String>,
    /// Only these loads
    #[arg(long, value_delimiter = ',')]
    loads: Vec<String>,
    /// Interleaved rounds
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Measured seconds of each run
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Seconds before that
    #[arg(long, default_value_t = 0.5)]
    warm_up: f64,
    /// One short round of everything: shows that it works, not how fast
    #[arg(long)]
    quick: bool,
}

const EXAMPLES: &str = "Examples:
  cargo run --release                                         everything about calls, about an hour
  cargo run --release -- calls --quick                        the same in a few minutes, too short to quote
  cargo run --release -- calls --peers limit,ours --cases get --loads 1x64,4x64 --rounds 5
  cargo run --release -- list                                 who takes part, which cases and loads there are";

fn main() -> ExitCode {
    let options = Options::parse();
    // A second Ctrl-C is not needed: every wait looks at this.
    let handler = ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed));
    let done = handler
        .map_err(Into::into)
        .and_then(|()| match options.what {
            None => calls(&options.calls),
            Some(What::Calls(options)) => calls(&options),
            Some(What::List) => list(),
        });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn calls(options: &CallOptions) -> Result<()> {
    let entrants = contestants::entrants(&options.peers);
    let spots = Spot::chosen(&options.cases, &options.loads);
    if entrants.is_empty() || spots.is_empty() {
        return Err("nothing to measure: `list` tells the names".into());
    }
    let mut remarks = Vec::new();
    let entrants = build::build(entrants, &mut remarks)?;
    let rounds = Rounds {
        entrants,
        spots,
        rounds: if options.quick { 1 } else { options.rounds },
        seconds: if options.quick { 0.3 } else { options.seconds },
        warm_up: if options.quick { 0.1 } else { options.warm_up },
        programs: build::programs()?,
    };
    let mut found = rounds.run();
    found.remarks.splice(0..0, remarks);
    println!("{}", report::calls(&found));
    found
        .remarks
        .iter()
        .for_each(|remark| println!("- {remark}"));
    Ok(())
}

fn list() -> Result<()> {
    println!("contestants:");
    for entrant in contestants::entrants(&[]) {
        println!("  {}", entrant.label());
    }
    println!("cases:");
    for case in CASES {
        println!(
            "  {:18} {} ({})",
            case.name,
            case.text,
            case.loads.join(" ")
        );
    }
    println!("loads:");
    for load in LOADS {
        println!("  {:18} {}", load.name, load.text);
    }
    Ok(())
}
