//! Streams and calls that run while their server goes: they are finished, and new ones begin elsewhere.

use std::time::Duration;

use rpc_runtime::discovery::ListRegistry;
use rpc_runtime::{Channel, Execution, stream};
use tokio::time::{Instant, timeout};

use crate::service::*;

#[tokio::test(start_paused = true)]
async fn a_running_stream_is_finished_and_a_new_one_begins_elsewhere() {
    let (old, new) = (Worker::new("old"), Worker::new("new"));
    let mut first = serve(&old, "mem://leaving-old").await;
    let _second = serve(&new, "mem://leaving-new").await;
    let list = ListRegistry::new(["mem://leaving-old", "mem://leaving-new"]).unwrap();
    let client = WorkClient::new(Channel::discover(list, "leaving.Work"));
    // Of a few streams in a row, some are at the old server.
    let mut running = Vec::new();
    for _ in 0..16 {
        let mut items = client.slowly(3).await.unwrap();
        if items.next().await.unwrap().unwrap() == "old" {
            running.push(items);
        }
    }
    assert!(!running.is_empty(), "both serve");
    let going = tokio::spawn(async move { first.shutdown(LONG).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    for _ in 0..16 {
        let mut items = client.slowly(0).await.unwrap();
        let whose = timeout(LONG, items.next()).await.expect("nobody waits");
        assert_eq!(whose.unwrap().unwrap(), "new");
    }
    assert!(!going.is_finished(), "streams run");
    old.go.add_permits(3 * 16);
    for mut items in running {
        for expected in ["0", "1", "2"] {
            let item = timeout(LONG, items.next()).await.unwrap();
            assert_eq!(item.unwrap().unwrap(), expected);
        }
        assert!(items.next().await.is_none(), "to its end, not cut");
    }
    timeout(LONG, going).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stream_to_a_server_that_goes_arrives_to_its_last_item() {
    let worker = Worker::new("only");
    let mut serving = serve(&worker, "mem://leaving-upload").await;
    let client = WorkClient::connect(serving.address()).await.unwrap();
    let (sender, receiver) = stream::pipe(1);
    let sum = client.sum(receiver).start();
    sender.send(1).await.unwrap();
    worker.began(1).await;
    let going = tokio::spawn(async move { serving.shutdown(LONG).await });
    tokio::time::sleep(Duration::from_secs(3)).await;
    sender.send(2).await.unwrap();
    drop(sender);
    assert_eq!(timeout(LONG, sum).await.unwrap().unwrap(), 3);
    timeout(LONG, going).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_outlasts_the_limit_says_that_it_was_cut() {
    let worker = Worker::new("only");
    let mut serving = serve(&worker, "mem://leaving-cut").await;
    let client = WorkClient::connect(serving.address()).await.unwrap();
    let mut items = client.slowly(2).await.unwrap();
    assert_eq!(items.next().await.unwrap().unwrap(), "only");
    let began = Instant::now();
    serving.shutdown(Duration::from_secs(5)).await;
    assert!(began.elapsed() >= Duration::from_secs(5), "it had its time");
    let failure = timeout(LONG, items.next()).await.unwrap();
    let failure = failure.expect("not an end like any other").unwrap_err();
    assert_eq!(failure.execution(), Execution::Unknown, "{failure}");
    assert!(items.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_runs_may_call_back_until_it_is_done() {
    let worker = Worker::new("only");
    let mut serving = serve(&worker, "mem://leaving-back").await;
    let builder = Channel::builder().export(NearService::new(One));
    let client = WorkClient::new(builder.connect(serving.address()).await.unwrap());
    let asked = client.ask(3).no_timeout().start();
    worker.began(1).await;
    let going = tokio::spawn(async move { serving.shutdown(LONG).await });
    // Far beyond the announcement and the line.
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(!going.is_finished());
    worker.go.add_permits(3);
    let sum = timeout(LONG, asked).await.unwrap();
    assert_eq!(sum.unwrap(), 3);
    timeout(LONG, going).await.unwrap().unwrap();
}
