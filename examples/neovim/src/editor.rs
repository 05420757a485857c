//! A Neovim without a screen, in a process of its own.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

/// How long Neovim may take to open its socket.
const START: Duration = Duration::from_secs(10);

/// A Neovim that listens on a Unix socket. It ends when this is dropped.
pub(crate) struct Editor {
    directory: PathBuf,
    /// Killed when dropped.
    _process: Child,
}

impl Editor {
    /// Starts one and waits until it listens.
    pub(crate) async fn start() -> io::Result<Self> {
        let directory = fresh_directory()?;
        let started = Command::new("nvim")
            .args(["--headless", "--clean", "--listen"])
            .arg(directory.join("socket"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        let process = match started {
            Ok(process) => process,
            Err(error) => {
                let _ = std::fs::remove_dir(&directory);
                return Err(explain(error));
            }
        };
        let mut editor = Self {
            directory,
            _process: process,
        };
        editor.wait().await?;
        Ok(editor)
    }

    /// Where a client connects to.
    pub(crate) fn address(&self) -> String {
        format!("msgpack-rpc+unix://{}", self.socket().display())
    }

    fn socket(&self) -> PathBuf {
        self.directory.join("socket")
    }

    async fn wait(&mut self) -> io::Result<()> {
        let until = Instant::now() + START;
        while Instant::now() < until {
            if tokio::task::spawn_blocking({
                let socket = self.socket();
                move || std::os::unix::net::UnixStream::connect(socket).is_ok()
            })
            .await?
            {
                return Ok(());
            }
            if let Some(status) = self._process.try_wait()? {
                return Err(io::Error::other(format!("nvim ended at once: {status}")));
            }
            sleep(Duration::from_millis(10)).await;
        }
        Err(io::Error::other(format!(
            "nvim did not open {} within {START:?}",
            self.socket().display()
        )))
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// A directory that nobody else has: other users of this machine must not find the socket before us.
fn fresh_directory() -> io::Result<PathBuf> {
    for number in 0..1_000 {
        let name = format!("rpc-neovim-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        match DirBuilder::new().mode(0o700).create(&directory) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => return other.map(|()| directory),
        }
    }
    Err(io::Error::other("there is no free name for a directory"))
}

fn explain(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::NotFound {
        return io::Error::other(
            "this example drives Neovim, and there is no `nvim` in the PATH: install it (`apt-get install neovim`, \
             `dnf install neovim`, `brew install neovim`) and run this again",
        );
    }
    io::Error::other(format!("nvim cannot be started: {error}"))
}
