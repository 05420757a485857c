//! What a program is told that uses the runtime in a wrong way.
#![expect(clippy::panic, reason = "a test's panic is its report")]

use std::future::{pending, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rpc_runtime::{
    Channel, ErrorKind, Execution, Handle, Items, Server, Stream, rpc_service, stream,
};
use tokio::runtime::Builder;

#[rpc_service]
trait Clock {
    async fn now(&self) -> u64;
    async fn never(&self);
}

struct Wall;

impl Clock for Wall {
    async fn now(&self) -> u64 {
        7
    }
    async fn never(&self) {
        pending().await
    }
}

/// What asks its caller, sends streams back, and lends itself.
#[rpc_service]
trait Echo {
    async fn ask(&self, context: &rpc_runtime::Context) -> String;
    async fn back(&self, items: Items<u64>) -> impl Stream<Item = u64>;
    async fn lend(&self) -> Handle<EchoClient>;
    async fn swallow(&self, items: Items<Vec<u8>>) -> u64;
}

struct Echoing;

const NO_CALLER: &str = "nobody";

impl Echo for Echoing {
    async fn ask(&self, context: &rpc_runtime::Context) -> String {
        let Some(caller) = context.caller() else {
            return NO_CALLER.to_owned();
        };
        let answer = ClockClient::new(caller).now().await;
        answer.map_or_else(|failure| failure.to_string(), |now| now.to_string())
    }
    async fn back(&self, items: Items<u64>) -> impl Stream<Item = u64> {
        items.unbroken()
    }
    async fn lend(&self) -> Handle<EchoClient> {
        Handle::new(EchoService::new(Echoing))
    }
    async fn swallow(&self, mut items: Items<Vec<u8>>) -> u64 {
        let mut length = 0;
        while let Some(Ok(item)) = items.next().await {
            length += item.len() as u64;
        }
        length
    }
}

fn server() -> Server {
    Server::new().add(ClockService::new(Wall))
}

/// The first poll of a future, with no runtime around.
fn without_runtime<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("waits for a runtime that is not there"),
    }
}

#[test]
fn a_missing_runtime_is_an_error_and_no_panic() {
    for address in ["tcp://127.0.0.1:1", "mem://x", "list://127.0.0.1:1"] {
        let error = without_runtime(ClockClient::connect(address)).expect_err(address);
        assert_eq!(error.kind(), ErrorKind::FailedPrecondition, "{address}");
        assert!(error.to_string().contains("#[tokio::main]"), "{error}");
    }
    let error = without_runtime(server().listen("tcp://127.0.0.1:0")).unwrap_err();
    assert!(error.to_string().contains("#[tokio::main]"), "{error}");
}

#[test]
fn waiting_on_the_only_thread_of_a_runtime_ends_with_the_time_of_the_call() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = server().listen("mem://only-thread").await.unwrap();
        let clock = ClockClient::connect(server.address()).await.unwrap();
        let call = clock.now().timeout(Duration::from_millis(50)).start();
        let failure = call.wait().unwrap_err();
        assert_eq!(failure.kind(), ErrorKind::DeadlineExceeded);
        assert_eq!(failure.execution(), Execution::Unknown);
        let text = failure.to_string();
        assert!(
            text.contains("Clock/now") && text.contains("`.await`"),
            "{text}"
        );
        assert_eq!(clock.now().await.unwrap(), 7);
    });
}

#[tokio::test]
async fn calls_that_come_too_late_say_that_nothing_was_sent() {
    let server = server().listen("mem://too-late").await.unwrap();
    let clock = ClockClient::connect(server.address()).await.unwrap();
    let failure = clock.never().timeout(Duration::ZERO).await.unwrap_err();
    let text = failure.to_string();
    assert!(text.contains("before it could be sent"), "{text}");
    assert_eq!(failure.execution(), Execution::NotSent);
}

#[tokio::test]
async fn a_metadata_key_is_shown_with_what_cannot_be_seen() {
    let server = server().listen("mem://keys").await.unwrap();
    let clock = ClockClient::connect(server.address()).await.unwrap();
    let failure = clock.now().metadata("a\n", "b").await.unwrap_err();
    assert!(
        failure.to_string().contains(r"`a\n` is no metadata key"),
        "{failure}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_after_finish_is_refused_and_the_exchange_goes_on() {
    let serving = Server::new()
        .add(EchoService::new(Echoing))
        .listen("tcp://127.0.0.1:0")
        .await
        .unwrap();
    let address = serving.address().to_owned();
    let work = tokio::task::spawn_blocking(move || {
        let echo = EchoBlockingClient::connect(&address).unwrap();
        let mut exchange = echo.back().unwrap();
        exchange.send(&1).unwrap();
        exchange.finish();
        exchange.finish();
        let failure = exchange.send(&2).expect_err("it was finished");
        assert_eq!(failure.kind(), ErrorKind::FailedPrecondition);
        assert!(failure.to_string().contains("after `finish`"), "{failure}");
        let heard: Vec<_> = exchange.map(Result::unwrap).collect();
        assert_eq!(heard, [1]);
        // The connection is none the worse for it.
        let mut again = echo.back().unwrap();
        again.finish();
        assert!(again.next().is_none());
    });
    work.await.unwrap();
}

#[tokio::test]
async fn calling_back_who_exports_nothing_says_how_to_export() {
    let serving = Server::new()
        .add(EchoService::new(Echoing))
        .listen("tcp://127.0.0.1:0")
        .await
        .unwrap();
    let echo = EchoClient::connect(serving.address()).await.unwrap();
    let told = echo.ask().await.unwrap();
    assert!(told.contains("Channel::builder().export(…)"), "{told}");
    let here = EchoClient::new(Channel::local(EchoService::new(Echoing)));
    assert_eq!(here.ask().await.unwrap(), NO_CALLER);
}

#[tokio::test]
async fn an_object_that_went_with_its_connection_says_so_and_what_to_do() {
    let mut serving = Server::new()
        .add(EchoService::new(Echoing))
        .listen("tcp://127.0.0.1:0")
        .await
        .unwrap();
    let echo = EchoClient::connect(serving.address()).await.unwrap();
    let object = echo.lend().await.unwrap();
    // The handle keeps its connection, so the client is not needed for it.
    drop(echo);
    assert!(!object.ask().await.unwrap().is_empty());
    serving.shutdown(Duration::from_millis(100)).await;
    let failure = object.ask().await.expect_err("its connection is gone");
    assert_eq!(failure.kind(), ErrorKind::Unavailable);
    assert!(failure.to_string().contains("ask for it anew"), "{failure}");
}

#[tokio::test]
async fn an_answered_stream_without_its_errors_ends_instead_of_waiting_for_ever() {
    let serving = Server::new()
        .add(EchoService::new(Echoing))
        .listen("tcp://127.0.0.1:0")
        .await
        .unwrap();
    let echo = EchoClient::connect(serving.address()).await.unwrap();
    let (_say, items) = stream::pipe(1);
    let answers = echo.back(items).start().unbroken();
    drop(serving);
    let mut answers = pin!(answers);
    let next = poll_fn(|cx| answers.as_mut().poll_next(cx));
    let next = tokio::time::timeout(Duration::from_secs(20), next).await;
    assert_eq!(next.expect("it ends"), None);
}

/// Larger than a message may be, by default.
const HUGE: usize = 17 << 20;

#[tokio::test]
async fn an_item_that_is_larger_than_the_peer_takes_fails_the_upload_and_says_so() {
    let serving = Server::new()
        .add(EchoService::new(Echoing))
        .listen("tcp://127.0.0.1:0")
        .await
        .unwrap();
    let told = |failure: &dyn std::fmt::Display| {
        let text = failure.to_string();
        assert!(text.contains("an item takes 178257"), "{text}");
        assert!(text.contains("Limits::max_message_bytes"), "{text}");
    };
    let echo = EchoClient::connect(serving.address()).await.unwrap();
    let pieces = stream::iter([vec![1], vec![0; HUGE], vec![2]]);
    let failure = echo.swallow(pieces).await.expect_err("one is too large");
    assert_eq!(failure.kind(), ErrorKind::ResourceExhausted);
    told(&failure);
    assert_eq!(
        echo.swallow(stream::iter([vec![1], vec![2]]))
            .await
            .unwrap(),
        2
    );

    let address = serving.address().to_owned();
    let work = tokio::task::spawn_blocking(move || {
        let echo = EchoBlockingClient::connect(&address).unwrap();
        let failure = echo
            .swallow([vec![1], vec![0; HUGE]])
            .expect_err("too large");
        assert_eq!(failure.kind(), ErrorKind::ResourceExhausted);
        told(&failure);
        assert_eq!(echo.swallow([vec![1], vec![2]]).unwrap(), 2);
    });
    work.await.unwrap();
}

#[tokio::test]
async fn a_stream_to_a_peer_of_messagepack_rpc_says_what_the_peer_is() {
    let serving = Server::new()
        .add(EchoService::new(Echoing))
        .listen("tcp://127.0.0.1:0")
        .await
        .unwrap();
    let builder = Channel::builder().msgpack_rpc();
    let echo: EchoClient = builder.client(serving.address()).await.unwrap();
    let failure = echo
        .swallow(stream::iter([vec![1]]))
        .await
        .expect_err("no streams");
    assert_eq!(failure.kind(), ErrorKind::Unimplemented);
    assert!(
        failure.to_string().contains("speaks MessagePack-RPC"),
        "{failure}"
    );
}
