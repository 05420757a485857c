//! Streams, cut bodies and objects on one link against a peer that is played by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::tests::{Peer, connected_to, execution, failure};
use super::*;
use crate::codec::Encode;
use crate::descriptor::{Client, MethodDescriptor, ServiceDescriptor};
use crate::error::{ErrorKind, Execution};
use crate::object::{Handle, Lent, Serves, collect};
use crate::server::Skeleton;
use crate::server::incoming::{Answer as Handling, Incoming};
use crate::wire::frame::{CallPart, FailPart, Frame, Kind, flag};
use crate::wire::sending::Sending;

/// A peer that takes streams and bodies in pieces.
fn hello() -> Hello {
    Hello {
        max_frame: 4 << 20,
        max_message: 16 << 20,
        max_inflight: 8,
        stream_window: 1_000,
        connection_window: 2_000,
        ..Hello::default()
    }
}

fn begin(link: &Arc<Link>, flags: u8, bytes: usize, lent: &[Lent]) -> Ticket {
    begin_until(link, flags, bytes, lent, None)
}

fn begin_until(
    link: &Arc<Link>,
    flags: u8,
    bytes: usize,
    lent: &[Lent],
    deadline: Option<Instant>,
) -> Ticket {
    let params = vec![0xc0; bytes];
    let part = CallPart {
        call_id: 1,
        remaining_ms: 0,
    };
    let call = CallFrame {
        part,
        flags,
        metadata: &[],
        params: &params,
        lent,
        large: None,
        target: None,
    };
    link.begin(&call, deadline, true).unwrap()
}

async fn expect(peer: &mut Peer, kind: Kind) -> Frame {
    let next = timeout(Duration::from_secs(5), peer.next()).await;
    let frame = next.expect("nothing comes").unwrap();
    assert_eq!(frame.kind, kind, "{frame:?}");
    frame
}

fn more(out: &mut Vec<u8>, id: u32, bytes: usize) {
    let at = out.len();
    frame::write_reply(out, flag::MORE, id, &vec![7; bytes]);
    assert_eq!(out[at + 5], flag::MORE);
}

#[tokio::test(start_paused = true)]
async fn the_beginning_of_an_answer_that_nobody_asked_for_is_not_kept() {
    let (link, mut peer) = connected_to(4 << 20, hello()).await;
    let call = begin(&link, 0, 1, &[]);
    expect(&mut peer, Kind::Call).await;
    for id in 2..200 {
        peer.send(|out| more(out, id, 100_000)).await;
    }
    peer.settle().await;
    assert_eq!(link.lock().pieces.held(), 0);
    // Nor that of one that nobody waits for any more; its end is waited for all the same.
    drop(call);
    expect(&mut peer, Kind::Cancel).await;
    peer.send(|out| more(out, 1, 100_000)).await;
    peer.settle().await;
    assert_eq!(link.lock().pieces.held(), 0);
    assert_eq!(link.lock().calls.live(), 1);
    peer.send(|out| frame::write_data(out, flag::CALLEE, 1, &[1]))
        .await;
    peer.settle().await;
    assert_eq!(link.lock().calls.live(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_belongs_to_no_stream_is_ignored() {
    let (link, mut peer) = connected_to(1 << 20, hello()).await;
    peer.send(|out| {
        for flags in [0, flag::CALLEE] {
            frame::write_item(out, flags, 77, &[1]);
            frame::write_data(out, flags, 77, &[1]);
            frame::write_data(out, flags | flag::OF_ITEM | flag::MORE, 77, &[1]);
            frame::write_credit(out, flags, 77, u32::MAX);
            frame::write_credit(out, flags | flag::STOP, 77, 0);
        }
        frame::write_end(out, 77);
        frame::write_cancel(out, 77);
        frame::write_release(out, 12_345, 1);
        frame::write_release(out, 12_345, u32::MAX);
        for _ in 0..5 {
            frame::write_credit(out, 0, 0, u32::MAX);
        }
    })
    .await;
    peer.settle().await;
    assert!(link.is_open());
    assert_eq!(link.lock().held(), 0);
}

#[tokio::test(start_paused = true)]
async fn frames_that_break_the_rules_of_streams_end_the_connection() {
    type Write = fn(&mut Vec<u8>);
    let cases: [(&str, Write); 4] = [
        ("more was sent on a stream than there was credit", |out| {
            for _ in 0..14 {
                frame::write_item(out, flag::CALLEE, 1, &[0; 60_000]);
            }
        }),
        ("flag OF_ITEM is not that of the body", |out| {
            frame::write_front(out, Kind::Item, flag::CALLEE, 1);
            frame::write_data(out, flag::CALLEE, 1, &[1]);
        }),
        ("in the middle of another body", |out| {
            frame::write_front(out, Kind::Item, flag::CALLEE, 1);
            frame::write_item(out, flag::CALLEE, 1, &[1]);
        }),
        ("flag OF_ITEM is not that of the body", |out| {
            more(out, 1, 10);
            frame::write_data(out, flag::CALLEE | flag::OF_ITEM, 1, &[1]);
        }),
    ];
    for (text, write) in cases {
        let (link, mut peer) = connected_to(4 << 20, hello()).await;
        let mut call = begin(&link, flag::STREAM_OUT, 1, &[]);
        expect(&mut peer, Kind::Call).await;
        peer.send(write).await;
        let error = failure(&mut call).await;
        assert!(error.to_string().contains(text), "{error}");
        let last = peer.rest().await.pop().unwrap();
        assert_eq!(last.go_away_part().reason, GoAwayReason::Protocol);
    }
}

#[tokio::test(start_paused = true)]
async fn streams_that_keep_to_their_windows_must_keep_to_that_of_the_connection_too() {
    let (link, mut peer) = connected_to(4 << 20, hello()).await;
    let mut calls: Vec<_> = (0..6)
        .map(|_| begin(&link, flag::STREAM_OUT, 1, &[]))
        .collect();
    for _ in &calls {
        expect(&mut peer, Kind::Call).await;
    }
    // 720 KB for each is within 768 KiB; six times that is not within 3 MiB.
    for id in 1..=6 {
        peer.send(|out| {
            for _ in 0..12 {
                frame::write_item(out, flag::CALLEE, id, &[0; 60_000]);
            }
        })
        .await;
    }
    let error = failure(&mut calls[5]).await;
    let text = "more was sent on a stream than there was credit";
    assert!(error.to_string().contains(text), "{error}");
    assert_eq!(link.lock().held(), 52 * 60_012, "as much as was allowed");
}

#[tokio::test(start_paused = true)]
async fn an_endless_answer_is_given_up_at_the_limit() {
    let (link, mut peer) = connected_to(1 << 20, hello()).await;
    let mut call = begin(&link, 0, 1, &[]);
    expect(&mut peer, Kind::Call).await;
    peer.send(|out| more(out, 1, 0)).await;
    for _ in 0..17 {
        peer.send(|out| frame::write_data(out, flag::CALLEE | flag::MORE, 1, &[0; 1_000_000]))
            .await;
    }
    let error = timeout(Duration::from_secs(5), failure(&mut call))
        .await
        .unwrap();
    assert_eq!(error.kind(), ErrorKind::ResourceExhausted, "{error}");
    assert_eq!(link.lock().pieces.held(), 0);
    assert!(link.is_open());
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_last_piece_was_not_taken_was_not_started() {
    let (link, mut peer) = connected_to(1_000, hello()).await;
    let mut half = begin(&link, 0, 200_000, &[]);
    let front = expect(&mut peer, Kind::Call).await;
    assert_eq!(front.flags & flag::MORE, flag::MORE);
    expect(&mut peer, Kind::Data).await;
    link.close(Error::unavailable("a test"));
    assert_eq!(execution(&mut half).await, Execution::NotStarted);
    let whole = |frame: &Frame| frame.kind == Kind::Data && frame.flags & flag::MORE == 0;
    assert!(!peer.rest().await.iter().any(whole));
}

#[tokio::test(start_paused = true)]
async fn a_cut_call_that_is_given_up_or_late_sends_no_more_of_itself() {
    for late in [false, true] {
        let (link, mut peer) = connected_to(1_000, hello()).await;
        let deadline = late.then(|| Instant::now() + Duration::from_secs(1));
        let mut call = begin_until(&link, 0, 1_000_000, &[], deadline);
        expect(&mut peer, Kind::Call).await;
        expect(&mut peer, Kind::Data).await;
        if late {
            assert_eq!(execution(&mut call).await, Execution::NotStarted);
        }
        drop(call);
        let mut pieces = 0;
        while let Some(frame) = peer.next().await {
            match frame.kind {
                Kind::Data => {
                    assert_ne!(frame.flags & flag::MORE, 0, "the call is whole after all");
                    pieces += 1;
                }
                Kind::Cancel => break,
                other => panic!("{other:?}"),
            }
        }
        assert!(pieces < 5, "{pieces} pieces after the call was given up");
        assert_eq!(link.lock().calls.live(), 1, "its end is waited for");
        let part = FailPart {
            status: 1,
            execution: Execution::NotStarted,
            retryable: false,
            retry_after_ms: 0,
        };
        peer.send(|out| frame::write_fail(out, 1, &part, "cancelled"))
            .await;
        peer.settle().await;
        assert_eq!(link.lock().calls.live(), 0);
        assert_eq!(link.lock().out.unsent(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_one_way_call_is_sent_to_its_end_although_the_channel_is_dropped() {
    let (link, mut peer) = connected_to(1_000, hello()).await;
    let params = vec![0xc0; 300_000];
    let call = CallFrame {
        part: CallPart {
            call_id: 1,
            remaining_ms: 0,
        },
        flags: flag::ONE_WAY,
        metadata: &[],
        params: &params,
        large: None,
        lent: &[],
        target: None,
    };
    link.send_one_way(&call, false).unwrap();
    link.retire();
    let bytes: usize = peer.rest().await.iter().map(|frame| frame.body.len()).sum();
    assert_eq!(bytes, 300_000);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_to_send_an_item_is_told_when_the_link_closes() {
    for window in [100, 64 << 20] {
        let hello = Hello {
            stream_window: window,
            connection_window: window,
            ..hello()
        };
        let (link, mut peer) = connected_to(1_000, hello).await;
        let call = begin(&link, flag::STREAM_IN, 1, &[]);
        expect(&mut peer, Kind::Call).await;
        // Much more than the output may hold, to a peer that reads none of it.
        let mut sending = Sending::ours(call.id());
        *sending.next_body() = vec![0; 8 << 20];
        let (sender, closer) = (link.clone(), link.clone());
        let send = async move { sender.send_item(&mut sending).await };
        let close = async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            closer.close(Error::unavailable("a test"));
        };
        let both = async { tokio::join!(send, close) };
        let (sent, ()) = timeout(Duration::from_secs(60), both).await.unwrap();
        assert!(!sent);
    }
}

static SERVICE: ServiceDescriptor = ServiceDescriptor {
    name: "test.Nothing",
    docs: "",
    version: None,
    fingerprint: 1,
    methods: &[] as &[MethodDescriptor],
};

/// An object that panics when it is dropped.
struct Explosive(Arc<AtomicUsize>);

impl Drop for Explosive {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
        panic!("in a destructor, as asked");
    }
}

impl Skeleton for Explosive {
    fn service(&self) -> &'static ServiceDescriptor {
        &SERVICE
    }
    fn call(&self, _: usize, incoming: Incoming) -> Handling {
        Box::pin(async move { incoming.unserved() })
    }
}

struct Nobody;

impl From<crate::Channel> for Nobody {
    fn from(_: crate::Channel) -> Self {
        Self
    }
}

impl Client for Nobody {
    const SERVICE: &'static ServiceDescriptor = &SERVICE;
}

impl Serves<Nobody> for Explosive {}

/// A message with an object in it, and how often the object was dropped.
fn lent() -> (Vec<Lent>, Arc<AtomicUsize>) {
    let dropped = Arc::new(AtomicUsize::new(0));
    let handle = Handle::<Nobody>::new(Explosive(dropped.clone()));
    let lent = collect(|| handle.encode(&mut Vec::new()));
    (lent, dropped)
}

#[tokio::test(start_paused = true)]
async fn a_destructor_that_panics_takes_nobody_with_it() {
    let (link, mut peer) = connected_to(1 << 20, hello()).await;
    let ((one, dropped_one), (two, dropped_two)) = (lent(), lent());
    let mut first = begin(&link, 0, 20, &one);
    let mut second = begin(&link, 0, 20, &two);
    std::mem::forget(one.clone());
    drop((one, two));
    let call = expect(&mut peer, Kind::Call).await;
    expect(&mut peer, Kind::Call).await;
    assert_eq!(link.objects(), 2);
    // `one` is still held above, so giving it back drops nothing; then the connection ends.
    let id = u64::from_be_bytes(call.body[2..10].try_into().unwrap());
    peer.send(|out| frame::write_release(out, id, 1)).await;
    peer.settle().await;
    assert_eq!((link.objects(), dropped_one.load(Ordering::SeqCst)), (1, 0));
    link.close(Error::unavailable("a test"));
    assert_eq!(dropped_two.load(Ordering::SeqCst), 1);
    for call in [&mut first, &mut second] {
        let ended = timeout(Duration::from_secs(5), failure(call)).await;
        assert_eq!(ended.unwrap().kind(), ErrorKind::Unavailable);
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_goes_home_when_its_call_was_not_started_and_stays_when_it_was() {
    let executions = [Execution::NotStarted, Execution::Executed];
    for (execution, left) in executions.into_iter().zip([0, 1]) {
        for abandoned in [false, true] {
            let (link, mut peer) = connected_to(1 << 20, hello()).await;
            let (objects, _) = lent();
            let mut call = Some(begin(&link, 0, 20, &objects));
            // Kept here, so that its destructor does not run in this test.
            std::mem::forget(objects);
            expect(&mut peer, Kind::Call).await;
            assert_eq!(link.objects(), 1);
            if abandoned {
                drop(call.take());
                expect(&mut peer, Kind::Cancel).await;
                assert_eq!(link.objects(), 1, "the peer may have it");
            }
            let part = FailPart {
                status: 14,
                execution,
                retryable: false,
                retry_after_ms: 0,
            };
            peer.send(|out| frame::write_fail(out, 1, &part, "no"))
                .await;
            peer.settle().await;
            assert_eq!(
                link.objects(),
                left,
                "{execution:?}, abandoned: {abandoned}"
            );
        }
    }
}

#[test]
fn an_encoder_that_panics_leaves_no_object_for_the_next_message() {
    let handle = Handle::<Nobody>::new(Explosive(Arc::default()));
    let panicking = std::panic::AssertUnwindSafe(|| {
        collect(|| {
            handle.encode(&mut Vec::new());
            panic!("as asked");
        })
    });
    let panicked = std::panic::catch_unwind(panicking);
    assert!(panicked.is_err());
    assert!(collect(|| {}).is_empty());
    std::mem::forget(handle);
}

#[tokio::test(start_paused = true)]
async fn credit_for_the_last_items_that_were_taken_together_is_given_back_when_there_are_no_more() {
    let (link, mut peer) = connected_to(4 << 20, hello()).await;
    let mut call = begin(&link, flag::STREAM_OUT, 1, &[]);
    expect(&mut peer, Kind::Call).await;
    // Long after the call: no other is beside the stream.
    tokio::time::advance(Duration::from_secs(1)).await;
    // Little more than a quarter of the window; the last of them lie in the reader's batch.
    peer.send(|out| {
        for _ in 0..195 {
            frame::write_item(out, flag::CALLEE, 1, &[7; 1_000]);
        }
    })
    .await;
    peer.settle().await;
    let mut batch = Batch::default();
    let mut cx = std::task::Context::from_waker(Waker::noop());
    let mut items = 0;
    while let Poll::Ready(streams::Event::Item(_)) = call.poll_event(&mut batch, &mut cx) {
        items += 1;
    }
    assert_eq!(items, 195);
    link.close(Error::unavailable("a test"));
    let credits = peer.rest().await;
    let given: u32 = credits.iter().map(Frame::credit).sum();
    assert_eq!(given, 195 * 1_012);
}

/// Credit for a stream of which everything is taken at once, after `items` of 16,000 bytes, a moment after the answer to another
/// call with these flags, or long after it.
async fn credit_after(items: usize, beside: Option<u8>) -> Vec<u32> {
    let (link, mut peer) = connected_to(4 << 20, hello()).await;
    let mut call = begin(&link, flag::STREAM_OUT, 1, &[]);
    expect(&mut peer, Kind::Call).await;
    // Long after the stream began.
    tokio::time::advance(Duration::from_secs(1)).await;
    let mut other = begin(&link, beside.unwrap_or_default(), 2, &[]);
    expect(&mut peer, Kind::Call).await;
    peer.send(|out| {
        let start = frame::begin_reply(out, 2);
        out.push(0xc0);
        frame::end_reply(out, start);
    })
    .await;
    assert!(matches!(other.answer().await, Answer::Result(_)));
    if beside.is_none() {
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    let (mut batch, mut given) = (Batch::default(), Vec::new());
    let mut cx = std::task::Context::from_waker(Waker::noop());
    for _ in 0..items {
        peer.send(|out| frame::write_item(out, flag::CALLEE, 1, &[7; 16_000]))
            .await;
        // No time passes.
        while call.poll_event(&mut batch, &mut cx).is_pending() {
            tokio::task::yield_now().await;
        }
        assert!(call.poll_event(&mut batch, &mut cx).is_pending());
    }
    link.flush();
    link.close(Error::unavailable("a test"));
    for frame in peer.rest().await {
        match frame.kind {
            Kind::Credit => given.push(frame.credit()),
            other => panic!("{other:?}"),
        }
    }
    given
}

#[tokio::test(start_paused = true)]
async fn a_stream_gets_a_quarter_of_its_window_back_and_less_beside_calls() {
    let item = 16_012;
    // Of 786,432 bytes, a quarter is missing after thirteen items.
    assert_eq!(credit_after(12, None).await, []);
    assert_eq!(credit_after(13, None).await, [13 * item]);
    // Beside a call, 131,072 are left, which is so after 41 items. Then there is credit for little more.
    assert_eq!(credit_after(40, Some(0)).await, []);
    assert_eq!(
        credit_after(41, Some(0)).await,
        [(128 + 24) * 1_024 - (786_432 - 41 * item)]
    );
    // Streams that begin and end all the time are not what room is left for.
    let other = Some(flag::STREAM_OUT);
    assert_eq!(credit_after(13, other).await, [13 * item]);
}
