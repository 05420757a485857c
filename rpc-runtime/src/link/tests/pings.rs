//! PINGs of ours: never sooner than the peer wants them, whatever our own limits say.

use super::*;

/// Limits of somebody who would ask all the time.
fn eager() -> Limits {
    Limits {
        client_ping_after: Duration::from_millis(100),
        client_ping_timeout: Duration::from_millis(100),
        ..Limits::default()
    }
}

/// A client that is eager, of a peer that announces this interval.
async fn eager_for(interval: Duration) -> (Arc<Link>, Peer) {
    let hello = Hello {
        max_inflight: 64,
        min_ping_interval_ms: interval.as_millis() as u32,
        ..Hello::default()
    };
    exporting(1 << 16, hello, eager(), None).await
}

/// Answers PINGs, and sees to it that none comes within `interval` after the one before it.
async fn answer_pings(peer: &mut Peer, count: usize, interval: Duration) {
    let mut last = None;
    for _ in 0..count {
        let ping = peer.next().await.unwrap();
        assert_eq!(ping.kind, Kind::Ping);
        let since = last.replace(Instant::now()).map(|last| last.elapsed());
        assert!(since.is_none_or(|since| since >= interval), "{since:?}");
        peer.send(|out| frame::write_ping(out, Kind::Pong, 0)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_never_pings_more_often_than_its_peer_has_announced() {
    for (announced, expected) in [(0, 100), (50, 100), (5_000, 5_000), (90_000, 90_000)] {
        let (link, mut peer) = eager_for(Duration::from_millis(announced)).await;
        let interval = Duration::from_millis(expected);
        let _call = begin(&link, 10, None);
        assert_eq!(peer.next().await.unwrap().kind, Kind::Call);
        let began = Instant::now();
        answer_pings(&mut peer, 10, interval).await;
        // Not much less often either: the link would not be watched.
        assert!(
            began.elapsed() < interval * 11,
            "{announced}: {:?}",
            began.elapsed()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn calls_that_come_and_go_bring_no_ping_forward() {
    let interval = Duration::from_secs(30);
    let (link, mut peer) = eager_for(interval).await;
    let (mut last, mut pings) = (None, 0);
    // Silence of many lengths, on both sides of the interval, under calls that are answered, or given up and still owed.
    for seconds in (1..=60).chain(25..=35) {
        let mut call = begin(&link, 10, None);
        let until = Instant::now() + Duration::from_secs(seconds);
        while let Ok(frame) = tokio::time::timeout_at(until, peer.next()).await {
            if frame.unwrap().kind != Kind::Ping {
                continue;
            }
            pings += 1;
            let since = last.replace(Instant::now()).map(|last| last.elapsed());
            assert!(since.is_none_or(|since| since >= interval), "{since:?}");
            peer.send(|out| frame::write_ping(out, Kind::Pong, 0)).await;
        }
        if seconds % 3 > 0 {
            let id = call.id();
            peer.send(|out| frame::write_reply(out, 0, id, &[0xc0]))
                .await;
            assert!(matches!(call.answer().await, Answer::Result(_)));
        }
    }
    assert!(pings > 20, "{pings}");
}

#[tokio::test(start_paused = true)]
async fn a_server_heeds_what_a_client_has_announced_as_well() {
    let limits = Limits {
        server_ping_after: Duration::from_millis(100),
        ..Limits::default()
    };
    let hello = Hello {
        min_ping_interval_ms: 70_000,
        ..Hello::default()
    };
    let (_link, mut peer) = accepted_with(1 << 16, limits, &hello).await;
    answer_pings(&mut peer, 4, Duration::from_secs(70)).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_told_that_it_pings_too_often_goes_quiet_and_stays_away() {
    let (link, mut peer) = eager_for(Duration::ZERO).await;
    let mut call = begin(&link, 10, None);
    assert_eq!(peer.next().await.unwrap().kind, Kind::Call);
    assert_eq!(peer.next().await.unwrap().kind, Kind::Ping);
    let part = GoAwayPart {
        last_id: 1,
        reason: GoAwayReason::Limit,
        is_final: true,
        reconnect_ms: 30_000,
    };
    peer.send(|out| {
        frame::write_go_away(out, &part, "too many PINGs");
        frame::write_reply(out, 0, 1, &[0xc0]);
    })
    .await;
    assert!(matches!(call.answer().await, Answer::Result(_)));
    assert!(!link.is_open(), "it takes no more calls");
    let due = link.reconnect_due().unwrap() - Instant::now();
    assert!(due <= Duration::from_secs(30), "{due:?}");
    let quiet = timeout(Duration::from_secs(600), peer.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
}
