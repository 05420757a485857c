//! gRPC's cases once more, by the client that needs no runtime.

use std::time::Duration;

use interop::testing::v1::{
    SimpleRequest, StreamingOutputRequest, TestServiceBlockingClient,
    UnimplementedServiceBlockingClient,
};
use rpc_runtime::{
    BlockingChannel, CallError, CallOptions, ErrorKind, Execution, Rule, Status, Tokens,
};

use crate::grpc::{
    LARGE_REQUEST, LARGE_RESPONSE, MESSAGE, REQUESTS, RESPONSES, SPECIAL_MESSAGE, large_request,
    newer, sleeping_request, status, token, wants,
};
use crate::service::failure;
use crate::stage::{Access, Stage, Transport, on_every_transport};

on_every_transport!(
    empty_unary,
    large_unary,
    client_streaming,
    server_streaming,
    ping_pong,
    empty_stream,
    timeout_on_sleeping_server,
    cancel_after_first_response,
    status_code_and_message,
    special_status_message,
    custom_metadata,
    unimplemented_method,
    unimplemented_service,
    per_rpc_creds,
    rpc_soak,
    channel_soak,
);

/// Runs the case on a thread that may wait.
async fn on_a_thread(stage: &Stage, case: impl FnOnce(Access) + Send + 'static) {
    let access = stage.access.clone();
    let thread = tokio::task::spawn_blocking(move || case(access));
    thread.await.unwrap();
}

async fn with_client(
    transport: Transport,
    case: impl FnOnce(TestServiceBlockingClient) + Send + 'static,
) {
    let stage = Stage::new(transport).await;
    on_a_thread(&stage, |access| case(access.blocking())).await;
    stage.seen.idle().await;
}

async fn empty_unary(transport: Transport) {
    with_client(transport, |client| client.empty_call().unwrap()).await;
}

async fn large_unary(transport: Transport) {
    with_client(transport, |client| {
        let answer = client.unary_call(&large_request()).unwrap();
        assert_eq!(answer.payload, vec![0; LARGE_RESPONSE as usize]);
        assert_eq!(answer.payload_received as usize, LARGE_REQUEST);
    })
    .await;
}

async fn client_streaming(transport: Transport) {
    with_client(transport, |client| {
        let payloads = REQUESTS.map(|size| vec![0; size]);
        assert_eq!(client.streaming_input_call(payloads).unwrap(), 74_922);
    })
    .await;
}

async fn server_streaming(transport: Transport) {
    with_client(transport, |client| {
        let payloads = client.streaming_output_call(&wants(&RESPONSES)).unwrap();
        let sizes: Vec<u32> = payloads
            .map(|payload| payload.unwrap().len() as u32)
            .collect();
        assert_eq!(sizes, RESPONSES);
    })
    .await;
}

async fn ping_pong(transport: Transport) {
    with_client(transport, |client| {
        let mut exchange = client.full_duplex_call().unwrap();
        for (request, response) in REQUESTS.into_iter().zip(RESPONSES) {
            let ping = StreamingOutputRequest {
                payload: Some(vec![0; request]),
                ..wants(&[response])
            };
            exchange.send(&ping).unwrap();
            let payload = exchange.next().unwrap().unwrap();
            assert_eq!(payload, vec![0; response as usize]);
        }
        exchange.finish();
        assert!(exchange.next().is_none());
    })
    .await;
}

async fn empty_stream(transport: Transport) {
    with_client(transport, |client| {
        let mut exchange = client.full_duplex_call().unwrap();
        exchange.finish();
        assert!(exchange.next().is_none());
    })
    .await;
}

async fn timeout_on_sleeping_server(transport: Transport) {
    with_client(transport, |client| {
        let client = client.with_options(CallOptions::new().timeout(Duration::from_millis(50)));
        let failure = client.unary_call(&sleeping_request()).unwrap_err();
        assert_eq!(failure.kind(), ErrorKind::DeadlineExceeded, "{failure}");
        let sleeps = StreamingOutputRequest {
            sleeps: true,
            ..wants(&[])
        };
        let mut payloads = client.streaming_output_call(&sleeps).unwrap();
        let failure = payloads.next().unwrap().unwrap_err();
        assert_eq!(failure.kind(), ErrorKind::DeadlineExceeded, "{failure}");
        assert!(payloads.next().is_none());
    })
    .await;
}

async fn cancel_after_first_response(transport: Transport) {
    with_client(transport, |client| {
        let mut exchange = client.full_duplex_call().unwrap();
        exchange.send(&wants(&[31_415])).unwrap();
        assert_eq!(exchange.next().unwrap().unwrap().len(), 31_415);
        drop(exchange);
        client.empty_call().unwrap();
    })
    .await;
}

fn fails_with(client: &TestServiceBlockingClient, code: u8, message: &str) {
    let expected = failure(status(code, message).unwrap());
    let request = SimpleRequest {
        response_status: status(code, message),
        ..SimpleRequest::default()
    };
    let by_answer = client.unary_call(&request).unwrap_err();
    let mut exchange = client.full_duplex_call().unwrap();
    let request = StreamingOutputRequest {
        response_status: status(code, message),
        ..wants(&[])
    };
    exchange.send(&request).unwrap();
    let by_stream = exchange.next().unwrap().unwrap_err();
    for failed in [by_answer, by_stream] {
        let CallError::Declared { error, status, .. } = failed else {
            panic!("{failed}");
        };
        assert_eq!((error, status.code()), (expected.clone(), code));
    }
}

async fn status_code_and_message(transport: Transport) {
    with_client(transport, |client| {
        fails_with(&client, 2, MESSAGE);
        for status in Status::ALL {
            fails_with(&client, status.code(), status.name());
        }
    })
    .await;
}

async fn special_status_message(transport: Transport) {
    with_client(transport, |client| fails_with(&client, 2, SPECIAL_MESSAGE)).await;
}

async fn custom_metadata(transport: Transport) {
    with_client(transport, |client| {
        let options = CallOptions::new()
            .metadata("x-test", "☺")
            .unwrap()
            .metadata("x-test", "again")
            .unwrap();
        let answer = client.with_options(options);
        let answer = answer.unary_call(&SimpleRequest::default()).unwrap();
        let values: Vec<&str> = answer.metadata.iter().map(|it| &*it.value).collect();
        assert_eq!(values, ["☺", "again"]);
        let refused = CallOptions::new().metadata("Upper", "v").unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
    })
    .await;
}

async fn unimplemented_method(transport: Transport) {
    with_client(transport, |client| {
        let newer = newer::TestServiceBlockingClient::new(client.channel().clone());
        let failure = newer.unimplemented_call().unwrap_err();
        assert_eq!(failure.status(), Status::Unimplemented, "{failure}");
        assert_eq!(failure.execution(), Execution::NotStarted);
        client.empty_call().unwrap();
    })
    .await;
}

async fn unimplemented_service(transport: Transport) {
    with_client(transport, |client| {
        let other = UnimplementedServiceBlockingClient::new(client.channel().clone());
        let failure = other.unimplemented_call().unwrap_err();
        assert_eq!(failure.status(), Status::Unimplemented, "{failure}");
        assert_eq!(failure.execution(), Execution::NotStarted);
    })
    .await;
}

async fn per_rpc_creds(transport: Transport) {
    let stage = Stage::with(transport, |server| {
        let tokens = Tokens::new().add(token("ann-1"), "ann").let_strangers_in();
        server
            .authenticate(tokens)
            .rule("testing.v1.TestService", Rule::authenticated())
    })
    .await;
    on_a_thread(&stage, |access| {
        let client = access.blocking();
        let request = SimpleRequest::default();
        let ann = client.with_options(CallOptions::new().token(token("ann-1")));
        let answer = ann.unary_call(&request).unwrap();
        assert_eq!(answer.username.as_deref(), Some("ann"));
        let refused = client.unary_call(&request).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unauthenticated, "{refused}");
    })
    .await;
}

async fn rpc_soak(transport: Transport) {
    with_client(transport, |client| {
        for _ in 0..20 {
            let answer = client.unary_call(&large_request()).unwrap();
            assert_eq!(answer.payload.len(), LARGE_RESPONSE as usize);
        }
    })
    .await;
}

async fn channel_soak(transport: Transport) {
    let stage = Stage::new(transport).await;
    for _ in 0..8 {
        on_a_thread(&stage, |access| {
            let channel = access.connect_blocking(BlockingChannel::builder());
            let client = TestServiceBlockingClient::new(channel);
            let answer = client.unary_call(&large_request()).unwrap();
            assert_eq!(answer.payload.len(), LARGE_RESPONSE as usize);
        })
        .await;
        while stage.serving.connections() > 0 {
            tokio::task::yield_now().await;
        }
    }
}
