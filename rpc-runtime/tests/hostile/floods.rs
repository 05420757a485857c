//! Too much, too often, too slow.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rpc_runtime::{Execution, Limits, Server, Serving, Status, rpc_service};
use tokio::net::TcpSocket;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::raw::{HELLO, LONG, PREFACE, Raw, call, frame};
use crate::{Victim, assert_reply, expect_end, id_of};

/// Calls of a storm.
const STORM: u32 = 2_000_000;

/// A connection whose end takes no more than a few kilobytes unread.
async fn narrow(address: &str) -> Raw {
    let address: SocketAddr = address.strip_prefix("tcp://").unwrap().parse().unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut raw = Raw::new(socket.connect(address).await.unwrap());
    raw.send(&[PREFACE, HELLO].concat()).await;
    assert_eq!(raw.next().await.unwrap().kind, 1);
    raw
}

#[tokio::test]
async fn ten_thousand_refused_calls_are_all_answered_when_they_are_read() {
    let limits = Limits {
        error_budget: 10_000,
        ..Limits::default()
    };
    let victim = Victim::with(limits).await;
    let mut raw = narrow(victim.address()).await;
    let flood: Vec<u8> = (1..=10_000).flat_map(|id| call(id, 42, &[0x90])).collect();
    let (mut sent, mut next) = (0, 1);
    // Writes as long as the server takes something, and reads only when it does not.
    while next <= 10_000 {
        match raw.stream.try_write(&flood[sent..]) {
            Ok(count) if count > 0 => sent += count,
            _ => {
                let frame = raw.next().await.unwrap();
                assert_eq!((frame.id, frame.fail().1), (next, 1));
                next += 1;
            }
        }
    }
    assert_eq!(sent, flood.len());
    victim.lives().await;
}

#[tokio::test]
async fn a_flood_of_pings_ends_at_the_third_strike() {
    let victim = Victim::new().await;
    let mut raw = victim.open().await;
    raw.send(&frame(10, 0, 0, 0, &[7; 8]).repeat(1_000)).await;
    for _ in 0..3 {
        assert_eq!(raw.next().await.unwrap().bytes, frame(11, 0, 0, 0, &[7; 8]));
    }
    expect_end(&mut raw, 3, "too many PINGs: one in 5s is allowed").await;
    victim.lives().await;
}

#[tokio::test]
async fn a_ping_after_many_refusals_is_no_flood() {
    let victim = Victim::new().await;
    let mut raw = victim.open().await;
    let calls: Vec<u8> = (1..=500).flat_map(|id| call(id, 42, &[0x90])).collect();
    raw.send(
        &[
            calls,
            frame(10, 0, 0, 0, &[7; 8]),
            call(501, id_of("ping"), &[0x90]),
        ]
        .concat(),
    )
    .await;
    for _ in 1..=500 {
        raw.next().await.unwrap().fail();
    }
    assert_eq!(raw.next().await.unwrap().kind, 11);
    assert_reply(&raw.next().await.unwrap(), 501, &[1]);
}

#[tokio::test]
async fn calls_beyond_the_limit_are_refused_and_cancelling_frees_a_place_only_when_the_handler_is_gone()
 {
    let limits = Limits {
        max_inflight_per_connection: 4,
        ..Limits::default()
    };
    let victim = Victim::with(limits).await;
    let mut raw = victim.open().await;
    let never = id_of("never");
    let flood: Vec<u8> = (1..=10).flat_map(|id| call(id, never, &[0x90])).collect();
    raw.send(&flood).await;
    for id in 5..=10 {
        let frame = raw.next().await.unwrap();
        let (status, execution, text) = frame.fail();
        assert_eq!(
            (frame.id, status, execution),
            (id, Status::ResourceExhausted.code(), 1)
        );
        assert!(
            text.starts_with("4 calls of this connection are worked on"),
            "{text}"
        );
    }
    raw.send(&frame(9, 0, 0, 2, &[])).await;
    let frame = raw.next().await.unwrap();
    assert_eq!((frame.id, frame.fail().0), (2, Status::Cancelled.code()));
    raw.send(&call(11, id_of("ping"), &[0x90])).await;
    assert_reply(&raw.next().await.unwrap(), 11, &[1]);
    drop(raw);
    victim.alone().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_calls_and_cancels_never_runs_more_handlers_than_allowed() {
    let limits = Limits {
        max_inflight_per_connection: 4,
        cancel_budget: u32::MAX,
        error_budget: u32::MAX,
        ..Limits::default()
    };
    let victim = Victim::with(limits).await;
    let mut raw = victim.open().await;
    let never = id_of("never");
    let mut answered = 0;
    for chunk in 0..50_u32 {
        let storm: Vec<u8> = (1..=100)
            .map(|id| chunk * 100 + id)
            .flat_map(|id| [call(id, never, &[0x90]), frame(9, 0, 0, id, &[])].concat())
            .collect();
        raw.send(&storm).await;
        for _ in 0..100 {
            raw.next().await.unwrap().fail();
            answered += 1;
        }
    }
    assert_eq!(answered, 5_000);
    assert!(victim.handlers.most.load(SeqCst) <= 4);
    assert_eq!(victim.handlers.running.load(SeqCst), 0);
    victim.lives().await;
}

/// Calls and cancels as fast as a thread can, and drops what comes back; counts the bytes that went.
fn storm(address: &str) -> (std::net::TcpStream, Arc<AtomicUsize>) {
    let host = address.strip_prefix("tcp://").unwrap();
    let mut stream = std::net::TcpStream::connect(host).unwrap();
    let (mut answers, end) = (stream.try_clone().unwrap(), stream.try_clone().unwrap());
    let went = Arc::<AtomicUsize>::default();
    let written = Arc::clone(&went);
    std::thread::spawn(move || std::io::copy(&mut answers, &mut std::io::sink()));
    std::thread::spawn(move || {
        let never = id_of("never");
        stream.write_all(&[PREFACE, HELLO].concat())?;
        // It ends, so that a server that listens to nobody else fails the test, and does not hang.
        for first in (1..STORM).step_by(100) {
            let pairs: Vec<u8> = (first..first + 100)
                .flat_map(|id| [call(id, never, &[0x90]), frame(9, 0, 0, id, &[])].concat())
                .collect();
            stream.write_all(&pairs)?;
            written.fetch_add(pairs.len(), SeqCst);
        }
        Ok::<(), std::io::Error>(())
    });
    (end, went)
}

/// On one thread, where a connection that always has something to say could keep the others from their turn.
#[tokio::test]
async fn a_storm_of_calls_and_cancels_leaves_other_connections_their_turns() {
    let limits = Limits {
        cancel_budget: u32::MAX,
        error_budget: u32::MAX,
        control_budget: u32::MAX,
        ..Limits::default()
    };
    let victim = Victim::with(limits).await;
    let (end, went) = storm(victim.address());
    while victim.handlers.begun.load(SeqCst) < 100 {
        victim.lives().await;
    }
    for _ in 0..10 {
        victim.lives().await;
    }
    // A few reads of 256 KiB for each of the steps of a call, and what the sockets hold: a small part of the storm.
    let taken = went.load(SeqCst);
    assert!(taken < 10 * (2 << 20) + (12 << 20), "{taken} bytes");
    end.shutdown(std::net::Shutdown::Both).unwrap();
    victim.alone().await;
}

#[tokio::test]
async fn an_id_is_in_use_until_its_cancelled_handler_is_gone() {
    let victim = Victim::new().await;
    let never = call(1, id_of("never"), &[0x90]);
    let mut raw = victim.open().await;
    raw.send(&[&never[..], &frame(9, 0, 0, 1, &[]), &never[..]].concat())
        .await;
    expect_end(&mut raw, 1, "request ID 1 is in use").await;
    victim.alone().await;
    // Nobody would ever end a handler that was lost sight of.
    let wait = async {
        while victim.handlers.running.load(SeqCst) > 0 {
            victim.lives().await;
        }
    };
    timeout(LONG, wait)
        .await
        .expect("both handlers end with the connection");
}

#[tokio::test]
async fn a_frame_that_takes_too_long_ends_the_connection() {
    let limits = Limits {
        frame_timeout: Duration::from_millis(50),
        ..Limits::default()
    };
    let victim = Victim::with(limits).await;
    let whole = call(1, id_of("ping"), &[0x90]);
    for cut in [1, 4, 11, 12, 20, whole.len() - 1] {
        let text = "a frame was not complete within 50ms";
        victim.put_out(&whole[..cut], 3, text).await;
    }
}

#[tokio::test]
async fn a_peer_that_never_reads_is_put_out_and_holds_nobody_up() {
    let limits = Limits {
        write_stall_timeout: Duration::from_millis(50),
        ..Limits::default()
    };
    let victim = Victim::with(limits).await;
    let mut raw = narrow(victim.address()).await;
    let large = id_of("blob");
    for id in 1..=8 {
        raw.send(&call(id, large, &[0x91, 0xce, 0, 0x20, 0, 0]))
            .await;
    }
    victim.alone().await;
}

#[tokio::test]
async fn a_result_larger_than_the_caller_takes_is_a_failure_it_can_read() {
    let victim = Victim::new().await;
    let mut raw = Raw::silent(victim.address()).await;
    raw.send(&[PREFACE, &frame(1, 0, 0, 0, &[0x80])].concat())
        .await;
    raw.next().await.unwrap();
    // Length fields of 65,536 and 65,537: eight bytes of header, three before the text.
    for (id, size) in [(1, 0xfff5_u16), (2, 0xfff6)] {
        let [high, low] = size.to_be_bytes();
        raw.send(&call(id, id_of("blob"), &[0x91, 0xcd, high, low]))
            .await;
    }
    let largest = raw.next().await.unwrap();
    assert_eq!((largest.kind, largest.bytes.len()), (3, 65_540));
    let (status, execution, text) = raw.next().await.unwrap().fail();
    assert_eq!((status, execution), (Status::ResourceExhausted.code(), 3));
    assert!(
        text.contains("the caller accepts frames of 65536"),
        "{text}"
    );
}

#[tokio::test]
async fn large_calls_and_large_answers_do_not_wait_for_each_other() {
    let victim = Victim::new().await;
    let large = "x".repeat(1 << 20);
    let calls: Vec<_> = (0..48)
        .map(|_| victim.witness.echo(large.clone()).start())
        .collect();
    for call in calls {
        let answer = timeout(LONG, call).await.expect("both sides go on reading");
        assert_eq!(answer.unwrap().len(), large.len());
    }
}

#[rpc_service]
trait Doomed {
    async fn doom(&self);
}

struct Doom {
    serving: Arc<Mutex<Option<Serving>>>,
    gone: Arc<Notify>,
}

struct TellDrop<'a>(&'a Notify);

impl Drop for TellDrop<'_> {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl Doomed for Doom {
    async fn doom(&self) {
        let _tell = TellDrop(&self.gone);
        drop(self.serving.lock().unwrap().take());
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_handler_whose_connection_closes_during_its_first_poll_is_dropped() {
    let (slot, gone) = (Arc::new(Mutex::new(None)), Arc::new(Notify::new()));
    let doom = Doom {
        serving: slot.clone(),
        gone: gone.clone(),
    };
    let serving = Server::new()
        .add(DoomedService::new(doom))
        .listen("tcp://127.0.0.1:0")
        .await
        .unwrap();
    let client = DoomedClient::connect(serving.address()).await.unwrap();
    *slot.lock().unwrap() = Some(serving);
    let failure = client.doom().no_timeout().await.unwrap_err();
    assert_eq!(failure.execution(), Execution::Unknown, "{failure}");
    timeout(LONG, gone.notified())
        .await
        .expect("nobody waits for it any more");
}
