//! Lookup for callers without an async runtime: asks when it must, remembers what it heard.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::client::BlockingChannel;
use crate::client::CallOptions;
use crate::discovery::{Snapshot, file};
use crate::error::{Error, Result};
use crate::generated::registry::v1::RegistryBlockingClient;
use crate::transport::{Address, Target};

/// How long a list is believed before the registry is asked again; the last one is kept when that fails.
const FRESH: Duration = Duration::from_secs(5);

/// Time for an answer of the registry.
const ANSWER: Duration = Duration::from_secs(5);

/// Where to look, and what was found last.
pub(crate) struct BlockingLookup {
    place: Place,
    service: String,
    last: Mutex<Last>,
}

#[derive(Debug)]
enum Place {
    File(PathBuf),
    Registry(Address),
}

#[derive(Default)]
struct Last {
    addresses: Vec<Address>,
    asked: Option<Instant>,
    registry: Option<RegistryBlockingClient>,
}

impl BlockingLookup {
    pub(crate) fn new(target: Target, service: Option<&str>) -> Result<Self> {
        let (place, named) = match target {
            Target::File(path, named) => (Place::File(path), named),
            Target::Registry(address, named) => (Place::Registry(address), named),
            Target::Direct(_) | Target::List(_) => {
                return Err(Error::invalid("the address names no registry"));
            }
        };
        let service = named.or(service.map(str::to_owned)).ok_or_else(|| {
            Error::invalid("the service is missing: write registry://host:port/package.Service, or connect with a generated client")
        })?;
        Ok(Self {
            place,
            service,
            last: Mutex::default(),
        })
    }

    /// The addresses as they were heard last.
    pub(crate) fn addresses(&self) -> Result<Vec<Address>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.asked.is_some_and(|asked| asked.elapsed() < FRESH) && !last.addresses.is_empty() {
            return Ok(last.addresses.clone());
        }
        match self.ask(&mut last) {
            Ok(snapshot) => {
                let found: Vec<_> = snapshot
                    .instances
                    .iter()
                    .filter_map(|instance| Address::parse(&instance.address).ok())
                    .collect();
                if !found.is_empty() {
                    last.addresses = found;
                }
            }
            Err(error) if last.addresses.is_empty() => return Err(error),
            Err(error) => log::warn!("going on with the last list of {}: {error}", self.service),
        }
        last.asked = Some(Instant::now());
        if last.addresses.is_empty() {
            let text = format!(
                "the registry knows no instance of {}; is a provider running and registered?",
                self.service
            );
            return Err(Error::unavailable(text));
        }
        Ok(last.addresses.clone())
    }

    fn ask(&self, last: &mut Last) -> Result<Snapshot> {
        match &self.place {
            Place::File(path) => file::read(path, &self.service),
            Place::Registry(address) => {
                let down = |error: Error| {
                    let text = format!(
                        "the registry at {address} does not answer: {}",
                        error.message()
                    );
                    Error::unavailable(text).with_peer(address.to_string())
                };
                if last.registry.is_none() {
                    let channel = BlockingChannel::connect(address.to_string()).map_err(down)?;
                    let options = CallOptions::new().timeout(ANSWER);
                    last.registry =
                        Some(RegistryBlockingClient::new(channel.with_options(options)));
                }
                let Some(registry) = &last.registry else {
                    return Err(Error::unavailable("no registry"));
                };
                registry
                    .lookup(&self.service)
                    .map(Snapshot::from)
                    .map_err(|failure| down(failure.into()))
            }
        }
    }
}

impl fmt::Debug for BlockingLookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by {:?}", self.service, self.place)
    }
}
