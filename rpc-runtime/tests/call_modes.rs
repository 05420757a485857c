//! One service in every call mode, over every transport.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test's panic is its report"
)]

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use rpc_runtime::{
    Batch, CallError, CallOptions, Channel, Context, ErrorKind, Execution, Server, Serving, Status,
    rpc_service,
};

#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
enum Refusal {
    TooLarge { limit: u64 },
    Negative,
}

#[rpc_service(package = "test.v1")]
trait Work {
    async fn add(&self, a: u64, b: u64) -> u64;
    async fn divide(&self, a: u64, b: u64) -> Result<u64, Refusal>;
    async fn panics(&self) -> u32;
    async fn never(&self);
    async fn whose(&self, context: &Context) -> String;
    fn slow_sum(&self, numbers: &[u64]) -> u64;
    #[rpc(oneway)]
    async fn note(&self, text: &str);
    async fn notes(&self) -> u32;
    #[rpc(timeout = "50ms")]
    async fn impatient(&self);
    async fn blob(&self, bytes: Vec<u8>) -> Vec<u8>;
}

#[derive(Clone, Default)]
struct Worker {
    notes: Arc<AtomicU32>,
    dropped: Arc<tokio::sync::Notify>,
    noted: Arc<tokio::sync::Notify>,
}

struct TellDrop(Arc<tokio::sync::Notify>);

impl Drop for TellDrop {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl Work for Worker {
    async fn add(&self, a: u64, b: u64) -> u64 {
        a + b
    }
    async fn divide(&self, a: u64, b: u64) -> Result<u64, Refusal> {
        a.checked_div(b).ok_or(Refusal::TooLarge { limit: 7 })
    }
    async fn panics(&self) -> u32 {
        panic!("secret of the handler");
    }
    async fn never(&self) {
        let _tell = TellDrop(self.dropped.clone());
        std::future::pending().await
    }
    async fn whose(&self, context: &Context) -> String {
        assert_eq!(Context::current().expect("ambient").peer(), context.peer());
        format!(
            "{} {}",
            context.metadata().get("who").unwrap_or("nobody"),
            context.time_left().is_some()
        )
    }
    fn slow_sum(&self, numbers: &[u64]) -> u64 {
        assert!(
            Context::current().is_some(),
            "the context is ambient on the blocking pool"
        );
        numbers.iter().sum()
    }
    async fn note(&self, text: &str) {
        assert_eq!(text, "hello");
        self.notes.fetch_add(1, Ordering::SeqCst);
        self.noted.notify_one();
    }
    async fn notes(&self) -> u32 {
        self.notes.load(Ordering::SeqCst)
    }
    async fn impatient(&self) {
        std::future::pending().await
    }
    async fn blob(&self, bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }
}

async fn serve(address: &str) -> (Serving, Worker) {
    let worker = Worker::default();
    let serving = Server::new()
        .add(WorkService::new(worker.clone()))
        .listen(address)
        .await
        .unwrap();
    (serving, worker)
}

fn socket_path(name: &str) -> String {
    format!(
        "unix://{}/rpc-{}-{name}.sock",
        std::env::temp_dir().display(),
        std::process::id()
    )
}

async fn all_modes(address: &str) {
    let (serving, worker) = serve(address).await;
    let client = WorkClient::connect(serving.address()).await.unwrap();

    // asynchronous
    assert_eq!(client.add(1, 2).await.unwrap(), 3);
    assert_eq!(client.slow_sum(&[1, 2, 3]).await.unwrap(), 6);
    assert_eq!(
        client.whose().metadata("who", "ann").await.unwrap(),
        "ann true"
    );
    assert_eq!(client.whose().no_timeout().await.unwrap(), "nobody false");
    let big = vec![7; 1 << 20];
    assert_eq!(client.blob(big.clone()).await.unwrap(), big);

    // declared error as a value
    let failure = client.divide(1, 0).await.unwrap_err();
    assert_eq!(
        (failure.kind(), failure.execution()),
        (ErrorKind::Declared, Execution::Executed)
    );
    assert!(matches!(
        failure,
        CallError::Declared {
            error: Refusal::TooLarge { limit: 7 },
            ..
        }
    ));

    // handle
    let mut pending: Vec<_> = (0..300).map(|n| client.add(n, n).start()).collect();
    assert_eq!((&mut pending[10]).await.unwrap(), 20);
    for (n, pending) in pending.into_iter().enumerate().filter(|(n, _)| *n != 10) {
        assert_eq!(pending.await.unwrap(), 2 * n as u64);
    }

    // callback
    let (told, heard) = tokio::sync::oneshot::channel();
    client
        .add(20, 22)
        .on_reply(|outcome| told.send(outcome.unwrap()).unwrap());
    assert_eq!(heard.await.unwrap(), 42);

    // one-way: both spellings arrive
    client.note("hello").await.unwrap();
    worker.noted.notified().await;
    client.note("hello").forget();
    worker.noted.notified().await;
    assert_eq!(client.notes().await.unwrap(), 2);

    // batch
    let mut batch = Batch::new();
    let (sum, error) = (batch.add(client.add(5, 6)), batch.add(client.divide(1, 0)));
    batch.send();
    assert_eq!(sum.await.unwrap(), 11);
    assert_eq!(error.await.unwrap_err().kind(), ErrorKind::Declared);
    for (n, pending) in Batch::start((0..100).map(|n| client.add(n, 1)))
        .into_iter()
        .enumerate()
    {
        assert_eq!(pending.await.unwrap(), n as u64 + 1);
    }

    // synchronous, on a thread without a runtime
    let address = serving.address().to_owned();
    std::thread::spawn(move || {
        let client = WorkBlockingClient::connect(&address).unwrap();
        assert_eq!(client.add(1, 2).unwrap(), 3);
        assert_eq!(client.divide(9, 3).unwrap(), 3);
        assert_eq!(client.divide(9, 0).unwrap_err().kind(), ErrorKind::Declared);
        assert_eq!(client.slow_sum(&[4, 5]).unwrap(), 9);
        client.note("hello").unwrap();
        let hurry = client.with_options(CallOptions::new().timeout(Duration::from_millis(20)));
        let late = hurry.never().unwrap_err();
        assert_eq!(late.kind(), ErrorKind::DeadlineExceeded);
        // Whoever notices first says so: the server knows that it ran, the client does not.
        assert!(matches!(
            late.execution(),
            Execution::Executed | Execution::Unknown
        ));
        let threads: Vec<_> = (0..8)
            .map(|n| {
                let client = client.clone();
                std::thread::spawn(move || {
                    assert!((0..200).all(|m| client.add(n, m).unwrap() == n + m))
                })
            })
            .collect();
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    })
    .join()
    .unwrap();
    worker.noted.notified().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_mode_works_over_tcp() {
    all_modes("tcp://127.0.0.1:0").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_mode_works_over_a_unix_socket() {
    all_modes(&socket_path("modes")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_mode_works_in_memory() {
    all_modes("mem://modes").await;
}

#[tokio::test]
async fn a_panic_is_answered_at_once_and_keeps_its_text_to_itself() {
    let (serving, _) = serve("mem://panic").await;
    let client = WorkClient::connect(serving.address()).await.unwrap();
    let failure = client.panics().await.unwrap_err();
    assert_eq!(
        (failure.kind(), failure.execution()),
        (ErrorKind::Internal, Execution::Executed)
    );
    assert!(
        failure
            .to_string()
            .contains("the handler of test.v1.Work/panics panicked"),
        "{failure}"
    );
    assert!(!failure.to_string().contains("secret"), "{failure}");
    assert_eq!(
        client.add(1, 1).await.unwrap(),
        2,
        "the connection lives on"
    );
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_is_cancelled_at_the_server() {
    let (serving, worker) = serve("mem://drop").await;
    let client = WorkClient::connect(serving.address()).await.unwrap();
    let pending = client.never().no_timeout().start();
    assert_eq!(client.add(1, 1).await.unwrap(), 2);
    drop(pending);
    worker.dropped.notified().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_ends_at_its_deadline_on_both_sides() {
    let (serving, worker) = serve("mem://deadline").await;
    let client = WorkClient::connect(serving.address()).await.unwrap();
    let before = tokio::time::Instant::now();
    let failure = client
        .never()
        .timeout(Duration::from_secs(3))
        .await
        .unwrap_err();
    assert_eq!(
        (failure.kind(), failure.execution()),
        (ErrorKind::DeadlineExceeded, Execution::Unknown)
    );
    assert_eq!(before.elapsed().as_secs(), 3);
    worker.dropped.notified().await;
    let failure = client.impatient().await.unwrap_err();
    assert_eq!(
        failure.status(),
        Status::DeadlineExceeded,
        "the limit of the definition holds: {failure}"
    );
    assert!(before.elapsed() < Duration::from_secs(4));
    let failure = client.never().await.unwrap_err();
    assert_eq!(
        failure.kind(),
        ErrorKind::DeadlineExceeded,
        "ten seconds are the default"
    );
    assert_eq!(before.elapsed().as_secs(), 13);
}

#[tokio::test]
async fn more_calls_than_the_server_takes_wait_for_their_turn() {
    let (serving, _) = serve("mem://many").await;
    let client = WorkClient::connect(serving.address()).await.unwrap();
    let calls: Vec<_> = (0..3000).map(|n| client.add(n, 1).start()).collect();
    for (n, call) in calls.into_iter().enumerate() {
        assert_eq!(call.await.unwrap(), n as u64 + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_comes_back_is_found_again() {
    let (serving, _) = serve("mem://back").await;
    let client = WorkClient::connect(serving.address()).await.unwrap();
    assert_eq!(client.add(1, 2).await.unwrap(), 3);
    drop(serving);
    let failure = client.add(1, 2).await.unwrap_err();
    assert_eq!(failure.kind(), ErrorKind::Unavailable, "{failure}");
    assert!(failure.execution() <= Execution::NotStarted, "{failure}");
    assert_eq!(failure.peer(), Some("mem://back"));
    let call = client.add(1, 2).timeout(Duration::from_secs(60)).start();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let (_serving, _) = serve("mem://back").await;
    assert_eq!(
        call.await.unwrap(),
        3,
        "a call waits for a server that restarts"
    );
}

#[tokio::test]
async fn a_stub_sits_straight_on_a_skeleton() {
    let worker = Worker::default();
    let client = WorkClient::new(Channel::local(WorkService::new(worker)));
    assert_eq!(client.add(1, 2).await.unwrap(), 3);
    assert_eq!(
        client.divide(1, 0).await.unwrap_err().kind(),
        ErrorKind::Declared
    );
    assert_eq!(client.slow_sum(&[1, 2]).await.unwrap(), 3);
    assert_eq!(
        client.panics().await.unwrap_err().kind(),
        ErrorKind::Internal
    );
    assert_eq!(
        client.whose().metadata("who", "eve").await.unwrap(),
        "eve true"
    );
}

#[tokio::test(start_paused = true)]
async fn a_nested_call_inherits_what_is_left_of_the_time() {
    #[rpc_service]
    trait Front {
        async fn forward(&self) -> u64;
    }
    struct Proxy(WorkClient);
    impl Front for Proxy {
        async fn forward(&self) -> u64 {
            let failure = self.0.never().no_timeout().await.unwrap_err();
            assert_eq!(failure.kind(), ErrorKind::DeadlineExceeded);
            failure.kind() as u64
        }
    }
    let (back, worker) = serve("mem://nested-back").await;
    let proxy = Proxy(WorkClient::connect(back.address()).await.unwrap());
    let front = Server::new()
        .add(FrontService::new(proxy))
        .listen("mem://nested-front")
        .await
        .unwrap();
    let client = FrontClient::connect(front.address()).await.unwrap();
    let before = tokio::time::Instant::now();
    let _ = client.forward().timeout(Duration::from_secs(2)).await;
    worker.dropped.notified().await;
    assert_eq!(before.elapsed().as_secs(), 2);

    // Dropping the first call reaches the last handler over both hops.
    let pending = client.forward().no_timeout().start();
    tokio::time::sleep(Duration::from_secs(1)).await;
    drop(pending);
    worker.dropped.notified().await;
}

#[test]
fn a_handle_blocks_a_thread_that_has_no_runtime() {
    let (send, receive) = mpsc::channel();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let serving = runtime.block_on(async {
        let (serving, _) = serve("mem://wait").await;
        send.send(WorkClient::connect(serving.address()).await.unwrap())
            .unwrap();
        serving
    });
    let client = receive.recv().unwrap();
    let (a, b) = (client.add(1, 2).start(), client.add(3, 4).start());
    assert_eq!((a.wait().unwrap(), b.wait().unwrap()), (3, 7));
    drop(serving);
}
