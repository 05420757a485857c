//! A server from its first connection to its end, whatever its skeletons, registries and clients do meanwhile.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test a panic is the report"
)]

mod raw;

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use rpc_runtime::__private::{Answer, Incoming, Skeleton};
use rpc_runtime::discovery::{
    BoxFuture, Cursor, InProcess, Instance, Lease, Registry, Renewal, Snapshot,
};
use rpc_runtime::{
    Channel, Context, ErrorKind, Execution, Limits, Server, ServiceDescriptor, rpc_service,
};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

#[rpc_service(package = "life")]
trait Work {
    async fn add(&self, a: u64, b: u64) -> u64;
    async fn waits(&self) -> u64;
    fn until_cancelled(&self) -> u64;
}

#[rpc_service(package = "life")]
trait Second {
    async fn two(&self) -> u64;
}

#[rpc_service(package = "life")]
trait Third {
    async fn three(&self) -> u64;
}

#[derive(Clone, Default)]
struct Worker {
    began: Arc<Notify>,
    go: Arc<Notify>,
}

impl Work for Worker {
    async fn add(&self, a: u64, b: u64) -> u64 {
        a + b
    }
    async fn waits(&self) -> u64 {
        self.began.notify_one();
        self.go.notified().await;
        7
    }
    fn until_cancelled(&self) -> u64 {
        let context = Context::current().unwrap();
        self.began.notify_one();
        while !context.is_cancelled() {
            std::thread::yield_now();
        }
        self.go.notify_one();
        1
    }
}

impl Second for Worker {
    async fn two(&self) -> u64 {
        2
    }
}

impl Third for Worker {
    async fn three(&self) -> u64 {
        3
    }
}

/// Panics before there is a future.
struct Clumsy<S>(S);

impl<S: Skeleton> Skeleton for Clumsy<S> {
    fn service(&self) -> &'static ServiceDescriptor {
        self.0.service()
    }
    fn call(&self, method: usize, request: Incoming) -> Answer {
        let name = self.service().methods[method].name;
        assert_ne!(name, "waits", "a skeleton written by hand");
        self.0.call(method, request)
    }
}

#[tokio::test]
async fn a_skeleton_that_panics_fails_its_call_and_nothing_else() {
    let server = Server::new().add(Clumsy(WorkService::new(Worker::default())));
    let serving = server.listen("mem://life-clumsy").await.unwrap();
    let client = WorkClient::connect(serving.address()).await.unwrap();
    for _ in 0..3 {
        let outcome = timeout(Duration::from_secs(5), client.waits().into_future()).await;
        let failure = outcome.expect("it is answered").unwrap_err();
        assert_eq!(
            (failure.kind(), failure.execution()),
            (ErrorKind::Internal, Execution::Executed),
            "{failure}"
        );
        assert_eq!(client.add(1, 2).await.unwrap(), 3);
    }
    assert_eq!(serving.connections(), 1);
    let local = Channel::local(Clumsy(WorkService::new(Worker::default())));
    let failure = WorkClient::new(local).waits().await.unwrap_err();
    assert_eq!(failure.kind(), ErrorKind::Internal);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_calls_and_one_that_is_dropped_stops_at_once() {
    let worker = Worker::default();
    let server = Server::new().add(WorkService::new(worker.clone()));
    let mut serving = server.listen("mem://life-drop").await.unwrap();
    let client = WorkClient::connect(serving.address()).await.unwrap();
    let call = client.waits().no_timeout().start();
    worker.began.notified().await;
    let patience = Duration::from_secs(60);
    timeout(Duration::from_secs(1), serving.shutdown(patience))
        .await
        .expect_err("a call is running");
    let failure = timeout(Duration::from_secs(5), call).await;
    let failure = failure.expect("it stopped at once").unwrap_err();
    assert_eq!(failure.execution(), Execution::Unknown);
    assert_eq!(serving.connections(), 0);
    WorkClient::connect("mem://life-drop").await.unwrap_err();

    let server = Server::new().add(WorkService::new(worker.clone()));
    let mut serving = server.listen("mem://life-drop").await.unwrap();
    let client = WorkClient::connect(serving.address()).await.unwrap();
    let call = client.waits().no_timeout().start();
    worker.began.notified().await;
    let (_, answer) = tokio::join!(serving.shutdown(patience), async {
        tokio::task::yield_now().await;
        worker.go.notify_one();
        call.await
    });
    assert_eq!(answer.unwrap(), 7);
    serving.wait().await;
    serving.shutdown(patience).await;
    let refused = serving.listen("mem://life-again").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::FailedPrecondition);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_is_free_when_its_server_was_shut_down() {
    for address in ["mem://life-free", "tcp://127.0.0.1:0"] {
        let mut address = address.to_owned();
        for round in 0..200 {
            let server = Server::new().add(WorkService::new(Worker::default()));
            let listening = server.listen(&address).await;
            let mut serving = listening.unwrap_or_else(|error| panic!("round {round}: {error}"));
            // Of the second round on it is the same port.
            address = serving.address().to_owned();
            serving.shutdown(Duration::ZERO).await;
        }
    }
}

#[tokio::test]
async fn a_synchronous_handler_sees_that_nobody_waits_any_more() {
    let worker = Worker::default();
    let server = Server::new().add(WorkService::new(worker.clone()));
    let serving = server.listen("tcp://127.0.0.1:0").await.unwrap();
    let patience = Duration::from_secs(20);
    let seen = || async {
        timeout(patience, worker.go.notified())
            .await
            .expect("it is told")
    };

    // A caller that sends no CANCEL when its 20 ms are over.
    let methods = WorkClient::SERVICE.methods;
    let method = methods
        .iter()
        .find(|method| method.name == "until_cancelled");
    let mut request = raw::call(1, method.unwrap().id, &[0x90]);
    request[20] = 20;
    let mut raw = raw::Raw::open(serving.address()).await.0;
    raw.send(&request).await;
    seen().await;
    worker.began.notified().await;

    let local = Channel::local(WorkService::new(worker.clone()));
    for channel in [Channel::connect(serving.address()).await.unwrap(), local] {
        let pending = WorkClient::new(channel).until_cancelled().start();
        worker.began.notified().await;
        pending.cancel();
        seen().await;
    }
}

/// Takes registrations and never lets go.
#[derive(Clone, Default)]
struct Sticky(InProcess);

impl Registry for Sticky {
    fn register<'a>(&'a self, instance: &'a Instance, ttl: Duration) -> BoxFuture<'a, Lease> {
        self.0.register(instance, ttl)
    }
    fn renew<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Renewal> {
        self.0.renew(lease)
    }
    fn deregister<'a>(&'a self, _: &'a Lease) -> BoxFuture<'a, ()> {
        Box::pin(pending())
    }
    fn snapshot<'a>(&'a self, service: &'a str) -> BoxFuture<'a, Snapshot> {
        self.0.snapshot(service)
    }
    fn changed<'a>(&'a self, service: &'a str, cursor: Cursor) -> BoxFuture<'a, Snapshot> {
        self.0.changed(service, cursor)
    }
}

#[tokio::test(start_paused = true)]
async fn registries_that_hang_take_little_of_the_time_for_a_shutdown() {
    let (registry, worker) = (Sticky::default(), Worker::default());
    let server = Server::new()
        .add(WorkService::new(worker.clone()))
        .add(SecondService::new(worker.clone()))
        .add(ThirdService::new(worker))
        .register(registry.clone())
        .register(registry.clone());
    let mut serving = server.listen("mem://life-sticky").await.unwrap();
    serving.listen("mem://life-sticky-too").await.unwrap();
    while registry.0.all().len() < 12 {
        tokio::task::yield_now().await;
    }
    let started = Instant::now();
    serving.shutdown(Duration::from_secs(60)).await;
    assert!(
        started.elapsed() <= Duration::from_secs(4),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn a_handshake_that_ends_after_the_shutdown_is_told_to_go_elsewhere() {
    let server = Server::new().add(WorkService::new(Worker::default()));
    let mut serving = server.listen("mem://life-late").await.unwrap();
    serving.listen("tcp://127.0.0.1:0").await.unwrap();
    let mut raw = raw::Raw::silent(&serving.addresses()[1]).await;
    raw.send(raw::PREFACE).await;
    // It is taken in when the server has answered a later one.
    let client = WorkClient::connect(&serving.addresses()[1]).await.unwrap();
    assert_eq!(client.add(1, 2).await.unwrap(), 3);
    serving.shutdown(Duration::from_secs(5)).await;
    raw.send(raw::HELLO).await;
    assert_eq!(raw.next().await.unwrap().kind, 1);
    let (last, reason, _) = raw.next().await.expect("a reason").go_away();
    assert_eq!((last, reason), (0, 0));
    assert!(raw.next().await.is_none());
}

/// Runs in a process of its own with few descriptors; see below.
#[tokio::test]
async fn a_server_without_descriptors() {
    if std::env::var_os("FEW_DESCRIPTORS").is_none() {
        return;
    }
    let server = Server::new()
        .limits(Limits::default())
        .add(WorkService::new(Worker::default()));
    let mut serving = server.listen("tcp://127.0.0.1:0").await.unwrap();
    let client = WorkClient::connect(serving.address()).await.unwrap();
    let host = serving.address().strip_prefix("tcp://").unwrap().to_owned();
    // Both ends lie in this process, so that the backlog holds one that cannot be accepted.
    let mut flood = Vec::new();
    let refused = loop {
        match std::net::TcpStream::connect(&host) {
            Ok(stream) => flood.push(stream),
            Err(error) => break error,
        }
        assert!(flood.len() < 1000);
    };
    assert_eq!(refused.raw_os_error(), Some(24), "EMFILE, not {refused}");
    assert_eq!(client.add(1, 2).await.unwrap(), 3, "what is open goes on");
    assert!(serving.listen("tcp://127.0.0.1:0").await.is_err());
    drop(flood);
    let late = async {
        loop {
            if let Ok(late) = WorkClient::connect(serving.address()).await {
                return late;
            }
        }
    };
    let late = timeout(Duration::from_secs(20), late).await;
    let late = late.expect("it accepts again");
    assert_eq!(late.add(3, 4).await.unwrap(), 7);
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_without_descriptors_goes_on_when_there_are_some_again() {
    let script = "ulimit -n 48 && exec \"$0\" --exact a_server_without_descriptors";
    let output = std::process::Command::new("sh")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .env("FEW_DESCRIPTORS", "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    assert!(text.contains("1 passed"), "{text}");
}
