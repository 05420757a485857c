//! Large calls on their way: few enough of them at once, and none that waits for ever.

use super::*;

const SIZE: usize = 64 << 10;

/// A client of a peer that takes cut bodies, and any number of bytes at once. It has answered a large call at once.
async fn connected() -> (Arc<Link>, Peer) {
    let (link, mut peer) = unknown().await;
    let mut first = begin(&link, SIZE, None);
    bodies(&mut peer, 1, Instant::now()).await;
    reply(&mut peer, 1).await;
    assert!(matches!(first.answer().await, Answer::Result(_)));
    (link, peer)
}

async fn unknown() -> (Arc<Link>, Peer) {
    let hello = Hello {
        max_frame: 1 << 20,
        max_inflight: 100,
        max_message: 16 << 20,
        ..Hello::default()
    };
    connected_to(16 << 20, hello).await
}

/// The requests whose parameters are whole, in this order, and after so many milliseconds.
async fn bodies(peer: &mut Peer, count: usize, since: Instant) -> Vec<(u32, u128)> {
    let mut found = Vec::new();
    while found.len() < count {
        let frame = peer.next().await.unwrap();
        if frame.flags & flag::MORE == 0 && matches!(frame.kind, Kind::Call | Kind::Data) {
            found.push((frame.request_id, since.elapsed().as_millis()));
        }
    }
    found
}

async fn reply(peer: &mut Peer, id: u32) {
    peer.send(|out| {
        let start = frame::begin_reply(out, id);
        out.push(0xc0);
        frame::end_reply(out, start);
    })
    .await;
}

fn ids(bodies: &[(u32, u128)]) -> Vec<u32> {
    bodies.iter().map(|(id, _)| *id).collect()
}

#[tokio::test(start_paused = true)]
async fn large_calls_go_out_when_others_are_answered() {
    let (link, mut peer) = connected().await;
    let now = Instant::now();
    let _calls: Vec<_> = (0..20).map(|_| begin(&link, SIZE, None)).collect();
    let small = begin(&link, 10, None);
    // 512 KiB at once; what is small goes by.
    let mut first = bodies(&mut peer, 9, now).await;
    assert!(first.iter().all(|(_, at)| *at == 0), "{first:?}");
    first.retain(|(id, _)| *id != small.id());
    assert_eq!(ids(&first), [2, 3, 4, 5, 6, 7, 8, 9]);
    reply(&mut peer, 5).await;
    reply(&mut peer, 2).await;
    let next = bodies(&mut peer, 2, now).await;
    assert_eq!(next, [(10, 0), (11, 0)]);
}

#[tokio::test(start_paused = true)]
async fn large_calls_without_an_answer_hold_up_others_for_a_moment_only() {
    let (link, mut peer) = connected().await;
    let now = Instant::now();
    let _calls: Vec<_> = (0..20).map(|_| begin(&link, SIZE, None)).collect();
    let found = bodies(&mut peer, 20, now).await;
    assert_eq!(ids(&found), (2..=21).collect::<Vec<_>>());
    let at = |place: usize| found[place].1;
    assert_eq!(at(7), 0);
    // The peer is slow: four times as many from then on.
    assert!((4..=6).contains(&at(8)) && at(19) == at(8), "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn the_first_large_call_goes_alone() {
    let (link, mut peer) = unknown().await;
    let now = Instant::now();
    let _calls: Vec<_> = (0..3).map(|_| begin(&link, SIZE, None)).collect();
    assert_eq!(bodies(&mut peer, 1, now).await, [(1, 0)]);
    // This peer's handlers wait.
    tokio::time::sleep(Duration::from_millis(3)).await;
    reply(&mut peer, 1).await;
    assert_eq!(bodies(&mut peer, 2, now).await, [(2, 3), (3, 3)]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_held_is_not_started_when_the_connection_ends() {
    let (link, mut peer) = connected().await;
    let mut calls: Vec<_> = (0..9).map(|_| begin(&link, SIZE, None)).collect();
    bodies(&mut peer, 8, Instant::now()).await;
    link.close(Error::unavailable("a test"));
    assert_eq!(execution(&mut calls[7]).await, Execution::Unknown);
    assert_eq!(execution(&mut calls[8]).await, Execution::NotStarted);
    let rest = peer.rest().await;
    assert!(rest.iter().all(|frame| frame.kind != Kind::Data));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_given_up_while_it_is_held_is_cancelled_and_lets_the_next_one_go() {
    let (link, mut peer) = connected().await;
    let now = Instant::now();
    let mut calls: Vec<_> = (0..10).map(|_| begin(&link, SIZE, None)).collect();
    bodies(&mut peer, 8, now).await;
    drop(calls.remove(8));
    while peer.next().await.unwrap().kind != Kind::Cancel {}
    reply(&mut peer, 2).await;
    assert_eq!(bodies(&mut peer, 1, now).await, [(11, 0)]);
}

#[tokio::test(start_paused = true)]
async fn two_calls_go_out_whatever_their_length_and_count_while_their_pieces_go() {
    let (link, mut peer) = connected().await;
    let now = Instant::now();
    let mut calls: Vec<_> = (0..4).map(|_| begin(&link, 4 << 20, None)).collect();
    let two = bodies(&mut peer, 2, now).await;
    assert_eq!(two, [(2, 0), (3, 0)]);
    drop(calls.remove(0));
    // It is out, and its handler may go on to its end: nothing is known of it before that.
    let third = bodies(&mut peer, 1, now).await;
    assert!((8..=10).contains(&third[0].1), "{third:?}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_no_cut_bodies_gets_all_at_once() {
    let hello = Hello {
        max_frame: 1 << 20,
        max_inflight: 100,
        ..Hello::default()
    };
    let (link, mut peer) = connected_to(16 << 20, hello).await;
    let now = Instant::now();
    let _calls: Vec<_> = (0..20).map(|_| begin(&link, SIZE, None)).collect();
    let found = bodies(&mut peer, 20, now).await;
    assert!(found.iter().all(|(_, at)| *at == 0), "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_get_out_holds_up_others_for_a_moment_only() {
    let hello = Hello {
        max_frame: 1 << 20,
        max_inflight: 100,
        max_message: 16 << 20,
        ..Hello::default()
    };
    // The line takes nothing for now.
    let (link, mut peer) = connected_to(1_000, hello).await;
    let _long = begin(&link, 8 << 20, None);
    let _short = begin(&link, 20 << 10, None);
    tokio::time::sleep(Duration::from_millis(20)).await;
    let mut before = 0;
    loop {
        let frame = peer.next().await.unwrap();
        match (frame.kind, frame.request_id) {
            (Kind::Data, 1) => before += 1,
            (Kind::Data, 2) => break,
            _ => {}
        }
    }
    // It is complete sooner than the long one, which has begun.
    assert!(before < 10, "{before} pieces before it");
}

#[tokio::test(start_paused = true)]
async fn a_call_is_held_no_longer_although_the_keeper_was_busy_elsewhere() {
    let (link, mut peer) = unknown().await;
    let _first = begin(&link, 1 << 20, None);
    let _held = begin(&link, SIZE, None);
    // The caller writes, and the keeper finds the writer held and goes to sleep.
    assert_eq!(ids(&bodies(&mut peer, 1, Instant::now()).await), [1]);
    let now = Instant::now();
    let second = bodies(&mut peer, 1, now).await;
    assert_eq!(second[0].0, 2);
    assert!(second[0].1 < 10, "{second:?}");
}

#[tokio::test(start_paused = true)]
async fn calls_that_a_peer_refuses_when_it_goes_send_no_more_of_themselves() {
    let (link, mut peer) = connected().await;
    let mut calls: Vec<_> = (0..12).map(|_| begin(&link, SIZE, None)).collect();
    bodies(&mut peer, 8, Instant::now()).await;
    let part = GoAwayPart {
        last_id: 9,
        reason: GoAwayReason::Shutdown,
        is_final: true,
        reconnect_ms: 0,
    };
    peer.send(|out| frame::write_go_away(out, &part, "it goes"))
        .await;
    for call in &mut calls[8..] {
        assert_eq!(execution(call).await, Execution::NotStarted);
    }
    assert!(!link.lock().out.has_bodies());
}

#[tokio::test(start_paused = true)]
async fn a_side_that_closes_says_why_although_it_holds_calls() {
    let (link, mut peer) = connected().await;
    let mut calls: Vec<_> = (0..9).map(|_| begin(&link, SIZE, None)).collect();
    // The front of the ninth is out.
    tokio::time::sleep(Duration::from_millis(1)).await;
    link.go_away(GoAwayReason::Shutdown, "a test");
    assert_eq!(execution(&mut calls[8]).await, Execution::NotStarted);
    let frames = peer.rest().await;
    assert_eq!(frames.last().map(|frame| frame.kind), Some(Kind::GoAway));
}
