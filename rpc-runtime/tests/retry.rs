//! Which failures are repeated, when and how often: against a server that answers by hand, in paused time.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test a panic is the report"
)]

mod raw;

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rpc_runtime::{
    Acceptor, BlockingChannel, CallError, CallOptions, Channel, Connection, ErrorKind, Execution,
    Items, Opening, RetryPolicy, Stream, Transport, rpc_service, stream,
};
use tokio::io::{AsyncRead, AsyncWrite, duplex, split};
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};

use raw::{PREFACE, Raw, frame};

#[rpc_service(package = "retry")]
trait Work {
    async fn once(&self) -> Result<(), String>;
    #[rpc(idempotent)]
    async fn often(&self) -> Result<(), String>;
    #[rpc(
        idempotent,
        retry = 5,
        retry_on = [unavailable, aborted],
        retry_backoff = "1ms"
    )]
    async fn stubborn(&self) -> Result<(), String>;
    #[rpc(retry = 1)]
    async fn shy(&self) -> Result<(), String>;
    async fn flow(&self) -> impl Stream<Item = u64>;
    #[rpc(idempotent)]
    async fn spring(&self) -> impl Stream<Item = u64>;
    #[rpc(idempotent)]
    async fn take(&self, numbers: Items<u64>) -> Result<(), String>;
    async fn keep(&self, bytes: Vec<u8>) -> Result<(), String>;
}

/// A HELLO that accepts frames of 4 MiB, and streams.
const WINDOWS: &[u8] =
    b"\x83\xa9max_frame\xce\x00\x40\x00\x00\xadstream_window\xcd\x10\x00\xb1connection_window\xcd\x10\x00";

/// What the server does with a call.
#[derive(Clone, Copy)]
enum Deed {
    Answer,
    /// FAIL or declared error: status, execution, retryable, retry after.
    Fail(u8, u8, u8, u32),
    Declare(u8, u32),
    HangUp,
    /// One item, and the end of the stream or of the connection.
    Flow,
    ItemAndHangUp,
}

const ABORTED: u8 = 10;
const UNAVAILABLE: u8 = 14;
const EXHAUSTED: u8 = 8;
const NOT_STARTED: u8 = 1;
const EXECUTED: u8 = 3;
/// No word about trying again.
const REFUSE: Deed = Deed::Fail(UNAVAILABLE, NOT_STARTED, 0, 0);

/// The calls that came: when, and whether they said that they are repetitions.
type Seen = Arc<Mutex<Vec<(Instant, bool)>>>;

fn flags(seen: &Seen) -> Vec<bool> {
    seen.lock().unwrap().iter().map(|call| call.1).collect()
}

/// Treats the first calls by the list, and all later ones like the last of it.
#[derive(Clone)]
struct Hand {
    deeds: &'static [Deed],
    seen: Seen,
}

impl Hand {
    async fn serve(self, io: impl AsyncRead + AsyncWrite + Unpin) {
        let mut raw = Raw::new(io);
        raw.bytes(PREFACE.len()).await;
        raw.next().await;
        raw.send(&frame(1, 0, 0, 0, WINDOWS)).await;
        while let Some(call) = raw.next().await {
            if call.kind != 2 {
                continue;
            }
            let number = {
                let mut calls = self.seen.lock().unwrap();
                calls.push((Instant::now(), call.bytes[5] & 0x10 != 0));
                calls.len() - 1
            };
            let part = |status, execution, retryable, after: u32| {
                [&[status, execution, retryable, 0][..], &after.to_le_bytes()].concat()
            };
            let item = frame(5, 1, 0, call.id, &[7]);
            let answer = match self.deeds[number.min(self.deeds.len() - 1)] {
                Deed::Answer => frame(3, 0, 0, call.id, &[0xc0]),
                Deed::Fail(status, execution, retryable, after) => {
                    let part = part(status, execution, retryable, after);
                    frame(4, 0, 0, call.id, &[&part[..], b"\x91\xa2no"].concat())
                }
                Deed::Declare(retryable, after) => {
                    let part = part(2, EXECUTED, retryable, after);
                    frame(3, 1, 0, call.id, &[&part[..], b"\xa5later"].concat())
                }
                Deed::Flow => [item, frame(3, 0, 0, call.id, &[0xc0])].concat(),
                Deed::ItemAndHangUp => return raw.send(&item).await,
                Deed::HangUp => return,
            };
            raw.send(&answer).await;
        }
    }
}

impl Transport for Hand {
    fn connect<'a>(&'a self, _: &'a str) -> Opening<'a, Connection> {
        let (here, there) = duplex(1 << 16);
        tokio::spawn(self.clone().serve(there));
        let (reader, writer) = split(here);
        Box::pin(async {
            Ok(Connection {
                reader: Box::new(reader),
                writer: Box::new(writer),
                peer: "by hand".to_owned(),
            })
        })
    }

    fn listen<'a>(&'a self, _: &'a str) -> Opening<'a, Box<dyn Acceptor>> {
        Box::pin(async { Err(io::Error::from(io::ErrorKind::Unsupported)) })
    }
}

fn server(deeds: &'static [Deed]) -> (Hand, Seen) {
    let seen = Seen::default();
    let hand = Hand {
        deeds,
        seen: seen.clone(),
    };
    (hand, seen)
}

/// The same on a real socket, for clients that know no other.
async fn listening(deeds: &'static [Deed]) -> (String, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    let (hand, seen) = server(deeds);
    tokio::spawn(async move {
        loop {
            let stream = listener.accept().await.unwrap().0;
            tokio::spawn(hand.clone().serve(stream));
        }
    });
    (address, seen)
}

fn client(hand: &Hand) -> WorkClient {
    with_policy(hand, RetryPolicy::default())
}

fn with_policy(hand: &Hand, policy: RetryPolicy) -> WorkClient {
    let builder = Channel::builder().transport(hand.clone()).retry(policy);
    WorkClient::new(builder.lazy("tcp://by-hand:1").unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_refused_call_is_repeated_once_at_once_and_then_by_the_policy() {
    let (hand, seen) = server(&[REFUSE]);
    let failure = client(&hand).once().await.unwrap_err();
    assert_eq!(
        (failure.kind(), failure.execution()),
        (ErrorKind::Unavailable, Execution::NotStarted),
        "{failure}"
    );
    assert_eq!(flags(&seen), [false, true, true, true]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_may_have_run_is_repeated_only_if_it_is_idempotent() {
    let (hand, seen) = server(&[Deed::HangUp]);
    let client = client(&hand);
    let failure = client.once().await.unwrap_err();
    assert_eq!(failure.execution(), Execution::Unknown, "{failure}");
    assert_eq!(flags(&seen), [false]);
    let failure = client.often().await.unwrap_err();
    assert_eq!(failure.execution(), Execution::Unknown, "{failure}");
    assert_eq!(flags(&seen), [false, false, true, true]);
    let (hand, seen) = server(&[Deed::HangUp, Deed::Answer]);
    crate::client(&hand).once().idempotent().await.unwrap();
    assert_eq!(flags(&seen), [false, true], "the caller may say so too");
}

#[tokio::test(start_paused = true)]
async fn what_ran_is_repeated_only_if_the_error_says_so_and_the_method_allows_it() {
    let ran = vec![Deed::Fail(UNAVAILABLE, EXECUTED, 0, 0)];
    let (hand, seen) = server(ran.leak());
    let failure = client(&hand).often().await.unwrap_err();
    assert_eq!(failure.execution(), Execution::Executed, "{failure}");
    assert_eq!(flags(&seen), [false]);

    for marked in [Deed::Fail(UNAVAILABLE, EXECUTED, 1, 0), Deed::Declare(1, 0)] {
        let (hand, seen) = server(vec![marked, Deed::Answer].leak());
        client(&hand).often().await.unwrap();
        assert_eq!(flags(&seen), [false, true]);
        let (hand, seen) = server(vec![marked, Deed::Answer].leak());
        client(&hand).once().await.unwrap_err();
        assert_eq!(flags(&seen), [false], "it must not run twice");
    }
    // What one attempt ran, the last one cannot take back.
    let (hand, _) = server(&[Deed::Fail(UNAVAILABLE, EXECUTED, 1, 0), REFUSE]);
    let failure = client(&hand).often().await.unwrap_err();
    assert_eq!(failure.execution(), Execution::Executed, "{failure}");

    let (hand, seen) = server(&[Deed::Declare(1, 0)]);
    let failure = client(&hand).often().await.unwrap_err();
    assert_eq!(failure.declared().map(String::as_str), Some("later"));
    assert_eq!(
        flags(&seen),
        [false, true, true],
        "the answer in the end is the error"
    );
}

#[tokio::test(start_paused = true)]
async fn the_peers_word_about_when_is_heeded() {
    for deed in [
        Deed::Fail(UNAVAILABLE, NOT_STARTED, 0, 300),
        Deed::Fail(EXHAUSTED, NOT_STARTED, 0, 300),
        Deed::Declare(1, 300),
    ] {
        let (hand, seen) = server(vec![deed, Deed::Answer].leak());
        client(&hand).often().await.unwrap();
        let seen = seen.lock().unwrap();
        let pause = seen[1].0 - seen[0].0;
        assert!(pause >= Duration::from_millis(300), "{pause:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_does_not_fit_ends_the_call_with_the_real_error_at_once() {
    let (hand, seen) = server(&[Deed::Fail(UNAVAILABLE, NOT_STARTED, 0, 60_000)]);
    let client = client(&hand);
    let began = Instant::now();
    let failure = client
        .once()
        .timeout(Duration::from_secs(30))
        .await
        .unwrap_err();
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(
        (failure.kind(), failure.retry_after()),
        (ErrorKind::Unavailable, Some(Duration::from_secs(60))),
        "{failure}"
    );
    assert_eq!(flags(&seen), [false]);
}

#[tokio::test(start_paused = true)]
async fn dropping_a_call_ends_its_pause() {
    let (hand, seen) = server(&[Deed::Fail(UNAVAILABLE, NOT_STARTED, 0, 1_000), Deed::Answer]);
    let client = client(&hand);
    timeout(Duration::from_millis(100), client.once().into_future())
        .await
        .unwrap_err();
    tokio::time::sleep(Duration::from_millis(1_300)).await;
    assert_eq!(flags(&seen), [false]);
}

#[tokio::test(start_paused = true)]
async fn no_retry_means_one_attempt_and_no_waiting() {
    let (hand, seen) = server(&[REFUSE]);
    client(&hand).often().no_retry().await.unwrap_err();
    assert_eq!(flags(&seen), [false]);
    let lazy = WorkClient::new(Channel::builder().lazy("mem://nobody").unwrap());
    let began = Instant::now();
    let failure = lazy.once().no_retry().await.unwrap_err();
    assert_eq!(failure.execution(), Execution::NotSent, "{failure}");
    assert!(
        began.elapsed() < Duration::from_millis(1),
        "nothing is waited for"
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_that_cannot_be_sent_waits_for_a_server_until_its_deadline() {
    let lazy = WorkClient::new(Channel::builder().lazy("mem://nobody").unwrap());
    let began = Instant::now();
    let failure = lazy
        .once()
        .timeout(Duration::from_secs(1))
        .await
        .unwrap_err();
    assert_eq!(failure.execution(), Execution::NotSent);
    assert!(failure.to_string().contains("nobody listens"), "{failure}");
    // It gives up before its time only where the next pause would not fit.
    assert!(began.elapsed() <= Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn an_empty_budget_ends_repetitions_until_calls_succeed_again() {
    // Two tokens, and nothing but refusals: three calls would want nine repetitions.
    let (hand, seen) = server(&[REFUSE]);
    let policy = RetryPolicy {
        first_pause: Duration::from_millis(1),
        budget: 2.0,
        ..RetryPolicy::default()
    };
    let client = with_policy(&hand, policy);
    let failure = client.once().await.unwrap_err();
    assert!(!failure.to_string().contains("budget"), "{failure}");
    assert_eq!(flags(&seen).len(), 4);
    let failure = client.once().await.unwrap_err();
    assert!(failure.to_string().contains("retry budget"), "{failure}");
    assert_eq!(
        flags(&seen).len(),
        6,
        "only the repetition that costs nothing"
    );
}

#[tokio::test(start_paused = true)]
async fn successes_fill_the_budget_again() {
    static DEEDS: [Deed; 14] = {
        let mut deeds = [Deed::Answer; 14];
        deeds[0] = Deed::HangUp;
        deeds[12] = Deed::HangUp;
        deeds
    };
    let (hand, seen) = server(&DEEDS);
    let policy = RetryPolicy {
        first_pause: Duration::from_millis(1),
        budget: 1.0,
        ..RetryPolicy::default()
    };
    let client = with_policy(&hand, policy);
    // One repetition, and eleven answers.
    for _ in 0..11 {
        client.often().await.unwrap();
    }
    client.often().await.unwrap();
    assert_eq!(flags(&seen).len(), 14);
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_asked_for_again_before_its_first_item_and_never_after_it() {
    // Refused: it has not begun, whatever the method is.
    let (hand, seen) = server(&[REFUSE, Deed::Flow]);
    let mut items = client(&hand).flow().await.unwrap();
    assert_eq!(items.next().await.unwrap().unwrap(), 7);
    assert!(items.next().await.is_none());
    assert_eq!(flags(&seen), [false, true]);

    // Lost before the first item: only if it may run twice.
    let (hand, seen) = server(&[Deed::HangUp, Deed::Flow]);
    let mut items = client(&hand).spring().start();
    assert_eq!(items.next().await.unwrap().unwrap(), 7);
    assert_eq!(flags(&seen), [false, true]);
    let (hand, seen) = server(&[Deed::HangUp, Deed::Flow]);
    let mut items = client(&hand).flow().await.unwrap();
    let failure = items.next().await.unwrap().unwrap_err();
    assert_eq!(failure.execution(), Execution::Unknown, "{failure}");
    assert!(items.next().await.is_none());
    assert_eq!(flags(&seen), [false]);

    // What was read cannot be unread.
    let (hand, seen) = server(&[Deed::ItemAndHangUp, Deed::Flow]);
    let mut items = client(&hand).spring().await.unwrap();
    assert_eq!(items.next().await.unwrap().unwrap(), 7);
    let failure = items.next().await.unwrap().unwrap_err();
    assert_eq!(failure.execution(), Execution::Unknown, "{failure}");
    assert!(items.next().await.is_none());
    assert_eq!(flags(&seen), [false]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_the_caller_has_begun_to_send_is_not_sent_again() {
    for deed in [REFUSE, Deed::HangUp] {
        let (hand, seen) = server(vec![deed, Deed::Answer].leak());
        let failure = client(&hand).take(stream::iter(0..3)).await.unwrap_err();
        assert_eq!(failure.kind(), ErrorKind::Unavailable, "{failure}");
        assert_eq!(flags(&seen), [false]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_definition_says_how_often_unless_the_caller_does() {
    let began = Instant::now();
    let (hand, seen) = server(&[REFUSE]);
    client(&hand).stubborn().await.unwrap_err();
    assert_eq!(flags(&seen).len(), 6, "the one for nothing, and five");
    assert!(began.elapsed() < Duration::from_millis(60), "short pauses");

    let (hand, seen) = server(&[REFUSE]);
    let channel = with_policy(&hand, RetryPolicy::none());
    channel.stubborn().await.unwrap_err();
    assert_eq!(flags(&seen).len(), 6, "it goes before the channel's policy");

    let (hand, seen) = server(&[REFUSE]);
    client(&hand).shy().await.unwrap_err();
    client(&hand).stubborn().no_retry().await.unwrap_err();
    assert_eq!(flags(&seen), [false, false]);
    client(&hand)
        .shy()
        .retry(RetryPolicy::default())
        .await
        .unwrap_err();
    assert_eq!(flags(&seen).len(), 6, "the caller goes before both");
}

#[tokio::test(start_paused = true)]
async fn the_definition_says_on_which_statuses() {
    let (hand, seen) = server(&[Deed::Fail(ABORTED, EXECUTED, 0, 0), Deed::Answer]);
    client(&hand).stubborn().await.unwrap();
    assert_eq!(flags(&seen), [false, true]);
    let (hand, seen) = server(&[Deed::Fail(ABORTED, EXECUTED, 0, 0), Deed::Answer]);
    client(&hand).often().await.unwrap_err();
    assert_eq!(flags(&seen), [false], "only where it is said");
    let (hand, seen) = server(&[Deed::Fail(EXHAUSTED, NOT_STARTED, 0, 0), Deed::Answer]);
    client(&hand).stubborn().await.unwrap_err();
    assert_eq!(flags(&seen), [false], "not on others");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_too_large_is_not_called_retryable() {
    let (hand, seen) = server(&[Deed::Answer]);
    let failure = client(&hand).keep(vec![0; 8 << 20]).await.unwrap_err();
    assert_eq!(
        (failure.kind(), failure.execution()),
        (ErrorKind::ResourceExhausted, Execution::NotSent),
        "{failure}"
    );
    assert!(!failure.retryable(), "it will be as large again: {failure}");
    assert_eq!(flags(&seen), []);
    let (hand, _) = server(&[REFUSE]);
    let failure = client(&hand).once().await.unwrap_err();
    assert!(failure.retryable(), "{failure}");
}

#[test]
fn the_blocking_client_repeats_by_the_same_rules() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let connect = |deeds: &'static [Deed]| {
        let (address, seen) = runtime.block_on(listening(deeds));
        let policy = RetryPolicy {
            first_pause: Duration::from_millis(1),
            ..RetryPolicy::default()
        };
        let channel = BlockingChannel::builder()
            .retry(policy)
            .connect(&address)
            .unwrap();
        (WorkBlockingClient::new(channel), seen)
    };
    let (client, seen) = connect(&[REFUSE]);
    let failure = client.once().unwrap_err();
    assert_eq!(failure.execution(), Execution::NotStarted, "{failure}");
    assert_eq!(flags(&seen), [false, true, true, true]);

    let (client, seen) = connect(&[Deed::HangUp]);
    assert_eq!(client.once().unwrap_err().execution(), Execution::Unknown);
    assert_eq!(flags(&seen), [false]);
    assert_eq!(client.often().unwrap_err().execution(), Execution::Unknown);
    assert_eq!(flags(&seen), [false, false, true, true]);

    let (client, seen) = connect(&[Deed::Declare(1, 0), Deed::Answer]);
    client.often().unwrap();
    assert_eq!(flags(&seen), [false, true]);
    let (client, seen) = connect(&[Deed::Declare(1, 0), Deed::Answer]);
    assert!(matches!(client.once(), Err(CallError::Declared { .. })));
    assert_eq!(flags(&seen), [false]);

    let (client, seen) = connect(&[REFUSE]);
    let once = client.with_options(CallOptions::new().no_retry());
    once.once().unwrap_err();
    assert_eq!(flags(&seen), [false]);

    let (client, seen) = connect(&[Deed::Fail(UNAVAILABLE, NOT_STARTED, 0, 300), Deed::Answer]);
    client.once().unwrap();
    let seen = seen.lock().unwrap();
    assert!(seen[1].0 - seen[0].0 >= Duration::from_millis(290));
}

#[tokio::test]
async fn a_registry_that_is_down_is_told_at_once() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("registry://{}/retry.Work", listener.local_addr().unwrap());
    drop(listener);
    let began = Instant::now();
    WorkClient::connect(&nobody).await.unwrap_err();
    // It would try for ten seconds, were it a call.
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
}
