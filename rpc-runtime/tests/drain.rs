//! A server that goes: step by step, as a client sees it that was written by hand.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test a panic is the report"
)]

mod raw;

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rpc_runtime::discovery::{InProcess, Registry};
use rpc_runtime::{
    Acceptor, Channel, Connection, Opening, Server, Serving, Transport, rpc_service,
};
use tokio::io::{DuplexStream, duplex, split};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep, timeout};

use raw::{HELLO, LONG, PREFACE, Raw, call};

#[rpc_service(package = "drain")]
trait Work {
    async fn quick(&self) -> u64;
    async fn waits(&self) -> u64;
}

#[derive(Clone, Default)]
struct Worker {
    began: Arc<Notify>,
    go: Arc<Notify>,
}

impl Work for Worker {
    async fn quick(&self) -> u64 {
        1
    }
    async fn waits(&self) -> u64 {
        self.began.notify_one();
        self.go.notified().await;
        2
    }
}

fn id_of(name: &str) -> u64 {
    let methods = WorkClient::SERVICE.methods;
    methods
        .iter()
        .find(|method| method.name == name)
        .unwrap()
        .id
}

async fn serve() -> (Serving, Worker) {
    let worker = Worker::default();
    let server = Server::new().add(WorkService::new(worker.clone()));
    (server.listen("tcp://127.0.0.1:0").await.unwrap(), worker)
}

/// Connections in memory, so that time can be paused.
struct Wire {
    open: mpsc::UnboundedSender<Connection>,
    /// For the acceptor.
    opened: Mutex<Option<mpsc::UnboundedReceiver<Connection>>>,
}

struct Accepting(mpsc::UnboundedReceiver<Connection>);

impl Wire {
    fn new() -> Arc<Self> {
        let (open, opened) = mpsc::unbounded_channel();
        let opened = Mutex::new(Some(opened));
        Arc::new(Self { open, opened })
    }

    fn silent(&self) -> Raw<DuplexStream> {
        let (here, there) = duplex(1 << 16);
        let (reader, writer) = split(there);
        let connection = Connection {
            reader: Box::new(reader),
            writer: Box::new(writer),
            peer: "by hand".to_owned(),
        };
        assert!(self.open.send(connection).is_ok(), "nobody listens");
        Raw::new(here)
    }

    async fn open(&self) -> Raw<DuplexStream> {
        let mut raw = self.silent();
        raw.send(&[PREFACE, HELLO].concat()).await;
        assert_eq!(raw.next().await.unwrap().kind, 1);
        raw
    }
}

/// What the server has of it.
struct End(Arc<Wire>);

impl Transport for End {
    fn connect<'a>(&'a self, _: &'a str) -> Opening<'a, Connection> {
        Box::pin(async { Err(io::Error::from(io::ErrorKind::Unsupported)) })
    }

    fn listen<'a>(&'a self, _: &'a str) -> Opening<'a, Box<dyn Acceptor>> {
        let opened = self.0.opened.lock().unwrap().take().unwrap();
        Box::pin(async { Ok(Box::new(Accepting(opened)) as Box<dyn Acceptor>) })
    }
}

impl Acceptor for Accepting {
    fn address(&self) -> String {
        "tcp://wire:1".to_owned()
    }

    fn accept(&mut self) -> Opening<'_, Connection> {
        Box::pin(async {
            let connection = self.0.recv().await;
            connection.ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected))
        })
    }
}

/// Last ID, reason and finality of a GOAWAY.
fn go_away(frame: &raw::Frame) -> (u32, u8, u8) {
    assert_eq!(frame.kind, 12, "{frame:?}");
    let last = u32::from_le_bytes(frame.rest[..4].try_into().unwrap());
    (last, frame.rest[4], frame.rest[5])
}

fn pong(ping: &raw::Frame) -> Vec<u8> {
    assert_eq!(ping.kind, 10, "{ping:?}");
    raw::frame(11, 0, 0, 0, &ping.rest)
}

#[tokio::test]
async fn a_server_announces_serves_on_draws_the_line_refuses_and_finishes() {
    let (mut serving, worker) = serve().await;
    let (mut raw, _) = Raw::open(serving.address()).await;
    raw.send(&call(1, id_of("waits"), &[0x90])).await;
    worker.began.notified().await;
    assert!(serving.is_ready());
    let address = serving.address().to_owned();
    let going = tokio::spawn(async move {
        serving.shutdown(LONG).await;
        serving.is_ready()
    });
    let (last, reason, is_final) = go_away(&raw.next().await.unwrap());
    assert_eq!((reason, is_final), (0, 0), "the announcement");
    assert!(
        (2..1000).all(|id: u32| id.wrapping_sub(last) > 1 << 31),
        "no ID is behind it"
    );
    let ping = raw.next().await.unwrap();
    // On its way when the announcement came.
    raw.send(&call(2, id_of("quick"), &[0x90])).await;
    assert_eq!(raw.next().await.unwrap().kind, 3, "it is served");
    raw.send(&pong(&ping)).await;
    assert_eq!(go_away(&raw.next().await.unwrap()), (2, 0, 1), "the line");
    raw.send(&call(3, id_of("quick"), &[0x90])).await;
    let (status, execution, _) = raw.next().await.unwrap().fail();
    assert_eq!((status, execution), (14, 1), "unavailable, not started");
    let refused = tokio::net::TcpStream::connect(address.strip_prefix("tcp://").unwrap()).await;
    assert!(
        refused.is_err(),
        "nobody listens any more, so a successor may"
    );
    worker.go.notify_one();
    let reply = raw.next().await.unwrap();
    assert_eq!((reply.kind, reply.id), (3, 1), "what ran has finished");
    assert!(raw.next().await.is_none(), "and the connection is closed");
    drop(raw);
    assert!(!timeout(LONG, going).await.unwrap().unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_listen_is_served_as_long_as_it_may_not_have_heard() {
    let wire = Wire::new();
    let server = Server::new()
        .transport(End(wire.clone()))
        .add(WorkService::new(Worker::default()));
    let mut serving = server.listen("tcp://wire:1").await.unwrap();
    let mut deaf = wire.open().await;
    let began = Instant::now();
    let going = tokio::spawn(async move { serving.shutdown(LONG).await });
    assert_eq!(go_away(&deaf.next().await.unwrap()).2, 0);
    // Whoever connects meanwhile is served too, and then told the same.
    let mut late = wire.open().await;
    late.send(&call(1, id_of("quick"), &[0x90])).await;
    assert_eq!(late.next().await.unwrap().kind, 3);
    sleep(Duration::from_millis(300)).await;
    deaf.send(&call(1, id_of("quick"), &[0x90])).await;
    assert_eq!(deaf.next().await.unwrap().kind, 10);
    assert_eq!(deaf.next().await.unwrap().kind, 3, "it may not have heard");
    // The second round: who comes now is sent away with a word, in place of HELLO.
    assert_eq!(go_away(&late.next().await.unwrap()).2, 0);
    let mut too_late = wire.silent();
    too_late.send(PREFACE).await;
    let word = too_late.next().await.unwrap();
    assert_eq!(go_away(&word), (0, 0, 1));
    assert!(String::from_utf8_lossy(&word.rest).contains("shutting down"));
    drop(too_late);
    assert_eq!(go_away(&deaf.next().await.unwrap()), (1, 0, 1));
    drop((deaf, late));
    timeout(LONG, going).await.unwrap().unwrap();
    assert!(
        began.elapsed() < Duration::from_secs(6),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_takes_no_longer_than_its_limit() {
    let worker = Worker::default();
    let server = Server::new().add(WorkService::new(worker.clone()));
    let mut serving = server.listen("mem://drain-limit").await.unwrap();
    let client = WorkClient::connect(serving.address()).await.unwrap();
    let call = client.waits().no_timeout().start();
    worker.began.notified().await;
    let began = Instant::now();
    serving.shutdown(Duration::from_secs(3)).await;
    let took = began.elapsed();
    assert!(
        took >= Duration::from_secs(3) && took < Duration::from_millis(3_200),
        "{took:?}"
    );
    let failure = call.await.unwrap_err();
    assert_eq!(
        failure.execution(),
        rpc_runtime::Execution::Unknown,
        "{failure}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_leaves_its_registry_and_serves_on_before_it_tells_its_clients() {
    let list = InProcess::new();
    let worker = Worker::default();
    let server = Server::new()
        .add(WorkService::new(worker))
        .register(list.clone());
    let server = server.propagation(Duration::from_secs(7));
    let mut serving = server.listen("mem://drain-listed").await.unwrap();
    let listed = || async { list.snapshot("drain.Work").await.unwrap().instances.len() };
    while listed().await == 0 {
        sleep(Duration::from_millis(10)).await;
    }
    let client = WorkClient::connect("mem://drain-listed").await.unwrap();
    let began = Instant::now();
    tokio::join!(serving.shutdown(Duration::from_secs(60)), async {
        sleep(Duration::from_secs(1)).await;
        assert_eq!(listed().await, 0);
        while began.elapsed() < Duration::from_millis(6_900) {
            assert_eq!(client.quick().no_retry().await.unwrap(), 1);
            sleep(Duration::from_millis(100)).await;
        }
    });
    assert!(began.elapsed() >= Duration::from_secs(7));
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn clients_of_several_servers_go_elsewhere_without_waiting() {
    let start = async |name: &str| {
        let server = Server::new().add(WorkService::new(Worker::default()));
        server.listen(format!("mem://{name}")).await.unwrap()
    };
    let mut first = start("drain-a").await;
    let _second = start("drain-b").await;
    let registry =
        rpc_runtime::discovery::ListRegistry::new(["mem://drain-a", "mem://drain-b"]).unwrap();
    let client = WorkClient::new(Channel::discover(registry, "drain.Work"));
    for _ in 0..4 {
        client.quick().await.unwrap();
    }
    let slowest = tokio::join!(first.shutdown(LONG), async {
        let mut slowest = Duration::ZERO;
        for _ in 0..500 {
            let began = Instant::now();
            client.quick().await.unwrap();
            slowest = slowest.max(began.elapsed());
            sleep(Duration::from_millis(1)).await;
        }
        slowest
    });
    assert!(slowest.1 < Duration::from_millis(5), "{:?}", slowest.1);
}
