//! The server under attack, as a process of its own, and a caller who was there before.

use std::alloc::System;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

use rpc_runtime::{BlockingChannel, Limits, Server, Stream, rpc_service, stream};

/// What is attacked.
#[rpc_service]
pub(crate) trait Target {
    async fn ping(&self) -> u64;
    async fn echo(&self, text: String) -> String;
    async fn blob(&self, size: u64) -> String;
    async fn never(&self);
    async fn count(&self, up_to: u64) -> impl Stream<Item = u64>;
    /// Connections that are open.
    async fn connections(&self) -> u64;
    /// Bytes that are allocated and not freed.
    async fn live(&self) -> u64;
}

struct Fortress;

/// Counts every byte: what the process has resident also depends on what its allocator keeps.
#[global_allocator]
static ALLOCATED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

static OPEN: std::sync::OnceLock<tokio::sync::watch::Receiver<u64>> = std::sync::OnceLock::new();

impl Target for Fortress {
    async fn ping(&self) -> u64 {
        1
    }
    async fn echo(&self, text: String) -> String {
        text
    }
    async fn blob(&self, size: u64) -> String {
        "x".repeat(size.min(4_000_000) as usize)
    }
    async fn never(&self) {
        std::future::pending().await
    }
    async fn count(&self, up_to: u64) -> impl Stream<Item = u64> {
        stream::iter(0..up_to)
    }
    async fn connections(&self) -> u64 {
        OPEN.get().map_or(0, |open| *open.borrow())
    }
    async fn live(&self) -> u64 {
        let stats = ALLOCATED.stats();
        (stats.bytes_allocated - stats.bytes_deallocated) as u64
    }
}

/// The limits of the victim: the defaults, with waits that suit the suite.
pub(crate) fn limits() -> Limits {
    Limits {
        handshake_timeout: Duration::from_secs(2),
        frame_timeout: Duration::from_secs(2),
        write_stall_timeout: Duration::from_secs(2),
        max_connections: 400,
        ..Limits::default()
    }
}

/// Serves until its standard input ends.
pub(crate) fn serve() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let Ok(runtime) = runtime else {
        return ExitCode::FAILURE;
    };
    let served = runtime.block_on(async {
        let server = Server::new()
            .limits(limits())
            .compress(true)
            .add(TargetService::new(Fortress));
        let serving = server.listen("tcp://127.0.0.1:0").await?;
        println!("{}", serving.address());
        let (tell, open) = tokio::sync::watch::channel(0);
        let _ = OPEN.set(open);
        let mut ended =
            tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
        while !ended.is_finished() {
            tell.send_replace(serving.connections() as u64);
            let pause = tokio::time::sleep(Duration::from_millis(20));
            tokio::select! { _ = &mut ended => break, () = pause => {} }
        }
        rpc_runtime::Result::<()>::Ok(())
    });
    if let Err(error) = served {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// The server process; it ends when this is dropped.
pub(crate) struct Victim {
    child: Child,
    address: String,
    witness: TargetBlockingClient,
}

/// Nothing here waits on purpose; what takes this long hangs.
pub(crate) const LONG: Duration = Duration::from_secs(20);

impl Victim {
    pub(crate) fn start() -> Result<Self, String> {
        let this = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut child = Command::new(this)
            .arg("--serve")
            // glibc keeps freed memory up to twice the largest block that it ever gave back, which hides what a server
            // keeps behind what its allocator keeps. Fixed thresholds show the server alone.
            .env(
                "GLIBC_TUNABLES",
                "glibc.malloc.mmap_threshold=131072:glibc.malloc.trim_threshold=131072",
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("the server process cannot be started: {error}"))?;
        let mut address = String::new();
        let output = child
            .stdout
            .take()
            .ok_or("no output of the server process")?;
        let read = BufReader::new(output).read_line(&mut address);
        read.map_err(|error| error.to_string())?;
        let address = address.trim().to_owned();
        let channel = BlockingChannel::connect(&address).map_err(|error| error.to_string())?;
        let witness = TargetBlockingClient::from(channel);
        Ok(Self {
            child,
            address,
            witness,
        })
    }

    /// `host:port`.
    pub(crate) fn host(&self) -> &str {
        self.address.strip_prefix("tcp://").unwrap_or(&self.address)
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Uses everything once, as an honest caller would.
    pub(crate) fn warm_up(&self) -> Result<(), String> {
        let mut clients = Vec::new();
        for _ in 0..380 {
            let channel =
                BlockingChannel::connect(&self.address).map_err(|error| error.to_string())?;
            clients.push(TargetBlockingClient::from(channel));
        }
        for client in &clients {
            let text = "y".repeat(100_000);
            client.echo(text).map_err(|error| error.to_string())?;
            client.blob(1_000_000).map_err(|error| error.to_string())?;
        }
        // Streams that wait for their reader.
        let mut streams = Vec::new();
        for client in &clients {
            for _ in 0..16 {
                streams.push(client.count(u64::MAX).map_err(|error| error.to_string())?);
            }
        }
        drop(streams);
        // The largest message that is allowed: the allocator keeps more for the next one from then on.
        let largest = "z".repeat((16 << 20) - 16);
        for client in clients.iter().take(4) {
            client
                .echo(largest.clone())
                .map_err(|error| error.to_string())?;
        }
        drop(clients);
        self.until_alone()
    }

    /// A caller who was there before must not notice.
    pub(crate) fn serves_others(&self) -> Result<(), String> {
        for _ in 0..5 {
            let answer = self.witness.ping();
            answer.map_err(|error| format!("another connection is not served: {error}"))?;
        }
        Ok(())
    }

    /// Waits until only the witness is connected.
    pub(crate) fn until_alone(&self) -> Result<(), String> {
        let begun = Instant::now();
        loop {
            let open = self.witness.connections();
            let open = open.map_err(|error| error.to_string())?;
            if open <= 1 {
                return Ok(());
            }
            if begun.elapsed() > LONG {
                return Err(format!("{open} connections stay open"));
            }
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// Bytes of memory that the server process has resident.
    pub(crate) fn memory(&self) -> Result<u64, String> {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        let kilobytes = status.lines().find_map(|line| {
            line.strip_prefix("VmRSS:")?
                .trim()
                .strip_suffix(" kB")?
                .parse::<u64>()
                .ok()
        });
        kilobytes
            .map(|kilobytes| kilobytes << 10)
            .ok_or_else(|| format!("{path} has no VmRSS"))
    }

    /// What it keeps when what is going on has come to its end: no more than `wanted`, or whatever it is after `patience`.
    pub(crate) fn settled(&self, wanted: Kept, patience: Duration) -> Result<Kept, String> {
        let begun = Instant::now();
        loop {
            let kept = self.kept()?;
            let enough = kept.resident <= wanted.resident && kept.live <= wanted.live;
            if enough || begun.elapsed() > patience {
                return Ok(kept);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// What it keeps at the moment.
    pub(crate) fn kept(&self) -> Result<Kept, String> {
        let live = self.witness.live().map_err(|error| error.to_string())?;
        let resident = self.memory()?;
        Ok(Kept { resident, live })
    }
}

/// Bytes of memory of the server process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    /// In memory, with what its allocator keeps for later.
    pub(crate) resident: u64,
    /// Allocated and not freed.
    pub(crate) live: u64,
}

impl Drop for Victim {
    fn drop(&mut self) {
        // Its input ends, and so does it.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
