//! gRPC's negative cases: a server that breaks off at every place, played by hand over every socket.
//!
//! A reset of one call (RST_STREAM) is FAIL here: as the first frame for the call, in the middle of a cut answer, and after
//! all of it.

use std::time::Duration;

use interop::testing::v1::{SimpleRequest, TestServiceClient};
use rpc_runtime::{CallError, ErrorKind, Execution, Status};

use crate::grpc::{LARGE_RESPONSE, large_request, wants};
use crate::hand::{
    CALLEE, DATA, FAIL, Hand, ITEM, MORE, PING, PONG, REPLY, answer, fail, go_away, listen_on,
};
use crate::stage::{Transport, on_every_socket};

on_every_socket!(
    goaway,
    rst_after_header,
    rst_during_data,
    rst_after_data,
    rst_during_a_stream,
    ping,
    max_streams,
);

/// After GOAWAY a client calls over another connection, and what was under way is answered over the old one.
async fn goaway(transport: Transport) {
    let (listener, access) = listen_on(transport).await;
    let peer = tokio::spawn(async move {
        let mut first = Hand::accept(&listener, 8).await;
        let (one, two) = (first.call().await, first.call().await);
        // The first is worked on to its end, the second was never begun.
        first.write(&go_away(one, 0)).await;
        let mut second = Hand::accept(&listener, 8).await;
        let repeated = second.call().await;
        second.send(REPLY, 0, repeated, &answer(2)).await;
        first.send(REPLY, 0, one, &answer(1)).await;
        assert!(two > one);
        let third = second.call().await;
        second.send(REPLY, 0, third, &answer(3)).await;
        let old = async { while first.next().await.is_some() {} };
        let new = async { while second.next().await.is_some() {} };
        tokio::join!(old, new);
    });
    let client = access.client().await;
    let request = SimpleRequest::default();
    let one = client.unary_call(&request).start();
    let two = client.unary_call(&request).start();
    assert_eq!(two.await.unwrap().payload.len(), 2);
    assert_eq!(one.await.unwrap().payload.len(), 1);
    let three = client.unary_call(&request).await.unwrap();
    assert_eq!(three.payload.len(), 3);
    drop(client);
    peer.await.unwrap();
}

/// Answers the first call in this way and the second one as it should be.
async fn one_bad_answer(
    transport: Transport,
    bad: impl AsyncFnOnce(&mut Hand, u32) + Send + 'static,
) -> (
    TestServiceClient,
    Result<usize, CallError<interop::testing::v1::Failure>>,
) {
    let (ready, is_ready) = tokio::sync::oneshot::channel();
    let local = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (listener, access) = listen_on(transport).await;
            assert!(ready.send(access).is_ok());
            let mut hand = Hand::accept(&listener, 8).await;
            let id = hand.call().await;
            bad(&mut hand, id).await;
            let id = hand.call().await;
            hand.send(REPLY, 0, id, &answer(7)).await;
            while hand.next().await.is_some() {}
        });
    });
    let client = is_ready.await.unwrap().client().await;
    let outcome = client.unary_call(&large_request()).await;
    let next = client.unary_call(&SimpleRequest::default()).await;
    assert_eq!(next.unwrap().payload.len(), 7, "the connection goes on");
    drop(local);
    (client, outcome.map(|answer| answer.payload.len()))
}

async fn rst_after_header(transport: Transport) {
    let (_, outcome) = one_bad_answer(transport, async |hand: &mut Hand, id| {
        hand.send(FAIL, 0, id, &fail(13, 3, "reset")).await;
    })
    .await;
    let failure = outcome.unwrap_err();
    assert_eq!(failure.status(), Status::Internal, "{failure}");
    assert_eq!(failure.execution(), Execution::Executed);
}

async fn rst_during_data(transport: Transport) {
    let (_, outcome) = one_bad_answer(transport, async |hand: &mut Hand, id| {
        let body = answer(LARGE_RESPONSE as usize);
        hand.send(REPLY, MORE, id, &[]).await;
        hand.send(DATA, CALLEE | MORE, id, &body[..60_000]).await;
        hand.send(FAIL, 0, id, &fail(13, 3, "reset")).await;
    })
    .await;
    let failure = outcome.unwrap_err();
    assert_eq!(failure.status(), Status::Internal, "{failure}");
}

async fn rst_after_data(transport: Transport) {
    let (_, outcome) = one_bad_answer(transport, async |hand: &mut Hand, id| {
        let body = answer(LARGE_RESPONSE as usize);
        let middle = body.len() / 2;
        hand.send(REPLY, MORE, id, &[]).await;
        hand.send(DATA, CALLEE | MORE, id, &body[..middle]).await;
        hand.send(DATA, CALLEE, id, &body[middle..]).await;
        // The call is over, and what is said of it afterwards is late.
        hand.send(FAIL, 0, id, &fail(13, 3, "reset")).await;
    })
    .await;
    assert_eq!(outcome.unwrap(), LARGE_RESPONSE as usize);
}

/// A connection that ends in the middle of a stream is an error of the stream, not its end.
async fn rst_during_a_stream(transport: Transport) {
    let (listener, access) = listen_on(transport).await;
    let peer = tokio::spawn(async move {
        let mut hand = Hand::accept(&listener, 8).await;
        let id = hand.call().await;
        hand.send(ITEM, CALLEE, id, &[0xc4, 1, 9]).await;
        hand.send(FAIL, 0, id, &fail(13, 3, "reset")).await;
        let id = hand.call().await;
        hand.send(ITEM, CALLEE, id, &[0xc4, 1, 9]).await;
    });
    let client = access.client().await;
    for kind in [ErrorKind::Internal, ErrorKind::Unavailable] {
        let mut payloads = client.streaming_output_call(&wants(&[])).start();
        assert_eq!(payloads.next().await.unwrap().unwrap(), [9]);
        let failure = payloads.next().await.unwrap().unwrap_err();
        assert_eq!(failure.kind(), kind, "{failure}");
        assert!(payloads.next().await.is_none());
    }
    peer.await.unwrap();
}

/// PINGs before, in the middle of, and after an answer are answered, and disturb nothing.
async fn ping(transport: Transport) {
    let (listener, access) = listen_on(transport).await;
    let peer = tokio::spawn(async move {
        let mut hand = Hand::accept(&listener, 8).await;
        let id = hand.call().await;
        let body = answer(10);
        // No more than two that come sooner than was announced.
        hand.send(PING, 0, 0, &1_u64.to_le_bytes()).await;
        hand.send(REPLY, MORE, id, &[]).await;
        hand.send(PING, 0, 0, &2_u64.to_le_bytes()).await;
        hand.send(DATA, CALLEE, id, &body).await;
        hand.send(PING, 0, 0, &3_u64.to_le_bytes()).await;
        // The next call may come before the last answer: it follows upon the body, and not upon the PING behind that.
        let (mut pongs, mut next) = (Vec::new(), None);
        while pongs.len() < 3 || next.is_none() {
            let frame = hand.next().await.unwrap();
            match frame.kind {
                PONG => pongs.push(frame.rest),
                _ => next = Some(frame.id),
            }
        }
        assert_eq!(
            pongs,
            [1_u64, 2, 3].map(|token| token.to_le_bytes().to_vec())
        );
        hand.send(REPLY, 0, next.unwrap(), &answer(11)).await;
        while hand.next().await.is_some() {}
    });
    let client = access.client().await;
    for length in [10, 11] {
        let answer = client.unary_call(&SimpleRequest::default()).await.unwrap();
        assert_eq!(answer.payload.len(), length);
    }
    drop(client);
    peer.await.unwrap();
}

/// A server that works on one call at once gets one at once, and the others wait for their turn.
async fn max_streams(transport: Transport) {
    let (listener, access) = listen_on(transport).await;
    let peer = tokio::spawn(async move {
        let mut hand = Hand::accept(&listener, 1).await;
        for turn in 0..10 {
            let id = hand.call().await;
            // No other call is on its way: whatever was sent is here when the answer to a PING is.
            hand.write(&crate::hand::frame(200, 0, 0, b"padding")).await;
            let quiet = tokio::time::timeout(Duration::from_millis(20), hand.next()).await;
            assert!(quiet.is_err(), "another call: {quiet:?}");
            hand.send(REPLY, 0, id, &answer(turn)).await;
        }
        while hand.next().await.is_some() {}
    });
    let client = access.client().await;
    let request = SimpleRequest::default();
    let calls: Vec<_> = (0..10)
        .map(|_| client.unary_call(&request).start())
        .collect();
    let mut lengths = Vec::new();
    for call in calls {
        lengths.push(call.await.unwrap().payload.len());
    }
    lengths.sort_unstable();
    assert_eq!(lengths, (0..10).collect::<Vec<_>>());
    drop(client);
    peer.await.unwrap();
}
