//! What a caller is told, and when, while connections, runtimes and servers go away under its calls.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test a panic is the report"
)]

mod raw;

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use raw::{HELLO, LONG, PREFACE, Raw, call, frame};
use rpc_runtime::{
    CallOptions, Channel, ErrorKind, Execution, Limits, Server, Serving, rpc_service,
};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::time::timeout;

#[rpc_service(package = "trouble")]
trait Work {
    async fn add(&self, a: u64, b: u64) -> u64;
    async fn never(&self);
    #[rpc(oneway)]
    async fn note(&self);
    async fn double(&self, bytes: Vec<u8>) -> Vec<u8>;
}

/// The same service as a later client knows it.
mod later {
    #[rpc_runtime::rpc_service(package = "trouble")]
    pub(crate) trait Work {
        async fn addd(&self) -> u64;
    }
}

struct Worker;

impl Work for Worker {
    async fn add(&self, a: u64, b: u64) -> u64 {
        a + b
    }
    async fn never(&self) {
        std::future::pending().await
    }
    async fn note(&self) {}
    async fn double(&self, bytes: Vec<u8>) -> Vec<u8> {
        tokio::task::yield_now().await;
        bytes.repeat(2)
    }
}

async fn serve(address: &str, limits: Limits) -> Serving {
    let server = Server::new().limits(limits).add(WorkService::new(Worker));
    server.listen(address).await.unwrap()
}

/// A limit that one call fills.
fn one_at_once() -> Limits {
    Limits {
        max_inflight_per_connection: 1,
        ..Limits::default()
    }
}

/// Listens and exchanges HELLO with one client; the address, and what plays the server.
async fn one_client() -> (String, impl Future<Output = Raw> + Send + 'static) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    let taken = async move {
        let mut raw = Raw::new(listener.accept().await.unwrap().0);
        raw.bytes(PREFACE.len()).await;
        assert_eq!(raw.next().await.unwrap().kind, 1);
        raw.send(HELLO).await;
        raw
    };
    (address, taken)
}

/// Takes one call and goes, and nobody comes after it.
async fn takes_a_call_and_dies() -> String {
    let (address, taken) = one_client().await;
    tokio::spawn(async move { assert_eq!(taken.await.next().await.unwrap().kind, 2) });
    address
}

/// Runs on a thread without a runtime; fails instead of hanging.
fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || tell.send(work()));
    told.recv_timeout(LONG).expect("it ends")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_may_have_run_is_never_said_not_to_have_been_sent() {
    let client = WorkClient::connect(takes_a_call_and_dies().await)
        .await
        .unwrap();
    let second = Duration::from_secs(1);
    let failure = client.add(1, 2).idempotent().timeout(second).await;
    let failure = failure.unwrap_err();
    assert_eq!(failure.execution(), Execution::Unknown, "{failure}");

    let address = takes_a_call_and_dies().await;
    let failure = tokio::task::spawn_blocking(move || {
        let client = WorkBlockingClient::connect(&address).unwrap();
        let twice = client.with_options(CallOptions::new().idempotent().timeout(second));
        twice.add(1, 2).unwrap_err()
    });
    let failure = failure.await.unwrap();
    assert_eq!(failure.execution(), Execution::Unknown, "{failure}");
}

#[test]
fn a_handle_needs_no_runtime_on_the_thread_that_waits() {
    let runtime = Runtime::new().unwrap();
    let (_serving, client) = runtime.block_on(async {
        let serving = serve("mem://trouble-thread", Limits::default()).await;
        let client = later::WorkClient::connect(serving.address()).await.unwrap();
        (serving, client)
    });
    let failure = on_a_thread(move || client.addd().start().wait().unwrap_err());
    assert_eq!(failure.kind(), ErrorKind::Unimplemented);
    let text = failure.to_string();
    assert!(text.contains("did you mean `add`?"), "{text}");
}

#[test]
fn a_handle_is_repeated_without_a_runtime_on_the_thread_that_waits() {
    let runtime = Runtime::new().unwrap();
    let client = runtime.block_on(async {
        let (address, taken) = one_client().await;
        tokio::spawn(async move {
            let mut raw = taken.await;
            let first = raw.next().await.unwrap();
            // unavailable, not started
            let refusal = [14, 1, 0, 0, 0, 0, 0, 0, 0x91, 0xa0];
            raw.send(&frame(4, 0, 0, first.id, &refusal)).await;
            let second = raw.next().await.unwrap();
            raw.send(&frame(3, 0, 0, second.id, &[3])).await;
            raw.rest().await;
        });
        WorkClient::connect(&address).await.unwrap()
    });
    assert_eq!(
        on_a_thread(move || client.add(1, 2).start().wait().unwrap()),
        3
    );
}

#[test]
fn a_handle_ends_with_the_runtime_of_its_channel() {
    let (servers, clients) = (Runtime::new().unwrap(), Runtime::new().unwrap());
    let serving = servers.block_on(serve("tcp://127.0.0.1:0", Limits::default()));
    let client = clients
        .block_on(WorkClient::connect(serving.address()))
        .unwrap();
    let pending = client.never().no_timeout().start();
    clients.shutdown_background();
    let failure = on_a_thread(move || pending.wait().unwrap_err());
    assert_ne!(failure.execution(), Execution::Executed, "{failure}");
    let failure = on_a_thread(move || client.never().no_timeout().start().wait().unwrap_err());
    assert_ne!(failure.execution(), Execution::Executed, "{failure}");
}

#[tokio::test]
async fn a_handle_that_gave_its_answer_says_so() {
    let serving = serve("mem://trouble-twice", Limits::default()).await;
    let client = WorkClient::connect(serving.address()).await.unwrap();
    let mut pending = client.add(1, 2).start();
    assert_eq!((&mut pending).await.unwrap(), 3);
    let again = timeout(LONG, pending).await.expect("it does not hang");
    assert_eq!(again.unwrap_err().kind(), ErrorKind::Internal);
}

#[tokio::test(start_paused = true)]
async fn a_one_way_call_waits_for_its_turn_no_longer_than_its_timeout() {
    let serving = serve("mem://trouble-room", one_at_once()).await;
    let client = WorkClient::connect(serving.address()).await.unwrap();
    let _busy = client.never().no_timeout().start();
    let note = client.note().timeout(Duration::from_secs(3));
    let outcome = timeout(LONG, note.into_future()).await;
    let failure = outcome.expect("it ends").unwrap_err();
    assert_eq!(
        (failure.kind(), failure.execution()),
        (ErrorKind::DeadlineExceeded, Execution::NotSent)
    );
}

#[tokio::test]
async fn what_a_repeated_call_causes_is_not_repeated() {
    #[rpc_service(package = "trouble")]
    trait Front {
        async fn forward(&self);
    }
    struct Proxy(WorkClient);
    impl Front for Proxy {
        async fn forward(&self) {
            let failure = self.0.add(1, 2).await.unwrap_err();
            assert_eq!(failure.execution(), Execution::NotStarted);
        }
    }
    let (address, taken) = one_client().await;
    let seen = Arc::new(AtomicU32::new(0));
    let count = seen.clone();
    tokio::spawn(async move {
        let mut raw = taken.await;
        while let Some(request) = raw.next().await {
            count.fetch_add(1, SeqCst);
            // unavailable, not started
            let refusal = [14, 1, 0, 0, 0, 0, 0, 0, 0x91, 0xa0];
            raw.send(&frame(4, 0, 0, request.id, &refusal)).await;
        }
    });
    let proxy = Proxy(WorkClient::connect(&address).await.unwrap());
    let front = Server::new().add(FrontService::new(proxy));
    let front = front.listen("tcp://127.0.0.1:0").await.unwrap();

    let mut raw = Raw::open(front.address()).await.0;
    let mut first = call(1, FrontClient::SERVICE.methods[0].id, &[0x90]);
    raw.send(&first).await;
    assert_eq!(raw.next().await.unwrap().kind, 3);
    // Once at once, then by the policy.
    assert_eq!(seen.swap(0, SeqCst), 4, "a first call may be repeated");
    first[5] = 0x10;
    raw.send(&first).await;
    assert_eq!(raw.next().await.unwrap().kind, 3);
    assert_eq!(seen.load(SeqCst), 1);
}

#[tokio::test]
async fn a_better_message_is_not_waited_for_longer_than_the_call_may_take() {
    let (address, taken) = one_client().await;
    tokio::spawn(async move {
        let mut raw = taken.await;
        let request = raw.next().await.unwrap();
        // unimplemented, not started; then the question about the tables stays without an answer.
        let refusal = [12, 1, 0, 0, 0, 0, 0, 0, 0x91, 0xa0];
        raw.send(&frame(4, 0, 0, request.id, &refusal)).await;
        raw.rest().await;
    });
    let client = WorkClient::connect(&address).await.unwrap();
    let started = Instant::now();
    let failure = client.add(1, 2).timeout(Duration::from_millis(100)).await;
    assert_eq!(failure.unwrap_err().kind(), ErrorKind::Unimplemented);
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[test]
fn a_blocking_call_takes_the_place_of_one_that_was_given_up() {
    let runtime = Runtime::new().unwrap();
    for address in ["mem://trouble-place", "tcp://127.0.0.1:0"] {
        let serving = runtime.block_on(serve(address, one_at_once()));
        let address = serving.address().to_owned();
        on_a_thread(move || {
            let client = WorkBlockingClient::connect(&address).unwrap();
            let hurry = client.with_options(CallOptions::new().timeout(Duration::from_millis(20)));
            let late = hurry.never().unwrap_err();
            assert_eq!(late.status(), rpc_runtime::Status::DeadlineExceeded);
            assert_eq!(client.add(1, 2).unwrap(), 3);
        });
    }
}

#[test]
fn a_blocking_call_that_waits_for_a_place_holds_nobody_up() {
    let runtime = Runtime::new().unwrap();
    let serving = runtime.block_on(serve("mem://trouble-queue", one_at_once()));
    let client = WorkBlockingClient::connect(serving.address()).unwrap();
    let patient = client.with_options(CallOptions::new().no_timeout());
    let hurry = client.with_options(CallOptions::new().timeout(Duration::from_millis(50)));
    // All want the one place; whoever has it gives it up after a while, and in the end everybody was served.
    let late = std::thread::spawn(move || hurry.never().map_err(|late| late.status()));
    let adds: Vec<_> = (0..4)
        .map(|n| {
            let patient = patient.clone();
            std::thread::spawn(move || patient.add(n, n).unwrap())
        })
        .collect();
    on_a_thread(move || {
        late.join().unwrap().unwrap_err();
        for (n, add) in adds.into_iter().enumerate() {
            assert_eq!(add.join().unwrap(), 2 * n as u64);
        }
    });
}

#[test]
fn a_blocking_call_spends_no_more_than_its_time_on_connecting() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        let mut first = listener.accept().unwrap().0;
        first.write_all(HELLO).unwrap();
        let _ = first.read(&mut [0; 4096]);
        drop(first);
        // Later ones are accepted by the system, and nobody ever says anything to them.
        std::thread::park();
        drop(listener);
    });
    on_a_thread(move || {
        let client = WorkBlockingClient::connect(&address).unwrap();
        let hurry = client.with_options(CallOptions::new().timeout(Duration::from_millis(100)));
        let started = Instant::now();
        for _ in 0..2 {
            let failure = hurry.add(1, 2).unwrap_err();
            assert_ne!(failure.execution(), Execution::Executed, "{failure}");
        }
        assert!(started.elapsed() < Duration::from_secs(4));
    });
}

#[test]
fn blocking_threads_that_connect_at_once_share_one_connection() {
    let runtime = Runtime::new().unwrap();
    let mut first = runtime.block_on(serve("mem://trouble-share", Limits::default()));
    let client = WorkBlockingClient::connect(first.address()).unwrap();
    // When it has ended its connection is closed and its name is free.
    runtime.block_on(first.shutdown(Duration::ZERO));
    let once = client.with_options(CallOptions::new().no_retry());
    while once.add(1, 1).is_ok() {}
    let second = runtime.block_on(serve("mem://trouble-share", Limits::default()));
    let start = Arc::new(std::sync::Barrier::new(8));
    let threads: Vec<_> = (0..8)
        .map(|n| {
            let (client, start) = (client.clone(), start.clone());
            std::thread::spawn(move || {
                start.wait();
                assert_eq!(client.add(n, 1).unwrap(), n + 1);
            })
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    let started = Instant::now();
    while second.connections() != 1 {
        assert!(
            started.elapsed() < LONG,
            "{} are open",
            second.connections()
        );
        std::thread::yield_now();
    }
}

#[test]
fn a_blocking_one_way_call_that_could_not_be_written_says_so() {
    let runtime = Runtime::new().unwrap();
    let serving = runtime.block_on(serve("mem://trouble-note", Limits::default()));
    let client = WorkBlockingClient::connect(serving.address()).unwrap();
    client.note().unwrap();
    drop((serving, runtime));
    let once = client.with_options(CallOptions::new().no_retry());
    let failure = once.note().unwrap_err();
    assert_eq!(failure.execution(), Execution::NotSent, "{failure}");
}

#[tokio::test]
async fn a_channel_is_dropped_with_its_connection() {
    let serving = serve("mem://trouble-drop", Limits::default()).await;
    let client = WorkClient::new(Channel::connect(serving.address()).await.unwrap());
    let pending = client.never().start();
    drop(client);
    assert_eq!(serving.connections(), 1, "a call in flight holds it open");
    drop(pending);
    let gone = async {
        while serving.connections() > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(LONG, gone).await.expect("the connection closes");
}

#[test]
fn a_crowd_of_blocking_threads_loses_no_call_and_no_place() {
    let runtime = Runtime::new().unwrap();
    let few = Limits {
        max_inflight_per_connection: 3,
        outbound_queue_bytes: 64 << 10,
        ..Limits::default()
    };
    let file = format!("trouble-{}.sock", std::process::id());
    let path = format!("unix://{}", std::env::temp_dir().join(file).display());
    for address in ["tcp://127.0.0.1:0", "mem://trouble-crowd", &path] {
        let serving = runtime.block_on(serve(address, few.clone()));
        let client = WorkBlockingClient::connect(serving.address()).unwrap();
        let threads: Vec<_> = (0..8)
            .map(|n: u64| {
                let client = client.clone();
                std::thread::spawn(move || {
                    let limit = Duration::from_millis(1 + n);
                    let hurry = client.with_options(CallOptions::new().timeout(limit));
                    for m in 0..20 {
                        match (n + m) % 4 {
                            0 => {
                                let late = hurry.never().unwrap_err();
                                assert_eq!(late.status(), rpc_runtime::Status::DeadlineExceeded);
                            }
                            1 => drop(hurry.double(vec![7; 700_000])),
                            2 => {
                                assert_eq!(client.double(vec![7; 300_000]).unwrap().len(), 600_000)
                            }
                            _ => client.note().unwrap(),
                        }
                        assert_eq!(client.add(n, m).unwrap(), n + m);
                    }
                })
            })
            .collect();
        on_a_thread(move || {
            threads
                .into_iter()
                .for_each(|thread| thread.join().unwrap())
        });
        assert_eq!(serving.connections(), 1, "nothing ended the connection");
    }
}
