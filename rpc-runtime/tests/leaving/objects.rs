//! Objects on connections that are left: they can be called as long as there is a place where they live.

use std::time::Duration;

use rpc_runtime::{Execution, Limits, Server, Serving};
use tokio::time::{Instant, sleep, timeout};

use crate::service::*;

/// A server that leaves each connection after about ten seconds.
async fn ageing(address: &str) -> Serving {
    let limits = Limits {
        max_connection_age: Some(Duration::from_secs(10)),
        max_connection_age_grace: Duration::from_secs(60),
        ..Limits::default()
    };
    let server = Server::new()
        .limits(limits)
        .add(WorkService::new(Worker::new("only")));
    server.listen(address).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_object_is_called_on_its_connection_while_new_calls_open_another() {
    let serving = ageing("mem://leaving-object").await;
    let client = WorkClient::connect(serving.address()).await.unwrap();
    let counter = client.counter().await.unwrap();
    let began = Instant::now();
    let (mut calls, mut most) = (0, 0);
    // Until long after the announcement, before half of the grace is over.
    while began.elapsed() < Duration::from_secs(30) {
        calls += 1;
        assert_eq!(counter.add(1).await.unwrap(), calls);
        assert_eq!(client.who().await.unwrap(), "only");
        // Looked at all the time: the others grow old as well, and are replaced only when the next call is made.
        most = most.max(serving.connections());
        sleep(Duration::from_millis(500)).await;
    }
    assert!(most >= 2, "others have gone on");
    drop(counter);
    let left = timeout(Duration::from_secs(5), async {
        while serving.connections() > 1 {
            sleep(Duration::from_millis(10)).await;
        }
    });
    left.await
        .expect("a connection that nobody needs is closed");
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_never_given_back_ends_with_its_connection_and_says_so() {
    let serving = ageing("mem://leaving-object-kept").await;
    let client = WorkClient::connect(serving.address()).await.unwrap();
    let counter = client.counter().await.unwrap();
    sleep(Duration::from_secs(75)).await;
    let failure = counter.add(1).await.unwrap_err();
    assert_eq!(failure.execution(), Execution::NotSent, "{failure}");
    let told = failure.to_string();
    assert!(told.contains("ask for it anew"), "{told}");
    let fresh = client.counter().await.unwrap();
    assert_eq!(fresh.add(1).await.unwrap(), 1);
}
