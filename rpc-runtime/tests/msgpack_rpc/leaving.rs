//! A server that goes, as the second door's clients see it: what runs is finished, what comes later is refused in words.

use std::sync::atomic::Ordering::SeqCst;

use rpc_runtime::{Limits, Server, Value};

use crate::service::{Hand, LONG, request, serve, serve_with, text};

#[tokio::test]
async fn a_call_that_runs_is_answered_before_the_connection_ends() {
    let (mut serving, desk) = serve().await;
    let mut hand = Hand::connect(serving.address()).await;
    hand.send(&request(1, "later", vec![Value::from(400)]))
        .await;
    // The answer to what was sent behind it: the call runs.
    assert_eq!(
        hand.ask(2, "add", vec![Value::from(1), Value::from(2)])
            .await,
        (Value::Nil, Value::from(3))
    );
    let going = tokio::spawn(async move { serving.shutdown(LONG).await });
    let (error, result) = hand.answer(1).await;
    assert_eq!((error, result), (Value::Nil, Value::from(400)));
    let end = hand.next().await;
    assert_eq!(end, None, "and nothing else is said");
    going.await.unwrap();
    assert_eq!(desk.running.load(SeqCst), 0);
}

#[tokio::test]
async fn a_call_after_the_line_is_answered_as_not_started() {
    let (mut serving, desk) = serve().await;
    let mut hand = Hand::connect(serving.address()).await;
    hand.send(&request(0, "never", vec![])).await;
    hand.ask(1, "notes", vec![]).await;
    let going = tokio::spawn(async move { serving.shutdown(LONG).await });
    let mut refused = None;
    for id in 2..100_000 {
        let (error, _) = hand.ask(id, "notes", vec![]).await;
        if error != Value::Nil {
            refused = Some(text(error));
            break;
        }
        tokio::task::yield_now().await;
    }
    let refused = refused.expect("the line is drawn");
    assert!(refused.contains("takes no more calls"), "{refused}");
    // Nobody waits for it any more, so nothing runs any more.
    drop(hand);
    tokio::time::timeout(LONG, going).await.unwrap().unwrap();
    assert_eq!(desk.running.load(SeqCst), 0);
}

#[tokio::test]
async fn whoever_is_sent_away_at_once_is_told_in_their_own_words() {
    let limits = Limits {
        max_connections: 1,
        ..Limits::default()
    };
    let (serving, _) = serve_with(Server::new(), limits).await;
    let mut first = Hand::connect(serving.address()).await;
    first.ask(1, "notes", vec![]).await;
    let mut second = Hand::connect(serving.address()).await;
    second.send(&request(7, "notes", vec![])).await;
    let told = second.error(7).await;
    assert!(told.contains("more are not taken"), "{told}");
    assert_eq!(second.next().await, None);
}
