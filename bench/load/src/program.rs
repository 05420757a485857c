//! The two processes of a run: `serve` and `load`.

use std::env;
use std::future::Future;
use std::io::{self, Read, Write};
use std::process::ExitCode;

use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;

use crate::contestant::Contestant;
use crate::outcome::Outcome;
use crate::plan::{Kind, Plan};
use crate::usage::Allocations;
use crate::{Result, beside, closed, control, idle, open, usage};

/// What both programs of a contestant call: `serve …` or `load …`, with `key=value` arguments.
pub fn main<C: Contestant>(allocations: Allocations) -> ExitCode {
    let mut arguments = env::args().skip(1);
    let role = arguments.next();
    let done = match role.as_deref() {
        Some("serve") => Plan::parse(arguments).and_then(|plan| serve::<C>(&plan, allocations)),
        Some("load") => Plan::parse(arguments).and_then(|plan| load::<C>(&plan, allocations)),
        _ => Err(USAGE.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

const USAGE: &str = "usage: PROGRAM serve [variant=V] [unix=true address=PATH] [cpu=N]
       PROGRAM load address=A control=C [case=add|get|list|list-by-reference|echo|stream] [kind=closed|blocking|open|idle|beside]
               [connections=1] [in_flight=1] [size=BYTES] [rate=CALLS_PER_SECOND] [warm_up=0.5] [seconds=2]
`serve` prints its address and that of its side door, and ends when its standard input does.";

/// Serves until standard input ends, so that no server outlives whoever started it.
fn serve<C: Contestant>(plan: &Plan, allocations: Allocations) -> Result<()> {
    prepare(plan)?;
    let control = control::serve(allocations)?;
    let runtime = runtime::<C>(plan)?;
    run::<C, _>(&runtime, async {
        let server = C::serve(plan).await?;
        println!("{} {control}", server.address);
        io::stdout().flush()?;
        tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new())).await??;
        drop(server.keep);
        Ok(())
    })?;
    runtime.shutdown_background();
    Ok(())
}

fn load<C: Contestant>(plan: &Plan, allocations: Allocations) -> Result<()> {
    prepare(plan)?;
    let outcome = match plan.kind {
        Kind::Blocking => closed::block::<C>(plan, allocations)?,
        _ => {
            let runtime = runtime::<C>(plan)?;
            let outcome = run::<C, _>(&runtime, measured::<C>(plan, allocations))?;
            runtime.shutdown_background();
            outcome
        }
    };
    println!("{}", serde_json::to_string(&outcome)?);
    Ok(())
}

async fn measured<C: Contestant>(plan: &Plan, allocations: Allocations) -> Result<Outcome> {
    match plan.kind {
        Kind::Open => open::run::<C>(plan, allocations).await,
        Kind::Idle => idle::run::<C>(plan).await,
        Kind::Beside => beside::run::<C>(plan).await,
        Kind::Closed | Kind::Blocking => closed::run::<C>(plan, allocations).await,
    }
}

fn prepare(plan: &Plan) -> Result<()> {
    usage::raise_open_files();
    plan.cpu.map_or(Ok(()), usage::pin)
}

/// Two workers; one where the process is pinned to one CPU, as tokio would choose by itself there.
fn runtime<C: Contestant>(plan: &Plan) -> Result<Runtime> {
    let mut builder = if C::LOCAL {
        Builder::new_current_thread()
    } else {
        Builder::new_multi_thread()
    };
    let workers = if plan.cpu.is_some() { 1 } else { 2 };
    Ok(builder.worker_threads(workers).enable_all().build()?)
}

fn run<C: Contestant, T>(runtime: &Runtime, work: impl Future<Output = Result<T>>) -> Result<T> {
    if C::LOCAL {
        LocalSet::new().block_on(runtime, work)
    } else {
        runtime.block_on(work)
    }
}
