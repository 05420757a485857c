//! Every status of gRPC that a peer sends arrives as it is, declared or the framework's own.

use interop::testing::v1::{SimpleRequest, TestServiceBlockingClient, TestServiceClient};
use rpc_runtime::{CallError, Execution, Status};

use crate::hand::{FAIL, Hand, REPLY, declared, fail, listen};
use crate::service::failure;
use crate::stage::play;

/// What is said of the execution, and how it is understood. That a call was not sent is not for its callee to say: it may be
/// a byte that was never set.
const BYTES: [(u8, Execution); 6] = [
    (0, Execution::Unknown),
    (1, Execution::NotStarted),
    (2, Execution::Unknown),
    (3, Execution::Executed),
    (4, Execution::Unknown),
    (255, Execution::Unknown),
];

/// Answers every call with FAIL or with the declared error; the status is the number of the call modulo 20.
async fn refuses(mut hand: Hand, is_declared: bool) {
    let mut number = 0;
    while let Some(call) = hand.next().await {
        if call.kind != 2 {
            continue;
        }
        if call.rest[..8] == 1_u64.to_le_bytes() {
            // After `unimplemented` a client asks what there is.
            hand.send(FAIL, 0, call.id, &fail(7, 1, "no")).await;
            continue;
        }
        number += 1;
        let code = (number % 20) as u8;
        if is_declared {
            let error = failure(crate::grpc::status(code, "declared").unwrap());
            hand.send(REPLY, 1, call.id, &declared(code, &error)).await;
        } else {
            // Executed, so that nobody tries again.
            hand.send(FAIL, 0, call.id, &fail(code, 3, &format!("told {code}")))
                .await;
        }
    }
}

fn expected(id: i32) -> Status {
    Status::from_code((id % 20) as u8)
}

#[tokio::test]
async fn every_status_of_the_framework_arrives_as_it_was_sent() {
    play(async {
        let (listener, address) = listen().await;
        let peer =
            tokio::spawn(async move { refuses(Hand::accept(&listener, 8).await, false).await });
        let client = TestServiceClient::connect(&address).await.unwrap();
        for id in 1..=40 {
            let failure = client.empty_call().await.unwrap_err();
            assert_eq!(failure.status(), expected(id), "{failure}");
            assert_eq!(failure.execution(), Execution::Executed);
            assert!(failure.to_string().contains(&format!("told {}", id % 20)));
        }
        drop(client);
        peer.await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn every_declared_status_arrives_as_it_was_sent_whatever_the_error_is() {
    play(async {
        let (listener, address) = listen().await;
        let peer =
            tokio::spawn(async move { refuses(Hand::accept(&listener, 8).await, true).await });
        let client = TestServiceClient::connect(&address).await.unwrap();
        for id in 1..=40 {
            let failed = client.unary_call(&SimpleRequest::default()).await;
            let CallError::Declared { error, status, .. } = failed.unwrap_err() else {
                panic!("it is declared");
            };
            assert_eq!(status, expected(id), "{error}");
        }
        drop(client);
        peer.await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn every_status_arrives_at_the_blocking_client_too() {
    play(async {
        let (listener, address) = listen().await;
        let peer =
            tokio::spawn(async move { refuses(Hand::accept(&listener, 8).await, false).await });
        let calls = tokio::task::spawn_blocking(move || {
            let client = TestServiceBlockingClient::connect(&address).unwrap();
            for id in 1..=40 {
                let failure = client.empty_call().unwrap_err();
                assert_eq!(failure.status(), expected(id), "{failure}");
            }
        });
        calls.await.unwrap();
        peer.await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_a_peer_knows_of_the_execution_arrives_as_it_was_sent() {
    play(async {
        let (listener, address) = listen().await;
        let peer = tokio::spawn(async move {
            let mut hand = Hand::accept(&listener, 8).await;
            for (byte, _) in BYTES {
                let id = hand.call().await;
                // Nobody repeats what is refused for good.
                hand.send(FAIL, 0, id, &fail(7, byte, "no")).await;
            }
            while hand.next().await.is_some() {}
        });
        let client = TestServiceClient::connect(&address).await.unwrap();
        for (_, execution) in BYTES {
            let failure = client.empty_call().await.unwrap_err();
            assert_eq!(failure.status(), Status::PermissionDenied, "{failure}");
            assert_eq!(failure.execution(), execution);
        }
        drop(client);
        peer.await.unwrap();
    })
    .await;
}
