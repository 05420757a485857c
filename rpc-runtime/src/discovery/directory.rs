//! The consumer's copy of one list: watched, refreshed, kept when the registry is gone.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout_at};

use crate::backoff::{Backoff, random_fraction};
use crate::discovery::{Cursor, Instance, Registry, Snapshot};
use crate::error::Error;
use crate::task;

/// The whole list is read again after this, plus or minus [`REFRESH_JITTER`], whatever the watch says.
const REFRESH: Duration = Duration::from_secs(60);
const REFRESH_JITTER: f64 = 0.2;

/// Pauses after a failed lookup.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What is known of a list.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listing {
    pub(crate) instances: Arc<[Instance]>,
    /// Whether the registry has answered at least once.
    pub(crate) known: bool,
    /// Why the last lookup failed, if it did.
    pub(crate) error: Option<Error>,
}

/// Keeps the copy up to date until it is dropped.
#[derive(Debug)]
pub(crate) struct Directory {
    listing: watch::Receiver<Listing>,
    task: AbortHandle,
}

impl Directory {
    pub(crate) fn start(registry: Arc<dyn Registry>, service: String) -> Self {
        let (sender, listing) = watch::channel(Listing::default());
        let task = task::spawn(follow(registry, service, sender)).abort_handle();
        Self { listing, task }
    }

    /// The latest copy; never waits.
    pub(crate) fn listing(&self) -> Listing {
        self.listing.borrow().clone()
    }

    /// A receiver that sees every later copy.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Listing> {
        self.listing.clone()
    }

    /// Waits for the first word of the registry, good or bad. Dropping the future does nothing.
    pub(crate) async fn first(&self) -> Listing {
        let mut listing = self.listing.clone();
        match listing
            .wait_for(|listing| listing.known || listing.error.is_some())
            .await
        {
            Ok(listing) => listing.clone(),
            Err(_) => Listing::default(),
        }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn follow(registry: Arc<dyn Registry>, service: String, listing: watch::Sender<Listing>) {
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    let mut cursor = None;
    loop {
        match look(&*registry, &service, cursor).await {
            Ok(snapshot) => {
                backoff.reset();
                cursor = Some(snapshot.cursor);
                listing.send_modify(|listing| accept(listing, snapshot));
            }
            Err(error) => {
                listing.send_modify(|listing| listing.error = Some(error));
                // The next lookup asks for the whole list: the registry may have been replaced meanwhile.
                cursor = None;
                sleep(backoff.next()).await;
            }
        }
    }
}

/// The whole list the first time and after the refresh period, changes between.
async fn look(
    registry: &dyn Registry,
    service: &str,
    cursor: Option<Cursor>,
) -> crate::Result<Snapshot> {
    let Some(cursor) = cursor else {
        return registry.snapshot(service).await;
    };
    let refresh = REFRESH.mul_f64(1.0 + REFRESH_JITTER * (2.0 * random_fraction() - 1.0));
    match timeout_at(Instant::now() + refresh, registry.changed(service, cursor)).await {
        Ok(outcome) => outcome,
        Err(_) => registry.snapshot(service).await,
    }
}

fn accept(listing: &mut Listing, snapshot: Snapshot) {
    listing.error = None;
    // A registry that restarted knows nobody for a while. Calls to instances that are really gone fail by themselves.
    if snapshot.instances.is_empty() && !listing.instances.is_empty() {
        return;
    }
    listing.known = true;
    listing.instances = snapshot.instances.into();
}
