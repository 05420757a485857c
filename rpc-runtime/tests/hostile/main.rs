//! Strangers, liars, floods and false servers: all end with a reason.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test a panic is the report"
)]

#[path = "../raw/mod.rs"]
mod raw;

mod before_hello;
mod budgets;
mod connections;
mod floods;
mod frames;
mod liars;
mod memory;
mod servers;
mod trickles;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use rpc_runtime::{Limits, Server, Serving, Status, rpc_service};
use tokio::time::timeout;

use raw::{Frame, LONG, Raw, call};

#[derive(Debug, serde::Serialize, serde::Deserialize)]
enum Expr {
    Lit(i64),
    Neg(Box<Expr>),
}

#[rpc_service]
trait Target {
    async fn ping(&self) -> u64;
    async fn add(&self, a: u64, b: u64) -> u64;
    async fn eval(&self, expr: Expr) -> i64;
    async fn never(&self);
    async fn blob(&self, size: u64) -> String;
    async fn echo(&self, text: String) -> String;
    fn made(&self, size: u64) -> String;
    async fn count(&self, up_to: u64) -> impl rpc_runtime::Stream<Item = u64>;
}

#[derive(Clone, Default)]
struct Bystander {
    running: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    begun: Arc<AtomicUsize>,
    added: Arc<AtomicUsize>,
    blobs: Arc<AtomicUsize>,
}

struct Running<'a>(&'a Bystander);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, SeqCst);
    }
}

impl Target for Bystander {
    async fn ping(&self) -> u64 {
        1
    }
    async fn add(&self, a: u64, b: u64) -> u64 {
        self.added.fetch_add(1, SeqCst);
        a.wrapping_add(b)
    }
    async fn eval(&self, expr: Expr) -> i64 {
        value(&expr)
    }
    async fn never(&self) {
        self.begun.fetch_add(1, SeqCst);
        self.most
            .fetch_max(self.running.fetch_add(1, SeqCst) + 1, SeqCst);
        let _running = Running(self);
        std::future::pending().await
    }
    async fn blob(&self, size: u64) -> String {
        self.blobs.fetch_add(1, SeqCst);
        "x".repeat(size as usize)
    }
    async fn echo(&self, text: String) -> String {
        text
    }
    fn made(&self, size: u64) -> String {
        self.blobs.fetch_add(1, SeqCst);
        "x".repeat(size as usize)
    }
    async fn count(&self, up_to: u64) -> impl rpc_runtime::Stream<Item = u64> {
        rpc_runtime::stream::iter(0..up_to)
    }
}

fn value(expr: &Expr) -> i64 {
    match expr {
        Expr::Lit(value) => *value,
        Expr::Neg(inner) => -value(inner),
    }
}

fn id_of(method: &str) -> u64 {
    let methods = TargetClient::SERVICE.methods;
    methods
        .iter()
        .find(|known| known.name == method)
        .unwrap()
        .id
}

/// A server, and a connection that was there before the attack.
struct Victim {
    serving: Serving,
    witness: TargetClient,
    handlers: Bystander,
}

impl Victim {
    async fn new() -> Self {
        Self::with(Limits::default()).await
    }

    async fn with(limits: Limits) -> Self {
        let handlers = Bystander::default();
        let serving = Server::new()
            .limits(limits)
            .add(TargetService::new(handlers.clone()))
            .listen("tcp://127.0.0.1:0")
            .await
            .unwrap();
        let witness = TargetClient::connect(serving.address()).await.unwrap();
        Self {
            serving,
            witness,
            handlers,
        }
    }

    fn address(&self) -> &str {
        self.serving.address()
    }

    async fn open(&self) -> Raw {
        Raw::open(self.address()).await.0
    }

    async fn lives(&self) {
        let answer = timeout(LONG, self.witness.ping()).await;
        assert_eq!(answer.expect("the server answers others").unwrap(), 1);
    }

    /// Waits until only the witness is connected.
    async fn alone(&self) {
        let wait = async {
            while self.serving.connections() > 1 {
                self.lives().await;
            }
        };
        timeout(LONG, wait).await.expect("the attacker is put out");
    }

    /// Sends bytes before HELLO and gives what comes back until the end.
    async fn stranger(&self, bytes: &[u8]) -> Vec<u8> {
        let mut raw = Raw::silent(self.address()).await;
        raw.send(bytes).await;
        let answer = raw.rest().await;
        self.lives().await;
        answer
    }

    /// Sends bytes after HELLO; the last thing that comes back must be this GOAWAY.
    async fn put_out(&self, bytes: &[u8], reason: u8, text: &str) {
        let mut raw = self.open().await;
        raw.send(bytes).await;
        expect_end(&mut raw, reason, text).await;
        self.lives().await;
    }

    /// Sends a CALL; it must be refused like this, and the connection must go on.
    async fn refused(&self, bytes: &[u8], status: Status, text: &str) {
        let mut raw = self.open().await;
        raw.send(bytes).await;
        raw.send(&call(99, id_of("ping"), &[0x90])).await;
        let (code, execution, said) = raw.next().await.unwrap().fail();
        assert_eq!((code, execution), (status.code(), 1), "{said}");
        assert!(said.contains(text), "{said}");
        assert_reply(&raw.next().await.unwrap(), 99, &[1]);
        self.lives().await;
    }
}

async fn expect_end(raw: &mut Raw, reason: u8, text: &str) {
    let mut last = None;
    while let Some(frame) = raw.next().await {
        last = Some(frame);
    }
    let (_, found, said) = last.expect("a GOAWAY").go_away();
    assert_eq!(found, reason, "{said}");
    assert!(said.contains(text), "{said}");
}

#[track_caller]
fn assert_reply(frame: &Frame, id: u32, body: &[u8]) {
    assert_eq!(
        (frame.kind, frame.id, &frame.rest[..]),
        (3, id, body),
        "{frame:?}"
    );
}

fn params(mut rest: Vec<u8>, tail: &[u8]) -> Vec<u8> {
    rest.extend(tail);
    rest
}
