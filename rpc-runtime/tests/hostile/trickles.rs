//! A byte now and then: at each place of a connection its time limit holds for the whole, whatever comes meanwhile.

use std::time::Duration;

use rpc_runtime::{Limits, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep};

use crate::raw::{PREFACE, Raw, call, frame};
use crate::{Bystander, TargetService, id_of};

/// Sends some bytes at once and the others one by one; what the server said last, and after how many seconds it closed.
async fn trickle(raw: Raw, at_once: &[u8], slowly: &[u8], pause: Duration) -> (String, u64) {
    let began = Instant::now();
    let (mut reader, mut writer) = raw.stream.into_split();
    let writing = async {
        writer.write_all(at_once).await.unwrap();
        for byte in slowly {
            sleep(pause).await;
            if writer.write_all(&[*byte]).await.is_err() {
                // The end is there to be read.
                std::future::pending().await
            }
        }
    };
    let mut said = Vec::new();
    tokio::select! {
        read = reader.read_to_end(&mut said) => drop(read),
        () = writing => panic!("all of it was taken"),
    }
    let said = String::from_utf8_lossy(&said).into_owned();
    (said, began.elapsed().as_secs())
}

#[tokio::test(start_paused = true)]
async fn a_byte_now_and_then_earns_no_time_at_any_place() {
    let limits = Limits {
        handshake_timeout: Duration::from_secs(20),
        frame_timeout: Duration::from_secs(20),
        ..Limits::default()
    };
    let server = Server::new()
        .limits(limits)
        .add(TargetService::new(Bystander::default()));
    let serving = server.listen("tcp://127.0.0.1:0").await.unwrap();
    let hello = frame(1, 0, 0, 0, &[0x80; 60_000]);
    let large = call(1, id_of("echo"), &[0x91; 60_000]);
    let three = Duration::from_secs(3);
    for (what, at_once, slowly, text) in [
        ("preface", &[][..], PREFACE, "no HELLO within 20s"),
        ("HELLO", PREFACE, &hello[..], "no HELLO within 20s"),
    ] {
        let raw = Raw::silent(serving.address()).await;
        let (said, seconds) = trickle(raw, at_once, slowly, three).await;
        assert!((20..24).contains(&seconds), "{what}: {seconds} s, {said}");
        assert!(said.contains(text), "{what}: {said}");
    }
    for (what, at_once) in [("header", 0), ("body", 1_000)] {
        let raw = Raw::open(serving.address()).await.0;
        let (at_once, slowly) = large.split_at(at_once);
        let (said, seconds) = trickle(raw, at_once, slowly, three).await;
        assert!((20..24).contains(&seconds), "{what}: {seconds} s, {said}");
        let text = "a frame was not complete within 20s";
        assert!(said.contains(text), "{what}: {said}");
    }
}
