//! A link that one of the two sides leaves: what may begin, what is waited for, what never goes out.

use super::*;
use crate::server::router::Router;
use crate::status::Status;
use crate::wire::streams::Side;

fn part(is_final: bool) -> GoAwayPart {
    GoAwayPart {
        last_id: 1_000,
        reason: GoAwayReason::Shutdown,
        is_final,
        reconnect_ms: 0,
    }
}

fn try_begin(link: &Arc<Link>, target: Option<u64>, bound: bool) -> Result<Ticket, NotBegun> {
    let part = CallPart {
        call_id: 1,
        remaining_ms: 0,
    };
    let call = CallFrame {
        part,
        flags: 0,
        metadata: &[],
        params: &[0xc0],
        large: None,
        lent: &[],
        target,
    };
    match bound {
        true => {
            let begin = Begin {
                flush: true,
                bound: true,
                ..Begin::default()
            };
            link.clone().begin_as(&call, begin)
        }
        false => link.begin(&call, None, true),
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_not_written_out_does_not_go_out_with_the_last_bytes() {
    let (link, mut peer) = connected(1 << 16, 8).await;
    let call = |flush| {
        let part = CallPart {
            call_id: 1,
            remaining_ms: 0,
        };
        let call = CallFrame {
            part,
            flags: 0,
            metadata: &[],
            params: &[0xc0],
            large: None,
            lent: &[],
            target: None,
        };
        link.begin(&call, None, flush).unwrap()
    };
    let mut written = call(true);
    let mut waiting = [call(false), call(false)];
    link.close(Error::unavailable("closed here").with_execution(Execution::Unknown));
    assert_eq!(execution(&mut written).await, Execution::Unknown);
    for ticket in &mut waiting {
        assert_eq!(execution(ticket).await, Execution::NotSent);
    }
    assert_eq!(
        calls(&peer.rest().await),
        [1],
        "what is told to be not sent must never arrive: it is made again elsewhere"
    );
}

#[tokio::test(start_paused = true)]
async fn calls_that_belong_to_a_connection_begin_until_its_peer_has_drawn_the_line() {
    let (link, mut peer) = connected(1 << 16, 8).await;
    peer.send(|out| frame::write_go_away(out, &part(false), "going"))
        .await;
    peer.settle().await;
    let gone = |begun| matches!(begun, Err(NotBegun::Gone));
    assert!(gone(try_begin(&link, None, false)), "elsewhere");
    let object = try_begin(&link, Some(7), false).expect("the object is here");
    let nested = try_begin(&link, None, true).expect("its call is here");
    peer.send(|out| frame::write_go_away(out, &part(true), "gone"))
        .await;
    while peer.next().await.unwrap().kind == Kind::Call && link.takes_bound() {}
    peer.settle().await;
    assert!(gone(try_begin(&link, Some(7), false)));
    assert!(gone(try_begin(&link, None, true)));
    drop((object, nested));
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_room_looks_elsewhere_as_soon_as_the_peer_goes() {
    let (link, mut peer) = connected(1 << 16, 1).await;
    let _only = begin(&link, 1, None);
    let mut bound = Box::pin(link.room(true));
    let elsewhere = link.room(false);
    let going = async {
        tokio::task::yield_now().await;
        peer.send(|out| frame::write_go_away(out, &part(false), "going"))
            .await;
    };
    let waited = timeout(Duration::from_secs(1), async {
        tokio::join!(elsewhere, going)
    });
    waited.await.expect("not until there is room here");
    let second = timeout(Duration::from_secs(1), bound.as_mut()).await;
    assert!(second.is_err(), "who can go nowhere else waits on");
}

#[tokio::test(start_paused = true)]
async fn a_call_between_its_admission_and_its_handler_is_waited_for() {
    let (link, mut peer) = connected(1 << 16, 8).await;
    {
        // Compressed parameters are unpacked outside of the lock.
        let mut state = link.lock();
        link.admit_id(&mut state, 1).unwrap();
        state.admitting = true;
    }
    link.drain(GoAwayReason::Shutdown, "going", Duration::ZERO);
    assert_eq!(peer.next().await.unwrap().go_away_part().last_id, 1);
    let early = timeout(Duration::from_secs(5), link.idle()).await;
    assert!(early.is_err(), "it is below the line, so it is served");
    link.refuse_call(1, true, Status::Unavailable, "nobody is told");
    timeout(Duration::from_secs(5), link.idle()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_connection_on_which_a_body_arrives_is_not_idle() {
    let (here, there) = duplex(1 << 16);
    let io = |stream| {
        let (reader, writer) = split(stream);
        Io::new(reader, writer, "test://peer".to_owned())
    };
    let terms = Terms::new(Limits::default());
    let router = Arc::new(Router::default());
    let (server, client) = tokio::join!(
        accept(io(here), terms.clone(), router),
        connect(io(there), terms, None, None)
    );
    let (server, _client) = (server.unwrap(), client.unwrap());
    let mut sent = Vec::new();
    let call = CallFrame {
        part: CallPart {
            call_id: 1,
            remaining_ms: 0,
        },
        flags: 0,
        metadata: &[],
        params: &[],
        large: None,
        lent: &[],
        target: None,
    };
    frame::write_hello(&mut sent, &Hello::default().encode());
    frame::write_call(&mut sent, 1, &call);
    let mut inbound = Inbound::client(&Limits::default());
    inbound.buffer().extend_from_slice(&sent);
    assert_eq!(inbound.next_frame().unwrap().unwrap().kind, Kind::Hello);
    let front = inbound.next_frame().unwrap().unwrap();
    let mut state = server.lock();
    assert!(server.idle_due(&state).is_some());
    let now = Instant::now();
    state.pieces.begin((Side::Theirs, 1), front, true, now);
    assert_eq!(server.idle_due(&state), None);
}

#[tokio::test(start_paused = true)]
async fn a_link_that_has_a_successor_stays_for_the_objects_of_its_peer() {
    let (link, _peer) = connected(1 << 16, 8).await;
    link.borrowed();
    link.borrowed();
    link.replaced();
    link.let_go();
    let early = timeout(Duration::from_secs(60), link.closed()).await;
    assert!(early.is_err(), "one is held");
    link.let_go();
    timeout(Duration::from_secs(1), link.closed())
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn nobody_is_kept_away_for_days_by_the_word_of_a_peer() {
    let (link, mut peer) = connected(1 << 16, 8).await;
    let part = GoAwayPart {
        reconnect_ms: u32::MAX,
        ..part(true)
    };
    peer.send(|out| frame::write_go_away(out, &part, "see you in 49 days"))
        .await;
    peer.settle().await;
    let wait = link.reconnect_due().unwrap() - Instant::now();
    assert!(wait <= Duration::from_secs(60), "{wait:?}");
}
