//! A client in Python, written from docs/wire.md alone, against a real server.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test a panic is the report"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rpc_runtime::{Context, Items, Server, Stream, rpc_service, stream};
use tokio::sync::Notify;

#[derive(serde::Serialize, serde::Deserialize)]
enum Refusal {
    ByZero,
    TooLarge { limit: u64 },
}

/// Carried as bin; plain `Vec<u8>` inside of a serde type is an array.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Blob(#[serde(with = "blob")] Vec<u8>);

mod blob {
    use serde::de::{Error, Visitor};

    pub(super) fn serialize<S: serde::Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<u8>, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Vec<u8>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
        }
        from.deserialize_byte_buf(Bytes)
    }
}

type Echo = (String, Vec<f64>, BTreeMap<String, Blob>);

#[rpc_service(package = "demo.v1")]
trait Work {
    async fn add(&self, a: u64, b: u64) -> u64;
    async fn echo(&self, text: String, numbers: Vec<f64>, map: BTreeMap<String, Blob>) -> Echo;
    async fn nothing(&self);
    async fn size(&self, bytes: Blob) -> u64;
    async fn divide(&self, a: u64, b: u64) -> Result<u64, Refusal>;
    async fn panics(&self);
    async fn whose(&self, context: &Context) -> String;
    async fn time_left(&self, context: &Context) -> u64;
    async fn never(&self);
    async fn stopped(&self) -> u32;
    async fn wait_for_go(&self) -> String;
    #[rpc(oneway)]
    async fn go(&self);
    #[rpc(oneway)]
    async fn shut_down(&self);
    async fn give_back(&self, bytes: Vec<u8>) -> Vec<u8>;
    fn count(&self, to: u64) -> impl Stream<Item = u64>;
    fn blobs(&self, sizes: Vec<u32>) -> impl Stream<Item = Vec<u8>>;
    fn breaks(&self, after: u64) -> impl Stream<Item = Result<u64, Refusal>>;
    fn endless(&self) -> impl Stream<Item = u64>;
    async fn total(&self, numbers: Items<u64>) -> (u64, u64);
    async fn lengths(&self, blobs: Items<Vec<u8>>) -> Vec<u32>;
    async fn first(&self, numbers: Items<u64>) -> u64;
    async fn echo_all(&self, words: Items<String>) -> impl Stream<Item = String>;
    async fn ask_double(&self, number: u64, context: &Context) -> Result<u64, String>;
    async fn ask_reverse(&self, bytes: Vec<u8>, context: &Context) -> Vec<u8>;
    async fn ask_note(&self, text: String, context: &Context);
    async fn ask_missing(&self, context: &Context) -> Result<(), String>;
}

/// What the client of this test exports, but for `missing`.
#[rpc_service(package = "demo.v1")]
trait Near {
    async fn double(&self, number: u64) -> u64;
    async fn reverse(&self, bytes: Vec<u8>) -> Vec<u8>;
    #[rpc(oneway)]
    async fn note(&self, text: String);
    async fn missing(&self);
}

fn near(context: &Context) -> NearClient {
    NearClient::new(context.caller().unwrap())
}

/// Counts when it is dropped.
struct Stopped(Arc<AtomicU32>);

impl Drop for Stopped {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[derive(Default)]
struct Worker {
    go: Notify,
    stopped: Arc<AtomicU32>,
    shut_down: Arc<Notify>,
    release: Arc<Notify>,
}

struct CountDrop<'a>(&'a AtomicU32);

impl Drop for CountDrop<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Work for Worker {
    async fn add(&self, a: u64, b: u64) -> u64 {
        a + b
    }
    async fn echo(&self, text: String, numbers: Vec<f64>, map: BTreeMap<String, Blob>) -> Echo {
        (text, numbers, map)
    }
    async fn nothing(&self) {}
    async fn size(&self, bytes: Blob) -> u64 {
        bytes.0.len() as u64
    }
    async fn divide(&self, a: u64, b: u64) -> Result<u64, Refusal> {
        match (a, b) {
            (_, 0) => Err(Refusal::ByZero),
            (1001.., _) => Err(Refusal::TooLarge { limit: 1000 }),
            _ => Ok(a / b),
        }
    }
    async fn panics(&self) {
        panic!("as asked")
    }
    async fn whose(&self, context: &Context) -> String {
        context
            .metadata()
            .get("user")
            .unwrap_or("nobody")
            .to_owned()
    }
    async fn time_left(&self, context: &Context) -> u64 {
        context
            .time_left()
            .map_or(0, |left| left.as_millis() as u64)
    }
    async fn never(&self) {
        let _count = CountDrop(&self.stopped);
        std::future::pending().await
    }
    async fn stopped(&self) -> u32 {
        self.stopped.load(Ordering::SeqCst)
    }
    async fn wait_for_go(&self) -> String {
        tokio::select! {
            () = self.go.notified() => {}
            () = self.release.notified() => {}
        }
        "gone".to_owned()
    }
    async fn go(&self) {
        self.go.notify_one();
    }
    async fn shut_down(&self) {
        self.shut_down.notify_one();
    }
    async fn give_back(&self, bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }
    fn count(&self, to: u64) -> impl Stream<Item = u64> {
        stream::iter(0..to)
    }
    fn blobs(&self, sizes: Vec<u32>) -> impl Stream<Item = Vec<u8>> {
        stream::iter(sizes.into_iter().map(|size| vec![7; size as usize]))
    }
    fn breaks(&self, after: u64) -> impl Stream<Item = Result<u64, Refusal>> {
        let numbers = (0..after).map(Ok);
        stream::iter(numbers.chain([Err(Refusal::ByZero)]))
    }
    fn endless(&self) -> impl Stream<Item = u64> {
        let stopped = Stopped(self.stopped.clone());
        stream::iter((0..).inspect(move |_| {
            let _ = &stopped;
        }))
    }
    async fn total(&self, mut numbers: Items<u64>) -> (u64, u64) {
        let mut total = (0, 0);
        while let Some(number) = numbers.next().await {
            total = (total.0 + 1, total.1 + number.unwrap());
        }
        total
    }
    async fn lengths(&self, mut blobs: Items<Vec<u8>>) -> Vec<u32> {
        let mut lengths = Vec::new();
        while let Some(blob) = blobs.next().await {
            lengths.push(blob.unwrap().len() as u32);
        }
        lengths
    }
    async fn first(&self, mut numbers: Items<u64>) -> u64 {
        numbers.next().await.unwrap().unwrap()
    }
    async fn echo_all(&self, mut words: Items<String>) -> impl Stream<Item = String> {
        let (say, answers) = stream::pipe(1);
        tokio::spawn(async move {
            while let Some(Ok(word)) = words.next().await {
                say.send(word).await.unwrap();
            }
        });
        answers
    }
    async fn ask_double(&self, number: u64, context: &Context) -> Result<u64, String> {
        let asked = near(context).double(number).await;
        asked.map_err(|error| error.to_string())
    }
    async fn ask_reverse(&self, bytes: Vec<u8>, context: &Context) -> Vec<u8> {
        near(context).reverse(bytes).await.unwrap()
    }
    async fn ask_note(&self, text: String, context: &Context) {
        near(context).note(text).await.unwrap();
    }
    async fn ask_missing(&self, context: &Context) -> Result<(), String> {
        let asked = near(context).missing().await;
        asked.map_err(|error| error.to_string())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_in_another_language_makes_every_kind_of_call() {
    let worker = Worker::default();
    let (shut_down, release) = (worker.shut_down.clone(), worker.release.clone());
    let mut serving = Server::new()
        .add(WorkService::new(worker))
        .listen("tcp://127.0.0.1:0")
        .await
        .unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/check.py");
    let address = serving.address().to_owned();
    let python = tokio::task::spawn_blocking(move || {
        let mut command = Command::new("python3");
        command.arg("-B").arg(script).arg(address);
        command.output()
    });
    let stop = tokio::spawn(async move {
        shut_down.notified().await;
        // The call that waits is answered although the server is going away.
        let (_, ()) = tokio::join!(serving.shutdown(Duration::from_secs(10)), async {
            release.notify_one();
        });
    });
    let output = python.await.unwrap();
    stop.abort();
    let output =
        output.expect("python3 is missing: install it, this test runs a client written in it");
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{out}{err}");
    assert_eq!(out, "every check passed\n", "{err}");
}
