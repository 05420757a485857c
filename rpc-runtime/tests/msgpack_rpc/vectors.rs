//! The byte vectors of docs/msgpack-rpc.md against what both sides write and read.

use rpc_runtime::msgpack_rpc::ErrorForm;
use rpc_runtime::{Channel, Limits, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::service::{CalculatorClient, LONG, serve, serve_with};

const PAGE: &str = include_str!("../../../docs/msgpack-rpc.md");

/// Hex, `"text"`, and a comment behind `#`.
fn vector(name: &str) -> Vec<u8> {
    let mark = format!("```vector {name}\n");
    let (_, rest) = PAGE
        .split_once(&mark)
        .unwrap_or_else(|| panic!("docs/msgpack-rpc.md has no vector {name}"));
    let mut bytes = Vec::new();
    for line in rest.split("```").next().unwrap().lines() {
        let line = line.split('#').next().unwrap();
        for (index, piece) in line.split('"').enumerate() {
            if index % 2 == 1 {
                bytes.extend(piece.as_bytes());
                continue;
            }
            let hex = piece.split_whitespace();
            bytes.extend(hex.map(|byte| u8::from_str_radix(byte, 16).unwrap()));
        }
    }
    bytes
}

async fn expect(stream: &mut TcpStream, name: &str) {
    let expected = vector(name);
    let mut found = vec![0; expected.len()];
    let read = timeout(LONG, stream.read_exact(&mut found)).await;
    read.expect("as many bytes come").unwrap();
    assert_eq!(found, expected, "`{name}` in docs/msgpack-rpc.md");
}

async fn connect(address: &str) -> TcpStream {
    let host = address.strip_prefix("tcp://").unwrap();
    TcpStream::connect(host).await.unwrap()
}

/// `divide(1, 0)` as request 8.
const DIVIDE: &[u8] = b"\x94\x00\x08\xa6divide\x92\x01\x00";

#[tokio::test]
async fn a_server_reads_and_writes_the_vectors() {
    let (serving, desk) = serve().await;
    let mut stream = connect(serving.address()).await;
    stream.write_all(&vector("notification")).await.unwrap();
    stream.write_all(&vector("request")).await.unwrap();
    expect(&mut stream, "answer").await;
    assert_eq!(*desk.notes.lock().unwrap(), ["hi"]);
    stream.write_all(DIVIDE).await.unwrap();
    expect(&mut stream, "error").await;

    let server = Server::new().msgpack_rpc_errors(ErrorForm::Pair);
    let (serving, _) = serve_with(server, Limits::default()).await;
    let mut stream = connect(serving.address()).await;
    stream.write_all(DIVIDE).await.unwrap();
    expect(&mut stream, "error-pair").await;
}

#[tokio::test]
async fn a_client_writes_and_reads_the_vectors() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("msgpack-rpc+tcp://{}", listener.local_addr().unwrap());
    let channel = Channel::connect(&address).await.unwrap();
    let client = CalculatorClient::new(channel);
    let (mut stream, _) = listener.accept().await.unwrap();
    client.note("hi".into()).await.unwrap();
    expect(&mut stream, "notification").await;
    // The notification took a number of our own; so do five calls that are given up.
    for _ in 2..7 {
        drop(client.add(0, 0).start());
        let mut skipped = [0; 10];
        stream.read_exact(&mut skipped).await.unwrap();
    }
    let call = client.add(2, 3).start();
    expect(&mut stream, "request").await;
    stream.write_all(&vector("answer")).await.unwrap();
    assert_eq!(call.await.unwrap(), 5);
    for name in ["error", "error-pair"] {
        let call = client.divide(1.0, 0.0).start();
        let mut skipped = [0; 29];
        stream.read_exact(&mut skipped).await.unwrap();
        let mut answer = vector(name);
        answer[2] = skipped[2];
        stream.write_all(&answer).await.unwrap();
        let failure = call.await.expect_err("that is an error").to_string();
        assert!(failure.contains("1 cannot be divided by zero"), "{failure}");
    }
}
