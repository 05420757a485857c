//! Handlers that take long before their first `.await` do not hold up their connection for long.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::time::Duration;

use rpc_runtime::{Server, rpc_service};
use tokio::time::advance;

#[rpc_service]
trait Worker {
    /// Takes so many microseconds before it first waits; answers which task it began on.
    async fn work(&self, micros: u64) -> String;
    /// Takes none.
    async fn idle(&self) -> String;
}

struct Busy;

impl Worker for Busy {
    async fn work(&self, micros: u64) -> String {
        let task = tokio::task::id();
        // The clock has moved before this waits.
        advance(Duration::from_micros(micros)).await;
        task.to_string()
    }

    async fn idle(&self) -> String {
        tokio::task::id().to_string()
    }
}

#[tokio::test(start_paused = true)]
async fn a_method_that_takes_long_gets_tasks_of_its_own_and_the_others_stay_with_the_reader() {
    let server = Server::new().add(WorkerService::new(Busy));
    let serving = server.listen("mem://slow-handlers").await.unwrap();
    let client = WorkerClient::connect(serving.address()).await.unwrap();
    let reader = client.idle().await.unwrap();
    assert_eq!(client.work(10).await.unwrap(), reader, "that is not long");
    assert_eq!(client.work(30_000).await.unwrap(), reader, "nobody knew");
    assert_eq!(client.work(30_000).await.unwrap(), reader, "measured");
    let (third, fourth) = (client.work(30_000).await, client.work(30_000).await);
    let (third, fourth) = (third.unwrap(), fourth.unwrap());
    assert_ne!(third, reader);
    assert_ne!(fourth, reader);
    assert_ne!(third, fourth);
    assert_eq!(client.idle().await.unwrap(), reader, "another method");
}

#[tokio::test(start_paused = true)]
async fn a_method_that_is_quick_again_comes_back_to_the_reader() {
    let server = Server::new().add(WorkerService::new(Busy));
    let serving = server.listen("mem://slow-for-a-while").await.unwrap();
    let client = WorkerClient::connect(serving.address()).await.unwrap();
    let reader = client.idle().await.unwrap();
    for _ in 0..3 {
        client.work(30_000).await.unwrap();
    }
    assert_ne!(client.work(0).await.unwrap(), reader, "not measured yet");
    let mut back = false;
    for _ in 0..2_000 {
        back = client.work(0).await.unwrap() == reader;
        if back {
            break;
        }
    }
    assert!(back);
    assert_eq!(client.work(0).await.unwrap(), reader);
}
