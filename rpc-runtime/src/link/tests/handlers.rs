//! Handlers that wait are ended at their deadlines, by one timer of their link.

use std::sync::atomic::AtomicU32;

use tokio::task::yield_now;
use tokio::time::{advance, sleep};

use super::*;
use crate::descriptor::{MethodDescriptor, MethodKind, ServiceDescriptor};
use crate::server::incoming::{Answer, Incoming};
use crate::server::router::Skeleton;
use crate::status::Status;

const fn method(id: u64, name: &'static str) -> MethodDescriptor {
    MethodDescriptor {
        id,
        service: "test.Waits",
        name,
        wire_name: name,
        kind: MethodKind::Unary,
        oneway: false,
        idempotent: false,
        finish: false,
        timeout: None,
        retry: None,
        fingerprint: 0,
        signature: "()",
        served: true,
    }
}

static SERVICE: ServiceDescriptor = ServiceDescriptor {
    name: "test.Waits",
    fingerprint: 0,
    version: None,
    docs: "",
    methods: &[
        method(HOLD, "hold"),
        method(READ_AND_HOLD, "read_and_hold"),
        method(ASK, "ask"),
        MethodDescriptor {
            finish: true,
            ..method(FINISH, "finish")
        },
    ],
};

/// Waits for ever, or until it is let go.
const HOLD: u64 = 1;
/// The same, when it has looked at its parameters.
const READ_AND_HOLD: u64 = 2;
/// Synchronous: ends when it is told that nobody waits.
const ASK: u64 = 3;
/// As the second; it may outlive its connection.
const FINISH: u64 = 4;

#[derive(Clone, Default)]
struct Waits {
    running: Arc<AtomicU32>,
    go: Arc<Notify>,
}

struct Running(Arc<AtomicU32>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Waits {
    fn running(&self) -> u32 {
        self.running.load(Ordering::SeqCst)
    }
}

impl Skeleton for Waits {
    fn service(&self) -> &'static ServiceDescriptor {
        &SERVICE
    }

    fn call(&self, method: usize, request: Incoming) -> Answer {
        self.running.fetch_add(1, Ordering::SeqCst);
        let (running, go) = (Running(self.running.clone()), self.go.clone());
        let id = SERVICE.methods[method].id;
        if id == ASK {
            return request.blocking(move |request| {
                while !request.context().is_cancelled() {
                    std::thread::yield_now();
                }
                // The answer may be read before this thread goes on.
                drop(running);
                request.done()
            });
        }
        Box::pin(async move {
            let _running = running;
            match id {
                HOLD => go.notified().await,
                _ => {
                    let _ = request.args(0);
                    go.notified().await;
                }
            }
            request.done()
        })
    }
}

async fn serving(inflight: u32) -> (Arc<Link>, Peer, Waits) {
    let (waits, mut router) = (Waits::default(), Router::default());
    router.add(Arc::new(waits.clone())).unwrap();
    let limits = Limits {
        max_inflight_per_connection: inflight,
        ..Limits::default()
    };
    let router = Some(Arc::new(router));
    let (link, peer) = exporting(1 << 20, Hello::default(), limits, router).await;
    (link, peer, waits)
}

fn write_call(out: &mut Vec<u8>, id: u32, call_id: u64, remaining_ms: u32) {
    let part = CallPart {
        call_id,
        remaining_ms,
    };
    let call = CallFrame {
        part,
        flags: 0,
        metadata: &[],
        params: &[0x90],
        large: None,
        lent: &[],
        target: None,
    };
    frame::write_call(out, id, &call);
}

/// Status and execution of the next frame, a FAIL.
fn failed(frame: &Frame) -> (Status, Execution) {
    assert_eq!(frame.kind, Kind::Fail);
    let part = frame.fail_part();
    (Status::from_code(part.status), part.execution)
}

const LATE: (Status, Execution) = (Status::DeadlineExceeded, Execution::Executed);

#[tokio::test(start_paused = true)]
async fn a_thousand_handlers_that_wait_end_each_at_its_own_deadline() {
    let (_link, mut peer, waits) = serving(1_000).await;
    // Spread over four seconds, in no order; a few share one.
    let limit = |id: u32| 1 + (id * 7_919) % 4_001;
    let began = Instant::now();
    peer.send(|out| {
        for id in 1..=1_000 {
            let call_id = if id % 2 == 0 { HOLD } else { READ_AND_HOLD };
            write_call(out, id, call_id, limit(id));
        }
    })
    .await;
    peer.settle().await;
    assert_eq!((waits.running(), began.elapsed()), (1_000, Duration::ZERO));
    let mut last = 0;
    for left in (0..1_000).rev() {
        let frame = peer.next().await.unwrap();
        let id = frame.request_id;
        let known = if id % 2 == 0 {
            Execution::NotStarted
        } else {
            Execution::Executed
        };
        assert_eq!(failed(&frame), (Status::DeadlineExceeded, known));
        let (limit, passed) = (limit(id), began.elapsed().as_millis());
        assert!(
            (limit..=limit + 1).contains(&(passed as u32)),
            "{limit} ms: ended after {passed}"
        );
        assert!(limit >= last, "{limit} ms after {last} ms");
        last = limit;
        assert!(waits.running() <= left);
    }
    assert_eq!(waits.running(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_timer_is_set_for_deadlines_of_handlers_that_wait_and_for_no_others() {
    let (link, mut peer, waits) = serving(100).await;
    let due = || {
        let state = link.lock();
        (state.deadlines.next(), state.keeper_due)
    };
    let long = Duration::from_secs(60);
    // Most handlers are done by their first poll, and this one has no deadline.
    peer.send(|out| write_call(out, 1, HOLD, 0)).await;
    peer.settle().await;
    assert_eq!(due().0, None);
    assert!(due().1 > Instant::now() + long);
    let deadline = Instant::now() + Duration::from_secs(5);
    peer.send(|out| {
        write_call(out, 2, HOLD, 9_000);
        write_call(out, 3, HOLD, 5_000);
        write_call(out, 4, HOLD, 7_000);
    })
    .await;
    peer.settle().await;
    sleep(Duration::from_millis(1)).await;
    assert_eq!(due(), (Some(deadline), deadline));
    // All of them end sooner: the timer runs out once, and is not set again.
    waits.go.notify_waiters();
    for _ in 0..4 {
        assert_eq!(peer.next().await.unwrap().kind, Kind::Reply);
    }
    sleep(Duration::from_secs(6)).await;
    assert_eq!(due().0, None);
    assert!(due().1 > Instant::now() + long);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_connection_ends_all_that_wait_and_forgets_their_deadlines() {
    let (link, mut peer, waits) = serving(1_000).await;
    peer.send(|out| {
        for id in 1..=1_000 {
            write_call(out, id, HOLD, 1_000 * id);
        }
    })
    .await;
    peer.settle().await;
    let began = Instant::now();
    drop(peer);
    link.closed().await;
    while waits.running() > 0 {
        yield_now().await;
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(link.lock().deadlines.next(), None);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_is_declared_to_finish_ends_at_its_deadline_whatever_becomes_of_its_connection()
 {
    let (link, mut peer, waits) = serving(10).await;
    let began = Instant::now();
    peer.send(|out| {
        write_call(out, 1, FINISH, 2_000);
        write_call(out, 2, FINISH, 3_000);
        frame::write_cancel(out, 1);
    })
    .await;
    let frame = peer.next().await.unwrap();
    assert_eq!((frame.request_id, failed(&frame)), (1, LATE));
    assert_eq!(began.elapsed().as_secs(), 2);
    drop(peer);
    link.closed().await;
    assert_eq!(waits.running(), 1);
    sleep(Duration::from_millis(900)).await;
    assert_eq!(waits.running(), 1, "it goes on without anybody");
    sleep(Duration::from_millis(200)).await;
    assert_eq!(waits.running(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_cancelled_before_its_deadline_was_cancelled() {
    let (_link, mut peer, _waits) = serving(10).await;
    peer.send(|out| write_call(out, 1, READ_AND_HOLD, 1_000))
        .await;
    peer.settle().await;
    sleep(Duration::from_millis(500)).await;
    peer.send(|out| {
        frame::write_cancel(out, 1);
        // The place is free when the handler is gone, and its deadline means nothing to the next.
        write_call(out, 2, READ_AND_HOLD, 2_000);
    })
    .await;
    let frame = peer.next().await.unwrap();
    assert_eq!(failed(&frame), (Status::Cancelled, Execution::Executed));
    let began = Instant::now();
    peer.send(|out| write_call(out, 1, READ_AND_HOLD, 1_500))
        .await;
    let frame = peer.next().await.unwrap();
    assert_eq!((frame.request_id, failed(&frame)), (1, LATE));
    assert_eq!(began.elapsed().as_millis() / 2, 1_500 / 2);
}

#[tokio::test(start_paused = true)]
async fn a_synchronous_handler_is_told_at_its_deadline_and_answers_when_it_ends() {
    let (_link, mut peer, waits) = serving(10).await;
    peer.send(|out| write_call(out, 1, ASK, 1_000)).await;
    peer.settle().await;
    advance(Duration::from_millis(900)).await;
    peer.settle().await;
    assert_eq!(waits.running(), 1);
    advance(Duration::from_millis(101)).await;
    assert_eq!(peer.next().await.unwrap().kind, Kind::Reply);
    assert_eq!(waits.running(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_link_that_always_has_something_to_write_keeps_deadlines_too() {
    let (link, mut peer, waits) = serving(100).await;
    peer.send(|out| write_call(out, 1, READ_AND_HOLD, 10)).await;
    peer.settle().await;
    let began = Instant::now();
    // Whenever the keeper looks, it is woken already.
    let wakes = |link: Arc<Link>| async move {
        loop {
            link.wake_keeper.notify_one();
            yield_now().await;
        }
    };
    let busy = [link.clone(), link.clone()].map(|link| tokio::spawn(wakes(link)));
    while waits.running() > 0 {
        assert!(
            began.elapsed().as_millis() < 20,
            "nobody looks at the clock"
        );
        link.wake_keeper.notify_one();
        advance(Duration::from_millis(1)).await;
        for _ in 0..10 {
            link.wake_keeper.notify_one();
            yield_now().await;
        }
    }
    busy.iter().for_each(tokio::task::JoinHandle::abort);
    assert_eq!(began.elapsed().as_millis(), 10);
    assert_eq!(failed(&peer.next().await.unwrap()), LATE);
}
