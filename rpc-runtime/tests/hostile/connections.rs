//! Too many connections, and none left to accept with.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use rpc_runtime::{Channel, ErrorKind, Limits, Server};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::raw::{LONG, PREFACE, Raw};
use crate::{Bystander, TargetClient, TargetService, Victim};

#[tokio::test]
async fn connections_of_one_address_beyond_the_limit_are_told_so_and_a_free_place_is_taken_again() {
    let limits = Limits {
        max_connections_per_ip: Some(2),
        ..Limits::default()
    };
    let victim = Victim::with(limits).await;
    let second = victim.open().await;
    let refused = Channel::connect(victim.address()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ResourceExhausted);
    let text = "127.0.0.1 has 2 connections to this server, more are not taken";
    assert!(refused.to_string().contains(text), "{refused}");
    drop(second);
    let again = async { while Channel::connect(victim.address()).await.is_err() {} };
    timeout(LONG, again).await.expect("the place is free again");
    victim.lives().await;
}

#[tokio::test]
async fn a_flood_of_connections_past_the_limit_leaves_those_within_it_alone() {
    let limits = Limits {
        max_connections: 20,
        // Those within the limit answer no PING, and must keep their places however long the flood takes.
        server_ping_after: LONG * 100,
        idle_timeout: LONG * 100,
        ..Limits::default()
    };
    let victim = Victim::with(limits).await;
    let mut inside = Vec::new();
    for _ in 1..20 {
        inside.push(victim.open().await);
    }
    for _ in 0..2_000 {
        let mut raw = Raw::silent(victim.address()).await;
        // Who says nothing is waited for, to be told in its own words.
        raw.send(PREFACE).await;
        let text = String::from_utf8_lossy(&raw.rest().await).into_owned();
        assert!(text.contains("this server has 20 connections"), "{text}");
    }
    victim.lives().await;
    drop(inside);
    let again = async { while Channel::connect(victim.address()).await.is_err() {} };
    timeout(LONG, again).await.expect("accepting goes on");
}

/// Set for the process that runs out of file descriptors.
const CHILD: &str = "RPC_TEST_FEW_DESCRIPTORS";

#[tokio::test]
async fn a_server_without_free_file_descriptors_goes_on_when_some_are_free_again() {
    if std::env::var_os(CHILD).is_some() {
        return serve_until_told().await;
    }
    let this = std::env::current_exe().unwrap();
    let name =
        "connections::a_server_without_free_file_descriptors_goes_on_when_some_are_free_again";
    let mut child = Command::new("sh")
        .args([
            "-c",
            "ulimit -n 64 && exec \"$0\" --exact --nocapture \"$1\"",
        ])
        .arg(this)
        .arg(name)
        .env(CHILD, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = lines
        .find_map(|line| {
            line.unwrap()
                .split_once("LISTENS ")
                .map(|(_, at)| at.to_owned())
        })
        .expect("the server says where it listens");
    let host = address.strip_prefix("tcp://").unwrap().to_owned();
    let early = TargetClient::connect(&address).await.unwrap();
    // The kernel completes connections that nobody accepts; there are more of them than descriptors.
    let mut flood = Vec::new();
    for _ in 0..100 {
        flood.push(TcpStream::connect(&host).await.unwrap());
    }
    let starving = timeout(
        std::time::Duration::from_millis(300),
        Channel::connect(&address),
    );
    assert!(starving.await.is_err(), "nobody can be accepted");
    assert_eq!(early.ping().await.unwrap(), 1, "who is in is served");
    drop(flood);
    let late = timeout(LONG, TargetClient::connect(&address)).await;
    let late = late.expect("the server accepts again").unwrap();
    assert_eq!(late.ping().await.unwrap(), 1);
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    assert!(child.wait().unwrap().success());
}

async fn serve_until_told() {
    let serving = Server::new()
        .add(TargetService::new(Bystander::default()))
        .listen("tcp://127.0.0.1:0")
        .await
        .unwrap();
    println!("LISTENS {}", serving.address());
    let told = tokio::task::spawn_blocking(|| std::io::stdin().lines().next());
    assert!(told.await.unwrap().is_some());
}
