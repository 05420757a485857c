//! Servers as processes of their own, which write down every execution before they answer.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rpc_runtime::{Context, Server, rpc_service};
use tokio::signal::unix::{SignalKind, signal};

const SERVERS: usize = 3;
const ADDRESS: &str = "RPC_TEST_ADDRESS";
const LOG: &str = "RPC_TEST_LOG";

#[rpc_service(package = "processes")]
pub(crate) trait Ledger {
    /// Must not run twice.
    async fn add(&self, call: u64, pause_ms: u64) -> u64;
    /// May run twice.
    #[rpc(idempotent)]
    async fn put(&self, call: u64, pause_ms: u64) -> u64;
}

struct Keeper(File);

impl Keeper {
    async fn work(&self, call: u64, pause_ms: u64) -> u64 {
        let repeated = Context::current().unwrap().is_repeated();
        // One write to the kernel, which keeps it whatever becomes of the process.
        let line = format!("{call} {}\n", u8::from(repeated));
        assert_eq!((&self.0).write(line.as_bytes()).unwrap(), line.len());
        if pause_ms > 0 {
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        }
        call
    }
}

impl Ledger for Keeper {
    async fn add(&self, call: u64, pause_ms: u64) -> u64 {
        self.work(call, pause_ms).await
    }
    async fn put(&self, call: u64, pause_ms: u64) -> u64 {
        self.work(call, pause_ms).await
    }
}

/// Serves until SIGTERM, if this process was started by [`Fleet`]; ends at once when its parent does.
pub(crate) fn serve_if_child() {
    let Ok(address) = std::env::var(ADDRESS) else {
        return;
    };
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(3);
    });
    let path = std::env::var(LOG).unwrap();
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).unwrap();
        let server = || Server::new().add(LedgerService::new(Keeper(log.try_clone().unwrap())));
        let mut serving = loop {
            match server().listen(&address).await {
                Ok(serving) => break serving,
                // The predecessor may not be quite gone.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        };
        println!("\nready");
        terminate.recv().await;
        serving.shutdown(Duration::from_secs(10)).await;
    });
    std::process::exit(0);
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Signal {
    Kill,
    Stop,
    Continue,
    Terminate,
}

/// The servers; they end with this process, or when this is dropped.
pub(crate) struct Fleet {
    ports: Vec<u16>,
    log: PathBuf,
    children: Vec<Child>,
}

impl Fleet {
    pub(crate) fn start(name: &str) -> Self {
        // Held together, so that no two are the same.
        let free: Vec<_> = (0..SERVERS)
            .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
            .collect();
        let ports = free
            .iter()
            .map(|listener| listener.local_addr().unwrap().port())
            .collect();
        drop(free);
        let log =
            std::env::temp_dir().join(format!("rpc-processes-{name}-{}.log", std::process::id()));
        let _ = std::fs::remove_file(&log);
        let mut fleet = Self {
            ports,
            log,
            children: Vec::new(),
        };
        for at in 0..SERVERS {
            let child = fleet.launch(at);
            fleet.children.push(child);
        }
        fleet
    }

    pub(crate) fn len(&self) -> usize {
        self.children.len()
    }

    pub(crate) fn addresses(&self) -> Vec<String> {
        self.ports
            .iter()
            .map(|port| format!("127.0.0.1:{port}"))
            .collect()
    }

    /// Starts a server and waits until it listens.
    fn launch(&self, at: usize) -> Child {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_server", "--nocapture"])
            .env(ADDRESS, format!("tcp://127.0.0.1:{}", self.ports[at]))
            .env(LOG, &self.log)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = lines.map_while(Result::ok).any(|line| line == "ready");
        assert!(ready, "server {at} ended before it listened");
        child
    }

    pub(crate) fn signal(&self, at: usize, signal: Signal) {
        let name = match signal {
            Signal::Kill => "KILL",
            Signal::Stop => "STOP",
            Signal::Continue => "CONT",
            Signal::Terminate => "TERM",
        };
        let command = format!("kill -{name} {}", self.children[at].id());
        assert!(
            Command::new("sh")
                .args(["-c", &command])
                .status()
                .unwrap()
                .success()
        );
    }

    /// SIGTERM. Whether the server has ended in time and in order.
    pub(crate) fn stop(&mut self, at: usize) -> bool {
        self.signal(at, Signal::Terminate);
        let limit = Instant::now() + Duration::from_secs(15);
        while Instant::now() < limit {
            if let Some(status) = self.children[at].try_wait().unwrap() {
                return status.success();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }

    /// Starts a successor on the same port.
    pub(crate) fn restart(&mut self, at: usize) {
        let _ = self.children[at].kill();
        self.children[at].wait().unwrap();
        self.children[at] = self.launch(at);
    }

    /// Ends all servers. What they ran: how often each call, and how often of that not as a repetition.
    pub(crate) fn end(mut self) -> HashMap<u64, (u32, u32)> {
        self.kill_all();
        let log = std::fs::read_to_string(&self.log).unwrap();
        let mut ran: HashMap<u64, (u32, u32)> = HashMap::new();
        for line in log.lines() {
            let (call, repeated) = line.split_once(' ').unwrap();
            let count = ran.entry(call.parse().unwrap()).or_default();
            count.0 += 1;
            count.1 += u32::from(repeated == "0");
        }
        ran
    }

    fn kill_all(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.kill_all();
        let _ = std::fs::remove_file(&self.log);
    }
}
