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
    CallError, Channel, ChannelBuilder, Error, ErrorKind, Execution, Identity, Login, Server,
    Serving, Status, Token, rpc_service,
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
    assert_eq!(vectors.len(), 19, "{:?}", vectors.keys());
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
