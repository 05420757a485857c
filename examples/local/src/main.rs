//! Two processes of one machine over a Unix socket: `cargo run -p local`.
//!
//! The program starts itself again as the server; the caller needs no async runtime.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::{env, process};

use rpc_runtime::{Server, rpc_service};

/// What one process asks another.
#[rpc_service]
pub trait Notes {
    /// The process that answers.
    async fn process(&self) -> u32;
    /// Turns a text around.
    async fn reverse(&self, text: &str) -> String;
}

struct Here;

impl Notes for Here {
    async fn process(&self) -> u32 {
        process::id()
    }

    async fn reverse(&self, text: &str) -> String {
        text.chars().rev().collect()
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    match env::args().nth(1) {
        Some(address) => serve(&address),
        None => call(),
    }
}

/// The other process: serves until its input ends.
#[tokio::main]
async fn serve(address: &str) -> Result<(), Box<dyn std::error::Error>> {
    let serving = Server::new()
        .add(NotesService::new(Here))
        .listen(address)
        .await?;
    println!("{}", serving.address());
    tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await??;
    Ok(())
}

/// This process: starts the other one, calls it, lets it end.
fn call() -> Result<(), Box<dyn std::error::Error>> {
    let socket = env::temp_dir().join(format!("rpc-local-{}.sock", process::id()));
    let mut other = Command::new(env::current_exe()?)
        .arg(format!("unix://{}", socket.display()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let output = other
        .stdout
        .take()
        .ok_or("the other process has no output")?;
    let address = BufReader::new(output)
        .lines()
        .next()
        .ok_or("the other process ended")??;

    let notes = NotesBlockingClient::connect(&address)?;
    println!(
        "process {} calls process {} over {address}",
        process::id(),
        notes.process()?
    );
    println!("{}", notes.reverse("!egassem a si siht")?);

    drop(other.stdin.take());
    other.wait()?;
    Ok(())
}
