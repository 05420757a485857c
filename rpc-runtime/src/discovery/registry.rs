//! What every registry can do, in five calls.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::discovery::Instance;
use crate::error::Result;

/// A future of a [`Registry`], boxed so that registries of all kinds stand side by side.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// Keeps the list of who provides what.
///
/// An adapter implements the five calls and nothing else: renewing for ever, registering again after a loss, caching,
/// protection from empty lists and periodic refreshes are done once above it. Discovery is *available rather than
/// consistent*: consumers go on with the last list they had. Nothing here is a lock or an election.
pub trait Registry: Send + Sync + 'static {
    /// Puts an instance on the list for `ttl`, replacing one with the same service and ID.
    ///
    /// # Errors
    ///
    /// `unavailable` if the registry cannot be reached; the caller tries again.
    fn register<'a>(&'a self, instance: &'a Instance, ttl: Duration) -> BoxFuture<'a, Lease>;

    /// Extends a lease by its time.
    ///
    /// # Errors
    ///
    /// As [`Registry::register`]. That the registry does not know the lease is no error but [`Renewal::Lost`].
    fn renew<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Renewal>;

    /// Takes an instance off the list.
    ///
    /// # Errors
    ///
    /// As [`Registry::register`].
    fn deregister<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, ()>;

    /// The list of a service as it is now.
    ///
    /// # Errors
    ///
    /// As [`Registry::register`]. A service without instances is an empty list.
    fn snapshot<'a>(&'a self, service: &'a str) -> BoxFuture<'a, Snapshot>;

    /// Waits until the list differs from the one at `cursor`, and gives the whole new one. May give an equal list
    /// after a while. Dropping the future ends the wait.
    ///
    /// # Errors
    ///
    /// As [`Registry::register`].
    fn changed<'a>(&'a self, service: &'a str, cursor: Cursor) -> BoxFuture<'a, Snapshot>;
}

impl<R: Registry + ?Sized> Registry for Arc<R> {
    fn register<'a>(&'a self, instance: &'a Instance, ttl: Duration) -> BoxFuture<'a, Lease> {
        (**self).register(instance, ttl)
    }

    fn renew<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Renewal> {
        (**self).renew(lease)
    }

    fn deregister<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, ()> {
        (**self).deregister(lease)
    }

    fn snapshot<'a>(&'a self, service: &'a str) -> BoxFuture<'a, Snapshot> {
        (**self).snapshot(service)
    }

    fn changed<'a>(&'a self, service: &'a str, cursor: Cursor) -> BoxFuture<'a, Snapshot> {
        (**self).changed(service, cursor)
    }
}

/// The right to stand on a list for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Service of the instance.
    pub service: String,
    /// ID of the instance.
    pub instance: String,
    /// What the registry knows the lease by; a newer registration of the same instance has another.
    pub token: u64,
    /// How long it lasts from each renewal on, as the registry granted it.
    pub ttl: Duration,
}

/// What became of a renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// The lease lasts for its time again.
    Renewed,
    /// The registry does not know the lease: register again.
    Lost,
}

/// A point in the history of a list; only the registry that made it can read it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor(pub u64);

/// The list of a service at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Who provides it.
    pub instances: Vec<Instance>,
    /// Where to go on watching.
    pub cursor: Cursor,
}
