//! Floods of what costs the sender nothing: each ends when its budget is used up, honest use never meets one.

use std::sync::atomic::Ordering::SeqCst;

use rpc_runtime::{Channel, Limits};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::raw::{LONG, Raw, call, frame};
use crate::{TargetClient, Victim, assert_reply, expect_end, id_of};

/// Sends the same bytes again and again without reading until the server has had enough; gives how often they went.
async fn flood(raw: &mut Raw, bytes: &[u8], times: usize) -> usize {
    for sent in 0..times {
        let write = timeout(LONG, raw.stream.write_all(bytes));
        if write.await.expect("the server reads or closes").is_err() {
            return sent;
        }
    }
    times
}

/// Frames that carry nothing, one of each kind.
fn idle_frames() -> Vec<(&'static str, Vec<u8>)> {
    let released = [9, 9, 9, 9, 9, 9, 9, 9, 1, 0, 0, 0];
    vec![
        ("CREDIT for the connection", frame(8, 0, 0, 0, &[0; 4])),
        ("CREDIT for no stream", frame(8, 0, 0, 7, &[1, 0, 0, 0])),
        ("CREDIT that stops no stream", frame(8, 2, 0, 7, &[0; 4])),
        ("END of no stream", frame(6, 0, 0, 7, &[])),
        ("CANCEL of no call", frame(9, 0, 0, 7, &[])),
        ("RELEASE of no object", frame(13, 0, 0, 0, &released)),
        ("PONG to no PING", frame(11, 0, 0, 0, &[0; 8])),
        ("REPLY to no call", frame(3, 0, 0, 7, &[0xc0])),
        (
            "FAIL of no call",
            frame(4, 0, 0, 7, &[2, 1, 0, 0, 0, 0, 0, 0]),
        ),
        ("DATA without content", frame(7, 8, 0, 7, &[])),
        ("DATA of one byte", frame(7, 8, 0, 7, &[0])),
        ("the end of no body", frame(7, 0, 0, 7, &[])),
        ("ITEM of no stream", frame(5, 0, 0, 7, &[1])),
        ("the front of an ITEM of no stream", frame(5, 8, 0, 7, &[])),
        ("the end of an ITEM of no stream", frame(7, 2, 0, 7, &[])),
        ("ITEM of no stream of theirs", frame(5, 1, 0, 7, &[1])),
        ("a kind that may be ignored", frame(0x80, 0, 0, 0, &[])),
        ("padding", frame(0xff, 0, 0, 0, &[1, 2, 3])),
    ]
}

#[tokio::test]
async fn frames_of_each_kind_that_carry_nothing_end_their_connection_with_a_reason() {
    let victim = Victim::new().await;
    for (what, bytes) in idle_frames() {
        let mut raw = victim.open().await;
        // More than the budget and what comes back meanwhile, less than is read of a peer that was refused.
        raw.send(&bytes.repeat(40_000)).await;
        let text = "too many frames that carry nothing: 10000 without work in between are allowed";
        let end = expect_end(&mut raw, 3, text);
        timeout(LONG, end)
            .await
            .unwrap_or_else(|_| panic!("{what} goes on"));
        victim.lives().await;
    }
    victim.alone().await;
}

#[tokio::test]
async fn a_million_frames_of_each_kind_that_carry_nothing_are_not_taken_to_their_end() {
    let victim = Victim::new().await;
    for (what, bytes) in idle_frames() {
        let mut raw = victim.open().await;
        let went = flood(&mut raw, &bytes.repeat(1_000), 1_000).await;
        assert!(went < 1_000, "all of {what} went");
        victim.lives().await;
    }
    victim.alone().await;
}

#[tokio::test]
async fn a_few_frames_that_carry_nothing_do_no_harm() {
    let victim = Victim::new().await;
    let mut raw = victim.open().await;
    for (id, (_, bytes)) in (1..).zip(idle_frames()) {
        raw.send(&bytes.repeat(100)).await;
        raw.send(&call(id, id_of("ping"), &[0x90])).await;
        assert_reply(&raw.next().await.unwrap(), id, &[1]);
    }
}

#[tokio::test]
async fn calls_that_must_be_refused_end_their_connection_after_a_thousand() {
    let victim = Victim::new().await;
    for params in [call(1, 42, &[0x90]), call(1, id_of("add"), &[0x92, 1])] {
        let mut raw = victim.open().await;
        raw.send(&params.repeat(10_000)).await;
        let (mut refused, mut last) = (0, None);
        while let Some(frame) = raw.next().await {
            refused += usize::from(frame.kind == 4);
            last = Some(frame);
        }
        let (_, reason, text) = last.unwrap().go_away();
        assert_eq!(reason, 3, "{text}");
        assert!(
            text.contains("too many calls that had to be refused: 1024"),
            "{text}"
        );
        // What comes back with time is little beside it.
        assert!((1_024..5_000).contains(&refused), "{refused}");
        victim.lives().await;
    }
}

#[tokio::test]
async fn refused_calls_beside_served_ones_are_no_flood() {
    let victim = Victim::new().await;
    let mut raw = victim.open().await;
    for id in 0..3_000_u32 {
        let (bad, good) = (2 * id + 1, 2 * id + 2);
        raw.send(&[call(bad, 42, &[0x90]), call(good, id_of("ping"), &[0x90])].concat())
            .await;
        raw.next().await.unwrap().fail();
        assert_reply(&raw.next().await.unwrap(), good, &[1]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_thousand_calls_and_cancels_end_with_their_budget() {
    let victim = Victim::new().await;
    let mut raw = victim.open().await;
    let never = id_of("never");
    let (mut reader, mut writer) = {
        let Raw { stream, .. } = &mut raw;
        stream.split()
    };
    let storm = async {
        for chunk in 0..200_u32 {
            let pairs: Vec<u8> = (1..=1_000)
                .map(|id| chunk * 1_000 + id)
                .flat_map(|id| [call(id, never, &[0x90]), frame(9, 0, 0, id, &[])].concat())
                .collect();
            if writer.write_all(&pairs).await.is_err() {
                return chunk;
            }
        }
        200
    };
    let mut sink = tokio::io::sink();
    let read = tokio::io::copy(&mut reader, &mut sink);
    let (chunks, _) = timeout(LONG, async { tokio::join!(storm, read) })
        .await
        .expect("the storm ends");
    assert!(chunks < 200, "all of it went");
    let most = victim.handlers.most.load(SeqCst);
    assert!(most <= 256, "{most} handlers at once");
    victim.lives().await;
    drop(raw);
    victim.alone().await;
    let wait = async {
        while victim.handlers.running.load(SeqCst) > 0 {
            victim.lives().await;
        }
    };
    timeout(LONG, wait)
        .await
        .expect("no handler is left behind");
}

#[tokio::test]
async fn a_reason_is_told_when_the_budget_for_cancels_is_used_up() {
    let limits = Limits {
        cancel_budget: 10,
        ..Limits::default()
    };
    let victim = Victim::with(limits).await;
    let mut raw = victim.open().await;
    let never = id_of("never");
    let pairs: Vec<u8> = (1..=200)
        .flat_map(|id| [call(id, never, &[0x90]), frame(9, 0, 0, id, &[])].concat())
        .collect();
    raw.send(&pairs).await;
    expect_end(
        &mut raw,
        3,
        "too many CANCELs of calls that had time left: 10",
    )
    .await;
    victim.lives().await;
}

#[tokio::test]
async fn a_client_that_gives_most_of_its_calls_up_meets_no_budget_as_long_as_some_are_served() {
    let limits = Limits {
        cancel_budget: 10,
        ..Limits::default()
    };
    let victim = Victim::with(limits).await;
    for _ in 0..200 {
        drop(victim.witness.never().start());
        victim.lives().await;
    }
}

#[tokio::test]
async fn a_stream_of_tiny_windows_meets_no_budget() {
    let victim = Victim::new().await;
    let limits = Limits {
        stream_window: 40,
        connection_window: 40,
        ..Limits::default()
    };
    let channel = Channel::builder().limits(limits);
    let client = TargetClient::from(channel.connect(victim.address()).await.unwrap());
    let mut items = client.count(40_000).await.unwrap();
    let mut expected = 0;
    while let Some(item) = timeout(LONG, items.next()).await.unwrap() {
        assert_eq!(item.unwrap(), expected);
        expected += 1;
    }
    assert_eq!(expected, 40_000, "each brought two CREDITs");
}

#[tokio::test]
async fn a_million_calls_to_a_sleeping_handler_are_refused_beyond_the_limit_and_end() {
    let victim = Victim::new().await;
    let mut raw = victim.open().await;
    let never = id_of("never");
    let (mut reader, mut writer) = {
        let Raw { stream, .. } = &mut raw;
        stream.split()
    };
    let pipelined = async {
        for chunk in 0..1_000_u32 {
            let calls: Vec<u8> = (1..=1_000)
                .flat_map(|id| call(chunk * 1_000 + id, never, &[0x90]))
                .collect();
            if writer.write_all(&calls).await.is_err() {
                return chunk;
            }
        }
        1_000
    };
    let mut sink = tokio::io::sink();
    let read = tokio::io::copy(&mut reader, &mut sink);
    let (chunks, _) = timeout(LONG, async { tokio::join!(pipelined, read) })
        .await
        .expect("the flood ends");
    assert!(chunks < 1_000, "all of it went");
    assert_eq!(victim.handlers.most.load(SeqCst), 256);
    victim.lives().await;
}
