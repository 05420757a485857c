//! No wake-up is lost: calls over a pipe of a few bytes, with hardly any room anywhere, all come to their end.
#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::io;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll};
use std::time::Duration;

use rpc_runtime::{
    Acceptor, Channel, Connection, ErrorKind, Items, Limits, Opening, Server, Stream, Transport,
    rpc_service, stream,
};
use tokio::io::{AsyncWrite, DuplexStream, WriteHalf, duplex, split};
use tokio::sync::mpsc;
use tokio::task::{JoinSet, yield_now};
use tokio::time::timeout;

/// A task that sleeps for ever is seen by this; PINGs, which would wake it, come later.
const LONG: Duration = Duration::from_secs(10);

/// Pairs of connections; each has another width, so that frames are cut at all places.
const ROUNDS: usize = 14;

#[rpc_service(package = "test.wakes.v1")]
trait Narrow {
    async fn echo(&self, text: String) -> String;
    /// The same, and waits in between, so that it is answered by a task.
    async fn later(&self, text: String) -> String;
    async fn sum(&self, numbers: Items<u64>) -> u64;
    fn count(&self, to: u64) -> impl Stream<Item = u64>;
}

/// What the server does not have: calls are refused.
#[rpc_service(package = "test.wakes.v1")]
trait Absent {
    async fn nothing(&self);
}

struct Worker;

impl Narrow for Worker {
    async fn echo(&self, text: String) -> String {
        text
    }
    async fn later(&self, text: String) -> String {
        yield_now().await;
        text
    }
    async fn sum(&self, mut numbers: Items<u64>) -> u64 {
        let mut sum = 0;
        while let Some(Ok(number)) = numbers.next().await {
            sum += number;
        }
        sum
    }
    fn count(&self, to: u64) -> impl Stream<Item = u64> {
        stream::iter(0..to)
    }
}

/// A pipe through which so many bytes go at a time.
struct Straw {
    width: usize,
    open: mpsc::UnboundedSender<Connection>,
    opened: Mutex<Option<mpsc::UnboundedReceiver<Connection>>>,
}

fn straw(width: usize) -> Straw {
    let (open, opened) = mpsc::unbounded_channel();
    let opened = Mutex::new(Some(opened));
    Straw {
        width,
        open,
        opened,
    }
}

fn end(stream: DuplexStream) -> Connection {
    let (reader, writer) = split(stream);
    Connection {
        reader: Box::new(reader),
        writer: Box::new(Lingers(writer)),
        peer: "tcp://straw:1".to_owned(),
    }
}

/// Lets other threads come by while it is held for writing.
struct Lingers(WriteHalf<DuplexStream>);

impl AsyncWrite for Lingers {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::thread::yield_now();
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl Transport for &'static Straw {
    fn connect<'a>(&'a self, _: &'a str) -> Opening<'a, Connection> {
        let (here, there) = duplex(self.width);
        Box::pin(async {
            let gone = |_| io::Error::from(io::ErrorKind::ConnectionRefused);
            self.open.send(end(there)).map_err(gone)?;
            Ok(end(here))
        })
    }

    fn listen<'a>(&'a self, _: &'a str) -> Opening<'a, Box<dyn Acceptor>> {
        let opened = self.opened.lock().unwrap().take().unwrap();
        Box::pin(async { Ok(Box::new(Accepting(opened)) as Box<dyn Acceptor>) })
    }
}

struct Accepting(mpsc::UnboundedReceiver<Connection>);

impl Acceptor for Accepting {
    fn address(&self) -> String {
        "tcp://straw:1".to_owned()
    }

    fn accept(&mut self) -> Opening<'_, Connection> {
        Box::pin(async {
            let connection = self.0.recv().await;
            connection.ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected))
        })
    }
}

/// One of everything that waits for room, for credit, for a place or for the socket.
async fn calls(channel: Channel, seed: usize) {
    let absent = AbsentClient::new(channel.clone());
    let client = NarrowClient::new(channel);
    for round in seed..seed + 6 {
        let text = "x".repeat(round * 97 % 700);
        assert_eq!(client.echo(text.clone()).await.unwrap(), text);
        // Given up as soon as it has begun.
        drop(client.later(text.clone()).start());
        assert_eq!(client.later(text.clone()).await.unwrap(), text);
        for refused in [absent.nothing().start(), absent.nothing().start()] {
            assert_eq!(refused.await.unwrap_err().kind(), ErrorKind::Unimplemented);
        }
        let numbers = round as u64 * 7 % 60;
        let sum = client.sum(stream::iter(0..numbers)).await.unwrap();
        assert_eq!(sum, (0..numbers).sum::<u64>());
        let mut items = client.count(numbers).start();
        // Every other one is left in the middle.
        let wanted = if round % 2 == 0 { numbers } else { numbers / 2 };
        for expected in 0..wanted {
            assert_eq!(items.next().await.unwrap().unwrap(), expected);
        }
    }
}

async fn connection(number: usize) {
    let limits = Limits {
        max_inflight_per_connection: 3,
        max_queued_control: 1,
        outbound_queue_bytes: 200,
        stream_window: 64,
        connection_window: 100,
        cancel_budget: u32::MAX,
        error_budget: u32::MAX,
        control_budget: u32::MAX,
        ..Limits::default()
    };
    // It lives as long as the test, which the transport of a server wants.
    let straw: &'static Straw = Box::leak(Box::new(straw(17 + number % 7 * 31)));
    let server = Server::new()
        .limits(limits.clone())
        .transport(straw)
        .add(NarrowService::new(Worker));
    let mut serving = server.listen("tcp://straw:1").await.unwrap();
    let channel = Channel::builder().limits(limits).transport(straw);
    let channel = channel.connect(serving.address()).await.unwrap();
    let mut callers = JoinSet::new();
    for caller in 0..6 {
        callers.spawn(calls(channel.clone(), number + caller));
    }
    while let Some(done) = callers.join_next().await {
        done.unwrap();
    }
    drop(channel);
    serving.shutdown(LONG).await;
}

/// Some thousands of calls, most of which wait several times, mostly for what another thread does.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_that_wait_for_room_everywhere_all_come_to_their_end() {
    for round in 0..ROUNDS {
        let both = async { tokio::join!(connection(2 * round), connection(2 * round + 1)) };
        let done = timeout(LONG, both).await;
        assert!(done.is_ok(), "round {round}: somebody waits for ever");
    }
}
