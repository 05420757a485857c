//! One method, six ways to call it: `cargo run -p call-modes`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rpc_runtime::{Batch, Context, ErrorKind, Result, Server, rpc_service};
use tokio::sync::oneshot;

/// Counts and computes.
#[rpc_service]
pub trait Calculator {
    /// Adds two numbers.
    #[rpc(idempotent)]
    async fn add(&self, a: u64, b: u64) -> u64;

    /// Takes its time; `fn` without `async` runs on the blocking pool.
    fn factorial(&self, n: u64) -> u64;

    /// Nothing comes back.
    #[rpc(oneway)]
    async fn log(&self, line: &str);

    /// How many lines were logged, and who asks.
    async fn lines(&self, context: &Context) -> String;

    /// Never answers.
    async fn sleep(&self);
}

#[derive(Default)]
struct Machine {
    lines: AtomicU64,
}

impl Calculator for Machine {
    async fn add(&self, a: u64, b: u64) -> u64 {
        a + b
    }

    fn factorial(&self, n: u64) -> u64 {
        (1..=n).product()
    }

    async fn log(&self, line: &str) {
        self.lines.fetch_add(1, Ordering::Relaxed);
        println!("            (the server logs: {line})");
    }

    async fn lines(&self, context: &Context) -> String {
        let who = context.metadata().get("who").unwrap_or("somebody");
        format!("{who} sees {} line(s)", self.lines.load(Ordering::Relaxed))
    }

    async fn sleep(&self) {
        std::future::pending().await
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let server = Server::new()
        .add(CalculatorService::new(Machine::default()))
        .listen("tcp://127.0.0.1:0")
        .await?;
    let calculator = CalculatorClient::connect(server.address()).await?;

    println!("async       1 + 2 = {}", calculator.add(1, 2).await?);

    let address = server.address().to_owned();
    let sum = tokio::task::spawn_blocking(move || -> Result<u64> {
        // No async runtime is used here: the socket is written and read on this thread.
        let calculator = CalculatorBlockingClient::connect(&address)?;
        Ok(calculator.add(3, 4)?)
    });
    println!(
        "sync        3 + 4 = {}",
        sum.await.expect("the thread ends")?
    );

    let (fast, slow) = (
        calculator.add(5, 6).start(),
        calculator.factorial(20).start(),
    );
    println!("handle      5 + 6 = {}, 20! = {}", fast.await?, slow.await?);

    let (told, heard) = oneshot::channel();
    calculator
        .add(7, 8)
        .on_reply(move |outcome| drop(told.send(outcome)));
    println!(
        "callback    7 + 8 = {}",
        heard.await.expect("the callback is called")?
    );

    calculator.log("one-way calls have no answer").await?;
    println!(
        "one-way     sent; {}",
        calculator.lines().metadata("who", "Ann").await?
    );

    let mut batch = Batch::new();
    let sums: Vec<_> = (0..4).map(|n| batch.add(calculator.add(n, n))).collect();
    batch.send();
    print!("batch       ");
    for sum in sums {
        print!("{} ", sum.await?);
    }
    println!("in one write");

    let failure = calculator
        .sleep()
        .timeout(Duration::from_millis(50))
        .await
        .expect_err("it never answers");
    println!("too late    {failure}");
    assert_eq!(failure.kind(), ErrorKind::DeadlineExceeded);
    Ok(())
}
