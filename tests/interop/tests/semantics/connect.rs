//! Connect's cases that add something, under their names.

use std::sync::atomic::Ordering;
use std::time::Duration;

use interop::testing::v1::{
    SimpleRequest, StreamingOutputRequest, TestServiceBlockingClient, TestServiceClient,
    TestServiceServer,
};
use rpc_runtime::{
    BlockingChannel, CallError, Channel, ErrorKind, Execution, Limits, Status, stream,
};

use crate::grpc::{sleeping_request, status, wants};
use crate::service::Desk;
use crate::stage::{Stage, Transport, on_every_transport};

on_every_transport!(
    error_with_responses,
    error_no_responses,
    no_response,
    cancel_before_close_send,
    cancel_after_close_send,
    cancel_after_responses,
    all_requests_equal_to_server_limit,
    first_request_exceeds_server_limit,
    subsequent_request_exceeds_server_limit,
    response_exceeds_client_limit,
    deadline_propagation,
    full_duplex,
    half_duplex,
);

fn breaks(sizes: &[u32]) -> StreamingOutputRequest {
    StreamingOutputRequest {
        response_status: status(10, "broken off"),
        ..wants(sizes)
    }
}

fn assert_broken_off<T: std::fmt::Debug, E>(item: Option<Result<T, CallError<E>>>) {
    match item {
        Some(Err(CallError::Declared { status, .. })) => assert_eq!(status, Status::Aborted),
        Some(Err(CallError::Failed(error))) => panic!("{error}"),
        other => panic!("no error: {:?}", other.map(Result::ok)),
    }
}

async fn error_with_responses(transport: Transport) {
    let stage = Stage::new(transport).await;
    let client = stage.client().await;
    // More of them than the reader's window holds, so that the error waits behind items that wait for credit.
    let sizes = [60_000; 12];
    let mut down = client.streaming_output_call(&breaks(&sizes)).start();
    let requests = stream::iter([wants(&sizes[..6]), breaks(&sizes[6..])]);
    let mut half = client.half_duplex_call(requests).start();
    let requests = stream::iter([wants(&sizes[..6]), breaks(&sizes[6..])]);
    let mut full = client.full_duplex_call(requests).start();
    for payloads in [&mut down, &mut half, &mut full] {
        for size in sizes {
            let payload = payloads.next().await.unwrap().unwrap();
            assert_eq!(payload.len(), size as usize);
        }
        assert_broken_off(payloads.next().await);
        assert!(payloads.next().await.is_none());
    }
}

async fn error_no_responses(transport: Transport) {
    let stage = Stage::new(transport).await;
    let client = stage.client().await;
    let request = SimpleRequest {
        response_status: status(10, "broken off"),
        ..SimpleRequest::default()
    };
    assert_broken_off(Some(client.unary_call(&request).await));
    let requests = || stream::iter([breaks(&[])]);
    for mut payloads in [
        client.streaming_output_call(&breaks(&[])).start(),
        client.half_duplex_call(requests()).start(),
        client.full_duplex_call(requests()).start(),
    ] {
        assert_broken_off(payloads.next().await);
        assert!(payloads.next().await.is_none());
    }
}

async fn no_response(transport: Transport) {
    let stage = Stage::new(transport).await;
    let client = stage.client().await;
    let requests = || stream::iter([wants(&[]), wants(&[])]);
    for mut payloads in [
        client.streaming_output_call(&wants(&[])).start(),
        client.half_duplex_call(requests()).start(),
        client.full_duplex_call(requests()).start(),
    ] {
        assert!(payloads.next().await.is_none());
    }
    let none = stream::iter([]);
    assert_eq!(client.streaming_input_call(none).await.unwrap(), 0);
    stage.seen.idle().await;
}

async fn cancel_before_close_send(transport: Transport) {
    let stage = Stage::new(transport).await;
    let client = stage.client().await;
    let (say_up, up) = stream::pipe(1);
    let upload = client.streaming_input_call(up).start();
    let (say_half, half) = stream::pipe(1);
    let half_duplex = client.half_duplex_call(half).start();
    say_up.send(vec![0; 10]).await.unwrap();
    say_half.send(wants(&[10])).await.unwrap();
    stage.seen.begun(2).await;
    drop((upload, half_duplex));
    say_up.closed().await;
    say_half.closed().await;
    stage.seen.idle().await;
    client.empty_call().await.unwrap();
}

async fn cancel_after_close_send(transport: Transport) {
    let stage = Stage::new(transport).await;
    let client = stage.client().await;
    let unary = client.unary_call(&sleeping_request()).start();
    let sleeps = StreamingOutputRequest {
        sleeps: true,
        ..wants(&[])
    };
    let down = client.streaming_output_call(&sleeps).start();
    let requests = stream::iter([sleeps.clone()]);
    let full = client.full_duplex_call(requests).start();
    stage.seen.begun(3).await;
    drop((unary, down, full));
    stage.seen.idle().await;
    client.empty_call().await.unwrap();
}

async fn cancel_after_responses(transport: Transport) {
    let stage = Stage::new(transport).await;
    let client = stage.client().await;
    let request = StreamingOutputRequest {
        sleeps: true,
        ..wants(&[10, 20])
    };
    let (say, requests) = stream::pipe(1);
    say.send(request.clone()).await.unwrap();
    for mut payloads in [
        client.streaming_output_call(&request).start(),
        client.full_duplex_call(requests).start(),
    ] {
        assert_eq!(payloads.next().await.unwrap().unwrap().len(), 10);
        assert_eq!(payloads.next().await.unwrap().unwrap().len(), 20);
        drop(payloads);
    }
    say.closed().await;
    stage.seen.idle().await;
    client.empty_call().await.unwrap();
}

/// Largest message of the servers below. Bodies above 64 KiB come in pieces, and it is those that have this limit.
const LIMIT: usize = 200_000;

fn limited() -> Limits {
    Limits {
        max_message_bytes: LIMIT as u32,
        ..Limits::default()
    }
}

/// A payload that makes an item, or the parameters around it, as long as is allowed.
fn largest(around: usize) -> Vec<u8> {
    // In front of so many bytes stand `c6` and four bytes of length.
    vec![7; LIMIT - 5 - around]
}

async fn all_requests_equal_to_server_limit(transport: Transport) {
    let stage = Stage::with_limits(transport, limited()).await;
    let client = stage.client().await;
    let items = stream::iter((0..3).map(|_| largest(0)));
    let sum = client.streaming_input_call(items).await.unwrap();
    assert_eq!(sum as usize, 3 * (LIMIT - 5));
    // One parameter, which is a struct of four fields: 91 94 00 … c0 c2.
    let request = SimpleRequest {
        payload: Some(largest(5)),
        ..SimpleRequest::default()
    };
    let answer = client.unary_call(&request).await.unwrap();
    assert_eq!(answer.payload_received as usize, LIMIT - 10);
}

async fn first_request_exceeds_server_limit(transport: Transport) {
    let stage = Stage::with_limits(transport, limited()).await;
    let client = stage.client().await;
    let request = SimpleRequest {
        payload: Some(largest(4)),
        ..SimpleRequest::default()
    };
    let failure = client.unary_call(&request).await.unwrap_err();
    assert_eq!(failure.kind(), ErrorKind::ResourceExhausted, "{failure}");
    assert_eq!(failure.execution(), Execution::NotSent);
    let items = stream::iter([vec![7; LIMIT]]);
    let failure = client.streaming_input_call(items).await.unwrap_err();
    assert_eq!(too_large(&failure), "too large", "{failure}");
    client.empty_call().await.unwrap();
}

async fn subsequent_request_exceeds_server_limit(transport: Transport) {
    let stage = Stage::with_limits(transport, limited()).await;
    let client = stage.client().await;
    let items = stream::iter([vec![7; 10], largest(0), vec![7; LIMIT], vec![7; 10]]);
    let failure = client.streaming_input_call(items).await.unwrap_err();
    assert_eq!(too_large(&failure), "too large", "{failure}");
    assert_eq!(stage.seen.broken.load(Ordering::SeqCst), 1);
    stage.seen.idle().await;
    client.empty_call().await.unwrap();
}

/// A stream of which an item is missing is never taken for a whole one, whatever its writer says at the end.
async fn response_exceeds_client_limit(transport: Transport) {
    let stage = Stage::new(transport).await;
    let limits = Channel::builder().limits(limited());
    let client = TestServiceClient::new(stage.access.connect(limits).await);
    let sizes = [10, LIMIT as u32, 10];
    let mut payloads = client.streaming_output_call(&wants(&sizes)).start();
    assert_eq!(payloads.next().await.unwrap().unwrap().len(), 10);
    let failure = payloads.next().await.unwrap().unwrap_err();
    assert_eq!(failure.kind(), ErrorKind::ResourceExhausted, "{failure}");
    assert!(payloads.next().await.is_none());
    let request = SimpleRequest {
        response_size: LIMIT as u32,
        ..SimpleRequest::default()
    };
    let failure = client.unary_call(&request).await.unwrap_err();
    assert_eq!(failure.kind(), ErrorKind::ResourceExhausted, "{failure}");
    client.empty_call().await.unwrap();
    stage.seen.idle().await;

    let access = stage.access.clone();
    let blocking = tokio::task::spawn_blocking(move || {
        let channel = access.connect_blocking(BlockingChannel::builder().limits(limited()));
        let client = TestServiceBlockingClient::new(channel);
        let mut payloads = client.streaming_output_call(&wants(&sizes)).unwrap();
        assert_eq!(payloads.next().unwrap().unwrap().len(), 10);
        let failure = payloads.next().unwrap().unwrap_err();
        assert_eq!(failure.kind(), ErrorKind::ResourceExhausted, "{failure}");
        assert!(payloads.next().is_none());
        client.empty_call().unwrap();
    });
    blocking.await.unwrap();
    stage.seen.idle().await;
}

/// The handler is told why its stream breaks, and passes that on.
fn too_large(failure: &CallError<interop::testing::v1::Failure>) -> &'static str {
    let text = failure.to_string();
    if text.contains(&format!("more than {LIMIT} bytes")) {
        "too large"
    } else {
        "something else"
    }
}

async fn deadline_propagation(transport: Transport) {
    let stage = Stage::new(transport).await;
    let exports = Channel::builder().export(TestServiceServer::new(Desk::default()));
    let client = TestServiceClient::new(stage.access.connect(exports).await);
    let limit = Duration::from_secs(25);
    let answer = client.unary_call(&SimpleRequest::default());
    let told = answer.timeout(limit).await.unwrap().time_left.unwrap();
    // Over the caller's own 10 seconds and no more than its limit, whatever the clocks say.
    assert!(told <= limit && told > Duration::from_secs(1), "{told:?}");
    // What the method calls inherits what is left, although calls have ten seconds otherwise.
    let relayed = client.relay().timeout(Duration::from_secs(5)).await;
    let relayed = relayed.unwrap().unwrap();
    assert!(relayed <= Duration::from_secs(5), "{relayed:?}");
    let relayed = client.relay().no_timeout().await.unwrap().unwrap();
    assert!(relayed <= Duration::from_secs(10), "{relayed:?}");
    let endless = client.unary_call(&SimpleRequest::default()).no_timeout();
    assert_eq!(endless.await.unwrap().time_left, None);
}

async fn full_duplex(transport: Transport) {
    let stage = Stage::new(transport).await;
    let client = stage.client().await;
    let (say, requests) = stream::pipe(1);
    let mut payloads = client.full_duplex_call(requests).start();
    // Each answer comes before the next request is made.
    for size in 1..20 {
        say.send(wants(&[size, 2 * size])).await.unwrap();
        for size in [size, 2 * size] {
            let payload = payloads.next().await.unwrap().unwrap();
            assert_eq!(payload.len(), size as usize);
        }
    }
    drop(say);
    assert!(payloads.next().await.is_none());
    stage.seen.idle().await;
}

async fn half_duplex(transport: Transport) {
    let stage = Stage::new(transport).await;
    let client = stage.client().await;
    let (say, requests) = stream::pipe(1);
    let mut payloads = client.half_duplex_call(requests).start();
    for size in 1..20 {
        say.send(wants(&[size, 2 * size])).await.unwrap();
    }
    stage.seen.begun(1).await;
    drop(say);
    for size in 1..20_usize {
        for size in [size, 2 * size] {
            assert_eq!(payloads.next().await.unwrap().unwrap().len(), size);
        }
    }
    assert!(payloads.next().await.is_none());
    stage.seen.idle().await;
}
