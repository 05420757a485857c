//! Frames that break the protocol, and calls that are refused.

use std::sync::atomic::Ordering::SeqCst;

use rpc_runtime::Status;

use crate::raw::{HELLO, call, frame};
use crate::{Victim, assert_reply, expect_end, id_of, params};

#[tokio::test]
async fn a_lie_about_the_length_is_answered_at_its_fourth_byte() {
    let victim = Victim::new().await;
    victim
        .put_out(
            &[0xff; 4],
            2,
            "a frame of 4294967295 bytes, 4194304 are allowed here",
        )
        .await;
    victim
        .put_out(&[1, 0, 0x40, 0], 2, "a frame of 4194305 bytes")
        .await;
    victim
        .put_out(&[0; 4], 1, "a frame of 0 bytes is shorter than its header")
        .await;
    victim
        .put_out(
            &[7, 0, 0, 0],
            1,
            "a frame of 7 bytes is shorter than its header",
        )
        .await;
}

#[tokio::test]
async fn what_breaks_the_protocol_ends_the_connection_with_a_reason() {
    let victim = Victim::new().await;
    let never = id_of("never");
    let twice = [call(5, never, &[0x90]), call(5, never, &[0x90])].concat();
    victim.put_out(&twice, 1, "request ID 5 is in use").await;
    for (bytes, text) in [
        (HELLO.to_vec(), "a second HELLO"),
        (frame(99, 0, 0, 0, &[]), "frame kind 99 is not known"),
        (frame(0, 0, 0, 0, &[]), "frame kind 0 is not known"),
        (
            call(0, id_of("ping"), &[0x90]),
            "request ID 0 is not allowed for a call",
        ),
        (
            frame(2, 0, 0, 1, &[0; 11]),
            "Call of 23 bytes has no room for 12 fixed",
        ),
        (frame(2, 0x20, 0, 1, &[0; 19]), "no room for 20 fixed"),
        (frame(4, 0, 0, 1, &[0; 7]), "Fail of 19 bytes has no room"),
        (frame(10, 0, 0, 0, &[]), "Ping of 12 bytes has no room"),
        (
            frame(12, 0, 0, 0, &[0; 11]),
            "GoAway of 23 bytes has no room",
        ),
        (frame(2, 0, 500, 1, &[0; 100]), "500 metadata bytes"),
    ] {
        victim.put_out(&bytes, 1, text).await;
    }
    victim.alone().await;
    assert_eq!(
        victim.handlers.running.load(SeqCst),
        0,
        "the handler went too"
    );
}

#[tokio::test]
async fn what_may_be_ignored_is_ignored() {
    let victim = Victim::new().await;
    let mut raw = victim.open().await;
    for bytes in [
        frame(200, 0xff, 0, 7, &[1, 2, 3]),
        frame(255, 0, 2, 0, &[0xc1, 0xc1]),
        frame(9, 0, 0, 77, &[]),
        frame(9, 0, 0, 0, &[]),
        frame(3, 0, 0, 77, &[0xc1]),
        frame(3, 1, 0, 77, &[9; 8]),
        frame(4, 0, 0, 77, &[0xff; 30]),
        frame(5, 0, 0, 77, &[1]),
        frame(6, 0, 0, 77, &[]),
        frame(7, 0, 0, 77, &[1]),
        frame(8, 0, 0, 0, &[0xff; 4]),
        frame(11, 0, 0, 0, &[1; 8]),
        frame(13, 0, 0, 0, &[0; 12]),
    ] {
        raw.send(&bytes).await;
    }
    raw.send(&call(1, id_of("add"), &[0x92, 1, 2])).await;
    assert_reply(&raw.next().await.unwrap(), 1, &[3]);
    victim.lives().await;
}

#[tokio::test]
async fn a_call_of_another_kind_than_its_method_is_refused_before_anything_is_run() {
    let victim = Victim::new().await;
    for flags in [0x02, 0x04, 0x06] {
        let mut bytes = call(1, id_of("add"), &[0x92, 1, 2]);
        bytes[5] = flags;
        victim
            .refused(
                &bytes,
                Status::InvalidArgument,
                "flags for streams are not those of the method",
            )
            .await;
    }
    let mut compressed = call(1, id_of("add"), &[0x92, 1, 2]);
    compressed[5] = 0x40;
    victim
        .refused(&compressed, Status::Unimplemented, "compressed")
        .await;
    let mut target = call(1, id_of("add"), &[0, 0, 0, 0, 0, 0, 0, 1, 0x92, 1, 2]);
    target[5] = 0x20;
    victim
        .refused(
            &target,
            Status::FailedPrecondition,
            "never lent on this connection",
        )
        .await;
    victim
        .refused(
            &call(1, 42, &[0xc1]),
            Status::Unimplemented,
            "served: Target",
        )
        .await;
    assert_eq!(victim.handlers.added.load(SeqCst), 0);
}

#[tokio::test]
async fn metadata_is_bounded_and_checked() {
    let victim = Victim::new().await;
    let with = |section: &[u8]| {
        let mut rest = id_of("ping").to_le_bytes().to_vec();
        rest.extend([0; 4]);
        rest.extend(section);
        rest.push(0x90);
        frame(2, 0, section.len() as u16, 1, &rest)
    };
    victim
        .put_out(
            &with(&[0xc0; 8_193]),
            3,
            "8193 bytes of metadata, 8192 are allowed",
        )
        .await;
    let entries = |count: u16| {
        let [high, low] = count.to_be_bytes();
        params(vec![0xde, high, low], &b"\xa1a\xa0".repeat(count.into()))
    };
    for (section, text) in [
        (entries(65), "65 entries, 64 are allowed"),
        (vec![0xde, 0x27, 0x10, 0xa1, b'a', 0xa0], "is said to have"),
        (b"\x81\xa1A\xa1b".to_vec(), "`A` is no metadata key"),
        (b"\x81\xa0\xa1b".to_vec(), "`` is no metadata key"),
        (b"\x81\xa3a\nb\xa0".to_vec(), "is no metadata key"),
        (
            params(
                b"\x81\xd9\x41".to_vec(),
                &[&[b'a'; 65][..], b"\xa0"].concat(),
            ),
            "is no metadata key",
        ),
        (b"\x81\xa1\xff\xa0".to_vec(), "not UTF-8"),
        (b"\x81\x01\x02".to_vec(), "in a key"),
        (b"\x81\xa1a\x02".to_vec(), "string"),
        (b"\x91\xa1a".to_vec(), "a map"),
        (b"\x80\x80".to_vec(), "left after the value"),
        (vec![0xc1], "no MessagePack"),
        (vec![0x91; 3_000], "nested deeper than 64"),
    ] {
        victim
            .refused(&with(&section), Status::InvalidArgument, text)
            .await;
    }
    let mut raw = victim.open().await;
    raw.send(&with(&entries(64))).await;
    assert_reply(&raw.next().await.unwrap(), 1, &[1]);
}

#[tokio::test]
async fn parameters_that_are_none_are_refused_before_they_are_decoded() {
    let victim = Victim::new().await;
    let add = id_of("add");
    for (body, text) in [
        (vec![], "it ends inside of a value"),
        (vec![0xc0], "an array"),
        (vec![0x07], "an array"),
        (b"\xa1a".to_vec(), "an array"),
        (vec![0xc1], "no MessagePack"),
        (vec![0x90], "parameter 1, `a`, is missing"),
        (vec![0x92, 1, 0xff], "b"),
        (vec![0x92, 1, 0xa1, b'x'], "b"),
        (vec![0x92, 1, 2, 3], "1 bytes are left after the value"),
        (vec![0x93, 1, 2], "said to have 3, but 2 bytes are left"),
        (
            vec![0xdc, 0xff, 0xff, 1],
            "said to have 65535, but 1 bytes are left",
        ),
        (
            vec![0xdd, 0xff, 0xff, 0xff, 0xff],
            "more than 1048576 values",
        ),
        (
            vec![0xdf, 0xff, 0xff, 0xff, 0xff],
            "more than 1048576 values",
        ),
        (
            vec![0x91, 0xdb, 0xff, 0xff, 0xff, 0xff],
            "said to have 4294967295",
        ),
        (
            vec![0x91, 0xc6, 0xff, 0xff, 0xff, 0xff],
            "said to have 4294967295",
        ),
        (
            vec![0x91, 0xc9, 0xff, 0xff, 0xff, 0xff, 1],
            "said to have 4294967296",
        ),
        (vec![0x91; 65], "nested deeper than 64"),
        (vec![0x91; 100_000], "nested deeper than 64"),
        ([0x81, 0x01].repeat(100_000), "nested deeper than 64"),
        (
            params(vec![0xdd, 0, 0x10, 0, 1], &vec![0xc0; 0x10_0001]),
            "more than 1048576 values",
        ),
        (b"\x82\xa1a\x01\x01\x02".to_vec(), "in a key"),
        (b"\x81\xa1a\x01".to_vec(), "parameter 2, `b`, is missing"),
    ] {
        victim
            .refused(&call(1, add, &body), Status::InvalidArgument, text)
            .await;
    }
    assert_eq!(victim.handlers.added.load(SeqCst), 0);
}

#[tokio::test]
async fn parameters_by_name_are_found_among_strangers_but_not_among_too_many() {
    let victim = Victim::new().await;
    let named = |strangers: u16| {
        let mut body = [&[0xde][..], &(strangers + 2).to_be_bytes()].concat();
        for n in 0..strangers {
            body.extend([
                0xa3,
                b'x',
                b'a' + (n >> 5) as u8 % 26,
                b'0' + (n & 31) as u8,
                0xc0,
            ]);
        }
        body.extend(b"\xa1b\x02\xa1a\x01");
        call(1, id_of("add"), &body)
    };
    let mut raw = victim.open().await;
    raw.send(&named(1_022)).await;
    assert_reply(&raw.next().await.unwrap(), 1, &[3]);
    let text = "1025 parameters by name, more than 1024 are not taken";
    victim
        .refused(&named(1_023), Status::InvalidArgument, text)
        .await;
}

#[tokio::test]
async fn a_recursive_type_is_decoded_as_deep_as_is_allowed_and_no_deeper() {
    let victim = Victim::new().await;
    let eval = id_of("eval");
    let nested = |depth: usize| {
        let expr = [b"\x81\xa3Neg".repeat(depth), b"\x81\xa3Lit\x07".to_vec()].concat();
        params(vec![0x91], &expr)
    };
    let mut raw = victim.open().await;
    raw.send(&call(1, eval, &nested(62))).await;
    assert_reply(&raw.next().await.unwrap(), 1, &[7]);
    for body in [
        nested(63),
        nested(1_000),
        nested(100_000),
        params(vec![0x91], &[0x81, 0x01].repeat(63)),
        params(vec![0x91], &params([0x81, 0x01].repeat(62), &[0xc0])),
        params(vec![0x91], &params([0x91].repeat(62), &[0xc0])),
        params(vec![0x91], b"\x81\xa3Neg"),
        params(vec![0x91], b"\x82\xa3Lit\x01\xa3Neg\x02"),
        params(vec![0x91], b"\x81\xa3Pow\x01"),
        params(vec![0x91], b"\xa3Neg"),
    ] {
        victim
            .refused(
                &call(1, eval, &body),
                Status::InvalidArgument,
                "Target/eval",
            )
            .await;
    }
}

#[tokio::test]
async fn a_reason_is_readable_even_for_a_peer_that_goes_on_sending() {
    let victim = Victim::new().await;
    let mut raw = victim.open().await;
    raw.send(&frame(99, 0, 0, 0, &[])).await;
    raw.send(&vec![0xee; 2 << 20]).await;
    expect_end(&mut raw, 1, "frame kind 99 is not known").await;
    victim.lives().await;
}

#[tokio::test]
async fn a_one_way_call_for_a_stream_is_not_worked_on() {
    let victim = Victim::new().await;
    let mut raw = crate::raw::Raw::silent(victim.address()).await;
    let hello = b"\x82\xadstream_window\xcd\x10\x00\xb1connection_window\xcd\x10\x00";
    raw.send(&[crate::raw::PREFACE, &frame(1, 0, 0, 0, hello)].concat())
        .await;
    assert_eq!(raw.next().await.unwrap().kind, 1);
    let mut bytes = call(1, id_of("count"), &[0x91, 3]);
    // STREAM_OUT and ONE_WAY.
    bytes[5] = 0x05;
    raw.send(&bytes).await;
    raw.send(&call(2, id_of("ping"), &[0x90])).await;
    assert_reply(&raw.next().await.unwrap(), 2, &[1]);
}
