//! Processes of the shop: what each runs, and how the story starts and kills them.

use std::env;
use std::process::Stdio;
use std::time::Duration;

use rpc_runtime::discovery::{RegistryServer, RemoteRegistry};
use rpc_runtime::{Error, ErrorKind, Result, Server, Serving};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

/// How long the registry believes in a process that is silent. Short, so that the story is; 15 s are usual.
pub const LEASE: Duration = Duration::from_secs(3);

/// Set for processes that the story starts.
const STARTED_BY_STORY: &str = "SHOP_STARTED_BY_STORY";

/// Runs the registry until it is killed; prints its address.
pub async fn registry() -> Result<()> {
    let serving = Server::new()
        .add(RegistryServer::new().skeleton())
        .listen("tcp://127.0.0.1:0")
        .await?;
    println!("{}", serving.address());
    until_story_ends(&serving).await;
    Ok(())
}

/// Runs a provider until it is killed; prints its address.
pub async fn provider(server: Server, registry: &str) -> Result<()> {
    let registry = RemoteRegistry::new(registry)?;
    let serving = server
        .register(registry)
        .lease(LEASE)
        .listen("tcp://127.0.0.1:0")
        .await?;
    println!("{}", serving.address());
    until_story_ends(&serving).await;
    Ok(())
}

/// Serves for ever; a process that the story started ends with it, however that ends.
async fn until_story_ends(serving: &Serving) {
    if env::var_os(STARTED_BY_STORY).is_none() {
        return serving.wait().await;
    }
    // Nothing is ever written there: reading ends when the story's end of the pipe is gone.
    let _ = tokio::io::stdin().read(&mut [0]).await;
}

/// A process of this program; killed when dropped.
pub struct Process {
    /// Where it listens.
    pub address: String,
    child: Child,
}

impl Process {
    /// Starts this program again in a role, and waits until it listens.
    pub async fn start(name: &str, arguments: &[&str]) -> Result<Self> {
        let failed = |error: std::io::Error| {
            Error::new(ErrorKind::Internal, format!("cannot start {name}: {error}"))
        };
        let program = env::current_exe().map_err(failed)?;
        let mut child = Command::new(program)
            .args(arguments)
            .env(STARTED_BY_STORY, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let ended = || {
            Error::new(
                ErrorKind::Internal,
                format!("{name} ended before it listened"),
            )
        };
        let output = child.stdout.take().ok_or_else(ended)?;
        let address = BufReader::new(output)
            .lines()
            .next_line()
            .await
            .map_err(failed)?
            .ok_or_else(ended)?;
        Ok(Self { address, child })
    }

    /// Ends it with SIGKILL: it has no chance to say goodbye.
    pub async fn kill(&mut self) {
        let _ = self.child.kill().await;
    }
}
