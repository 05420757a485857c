//! Callers of every kind, who write down what they were told.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rpc_runtime::{CallOptions, Channel, Execution};

use crate::fleet::{LedgerBlockingClient, LedgerClient};

const LIMIT: Duration = Duration::from_secs(10);

/// What the caller of a call was told.
#[derive(Clone, Debug)]
struct Call {
    idempotent: bool,
    /// `None`: the result.
    failure: Option<(Execution, String)>,
}

#[derive(Default)]
struct Book {
    next: AtomicU64,
    over: AtomicBool,
    calls: Mutex<HashMap<u64, Call>>,
}

impl Book {
    /// The number of a call, whether it is idempotent, and how long its handler takes.
    fn open(&self) -> (u64, bool, u64) {
        let number = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        let pause = if number.is_multiple_of(5) {
            number % 40
        } else {
            0
        };
        (number, number.is_multiple_of(2), pause)
    }

    fn note<E: std::fmt::Display>(
        &self,
        number: u64,
        idempotent: bool,
        outcome: Result<u64, E>,
        execution: impl FnOnce(&E) -> Execution,
    ) {
        let failure = match outcome {
            Ok(answer) => {
                assert_eq!(answer, number, "the answer is that of another call");
                None
            }
            Err(failure) => Some((execution(&failure), failure.to_string())),
        };
        let call = Call {
            idempotent,
            failure,
        };
        self.calls.lock().unwrap().insert(number, call);
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}

/// Callers at work.
pub(crate) struct Load {
    book: Arc<Book>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    pub(crate) fn start(addresses: &[String]) -> Self {
        let book = Arc::new(Book::default());
        let list = format!("list://{}", addresses.join(","));
        let mut threads = Vec::new();
        let (shared, all) = (book.clone(), list.clone());
        let each: Vec<_> = addresses
            .iter()
            .map(|address| format!("tcp://{address}"))
            .collect();
        threads.push(std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(asynchronous(shared, all, each));
        }));
        for number in 0..2 {
            let (book, list) = (book.clone(), list.clone());
            // One that is always at it, and one whose connections are idle in between.
            let pause = if number == 0 { 3 } else { 150 };
            threads.push(std::thread::spawn(move || {
                blocking(&book, &list, Duration::from_millis(pause))
            }));
        }
        Self { book, threads }
    }

    pub(crate) fn stop(self) -> Told {
        self.book.over.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().unwrap();
        }
        Told(self.book.calls.lock().unwrap().clone())
    }
}

/// Callers of the balanced channel; with those of the other channels they make some 3,000 calls a second.
const SHARED: usize = 16;

async fn asynchronous(book: Arc<Book>, list: String, each: Vec<String>) {
    let mut callers = tokio::task::JoinSet::new();
    // A balanced channel that many share, and a channel straight to each server.
    let balanced = Channel::connect(&list).await.unwrap();
    let mut channels = vec![balanced; SHARED];
    for address in each {
        let straight = Channel::connect(address).await.unwrap();
        channels.extend([straight.clone(), straight]);
    }
    for channel in channels {
        let (book, client) = (book.clone(), LedgerClient::new(channel));
        callers.spawn(async move {
            while !book.is_over() {
                let (number, idempotent, pause) = book.open();
                let call = if idempotent {
                    client.put(number, pause)
                } else {
                    client.add(number, pause)
                };
                let outcome = call.timeout(LIMIT).await;
                book.note(number, idempotent, outcome, |failure| failure.execution());
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        });
    }
    while let Some(caller) = callers.join_next().await {
        caller.unwrap();
    }
}

fn blocking(book: &Book, list: &str, rest: Duration) {
    let client = LedgerBlockingClient::connect(list).unwrap();
    let client = client.with_options(CallOptions::new().timeout(LIMIT));
    while !book.is_over() {
        let (number, idempotent, pause) = book.open();
        let outcome = if idempotent {
            client.put(number, pause)
        } else {
            client.add(number, pause)
        };
        book.note(number, idempotent, outcome, |failure| failure.execution());
        std::thread::sleep(rest);
    }
}

/// What all callers were told.
pub(crate) struct Told(HashMap<u64, Call>);

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) calls: usize,
    pub(crate) executions: u32,
    pub(crate) repetitions: u32,
    pub(crate) failed_idempotent: usize,
    pub(crate) failed_others: usize,
    pub(crate) unknown: usize,
}

impl Told {
    /// Compares with what the servers ran.
    pub(crate) fn compare(&self, ran: &HashMap<u64, (u32, u32)>) -> Figures {
        let mut figures = Figures::default();
        for (number, call) in &self.0 {
            let (executions, unflagged) = ran.get(number).copied().unwrap_or_default();
            let most = if call.idempotent { u32::MAX } else { 1 };
            let right = match call.failure.as_ref().map(|failure| failure.0) {
                None | Some(Execution::Executed) => 1..=most,
                Some(Execution::NotSent | Execution::NotStarted) => 0..=0,
                Some(Execution::Unknown) => 0..=most,
            };
            assert!(
                right.contains(&executions),
                "call {number} ran {executions} times, expected {right:?}: {call:?}"
            );
            assert!(
                unflagged <= 1,
                "a repetition of call {number} does not say so"
            );
            figures.calls += 1;
            figures.executions += executions;
            figures.repetitions += executions - unflagged;
            let failed = usize::from(call.failure.is_some());
            if call.idempotent {
                figures.failed_idempotent += failed;
            } else {
                figures.failed_others += failed;
            }
            figures.unknown += usize::from(matches!(call.failure, Some((Execution::Unknown, _))));
        }
        assert!(
            ran.keys().all(|number| self.0.contains_key(number)),
            "a call that nobody made"
        );
        figures
    }

    /// The first failures, for the report of a test that fails.
    pub(crate) fn failures(&self) -> String {
        let mut text = String::new();
        let failed = self.0.iter().filter(|(_, call)| call.failure.is_some());
        for (number, call) in failed.take(10) {
            writeln!(text, "{number}: {call:?}").unwrap();
        }
        text
    }
}
