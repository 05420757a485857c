//! Keeps one instance on the list of a registry, for ever.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use crate::backoff::{Backoff, random, random_fraction};
use crate::descriptor::{ServiceDescriptor, is_framework};
use crate::discovery::instance::DEFAULT_WEIGHT;
use crate::discovery::{Instance, Lease, Registry, Renewal};
use crate::error::{Error, Result};
use crate::task;

/// How long an instance stays on a list without a word from it.
pub(crate) const LEASE: Duration = Duration::from_secs(15);

/// Renewals in one lease: two may be lost.
const RENEWALS: u32 = 3;

/// Pauses after a failed attempt; it never gives up.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Shortest pause between renewals, whatever time the registry grants.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// Time for leaving a list when the server stops: the registry may be down, and must not hold that up.
const LEAVE: Duration = Duration::from_secs(2);

/// What a server says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Advertised {
    pub(crate) address: Option<String>,
    pub(crate) lease: Duration,
}

impl Default for Advertised {
    fn default() -> Self {
        Self {
            address: None,
            lease: LEASE,
        }
    }
}

/// An instance and what registers it. Dropping it stops renewing: the lease then runs out.
#[derive(Debug)]
pub(crate) struct Provider {
    task: AbortHandle,
    leave: Option<oneshot::Sender<()>>,
    left: watch::Receiver<bool>,
}

impl Advertised {
    /// One instance for each service that is not the framework's.
    ///
    /// # Errors
    ///
    /// `invalid_argument` if nobody could call the address.
    fn records(
        &self,
        listening: &str,
        services: &[&'static ServiceDescriptor],
    ) -> Result<Vec<(Instance, Duration)>> {
        let address = self.address.as_deref().unwrap_or(listening);
        let host = address.strip_prefix("tcp://").unwrap_or_default();
        if host.starts_with("0.0.0.0:") || host.starts_with("[::]:") {
            return Err(Error::invalid(format!(
                "{address} is no address that others can call; say which one with Server::advertise(\"tcp://host:port\")"
            )));
        }
        let boot = random();
        let record = |service: &&'static ServiceDescriptor| {
            let instance = Instance {
                id: format!("{address}#{boot:016x}"),
                weight: DEFAULT_WEIGHT,
                version: service.version.unwrap_or_default().to_owned(),
                fingerprint: service.fingerprint,
                ..Instance::new(service.name, address)
            };
            (instance, self.lease)
        };
        Ok(services
            .iter()
            .filter(|service| !is_framework(service.name))
            .map(record)
            .collect())
    }
}

/// A registry to be registered in. What does it is asked for where a program registers, and is in no other program.
#[derive(Clone)]
pub(crate) struct Registering {
    registry: Arc<dyn Registry>,
    start: Start,
}

type Start = fn(
    &Arc<dyn Registry>,
    &Advertised,
    &str,
    &[&'static ServiceDescriptor],
) -> Result<Vec<Provider>>;

impl Registering {
    pub(crate) fn new(registry: impl Registry) -> Self {
        Self {
            registry: Arc::new(registry),
            start: |registry, advertised, listening, services| {
                let records = advertised.records(listening, services)?.into_iter();
                Ok(records
                    .map(|record| Provider::start(registry.clone(), record))
                    .collect())
            },
        }
    }

    /// Registers every service that is not the framework's.
    ///
    /// # Errors
    ///
    /// `invalid_argument` if nobody could call the address.
    pub(crate) fn start(
        &self,
        advertised: &Advertised,
        listening: &str,
        services: &[&'static ServiceDescriptor],
    ) -> Result<Vec<Provider>> {
        (self.start)(&self.registry, advertised, listening, services)
    }
}

impl Provider {
    fn start(registry: Arc<dyn Registry>, (instance, ttl): (Instance, Duration)) -> Self {
        let (leave, asked) = oneshot::channel();
        let (done, left) = watch::channel(false);
        let task = task::spawn(async move {
            let mut lease = None;
            tokio::pin!(asked);
            {
                let stay = stay(&*registry, &instance, ttl, &mut lease);
                tokio::pin!(stay);
                std::future::poll_fn(|cx| {
                    let _ = stay.as_mut().poll(cx);
                    asked.as_mut().poll(cx)
                })
                .await
                .ok();
            }
            if let Some(lease) = lease {
                let _ = timeout(LEAVE, registry.deregister(&lease)).await;
            }
            done.send_replace(true);
        });
        Self {
            task: task.abort_handle(),
            leave: Some(leave),
            left,
        }
    }

    /// Has the instance taken off the list; does not wait for it.
    pub(crate) fn leave(&mut self) {
        if let Some(leave) = self.leave.take() {
            let _ = leave.send(());
        }
    }

    /// Waits until it is off the list; gives up after a short while.
    pub(crate) async fn left(mut self) {
        let _ = timeout(LEAVE * 2, self.left.wait_for(|left| *left)).await;
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Drives the registry towards "this instance is on the list"; never ends.
async fn stay(
    registry: &dyn Registry,
    instance: &Instance,
    ttl: Duration,
    lease: &mut Option<Lease>,
) {
    let mut backoff = Backoff::new(FIRST_PAUSE.min(ttl / RENEWALS), LONGEST_PAUSE);
    loop {
        let step = match lease.as_ref() {
            None => registry
                .register(instance, ttl)
                .await
                .map(|granted| *lease = Some(granted)),
            Some(held) => match registry.renew(held).await {
                Ok(Renewal::Renewed) => Ok(()),
                Ok(Renewal::Lost) => {
                    log::warn!(
                        "the registry has lost {} of {}; registering again",
                        instance.id,
                        instance.service
                    );
                    *lease = None;
                    continue;
                }
                Err(error) => Err(error),
            },
        };
        match step {
            Ok(()) => {
                backoff.reset();
                let ttl = lease.as_ref().map_or(ttl, |lease| lease.ttl);
                let third = (ttl / RENEWALS).max(SHORTEST_PAUSE);
                sleep(third.mul_f64(0.9 + 0.2 * random_fraction())).await;
            }
            Err(error) => {
                log::warn!(
                    "{} of {} is not registered: {error}",
                    instance.id,
                    instance.service
                );
                sleep(backoff.next()).await;
            }
        }
    }
}
