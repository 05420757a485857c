//! Blocking clients of servers that go: they lose no call, and do not come back all at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rpc_runtime::{BlockingChannel, Execution};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

use crate::service::*;

/// The eight bytes before HELLO.
const PREFACE: usize = 8;

const HELLO: &[u8] = b"\x18\0\0\0\x01\0\0\0\0\0\0\0\x81\xa9max_frame\xce\x00\x40\x00\x00";

#[test]
fn a_blocking_client_loses_no_call_over_restarts_of_its_only_server() {
    let runtime = Runtime::new().unwrap();
    let worker = Worker::new("only");
    let mut serving = runtime.block_on(serve(&worker, "tcp://127.0.0.1:0"));
    let address = serving.address().to_owned();
    let client = WorkBlockingClient::new(BlockingChannel::connect(&address).unwrap());
    let (over, made) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let callers: Vec<_> = (0..3)
        .map(|_| {
            let (client, over, made) = (client.clone(), over.clone(), made.clone());
            thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    client.who().expect("a restart costs no call");
                    made.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let hundred_more = || {
        let goal = made.load(Ordering::Relaxed) + 100;
        let limit = Instant::now() + LONG;
        while made.load(Ordering::Relaxed) < goal && Instant::now() < limit {
            thread::sleep(Duration::from_millis(1));
        }
        assert!(made.load(Ordering::Relaxed) >= goal, "calls go on");
    };
    hundred_more();
    for _ in 0..2 {
        runtime.block_on(serving.shutdown(LONG));
        serving = runtime.block_on(serve(&worker, &address));
        hundred_more();
    }
    over.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.join().unwrap();
    }
    let (made, ran) = (
        made.load(Ordering::Relaxed),
        worker.ran.load(Ordering::Relaxed),
    );
    assert_eq!(made, ran, "none twice");
}

/// Takes a connection up to the first call, and gives it.
async fn greeted(listener: &TcpListener) -> TcpStream {
    let mut stream = listener.accept().await.unwrap().0;
    let mut head = [0; PREFACE + 4];
    stream.read_exact(&mut head).await.unwrap();
    let length = u32::from_le_bytes(head[PREFACE..].try_into().unwrap());
    stream
        .read_exact(&mut vec![0; length as usize])
        .await
        .unwrap();
    stream.write_all(HELLO).await.unwrap();
    stream
}

/// A final GOAWAY that refuses every call and wants its clients back within this time.
fn go_away(spread: Duration) -> Vec<u8> {
    let mut out = vec![0, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0];
    out.extend([0, 0, 0, 0, 0, 1, 0, 0]);
    out.extend((spread.as_millis() as u32).to_le_bytes());
    out.extend(b"\x91\xa5later");
    let length = out.len() as u32 - 4;
    out[..4].copy_from_slice(&length.to_le_bytes());
    out
}

#[test]
fn blocking_clients_come_back_over_the_time_that_their_server_asks_for() {
    const CLIENTS: usize = 12;
    const SPREAD: Duration = Duration::from_secs(2);
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let address = address.clone();
            thread::spawn(move || {
                let client = WorkBlockingClient::new(BlockingChannel::connect(address).unwrap());
                let failure = client.who().unwrap_err();
                // The second time the server hangs up, which may have run the call.
                assert_eq!(failure.execution(), Execution::Unknown, "{failure}");
            })
        })
        .collect();
    let last = runtime.block_on(async {
        let mut first = Vec::new();
        for _ in 0..CLIENTS {
            first.push(greeted(&listener).await);
        }
        let told = Instant::now();
        for stream in &mut first {
            let mut call = [0; 4];
            stream.read_exact(&mut call).await.unwrap();
            stream.write_all(&go_away(SPREAD)).await.unwrap();
        }
        for _ in 0..CLIENTS {
            let mut stream = greeted(&listener).await;
            let mut call = [0; 4];
            stream.read_exact(&mut call).await.unwrap();
        }
        told.elapsed()
    });
    for client in clients {
        client.join().unwrap();
    }
    // That all twelve draw less than a fifth of the time has a chance of one in two hundred million.
    assert!(last > SPREAD / 5, "the last was back after {last:?}");
}
