//! One link against a peer that is played by hand, with time paused.

mod handlers;
mod large;
mod leaving;
mod pieces;
mod pings;

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex, split};
use tokio::time::{Instant, timeout};

use super::*;
use crate::error::{ErrorKind, Execution};
use crate::wire::frame::{CallPart, FailPart, Frame, Kind};
use crate::wire::inbound::Inbound;

/// The other end of a link.
pub(super) struct Peer {
    pub(super) stream: DuplexStream,
    inbound: Inbound,
}

impl Peer {
    /// The next frame; `None` at the end of the input, even in the middle of a frame.
    pub(super) async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.inbound.next_frame().unwrap() {
                return Some(frame);
            }
            if self.stream.read_buf(self.inbound.buffer()).await.unwrap() == 0 {
                return None;
            }
        }
    }

    pub(super) async fn rest(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(frame) = self.next().await {
            frames.push(frame);
        }
        frames
    }

    pub(super) async fn send(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut out = Vec::new();
        write(&mut out);
        self.stream.write_all(&out).await.unwrap();
    }

    /// Everything sent before was handled once the PONG is here.
    pub(super) async fn settle(&mut self) {
        self.send(|out| frame::write_ping(out, Kind::Ping, 7)).await;
        assert_eq!(self.next().await.unwrap().kind, Kind::Pong);
    }
}

/// A client whose peer leaves no more than `window` bytes unread and works on `inflight` calls.
async fn connected(window: usize, inflight: u32) -> (Arc<Link>, Peer) {
    let hello = Hello {
        max_frame: 1 << 20,
        max_inflight: inflight,
        ..Hello::default()
    };
    connected_to(window, hello).await
}

/// A client of a peer that says this HELLO.
pub(super) async fn connected_to(window: usize, hello: Hello) -> (Arc<Link>, Peer) {
    exporting(window, hello, Limits::default(), None).await
}

/// The same, with limits and services of its own.
async fn exporting(
    window: usize,
    hello: Hello,
    limits: Limits,
    router: Option<Arc<Router>>,
) -> (Arc<Link>, Peer) {
    let (here, there) = duplex(window);
    let (reader, writer) = split(here);
    let io = Io::new(reader, writer, "test://peer".to_owned());
    over(io, there, hello, Terms::new(limits), router).await
}

/// The same over this connection.
async fn over(
    io: Io,
    there: DuplexStream,
    hello: Hello,
    terms: Terms,
    router: Option<Arc<Router>>,
) -> (Arc<Link>, Peer) {
    let mut peer = Peer {
        stream: there,
        inbound: Inbound::server(&Limits::default()),
    };
    let handshake = async {
        assert_eq!(peer.next().await.unwrap().kind, Kind::Hello);
        peer.send(|out| frame::write_hello(out, &hello.encode()))
            .await;
    };
    let (link, ()) = tokio::join!(connect(io, terms, router, None), handshake);
    (link.unwrap(), peer)
}

fn begin(link: &Arc<Link>, bytes: usize, deadline: Option<Instant>) -> Ticket {
    let params = vec![0xc0; bytes];
    let part = CallPart {
        call_id: 1,
        remaining_ms: 0,
    };
    let call = CallFrame {
        part,
        flags: 0,
        metadata: &[],
        params: &params,
        large: None,
        lent: &[],
        target: None,
    };
    link.begin(&call, deadline, true).unwrap()
}

pub(super) async fn failure(ticket: &mut Ticket) -> Error {
    match ticket.answer().await {
        Answer::Failed(error) => error,
        other => panic!("{other:?}"),
    }
}

pub(super) async fn execution(ticket: &mut Ticket) -> Execution {
    failure(ticket).await.execution()
}

fn calls(frames: &[Frame]) -> Vec<u32> {
    let calls = frames.iter().filter(|frame| frame.kind == Kind::Call);
    calls.map(|frame| frame.request_id).collect()
}

#[tokio::test(start_paused = true)]
async fn what_was_not_sent_when_the_link_closed_is_not_sent_afterwards() {
    let (link, mut peer) = connected(1_000, 8).await;
    let mut sent = begin(&link, 10, None);
    let mut half = begin(&link, 5_000, None);
    let mut behind = begin(&link, 10, None);
    tokio::task::yield_now().await;
    tokio::time::advance(Duration::from_millis(1)).await;
    link.close(Error::unavailable("a test"));
    assert_eq!(execution(&mut sent).await, Execution::Unknown);
    assert_eq!(execution(&mut half).await, Execution::NotStarted);
    assert_eq!(execution(&mut behind).await, Execution::NotSent);
    assert_eq!(calls(&peer.rest().await), [1]);
}

#[tokio::test(start_paused = true)]
async fn a_link_that_closes_still_says_why_when_no_call_is_half_sent() {
    let (link, mut peer) = connected(1_000, 8).await;
    let mut begun = {
        // Nobody has run since: the frame lies in the output.
        let params = [0x90];
        let part = CallPart {
            call_id: 1,
            remaining_ms: 0,
        };
        let call = CallFrame {
            part,
            flags: 0,
            metadata: &[],
            params: &params,
            large: None,
            lent: &[],
            target: None,
        };
        link.begin(&call, None, false).unwrap()
    };
    link.go_away(GoAwayReason::Shutdown, "a test");
    assert_eq!(execution(&mut begun).await, Execution::NotSent);
    let frames = peer.rest().await;
    assert_eq!(calls(&frames), Vec::<u32>::new());
    assert_eq!(
        frames.last().map(|frame| frame.kind),
        Some(Kind::GoAway),
        "{frames:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_that_expires_unsent_is_never_sent_and_owes_nothing() {
    let (link, mut peer) = connected(1_000, 8).await;
    let deadline = Some(Instant::now() + Duration::from_secs(1));
    let mut half = begin(&link, 5_000, deadline);
    tokio::time::advance(Duration::from_millis(1)).await;
    let mut behind = begin(&link, 10, deadline);
    assert_eq!(execution(&mut behind).await, Execution::NotSent);
    // The rest of this one will be sent when the peer reads on, so nothing is known.
    assert_eq!(execution(&mut half).await, Execution::Unknown);
    assert_eq!(
        link.lock().calls.live(),
        1,
        "the half-sent call waits for its end"
    );
    let first = peer.next().await.unwrap();
    assert_eq!((first.kind, first.request_id), (Kind::Call, 1));
    let second = peer.next().await.unwrap();
    assert_eq!((second.kind, second.request_id), (Kind::Cancel, 1));
    peer.settle().await;
    let part = FailPart {
        status: 1,
        execution: Execution::Executed,
        retryable: false,
        retry_after_ms: 0,
    };
    peer.send(|out| frame::write_fail(out, 1, &part, "cancelled"))
        .await;
    peer.settle().await;
    assert_eq!(link.lock().calls.live(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_nobody_takes_makes_room_when_it_is_dropped() {
    let (link, mut peer) = connected(1_000, 1).await;
    let ticket = begin(&link, 10, None);
    assert_eq!(peer.next().await.unwrap().kind, Kind::Call);
    peer.send(|out| frame::write_reply(out, 0, 1, &[0xc0]))
        .await;
    peer.settle().await;
    let room = link.room(false);
    tokio::pin!(room);
    assert!(timeout(Duration::ZERO, room.as_mut()).await.is_err());
    drop(ticket);
    timeout(Duration::from_secs(1), room).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_client_takes_answers_while_its_own_calls_wait_to_be_written() {
    let (link, mut peer) = connected(1_000, 8).await;
    let mut first = begin(&link, 10, None);
    let more: Vec<_> = (0..4).map(|_| begin(&link, 1_000_000, None)).collect();
    assert_eq!(peer.next().await.unwrap().kind, Kind::Call);
    // The peer takes nothing more before its answer is taken.
    let answer = vec![0xc0; 10_000];
    let exchange = async {
        peer.send(|out| frame::write_reply(out, 0, 1, &answer))
            .await;
        first.answer().await
    };
    let answer = timeout(Duration::from_secs(1), exchange).await.unwrap();
    assert!(matches!(answer, Answer::Result(body) if body.len() == 10_000));
    drop(more);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_breaks_the_protocol_is_named_in_the_error() {
    let (link, mut peer) = connected(1_000, 8).await;
    let mut ticket = begin(&link, 10, None);
    assert_eq!(peer.next().await.unwrap().kind, Kind::Call);
    peer.send(|out| out.extend_from_slice(&[8, 0, 0, 0, 99, 0, 0, 0, 0, 0, 0, 0]))
        .await;
    let error = failure(&mut ticket).await;
    assert_eq!(
        (error.kind(), error.execution()),
        (ErrorKind::DataLoss, Execution::Unknown)
    );
    assert_eq!(
        error.to_string(),
        "data_loss: test://peer breaks the protocol: frame kind 99 is not known (execution unknown)"
    );
    let last = peer.rest().await.pop().unwrap();
    assert_eq!(last.go_away_part().reason, GoAwayReason::Protocol);
}

/// A server that serves nothing, and a client that is played by hand.
async fn accepted(window: usize) -> (Arc<Link>, Peer) {
    let limits = Limits {
        error_budget: 10_000,
        ..Limits::default()
    };
    accepted_with(window, limits, &Hello::default()).await
}

/// The same, with limits of its own and a client that says this HELLO.
async fn accepted_with(window: usize, limits: Limits, hello: &Hello) -> (Arc<Link>, Peer) {
    let (here, there) = duplex(window);
    let (reader, writer) = split(here);
    let io = Io::new(reader, writer, "test://peer".to_owned());
    let terms = Terms::new(limits);
    let mut peer = Peer {
        stream: there,
        inbound: Inbound::client(&Limits::default()),
    };
    let handshake = async {
        peer.send(|out| {
            out.extend_from_slice(&frame::PREFACE);
            frame::write_hello(out, &hello.encode());
        })
        .await;
        assert_eq!(peer.next().await.unwrap().kind, Kind::Hello);
    };
    let (link, ()) = tokio::join!(accept(io, terms, Arc::default()), handshake);
    (link.unwrap(), peer)
}

#[tokio::test(start_paused = true)]
async fn refusals_that_nobody_reads_stop_the_reader() {
    let (link, mut peer) = accepted(4_000).await;
    let mut flood = Vec::new();
    for id in 1..=10_000 {
        let part = CallPart {
            call_id: 42,
            remaining_ms: 0,
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
        frame::write_call(&mut flood, id, &call);
    }
    let (mut reader, mut writer) = split(peer.stream);
    let sender = tokio::spawn(async move { writer.write_all(&flood).await });
    for id in 1..=10_000 {
        let refusal = loop {
            if let Some(frame) = peer.inbound.next_frame().unwrap() {
                break frame;
            }
            // Time passes only when everybody waits for us to read.
            tokio::time::advance(Duration::from_millis(1)).await;
            let (control, unsent) = {
                let state = link.lock();
                (state.queued_control, state.out.unsent())
            };
            assert!(control <= 100 && unsent < 100 * 100, "{control}, {unsent}");
            reader.read_buf(peer.inbound.buffer()).await.unwrap();
        };
        assert_eq!((refusal.kind, refusal.request_id), (Kind::Fail, id));
    }
    sender.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_client_pings_only_while_calls_are_on_their_way_and_gives_up_without_an_answer() {
    let (link, mut peer) = connected(1_000, 8).await;
    let silence = timeout(Duration::from_secs(600), peer.next()).await;
    assert!(silence.is_err(), "{silence:?} although nothing is asked");
    let started = Instant::now();
    let mut ticket = begin(&link, 10, None);
    assert_eq!(peer.next().await.unwrap().kind, Kind::Call);
    for seconds in [15, 30] {
        let ping = peer.next().await.unwrap();
        assert_eq!(
            (ping.kind, started.elapsed().as_secs()),
            (Kind::Ping, seconds)
        );
        peer.send(|out| frame::write_ping(out, Kind::Pong, 0)).await;
    }
    assert_eq!(peer.next().await.unwrap().kind, Kind::Ping);
    assert!(peer.next().await.is_none());
    assert_eq!(started.elapsed().as_secs(), 50);
    let error = failure(&mut ticket).await;
    assert_eq!(
        error.to_string(),
        "unavailable: the connection to test://peer was lost: it does not answer PING (execution unknown)"
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_pings_in_silence_and_gives_up_without_an_answer() {
    let (link, mut peer) = accepted(1_000).await;
    let started = Instant::now();
    assert_eq!(peer.next().await.unwrap().kind, Kind::Ping);
    assert_eq!(started.elapsed().as_secs(), 60);
    assert!(peer.next().await.is_none());
    assert_eq!(started.elapsed().as_secs(), 80);
    assert!(!link.is_open());
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_calls_is_closed_after_five_minutes() {
    let (_link, mut peer) = accepted(1_000).await;
    let started = Instant::now();
    let last = loop {
        let frame = peer.next().await.unwrap();
        if frame.kind != Kind::Ping {
            break frame;
        }
        peer.send(|out| frame::write_ping(out, Kind::Pong, 0)).await;
    };
    assert_eq!(last.go_away_part().reason, GoAwayReason::Idle);
    assert_eq!(started.elapsed().as_secs(), 300);
    assert!(peer.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_or_sends_half_a_frame_is_given_up() {
    let (link, mut peer) = connected(1_000, 8).await;
    let started = Instant::now();
    // The peer is heard, so that PING has no reason; it only does not read.
    let mut ticket = begin(&link, 5_000, None);
    let alive = async {
        loop {
            tokio::time::sleep(Duration::from_secs(10)).await;
            peer.send(|out| frame::write_ping(out, Kind::Pong, 0)).await;
        }
    };
    let error = tokio::select! {
        error = failure(&mut ticket) => error,
        () = alive => unreachable!(),
    };
    assert_eq!(started.elapsed().as_secs(), 30);
    assert_eq!(error.execution(), Execution::NotStarted);
    assert!(
        error
            .to_string()
            .contains("took less than 65536 bytes of our output within 30s"),
        "{error}"
    );

    let (_link, mut peer) = accepted(1_000).await;
    let started = Instant::now();
    peer.send(|out| out.extend_from_slice(&[50, 0, 0, 0, 2]))
        .await;
    let last = peer.next().await.unwrap();
    assert_eq!(last.go_away_part().reason, GoAwayReason::Limit);
    assert_eq!(started.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_a_few_bytes_now_and_then_is_given_up_like_one_that_takes_none() {
    let (link, mut peer) = connected(1_000, 8).await;
    let started = Instant::now();
    let mut ticket = begin(&link, 900_000, None);
    let trickle = async {
        for _ in 0..100 {
            tokio::time::sleep(Duration::from_secs(5)).await;
            if peer.stream.read(&mut [0; 100]).await.unwrap() == 0 {
                return;
            }
            peer.send(|out| frame::write_ping(out, Kind::Pong, 0)).await;
        }
    };
    let error = tokio::select! {
        error = failure(&mut ticket) => error,
        () = trickle => panic!("it goes on"),
    };
    assert_eq!(started.elapsed().as_secs(), 30);
    assert_eq!(error.execution(), Execution::NotStarted);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_its_output_slowly_is_waited_for() {
    let (link, mut peer) = connected(10_000, 8).await;
    let mut ticket = begin(&link, 900_000, None);
    let slowly = async {
        // Some 3 KB a second.
        let mut left = 900_000;
        while left > 0 {
            tokio::time::sleep(Duration::from_secs(3)).await;
            let mut some = vec![0; 10_000];
            left -= peer.stream.read(&mut some).await.unwrap().min(left);
            peer.send(|out| frame::write_ping(out, Kind::Pong, 0)).await;
        }
    };
    tokio::select! {
        error = failure(&mut ticket) => panic!("{error}"),
        () = slowly => {}
    }
}

/// A server's view of a body that never ends, in pieces of `size` bytes, one in five seconds: how long it is waited for.
async fn patience_with_pieces_of(size: usize) -> Option<Duration> {
    let (link, mut peer) = accepted(1 << 20).await;
    {
        let mut state = link.lock();
        let now = Instant::now();
        let front = Frame {
            kind: Kind::Call,
            flags: frame::flag::MORE,
            request_id: 1,
            fixed: frame::Fixed::default(),
            metadata: bytes::Bytes::new(),
            body: bytes::Bytes::new(),
        };
        let key = (crate::wire::streams::Side::Theirs, 1);
        state.pieces.begin(key, front, true, now);
    }
    link.wake_keeper.notify_one();
    let started = Instant::now();
    for _ in 0..40 {
        tokio::time::sleep(Duration::from_secs(5)).await;
        if !link.is_open() {
            let last = peer.rest().await.pop().unwrap();
            assert_eq!(last.go_away_part().reason, GoAwayReason::Limit);
            return Some(started.elapsed());
        }
        let piece = vec![0; size];
        peer.send(|out| frame::write_data(out, frame::flag::MORE, 1, &piece))
            .await;
    }
    None
}

#[tokio::test(start_paused = true)]
async fn a_body_that_trickles_in_is_not_waited_for_and_a_slow_one_is() {
    // 1,000 bytes a second are too few, 4,000 are enough.
    for size in [1, 5_000] {
        let patience = patience_with_pieces_of(size).await.expect("it is given up");
        assert!((30..=35).contains(&patience.as_secs()), "{patience:?}");
    }
    assert_eq!(patience_with_pieces_of(20_000).await, None);
}

#[tokio::test(start_paused = true)]
async fn what_a_refused_peer_still_sends_is_taken_and_dropped() {
    let (_link, mut peer) = accepted(4_000).await;
    peer.send(|out| out.extend_from_slice(&[8, 0, 0, 0, 99, 0, 0, 0, 0, 0, 0, 0]))
        .await;
    // A peer that is in the middle of a large frame reads nothing before it has written that.
    let more = peer.stream.write_all(&[0; 100_000]);
    timeout(Duration::from_millis(500), more)
        .await
        .unwrap()
        .unwrap();
    let last = peer.next().await.unwrap();
    assert_eq!(last.go_away_part().reason, GoAwayReason::Protocol);
    assert!(peer.next().await.is_none());
}

#[tokio::test]
async fn a_token_of_a_call_is_not_sent_where_others_could_read_it() {
    let (link, mut peer) = connected(1_000, 8).await;
    let call = |metadata| CallFrame {
        part: CallPart {
            call_id: 1,
            remaining_ms: 0,
        },
        flags: 0,
        metadata,
        params: &[0x90],
        large: None,
        lent: &[],
        target: None,
    };
    let with_token = b"\x82\xa1a\xa1b\xadauthorization\xa6s3cret";
    let Err(NotBegun::Refused(error)) = link.begin(&call(with_token), None, true) else {
        panic!("it was sent");
    };
    assert!(
        error.to_string().contains("the token is not sent"),
        "{error}"
    );
    // The key's letters in a value are no token.
    let without = b"\x81\xa1a\xadauthorization";
    link.send_one_way(&call(without), false).unwrap();
    link.close(Error::unavailable("a test"));
    assert_eq!(calls(&peer.rest().await), [1]);
}

#[tokio::test(start_paused = true)]
#[expect(
    clippy::await_holding_lock,
    reason = "the keeper has to come by while the writer is held"
)]
async fn a_keeper_that_found_the_writer_held_comes_again() {
    let (link, mut peer) = connected(256, 4).await;
    // The caller writes what the peer takes, and leaves the rest to the keeper.
    let _call = begin(&link, 2_000, None);
    let held = link.writer.lock().unwrap();
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    drop(held);
    // Whoever held it did so to look whether there is something for it to do.
    link.flush();
    let call = timeout(Duration::from_secs(1), peer.next()).await;
    assert_eq!(call.unwrap().unwrap().kind, Kind::Call);
}

/// A writer that counts how often it is written to.
struct Counted<W>(W, Arc<std::sync::atomic::AtomicUsize>);

impl<W: tokio::io::AsyncWrite + Unpin> tokio::io::AsyncWrite for Counted<W> {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        std::pin::Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[tokio::test(start_paused = true)]
async fn callers_that_one_read_answers_share_one_write() {
    let (here, there) = duplex(1 << 16);
    let (reader, writer) = split(here);
    let writes = Arc::default();
    let writer = Counted(writer, Arc::clone(&writes));
    let io = Io::new(reader, writer, "test://peer".to_owned());
    let hello = Hello {
        max_frame: 1 << 20,
        max_inflight: 100,
        ..Hello::default()
    };
    let terms = Terms::new(Limits::default());
    let (link, mut peer) = over(io, there, hello, terms, None).await;

    const CALLERS: u32 = 8;
    const ROUNDS: u32 = 5;
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let link = link.clone();
            tokio::spawn(async move {
                // One leaves earlier than the others, which must not wait for it.
                for _ in 0..ROUNDS - u32::from(caller == 3) {
                    let answer = begin(&link, 10, None).answer().await;
                    assert!(matches!(answer, Answer::Result(_)));
                }
            })
        })
        .collect();
    let before = writes.load(Ordering::Relaxed);
    for round in 0..ROUNDS {
        let count = CALLERS - u32::from(round == ROUNDS - 1);
        let mut ids = Vec::new();
        for _ in 0..count {
            ids.push(peer.next().await.unwrap().request_id);
        }
        peer.send(|out| {
            for id in ids {
                let start = frame::begin_reply(out, id);
                out.push(0xc0);
                frame::end_reply(out, start);
            }
        })
        .await;
    }
    for caller in callers {
        caller.await.unwrap();
    }
    // The first caller of all was alone for a moment.
    let after = writes.load(Ordering::Relaxed) - before;
    assert!(after <= ROUNDS as usize + 1, "{after} writes");
}
