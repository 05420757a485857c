//! Calls per second on one connection beside a hand-written framed echo, in one run.
//!
//! ```text
//! cargo run --release -p throughput                 # 64 in flight, 5 rounds of 2 s each
//! cargo run --release -p throughput -- 8 3 1.0      # 8 in flight, 3 rounds of 1 s
//! ```
//!
//! Server and client are two processes (the program starts itself again). The rounds of both contestants are
//! interleaved and the medians compared: only the ratio means something on a noisy machine. Every answer is checked.

mod raw;

use std::env;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rpc_runtime::{Server, rpc_service};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// The work: as little as there is.
#[rpc_service]
pub trait Calculator {
    /// Adds two numbers.
    async fn add(&self, a: u64, b: u64) -> u64;
}

struct Adder;

impl Calculator for Adder {
    async fn add(&self, a: u64, b: u64) -> u64 {
        a.wrapping_add(b)
    }
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("serve-rpc") => {
            let serving = Server::new()
                .add(CalculatorService::new(Adder))
                .listen("tcp://127.0.0.1:0")
                .await?;
            println!("{}", serving.address());
            serving.wait().await;
        }
        Some("serve-raw") => raw::serve().await?,
        Some("--help" | "-h") => println!(
            "usage: throughput [IN_FLIGHT [ROUNDS [SECONDS]]]\nexample: throughput 64 5 2.0"
        ),
        _ => compare(&arguments).await?,
    }
    Ok(())
}

async fn compare(arguments: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    let in_flight: usize = argument(arguments, 0, 64)?;
    let rounds: usize = argument(arguments, 1, 5)?;
    let time = Duration::from_secs_f64(argument(arguments, 2, 2.0)?);
    println!(
        "one TCP connection, {in_flight} calls in flight, {rounds} interleaved rounds of {time:?} each, two processes"
    );
    let (_rpc_server, rpc_address) = start("serve-rpc").await?;
    let (_raw_server, raw_address) = start("serve-raw").await?;
    let client = CalculatorClient::connect(&rpc_address).await?;
    let echo = raw::Client::connect(&raw_address).await?;
    let (mut rpc, mut raw, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=rounds {
        let client = client.clone();
        let ours = measure(in_flight, time, move |n| {
            let client = client.clone();
            async move { client.add(n, 1).await.is_ok_and(|sum| sum == n + 1) }
        })
        .await;
        let echo = echo.clone();
        let limit = measure(in_flight, time, move |n| {
            let echo = echo.clone();
            async move { echo.call(n).await == n }
        })
        .await;
        println!(
            "round {round}: rpc add(u64, u64) {ours:>9.0}/s   raw framed echo {limit:>9.0}/s   ratio {:.2}",
            ours / limit
        );
        rpc.push(ours);
        raw.push(limit);
        ratios.push(ours / limit);
    }
    println!(
        "median:  rpc {:.0}/s, raw {:.0}/s, ratio {:.2}",
        median(&mut rpc),
        median(&mut raw),
        median(&mut ratios)
    );
    Ok(())
}

fn argument<T: std::str::FromStr>(
    arguments: &[String],
    index: usize,
    default: T,
) -> Result<T, String> {
    let Some(text) = arguments.get(index) else {
        return Ok(default);
    };
    text.parse().map_err(|_| {
        format!("`{text}` is no number; usage: throughput [IN_FLIGHT [ROUNDS [SECONDS]]]")
    })
}

/// Starts this program again as a server; it prints its address first.
async fn start(role: &str) -> Result<(Child, String), Box<dyn std::error::Error>> {
    let mut child = Command::new(env::current_exe()?)
        .arg(role)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let stdout = child.stdout.take().ok_or("no output")?;
    let address = BufReader::new(stdout)
        .lines()
        .next_line()
        .await?
        .ok_or("the server ended")?;
    Ok((child, address))
}

/// Calls per second of `in_flight` tasks that call one after the other.
async fn measure<F, C>(in_flight: usize, time: Duration, call: F) -> f64
where
    F: Fn(u64) -> C + Clone + Send + 'static,
    C: Future<Output = bool> + Send,
{
    let (stop, count) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let started = Instant::now();
    let tasks: Vec<_> = (0..in_flight)
        .map(|_| {
            let (stop, count, call) = (stop.clone(), count.clone(), call.clone());
            tokio::spawn(async move {
                let mut done = 0;
                while !stop.load(Ordering::Relaxed) {
                    assert!(call(done).await, "a wrong answer");
                    done += 1;
                }
                count.fetch_add(done, Ordering::Relaxed);
            })
        })
        .collect();
    tokio::time::sleep(time).await;
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        assert!(task.await.is_ok(), "a wrong answer");
    }
    count.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64()
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
