//! A link that goes dead without a word, in network namespaces that the test makes: needs root and iproute2.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test a panic is the report"
)]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rpc_runtime::{Channel, ErrorKind, Execution, Limits, Server, rpc_service};
use tokio::time::{sleep, timeout};

#[rpc_service]
trait Island {
    async fn ping(&self) -> u64;
    async fn never(&self);
}

struct Far;

impl Island for Far {
    async fn ping(&self) -> u64 {
        1
    }
    async fn never(&self) {
        std::future::pending().await
    }
}

/// Says what a process started by this test is to be.
const ROLE: &str = "RPC_TEST_HALF_OPEN";
const ADDRESS: &str = "tcp://10.213.77.1:7077";

/// Two network namespaces with one cable between them; removed when dropped.
struct Cable {
    near: String,
    far: String,
}

impl Cable {
    fn new() -> Self {
        let id = std::process::id();
        let (near, far) = (format!("rpc-near-{id}"), format!("rpc-far-{id}"));
        let cable = Self { near, far };
        let (near, far) = (&cable.near, &cable.far);
        let ends = (format!("rn{id}"), format!("rf{id}"));
        ip(&["netns", "add", near]);
        ip(&["netns", "add", far]);
        ip(&[
            "-n", near, "link", "add", &ends.0, "type", "veth", "peer", "name", &ends.1, "netns",
            far,
        ]);
        for (space, end, address) in [
            (near, &ends.0, "10.213.77.2/24"),
            (far, &ends.1, "10.213.77.1/24"),
        ] {
            ip(&["-n", space, "addr", "add", address, "dev", end]);
            ip(&["-n", space, "link", "set", end, "up"]);
            ip(&["-n", space, "link", "set", "lo", "up"]);
        }
        cable
    }

    /// Drops every packet from now on; neither side is told.
    fn cut(&self) {
        let id = std::process::id();
        // Taking the link down would tell the sockets; a route into nothing does not, on either side.
        for (space, end, other) in [
            (&self.near, format!("rn{id}"), "10.213.77.1"),
            (&self.far, format!("rf{id}"), "10.213.77.2"),
        ] {
            ip(&[
                "-n",
                space,
                "neigh",
                "replace",
                other,
                "lladdr",
                "02:00:00:00:00:99",
                "dev",
                &end,
                "nud",
                "permanent",
            ]);
        }
    }

    fn start(&self, space: &str, role: &str) -> Child {
        Command::new("ip")
            .args(["netns", "exec", space])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", THE_TEST])
            .env(ROLE, role)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        for space in [&self.near, &self.far] {
            let _ = Command::new("ip").args(["netns", "del", space]).status();
        }
    }
}

/// Whether namespaces cannot be made here, and need not be: `.ci/run` says that they must be. What was left out is said
/// aloud.
fn left_out() -> bool {
    let required = std::env::var_os("RPC_PEERS").is_some_and(|value| value == "required");
    let name = format!("rpc-probe-{}", std::process::id());
    let probe = |verb| {
        let made = Command::new("ip").args(["netns", verb, &name]).output();
        made.is_ok_and(|output| output.status.success())
    };
    if required || (probe("add") && probe("del")) {
        return false;
    }
    eprintln!("left out: network namespaces need root and iproute2");
    true
}

fn ip(arguments: &[&str]) {
    let hint =
        "this test makes network namespaces: it needs root, iproute2 and a kernel that has them";
    let output = Command::new("ip").args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("`ip` cannot be run ({error}); {hint}"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success(),
        "`ip {}`: {said}; {hint}",
        arguments.join(" ")
    );
}

/// The lines that a process says with a mark in front.
struct Lines(BufReader<std::process::ChildStdout>);

impl Lines {
    fn of(child: &mut Child) -> Self {
        Self(BufReader::new(child.stdout.take().unwrap()))
    }

    fn next(&mut self) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            assert_ne!(
                self.0.read_line(&mut line).unwrap(),
                0,
                "it ended too early"
            );
            if let Some((_, said)) = line.split_once("SAYS ") {
                return said.trim_end().to_owned();
            }
        }
    }
}

const THE_TEST: &str = "a_call_over_a_dead_link_fails_in_time_and_the_server_frees_the_connection";

#[test]
fn a_call_over_a_dead_link_fails_in_time_and_the_server_frees_the_connection() {
    match std::env::var(ROLE).as_deref() {
        Ok("server") => return run(serve()),
        Ok("client") => return run(call()),
        _ => {}
    }
    if left_out() {
        return;
    }
    let cable = Cable::new();
    let mut server = cable.start(&cable.far, "server");
    let mut server_lines = Lines::of(&mut server);
    assert_eq!(server_lines.next(), "listening");
    let mut client = cable.start(&cable.near, "client");
    let mut client_lines = Lines::of(&mut client);
    assert_eq!(client_lines.next(), "calling");
    assert_eq!(server_lines.next(), "connected");
    cable.cut();
    assert_eq!(client_lines.next(), "failed in time");
    assert_eq!(server_lines.next(), "freed in time");
    assert!(client.wait().unwrap().success());
    assert!(server.wait().unwrap().success());
}

fn run(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(work);
}

async fn serve() {
    // The defaults are 60 s and 20 s.
    let limits = Limits {
        server_ping_after: Duration::from_secs(2),
        server_ping_timeout: Duration::from_secs(2),
        min_ping_interval: Duration::from_secs(1),
        ..Limits::default()
    };
    let server = Server::new().limits(limits).add(IslandService::new(Far));
    let serving = server.listen(ADDRESS).await.unwrap();
    println!("SAYS listening");
    let wait = async |count| {
        while serving.connections() != count {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(20), wait(1)).await.unwrap();
    println!("SAYS connected");
    timeout(Duration::from_secs(20), wait(0))
        .await
        .expect("the connection is freed");
    println!("SAYS freed in time");
}

async fn call() {
    // The defaults of the client find it out within 20 s: 15 s of silence, 5 s for the answer. Here it is 2 s and 1 s.
    let limits = Limits {
        client_ping_after: Duration::from_secs(2),
        client_ping_timeout: Duration::from_secs(1),
        ..Limits::default()
    };
    let channel = Channel::builder()
        .limits(limits)
        .connect(ADDRESS)
        .await
        .unwrap();
    let client = IslandClient::from(channel);
    assert_eq!(client.ping().await.unwrap(), 1);
    println!("SAYS calling");
    let failure = timeout(Duration::from_secs(20), client.never().no_timeout())
        .await
        .expect("the caller is told within 20 s")
        .unwrap_err();
    assert_eq!(
        (failure.kind(), failure.execution()),
        (ErrorKind::Unavailable, Execution::Unknown),
        "{failure}"
    );
    assert!(
        failure.to_string().contains("does not answer PING"),
        "{failure}"
    );
    println!("SAYS failed in time");
}
