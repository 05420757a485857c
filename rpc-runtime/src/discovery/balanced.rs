//! A channel to many instances: picks one for each call, and another one when that cannot be reached.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::backoff::random;
use crate::client::{Direct, Profile, Tried, first_over};
use crate::discovery::directory::{Directory, Listing};
#[cfg(not(feature = "registry"))]
use crate::discovery::no_registries;
#[cfg(feature = "registry")]
use crate::discovery::{FileRegistry, RemoteRegistry};
use crate::discovery::{ListRegistry, Registry};
use crate::error::{Error, Result};
use crate::link::Link;
use crate::transport::{Address, Options, Target};

/// The instances of one service, with a connection to each that was needed.
pub(crate) struct Balanced {
    service: String,
    directory: Directory,
    members: Mutex<Members>,
    picker: Picker,
    profile: Arc<Profile>,
}

struct Members {
    /// Tells when the directory has a newer list.
    seen: watch::Receiver<Listing>,
    by_address: HashMap<String, Arc<Direct>>,
    order: Arc<[Arc<Direct>]>,
}

/// Who is next.
#[derive(Debug)]
enum Picker {
    /// One after the other; starts anywhere, so that many clients do not start at the same instance.
    RoundRobin(AtomicUsize),
    Random,
}

impl Balanced {
    /// Opens an address that names a registry.
    pub(crate) fn open(target: Target, options: &Options, profile: Arc<Profile>) -> Result<Self> {
        let named = match &target {
            Target::Registry(_, named) | Target::File(_, named) => named.clone(),
            _ => None,
        };
        let service = match (
            named,
            profile.service().map(|service| service.name),
            &target,
        ) {
            (Some(named), _, _) => named,
            (None, Some(service), _) => service.to_owned(),
            (None, None, Target::List(_)) => String::new(),
            (None, None, _) => {
                return Err(Error::invalid(
                    "the service is missing: write registry://host:port/package.Service, or connect with a generated client",
                ));
            }
        };
        let registry: Arc<dyn Registry> = match target {
            Target::List(addresses) => {
                Arc::new(ListRegistry::new(addresses.iter().map(Address::to_string))?)
            }
            #[cfg(feature = "registry")]
            Target::File(path, _) => Arc::new(FileRegistry::new(path)),
            #[cfg(feature = "registry")]
            Target::Registry(address, _) => Arc::new(RemoteRegistry::at(address)),
            #[cfg(not(feature = "registry"))]
            Target::File(..) | Target::Registry(..) => return Err(no_registries()),
            Target::Direct(address) => Arc::new(ListRegistry::new([address.to_string()])?),
        };
        Ok(Self::start(
            registry,
            service,
            options.balance.as_deref(),
            profile,
        ))
    }

    /// Begins to follow the list.
    pub(crate) fn start(
        registry: Arc<dyn Registry>,
        service: String,
        balance: Option<&str>,
        profile: Arc<Profile>,
    ) -> Self {
        let directory = Directory::start(registry, service.clone());
        let mut seen = directory.subscribe();
        seen.mark_changed();
        let members = Members {
            seen,
            by_address: HashMap::new(),
            order: Arc::from([]),
        };
        let picker = match balance {
            Some("random") => Picker::Random,
            _ => Picker::RoundRobin(AtomicUsize::new(random() as usize)),
        };
        Self {
            service,
            directory,
            members: Mutex::new(members),
            picker,
            profile,
        }
    }

    /// Waits for the first list and for a connection to one of the instances.
    ///
    /// # Errors
    ///
    /// `unavailable`: the registry does not answer, it knows no instance, or none of them can be reached.
    pub(crate) async fn first(&self) -> Result<()> {
        self.link(&mut Tried::default()).await.map(|_| ())
    }

    /// A connection that a call may begin on at once, if whoever is next has one.
    pub(crate) fn ready(&self) -> Option<Arc<Link>> {
        let members = self.members();
        let start = self.picker.peek();
        // An instance that is known to be down is passed over; one that nobody called yet is worth a slower start.
        let from_start =
            (0..members.len()).map(|offset| &members[start.wrapping_add(offset) % members.len()]);
        let link = from_start
            .into_iter()
            .find(|member| member.is_usable())?
            .ready()?;
        self.picker.next();
        Some(link)
    }

    /// A connection to an instance that this call has not tried, opened if need be.
    ///
    /// # Errors
    ///
    /// `unavailable`, not sent, with the reason of the last attempt.
    pub(crate) async fn link(&self, tried: &mut Tried) -> Result<Arc<Link>> {
        self.directory.first().await;
        let members = self.members();
        if members.is_empty() {
            return Err(self.nobody());
        }
        tried.instances = members.len();
        let start = self.picker.next();
        let mut last: Option<Error> = None;
        // First who is usable and was not tried, then everybody: the registry may know better than our last attempt.
        for pass in [true, false] {
            for offset in 0..members.len() {
                let member = &members[start.wrapping_add(offset) % members.len()];
                let was_tried = tried
                    .peers
                    .iter()
                    .any(|peer| **peer == *member.address().to_string());
                if pass && (was_tried || !member.is_usable()) {
                    continue;
                }
                match member.link().await {
                    Ok(link) => return Ok(link),
                    Err(error) => last = Some(first_over(last, error)),
                }
            }
        }
        Err(last.unwrap_or_else(|| self.nobody()))
    }

    fn nobody(&self) -> Error {
        let listing = self.directory.listing();
        match listing.error {
            Some(error) if !listing.known => {
                let text = format!(
                    "nobody is known to provide {}: {}",
                    self.service,
                    error.message()
                );
                Error::unavailable(text).with_peer(error.peer().unwrap_or_default())
            }
            _ => Error::unavailable(format!(
                "the registry knows no instance of {}; is a provider running and registered?",
                self.service
            )),
        }
    }

    /// The connections to the latest list; those to instances that left it close when their calls have ended.
    pub(crate) fn members(&self) -> Arc<[Arc<Direct>]> {
        let mut members = self.lock();
        if members.seen.has_changed().unwrap_or(false) {
            let listing = members.seen.borrow_and_update().clone();
            members.update(&listing, &self.profile);
        }
        members.order.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Members {
    fn update(&mut self, listing: &Listing, profile: &Arc<Profile>) {
        let mut known = std::mem::take(&mut self.by_address);
        let mut order = Vec::with_capacity(listing.instances.len());
        for instance in listing.instances.iter() {
            // A provider that was started again stands there twice until the lease of its earlier life runs out.
            if self.by_address.contains_key(&instance.address) {
                continue;
            }
            // An address that this version cannot call (of a transport to come) is as good as not there.
            let Ok(address) = Address::parse(&instance.address) else {
                continue;
            };
            let direct = known
                .remove(&instance.address)
                .unwrap_or_else(|| Arc::new(Direct::new(address, profile.clone())));
            order.push(direct.clone());
            self.by_address.insert(instance.address.clone(), direct);
        }
        self.order = order.into();
    }
}

impl Picker {
    /// Who would be next; [`Picker::next`] moves on.
    fn peek(&self) -> usize {
        match self {
            Self::RoundRobin(counter) => counter.load(Ordering::Relaxed),
            Self::Random => random() as usize,
        }
    }

    fn next(&self) -> usize {
        match self {
            Self::RoundRobin(counter) => counter.fetch_add(1, Ordering::Relaxed),
            Self::Random => random() as usize,
        }
    }
}

impl fmt::Debug for Balanced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at ", self.service)?;
        f.debug_list()
            .entries(
                self.members()
                    .iter()
                    .map(|member| member.address().to_string()),
            )
            .finish()
    }
}
