//! Nothing is left of connections that came and went: no file descriptor, no task. One test, as it counts the process.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test a panic is the report"
)]

mod raw;

use std::time::Duration;

use rpc_runtime::{Channel, Server, rpc_service};
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};

use raw::{HELLO, LONG, PREFACE, Raw, call, frame};

#[rpc_service]
trait Host {
    async fn ping(&self) -> u64;
    async fn never(&self);
}

struct Inn;

impl Host for Inn {
    async fn ping(&self) -> u64 {
        1
    }
    async fn never(&self) {
        std::future::pending().await
    }
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// One guest that leaves in its own way.
async fn visit(address: &str, number: usize) {
    let methods = HostClient::SERVICE.methods;
    let never = methods.iter().find(|known| known.name == "never").unwrap();
    match number % 7 {
        0 => drop(Raw::silent(address).await),
        1 => {
            let mut raw = Raw::silent(address).await;
            raw.send(&PREFACE[..3]).await;
        }
        2 => {
            // Closing with unread input resets the connection.
            let mut raw = Raw::silent(address).await;
            raw.send(&[PREFACE, HELLO].concat()).await;
        }
        3 => {
            let (mut raw, _) = Raw::open(address).await;
            raw.send(&call(1, never.id, &[0x90])).await;
        }
        4 => {
            let (mut raw, _) = Raw::open(address).await;
            raw.send(&call(1, never.id, &[0x90])[..15]).await;
        }
        5 => {
            let (mut raw, _) = Raw::open(address).await;
            raw.send(
                &[
                    call(1, never.id, &[0x90]),
                    frame(9, 0, 0, 1, &[]),
                    vec![0xff; 4],
                ]
                .concat(),
            )
            .await;
        }
        _ => {
            let client = HostClient::from(Channel::connect(address).await.unwrap());
            assert_eq!(client.ping().await.unwrap(), 1);
            drop(client.never().start());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_connections_leave_no_descriptor_and_no_task_behind() {
    let serving = Server::new()
        .add(HostService::new(Inn))
        .listen("tcp://127.0.0.1:0")
        .await
        .unwrap();
    for number in 0..14 {
        visit(serving.address(), number).await;
    }
    let settle = |most: (usize, usize)| async move {
        // Last words may take a second.
        let wait = async {
            while descriptors() > most.0 || tasks() > most.1 {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(LONG, wait).await
    };
    let gone = async {
        while serving.connections() > 0 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LONG, gone).await.expect("all guests are gone");
    sleep(Duration::from_millis(1_500)).await;
    let before = (descriptors(), tasks());
    for number in 0..10_000 {
        visit(serving.address(), number).await;
    }
    let settled = settle(before).await;
    let after = (descriptors(), tasks());
    assert!(
        settled.is_ok(),
        "descriptors and tasks: {before:?} before, {after:?} after"
    );
}
