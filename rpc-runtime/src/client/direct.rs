//! A channel to one address: one connection, opened when needed, opened again when lost.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex as AsyncMutex;
use tokio::time::{Instant, timeout};

use crate::backoff::Backoff;
use crate::client::profile::Profile;
use crate::error::{Error, Result};
use crate::link::{self, Link};
use crate::transport::{self, Address};

/// One peer and the connection to it.
#[derive(Debug)]
pub(crate) struct Direct {
    address: Address,
    profile: Arc<Profile>,
    current: Mutex<Current>,
    /// Held while connecting, so that many callers make one attempt.
    connecting: AsyncMutex<()>,
}

#[derive(Debug)]
struct Current {
    link: Option<Arc<Link>>,
    backoff: Backoff,
    /// No attempt is made before this; the error says why the last one failed.
    wait: Option<(Instant, Error)>,
}

impl Direct {
    pub(crate) fn new(address: Address, profile: Arc<Profile>) -> Self {
        let current = Current {
            link: None,
            backoff: Backoff::default(),
            wait: None,
        };
        Self {
            address,
            profile,
            current: Mutex::new(current),
            connecting: AsyncMutex::new(()),
        }
    }

    /// Where it leads.
    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// The connection if there is one; it may turn out to be closed when a call begins.
    pub(crate) fn ready(&self) -> Option<Arc<Link>> {
        self.lock().link.clone()
    }

    /// Whether a call could begin, or an attempt to connect could be made, right now.
    pub(crate) fn is_usable(&self) -> bool {
        let current = self.lock();
        current.link.as_ref().is_some_and(|link| link.is_open())
            || current
                .wait
                .as_ref()
                .is_none_or(|(until, _)| *until <= Instant::now())
    }

    /// The connection, opened if there is none.
    ///
    /// # Errors
    ///
    /// `unavailable`, not sent: nobody listens, or the last attempt failed and the next one is not due.
    pub(crate) async fn link(&self) -> Result<Arc<Link>> {
        if let Some(link) = self.open_link() {
            return Ok(link);
        }
        let _attempt = self.connecting.lock().await;
        if let Some(link) = self.open_link() {
            return Ok(link);
        }
        self.check_wait()?;
        match self.connect().await {
            Ok(link) => {
                self.profile.compare(&link);
                let mut current = self.lock();
                current.link = Some(link.clone());
                current.backoff.reset();
                current.wait = None;
                Ok(link)
            }
            Err(error) => {
                let mut current = self.lock();
                let pause = current.backoff.next();
                current.wait = Some((Instant::now() + pause, error.clone()));
                Err(error)
            }
        }
    }

    async fn connect(&self) -> Result<Arc<Link>> {
        let attempt = async {
            let io = transport::connect(&self.address).await?;
            link::connect(io, self.profile.limits.clone(), None).await
        };
        // The handshake has a limit of its own; this one is for a host that swallows packets.
        match timeout(self.profile.limits.handshake_timeout * 2, attempt).await {
            Ok(outcome) => outcome,
            Err(_) => Err(
                Error::unavailable(format!("{} does not answer", self.address))
                    .with_peer(self.address.to_string()),
            ),
        }
    }

    fn open_link(&self) -> Option<Arc<Link>> {
        self.ready().filter(|link| link.is_open())
    }

    fn check_wait(&self) -> Result<()> {
        let current = self.lock();
        let Some((until, error)) = &current.wait else {
            return Ok(());
        };
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        let left = Duration::from_millis(left.as_millis() as u64 + 1);
        Err(Error::unavailable(format!(
            "{}; the next attempt is due in {left:?}",
            error.message()
        ))
        .with_peer(self.address.to_string())
        .with_retry_after(Some(left)))
    }

    fn lock(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Direct {
    fn drop(&mut self) {
        if let Some(link) = self.lock().link.take() {
            link.close(Error::unavailable("the channel was dropped"));
        }
    }
}
