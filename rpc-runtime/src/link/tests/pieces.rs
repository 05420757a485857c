//! Bodies that come in pieces: whole and right, whatever the portions that they are read in, and whatever comes between.

use proptest::prelude::*;

use super::*;

/// So that no two places of a body look alike for a while.
fn body(id: u32, length: usize) -> Vec<u8> {
    let byte = |at: usize| (at as u32).wrapping_mul(2_654_435_761 + id * 2) >> 24;
    (0..length).map(|at| byte(at) as u8).collect()
}

fn front(out: &mut Vec<u8>, id: u32) {
    frame::write_front(out, Kind::Reply, 0, id);
}

fn hello() -> Hello {
    Hello {
        max_frame: 1 << 20,
        max_inflight: 100,
        ..Hello::default()
    }
}

async fn connected_widely() -> (Arc<Link>, Peer) {
    connected_to(1 << 20, hello()).await
}

/// Has a peer answer calls with bodies of these lengths, in pieces of `piece` bytes that take turns, with a PING behind each
/// `pause`-th piece. The link reads up to `window` bytes at once.
async fn answer(lengths: &[usize], piece: usize, pause: usize, window: usize) {
    let limits = Limits {
        min_ping_interval: Duration::ZERO,
        ..Limits::default()
    };
    let (link, peer) = exporting(window, hello(), limits, None).await;
    let mut tickets: Vec<_> = lengths.iter().map(|_| begin(&link, 1, None)).collect();
    let mut rest: Vec<_> = (1..)
        .zip(lengths)
        .map(|(id, length)| (id, body(id, *length)))
        .collect();
    let mut out = Vec::new();
    rest.iter().for_each(|(id, _)| front(&mut out, *id));
    let mut count = 0;
    while !rest.is_empty() {
        for (id, left) in &mut rest {
            let after = left.split_off(piece.min(left.len()));
            let more = if after.is_empty() {
                0
            } else {
                frame::flag::MORE
            };
            frame::write_data(&mut out, frame::flag::CALLEE | more, *id, left);
            *left = after;
            count += 1;
            if count % pause == 0 {
                frame::write_ping(&mut out, Kind::Ping, count as u64);
            }
        }
        rest.retain(|(_, left)| !left.is_empty());
    }
    let (mut reader, mut writer) = split(peer.stream);
    let send = async { writer.write_all(&out).await.unwrap() };
    let swallow = async {
        while reader
            .read(&mut [0; 4096])
            .await
            .is_ok_and(|count| count > 0)
        {}
    };
    let check = async {
        for (id, (ticket, length)) in (1..).zip(tickets.iter_mut().zip(lengths)) {
            match ticket.answer().await {
                Answer::Result(found) => assert!(found == body(id, *length), "body {id}"),
                other => panic!("{other:?}"),
            }
        }
    };
    tokio::select! {
        ((), ()) = async { tokio::join!(send, check) } => {}
        () = swallow => panic!("the link has closed"),
    }
    assert_eq!(link.lock().pieces.held(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn bodies_are_whole_and_right(
        lengths in prop::collection::vec(1_usize..500_000, 1..5),
        piece in prop_oneof![1_usize..9_000, 60_000_usize..=65_536, Just(65_536), Just(100_000)],
        pause in 1_usize..20,
        window in prop_oneof![13_usize..500, 1_000_usize..200_000],
    ) {
        // Not so many pieces that the peer is refused for them.
        let piece = piece.max(lengths.iter().sum::<usize>() / 200);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(answer(&lengths, piece, pause, window));
    }
}

#[tokio::test(start_paused = true)]
async fn pieces_are_read_to_where_they_belong() {
    let (link, mut peer) = connected_widely().await;
    let mut ticket = begin(&link, 1, None);
    let whole = body(1, 300_000);
    let pieces: Vec<_> = whole.chunks(65_536).collect();
    peer.send(|out| {
        front(out, 1);
        let flags = frame::flag::CALLEE | frame::flag::MORE;
        frame::write_data(out, flags, 1, pieces[0]);
        frame::write_data(out, flags, 1, pieces[1]);
        frame::write_data(out, flags, 1, pieces[2]);
        // The last byte is missing.
        out.pop();
    })
    .await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    // What the reader has of it is not in the read buffer, nor counted before it is whole.
    assert_eq!(link.lock().pieces.held(), 2 * 65_536);
    assert_eq!(link.lock().reading, 0);
    peer.send(|out| {
        out.push(pieces[2][65_535]);
        let flags = frame::flag::CALLEE | frame::flag::MORE;
        frame::write_data(out, flags, 1, pieces[3]);
        frame::write_data(out, frame::flag::CALLEE, 1, pieces[4]);
    })
    .await;
    match ticket.answer().await {
        Answer::Result(found) => assert!(found == whole),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_piece_for_nobody_in_whose_middle_its_call_is_given_up_disturbs_nothing() {
    let (link, mut peer) = connected_widely().await;
    let (given_up, mut other) = (begin(&link, 1, None), begin(&link, 1, None));
    let piece = body(1, 50_000);
    let mut data = Vec::new();
    frame::write_data(
        &mut data,
        frame::flag::CALLEE | frame::flag::MORE,
        1,
        &piece,
    );
    peer.send(|out| {
        front(out, 1);
        // Enough for the rest to be read in place.
        (0..3).for_each(|_| out.extend_from_slice(&data));
        out.extend_from_slice(&data[..20_000]);
    })
    .await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(link.lock().reading, 0);
    drop(given_up);
    assert_eq!(link.lock().pieces.held(), 0);
    peer.send(|out| {
        out.extend_from_slice(&data[20_000..]);
        frame::write_data(out, frame::flag::CALLEE, 1, &piece);
        let start = frame::begin_reply(out, 2);
        out.push(0xc0);
        frame::end_reply(out, start);
    })
    .await;
    assert!(matches!(other.answer().await, Answer::Result(_)));
    assert_eq!(link.lock().pieces.held(), 0);
    assert!(link.is_open());
}

#[tokio::test(start_paused = true)]
async fn a_piece_that_stops_in_its_middle_is_not_waited_for() {
    let limits = Limits {
        frame_timeout: Duration::from_secs(5),
        ..Limits::default()
    };
    let (link, mut peer) = exporting(1 << 20, hello(), limits, None).await;
    let mut ticket = begin(&link, 1, None);
    peer.send(|out| {
        front(out, 1);
        let piece = body(1, 50_000);
        let flags = frame::flag::CALLEE;
        (0..3).for_each(|_| frame::write_data(out, flags | frame::flag::MORE, 1, &piece));
        let end = out.len();
        frame::write_data(out, flags, 1, &piece);
        out.truncate(end + 30_000);
    })
    .await;
    let begun = Instant::now();
    assert_eq!(execution(&mut ticket).await, Execution::Unknown);
    assert_eq!(begun.elapsed(), Duration::from_secs(5));
}
