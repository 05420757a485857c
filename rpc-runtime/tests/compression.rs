//! Compressed bodies: only between those who read them, only where asked for, and never larger than is allowed.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test a panic is the report"
)]

mod raw;

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};
use rpc_runtime::{
    BlockingChannel, Channel, ErrorKind, Items, Limits, Server, Serving, Status, Stream,
    rpc_service, stream,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use raw::{LONG, PREFACE, Raw, call, frame};

#[rpc_service]
trait Press {
    async fn echo(&self, text: String) -> String;
    async fn print(&self, size: u64) -> String;
    async fn pages(&self, count: u64, size: u64) -> impl Stream<Item = String>;
    async fn bind(&self, pages: Items<String>) -> u64;
}

struct Printer;

impl Press for Printer {
    async fn echo(&self, text: String) -> String {
        text
    }
    async fn print(&self, size: u64) -> String {
        "news ".repeat(size as usize / 5)
    }
    async fn pages(&self, count: u64, size: u64) -> impl Stream<Item = String> {
        stream::iter((0..count).map(move |_| "news ".repeat(size as usize / 5)))
    }
    async fn bind(&self, mut pages: Items<String>) -> u64 {
        let mut length = 0;
        while let Some(page) = pages.next().await {
            length += page.unwrap().len() as u64;
        }
        length
    }
}

async fn server(compress: bool, limits: Limits) -> Serving {
    let server = Server::new().limits(limits).compress(compress);
    let server = server.add(PressService::new(Printer));
    server.listen("tcp://127.0.0.1:0").await.unwrap()
}

/// A HELLO that reads compressed bodies, or does not.
fn hello(reads: bool) -> Vec<u8> {
    let mut body =
        b"\x83\xa9max_frame\xce\x00\x40\x00\x00\xabmax_message\xce\x00\x40\x00\x00".to_vec();
    body.extend(b"\xa8features");
    body.extend(if reads { &b"\x91\xa3lz4"[..] } else { b"\x90" });
    frame(1, 0, 0, 0, &body)
}

async fn open(address: &str, reads: bool, announces: bool) -> Raw {
    let mut raw = Raw::silent(address).await;
    raw.send(&[PREFACE, &hello(reads)].concat()).await;
    let theirs = raw.next().await.unwrap();
    let said = String::from_utf8_lossy(&theirs.rest).into_owned();
    assert_eq!(said.contains("lz4"), announces, "{said}");
    raw
}

fn id_of(method: &str) -> u64 {
    let methods = PressClient::SERVICE.methods;
    methods
        .iter()
        .find(|known| known.name == method)
        .unwrap()
        .id
}

fn compressed_call(id: u32, method: &str, packed: &[u8]) -> Vec<u8> {
    let mut bytes = call(id, id_of(method), packed);
    bytes[5] |= 0x40;
    bytes
}

/// An LZ4 frame of blocks of zeros; `said` is the size that it claims.
fn bomb(blocks: usize, said: u64) -> Vec<u8> {
    let info = FrameInfo::new()
        .block_size(BlockSize::Max64KB)
        .block_mode(BlockMode::Independent)
        .content_size(Some(said));
    let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(&[0; 64 << 10]).unwrap();
    encoder.flush().unwrap();
    let one = encoder.get_ref().clone();
    let (front, block) = one.split_at(15);
    [front, &block.repeat(blocks), &[0; 4]].concat()
}

fn packed(body: &[u8]) -> Vec<u8> {
    let info = FrameInfo::new().content_size(Some(body.len() as u64));
    let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn text_params(length: usize) -> Vec<u8> {
    let mut params = vec![0x91, 0xdb];
    params.extend((length as u32).to_be_bytes());
    params.resize(6 + length, b'x');
    params
}

#[tokio::test]
async fn an_answer_is_compressed_for_who_reads_it_if_the_server_was_asked_to() {
    for (compress, reads, is_packed) in [
        (true, true, true),
        (true, false, false),
        (false, true, false),
    ] {
        let serving = server(compress, Limits::default()).await;
        let mut raw = open(serving.address(), reads, compress).await;
        raw.send(&call(1, id_of("print"), &[0x91, 0xcd, 0x20, 0]))
            .await;
        let answer = raw.next().await.unwrap();
        assert_eq!((answer.kind, answer.bytes[5] & 0x40 != 0), (3, is_packed));
        if is_packed {
            assert!(answer.rest.len() < 200, "{}", answer.rest.len());
            let mut body = Vec::new();
            std::io::Read::read_to_end(&mut FrameDecoder::new(&answer.rest[..]), &mut body)
                .unwrap();
            assert_eq!(body.len(), 8_190 + 3);
        } else {
            assert_eq!(answer.rest.len(), 8_190 + 3);
        }
        // Small ones stay as they are.
        raw.send(&call(2, id_of("print"), &[0x91, 0xcd, 0x08, 0]))
            .await;
        assert_eq!(raw.next().await.unwrap().bytes[5], 0);
    }
}

/// Of docs/wire.md. Made by the tool `lz4` (`lz4 -9 --content-size`) from `["abc" × 1700]`.
const BY_ANOTHER_HAND: &str = "04224d186c40f0130000000000003b240000007f91da13ec6162630300ffffffffffffffffffffffffffffffffffffffe45062636162630000000017b3bde9";

#[test]
fn the_page_shows_what_another_implementation_makes() {
    let page = include_str!("../../docs/wire.md");
    let (_, block) = page.split_once("```bytes compressed-body\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let code = block.lines().map(|line| line.split('#').next().unwrap());
    let hex: String = code.flat_map(str::split_whitespace).collect();
    assert_eq!(hex, BY_ANOTHER_HAND);
}

#[tokio::test]
async fn what_another_implementation_compressed_is_read() {
    let bytes: Vec<u8> = (0..BY_ANOTHER_HAND.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&BY_ANOTHER_HAND[at..at + 2], 16).unwrap())
        .collect();
    let serving = server(true, Limits::default()).await;
    let mut raw = open(serving.address(), false, true).await;
    raw.send(&compressed_call(1, "echo", &bytes)).await;
    let answer = raw.next().await.unwrap();
    assert_eq!(answer.kind, 3, "{answer:?}");
    assert_eq!(&answer.rest[3..], "abc".repeat(1_700).as_bytes());
}

/// Passes bytes on and counts them.
async fn counted(address: &str) -> (String, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = format!("tcp://{}", listener.local_addr().unwrap());
    let (total, there) = (Arc::new(AtomicU64::new(0)), address.replace("tcp://", ""));
    let counter = total.clone();
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut server = TcpStream::connect(there).await.unwrap();
        let (mut up, mut down) = ([0; 4_096], [0; 4_096]);
        loop {
            let count = tokio::select! {
                Ok(count @ 1..) = client.read(&mut up) => {
                    server.write_all(&up[..count]).await.unwrap();
                    count
                }
                Ok(count @ 1..) = server.read(&mut down) => {
                    client.write_all(&down[..count]).await.unwrap();
                    count
                }
                else => return,
            };
            counter.fetch_add(count as u64, SeqCst);
        }
    });
    (here, total)
}

#[tokio::test]
async fn calls_answers_and_items_of_all_sizes_arrive_as_they_were_and_cost_less() {
    let serving = server(true, Limits::default()).await;
    let (address, bytes) = counted(serving.address()).await;
    let client = PressClient::from(
        Channel::builder()
            .compress(true)
            .connect(&address)
            .await
            .unwrap(),
    );
    let mut sent = 0;
    for size in [0, 1, 4_090, 4_100, 65_530, 65_540, 300_000, 3_000_000] {
        let text = "to and fro ".repeat(size / 11 + 1);
        assert_eq!(client.echo(text.clone()).await.unwrap(), text);
        sent += 2 * text.len() as u64;
    }
    for size in [5, 5_000, 100_000, 1_000_000] {
        let (mut pages, mut count) = (client.pages(3, size).await.unwrap(), 0);
        while let Some(page) = timeout(LONG, pages.next()).await.unwrap() {
            assert_eq!(page.unwrap().len() as u64, size);
            sent += size;
            count += 1;
        }
        assert_eq!(count, 3);
        let page = "y".repeat(size as usize);
        let upload = client.bind(stream::iter(vec![page; 3]));
        assert_eq!(upload.await.unwrap(), 3 * size);
        sent += 3 * size;
    }
    let cost = bytes.load(SeqCst);
    assert!(cost * 20 < sent, "{cost} bytes for {sent}");
}

#[tokio::test]
async fn a_synchronous_client_gets_nothing_compressed() {
    let serving = server(true, Limits::default()).await;
    let address = serving.address().to_owned();
    let work = move || {
        let client = PressBlockingClient::from(BlockingChannel::connect(&address).unwrap());
        client.print(100_000).unwrap()
    };
    let text = tokio::task::spawn_blocking(work).await.unwrap();
    assert_eq!(text.len(), 100_000);
}

#[tokio::test]
async fn the_limit_is_on_what_a_body_is_without_its_compression() {
    let limits = Limits {
        max_message_bytes: 100_000,
        ..Limits::default()
    };
    let serving = server(true, limits).await;
    let mut raw = open(serving.address(), false, true).await;
    for (id, length) in [(1, 99_993), (2, 99_994), (3, 99_995)] {
        raw.send(&compressed_call(id, "bind", &packed(&[]))).await;
        raw.next().await.unwrap().fail();
        raw.send(&compressed_call(id, "echo", &packed(&text_params(length))))
            .await;
        let mut answer = raw.next().await.unwrap();
        if length + 6 <= 100_000 {
            assert_eq!(answer.kind, 3);
            while answer.bytes[5] & 0x08 != 0 {
                answer = raw.next().await.unwrap();
            }
        } else {
            let (status, execution, text) = answer.fail();
            assert_eq!((status, execution), (Status::ResourceExhausted.code(), 1));
            let expected = "it has 100001 bytes without its compression, 100000 are allowed";
            assert!(text.contains(expected), "{text}");
        }
    }
}

#[tokio::test]
async fn bombs_are_refused_before_they_go_off_and_the_connection_goes_on() {
    let serving = server(true, Limits::default()).await;
    let mut raw = open(serving.address(), false, true).await;
    let (ten, honest) = (10_000_000_000, 64 << 10);
    let nested = packed(&packed(&text_params(50_000)));
    for (bytes, status, text) in [
        (
            bomb(35, ten),
            Status::ResourceExhausted,
            "it has 10000000000 bytes",
        ),
        (
            bomb(35, u64::MAX),
            Status::ResourceExhausted,
            "it has 18446744073709551615 bytes",
        ),
        (
            bomb(10_000, 10),
            Status::InvalidArgument,
            "does not hold the 10 bytes that it says",
        ),
        (
            bomb(10_000, honest),
            Status::InvalidArgument,
            "does not hold",
        ),
        (nested, Status::InvalidArgument, "parameters"),
        (vec![], Status::InvalidArgument, "shorter than the front"),
        (
            bomb(1, honest)[..200].to_vec(),
            Status::InvalidArgument,
            "in the middle of a block",
        ),
        (
            [bomb(1, honest), vec![0]].concat(),
            Status::InvalidArgument,
            "1 bytes behind its end mark",
        ),
        (
            [bomb(1, honest), bomb(1, honest)].concat(),
            Status::InvalidArgument,
            "behind its end mark",
        ),
    ] {
        assert!(bytes.len() < 4 << 20);
        raw.send(&compressed_call(7, "echo", &bytes)).await;
        let (code, execution, said) = raw.next().await.unwrap().fail();
        assert_eq!((code, execution), (status.code(), 1), "{said}");
        assert!(said.contains(text), "{said}");
    }
    raw.send(&call(8, id_of("echo"), &[0x91, 0xa1, b'x'])).await;
    assert_eq!(raw.next().await.unwrap().kind, 3);
}

#[tokio::test]
async fn a_bomb_from_a_server_fails_its_call_and_nothing_else() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    let play = async move {
        let mut raw = Raw::new(listener.accept().await.unwrap().0);
        raw.bytes(8).await;
        assert_eq!(raw.next().await.unwrap().kind, 1);
        raw.send(&hello(true)).await;
        for body in [bomb(35, 10_000_000_000), bomb(35, 7), packed(b"\xa4fine")] {
            let id = raw.next().await.unwrap().id;
            raw.send(&frame(3, 0x40, 0, id, &body)).await;
        }
        raw.rest().await;
    };
    tokio::spawn(play);
    let channel = Channel::builder().compress(true);
    let client = PressClient::from(channel.connect(&address).await.unwrap());
    for kind in [ErrorKind::ResourceExhausted, ErrorKind::DataLoss] {
        let failure = client.print(1).await.unwrap_err();
        assert_eq!(failure.kind(), kind, "{failure}");
    }
    assert_eq!(client.print(1).await.unwrap(), "fine");
}
