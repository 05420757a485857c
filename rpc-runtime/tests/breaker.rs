//! When an address is left alone and when it is tried again: against a server that answers by hand, in paused time.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test a panic is the report"
)]

mod raw;

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use rpc_runtime::{
    Acceptor, BlockingChannel, BreakerPolicy, BreakerState, CallError, CallOptions, Channel,
    Connection, Error, ErrorKind, Execution, Opening, Server, Stream, Transport, rpc_service,
    stream,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex, split};
use tokio::sync::Notify;
use tokio::time::{Instant, advance, sleep, timeout};

use raw::{PREFACE, frame};

#[rpc_service(package = "breaker")]
trait Ward {
    async fn treat(&self, how: u8) -> Result<(), String>;
    #[rpc(oneway)]
    async fn note(&self, how: u8);
    async fn watch(&self, how: u8) -> impl Stream<Item = u64>;
}

/// A HELLO that accepts frames of 4 MiB, streams, and 4,096 calls at once.
const HELLO: &[u8] = b"\x84\xa9max_frame\xce\x00\x40\x00\x00\xadstream_window\xcd\x10\x00\xb1connection_window\xcd\x10\x00\xacmax_inflight\xcd\x10\x00";

/// What the server does with a call, by its parameter; another number is the status of a FAIL by its handler.
const GOOD: u8 = 0;
const DECLARED: u8 = 30;
const SILENCE: u8 = 31;
const HANG_UP: u8 = 32;
/// As a server refuses that is about to go.
const REFUSED: u8 = 33;
/// One item, and nothing more.
const ITEM: u8 = 34;

const CANCELLED: u8 = 1;
const UNKNOWN: u8 = 2;
const DEADLINE_EXCEEDED: u8 = 4;
const EXHAUSTED: u8 = 8;
const UNIMPLEMENTED: u8 = 12;
const INTERNAL: u8 = 13;
const UNAVAILABLE: u8 = 14;

/// All servers of a test, by hand.
#[derive(Clone, Default)]
struct Hand {
    /// Where each call came to.
    seen: Arc<Mutex<Vec<String>>>,
    /// Servers whose handlers panic, whatever is asked.
    ill: Arc<Mutex<HashSet<String>>>,
}

impl Hand {
    fn seen(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    fn seen_at(&self, address: &str) -> usize {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|at| *at == address).count()
    }

    fn falls_ill(&self, address: &str) {
        self.ill.lock().unwrap().insert(address.to_owned());
    }

    fn recovers(&self, address: &str) {
        self.ill.lock().unwrap().remove(address);
    }

    async fn serve(
        self,
        at: String,
        mut io: impl AsyncRead + AsyncWrite + Unpin,
    ) -> io::Result<()> {
        io.read_exact(&mut [0; PREFACE.len()]).await?;
        let length = io.read_u32_le().await?;
        io.read_exact(&mut vec![0; length as usize]).await?;
        io.write_all(&frame(1, 0, 0, 0, HELLO)).await?;
        loop {
            let mut bytes = vec![0; io.read_u32_le().await? as usize];
            io.read_exact(&mut bytes).await?;
            let (kind, id) = (
                bytes[0],
                u32::from_le_bytes(*bytes[4..].first_chunk().unwrap()),
            );
            match kind {
                2 => {}
                // PING, and what else there is.
                8 => {
                    io.write_all(&frame(9, 0, 0, 0, &bytes[8..])).await?;
                    continue;
                }
                _ => continue,
            }
            self.seen.lock().unwrap().push(at.clone());
            let is_ill = self.ill.lock().unwrap().contains(&at);
            let how = if is_ill {
                INTERNAL
            } else {
                *bytes.last().unwrap()
            };
            let part = |status, execution| [status, execution, 0, 0, 0, 0, 0, 0];
            let fail = |part: [u8; 8]| frame(4, 0, 0, id, &[&part[..], b"\x91\xa2no"].concat());
            let answer = match how {
                GOOD => frame(3, 0, 0, id, &[0xc0]),
                DECLARED => frame(3, 1, 0, id, &[&part(14, 3)[..], b"\xa2ow"].concat()),
                SILENCE => continue,
                HANG_UP => return Ok(()),
                REFUSED => fail(part(UNAVAILABLE, 1)),
                ITEM => frame(5, 1, 0, id, &[7]),
                status => fail(part(status, 3)),
            };
            io.write_all(&answer).await?;
        }
    }
}

impl Transport for Hand {
    fn connect<'a>(&'a self, address: &'a str) -> Opening<'a, Connection> {
        let (here, there) = duplex(1 << 20);
        tokio::spawn(self.clone().serve(address.to_owned(), there));
        let (reader, writer) = split(here);
        Box::pin(async move {
            Ok(Connection {
                reader: Box::new(reader),
                writer: Box::new(writer),
                peer: address.to_owned(),
            })
        })
    }

    fn listen<'a>(&'a self, _: &'a str) -> Opening<'a, Box<dyn Acceptor>> {
        Box::pin(async { Err(io::Error::from(io::ErrorKind::Unsupported)) })
    }
}

/// A client of one server, and the channel that says what its breakers do.
fn client(hand: &Hand, address: &str, policy: BreakerPolicy) -> (WardClient, Channel) {
    let builder = Channel::builder().transport(hand.clone()).breaker(policy);
    let channel = builder.lazy(address).unwrap();
    (WardClient::new(channel.clone()), channel)
}

fn ward(hand: &Hand) -> (WardClient, Channel) {
    client(hand, A, BreakerPolicy::default())
}

const A: &str = "tcp://a:1";
const B: &str = "tcp://b:1";

fn state(channel: &Channel) -> BreakerState {
    let [(_, state)] = channel.breakers()[..] else {
        panic!("{:?}", channel.breakers())
    };
    state
}

async fn treat(client: &WardClient, how: u8, count: usize) {
    for _ in 0..count {
        let outcome = client.treat(how).no_retry().await;
        assert_eq!(outcome.is_ok(), how == GOOD, "{outcome:?}");
    }
}

/// One attempt, which is refused.
async fn refusal(client: &WardClient) -> Error {
    match client.treat(GOOD).no_retry().await {
        Err(CallError::Failed(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// A client whose breaker has just opened.
async fn opened(hand: &Hand) -> (WardClient, Channel) {
    let (client, channel) = ward(hand);
    treat(&client, INTERNAL, 200).await;
    assert_eq!(state(&channel), BreakerState::Open);
    (client, channel)
}

/// Lets the time pass in which no call goes.
async fn until_half_open(client: &WardClient) {
    let left = refusal(client).await.retry_after().unwrap();
    advance(left).await;
}

#[tokio::test(start_paused = true)]
async fn half_of_two_hundred_opens_and_nothing_less() {
    for (good, bad, expected) in [
        (0, 199, BreakerState::Closed),
        (0, 200, BreakerState::Open),
        (100, 99, BreakerState::Closed),
        (100, 100, BreakerState::Open),
        (101, 100, BreakerState::Closed),
        (300, 299, BreakerState::Closed),
        (300, 300, BreakerState::Open),
    ] {
        let hand = Hand::default();
        let (client, channel) = ward(&hand);
        treat(&client, GOOD, good).await;
        treat(&client, INTERNAL, bad).await;
        assert_eq!(state(&channel), expected, "{bad} of {}", good + bad);
        let goes = client.treat(GOOD).no_retry().await.is_ok();
        assert_eq!(goes, expected == BreakerState::Closed);
        let seen = good + bad + usize::from(goes);
        assert_eq!(hand.seen(), seen, "what is refused is not sent");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_says_which_address_why_and_when_to_come_again() {
    let hand = Hand::default();
    let (client, _) = ward(&hand);
    treat(&client, GOOD, 50).await;
    treat(&client, INTERNAL, 149).await;
    treat(&client, DEADLINE_EXCEEDED, 1).await;
    let failure = refusal(&client).await;
    let left = failure.retry_after().unwrap();
    assert!((4.0..=6.0).contains(&left.as_secs_f64()), "{left:?}");
    assert_eq!(
        (failure.kind(), failure.execution(), failure.peer()),
        (ErrorKind::Unavailable, Execution::NotSent, Some(A))
    );
    assert!(failure.retryable());
    let text = failure.message().replace(
        &format!("{:?}", Duration::from_millis(left.as_millis() as u64 + 1)),
        "4.5s",
    );
    assert_eq!(
        text,
        "breaker.Ward/treat: the circuit breaker of tcp://a:1 is open: 150 of 200 calls within 10s have failed, the last of them by deadline_exceeded; the next probe is due in 4.5s"
    );
    advance(Duration::from_secs(1)).await;
    let later = refusal(&client).await.retry_after().unwrap();
    assert_eq!(later, left - Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn what_says_nothing_against_the_server_is_no_failure() {
    for how in [
        DECLARED,
        CANCELLED,
        UNKNOWN,
        3,
        5,
        6,
        7,
        EXHAUSTED,
        9,
        10,
        11,
        UNIMPLEMENTED,
        15,
        16,
        REFUSED,
    ] {
        let hand = Hand::default();
        let (client, channel) = ward(&hand);
        treat(&client, how, 400).await;
        assert_eq!(state(&channel), BreakerState::Closed, "{how}");
    }
    for how in [DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE] {
        let hand = Hand::default();
        let (client, channel) = ward(&hand);
        treat(&client, how, 200).await;
        assert_eq!(state(&channel), BreakerState::Open, "{how}");
    }
}

#[tokio::test(start_paused = true)]
async fn answers_of_every_kind_but_those_of_a_busy_server_are_samples() {
    // 199 answers and a failure are 200 samples, of which one is bad; refusals for want of room are none.
    for (how, expected) in [
        (DECLARED, BreakerState::Closed),
        (7, BreakerState::Closed),
        (EXHAUSTED, BreakerState::Open),
    ] {
        let hand = Hand::default();
        let (client, channel) = ward(&hand);
        treat(&client, how, 300).await;
        treat(&client, INTERNAL, 200).await;
        assert_eq!(state(&channel), expected, "{how}");
    }
}

#[tokio::test(start_paused = true)]
async fn calls_of_more_than_ten_seconds_ago_do_not_count() {
    let hand = Hand::default();
    let (client, channel) = ward(&hand);
    // Neither successes …
    treat(&client, GOOD, 1_000).await;
    advance(Duration::from_secs(11)).await;
    treat(&client, INTERNAL, 199).await;
    assert_eq!(state(&channel), BreakerState::Closed);
    // … nor failures, and in the window both do.
    advance(Duration::from_secs(11)).await;
    treat(&client, GOOD, 150).await;
    advance(Duration::from_secs(5)).await;
    treat(&client, INTERNAL, 149).await;
    assert_eq!(state(&channel), BreakerState::Closed);
    treat(&client, INTERNAL, 1).await;
    assert_eq!(state(&channel), BreakerState::Open);
}

#[tokio::test(start_paused = true)]
async fn one_call_at_a_time_goes_as_a_probe_and_two_that_succeed_close() {
    let hand = Hand::default();
    let (client, channel) = opened(&hand).await;
    until_half_open(&client).await;
    let seen = hand.seen();
    let probe = client.treat(SILENCE).start();
    tokio::task::yield_now().await;
    assert_eq!(state(&channel), BreakerState::HalfOpen);
    let left = refusal(&client).await.retry_after().unwrap();
    assert_eq!(left, Duration::from_millis(200));
    assert_eq!(hand.seen(), seen + 1);

    // One that was given up says nothing; the next one goes after a pause.
    drop(probe);
    let left = refusal(&client).await.retry_after().unwrap();
    assert_eq!(left, Duration::from_millis(200));
    advance(left).await;
    treat(&client, GOOD, 1).await;
    assert_eq!(state(&channel), BreakerState::HalfOpen);
    advance(refusal(&client).await.retry_after().unwrap()).await;
    treat(&client, GOOD, 1).await;
    assert_eq!(state(&channel), BreakerState::Closed);
    treat(&client, GOOD, 100).await;
    // What was before is forgotten.
    treat(&client, INTERNAL, 99).await;
    assert_eq!(state(&channel), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_fails_opens_anew() {
    let hand = Hand::default();
    let (client, channel) = opened(&hand).await;
    until_half_open(&client).await;
    treat(&client, GOOD, 1).await;
    advance(refusal(&client).await.retry_after().unwrap()).await;
    treat(&client, UNAVAILABLE, 1).await;
    assert_eq!(state(&channel), BreakerState::Open);
    let failure = refusal(&client).await;
    assert!(failure.retry_after().unwrap() >= Duration::from_secs(4));
    let why = "200 of 200 calls within 10s have failed, the last of them by internal; then a probe by unavailable; the next";
    assert!(failure.message().contains(why), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_takes_long_does_not_hold_up_others_for_ever() {
    let hand = Hand::default();
    let (client, channel) = opened(&hand).await;
    until_half_open(&client).await;
    let _slow = client.treat(SILENCE).no_timeout().start();
    tokio::task::yield_now().await;
    refusal(&client).await;
    advance(Duration::from_secs(5)).await;
    treat(&client, GOOD, 1).await;
    advance(Duration::from_millis(200)).await;
    treat(&client, GOOD, 1).await;
    assert_eq!(state(&channel), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn calls_that_have_the_time_wait_for_a_probe_and_do_not_spin() {
    let hand = Hand::default();
    let (client, channel) = opened(&hand).await;
    let began = Instant::now();
    let calls: Vec<_> = (0..1_000).map(|_| client.treat(GOOD).start()).collect();
    for call in calls {
        call.await.unwrap();
    }
    let took = began.elapsed();
    assert!((4.0..7.0).contains(&took.as_secs_f64()), "{took:?}");
    assert_eq!(hand.seen(), 200 + 1_000, "nothing ran twice");
    assert_eq!(state(&channel), BreakerState::Closed);

    // Those that have not fail at once, with the reason.
    let (client, _) = opened(&hand).await;
    let began = Instant::now();
    let hurry = client.treat(GOOD).timeout(Duration::from_secs(2)).await;
    let failure = hurry.unwrap_err();
    assert!(failure.to_string().contains("circuit breaker"), "{failure}");
    assert_eq!(failure.execution(), Execution::NotSent);
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_balanced_channel_goes_to_another_instance() {
    let hand = Hand::default();
    hand.falls_ill(A);
    let (client, channel) = client(&hand, "list://a:1,b:1", BreakerPolicy::default());
    for _ in 0..400 {
        let _ = client.treat(GOOD).no_retry().await;
    }
    assert_eq!(
        channel.breakers(),
        [
            (A.to_owned(), BreakerState::Open),
            (B.to_owned(), BreakerState::Closed)
        ]
    );
    let seen = hand.seen_at(A);
    treat(&client, GOOD, 200).await;
    assert_eq!(
        hand.seen_at(A),
        seen,
        "nobody sees a failure while another is well"
    );

    // All ill: calls are refused until the first of them is to be probed.
    hand.falls_ill(B);
    while channel.breakers()[1].1 == BreakerState::Closed {
        let _ = client.treat(GOOD).no_retry().await;
    }
    let seen = hand.seen();
    let first = refusal(&client).await;
    for _ in 0..9 {
        let other = refusal(&client).await;
        assert_eq!(
            other.retry_after(),
            first.retry_after(),
            "that of the first due"
        );
    }
    assert_eq!(hand.seen(), seen);

    // Calls go where a probe succeeds, although the other is left alone.
    hand.recovers(B);
    for _ in 0..4 {
        client.treat(GOOD).idempotent().await.ok();
    }
    treat(&client, GOOD, 100).await;
    let states: Vec<_> = channel
        .breakers()
        .into_iter()
        .map(|(_, state)| state)
        .collect();
    assert_eq!(states[1], BreakerState::Closed);
    assert_ne!(states[0], BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn what_began_before_it_opened_goes_on_and_is_no_verdict_afterwards() {
    let hand = Hand::default();
    let (client, channel) = ward(&hand);
    let wait = Duration::from_secs(8);
    let old: Vec<_> = (0..300)
        .map(|_| client.treat(SILENCE).timeout(wait).start())
        .collect();
    treat(&client, INTERNAL, 200).await;
    until_half_open(&client).await;
    treat(&client, GOOD, 1).await;
    advance(Duration::from_millis(200)).await;
    treat(&client, GOOD, 1).await;
    assert_eq!(state(&channel), BreakerState::Closed);
    for call in old {
        let failure = call.await.unwrap_err();
        assert_eq!(failure.kind(), ErrorKind::DeadlineExceeded, "{failure}");
    }
    assert_eq!(state(&channel), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_lost_is_one_failure_whatever_it_takes_along() {
    let hand = Hand::default();
    let (client, channel) = ward(&hand);
    let calls: Vec<_> = (0..300).map(|_| client.treat(SILENCE).start()).collect();
    let streams: Vec<_> = (0..300).map(|_| client.watch(SILENCE).start()).collect();
    treat(&client, HANG_UP, 1).await;
    for call in calls {
        assert_eq!(call.await.unwrap_err().kind(), ErrorKind::Unavailable);
    }
    for mut items in streams {
        items.next().await.unwrap().unwrap_err();
    }
    sleep(Duration::from_secs(1)).await;
    treat(&client, INTERNAL, 198).await;
    assert_eq!(state(&channel), BreakerState::Closed);
    treat(&client, INTERNAL, 1).await;
    assert_eq!(state(&channel), BreakerState::Open);
}

#[tokio::test(start_paused = true)]
async fn streams_count_by_how_they_end() {
    let hand = Hand::default();
    let (client, channel) = ward(&hand);
    // One that has brought something and is over with its time may be meant so; one that has not, is not.
    for (how, expected) in [(ITEM, BreakerState::Closed), (SILENCE, BreakerState::Open)] {
        let began = (0..200).map(|_| client.watch(how).timeout(Duration::from_secs(1)).start());
        for mut items in began.collect::<Vec<_>>() {
            while items.next().await.is_some() {}
        }
        assert_eq!(state(&channel), expected);
    }
    // As a probe its first item is enough.
    until_half_open(&client).await;
    let mut items = client.watch(ITEM).await.unwrap();
    items.next().await.unwrap().unwrap();
    advance(Duration::from_millis(200)).await;
    treat(&client, GOOD, 1).await;
    assert_eq!(state(&channel), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn one_way_calls_are_held_back_too_and_what_tells_nothing_ends_in_closing() {
    let hand = Hand::default();
    let (client, channel) = opened(&hand).await;
    let refused = timeout(
        Duration::from_secs(1),
        client.note(GOOD).timeout(Duration::from_secs(1)),
    );
    let failure = refused.await.unwrap().unwrap_err();
    assert!(failure.to_string().contains("circuit breaker"), "{failure}");
    until_half_open(&client).await;
    let began = Instant::now();
    let seen = hand.seen();
    while state(&channel) != BreakerState::Closed {
        client.note(GOOD).await.unwrap();
    }
    // Timers are late by up to a millisecond.
    let took = began.elapsed().as_secs_f64();
    assert!((20.0..20.2).contains(&took), "two windows, not {took}");
    sleep(Duration::from_millis(1)).await;
    let passed = hand.seen() - seen;
    assert!((95..=101).contains(&passed), "one in 200 ms, not {passed}");
}

#[tokio::test(start_paused = true)]
async fn a_policy_may_say_other_numbers_or_that_there_is_none() {
    let hand = Hand::default();
    let (client, channel) = client(&hand, A, BreakerPolicy::none());
    assert_eq!(channel.breakers(), []);
    treat(&client, INTERNAL, 1_000).await;
    treat(&client, GOOD, 1).await;

    let touchy = BreakerPolicy {
        failure_share: 0.1,
        min_samples: 10,
        window: Duration::MAX,
        open_time: Duration::MAX,
        ..BreakerPolicy::default()
    };
    let (client, channel) = crate::client(&hand, A, touchy);
    treat(&client, GOOD, 9).await;
    treat(&client, INTERNAL, 1).await;
    assert_eq!(state(&channel), BreakerState::Open);
    for odd in [f64::NAN, -1.0] {
        let odd = BreakerPolicy {
            failure_share: odd,
            min_samples: 0,
            window: Duration::ZERO,
            open_time: Duration::ZERO,
            probe_pause: Duration::ZERO,
            probes: 0,
        };
        let (client, _) = crate::client(&hand, A, odd);
        for how in [INTERNAL, GOOD, INTERNAL, GOOD, GOOD] {
            client.treat(how).no_retry().await.ok();
        }
    }
}

/// The lines of this test binary's log.
static LINES: LazyLock<Mutex<Vec<String>>> = LazyLock::new(Mutex::default);

struct Lines;

impl log::Log for Lines {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = format!("{} {}", record.level(), record.args());
        LINES.lock().unwrap().push(line);
    }

    fn flush(&self) {}
}

#[tokio::test(start_paused = true)]
async fn each_change_is_logged_once() {
    log::set_logger(&Lines).unwrap();
    log::set_max_level(log::LevelFilter::Info);
    let hand = Hand::default();
    let (client, _) = client(&hand, "tcp://logged:1", BreakerPolicy::default());
    treat(&client, INTERNAL, 200).await;
    for _ in 0..100 {
        refusal(&client).await;
    }
    until_half_open(&client).await;
    treat(&client, GOOD, 1).await;
    refusal(&client).await;
    advance(Duration::from_millis(200)).await;
    treat(&client, GOOD, 100).await;
    let lines = LINES.lock().unwrap();
    let ours: Vec<_> = lines
        .iter()
        .filter(|line| line.contains("//logged:1"))
        .collect();
    assert_eq!(ours.len(), 3, "{ours:?}");
    assert!(
        ours[0].starts_with("WARN the circuit breaker of tcp://logged:1 opens for ")
            && ours[0].ends_with(
                "s: 200 of 200 calls within 10s have failed, the last of them by internal"
            ),
        "{ours:?}"
    );
    assert_eq!(
        ours[1..],
        [
            "INFO the circuit breaker of tcp://logged:1 is half open: one call goes as a probe",
            "INFO the circuit breaker of tcp://logged:1 closes"
        ]
    );
}

/// A server whose handler panics, or waits to be let go on.
#[derive(Clone, Default)]
struct Patient {
    go_on: Arc<Notify>,
    ran: Arc<Mutex<Vec<u8>>>,
}

impl Ward for Patient {
    async fn treat(&self, how: u8) -> Result<(), String> {
        self.ran.lock().unwrap().push(how);
        match how {
            GOOD => Ok(()),
            SILENCE => {
                self.go_on.notified().await;
                Ok(())
            }
            DECLARED => Err("ow".to_owned()),
            _ => panic!("the patient does not bear it"),
        }
    }

    async fn note(&self, _: u8) {}

    async fn watch(&self, _: u8) -> impl Stream<Item = u64> {
        stream::iter([7])
    }
}

#[tokio::test]
async fn over_tcp_a_server_whose_handler_panics_is_left_alone_and_calls_on_their_way_end_well() {
    let patient = Patient::default();
    let server = Server::new().add(WardService::new(patient.clone()));
    let serving = server.listen("tcp://127.0.0.1:0").await.unwrap();
    let quick = BreakerPolicy {
        open_time: Duration::from_millis(500),
        probe_pause: Duration::from_millis(5),
        ..BreakerPolicy::default()
    };
    let builder = Channel::builder().breaker(quick);
    let channel = builder.connect(serving.address()).await.unwrap();
    let client = WardClient::new(channel.clone());
    let waiting = client.treat(SILENCE).start();
    treat(&client, DECLARED, 99).await;
    treat(&client, INTERNAL, 100).await;
    assert_eq!(state(&channel), BreakerState::Closed);
    treat(&client, INTERNAL, 1).await;
    assert_eq!(state(&channel), BreakerState::Open);
    let failure = refusal(&client).await;
    let text = format!(
        "the circuit breaker of {} is open: 101 of 200 calls",
        serving.address()
    );
    assert!(failure.to_string().contains(&text), "{failure}");

    patient.go_on.notify_one();
    waiting.await.unwrap();
    assert_eq!(state(&channel), BreakerState::Open, "it began before");
    for _ in 0..10 {
        client.treat(GOOD).await.unwrap();
    }
    assert_eq!(state(&channel), BreakerState::Closed);
    let ran = patient.ran.lock().unwrap();
    let count = |how| ran.iter().filter(|ran| **ran == how).count();
    assert_eq!((count(INTERNAL), count(GOOD), count(SILENCE)), (101, 10, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_blocking_client_does_the_same() {
    let patient = Patient::default();
    let server = Server::new().add(WardService::new(patient.clone()));
    let serving = server.listen("tcp://127.0.0.1:0").await.unwrap();
    let address = serving.address().to_owned();
    let work = move || {
        let quick = BreakerPolicy {
            open_time: Duration::from_millis(500),
            probe_pause: Duration::from_millis(5),
            ..BreakerPolicy::default()
        };
        let channel = BlockingChannel::builder()
            .breaker(quick)
            .connect(&address)
            .unwrap();
        let state = || channel.breakers()[0].1;
        let client = WardBlockingClient::new(channel.clone());
        for how in [GOOD, DECLARED].repeat(50) {
            assert_eq!(client.treat(how).is_ok(), how == GOOD);
        }
        let opened = |bad| {
            assert_eq!(state(), BreakerState::Closed);
            for _ in 0..bad {
                client.treat(INTERNAL).unwrap_err();
            }
            assert_eq!(state(), BreakerState::Open);
        };
        opened(100);
        let once = client.with_options(CallOptions::new().no_retry());
        let refused = [
            once.treat(GOOD).unwrap_err().to_string(),
            once.watch(GOOD).unwrap_err().to_string(),
            once.note(GOOD).unwrap_err().to_string(),
        ];
        for text in refused {
            let known = format!("the circuit breaker of {address} is open: 100 of 200 calls");
            assert!(text.contains(&known), "{text}");
        }
        for _ in 0..10 {
            client.treat(GOOD).unwrap();
        }
        opened(192);
        // Items are as good as answers, and one-way calls say nothing.
        client.note(GOOD).unwrap();
        assert_eq!(state(), BreakerState::HalfOpen);
        assert_eq!(client.watch(GOOD).unwrap().next().unwrap().unwrap(), 7);
        assert_eq!(state(), BreakerState::HalfOpen);
        assert_eq!(client.watch(GOOD).unwrap().count(), 1);
        assert_eq!(state(), BreakerState::Closed);
    };
    tokio::task::spawn_blocking(work).await.unwrap();
    let ran = patient.ran.lock().unwrap();
    assert_eq!(ran.iter().filter(|how| **how == INTERNAL).count(), 292);
}
