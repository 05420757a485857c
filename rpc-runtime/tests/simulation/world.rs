//! One run: servers that call each other, clients, and what happens to them, all from one seed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rpc_runtime::{Channel, Context, ErrorKind, Execution, Limits, Server, Serving, rpc_service};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::network::{Dice, Network};

const SERVERS: usize = 3;
const CLIENTS: usize = 4;
const CALLS: usize = 10;
const EVENTS: usize = 9;

#[rpc_service(package = "simulation")]
pub(crate) trait Ledger {
    /// Must not run twice.
    async fn add(&self, call: u64, load: Vec<u8>) -> u64;
    /// May run twice.
    #[rpc(idempotent)]
    async fn put(&self, call: u64, load: Vec<u8>) -> u64;
    /// Must not run twice, and calls on to other servers.
    async fn relay(&self, call: u64, hops: u32) -> u64;
    /// May run twice, and calls on to other servers.
    #[rpc(idempotent)]
    async fn relay_put(&self, call: u64, hops: u32) -> u64;
}

/// What the caller of a call was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Result,
    Failed(Execution),
    /// It did not wait for the end.
    Nothing,
}

#[derive(Debug)]
struct Call {
    idempotent: bool,
    /// Made by the handler of a repetition.
    below_a_repetition: bool,
    told: Told,
    executions: u32,
    /// Executions whose handler was not told that they are repetitions.
    unflagged: u32,
}

/// What has happened, as nobody in the system sees it.
struct Book {
    began: Instant,
    calls: Mutex<BTreeMap<u64, Call>>,
    trace: Mutex<String>,
    dice: Mutex<Dice>,
}

impl Book {
    fn note(&self, what: std::fmt::Arguments<'_>) {
        let mut trace = self.trace.lock().unwrap();
        writeln!(trace, "{:>10} {what}", self.began.elapsed().as_micros()).unwrap();
    }

    fn open(&self, idempotent: bool, below_a_repetition: bool) -> u64 {
        let mut calls = self.calls.lock().unwrap();
        let number = calls.len() as u64 + 1;
        calls.insert(
            number,
            Call {
                idempotent,
                below_a_repetition,
                told: Told::Nothing,
                executions: 0,
                unflagged: 0,
            },
        );
        number
    }

    fn executed(&self, number: u64, at: usize) {
        self.note(format_args!("run {number} at s{at}"));
        let repeated = Context::current().unwrap().is_repeated();
        let mut calls = self.calls.lock().unwrap();
        let call = calls.get_mut(&number).unwrap();
        call.executions += 1;
        call.unflagged += u32::from(!repeated);
    }

    fn told(&self, number: u64, told: Told, text: &str) {
        self.note(format_args!("told {number} {told:?} {text}"));
        self.calls.lock().unwrap().get_mut(&number).unwrap().told = told;
    }

    fn roll<T>(&self, roll: impl FnOnce(&mut Dice) -> T) -> T {
        roll(&mut self.dice.lock().unwrap())
    }

    /// Makes one call and notes what came of it. Whether it was answered.
    async fn call(&self, client: &LedgerClient, hops: u32) -> bool {
        let repeated = Context::current().is_some_and(|context| context.is_repeated());
        let (idempotent, on, limit, once, load) = self.roll(|dice| {
            let limit = match dice.below(4) {
                0 => dice.millis(60),
                1 => dice.millis(600),
                _ => Duration::from_secs(4),
            };
            (
                dice.one_in(2),
                dice.one_in(3) && hops > 0,
                limit,
                dice.one_in(8),
                // Large ones travel in pieces.
                if dice.one_in(7) {
                    40_000 + dice.below(200_000)
                } else {
                    0
                },
            )
        });
        let load = vec![7; load as usize];
        let number = self.open(idempotent, repeated);
        self.note(format_args!(
            "call {number} idempotent {idempotent} hops {hops} within {limit:?}"
        ));
        let call = match (idempotent, on) {
            (false, false) => client.add(number, load),
            (true, false) => client.put(number, load),
            (false, true) => client.relay(number, hops - 1),
            (true, true) => client.relay_put(number, hops - 1),
        };
        let call = call.timeout(limit);
        match if once { call.no_retry() } else { call }.await {
            Ok(answer) => {
                assert_eq!(answer, number, "the answer is that of another call");
                self.told(number, Told::Result, "");
                true
            }
            Err(failure) => {
                assert_ne!(failure.kind(), ErrorKind::Internal, "{failure}");
                self.told(
                    number,
                    Told::Failed(failure.execution()),
                    &failure.to_string(),
                );
                false
            }
        }
    }

    /// Never twice, and never wrong about it.
    fn check(&self) -> Result<Figures, String> {
        let mut figures = Figures::default();
        for (number, call) in &*self.calls.lock().unwrap() {
            let most = if call.idempotent && !call.below_a_repetition {
                u32::MAX
            } else {
                1
            };
            let right = match call.told {
                Told::Result | Told::Failed(Execution::Executed) => 1..=most,
                Told::Failed(Execution::NotSent | Execution::NotStarted) => 0..=0,
                Told::Failed(Execution::Unknown) | Told::Nothing => 0..=most,
            };
            // The first attempt, or a call below a repetition, which is never repeated itself.
            if call.unflagged > 1 {
                return Err(format!(
                    "call {number}: {call:?}, a repetition does not say so"
                ));
            }
            if !right.contains(&call.executions) {
                return Err(format!(
                    "call {number}: {call:?}, expected {right:?} executions"
                ));
            }
            figures.calls += 1;
            figures.executions += u64::from(call.executions);
            figures.answered += u64::from(call.told == Told::Result);
            figures.unknown += u64::from(call.told == Told::Failed(Execution::Unknown));
            figures.twice += u64::from(call.executions > 1);
        }
        Ok(figures)
    }
}

/// What was seen, so that a run in which nothing happens is noticed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) calls: u64,
    pub(crate) executions: u64,
    pub(crate) answered: u64,
    pub(crate) unknown: u64,
    pub(crate) twice: u64,
}

impl std::ops::AddAssign for Figures {
    fn add_assign(&mut self, other: Self) {
        self.calls += other.calls;
        self.executions += other.executions;
        self.answered += other.answered;
        self.unknown += other.unknown;
        self.twice += other.twice;
    }
}

struct Node {
    at: usize,
    book: Arc<Book>,
    next: LedgerClient,
}

impl Node {
    async fn work(&self, call: u64, hops: Option<u32>) -> u64 {
        self.book.executed(call, self.at);
        let pause = self.book.roll(|dice| {
            if dice.one_in(3) {
                dice.millis(80)
            } else {
                Duration::ZERO
            }
        });
        if !pause.is_zero() {
            sleep(pause).await;
        }
        if let Some(hops) = hops {
            self.book.call(&self.next, hops).await;
        }
        call
    }
}

impl Ledger for Node {
    async fn add(&self, call: u64, load: Vec<u8>) -> u64 {
        assert!(
            load.iter().all(|byte| *byte == 7),
            "a body of pieces of others"
        );
        self.work(call, None).await
    }
    async fn put(&self, call: u64, load: Vec<u8>) -> u64 {
        assert!(
            load.iter().all(|byte| *byte == 7),
            "a body of pieces of others"
        );
        self.work(call, None).await
    }
    async fn relay(&self, call: u64, hops: u32) -> u64 {
        self.work(call, Some(hops)).await
    }
    async fn relay_put(&self, call: u64, hops: u32) -> u64 {
        self.work(call, Some(hops)).await
    }
}

fn address(server: usize) -> String {
    format!("tcp://s{server}:1")
}

async fn start(at: usize, book: &Arc<Book>, network: &Arc<Network>) -> Serving {
    let host = format!("s{at}");
    // Connects when it is needed: the next server may be down.
    let next = format!(
        "list://{}",
        address((at + 1) % SERVERS).trim_start_matches("tcp://")
    );
    let next = lazily(network, &host, &next);
    let node = Node {
        at,
        book: book.clone(),
        next,
    };
    let limits = Limits {
        max_connection_age: book.roll(|dice| {
            dice.one_in(3)
                .then(|| Duration::from_millis(300 + dice.below(2_000)))
        }),
        max_inflight_per_connection: if book.roll(|dice| dice.one_in(4)) {
            2
        } else {
            256
        },
        ..Limits::default()
    };
    let server = Server::new().limits(limits).transport(network.host(&host));
    server
        .add(LedgerService::new(node))
        .listen(address(at))
        .await
        .unwrap()
}

/// A channel whose first connection may fail.
fn lazily(network: &Arc<Network>, host: &str, address: &str) -> LedgerClient {
    let builder = Channel::builder().transport(network.host(host));
    LedgerClient::new(builder.lazy(address).unwrap())
}

/// One server's life: killed, drained, cut off, cut; always back at the end.
async fn trouble(servers: &mut [Option<Serving>], book: &Arc<Book>, network: &Arc<Network>) {
    for _ in 0..EVENTS {
        let (pause, at, what, rest) = book.roll(|dice| {
            (
                dice.millis(400),
                dice.below(SERVERS as u64) as usize,
                dice.below(5),
                dice.millis(600),
            )
        });
        sleep(pause).await;
        let host = format!("s{at}");
        book.note(format_args!("event {what} at {host}"));
        match what {
            0 => {
                network.kill(&host);
                servers[at] = None;
                sleep(rest).await;
                servers[at] = Some(start(at, book, network).await);
            }
            1 => {
                if let Some(serving) = &mut servers[at] {
                    serving.shutdown(rest * 4).await;
                }
                servers[at] = Some(start(at, book, network).await);
            }
            2 => network.cut(&host),
            3 => {
                network.part(&host, true);
                sleep(rest).await;
                network.part(&host, false);
            }
            _ => {
                // A shutdown that is given up in the middle.
                if let Some(serving) = &mut servers[at] {
                    let _ = timeout(rest / 8, serving.shutdown(rest)).await;
                }
                servers[at] = Some(start(at, book, network).await);
            }
        }
    }
    network.calm();
}

async fn client(number: usize, book: Arc<Book>, network: Arc<Network>) {
    let host = format!("c{number}");
    let all: Vec<_> = (0..SERVERS).map(|at| format!("s{at}:1")).collect();
    let to = match number {
        0 | 1 => address(number),
        2 => format!("list://{}", all.join(",")),
        _ => format!("list://{}?balance=random", all.join(",")),
    };
    let client = lazily(&network, &host, &to);
    let mut calls = JoinSet::new();
    for _ in 0..CALLS {
        let (pause, patience) = book.roll(|dice| {
            let patience = if dice.one_in(6) {
                dice.millis(150)
            } else {
                Duration::from_secs(60)
            };
            (dice.millis(350), patience)
        });
        sleep(pause).await;
        let (book, client) = (book.clone(), client.clone());
        calls.spawn(async move {
            let _ = timeout(patience, book.call(&client, 2)).await;
        });
    }
    while let Some(call) = calls.join_next().await {
        call.unwrap();
    }
}

async fn live(seed: u64) -> (Result<Figures, String>, String) {
    let network = Network::new(seed);
    let book = Arc::new(Book {
        began: Instant::now(),
        calls: Mutex::default(),
        trace: Mutex::default(),
        dice: Mutex::new(Dice::new(seed)),
    });
    let mut servers = Vec::new();
    for at in 0..SERVERS {
        servers.push(Some(start(at, &book, &network).await));
    }
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        clients.spawn(client(number, book.clone(), network.clone()));
    }
    let ends = timeout(Duration::from_secs(300), async {
        trouble(&mut servers, &book, &network).await;
        while let Some(client) = clients.join_next().await {
            client.unwrap();
        }
    });
    let ended = ends.await;
    // What is late may still arrive.
    sleep(Duration::from_secs(30)).await;
    drop(servers);
    sleep(Duration::from_secs(30)).await;
    let verdict = match ended {
        Ok(()) => book.check(),
        Err(_) => Err("it does not end".to_owned()),
    };
    (verdict, book.trace.lock().unwrap().clone())
}

/// Runs one seed to its end.
///
/// The verdict, and everything that happened in the order in which it happened.
pub(crate) fn run(seed: u64) -> (Result<Figures, String>, String) {
    rpc_runtime::__private::seed_random(Some(seed));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let outcome = runtime.block_on(live(seed));
    drop(runtime);
    rpc_runtime::__private::seed_random(None);
    outcome
}
