//! The byte vectors of docs/wire.md against what both sides write and read.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test a panic is the report"
)]

mod raw;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rpc_runtime::{
    CallError, Channel, ChannelBuilder, Context, Error, ErrorKind, Execution, Handle, Identity,
    Items, Limits, Login, Server, Serving, Status, Stream, Token, rpc_service, stream,
};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use raw::{HELLO, LONG, PREFACE, Raw};

#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
enum Refusal {
    TooLong { limit: u32 },
}

#[rpc_service(package = "demo.v1")]
trait Greeter {
    async fn hello(&self, name: &str) -> String;
    async fn greet(&self, name: &str) -> Result<String, Refusal>;
    async fn nothing(&self);
    async fn wait(&self);
    #[rpc(oneway)]
    async fn note(&self, text: &str);
    fn count(&self, to: u64) -> impl Stream<Item = u64>;
    /// Reads up to ".".
    async fn join(&self, words: Items<String>) -> Result<String, Refusal>;
    async fn echo(&self, words: Items<String>) -> impl Stream<Item = String>;
    async fn counter(&self) -> Handle<CounterClient>;
    async fn give(&self, counter: Handle<CounterClient>) -> u64;
    /// Calls back.
    async fn ask(&self, context: &Context) -> String;
}

#[rpc_service(package = "demo.v1")]
trait Counter {
    async fn add(&self, by: u64) -> u64;
}

/// Tells when it is dropped.
struct Five(Arc<Notify>);

impl Counter for Five {
    async fn add(&self, by: u64) -> u64 {
        5 + by
    }
}

impl Drop for Five {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

struct English(Arc<Notify>);

impl Greeter for English {
    async fn hello(&self, name: &str) -> String {
        format!("Hello, {name}!")
    }
    async fn greet(&self, _: &str) -> Result<String, Refusal> {
        Err(Refusal::TooLong { limit: 3 })
    }
    async fn nothing(&self) {}
    async fn wait(&self) {
        std::future::pending().await
    }
    async fn note(&self, text: &str) {
        assert_eq!(text, "hi");
        self.0.notify_one();
    }
    fn count(&self, to: u64) -> impl Stream<Item = u64> {
        stream::iter(0..to)
    }
    async fn join(&self, mut words: Items<String>) -> Result<String, Refusal> {
        let mut all = String::new();
        while let Some(word) = words.next().await {
            let word = word.map_err(|_| Refusal::TooLong { limit: 0 })?;
            if word == "." {
                break;
            }
            all += &word;
        }
        Ok(all)
    }
    async fn echo(&self, mut words: Items<String>) -> impl Stream<Item = String> {
        let (say, answers) = stream::pipe(1);
        tokio::spawn(async move {
            while let Some(Ok(word)) = words.next().await {
                say.send(word).await.unwrap();
            }
        });
        answers
    }
    async fn counter(&self) -> Handle<CounterClient> {
        Handle::new(CounterService::new(Five(self.0.clone())))
    }
    async fn give(&self, counter: Handle<CounterClient>) -> u64 {
        counter.add(5).await.unwrap()
    }
    async fn ask(&self, context: &Context) -> String {
        let caller = GreeterClient::new(context.caller().unwrap());
        caller.hello("Ann").await.unwrap()
    }
}

const PAGE: &str = include_str!("../../docs/wire.md");

fn vectors() -> BTreeMap<&'static str, Vec<u8>> {
    let mut vectors = BTreeMap::new();
    for block in PAGE.split("```vector ").skip(1) {
        let (name, rest) = block.split_once('\n').unwrap();
        let (text, _) = rest.split_once("```").unwrap();
        let bytes = text.lines().flat_map(read_line).collect();
        assert!(vectors.insert(name, bytes).is_none(), "{name} stands twice");
    }
    vectors
}

/// Hex, `"text"`, and a comment behind `#`.
fn read_line(line: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (index, piece) in line.split('"').enumerate() {
        if index % 2 == 1 {
            bytes.extend(piece.as_bytes());
            continue;
        }
        let (hex, comment) = piece.split_once('#').unwrap_or((piece, ""));
        bytes.extend(
            hex.split_whitespace()
                .map(|byte| u8::from_str_radix(byte, 16).unwrap()),
        );
        if piece.len() != hex.len() {
            assert!(!comment.contains('"'), "{line}");
            break;
        }
    }
    bytes
}

fn vector(name: &str) -> Vec<u8> {
    vectors()
        .remove(name)
        .unwrap_or_else(|| panic!("docs/wire.md has no vector {name}"))
}

#[track_caller]
fn assert_bytes(found: &[u8], name: &str) {
    assert_eq!(hex(found), hex(&vector(name)), "`{name}` in docs/wire.md");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x} ")).collect()
}

/// The remaining time of a CALL shrinks while the test runs.
fn without_time(mut call: Vec<u8>) -> Vec<u8> {
    call[20..24].fill(0);
    call
}

fn remaining(call: &[u8]) -> u32 {
    u32::from_le_bytes(call[20..24].try_into().unwrap())
}

/// A real client, and the raw side it is connected to.
async fn client() -> (GreeterClient, Raw) {
    client_that_says(Channel::builder(), "hello-client").await
}

async fn client_that_says(builder: ChannelBuilder, hello: &str) -> (GreeterClient, Raw) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    let server = async {
        let mut raw = Raw::new(listener.accept().await.unwrap().0);
        let greeting = [vector("preface"), vector(hello)].concat();
        let found = raw.bytes(greeting.len()).await;
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(hex(&found), hex(&greeting), "is the version not {version}?");
        raw.send(&vector("hello-server")).await;
        raw
    };
    let (channel, raw) = tokio::join!(builder.connect(&address), server);
    let channel = channel.unwrap();
    assert_eq!(
        channel.peer_fingerprint("demo.v1.Greeter"),
        Some(0x1122_3344_5566_7788)
    );
    (GreeterClient::new(channel), raw)
}

async fn server() -> (Serving, Raw, Arc<Notify>) {
    let noted = Arc::new(Notify::new());
    let serving = Server::new()
        .add(GreeterService::new(English(noted.clone())))
        .listen("tcp://127.0.0.1:0")
        .await
        .unwrap();
    let mut raw = Raw::silent(serving.address()).await;
    raw.send(&[vector("preface"), vector("hello-minimal")].concat())
        .await;
    assert_eq!(raw.next().await.unwrap().kind, 1);
    (serving, raw, noted)
}

fn id_of(method: &str) -> u64 {
    let methods = GreeterClient::SERVICE.methods;
    methods
        .iter()
        .find(|known| known.name == method)
        .unwrap()
        .id
}

#[test]
fn every_vector_is_one_whole_frame() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 45, "{:?}", vectors.keys());
    for (name, bytes) in vectors.iter().filter(|(name, _)| **name != "preface") {
        let length = u32::from_le_bytes(bytes[..4].try_into().unwrap());
        assert_eq!(length as usize, bytes.len() - 4, "{name}");
    }
    assert_eq!(vectors["preface"], PREFACE);
}

#[test]
fn call_ids_are_those_of_the_recipe() {
    assert_eq!(id_of("hello"), 5_397_961_363_558_693);
    assert!(PAGE.contains("\n5397961363558693\n"));
}

#[tokio::test]
async fn a_client_calls_as_the_page_says() {
    let (client, mut raw) = client().await;
    let pending = client.hello("Ann").no_timeout().start();
    assert_bytes(&raw.next().await.unwrap().bytes, "call");
    raw.send(&vector("ignorable")).await;
    raw.send(&vector("padding")).await;
    raw.send(&vector("reply")).await;
    assert_eq!(pending.await.unwrap(), "Hello, Ann!");
    client.note("hi").await.unwrap();
    let call = raw.next().await.unwrap().bytes;
    assert!((1..=10_000).contains(&remaining(&call)));
    assert_bytes(&without_time(call), "call-one-way");
}

#[tokio::test]
async fn a_client_sends_metadata_and_time_as_the_page_says() {
    let (client, mut raw) = client().await;
    let call = client.hello("Ann").metadata("user", "u1");
    let _pending = call.timeout(Duration::from_secs(60)).start();
    let call = raw.next().await.unwrap().bytes;
    assert!((1..=60_000).contains(&remaining(&call)));
    assert_eq!(remaining(&vector("call-metadata")), 60_000);
    let expected = without_time(vector("call-metadata"));
    assert_eq!(hex(&without_time(call)), hex(&expected));
}

#[tokio::test]
async fn tokens_travel_as_the_page_says() {
    let token = Token::new("s3cret").unwrap();
    let builder = Channel::builder().token(token.clone());
    let (client, mut raw) = client_that_says(builder, "hello-token").await;
    let call = client.hello("Ann").token(token);
    let _pending = call.timeout(Duration::from_secs(60)).start();
    let call = raw.next().await.unwrap().bytes;
    let expected = without_time(vector("call-token"));
    assert_eq!(hex(&without_time(call)), hex(&expected));

    let refuses = async |login: Login| match login.token() {
        Some(token) if token.reveal() == "s3cret" => Ok(Some(Identity::new("ann"))),
        _ => Err(Error::new(ErrorKind::Unauthenticated, "not you")),
    };
    let serving = Server::new()
        .add(GreeterService::new(English(Arc::default())))
        .authenticate(refuses)
        .listen("tcp://127.0.0.1:0")
        .await
        .unwrap();
    let mut raw = Raw::silent(serving.address()).await;
    raw.send(
        &[
            vector("preface"),
            vector("hello-token"),
            vector("call-token"),
        ]
        .concat(),
    )
    .await;
    assert_eq!(raw.next().await.unwrap().kind, 1);
    assert_bytes(&raw.next().await.unwrap().bytes, "reply");
    let mut raw = Raw::silent(serving.address()).await;
    raw.send(&[vector("preface"), vector("hello-minimal")].concat())
        .await;
    let go_away = raw.next().await.unwrap();
    assert_eq!((go_away.kind, go_away.rest[4]), (12, 6));
}

#[tokio::test]
async fn a_client_reads_every_answer_of_the_page() {
    let (greeter, mut raw) = client().await;
    let pending = greeter.nothing().start();
    raw.next().await.unwrap();
    raw.send(&vector("reply-void")).await;
    pending.await.unwrap();

    let (greeter, mut raw) = client().await;
    let pending = greeter.greet("Anna").start();
    raw.next().await.unwrap();
    raw.send(&vector("declared-error")).await;
    let failure = pending.await.unwrap_err();
    assert_eq!(failure.status(), Status::Unknown);
    assert_eq!((failure.retryable(), failure.retry_after()), (false, None));
    assert!(matches!(
        failure,
        CallError::Declared {
            error: Refusal::TooLong { limit: 3 },
            ..
        }
    ));

    let (greeter, mut raw) = client().await;
    let pending = greeter.hello("Ann").start();
    raw.next().await.unwrap();
    raw.send(&vector("fail")).await;
    // What a client may ask next, to explain the failure, is not answered.
    drop(raw);
    let failure = pending.await.unwrap_err();
    assert_eq!(
        (failure.kind(), failure.execution()),
        (ErrorKind::Unimplemented, Execution::NotStarted)
    );
    let text = failure.to_string();
    assert!(text.contains("no method here has the call ID 42"), "{text}");
}

#[tokio::test]
async fn a_client_answers_ping_cancels_and_obeys_go_away_as_the_page_says() {
    let (client, mut raw) = client().await;
    raw.send(&vector("ping")).await;
    assert_bytes(&raw.next().await.unwrap().bytes, "pong");
    let pending = client.wait().start();
    assert_eq!(raw.next().await.unwrap().id, 1);
    let kept = client.wait().start();
    assert_eq!(raw.next().await.unwrap().id, 2);
    drop(pending);
    assert_bytes(&raw.next().await.unwrap().bytes, "cancel");
    // The page's GOAWAY ends with request 1, so request 2 was not started.
    raw.send(&vector("goaway")).await;
    drop(raw);
    let failure = kept.await.unwrap_err();
    assert_eq!(failure.kind(), ErrorKind::Unavailable, "{failure}");
}

#[tokio::test]
async fn a_server_says_hello_as_the_page_says() {
    let (serving, ..) = server().await;
    let (_, hello) = Raw::open(serving.address()).await;
    let page = vector("hello-server");
    let end = |bytes: &[u8]| {
        let key = b"\xa8services";
        let found = bytes.windows(key.len()).position(|window| window == key);
        found.unwrap() + key.len()
    };
    // Behind it stand the services, whose number and fingerprints are those of this test.
    assert_eq!(
        hex(&hello.bytes[4..end(&hello.bytes)]),
        hex(&page[4..end(&page)])
    );
    let body: serde_json::Value = rmp_serde::from_slice(&hello.rest).unwrap();
    assert_eq!(body["services"][0][0], "demo.v1.Greeter");
    assert_eq!(
        body["services"][0][1],
        GreeterClient::SERVICE.fingerprint,
        "{body}"
    );
    assert!(HELLO.len() > 12);
}

#[tokio::test]
async fn a_server_answers_as_the_page_says() {
    let (_serving, mut raw, noted) = server().await;
    for name in ["call", "call-metadata"] {
        raw.send(&vector(name)).await;
        assert_bytes(&raw.next().await.unwrap().bytes, "reply");
    }
    raw.send(&vector("call-one-way")).await;
    tokio::time::timeout(LONG, noted.notified()).await.unwrap();
    raw.send(&raw::call(1, id_of("nothing"), &[0x90])).await;
    assert_bytes(&raw.next().await.unwrap().bytes, "reply-void");
    raw.send(&raw::call(1, id_of("greet"), b"\x91\xa4Anna"))
        .await;
    assert_bytes(&raw.next().await.unwrap().bytes, "declared-error");
    raw.send(&raw::call(1, 42, &[0x90])).await;
    assert_bytes(&raw.next().await.unwrap().bytes, "fail");
    raw.send(&vector("ignorable")).await;
    raw.send(&vector("padding")).await;
    raw.send(&vector("ping")).await;
    assert_bytes(&raw.next().await.unwrap().bytes, "pong");
    raw.send(&raw::call(1, id_of("wait"), &[0x90])).await;
    raw.send(&vector("cancel")).await;
    let (status, execution, text) = raw.next().await.unwrap().fail();
    assert_eq!((status, execution), (Status::Cancelled.code(), 3), "{text}");
    raw.send(&raw::frame(99, 0, 0, 0, &[])).await;
    assert_bytes(&raw.rest().await, "goaway");
}

#[tokio::test]
async fn a_server_announces_that_it_goes_as_the_page_says() {
    let (mut serving, mut raw, _) = server().await;
    raw.send(&vector("call")).await;
    raw.next().await.unwrap();
    let going = tokio::spawn(async move { serving.shutdown(LONG).await });
    assert_bytes(&raw.next().await.unwrap().bytes, "goaway-announce");
    drop(raw);
    going.await.unwrap();
}

#[tokio::test]
async fn a_client_goes_elsewhere_after_an_announcement_and_waits_for_its_answers() {
    let (client, mut raw) = client().await;
    let kept = client.hello("Ann").start();
    let call = raw.next().await.unwrap();
    raw.send(&vector("goaway-announce")).await;
    raw.send(&vector("ping")).await;
    assert_bytes(&raw.next().await.unwrap().bytes, "pong");
    let refused = client
        .hello("Bob")
        .timeout(Duration::from_millis(300))
        .await;
    let failure = refused.unwrap_err();
    assert_eq!(failure.execution(), Execution::NotSent, "{failure}");
    assert_eq!(call.id, 1);
    raw.send(&vector("reply")).await;
    assert_eq!(kept.await.unwrap(), "Hello, Ann!");
}

#[tokio::test]
async fn a_one_way_method_called_without_the_flag_is_answered_with_nil() {
    let (_serving, mut raw, _) = server().await;
    raw.send(&raw::call(1, id_of("note"), b"\x91\xa2hi")).await;
    assert_bytes(&raw.next().await.unwrap().bytes, "reply-void");
}

// ---- large bodies, streams, objects ----------------------------------------------------------------------------------

/// A name whose call, and whose answer, is longer than one frame of [`CUT`].
const LONG_NAME: &str = "abcdefghijklmnopqrstuvwxyz01234567";

/// Frames of 40 bytes, bodies in pieces, windows of 1,000.
fn cut_limits() -> Limits {
    Limits {
        max_frame_bytes: 40,
        stream_window: 1_000,
        connection_window: 2_000,
        ..Limits::default()
    }
}

/// A HELLO with the numbers of these limits.
fn hello_of(limits: &Limits) -> Vec<u8> {
    let numbers = [
        ("max_frame", limits.max_frame_bytes),
        ("max_message", limits.max_message_bytes),
        ("max_inflight", 8),
        ("stream_window", limits.stream_window),
        ("connection_window", limits.connection_window),
    ];
    let map: BTreeMap<_, _> = numbers.into_iter().collect();
    raw::frame(1, 0, 0, 0, &rmp_serde::to_vec(&map).unwrap())
}

/// A real client with these limits, and a raw server that announces the others.
async fn client_of(own: Limits, peers: &Limits) -> (GreeterClient, Raw) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    let server = async {
        let mut raw = Raw::new(listener.accept().await.unwrap().0);
        raw.bytes(PREFACE.len()).await;
        assert_eq!(raw.next().await.unwrap().kind, 1);
        raw.send(&hello_of(peers)).await;
        raw
    };
    let builder = Channel::builder().limits(own);
    let (channel, raw) = tokio::join!(builder.connect(&address), server);
    (GreeterClient::new(channel.unwrap()), raw)
}

/// A real server with these limits, and a raw client that announces the others.
async fn server_of(own: Limits, peers: &Limits) -> (Serving, Raw, Arc<Notify>) {
    let noted = Arc::new(Notify::new());
    let serving = Server::new()
        .limits(own)
        .add(GreeterService::new(English(noted.clone())))
        .listen("tcp://127.0.0.1:0")
        .await
        .unwrap();
    let mut raw = Raw::silent(serving.address()).await;
    raw.send(&[PREFACE, &hello_of(peers)].concat()).await;
    assert_eq!(raw.next().await.unwrap().kind, 1);
    (serving, raw, noted)
}

async fn expect(raw: &mut Raw, names: &[&str]) {
    for name in names {
        let mut found = raw.next().await.unwrap().bytes;
        if found[4] == 2 {
            found = without_time(found);
        }
        assert_bytes(&found, name);
    }
}

async fn send(raw: &mut Raw, names: &[&str]) {
    let bytes: Vec<u8> = names.iter().flat_map(|name| vector(name)).collect();
    raw.send(&bytes).await;
}

/// The vector with another request ID.
fn with_id(name: &str, id: u32) -> Vec<u8> {
    let mut bytes = vector(name);
    bytes[8..12].copy_from_slice(&id.to_le_bytes());
    bytes
}

#[tokio::test]
async fn bodies_are_cut_as_the_page_says() {
    let (client, mut raw) = client_of(Limits::default(), &cut_limits()).await;
    let pending = client.hello(LONG_NAME).start();
    expect(&mut raw, &["call-cut", "data", "data-last"]).await;
    send(&mut raw, &["reply-cut", "data-callee"]).await;
    // Others may come between the pieces.
    send(&mut raw, &["ping", "data-callee-last"]).await;
    assert_eq!(pending.await.unwrap(), format!("Hello, {LONG_NAME}!"));

    let (_serving, mut raw, _) = server_of(Limits::default(), &cut_limits()).await;
    send(&mut raw, &["call-cut", "data", "ping", "data-last"]).await;
    expect(
        &mut raw,
        &["pong", "reply-cut", "data-callee", "data-callee-last"],
    )
    .await;
    // CANCEL ends an incomplete call, whose rest is ignored.
    send(&mut raw, &["call-cut", "data", "cancel", "data-last"]).await;
    let (status, execution, _) = raw.next().await.unwrap().fail();
    assert_eq!((status, execution), (Status::Cancelled.code(), 1));
    send(&mut raw, &["call"]).await;
    expect(&mut raw, &["reply"]).await;
}

#[tokio::test]
async fn streams_go_as_the_page_says() {
    let (client, mut raw) = client().await;
    let mut numbers = client.count(3).start();
    expect(&mut raw, &["call-answers-stream"]).await;
    send(&mut raw, &["item-callee", "item-callee", "reply-void"]).await;
    assert_eq!(numbers.next().await.unwrap().unwrap(), 0);
    assert_eq!(numbers.next().await.unwrap().unwrap(), 0);
    assert!(numbers.next().await.is_none());

    let (client, mut raw) = self::client().await;
    let pending = client.join(stream::iter(["Ann".to_owned()])).start();
    expect(&mut raw, &["call-takes-stream", "item", "end"]).await;
    send(&mut raw, &["reply"]).await;
    assert_eq!(pending.await.unwrap(), "Hello, Ann!");

    let (client, mut raw) = self::client().await;
    let (say, words) = stream::pipe(1);
    let mut answers = client.echo(words).start();
    expect(&mut raw, &["call-exchange"]).await;
    send(&mut raw, &["stop"]).await;
    tokio::time::timeout(LONG, say.closed()).await.unwrap();
    send(&mut raw, &["reply-void"]).await;
    assert!(answers.next().await.is_none());

    let limits = Limits::default();
    let (_serving, mut raw, _) = server_of(limits.clone(), &limits).await;
    send(&mut raw, &["call-answers-stream"]).await;
    expect(&mut raw, &["item-callee"]).await;
    for number in 1..3 {
        assert_eq!(raw.next().await.unwrap().rest, [number]);
    }
    expect(&mut raw, &["reply-void"]).await;
    send(&mut raw, &["call-takes-stream", "item", "item", "end"]).await;
    assert_eq!(raw.next().await.unwrap().rest, b"\xa6AnnAnn");
    send(&mut raw, &["call-exchange", "item"]).await;
    assert_eq!(raw.next().await.unwrap().rest, b"\xa3Ann");
    send(&mut raw, &["end"]).await;
    expect(&mut raw, &["reply-void"]).await;
    // A reader that stops says so before the answer.
    send(&mut raw, &["call-takes-stream"]).await;
    raw.send(&raw::frame(5, 0, 0, 1, b"\xa1.")).await;
    expect(&mut raw, &["stop"]).await;
    assert_eq!(raw.next().await.unwrap().rest, b"\xa0");
    // A stream without END is broken.
    send(&mut raw, &["call-takes-stream", "item", "cancel"]).await;
    let (status, ..) = raw.next().await.unwrap().fail();
    assert_eq!(status, Status::Cancelled.code());
}

#[tokio::test]
async fn items_are_cut_and_credit_is_given_as_the_page_says() {
    let (client, mut raw) = client_of(Limits::default(), &cut_limits()).await;
    let pending = client.join(stream::iter([LONG_NAME.to_owned()])).start();
    let item = ["item-cut", "data-of-item", "data-of-item-last"];
    expect(&mut raw, &["call-takes-stream"]).await;
    expect(&mut raw, &item).await;
    expect(&mut raw, &["end"]).await;
    drop(pending);

    let narrow = Limits {
        // A quarter is more than one item, and no more than two.
        stream_window: 100,
        connection_window: 120,
        ..Limits::default()
    };
    let (_serving, mut raw, _) = server_of(Limits::default(), &narrow).await;
    send(&mut raw, &["call-takes-stream"]).await;
    send(&mut raw, &item).await;
    send(&mut raw, &["end"]).await;
    let reply = raw.next().await.unwrap().rest;
    assert_eq!(reply[2..], *LONG_NAME.as_bytes());

    let (_serving, mut raw, _) = server_of(narrow.clone(), &Limits::default()).await;
    send(&mut raw, &["call-takes-stream", "item", "item"]).await;
    expect(&mut raw, &["credit-connection", "credit-callee"]).await;

    let (client, mut raw) = client_of(narrow, &Limits::default()).await;
    let mut words = client.echo(stream::iter([])).start();
    expect(&mut raw, &["call-exchange", "end"]).await;
    for _ in 0..2 {
        raw.send(&raw::frame(5, 1, 0, 1, b"\xa3Ann")).await;
        assert_eq!(words.next().await.unwrap().unwrap(), "Ann");
    }
    expect(&mut raw, &["credit-connection", "credit"]).await;

    // A sender waits for credit, of the stream and of the connection.
    let tight = Limits {
        stream_window: 16,
        connection_window: 16,
        ..Limits::default()
    };
    let (client, mut raw) = client_of(Limits::default(), &tight).await;
    let words = ["Ann", "Ann", "Ann"].map(str::to_owned);
    let _pending = client.join(stream::iter(words)).start();
    let front = |frame: &raw::Frame| (frame.kind, frame.bytes[5]) == (5, 8);
    raw.next().await.unwrap();
    assert!(front(&raw.next().await.unwrap()), "more than half a window");
    send(&mut raw, &["ping"]).await;
    expect(&mut raw, &["pong"]).await;
    send(&mut raw, &["credit-callee", "ping"]).await;
    expect(&mut raw, &["pong"]).await;
    send(&mut raw, &["credit-connection"]).await;
    let data = raw.next().await.unwrap();
    assert_eq!((data.kind, &data.rest[..]), (7, &b"\xa3Ann"[..]));
}

#[tokio::test]
async fn objects_travel_as_the_page_says() {
    let (client, mut raw) = client().await;
    let pending = client.counter().start();
    raw.next().await.unwrap();
    send(&mut raw, &["reply-lends"]).await;
    let counter = pending.await.unwrap();
    let added = counter.add(5).start();
    expect(&mut raw, &["call-object"]).await;
    raw.send(&raw::frame(3, 0, 0, 2, &[10])).await;
    assert_eq!(added.await.unwrap(), 10);
    let given = client.give(counter).start();
    expect(&mut raw, &["call-gives-back"]).await;
    raw.send(&raw::frame(3, 0, 0, 3, &[10])).await;
    assert_eq!(given.await.unwrap(), 10);
    expect(&mut raw, &["release"]).await;
    let mine = Handle::new(CounterService::new(Five(Arc::default())));
    let given = client.give(mine).start();
    let call = without_time(raw.next().await.unwrap().bytes);
    let lends = vector("call-lends");
    let at = lends.len() - 8;
    assert_eq!(hex(&call[..at]), hex(&lends[..at]));
    // The other side calls it.
    let id = u64::from_be_bytes(call[at..].try_into().unwrap()).to_le_bytes();
    let mut object = with_id("call-object", 1);
    object[24..32].copy_from_slice(&id);
    raw.send(&object).await;
    assert_eq!(raw.next().await.unwrap().rest, [10]);
    raw.send(&raw::frame(3, 0, 0, 4, &[10])).await;
    assert_eq!(given.await.unwrap(), 10);

    let limits = Limits::default();
    let (_serving, mut raw, dropped) = server_of(limits.clone(), &limits).await;
    raw.send(&raw::call(1, id_of("counter"), &[0x90])).await;
    let reply = raw.next().await.unwrap().bytes;
    let page = vector("reply-lends");
    let at = page.len() - 8;
    assert_eq!(hex(&reply[..at]), hex(&page[..at]));
    let id: [u8; 8] = reply[at..].try_into().unwrap();
    let little: [u8; 8] = u64::from_be_bytes(id).to_le_bytes();
    let mut object = vector("call-object");
    object[24..32].copy_from_slice(&little);
    raw.send(&object).await;
    assert_eq!(raw.next().await.unwrap().rest, [10]);
    let mut back = vector("call-gives-back");
    let at = back.len() - 8;
    back[at..].copy_from_slice(&id);
    raw.send(&back).await;
    assert_eq!(raw.next().await.unwrap().rest, [10]);
    let mut release = vector("release");
    release[12..20].copy_from_slice(&little);
    raw.send(&[&release[..], &release].concat()).await;
    tokio::time::timeout(LONG, dropped.notified())
        .await
        .unwrap();
    raw.send(&object).await;
    let (status, execution, _) = raw.next().await.unwrap().fail();
    let gone = (Status::FailedPrecondition.code(), 1);
    assert_eq!((status, execution), gone);
    // A guess, and an object that was never lent.
    send(&mut raw, &["call-object", "call-gives-back"]).await;
    assert_eq!(raw.next().await.unwrap().fail().0, gone.0);
    let (status, execution, _) = raw.next().await.unwrap().fail();
    assert_eq!((status, execution), (Status::InvalidArgument.code(), 1));
    // One that this side lends is called, and given back.
    send(&mut raw, &["call-lends"]).await;
    let call = without_time(raw.next().await.unwrap().bytes);
    assert_eq!(hex(&call), hex(&with_id("call-object", 1)));
    raw.send(&raw::frame(3, 0, 0, 1, &[10])).await;
    let (mut answered, mut released) = (false, false);
    while !(answered && released) {
        let frame = raw.next().await.unwrap();
        match frame.kind {
            3 => answered = frame.id == 4,
            _ => {
                assert_bytes(&frame.bytes, "release");
                released = true;
            }
        }
    }
}

#[tokio::test]
async fn a_server_calls_its_client_as_the_page_says() {
    let limits = Limits::default();
    let (_serving, mut raw, _) = server_of(limits.clone(), &limits).await;
    raw.send(&raw::call(9, id_of("ask"), &[0x90])).await;
    expect(&mut raw, &["call"]).await;
    send(&mut raw, &["reply"]).await;
    let answer = raw.next().await.unwrap();
    assert_eq!((answer.kind, answer.id), (3, 9));
    assert_eq!(answer.rest, b"\xabHello, Ann!");
}

#[tokio::test]
async fn a_call_that_was_not_started_is_repeated_as_the_page_says() {
    let (client, mut raw) = client().await;
    let pending = tokio::spawn(client.hello("Ann").into_future());
    expect(&mut raw, &["call"]).await;
    let refusal = [&[14, 1, 0, 0, 0, 0, 0, 0][..], b"\x91\xa2no"].concat();
    raw.send(&raw::frame(4, 0, 0, 1, &refusal)).await;
    expect(&mut raw, &["call-repeated"]).await;
    raw.send(&with_id("reply", 2)).await;
    assert_eq!(pending.await.unwrap().unwrap(), "Hello, Ann!");
}
