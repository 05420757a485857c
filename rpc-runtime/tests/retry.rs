//! Which failures are repeated, when and how often: against a server that answers by hand.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test a panic is the report"
)]

mod raw;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rpc_runtime::{
    BlockingChannel, CallError, CallOptions, Channel, ErrorKind, Execution, RetryPolicy,
    rpc_service,
};
use tokio::net::TcpListener;
use tokio::time::timeout;

use raw::{HELLO, PREFACE, Raw, frame};

#[rpc_service(package = "retry")]
trait Work {
    async fn once(&self) -> Result<(), String>;
    #[rpc(idempotent)]
    async fn often(&self) -> Result<(), String>;
}

/// What the server does with a call.
#[derive(Clone, Copy)]
enum Deed {
    Answer,
    /// FAIL or declared error: status, execution, retryable, retry after.
    Fail(u8, u8, u8, u32),
    Declare(u8, u32),
    HangUp,
}

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
async fn server(deeds: &'static [Deed]) -> (String, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    let seen = Seen::default();
    let calls = seen.clone();
    tokio::spawn(async move {
        loop {
            let mut raw = Raw::new(listener.accept().await.unwrap().0);
            let calls = calls.clone();
            tokio::spawn(async move {
                raw.bytes(PREFACE.len()).await;
                raw.next().await;
                raw.send(HELLO).await;
                while let Some(call) = raw.next().await {
                    if call.kind != 2 {
                        continue;
                    }
                    let number = {
                        let mut calls = calls.lock().unwrap();
                        calls.push((Instant::now(), call.bytes[5] & 0x10 != 0));
                        calls.len() - 1
                    };
                    let part = |status, execution, retryable, after: u32| {
                        [&[status, execution, retryable, 0][..], &after.to_le_bytes()].concat()
                    };
                    let answer = match deeds[number.min(deeds.len() - 1)] {
                        Deed::Answer => frame(3, 0, 0, call.id, &[0xc0]),
                        Deed::Fail(status, execution, retryable, after) => {
                            let part = part(status, execution, retryable, after);
                            frame(4, 0, 0, call.id, &[&part[..], b"\x91\xa2no"].concat())
                        }
                        Deed::Declare(retryable, after) => {
                            let part = part(2, EXECUTED, retryable, after);
                            frame(3, 1, 0, call.id, &[&part[..], b"\xa5later"].concat())
                        }
                        Deed::HangUp => return,
                    };
                    raw.send(&answer).await;
                }
            });
        }
    });
    (address, seen)
}

async fn client(address: &str) -> WorkClient {
    WorkClient::connect(address).await.unwrap()
}

#[tokio::test]
async fn a_refused_call_is_repeated_once_at_once_and_then_by_the_policy() {
    let (address, seen) = server(&[REFUSE]).await;
    let failure = client(&address).await.once().await.unwrap_err();
    assert_eq!(
        (failure.kind(), failure.execution()),
        (ErrorKind::Unavailable, Execution::NotStarted),
        "{failure}"
    );
    assert_eq!(flags(&seen), [false, true, true, true]);
}

#[tokio::test]
async fn a_call_that_may_have_run_is_repeated_only_if_it_is_idempotent() {
    let (address, seen) = server(&[Deed::HangUp]).await;
    let client = client(&address).await;
    let failure = client.once().await.unwrap_err();
    assert_eq!(failure.execution(), Execution::Unknown, "{failure}");
    assert_eq!(flags(&seen), [false]);
    let failure = client.often().await.unwrap_err();
    assert_eq!(failure.execution(), Execution::Unknown, "{failure}");
    assert_eq!(flags(&seen), [false, false, true, true]);
    let (address, seen) = server(&[Deed::HangUp, Deed::Answer]).await;
    WorkClient::connect(&address)
        .await
        .unwrap()
        .once()
        .idempotent()
        .await
        .unwrap();
    assert_eq!(flags(&seen), [false, true], "the caller may say so too");
}

#[tokio::test]
async fn what_ran_is_repeated_only_if_the_error_says_so_and_the_method_allows_it() {
    let ran = vec![Deed::Fail(UNAVAILABLE, EXECUTED, 0, 0)];
    let (address, seen) = server(ran.leak()).await;
    let failure = client(&address).await.often().await.unwrap_err();
    assert_eq!(failure.execution(), Execution::Executed, "{failure}");
    assert_eq!(flags(&seen), [false]);

    for marked in [Deed::Fail(UNAVAILABLE, EXECUTED, 1, 0), Deed::Declare(1, 0)] {
        let (address, seen) = server(vec![marked, Deed::Answer].leak()).await;
        client(&address).await.often().await.unwrap();
        assert_eq!(flags(&seen), [false, true]);
        let (address, seen) = server(vec![marked, Deed::Answer].leak()).await;
        client(&address).await.once().await.unwrap_err();
        assert_eq!(flags(&seen), [false], "it must not run twice");
    }
    // What one attempt ran, the last one cannot take back.
    let (address, _) = server(&[Deed::Fail(UNAVAILABLE, EXECUTED, 1, 0), REFUSE]).await;
    let failure = client(&address).await.often().await.unwrap_err();
    assert_eq!(failure.execution(), Execution::Executed, "{failure}");

    let (address, seen) = server(&[Deed::Declare(1, 0)]).await;
    let failure = client(&address).await.often().await.unwrap_err();
    assert_eq!(failure.declared().map(String::as_str), Some("later"));
    assert_eq!(
        flags(&seen),
        [false, true, true],
        "the answer in the end is the error"
    );
}

#[tokio::test]
async fn the_peers_word_about_when_is_heeded() {
    for deed in [
        Deed::Fail(UNAVAILABLE, NOT_STARTED, 0, 300),
        Deed::Fail(EXHAUSTED, NOT_STARTED, 0, 300),
        Deed::Declare(1, 300),
    ] {
        let (address, seen) = server(vec![deed, Deed::Answer].leak()).await;
        client(&address).await.often().await.unwrap();
        let seen = seen.lock().unwrap();
        let pause = seen[1].0 - seen[0].0;
        assert!(pause >= Duration::from_millis(290), "{pause:?}");
    }
}

#[tokio::test]
async fn a_pause_that_does_not_fit_ends_the_call_with_the_real_error_at_once() {
    let (address, seen) = server(&[Deed::Fail(UNAVAILABLE, NOT_STARTED, 0, 60_000)]).await;
    let client = client(&address).await;
    let began = Instant::now();
    let failure = client
        .once()
        .timeout(Duration::from_secs(30))
        .await
        .unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(
        (failure.kind(), failure.retry_after()),
        (ErrorKind::Unavailable, Some(Duration::from_secs(60))),
        "{failure}"
    );
    assert_eq!(flags(&seen), [false]);
}

#[tokio::test]
async fn dropping_a_call_ends_its_pause() {
    let (address, seen) =
        server(&[Deed::Fail(UNAVAILABLE, NOT_STARTED, 0, 1_000), Deed::Answer]).await;
    let client = client(&address).await;
    timeout(Duration::from_millis(100), client.once().into_future())
        .await
        .unwrap_err();
    tokio::time::sleep(Duration::from_millis(1_300)).await;
    assert_eq!(flags(&seen), [false]);
}

#[tokio::test]
async fn no_retry_means_one_attempt_and_no_waiting() {
    let (address, seen) = server(&[REFUSE]).await;
    client(&address).await.often().no_retry().await.unwrap_err();
    assert_eq!(flags(&seen), [false]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("tcp://{}", listener.local_addr().unwrap());
    drop(listener);
    let lazy = WorkClient::new(Channel::builder().lazy(&nobody).unwrap());
    let began = Instant::now();
    let failure = lazy.once().no_retry().await.unwrap_err();
    assert_eq!(failure.execution(), Execution::NotSent, "{failure}");
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_call_that_cannot_be_sent_waits_for_a_server_until_its_deadline() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("tcp://{}", listener.local_addr().unwrap());
    drop(listener);
    let lazy = WorkClient::new(Channel::builder().lazy(&nobody).unwrap());
    let began = Instant::now();
    let failure = lazy
        .once()
        .timeout(Duration::from_secs(1))
        .await
        .unwrap_err();
    assert_eq!(failure.execution(), Execution::NotSent);
    assert!(failure.to_string().contains("nobody listens"), "{failure}");
    // It gives up before its time only where the next pause would not fit.
    assert!(began.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn an_empty_budget_ends_repetitions_until_calls_succeed_again() {
    // Two tokens, and nothing but refusals: three calls would want nine repetitions.
    let (address, seen) = server(&[REFUSE]).await;
    let policy = RetryPolicy {
        first_pause: Duration::from_millis(1),
        budget: 2.0,
        ..RetryPolicy::default()
    };
    let channel = Channel::builder()
        .retry(policy)
        .connect(&address)
        .await
        .unwrap();
    let client = WorkClient::new(channel);
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

#[tokio::test]
async fn successes_fill_the_budget_again() {
    static DEEDS: [Deed; 14] = {
        let mut deeds = [Deed::Answer; 14];
        deeds[0] = Deed::HangUp;
        deeds[12] = Deed::HangUp;
        deeds
    };
    let (address, seen) = server(&DEEDS).await;
    let policy = RetryPolicy {
        first_pause: Duration::from_millis(1),
        budget: 1.0,
        ..RetryPolicy::default()
    };
    let channel = Channel::builder()
        .retry(policy)
        .connect(&address)
        .await
        .unwrap();
    let client = WorkClient::new(channel);
    // One repetition, and eleven answers.
    for _ in 0..11 {
        client.often().await.unwrap();
    }
    client.often().await.unwrap();
    assert_eq!(flags(&seen).len(), 14);
}

#[test]
fn the_blocking_client_repeats_by_the_same_rules() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let connect = |deeds: &'static [Deed]| {
        let (address, seen) = runtime.block_on(server(deeds));
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
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "{:?}",
        began.elapsed()
    );
}
