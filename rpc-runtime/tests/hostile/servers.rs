//! Servers that are none: what a client says about them.

use std::time::Duration;

use rpc_runtime::{CallError, Channel, Error, ErrorKind, Execution, Limits, Status};
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::raw::{HELLO, LONG, PREFACE, Raw, call, frame};
use crate::{TargetBlockingClient, TargetClient};

/// Listens, and plays one server; gives the address.
pub(crate) async fn fake<F>(play: impl FnOnce(Raw) -> F + Send + 'static) -> String
where
    F: Future<Output = ()> + Send,
{
    fake_on(TcpListener::bind("127.0.0.1:0").await.unwrap(), play)
}

/// The same on a listener that is there.
pub(crate) fn fake_on<F>(
    listener: TcpListener,
    play: impl FnOnce(Raw) -> F + Send + 'static,
) -> String
where
    F: Future<Output = ()> + Send,
{
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut raw = Raw::new(listener.accept().await.unwrap().0);
        // Whoever comes next is not served.
        drop(listener);
        raw.bytes(PREFACE.len()).await;
        assert_eq!(raw.next().await.unwrap().kind, 1);
        play(raw).await;
    });
    address
}

fn quick() -> Limits {
    Limits {
        handshake_timeout: Duration::from_millis(50),
        ..Limits::default()
    }
}

#[tokio::test]
async fn a_server_that_is_none_gives_an_error_that_says_what_it_is() {
    let hello = |body: &[u8]| frame(1, 0, 0, 0, body);
    let goaway = |reason: u8, text: &[u8]| {
        let fixed = [0, 0, 0, 0, reason, 1, 0, 0, 0, 0, 0, 0];
        frame(
            12,
            0,
            0,
            0,
            &[&fixed[..], &[0x91, 0xa0 | text.len() as u8], text].concat(),
        )
    };
    use ErrorKind::{DataLoss, FailedPrecondition, ResourceExhausted, Unavailable};
    for (answer, kind, text) in [
        (
            b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
            FailedPrecondition,
            "speaks HTTP, not this protocol; is the port right?",
        ),
        (
            b"SSH-2.0-OpenSSH_9.6\r\n".to_vec(),
            FailedPrecondition,
            "speaks SSH",
        ),
        (
            vec![0x15, 3, 3, 0, 2, 2, 70],
            FailedPrecondition,
            "speaks TLS",
        ),
        (
            b"220 mail ESMTP\r\n".to_vec(),
            FailedPrecondition,
            "speaks SMTP or FTP",
        ),
        (
            b"-ERR unknown command\r\n".to_vec(),
            FailedPrecondition,
            "speaks Redis",
        ),
        (
            vec![0xee; 100],
            DataLoss,
            "breaks the protocol: a frame of 4008636142 bytes",
        ),
        (vec![0; 100], DataLoss, "a frame of 0 bytes"),
        (
            vec![],
            Unavailable,
            "closed the connection before HELLO; is it a server of this protocol?",
        ),
        (
            hello(&[])[..7].to_vec(),
            Unavailable,
            "closed the connection before HELLO",
        ),
        (hello(&[]), DataLoss, "HELLO: malformed"),
        (hello(&[0x90]), DataLoss, "HELLO: expected a map"),
        (
            hello(b"\x81\xa9max_frame\xcf\xff\xff\xff\xff\xff\xff\xff\xff"),
            DataLoss,
            "max_frame",
        ),
        (
            hello(b"\x81\xa8services\x91\x91\xa1x"),
            DataLoss,
            "services",
        ),
        (frame(3, 0, 0, 1, &[0xc0]), DataLoss, "Reply before HELLO"),
        (
            goaway(3, b"too many"),
            ResourceExhausted,
            "refused the connection: too many",
        ),
        (
            goaway(4, b"version 2"),
            FailedPrecondition,
            "refused the connection: version 2",
        ),
        (
            goaway(0, b"go\x1b[2Jne"),
            Unavailable,
            "refused the connection: go[2Jne",
        ),
    ] {
        let play = answer.clone();
        let address = fake(|mut raw| async move { raw.send(&play).await }).await;
        let error = Channel::connect(&address).await.unwrap_err();
        assert_failure(&error, kind, Execution::NotSent, &address, text);
        let address = fake(|mut raw| async move { raw.send(&answer).await }).await;
        let there = address.clone();
        let connect = move || TargetBlockingClient::connect(&there);
        let error = tokio::task::spawn_blocking(connect).await.unwrap();
        assert_failure(
            &error.unwrap_err(),
            kind,
            Execution::NotSent,
            &address,
            text,
        );
    }
}

#[track_caller]
fn assert_failure(error: &Error, kind: ErrorKind, known: Execution, address: &str, text: &str) {
    assert_eq!((error.kind(), error.execution()), (kind, known), "{error}");
    assert!(
        error.to_string().contains(text),
        "{error} does not say {text}"
    );
    assert!(
        error.to_string().contains(address),
        "{error} does not name {address}"
    );
    assert_eq!(error.peer(), Some(address), "{error}");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let address = fake(|mut raw| async move { drop(raw.rest().await) }).await;
    let error = Channel::builder()
        .limits(quick())
        .connect(&address)
        .await
        .unwrap_err();
    let text = "accepted the connection and said nothing for 50ms";
    assert_failure(
        &error,
        ErrorKind::Unavailable,
        Execution::NotSent,
        &address,
        text,
    );
}

#[tokio::test]
async fn nobody_listening_is_said_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = Channel::connect(&address).await.unwrap_err();
    assert_failure(
        &error,
        ErrorKind::Unavailable,
        Execution::NotSent,
        &address,
        "nobody listens on",
    );
}

/// One call against a server that answers it with these bytes and then closes.
async fn answered(answer: Vec<u8>) -> (String, CallError) {
    let play = |mut raw: Raw| async move {
        raw.send(HELLO).await;
        assert_eq!(raw.next().await.unwrap().kind, 2);
        raw.send(&answer).await;
    };
    let address = fake(play).await;
    let client = TargetClient::connect(&address).await.unwrap();
    let failure = timeout(LONG, client.ping()).await.unwrap().unwrap_err();
    (address, failure)
}

#[tokio::test]
async fn an_answer_that_cannot_be_understood_fails_its_call() {
    use ErrorKind::{DataLoss, Unavailable};
    use Execution::{Executed, Unknown};
    for (answer, kind, known, text) in [
        (
            frame(3, 0, 0, 1, &[]),
            DataLoss,
            Executed,
            "Target/ping.result",
        ),
        (
            frame(3, 0, 0, 1, &[0xc1]),
            DataLoss,
            Executed,
            "Target/ping.result",
        ),
        (
            frame(3, 0, 0, 1, &[0xa1, b'x']),
            DataLoss,
            Executed,
            "Target/ping.result",
        ),
        (
            frame(3, 0, 0, 1, &[1, 1]),
            DataLoss,
            Executed,
            "1 bytes are left",
        ),
        (
            frame(3, 0, 0, 1, &[0x91; 100_000]),
            DataLoss,
            Executed,
            "expected an integer, found an array",
        ),
        (
            frame(3, 0, 0, 1, &[0xdd, 0xff, 0xff, 0xff, 0xff]),
            DataLoss,
            Executed,
            "Target/ping.result",
        ),
        (frame(3, 0x40, 0, 1, &[1]), DataLoss, Executed, "compressed"),
        (
            frame(3, 0x01, 0, 1, &[2, 3, 0, 0, 0, 0, 0, 0, 1]),
            DataLoss,
            Executed,
            "declares no error",
        ),
        (
            frame(4, 0, 0, 1, &[14, 2, 0, 0, 0, 0, 0, 0, 0xc1]),
            Unavailable,
            Unknown,
            "unavailable",
        ),
        (
            frame(4, 0, 0, 1, &[200, 200, 9, 9, 9, 9, 9, 9]),
            ErrorKind::Unknown,
            Unknown,
            "unknown",
        ),
        (
            frame(3, 0, 0, 2, &[1]),
            Unavailable,
            Unknown,
            "the peer closed it",
        ),
        (vec![], Unavailable, Unknown, "was lost: the peer closed it"),
        (
            frame(3, 0, 0, 1, &[1])[..12].to_vec(),
            Unavailable,
            Unknown,
            "in the middle of a frame",
        ),
        (
            vec![0xff; 4],
            DataLoss,
            Unknown,
            "breaks the protocol: a frame of 4294967295 bytes",
        ),
        (
            frame(77, 0, 0, 0, &[]),
            DataLoss,
            Unknown,
            "frame kind 77 is not known",
        ),
        (HELLO.to_vec(), DataLoss, Unknown, "a second HELLO"),
    ] {
        let (address, failure) = answered(answer).await;
        assert_eq!(
            (failure.kind(), failure.execution()),
            (kind, known),
            "{failure:?}"
        );
        assert!(
            failure.to_string().contains(text),
            "{failure:?} does not say {text}"
        );
        if known == Unknown {
            assert_eq!(failure.peer(), Some(&*address), "{failure:?}");
        }
    }
}

#[tokio::test]
async fn a_server_that_never_answers_costs_the_time_of_the_call() {
    let play = |mut raw: Raw| async move {
        raw.send(HELLO).await;
        assert_eq!(raw.next().await.unwrap().kind, 2);
        assert_eq!(raw.next().await.unwrap().kind, 9, "CANCEL");
        raw.rest().await;
    };
    let address = fake(play).await;
    let client = TargetClient::connect(&address).await.unwrap();
    let call = client.ping().timeout(Duration::from_millis(50));
    let failure = call.await.unwrap_err();
    assert_eq!(
        (failure.kind(), failure.execution()),
        (ErrorKind::DeadlineExceeded, Execution::Unknown)
    );
}

#[tokio::test]
async fn stray_answers_and_calls_do_not_disturb_a_client() {
    let play = |mut raw: Raw| async move {
        raw.send(&frame(1, 0, 0, 0, b"\x82\xa9max_frame\0\xacmax_inflight\0"))
            .await;
        for id in [1, 2] {
            assert_eq!(raw.next().await.unwrap().id, id);
            raw.send(&call(id, 1, &[0x90])).await;
            let (status, execution, text) = raw.next().await.unwrap().fail();
            assert_eq!(
                (status, execution),
                (Status::Unimplemented.code(), 1),
                "{text}"
            );
            for stray in [0, 3, 77, u32::MAX] {
                raw.send(&frame(3, 0, 0, stray, &[0x05])).await;
            }
            raw.send(&frame(3, 0, 0, id, &[0x07])).await;
            raw.send(&frame(3, 0, 0, id, &[0x08])).await;
        }
        raw.rest().await;
    };
    let client = TargetClient::connect(fake(play).await).await.unwrap();
    assert_eq!(client.ping().await.unwrap(), 7);
    assert_eq!(client.ping().await.unwrap(), 7);
}
