//! A whole connection against a peer that sends anything: it ends, and nobody waits for ever.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rpc_runtime::__fuzz::{End, Listener, dial};
use rpc_runtime::{Channel, Handle, Items, Limits, Server, Stream, stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Builder;
use tokio::time::timeout;

use crate::everything::v1::{
    All, Counter, CounterClient, CounterService, Shape, Target, TargetClient, TargetService,
    Trouble,
};

/// Time is paused, and goes on when everybody waits: attempts and pauses between them cost nothing.
const LONG: Duration = Duration::from_secs(3_600);

/// Longest time of a call; whatever the peer does, it ends then.
const CALL: Duration = Duration::from_secs(60);

const PREFACE: &[u8] = b"\xabRPCIDL\x01";

/// A HELLO with small windows, a small `max_message`, and calls enough.
const HELLO: &[u8] = b"\x4e\0\0\0\x01\0\0\0\0\0\0\0\x84\
    \xacmax_inflight\x20\
    \xabmax_message\xce\x00\x10\x00\x00\
    \xadstream_window\xcd\x10\x00\
    \xb1connection_window\xcd\x20\x00";

/// Sends the bytes to a server after preface and HELLO.
///
/// The server takes them all or refuses them by closing, and closes when we do; and it still answers the next client.
pub fn server(data: &[u8]) {
    attack_server(data, Speaks::Frames);
}

/// Sends the bytes through the second door, as a MessagePack-RPC peer: to a server, or, if the first one is odd, to a
/// client that calls through it. The properties are those of [`server`] and [`client`].
pub fn second_door(data: &[u8]) {
    match data.split_first() {
        Some((side, data)) if side % 2 == 1 => attack_client(data, Speaks::Messages),
        Some((_, data)) => attack_server(data, Speaks::Messages),
        None => {}
    }
}

#[derive(Clone, Copy)]
enum Speaks {
    Frames,
    Messages,
}

fn attack_server(data: &[u8], speaks: Speaks) {
    run(async {
        let name = fresh_name();
        let address = format!("mem://{name}");
        let listening = Server::new()
            .add(TargetService::new(Everything))
            .limits(limits())
            .listen(&address);
        let Ok(serving) = listening.await else {
            unreachable!("the name is free");
        };
        let Ok(end) = dial(&name) else {
            unreachable!("the server listens");
        };
        let received = match speaks {
            Speaks::Frames => {
                let received = converse(end, &[PREFACE, HELLO, data].concat()).await;
                assert!(whole_frames(&received) >= 1, "no HELLO came back");
                received.len()
            }
            Speaks::Messages => converse(end, data).await.len(),
        };
        assert!(received < 64 << 20, "an answer without end");
        let other = TargetClient::connect(&address).await;
        let Ok(other) = other else {
            unreachable!("others are served: {other:?}");
        };
        let answer = other.take(None).await;
        assert!(answer.is_ok(), "others are answered: {answer:?}");
        drop(serving);
    });
}

/// Sends the bytes to a client that has made calls of every kind.
///
/// Each call ends, with an answer or with an error, and so does each stream.
pub fn client(data: &[u8]) {
    attack_client(data, Speaks::Frames);
}

fn attack_client(data: &[u8], speaks: Speaks) {
    run(async {
        let name = fresh_name();
        let Ok(mut listener) = Listener::bind(&name) else {
            unreachable!("the name is free");
        };
        let (bytes, builder) = match speaks {
            Speaks::Frames => ([HELLO, data].concat(), Channel::builder()),
            Speaks::Messages => (data.to_vec(), Channel::builder().msgpack_rpc()),
        };
        let answering = async move {
            let Ok(end) = listener.accept().await else {
                return;
            };
            // Who tries again is refused at once.
            drop(listener);
            converse(end, &bytes).await;
        };
        let calling = async {
            let channel = builder
                .limits(limits())
                .export(TargetService::new(Everything))
                .connect(format!("mem://{name}"))
                .await;
            let Ok(channel) = channel else {
                unreachable!("HELLO is good: {channel:?}");
            };
            call(&TargetClient::new(channel)).await;
        };
        tokio::select! {
            () = calling => {}
            () = async { answering.await; std::future::pending().await } => {}
        }
    });
}

/// Calls of every kind at once, all read to their ends. Their request IDs are 1 to 6.
async fn call(target: &TargetClient) {
    let mut down = target.down(3).timeout(CALL).start();
    let mut both = target
        .both(stream::iter(["a".to_owned(), "b".repeat(9_000)]))
        .timeout(CALL)
        .start();
    let all = Default::default();
    let all = async { drop(target.echo(&all).timeout(CALL).await) };
    let up = async {
        let shapes = (0..40).map(|_| Shape::Group(vec![Shape::Nothing; 400]));
        drop(target.up(stream::iter(shapes)).timeout(CALL).await);
    };
    let lend = async {
        if let Ok(counter) = target.lend().timeout(CALL).await {
            drop(counter.add(1).timeout(CALL).await);
        }
    };
    let downs = async { while down.next().await.is_some() {} };
    let boths = async { while both.next().await.is_some() {} };
    tokio::join!(all, up, lend, downs, boths);
    // What the connection had to say was read; whatever is called now fails at once.
    let _ = target.note("over").await;
}

/// Writes everything, reads everything, and hangs up as soon as the bytes are written.
async fn converse(end: End, bytes: &[u8]) -> Vec<u8> {
    let End {
        mut reader,
        mut writer,
    } = end;
    let mut received = Vec::new();
    let write = async {
        // A server that refuses what comes may close before it has all.
        let _ = writer.write_all(bytes).await;
        let _ = writer.shutdown().await;
    };
    let read = async {
        let _ = reader.read_to_end(&mut received).await;
    };
    tokio::join!(write, read);
    received
}

/// Counts what the other side has sent, which is whole frames and nothing else.
fn whole_frames(mut bytes: &[u8]) -> usize {
    let mut count = 0;
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let length = u32::from_le_bytes(*length) as usize;
        if rest.len() < length {
            return count;
        }
        assert!(length >= 8, "a frame of {length} bytes");
        bytes = &rest[length..];
        count += 1;
    }
    count
}

fn run(test: impl Future<Output = ()>) {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    let Ok(runtime) = runtime else {
        unreachable!("a runtime can be made");
    };
    let ended = runtime.block_on(async { timeout(LONG, test).await });
    assert!(ended.is_ok(), "somebody waits for ever");
}

fn fresh_name() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("fuzz-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Small, so that short input reaches the ends.
fn limits() -> Limits {
    Limits {
        max_frame_bytes: 64 << 10,
        max_message_bytes: 32 << 10,
        max_nodes: 10_000,
        max_inflight_per_connection: 4,
        stream_window: 4 << 10,
        connection_window: 8 << 10,
        connection_memory: 64 << 10,
        max_objects: 4,
        ..Limits::default()
    }
}

/// The service under attack, and what a client exports.
#[derive(Debug)]
struct Everything;

impl Target for Everything {
    async fn echo(&self, all: All) -> Result<All, Trouble> {
        match all.byte {
            Some(0) => Err(Trouble::Unclear),
            _ => Ok(all),
        }
    }

    async fn never(&self) -> u8 {
        std::future::pending().await
    }

    async fn note(&self, _text: String) {}

    async fn down(
        &self,
        count: u32,
    ) -> Result<impl Stream<Item = Result<Shape, Trouble>>, Trouble> {
        if count == 0 {
            return Err(Trouble::Missing("none".to_owned()));
        }
        Ok(stream::iter((0..count.min(10_000)).map(|number| {
            if number == 99 {
                Err(Trouble::Unclear)
            } else {
                Ok(Shape::Circle(f64::from(number)))
            }
        })))
    }

    async fn up(&self, mut shapes: Items<Shape>) -> u64 {
        let mut count = 0;
        while let Some(Ok(_)) = shapes.next().await {
            count += 1;
        }
        count
    }

    async fn both(&self, words: Items<String>) -> impl Stream<Item = String> {
        Echo(words)
    }

    async fn lend(&self) -> Handle<CounterClient> {
        Handle::new(CounterService::new(Sum(AtomicU64::new(0))))
    }

    async fn take(&self, counter: Option<Handle<CounterClient>>) -> u64 {
        match counter {
            Some(counter) => counter.add(1).await.unwrap_or_default(),
            None => 0,
        }
    }
}

/// The words as they come.
struct Echo(Items<String>);

impl Stream for Echo {
    type Item = String;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<String>> {
        let next = std::pin::Pin::new(&mut self.0).poll_next(cx);
        next.map(|item| item.and_then(Result::ok))
    }
}

struct Sum(AtomicU64);

impl Counter for Sum {
    async fn add(&self, n: u64) -> u64 {
        self.0.fetch_add(n, Ordering::Relaxed).wrapping_add(n)
    }
}
