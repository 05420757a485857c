//! The one command: builds all contestants, runs them beside each other, and writes what was found.

mod build;
mod chart;
mod contestants;
mod generated;
mod growth;
mod hello;
mod process;
mod reach;
mod report;
mod results;
mod rounds;
mod small;
mod source;
mod spots;
mod write;

use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bench_load::Result;
use clap::{Args, Parser, Subcommand};

use crate::growth::Growth;
use crate::process::INTERRUPTED;
use crate::report::Found;
use crate::results::Calls;
use crate::rounds::Rounds;
use crate::small::Codec;
use crate::spots::{CASES, LOADS, Spot};

/// Measures the framework beside hand-written limits and other frameworks.
#[derive(Parser)]
#[command(after_help = EXAMPLES)]
struct Options {
    #[command(subcommand)]
    what: Option<What>,
    /// Keep what is found in docs/performance/ and write docs/performance.md anew
    #[arg(long, global = true)]
    write: bool,
    #[command(flatten)]
    calls: CallOptions,
}

#[derive(Subcommand)]
enum What {
    /// Calls, streams and memory (the default)
    Calls(CallOptions),
    /// How the cost of a call grows with methods, connections, calls in flight, bytes
    Growth(GrowthOptions),
    /// What the smallest program costs to build
    Hello(Names),
    /// What generated code costs to compile
    Generated(Names),
    /// Encoding and decoding beside the same by hand
    Codec,
    /// Lines of .idl checked in a second
    Lines,
    /// Everything above, one after the other
    All(CallOptions),
    /// Writes docs/performance.md and its charts again from what is kept
    Report,
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
    /// Seconds to wait before each run for other programs to leave the machine
    #[arg(long, default_value_t = 0.0)]
    quiet: f64,
    /// One short round of everything: shows that it works, not how fast
    #[arg(long)]
    quick: bool,
}

#[derive(Args)]
struct GrowthOptions {
    /// Only these: methods, connections, in flight, bytes
    #[arg(long, value_delimiter = ',')]
    axes: Vec<String>,
    /// Rounds at each place
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Measured seconds of each run
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
}

#[derive(Args)]
struct Names {
    /// Only these, such as `ours,tarpc`
    #[arg(long, value_delimiter = ',')]
    peers: Vec<String>,
}

const EXAMPLES: &str = "Examples:
  cargo run --release                                         everything about calls, about an hour
  cargo run --release -- calls --quick                        the same in a few minutes, too short to quote
  cargo run --release -- calls --peers limit,ours --cases get --loads 1x64,4x64 --rounds 5
  cargo run --release -- growth --axes bytes
  cargo run --release -- hello --peers ours,tarpc
  cargo run --release -- all --write                          everything there is, kept in docs/performance/
  cargo run --release -- list                                 who takes part, which cases and loads there are";

fn main() -> ExitCode {
    let options = Options::parse();
    // A second Ctrl-C is not needed: every wait looks at this.
    let handler = ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed));
    let done = handler.map_err(Into::into).and_then(|()| run(options));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Result<()> {
    let mut found = Found::default();
    let is_kept = options.write;
    match options.what {
        None => found.calls = Some(calls(&options.calls)?),
        Some(What::Calls(options)) => found.calls = Some(calls(&options)?),
        Some(What::Growth(options)) => found.growth = Some(growth(&options)?),
        Some(What::Hello(names)) => {
            found.hellos = Some(hello::run(&names.peers, &build::scratch()?))
        }
        Some(What::Generated(names)) => {
            found.generated = Some(generated::run(&names.peers, &build::scratch()?))
        }
        Some(What::Codec) => found.codec = Some(codec()?),
        Some(What::Lines) => found.lines = Some(small::lines()?),
        Some(What::All(options)) => {
            // Whatever ends a later part, or fails it, the earlier ones are kept.
            let keep = |found: &Found| if is_kept { keep(found) } else { Ok(()) };
            found.calls = Some(calls(&options)?);
            keep(&found)?;
            found.growth = Some(growth(&GrowthOptions {
                axes: Vec::new(),
                rounds: options.rounds.min(3),
                seconds: options.seconds.min(1.0),
            })?);
            keep(&found)?;
            found.hellos = Some(hello::run(&[], &build::scratch()?));
            keep(&found)?;
            found.generated = Some(generated::run(&[], &build::scratch()?));
            found.codec = Some(codec()?);
            found.lines = Some(small::lines()?);
        }
        Some(What::Report) => return write::report(&write::found()?),
        Some(What::List) => return list(),
    }
    println!("{}", report::everything(&found));
    if is_kept && !INTERRUPTED.load(Ordering::Relaxed) {
        keep(&found)?;
        write::report(&write::found()?)?;
    }
    Ok(())
}

/// Sections that were not measured now stay as they are.
fn keep(found: &Found) -> Result<()> {
    found
        .calls
        .as_ref()
        .map_or(Ok(()), |found| write::keep("calls", found))?;
    found
        .growth
        .as_ref()
        .map_or(Ok(()), |found| write::keep("growth", found))?;
    found
        .hellos
        .as_ref()
        .map_or(Ok(()), |found| write::keep("hello", found))?;
    found
        .generated
        .as_ref()
        .map_or(Ok(()), |found| write::keep("generated", found))?;
    found
        .codec
        .as_ref()
        .map_or(Ok(()), |found| write::keep("codec", found))?;
    found
        .lines
        .as_ref()
        .map_or(Ok(()), |found| write::keep("lines", found))
}

fn calls(options: &CallOptions) -> Result<Calls> {
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
        quiet: Duration::from_secs_f64(options.quiet.max(0.0)),
    };
    let mut found = rounds.run();
    found.remarks.splice(0..0, remarks);
    Ok(found)
}

fn growth(options: &GrowthOptions) -> Result<Growth> {
    let mut remarks = Vec::new();
    let names = ["limit".to_owned(), "ours".to_owned()];
    build::build(contestants::entrants(&names), &mut remarks)?;
    let mut found = growth::run(
        &options.axes,
        options.rounds,
        options.seconds,
        &build::programs()?,
    );
    found.remarks.splice(0..0, remarks);
    Ok(found)
}

fn codec() -> Result<Codec> {
    let mut remarks = Vec::new();
    build::build(contestants::entrants(&["ours".to_owned()]), &mut remarks)?;
    small::codec(&build::programs()?)
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
