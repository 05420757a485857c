//! The service that the tests call: it waits where a test wants it to, and counts what it ran.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rpc_runtime::{Context, Handle, Items, Server, Serving, Stream, rpc_service, stream};
use tokio::sync::Semaphore;

/// Nothing in these tests waits on purpose for so long; what takes this long hangs.
pub(crate) const LONG: Duration = Duration::from_secs(20);

#[rpc_service(package = "leaving")]
pub(crate) trait Work {
    /// The server's name.
    async fn who(&self) -> String;
    /// The server's name, and then numbers, for each of which it waits.
    async fn slowly(&self, to: u64) -> impl Stream<Item = String>;
    async fn sum(&self, numbers: Items<u64>) -> u64;
    async fn counter(&self) -> Handle<CounterClient>;
    /// Asks the caller, as often as this, waiting before each time.
    async fn ask(&self, context: &Context, times: u64) -> u64;
}

#[rpc_service(package = "leaving")]
pub(crate) trait Counter {
    async fn add(&self, by: u64) -> u64;
}

#[rpc_service(package = "leaving")]
pub(crate) trait Near {
    async fn one(&self) -> u64;
}

#[derive(Clone)]
pub(crate) struct Worker {
    pub(crate) name: &'static str,
    /// What waits takes one.
    pub(crate) go: Arc<Semaphore>,
    /// Calls and items that have begun to wait.
    pub(crate) waits: Arc<Semaphore>,
    pub(crate) ran: Arc<AtomicU64>,
}

impl Worker {
    pub(crate) fn new(name: &'static str) -> Self {
        Self {
            name,
            go: Arc::new(Semaphore::new(0)),
            waits: Arc::new(Semaphore::new(0)),
            ran: Arc::default(),
        }
    }

    async fn wait(&self) {
        self.waits.add_permits(1);
        self.go.acquire().await.unwrap().forget();
    }

    /// Until so many have begun to wait.
    pub(crate) async fn began(&self, count: u32) {
        let began = tokio::time::timeout(LONG, self.waits.acquire_many(count));
        began.await.expect("it begins").unwrap().forget();
    }
}

impl Work for Worker {
    async fn who(&self) -> String {
        self.ran.fetch_add(1, Ordering::Relaxed);
        self.name.to_owned()
    }

    async fn slowly(&self, to: u64) -> impl Stream<Item = String> {
        let (sender, receiver) = stream::pipe(1);
        let worker = self.clone();
        tokio::spawn(async move {
            let _ = sender.send(worker.name.to_owned()).await;
            for number in 0..to {
                worker.wait().await;
                if sender.send(number.to_string()).await.is_err() {
                    return;
                }
            }
        });
        receiver
    }

    async fn sum(&self, mut numbers: Items<u64>) -> u64 {
        let mut sum = 0;
        while let Some(Ok(number)) = numbers.next().await {
            self.waits.add_permits(1);
            sum += number;
        }
        sum
    }

    async fn counter(&self) -> Handle<CounterClient> {
        Handle::new(CounterService::new(Counting::default()))
    }

    async fn ask(&self, context: &Context, times: u64) -> u64 {
        let near = NearClient::new(context.caller().unwrap());
        let mut sum = 0;
        for _ in 0..times {
            self.wait().await;
            sum += near.one().await.unwrap();
        }
        sum
    }
}

#[derive(Default)]
struct Counting(AtomicU64);

impl Counter for Counting {
    async fn add(&self, by: u64) -> u64 {
        self.0.fetch_add(by, Ordering::Relaxed) + by
    }
}

pub(crate) struct One;

impl Near for One {
    async fn one(&self) -> u64 {
        1
    }
}

pub(crate) async fn serve(worker: &Worker, address: &str) -> Serving {
    let server = Server::new().add(WorkService::new(worker.clone()));
    server.listen(address).await.unwrap()
}
