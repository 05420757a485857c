//! Processes of the shop: what each runs, and how the story starts and kills them.

use std::env;
use std::process::Stdio;
use std::time::Duration;

use rpc_runtime::discovery::{RegistryServer, RemoteRegistry};
use rpc_runtime::{Error, ErrorKind, Result, Server};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// How long the registry believes in a process that is silent. Short, so that the story is; 15 s are usual.
pub const LEASE: Duration = Duration::from_secs(3);

/// Runs the registry until it is killed; prints its address.
pub async fn registry() -> Result<()> {
    let serving = Server::new()
        .add(RegistryServer::new().skeleton())
        .listen("tcp://127.0.0.1:0")
        .await?;
    println!("{}", serving.address());
    serving.wait().await;
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
    serving.wait().await;
    Ok(())
}

/// A process of this program; killed when dropped.
pub struct Process {
    /// What the story calls it.
    pub name: String,
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
        Ok(Self {
            name: name.to_owned(),
            address,
            child,
        })
    }

    /// Ends it with SIGKILL: it has no chance to say goodbye.
    pub async fn kill(&mut self) {
        let _ = self.child.kill().await;
    }
}
