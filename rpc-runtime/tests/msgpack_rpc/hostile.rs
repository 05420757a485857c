//! Broken, endless, slow and flooding peers of the second door: each gets a reason, nobody else notices.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use rpc_runtime::{Limits, Server, Serving, Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};

use crate::service::{
    CalculatorClient, Desk, Hand, LONG, encode, notification, request, serve, serve_with, text,
};

/// A server, and a connection of each door that was there before.
struct Victim {
    serving: Serving,
    desk: Desk,
    native: CalculatorClient,
    hand: Hand,
}

impl Victim {
    async fn new(limits: Limits) -> Self {
        let (serving, desk) = serve_with(Server::new(), limits).await;
        let native = CalculatorClient::connect(serving.address()).await.unwrap();
        let hand = Hand::connect(serving.address()).await;
        let mut victim = Self {
            serving,
            desk,
            native,
            hand,
        };
        victim.is_well().await;
        victim
    }

    async fn stranger(&self) -> Hand {
        Hand::connect(self.serving.address()).await
    }

    async fn is_well(&mut self) {
        assert_eq!(self.native.add(1, 2).await.unwrap(), 3);
        let params = vec![Value::from(1), Value::from(2)];
        let answer = self.hand.ask(1, "add", params).await;
        assert_eq!(answer, (Value::Nil, Value::from(3)));
    }
}

/// Whatever is broken is answered with this ID and a text that contains this, then the connection ends.
async fn refused(victim: &mut Victim, bytes: &[u8], id: u64, expected: &str) {
    // At once and byte by byte, as the first thing said and as the second.
    for (in_pieces, second) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut hand = victim.stranger().await;
        if second {
            hand.ask(3, "notes", vec![]).await;
        }
        if in_pieces {
            for byte in bytes {
                let _ = hand.stream.write_all(&[*byte]).await;
            }
        } else {
            hand.send(bytes).await;
        }
        let error = hand.error(id).await;
        assert!(error.contains(expected), "{bytes:02x?}: {error}");
        assert_eq!(hand.next().await, None, "{bytes:02x?}: it is closed");
    }
    victim.is_well().await;
}

#[tokio::test]
async fn what_is_no_message_is_answered_and_closed() {
    let mut victim = Victim::new(Limits::default()).await;
    let victim = &mut victim;
    let cases: [(&[u8], u64, &str); 17] = [
        (b"\x90", 0, "an array of 3 or 4 values, this one has 0"),
        (b"\x91\x00", 0, "this one has 1"),
        (b"\x9f", 0, "this one has 15"),
        (b"\xdc\xff\xff", 0, "this one has 65535"),
        (b"\xdd\xff\xff\xff\xff", 0, "this one has 4294967295"),
        (b"\x94\x03", 0, "message type 3 is not known"),
        (b"\x94\x02", 0, "a notification is [2, method, params]"),
        (b"\x93\x00", 0, "a request is [0, ID, method, params]"),
        (b"\x94\xff\x01\xa1a\x90", 0, "message type -1 is not known"),
        (b"\x94\xa1x\x01\xa1a\x90", 0, "message type: "),
        (b"\x94\x00\xff\xa1a\x90", 0, "message ID -1 is no number"),
        (b"\x94\x00\xa1x\xa1a\x90", 0, "message ID: "),
        (b"\x94\x00\x09\xa1a\xc1", 9, "c1 is no MessagePack"),
        (
            b"\x94\x00\x09\xdb\xff\xff\xff\xff",
            9,
            "16777216 are allowed",
        ),
        (
            b"\x94\x00\x09\xa1a\xdd\xff\xff\xff\xff",
            9,
            "more than 1048580 values",
        ),
        (
            b"\x94\x00\x09\xa1a\xdf\x7f\xff\xff\xff",
            9,
            "more than 1048580 values",
        ),
        (
            b"\x94\x00\x09\xa1a\xc9\xff\xff\xff\xff\x01",
            9,
            "are allowed",
        ),
    ];
    for (bytes, id, expected) in cases {
        refused(victim, bytes, id, expected).await;
    }
    let deep = [&b"\x94\x00\x05\xa4echo"[..], &[0x91; 100_000]].concat();
    let mut hand = victim.stranger().await;
    let _ = hand.stream.write_all(&deep).await;
    let error = hand.error(5).await;
    assert!(error.contains("nested deeper than 128"), "{error}");
    victim.is_well().await;
}

#[tokio::test]
async fn what_is_a_message_but_no_call_is_answered_and_the_connection_goes_on() {
    let (serving, _) = serve().await;
    let mut hand = Hand::connect(serving.address()).await;
    let cases: [(&[u8], &str); 5] = [
        (
            b"\x94\x00\x01\x07\x90",
            "the method of a message is its name",
        ),
        (b"\x94\x00\x01\xa2\xff\xfe\x90", "no"),
        (
            b"\x94\x00\x01\xc4\x01\xff\x90",
            "the method is no UTF-8 text",
        ),
        (b"\x94\x00\x01\xa0\x90", "there is no method ``"),
        (
            b"\x94\x00\x01\xa4sync\x91\xc7\x02\x05ab",
            "expected a string",
        ),
    ];
    for (bytes, expected) in cases {
        hand.send(bytes).await;
        let error = hand.error(1).await;
        assert!(error.contains(expected), "{bytes:02x?}: {error}");
    }
    // As deep as parameters may be, and one deeper.
    for (depth, fits) in [(63, true), (64, false), (120, false), (3, true)] {
        let mut nested = Value::Nil;
        for _ in 0..depth {
            nested = Value::from(vec![nested]);
        }
        let echo = request(2, "echo", vec![nested.clone()]);
        hand.send(&echo).await;
        if fits {
            assert_eq!(hand.answer(2).await, (Value::Nil, nested));
        } else {
            let error = hand.error(2).await;
            assert!(error.contains("nested deeper than"), "{error}");
        }
    }
}

#[tokio::test]
async fn garbage_behind_a_message_does_not_take_its_answer() {
    let mut victim = Victim::new(Limits::default()).await;
    let mut hand = victim.stranger().await;
    let mut bytes = request(4, "add", vec![Value::from(2), Value::from(2)]);
    bytes.extend_from_slice(b"GET / HTTP/1.1\r\n\r\n");
    hand.send(&bytes).await;
    assert_eq!(hand.answer(4).await, (Value::Nil, Value::from(4)));
    let error = hand.error(0).await;
    assert!(error.contains("begins with the byte 47"), "{error}");
    assert_eq!(hand.next().await, None);
    victim.is_well().await;
}

#[tokio::test]
async fn whoever_waits_is_told_when_the_connection_breaks() {
    let (serving, desk) = serve().await;
    let mut hand = Hand::connect(serving.address()).await;
    let mut bytes = request(1, "never", vec![]);
    bytes.extend(request(2, "later", vec![Value::from(60_000)]));
    bytes.push(0xc1);
    hand.send(&bytes).await;
    let mut told = Vec::new();
    while let Some(Value::Array(parts)) = hand.next().await {
        assert!(text(parts[2].clone()).contains("begins with the byte c1"));
        told.push(parts[1].clone());
    }
    told.sort_by_key(|id| format!("{id:?}"));
    assert_eq!(told, [0, 1, 2].map(Value::from));
    assert_eq!(desk.running.load(SeqCst), 0, "handlers are gone");
}

#[tokio::test]
async fn answers_that_nobody_asked_for_are_ignored() {
    let (serving, _) = serve().await;
    let mut hand = Hand::connect(serving.address()).await;
    let answer = encode(&Value::from(vec![
        Value::from(1),
        Value::from(1),
        Value::Nil,
        Value::from("unasked"),
    ]));
    hand.send(&answer.repeat(10_000)).await;
    let sum = hand.ask(1, "add", vec![Value::from(1), Value::from(1)]);
    assert_eq!(sum.await, (Value::Nil, Value::from(2)));
}

#[tokio::test]
async fn a_flood_of_calls_is_refused_above_the_limit() {
    let limits = Limits {
        max_inflight_per_connection: 16,
        ..Limits::default()
    };
    let mut victim = Victim::new(limits).await;
    let mut hand = victim.stranger().await;
    let mut flood = Vec::new();
    for id in 0..2_000 {
        flood.extend(request(id, "never", vec![]));
        // The same ID again, and calls that nobody waits for.
        flood.extend(request(id, "never", vec![]));
        flood.extend(notification("never", vec![]));
    }
    hand.send(&flood).await;
    let mut refusals = 0;
    // Of the first sixteen places, requests have 11 and notifications 5.
    while refusals < 4_000 - 11 {
        let Some(Value::Array(parts)) = hand.next().await else {
            panic!("the connection goes on");
        };
        let error = text(parts[2].clone());
        assert!(
            error.contains("16 calls of this connection are worked on"),
            "{error}"
        );
        refusals += 1;
    }
    assert_eq!(victim.desk.most.load(SeqCst), 16);
    victim.is_well().await;
    drop(hand);
}

#[tokio::test]
async fn a_flood_of_unknown_methods_is_answered_and_bounded() {
    let limits = Limits {
        error_budget: 5_000,
        ..Limits::default()
    };
    let mut victim = Victim::new(limits).await;
    let mut hand = victim.stranger().await;
    let flood: Vec<u8> = (0..5_000)
        .flat_map(|id| request(id, "no_such_method_anywhere", vec![]))
        .collect();
    let (mut reader, mut writer) = hand.stream.into_split();
    let writing = tokio::spawn(async move {
        writer.write_all(&flood).await.unwrap();
        writer
    });
    // Nothing is read for a while: the server stops taking more, and then goes on.
    victim.is_well().await;
    let mut answers = 0;
    let mut buffer = vec![0; 64 << 10];
    let mut received = Vec::new();
    while answers < 5_000 {
        let count = timeout(LONG, reader.read(&mut buffer))
            .await
            .unwrap()
            .unwrap();
        assert!(count > 0, "the connection goes on");
        received.extend_from_slice(&buffer[..count]);
        answers = received
            .windows(15)
            .filter(|window| *window == b"there is no met")
            .count();
    }
    let writer = writing.await.unwrap();
    hand = Hand::new(reader.reunite(writer).unwrap());
    drop(hand);
    victim.is_well().await;
}

#[tokio::test(start_paused = true)]
async fn a_first_message_that_trickles_in_is_not_waited_for() {
    let mut victim = Victim::new(Limits::default()).await;
    victim.is_well().await;
    let mut hand = victim.stranger().await;
    let message = request(6, "sync", vec![Value::from("a".repeat(100))]);
    let began = Instant::now();
    for byte in message {
        if hand.stream.write_all(&[byte]).await.is_err() || began.elapsed().as_secs() > 11 {
            break;
        }
        sleep(Duration::from_secs(1)).await;
    }
    let error = hand.error(6).await;
    assert!(error.contains("no whole message came in time"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(15), "{began:?}");
    victim.is_well().await;
}

#[tokio::test(start_paused = true)]
async fn a_later_message_has_the_time_of_a_frame() {
    let mut victim = Victim::new(Limits::default()).await;
    let mut hand = victim.stranger().await;
    hand.ask(1, "notes", vec![]).await;
    let message = request(6, "sync", vec![Value::from("a".repeat(100))]);
    let began = Instant::now();
    for byte in message {
        if began.elapsed().as_secs() > 31 {
            break;
        }
        let _ = hand.stream.write_all(&[byte]).await;
        sleep(Duration::from_secs(1)).await;
    }
    let error = hand.error(6).await;
    assert!(error.contains("not complete within 30s"), "{error}");
    assert_eq!(hand.next().await, None);
    victim.is_well().await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_nobody_uses_is_closed() {
    let (serving, _) = serve().await;
    let mut hand = Hand::connect(serving.address()).await;
    hand.ask(1, "notes", vec![]).await;
    let began = Instant::now();
    let mut end = [0; 1];
    let read = hand.stream.read(&mut end).await;
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    let after = began.elapsed().as_secs();
    assert!((299..=303).contains(&after), "{after} s");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_nothing_is_dropped_and_holds_little() {
    let limits = Limits {
        max_frame_bytes: 16 << 20,
        ..Limits::default()
    };
    let mut victim = Victim::new(limits).await;
    let hand = victim.stranger().await;
    let blob = request(1, "blob", vec![Value::from(1 << 20)]);
    let mut sent = 0;
    while sent < 2_000 {
        let write = timeout(Duration::from_secs(40), async {
            hand.stream.writable().await?;
            hand.stream.try_write(&blob)
        });
        match write.await {
            Ok(Ok(_)) => sent += 1,
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Ok(Err(_)) | Err(_) => break,
        }
    }
    let gone = async {
        while victim.serving.connections() > 2 {
            sleep(Duration::from_secs(1)).await;
        }
    };
    timeout(Duration::from_secs(120), gone)
        .await
        .expect("the connection is given up");
    // 2 GiB were asked for. What has begun is what may be worked on at once, and what the socket took meanwhile.
    let begun = victim.desk.blobs.load(SeqCst);
    assert!(begun <= 300, "{begun} answers of 1 MiB");
    victim.is_well().await;
}

#[tokio::test]
async fn a_message_of_the_largest_size_is_taken_and_a_larger_one_is_not() {
    // A frame is smaller: what is in a message is handed on in pieces.
    for max_frame_bytes in [1 << 10, 100_000, 4 << 20] {
        let limits = Limits {
            max_frame_bytes,
            max_message_bytes: 1_000_000,
            ..Limits::default()
        };
        let (serving, _) = serve_with(Server::new(), limits).await;
        for (size, fits) in [(1_000_000, true), (1_000_001, false)] {
            let front = request(1, "sync", vec![Value::from("a".repeat(80_000))]).len() - 80_000;
            let content = "a".repeat(size - front);
            let message = request(1, "sync", vec![Value::from(content.as_str())]);
            assert_eq!(message.len(), size);
            let mut hand = Hand::connect(serving.address()).await;
            hand.send(&message).await;
            if fits {
                let (error, result) = hand.answer(1).await;
                assert_eq!(error, Value::Nil);
                assert_eq!(text(result).len(), content.len());
            } else {
                let error = hand.error(1).await;
                let expected = format!("{size} bytes, 1000000 are allowed");
                assert!(error.contains(&expected), "{error}");
            }
        }
    }
}
