//! gRPC's cases, by the asynchronous client.

use std::time::Duration;

use interop::testing::v1::{
    EchoStatus, SimpleRequest, StreamingOutputRequest, TestServiceClient,
    UnimplementedServiceClient,
};
use rpc_runtime::{
    CallError, CallOptions, Channel, ErrorKind, Execution, Limits, Rule, Status, Token, Tokens,
    stream,
};

use crate::service::failure;
use crate::stage::{LONG, Stage, Transport, on_every_transport};

/// Sizes of gRPC's cases.
pub const LARGE_REQUEST: usize = 271_828;
pub const LARGE_RESPONSE: u32 = 314_159;
pub const REQUESTS: [usize; 4] = [27_182, 8, 1_828, 45_904];
pub const RESPONSES: [u32; 4] = [31_415, 9, 2_653, 58_979];

pub const MESSAGE: &str = "test status message";
pub const SPECIAL_MESSAGE: &str =
    "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";

on_every_transport!(
    empty_unary,
    large_unary,
    client_streaming,
    server_streaming,
    ping_pong,
    empty_stream,
    timeout_on_sleeping_server,
    cancel_after_begin,
    cancel_after_first_response,
    status_code_and_message,
    special_status_message,
    custom_metadata,
    unimplemented_method,
    unimplemented_service,
    per_rpc_creds,
    pick_first_unary,
    rpc_soak,
    channel_soak,
);

pub fn large_request() -> SimpleRequest {
    SimpleRequest {
        response_size: LARGE_RESPONSE,
        payload: Some(vec![0; LARGE_REQUEST]),
        ..SimpleRequest::default()
    }
}

pub fn sleeping_request() -> SimpleRequest {
    SimpleRequest {
        sleeps: true,
        ..SimpleRequest::default()
    }
}

pub fn wants(sizes: &[u32]) -> StreamingOutputRequest {
    StreamingOutputRequest {
        sizes: sizes.to_vec(),
        ..StreamingOutputRequest::default()
    }
}

pub fn status(code: u8, message: &str) -> Option<EchoStatus> {
    let message = message.to_owned();
    Some(EchoStatus { code, message })
}

async fn empty_unary(transport: Transport) {
    let stage = Stage::new(transport).await;
    stage.client().await.empty_call().await.unwrap();
}

async fn large_unary(transport: Transport) {
    let stage = Stage::new(transport).await;
    let answer = stage.client().await.unary_call(&large_request()).await;
    let answer = answer.unwrap();
    assert_eq!(answer.payload, vec![0; LARGE_RESPONSE as usize]);
    assert_eq!(answer.payload_received as usize, LARGE_REQUEST);
}

async fn client_streaming(transport: Transport) {
    let stage = Stage::new(transport).await;
    let payloads = stream::iter(REQUESTS.map(|size| vec![0; size]));
    let sum = stage.client().await.streaming_input_call(payloads).await;
    assert_eq!(sum.unwrap(), 74_922);
}

async fn server_streaming(transport: Transport) {
    let stage = Stage::new(transport).await;
    let client = stage.client().await;
    let mut payloads = client.streaming_output_call(&wants(&RESPONSES)).start();
    for size in RESPONSES {
        let payload = payloads.next().await.unwrap().unwrap();
        assert_eq!(payload, vec![0; size as usize]);
    }
    assert!(payloads.next().await.is_none());
}

async fn ping_pong(transport: Transport) {
    let stage = Stage::new(transport).await;
    let (say, requests) = stream::pipe(1);
    let mut payloads = stage.client().await.full_duplex_call(requests).start();
    for (request, response) in REQUESTS.into_iter().zip(RESPONSES) {
        let ping = StreamingOutputRequest {
            payload: Some(vec![0; request]),
            ..wants(&[response])
        };
        say.send(ping).await.unwrap();
        let payload = payloads.next().await.unwrap().unwrap();
        assert_eq!(payload, vec![0; response as usize]);
    }
    drop(say);
    assert!(payloads.next().await.is_none());
}

async fn empty_stream(transport: Transport) {
    let stage = Stage::new(transport).await;
    let client = stage.client().await;
    let mut payloads = client.full_duplex_call(stream::iter([])).start();
    assert!(payloads.next().await.is_none());
}

async fn timeout_on_sleeping_server(transport: Transport) {
    let stage = Stage::new(transport).await;
    let client = stage.client().await;
    let (say, requests) = stream::pipe(1);
    let call = client
        .full_duplex_call(requests)
        .timeout(Duration::from_millis(50));
    let mut payloads = call.start();
    let sleeps = StreamingOutputRequest {
        sleeps: true,
        ..wants(&[1])
    };
    // On a busy machine the time may be up before the request is taken.
    let _ = say.send(sleeps).await;
    let failure = loop {
        match payloads.next().await {
            Some(Ok(_)) => {}
            Some(Err(failure)) => break failure,
            None => panic!("the stream of a server that sleeps has no end"),
        }
    };
    assert_eq!(failure.kind(), ErrorKind::DeadlineExceeded, "{failure}");
    assert!(payloads.next().await.is_none());

    let call = client.unary_call(&sleeping_request());
    let failure = call.timeout(Duration::from_millis(50)).await.unwrap_err();
    assert_eq!(failure.status(), Status::DeadlineExceeded, "{failure}");
    stage.seen.idle().await;
}

async fn cancel_after_begin(transport: Transport) {
    let stage = Stage::new(transport).await;
    let client = stage.client().await;
    let (say, payloads) = stream::pipe::<Vec<u8>>(1);
    let call = client.streaming_input_call(payloads).start();
    stage.seen.begun(1).await;
    drop(call);
    // The handler goes, and the caller's stream is dropped.
    stage.seen.idle().await;
    say.closed().await;
    client.empty_call().await.unwrap();
}

async fn cancel_after_first_response(transport: Transport) {
    let stage = Stage::new(transport).await;
    let client = stage.client().await;
    let (say, requests) = stream::pipe(1);
    let mut payloads = client.full_duplex_call(requests).start();
    say.send(wants(&[31_415])).await.unwrap();
    assert_eq!(payloads.next().await.unwrap().unwrap().len(), 31_415);
    drop(payloads);
    say.closed().await;
    stage.seen.idle().await;
    client.empty_call().await.unwrap();
}

async fn fails_with(client: &TestServiceClient, code: u8, message: &str) {
    let expected = failure(status(code, message).unwrap());
    let request = SimpleRequest {
        response_status: status(code, message),
        ..SimpleRequest::default()
    };
    let by_answer = client.unary_call(&request).await.unwrap_err();
    let (say, requests) = stream::pipe(1);
    let mut payloads = client.full_duplex_call(requests).start();
    let request = StreamingOutputRequest {
        response_status: status(code, message),
        ..wants(&[])
    };
    say.send(request).await.unwrap();
    let by_stream = payloads.next().await.unwrap().unwrap_err();
    for failed in [by_answer, by_stream] {
        assert_eq!(failed.execution(), Execution::Executed);
        let CallError::Declared { error, status, .. } = failed else {
            panic!("{failed}");
        };
        assert_eq!((error, status.code()), (expected.clone(), code));
    }
    // What the method still reads of a call that is over ends.
    say.closed().await;
}

async fn status_code_and_message(transport: Transport) {
    let stage = Stage::new(transport).await;
    let client = stage.client().await;
    fails_with(&client, 2, MESSAGE).await;
    for status in Status::ALL {
        fails_with(&client, status.code(), status.name()).await;
    }
    stage.seen.idle().await;
}

async fn special_status_message(transport: Transport) {
    let stage = Stage::new(transport).await;
    fails_with(&stage.client().await, 2, SPECIAL_MESSAGE).await;
}

async fn custom_metadata(transport: Transport) {
    let stage = Stage::new(transport).await;
    let client = stage.client().await;
    let request = SimpleRequest::default();
    let call = client
        .unary_call(&request)
        .metadata("x-grpc-test-echo-initial", "test_initial_metadata_value")
        .metadata("x-grpc-test-echo-trailing-bin", "q6ur ☺")
        .metadata("twice", "first")
        .metadata("twice", "second");
    let answer = call.await.unwrap();
    let pairs: Vec<(&str, &str)> = answer
        .metadata
        .iter()
        .map(|entry| (&*entry.key, &*entry.value))
        .collect();
    let sent = [
        ("x-grpc-test-echo-initial", "test_initial_metadata_value"),
        ("x-grpc-test-echo-trailing-bin", "q6ur ☺"),
        ("twice", "first"),
        ("twice", "second"),
    ];
    assert_eq!(pairs, sent);
    // The next call has none of it.
    let answer = client.unary_call(&request).await.unwrap();
    assert_eq!(answer.metadata, []);
    for key in ["", "Upper", "ä", "a b", &"k".repeat(65)] {
        let refused = client.unary_call(&request).metadata(key, "v").await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidArgument, "{refused}");
        assert_eq!(refused.execution(), Execution::NotSent);
    }
}

/// What a newer client believes that the service can do.
pub mod newer {
    use rpc_runtime::rpc_service;

    #[expect(dead_code, reason = "nobody implements it")]
    #[rpc_service(package = "testing.v1")]
    pub trait TestService {
        async fn unimplemented_call(&self);
    }
}

async fn unimplemented_method(transport: Transport) {
    let stage = Stage::new(transport).await;
    let channel = stage.channel().await;
    let failure = newer::TestServiceClient::new(channel.clone())
        .unimplemented_call()
        .await
        .unwrap_err();
    assert_eq!(failure.status(), Status::Unimplemented, "{failure}");
    assert_eq!(failure.execution(), Execution::NotStarted);
    TestServiceClient::new(channel).empty_call().await.unwrap();
}

async fn unimplemented_service(transport: Transport) {
    let stage = Stage::new(transport).await;
    let channel = stage.channel().await;
    let failure = UnimplementedServiceClient::new(channel.clone())
        .unimplemented_call()
        .await
        .unwrap_err();
    assert_eq!(failure.status(), Status::Unimplemented, "{failure}");
    assert_eq!(failure.execution(), Execution::NotStarted);
    assert!(failure.to_string().contains("testing.v1.TestService"));
    TestServiceClient::new(channel).empty_call().await.unwrap();
}

pub fn token(text: &str) -> Token {
    Token::new(text).unwrap()
}

async fn per_rpc_creds(transport: Transport) {
    let stage = Stage::with(transport, |server| {
        let tokens = Tokens::new()
            .add(token("ann-1"), "ann")
            .add(token("bob-1"), "bob")
            .let_strangers_in();
        server
            .authenticate(tokens)
            .rule("testing.v1.TestService", Rule::authenticated())
    })
    .await;
    let client = stage.client().await;
    let request = SimpleRequest::default();
    for (secret, name) in [("ann-1", "ann"), ("bob-1", "bob")] {
        let answer = client.unary_call(&request).token(token(secret)).await;
        assert_eq!(answer.unwrap().username.as_deref(), Some(name));
    }
    // What one call has shown says nothing of the next.
    for call in [
        client.unary_call(&request),
        client.unary_call(&request).token(token("eve-1")),
    ] {
        let refused = call.await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unauthenticated, "{refused}");
        assert_eq!(refused.execution(), Execution::NotStarted);
        assert!(!refused.to_string().contains("eve-1"));
    }
}

async fn pick_first_unary(transport: Transport) {
    let stages = [Stage::new(transport).await, Stage::new(transport).await];
    // One channel to one server: every call goes there, whoever else serves.
    let client = stages[0].client().await;
    for _ in 0..20 {
        client.unary_call(&SimpleRequest::default()).await.unwrap();
    }
    stages[0].seen.begun(20).await;
    assert_eq!(stages[0].serving.connections(), 1);
    assert_eq!(stages[1].serving.connections(), 0);
}

async fn rpc_soak(transport: Transport) {
    let stage = Stage::new(transport).await;
    let client = stage.client().await;
    for _ in 0..20 {
        let answer = client.unary_call(&large_request()).await.unwrap();
        assert_eq!(answer.payload.len(), LARGE_RESPONSE as usize);
    }
    assert_eq!(stage.serving.connections(), 1);
    stage.seen.idle().await;
}

async fn channel_soak(transport: Transport) {
    // Places of connections come back: more are made, one after the other, than there may be at once.
    let limits = Limits {
        max_connections: 4,
        ..Limits::default()
    };
    let stage = Stage::with_limits(transport, limits).await;
    for _ in 0..12 {
        let client = stage.client().await;
        let options = CallOptions::new().timeout(LONG);
        let answer = client.unary_call(&large_request()).options(options).await;
        assert_eq!(answer.unwrap().payload.len(), LARGE_RESPONSE as usize);
        drop(client);
        while stage.serving.connections() > 0 {
            tokio::task::yield_now().await;
        }
    }
    let _: Channel = stage.channel().await;
}
