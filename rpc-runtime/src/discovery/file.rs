//! `file:///path`: a registry that is a text file, read again when it changes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::discovery::list::read_only;
use crate::discovery::{BoxFuture, Cursor, Instance, Lease, Registry, Renewal, Snapshot};
use crate::error::{Error, ErrorKind, Result};
use crate::transport::Address;

/// How often the file is looked at.
const PERIOD: Duration = Duration::from_secs(1);

/// A text file: one instance a line, `address` for every service or `service address` for one; `#` starts a comment.
///
/// ```text
/// # the payment machines
/// shop.payment.Payment   tcp://10.0.0.4:7001
/// shop.payment.Payment   tcp://10.0.0.5:7001
/// tcp://10.0.0.9:7100
/// ```
///
/// It is looked at every second. A file with a mistake changes nothing; the error names the line.
#[derive(Clone, Debug)]
pub struct FileRegistry {
    path: PathBuf,
}

impl FileRegistry {
    /// Makes it; the file is read with the first lookup.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    async fn read_in_background(&self, service: &str) -> Result<Snapshot> {
        let (path, service) = (self.path.clone(), service.to_owned());
        match spawn_blocking(move || read(&path, &service)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Error::unavailable("the runtime is shutting down")),
        }
    }
}

/// Reads the file now.
pub(super) fn read(path: &Path, service: &str) -> Result<Snapshot> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Error::unavailable(format!("the registry file {}: {error}", path.display()))
    })?;
    let instances = parse(path, &text, service)?;
    // A change of the text is a change of the list; FNV-1a tells them apart without keeping the text.
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let cursor = text.bytes().fold(0xcbf2_9ce4_8422_2325, step);
    Ok(Snapshot {
        instances,
        cursor: Cursor(cursor),
    })
}

fn parse(path: &Path, text: &str, service: &str) -> Result<Vec<Instance>> {
    let mut instances = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        let words: Vec<&str> = line.split_whitespace().collect();
        let address = match words[..] {
            [] => continue,
            [address] => address,
            [name, address] if name == service => address,
            [_, _] => continue,
            _ => {
                return Err(mistake(
                    path,
                    index,
                    "a line is `address` or `service address`",
                ));
            }
        };
        let address =
            Address::parse(address).map_err(|error| mistake(path, index, error.message()))?;
        instances.push(Instance::new(service, address.to_string()));
    }
    Ok(instances)
}

fn mistake(path: &Path, index: usize, why: &str) -> Error {
    Error::new(
        ErrorKind::InvalidArgument,
        format!("{}:{}: {why}", path.display(), index + 1),
    )
}

impl Registry for FileRegistry {
    fn register<'a>(&'a self, _: &'a Instance, _: Duration) -> BoxFuture<'a, Lease> {
        Box::pin(async { Err(read_only("a registry file")) })
    }

    fn renew<'a>(&'a self, _: &'a Lease) -> BoxFuture<'a, Renewal> {
        Box::pin(async { Err(read_only("a registry file")) })
    }

    fn deregister<'a>(&'a self, _: &'a Lease) -> BoxFuture<'a, ()> {
        Box::pin(async { Err(read_only("a registry file")) })
    }

    fn snapshot<'a>(&'a self, service: &'a str) -> BoxFuture<'a, Snapshot> {
        Box::pin(self.read_in_background(service))
    }

    fn changed<'a>(&'a self, service: &'a str, cursor: Cursor) -> BoxFuture<'a, Snapshot> {
        Box::pin(async move {
            loop {
                sleep(PERIOD).await;
                let now = self.read_in_background(service).await?;
                if now.cursor != cursor {
                    return Ok(now);
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_for_every_service_or_for_one() {
        let text = "# all\ntcp://a:1\n\nx.Y tcp://b:2 # one\nz.Z tcp://c:3\n";
        let found: Vec<_> = parse(Path::new("f"), text, "x.Y")
            .unwrap()
            .into_iter()
            .map(|instance| instance.address)
            .collect();
        assert_eq!(found, ["tcp://a:1", "tcp://b:2"]);
    }

    #[test]
    fn a_mistake_names_the_line() {
        let error = parse(Path::new("dir/f"), "tcp://a:1\nb:2\n", "x.Y").unwrap_err();
        assert!(
            error
                .message()
                .starts_with("dir/f:2: `b:2` is no address: it has no scheme, write `tcp://b:2`"),
            "{error}"
        );
    }
}
