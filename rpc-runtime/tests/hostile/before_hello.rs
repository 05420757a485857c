//! What comes before HELLO, and instead of it.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use rpc_runtime::{Channel, ErrorKind, Execution, Limits};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::raw::{Frame, HELLO, LONG, PREFACE, Raw, call, frame};
use crate::{TargetClient, Victim, assert_reply, id_of, params};

#[tokio::test]
async fn random_bytes_end_their_own_connection_only() {
    let victim = Victim::new().await;
    let mut dice = Dice(1);
    for round in 0..60 {
        let noise = dice.bytes(1 + round * 7);
        let mut raw = Raw::silent(victim.address()).await;
        if round % 3 > 0 {
            raw.send(&[PREFACE, HELLO].concat()).await;
            raw.next().await.unwrap();
        }
        raw.send(&noise).await;
        raw.stream.shutdown().await.unwrap();
        raw.rest().await;
    }
    victim.lives().await;
    victim.alone().await;
}

#[tokio::test]
async fn a_conversation_that_breaks_off_at_any_byte_runs_nothing() {
    let victim = Victim::new().await;
    let whole = [PREFACE, HELLO, &call(1, id_of("add"), &[0x92, 1, 2])].concat();
    for cut in 0..whole.len() {
        let mut raw = Raw::silent(victim.address()).await;
        raw.send(&whole[..cut]).await;
        raw.stream.shutdown().await.unwrap();
        raw.rest().await;
    }
    victim.lives().await;
    assert_eq!(victim.handlers.added.load(SeqCst), 0);
    let mut raw = Raw::silent(victim.address()).await;
    for byte in &whole {
        raw.send(&[*byte]).await;
    }
    assert_eq!(raw.next().await.unwrap().kind, 1);
    assert_reply(&raw.next().await.unwrap(), 1, &[3]);
}

#[tokio::test]
async fn other_protocols_are_answered_in_their_own_words() {
    let victim = Victim::new().await;
    for start in [
        "GET / HTTP/1.1\r\nhost: x\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "SSH-2.0-OpenSSH_9.6\r\n",
        "EHLO me\r\n",
    ] {
        let answer = String::from_utf8(victim.stranger(start.as_bytes()).await).unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 400 Bad Request\r\n"),
            "{answer}"
        );
        assert!(answer.contains("not HTTP"), "{answer}");
    }
    let client_hello = [&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3][..], &[7; 506]].concat();
    assert_eq!(
        victim.stranger(&client_hello).await,
        [0x15, 3, 1, 0, 2, 2, 70],
        "a fatal alert, protocol_version"
    );
}

#[tokio::test]
async fn a_wrong_preface_is_told_what_is_right() {
    let victim = Victim::new().await;
    let (last, reason, text) = read_end(&victim.stranger(b"\xabRPCXDL\x01").await);
    assert_eq!((last, reason), (0, 1));
    assert!(text.contains("ab 52 50 43 49 44 4c 01"), "{text}");
    let (_, reason, text) = read_end(&victim.stranger(b"\xabRPCIDL\x02").await);
    assert_eq!(reason, 4);
    assert_eq!(text, "protocol version 2 is not spoken here, 1 is");
    let (_, reason, _) = read_end(&victim.stranger(&[0; 8]).await);
    assert_eq!(reason, 1);
}

#[tokio::test]
async fn nothing_is_taken_before_hello() {
    let victim = Victim::new().await;
    for (first, reason, text) in [
        (call(1, id_of("ping"), &[0x90]), 1, "Call before HELLO"),
        (frame(10, 0, 0, 0, &[0; 8]), 1, "Ping before HELLO"),
        (frame(200, 0, 0, 0, &[]), 1, "frame kind 200 is not known"),
        (frame(1, 0, 0, 0, &[0x90]), 1, "HELLO: expected a map"),
        (frame(1, 0, 0, 0, &[]), 1, "HELLO: malformed message"),
        (frame(1, 0, 0, 0, &[0x80, 0]), 1, "1 bytes are left"),
        (frame(1, 0, 0, 0, &[0x91; 200]), 1, "nested deeper than 64"),
        (frame(1, 0, 0, 0, b"\x81\xa9max_frame\xa1x"), 1, "max_frame"),
        (
            frame(
                1,
                0,
                0,
                0,
                &params(b"\x81\xa8features\xdc\x10\x01".to_vec(), &[0xa0; 4_097]),
            ),
            1,
            "4097 entries",
        ),
        (
            vec![1, 0, 1, 0],
            2,
            "a frame of 65537 bytes, 65536 are allowed here",
        ),
        (vec![0xff; 4], 2, "a frame of 4294967295 bytes"),
    ] {
        let answer = victim.stranger(&[PREFACE, &first].concat()).await;
        let (_, found, said) = read_end(&answer);
        assert_eq!(found, reason, "{said}");
        assert!(said.contains(text), "{said}");
    }
}

#[tokio::test]
async fn a_handshake_that_never_comes_is_given_up() {
    let limits = Limits {
        handshake_timeout: Duration::from_millis(50),
        ..Limits::default()
    };
    let victim = Victim::with(limits).await;
    for start in [
        &[][..],
        &PREFACE[..3],
        PREFACE,
        &[PREFACE, &HELLO[..9]].concat(),
    ] {
        let (_, reason, text) = read_end(&victim.stranger(start).await);
        assert_eq!((reason, &text[..]), (3, "no HELLO within 50ms"));
    }
}

#[tokio::test]
async fn handshakes_beyond_the_limit_are_told_so_and_later_ones_are_taken() {
    let limits = Limits {
        max_handshaking: 2,
        handshake_timeout: Duration::from_secs(1),
        ..Limits::default()
    };
    let victim = Victim::with(limits).await;
    let mut first = Raw::silent(victim.address()).await;
    let mut second = Raw::silent(victim.address()).await;
    let third = victim.stranger(&[PREFACE, HELLO].concat()).await;
    let (_, reason, text) = read_end(&third);
    assert_eq!(reason, 3);
    assert!(
        text.starts_with("2 connections have not said HELLO to this server yet, more are not taken; try again later"),
        "{text}"
    );
    let failure = TargetClient::connect(victim.address()).await.unwrap_err();
    assert_eq!(failure.kind(), ErrorKind::ResourceExhausted, "{failure}");
    assert_eq!(failure.execution(), Execution::NotSent);
    victim.lives().await;
    first.rest().await;
    second.rest().await;
    // Their places are free a moment after their connections have ended.
    let wait = async { while Channel::connect(victim.address()).await.is_err() {} };
    timeout(LONG, wait).await.unwrap();
}

#[tokio::test]
async fn a_flood_of_handshakes_beyond_the_limit_is_closed_without_a_word() {
    let limits = Limits {
        max_handshaking: 2,
        ..Limits::default()
    };
    let victim = Victim::with(limits).await;
    let mut silent = Vec::new();
    for _ in 0..2 + 64 {
        silent.push(Raw::silent(victim.address()).await);
    }
    let mut last = Raw::silent(victim.address()).await;
    assert_eq!(last.rest().await, b"");
    // Those that are told wait for nobody who says nothing.
    let (_, reason, _) = read_end(&silent[65].rest().await);
    assert_eq!(reason, 3);
    victim.lives().await;
}

#[tokio::test]
async fn a_connection_over_the_limit_is_told_so_and_a_free_place_is_taken_again() {
    let limits = Limits {
        max_connections: 2,
        ..Limits::default()
    };
    let victim = Victim::with(limits).await;
    let second = victim.open().await;
    let (_, reason, text) = read_end(&victim.stranger(&[PREFACE, HELLO].concat()).await);
    assert_eq!(reason, 3);
    assert!(
        text.starts_with("this server has 2 connections, more are not taken; try again later"),
        "{text}"
    );
    let failure = TargetClient::connect(victim.address()).await.unwrap_err();
    assert_eq!(failure.kind(), ErrorKind::ResourceExhausted, "{failure}");
    assert_eq!(failure.execution(), Execution::NotSent);
    drop(second);
    let wait = async { while Channel::connect(victim.address()).await.is_err() {} };
    timeout(LONG, wait).await.unwrap();
}

/// The GOAWAY that a stranger gets.
fn read_end(bytes: &[u8]) -> (u32, u8, String) {
    let length = u32::from_le_bytes(bytes[..4].try_into().unwrap()) as usize + 4;
    assert_eq!(length, bytes.len(), "one frame: {bytes:02x?}");
    let frame = Frame {
        kind: bytes[4],
        id: 0,
        rest: bytes[12..].to_vec(),
        bytes: bytes.to_vec(),
    };
    frame.go_away()
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let next = |_| {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 56) as u8
        };
        (0..count).map(next).collect()
    }
}
