//! What peers have us keep: bounded for one connection, and for all together.

use std::sync::atomic::Ordering::SeqCst;

use rpc_runtime::{Limits, Status};
use tokio::time::timeout;

use crate::raw::{LONG, Raw, call, frame};
use crate::{Victim, id_of};

/// The front of a call whose parameters are to come.
fn front(id: u32, method: &str) -> Vec<u8> {
    let mut rest = id_of(method).to_le_bytes().to_vec();
    rest.extend([0; 4]);
    frame(2, 8, 0, id, &rest)
}

/// A piece of it that is not the last one.
fn piece(id: u32, size: usize) -> Vec<u8> {
    frame(7, 8, 0, id, &vec![0; size])
}

/// Waits until the server has looked at all that was sent.
async fn settled(raw: &mut Raw, id: u32) {
    raw.send(&call(id, id_of("ping"), &[0x90])).await;
    let frame = raw.next().await.unwrap();
    assert_eq!((frame.kind, frame.id), (3, id), "{frame:?}");
}

#[tokio::test]
async fn what_all_connections_keep_together_is_bounded_and_small_calls_go_on() {
    let limits = Limits {
        process_memory: 1 << 20,
        ..Limits::default()
    };
    let victim = Victim::with(limits).await;
    let mut hoarders = Vec::new();
    for _ in 0..2 {
        let mut raw = victim.open().await;
        raw.send(&front(1, "echo")).await;
        raw.send(&piece(1, 60_000).repeat(8)).await;
        settled(&mut raw, 2).await;
        hoarders.push(raw);
    }
    let mut third = victim.open().await;
    third.send(&front(1, "echo")).await;
    third.send(&piece(1, 60_000).repeat(8)).await;
    let (status, execution, text) = third.next().await.unwrap().fail();
    assert_eq!((status, execution), (Status::ResourceExhausted.code(), 1));
    assert!(text.contains("all connections together keep"), "{text}");
    assert!(
        text.contains("1048576 are allowed; try again later"),
        "{text}"
    );
    // A frame that never ends is counted as well.
    let mut fourth = victim.open().await;
    let huge = frame(2, 0, 0, 1, &vec![0; 1 << 20]);
    fourth.send(&huge[..600_000]).await;
    crate::expect_end(&mut fourth, 3, "all connections together keep").await;
    // Whoever keeps little is served as before.
    victim.lives().await;
    drop(hoarders);
    let large = "x".repeat(600_000);
    let served = async {
        loop {
            match victim.witness.echo(large.clone()).await {
                Ok(echoed) => return assert_eq!(echoed, large),
                Err(refused) => assert_eq!(refused.status(), Status::ResourceExhausted),
            }
        }
    };
    timeout(LONG, served)
        .await
        .expect("what they kept is free again");
}

#[tokio::test]
async fn one_connection_keeps_no_more_than_its_own_limit() {
    let limits = Limits {
        connection_memory: 1 << 20,
        ..Limits::default()
    };
    let victim = Victim::with(limits).await;
    let mut raw = victim.open().await;
    for id in 1..=3 {
        raw.send(&front(id, "echo")).await;
        raw.send(&piece(id, 60_000).repeat(8)).await;
    }
    let frame = raw.next().await.unwrap();
    let (status, execution, text) = frame.fail();
    assert_eq!(
        (frame.id, status, execution),
        (3, Status::ResourceExhausted.code(), 1)
    );
    assert!(text.contains("of this connection keep"), "{text}");
    victim.lives().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_to_a_peer_that_does_not_read_are_not_even_made() {
    for method in ["blob", "made"] {
        let victim = Victim::new().await;
        let mut raw = victim.open().await;
        // One answer that is more than the output takes, then 256 of 4 MiB less a little, as much as a frame may have. A
        // synchronous handler that runs already cannot be held up, so all of them come behind the first one.
        let size = [0x91, 0xce, 0, 0x3f, 0, 0];
        let first: Vec<u8> = (1..=4)
            .flat_map(|id| call(id, id_of("blob"), &size))
            .collect();
        raw.send(&first).await;
        let begun = async {
            while victim.handlers.blobs.load(SeqCst) == 0 {
                victim.lives().await;
            }
            for _ in 0..100 {
                victim.lives().await;
            }
        };
        timeout(LONG, begun).await.expect("the first is made");
        let before = victim.handlers.blobs.load(SeqCst);
        assert!(before <= 4, "{before} answers were made");
        let calls: Vec<u8> = (5..=256)
            .flat_map(|id| call(id, id_of(method), &size))
            .collect();
        raw.send(&calls).await;
        for _ in 0..200 {
            victim.lives().await;
        }
        let made = victim.handlers.blobs.load(SeqCst) - before;
        // The kernel's own buffers take a few.
        assert!(made <= 16, "{method}: {made} of 252 answers were made");
        // They are made as the peer reads on.
        for _ in 0..6 {
            timeout(LONG, async { while raw.next().await.unwrap().kind != 3 {} })
                .await
                .expect("it goes on");
        }
    }
}
