//! The two processes of one run: a fresh server, and the load beside it. Both end with the run, whatever happens.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use bench_load::{Outcome, Result};

/// Set by Ctrl-C.
pub(crate) static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// What both processes are told, and how long the load may take.
pub(crate) struct Run<'a> {
    pub(crate) program: &'a Path,
    pub(crate) unix: bool,
    pub(crate) arguments: Vec<String>,
    pub(crate) server_cpu: Option<usize>,
    pub(crate) client_cpu: Option<usize>,
    pub(crate) patience: Duration,
}

impl Run<'_> {
    /// Starts a server, lets the load run, and ends both.
    pub(crate) fn outcome(&self) -> Result<Outcome> {
        let server = Server::start(self)?;
        let mut command = Command::new(self.program);
        command.arg("load").args(&self.arguments);
        command.arg(format!("address={}", server.address));
        command.arg(format!("control={}", server.control));
        command.args(self.client_cpu.map(|cpu| format!("cpu={cpu}")));
        let output = finish(&mut command, self.patience)?;
        Ok(serde_json::from_str(&output)?)
    }
}

/// A child that is ended when it is dropped.
struct Owned(Child);

impl Drop for Owned {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Server {
    _child: Owned,
    address: String,
    control: String,
    socket: Option<PathBuf>,
}

impl Server {
    fn start(run: &Run<'_>) -> Result<Self> {
        let mut command = Command::new(run.program);
        command.arg("serve").args(&run.arguments);
        command.args(run.server_cpu.map(|cpu| format!("cpu={cpu}")));
        let socket = run.unix.then(free_path);
        if let Some(path) = &socket {
            command
                .arg("unix=true")
                .arg(format!("address={}", path.display()));
        }
        // It ends by itself when its standard input closes, should this process be killed.
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = Owned(command.spawn()?);
        let stdout = child.0.stdout.take().ok_or("the server has no output")?;
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            let read = BufReader::new(stdout).read_line(&mut line);
            let _ = sender.send(read.map(|_| line));
        });
        let line = receiver
            .recv_timeout(START)
            .map_err(|_| "the server did not start in time")??;
        let (address, control) = line
            .trim()
            .split_once(' ')
            .ok_or("the server ended before it listened")?;
        Ok(Self {
            address: address.to_owned(),
            control: control.to_owned(),
            _child: child,
            socket,
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(path) = &self.socket {
            let _ = fs::remove_file(path);
        }
    }
}

fn free_path() -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    env::temp_dir().join(format!("rpc-bench-{}-{number}.sock", std::process::id()))
}

/// Waits for a process no longer than `patience`, and gives what it printed.
pub(crate) fn finish(command: &mut Command, patience: Duration) -> Result<String> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = Owned(command.spawn()?);
    let texts = [read(child.0.stdout.take()), read(child.0.stderr.take())];
    let end = Instant::now() + patience;
    let status = loop {
        if let Some(status) = child.0.try_wait()? {
            break status;
        }
        if INTERRUPTED.load(Ordering::Relaxed) {
            return Err("interrupted".into());
        }
        if Instant::now() > end {
            return Err(format!("not done after {} s", patience.as_secs()).into());
        }
        thread::sleep(Duration::from_millis(20));
    };
    let [output, errors] = texts.map(|text| text.join().unwrap_or_default());
    if status.success() {
        return Ok(output);
    }
    let last: Vec<&str> = errors.trim().lines().rev().take(12).collect();
    let last: Vec<&str> = last.into_iter().rev().collect();
    Err(format!("ended with {status}: {}", last.join("\n")).into())
}

fn read(stream: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        if let Some(mut stream) = stream {
            let _ = stream.read_to_string(&mut text);
        }
        text
    })
}

/// CPU time of all children that have ended so far, in seconds: other programs do not disturb it much.
pub(crate) fn children_cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the name, which stands in parentheses and may hold anything.
    let rest = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |index: usize| {
        fields
            .get(index)
            .and_then(|field| field.parse::<f64>().ok())
            .unwrap_or(0.0)
    };
    (ticks(13) + ticks(14)) / 100.0
}

/// Time for a server to listen.
const START: Duration = Duration::from_secs(10);
