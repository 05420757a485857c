//! Servers that speak the protocol and mean harm: what a client believes, keeps and waits for.

use std::time::Duration;

use rpc_runtime::{BlockingChannel, CallOptions, Channel, ErrorKind, Execution};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};

use crate::raw::{HELLO, LONG, Raw, call, frame};
use crate::servers::{fake, fake_on};
use crate::{TargetBlockingClient, TargetClient};

/// A server that leaves little unread, so that its client soon has to keep what it sends.
async fn narrow<F>(play: impl FnOnce(Raw) -> F + Send + 'static) -> String
where
    F: Future<Output = ()> + Send,
{
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    fake_on(socket.listen(1).unwrap(), play)
}

/// A GOAWAY that asks its receiver to stay away for 49 days.
fn come_back_in_49_days(reason: u8) -> Vec<u8> {
    let mut fixed = [0, 0, 0, 0, reason, 1, 0, 0, 0xff, 0xff, 0xff, 0xff].to_vec();
    fixed.extend(b"\x91\xa5later");
    frame(12, 0, 0, 0, &fixed)
}

#[tokio::test]
async fn that_a_call_was_not_sent_is_not_believed_of_who_has_read_it() {
    // A callee in another language may leave the byte zero without a thought, after it has run the call.
    let zero = frame(4, 0, 0, 1, &[14, 0, 0, 0, 0, 0, 0, 0, 0x91, 0xa0]);
    for blocking in [false, true] {
        let (tell, told) = oneshot::channel();
        let answer = zero.clone();
        let play = |mut raw: Raw| async move {
            raw.send(HELLO).await;
            assert_eq!(raw.next().await.unwrap().kind, 2);
            raw.send(&answer).await;
            let mut again = 0;
            while let Some(frame) = raw.next().await {
                again += usize::from(frame.kind == 2);
                raw.send(&frame_for(&answer, frame.id)).await;
            }
            tell.send(again).unwrap();
        };
        let address = fake(play).await;
        let failure = if blocking {
            let call = move || TargetBlockingClient::connect(&address).unwrap().ping();
            spawn_blocking(call).await.unwrap().unwrap_err()
        } else {
            let client = TargetClient::connect(&address).await.unwrap();
            timeout(LONG, client.ping()).await.unwrap().unwrap_err()
        };
        assert_eq!(
            (failure.kind(), failure.execution()),
            (ErrorKind::Unavailable, Execution::Unknown),
            "{failure}"
        );
        assert_eq!(
            told.await.unwrap(),
            0,
            "it may have run, and is not repeated"
        );
    }
}

/// The same frame about another request.
fn frame_for(bytes: &[u8], id: u32) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[8..12].copy_from_slice(&id.to_le_bytes());
    bytes
}

#[tokio::test]
async fn nobody_is_sent_away_for_days() {
    let play = |mut raw: Raw| async move { raw.send(&come_back_in_49_days(0)).await };
    let address = fake(play).await;
    let refused = Channel::connect(&address).await.unwrap_err();
    let wait = refused.retry_after().unwrap();
    assert!(wait <= Duration::from_secs(60), "{refused}: {wait:?}");
    let address = fake(play).await;
    let connect = move || BlockingChannel::connect(&address).unwrap_err();
    let refused = spawn_blocking(connect).await.unwrap();
    let wait = refused.retry_after().unwrap();
    assert!(wait <= Duration::from_secs(60), "{refused}: {wait:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blocking_client_that_is_flooded_by_its_server_keeps_its_time_and_no_answers() {
    let floods = [
        ("PING", frame(10, 0, 0, 0, &[7; 8])),
        ("CALL", call(1, 42, &[0x90])),
        (
            "an object that nobody asked for",
            frame(3, 2, 0, 77, &[0xd7, 0x10, 1, 1, 1, 1, 1, 1, 1, 1]),
        ),
    ];
    for (what, bytes) in floods {
        let (tell, told) = oneshot::channel();
        let play = move |mut raw: Raw| async move {
            raw.send(HELLO).await;
            assert_eq!(raw.next().await.unwrap().kind, 2);
            let flood = bytes.repeat(10_000);
            let mut sent = 0;
            // It reads nothing: what the client answers it has to keep, or it stops reading.
            while let Ok(count) = raw.stream.write(&flood).await {
                sent += count;
            }
            tell.send(sent).unwrap();
        };
        let address = narrow(play).await;
        let call = move || {
            let client = TargetBlockingClient::connect(&address).unwrap();
            let options = CallOptions::new().timeout(Duration::from_secs(2));
            let (began, limited) = (Instant::now(), client.with_options(options));
            (limited.ping().unwrap_err(), began.elapsed())
        };
        let (failure, took) = spawn_blocking(call).await.unwrap();
        let sent = timeout(LONG, told).await.unwrap().unwrap();
        assert_eq!(failure.kind(), ErrorKind::DeadlineExceeded, "{failure}");
        assert!(
            took < Duration::from_millis(2_700),
            "{what}: a call with two seconds took {took:?}"
        );
        // The buffers of the kernel take some of it.
        assert!(sent < 32 << 20, "{what}: {sent} bytes were taken");
    }
}
