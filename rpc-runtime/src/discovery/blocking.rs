//! Lookup for callers without an async runtime: asks when it must, remembers what it heard.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
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
    /// Held while asking, so that many threads ask once.
    registry: Mutex<Option<RegistryBlockingClient>>,
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
            registry: Mutex::default(),
        })
    }

    /// The addresses as they were heard last. While one thread asks again, the others go on with those.
    pub(crate) fn addresses(&self) -> Result<Vec<Address>> {
        if let Some(addresses) = self.known(Some(FRESH)) {
            return Ok(addresses);
        }
        let mut registry = match self.registry.try_lock() {
            Ok(registry) => registry,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => match self.known(None) {
                Some(addresses) => return Ok(addresses),
                None => self.registry.lock().unwrap_or_else(PoisonError::into_inner),
            },
        };
        // Whoever held it has asked meanwhile.
        if let Some(addresses) = self.known(Some(FRESH)) {
            return Ok(addresses);
        }
        let answer = self.ask(&mut registry);
        let mut last = self.last();
        match answer {
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

    /// What was heard last, if it was heard within this time.
    fn known(&self, within: Option<Duration>) -> Option<Vec<Address>> {
        let last = self.last();
        let fresh =
            within.is_none_or(|within| last.asked.is_some_and(|asked| asked.elapsed() < within));
        (fresh && !last.addresses.is_empty()).then(|| last.addresses.clone())
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, registry: &mut Option<RegistryBlockingClient>) -> Result<Snapshot> {
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
                if registry.is_none() {
                    let channel = BlockingChannel::connect(address.to_string()).map_err(down)?;
                    let options = CallOptions::new().timeout(ANSWER).no_retry();
                    *registry = Some(RegistryBlockingClient::new(channel.with_options(options)));
                }
                let Some(registry) = registry else {
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
