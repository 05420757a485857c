//! A registry inside of one process; also the store behind the registry server.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::backoff::random;
use crate::discovery::{BoxFuture, Cursor, Instance, Lease, Registry, Renewal, Snapshot};
use crate::error::Result;

/// Keeps instances in memory. Cloning shares the list.
///
/// ```
/// # use std::time::Duration;
/// use rpc_runtime::discovery::{InProcess, Instance, Registry};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> rpc_runtime::Result<()> {
/// let registry = InProcess::new();
/// let instance = Instance::new("demo.Greeter", "tcp://127.0.0.1:7000");
/// let lease = registry.register(&instance, Duration::from_secs(15)).await?;
/// assert_eq!(registry.snapshot("demo.Greeter").await?.instances, [instance]);
/// registry.deregister(&lease).await?;
/// assert!(registry.snapshot("demo.Greeter").await?.instances.is_empty());
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct InProcess {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    lists: Mutex<Lists>,
    changed: Notify,
}

#[derive(Default)]
struct Lists {
    entries: BTreeMap<(String, String), Entry>,
    /// Changes with every change of any list; starts at a random number, so that a cursor of an earlier life of the
    /// registry is not taken for one of this.
    version: u64,
    /// The version at which each list last changed.
    changed_at: BTreeMap<String, u64>,
}

struct Entry {
    instance: Instance,
    token: u64,
    ttl: Duration,
    expires: Instant,
}

impl InProcess {
    /// Makes an empty one.
    pub fn new() -> Self {
        let registry = Self::default();
        // Half of the range is left for counting up; zero is never a version.
        registry.lock().version = random() >> 1 | 1;
        registry
    }

    /// Everything that is registered, of all services.
    pub fn all(&self) -> Vec<Instance> {
        let mut lists = self.lock();
        self.expire(&mut lists);
        lists
            .entries
            .values()
            .map(|entry| entry.instance.clone())
            .collect()
    }

    /// Number of instances, of all services.
    pub(crate) fn len(&self) -> usize {
        self.lock().entries.len()
    }

    pub(crate) fn put(&self, instance: &Instance, ttl: Duration) -> Lease {
        let mut lists = self.lock();
        self.expire(&mut lists);
        let key = (instance.service.clone(), instance.id.clone());
        let token = random() | 1;
        let entry = Entry {
            instance: instance.clone(),
            token,
            ttl,
            expires: Instant::now() + ttl,
        };
        let known = lists.entries.insert(key, entry);
        if known.is_none_or(|known| known.instance != *instance) {
            self.touch(&mut lists, &instance.service);
        }
        Lease {
            service: instance.service.clone(),
            instance: instance.id.clone(),
            token,
            ttl,
        }
    }

    pub(crate) fn extend(&self, lease: &Lease) -> Renewal {
        let mut lists = self.lock();
        self.expire(&mut lists);
        match lists
            .entries
            .get_mut(&(lease.service.clone(), lease.instance.clone()))
        {
            Some(entry) if entry.token == lease.token => {
                entry.expires = Instant::now() + entry.ttl;
                Renewal::Renewed
            }
            _ => Renewal::Lost,
        }
    }

    pub(crate) fn remove(&self, lease: &Lease) {
        let mut lists = self.lock();
        let key = (lease.service.clone(), lease.instance.clone());
        if lists
            .entries
            .get(&key)
            .is_some_and(|entry| entry.token == lease.token)
        {
            lists.entries.remove(&key);
            self.touch(&mut lists, &lease.service);
        }
    }

    pub(crate) fn list(&self, service: &str) -> Snapshot {
        let mut lists = self.lock();
        self.expire(&mut lists);
        let entries = lists
            .entries
            .values()
            .filter(|entry| entry.instance.service == service);
        let instances = entries.map(|entry| entry.instance.clone()).collect();
        let cursor = lists.changed_at.get(service).copied().unwrap_or_default();
        Snapshot {
            instances,
            cursor: Cursor(cursor),
        }
    }

    /// Waits until the list has changed since `cursor`, or until `limit`.
    pub(crate) async fn wait(
        &self,
        service: &str,
        cursor: Cursor,
        limit: Option<Instant>,
    ) -> Snapshot {
        loop {
            let changed = self.shared.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let now = self.list(service);
            if now.cursor != cursor || limit.is_some_and(|limit| limit <= Instant::now()) {
                return now;
            }
            // Nobody tells when a lease runs out: whoever waits looks then.
            let due = [self.next_expiry(service), limit]
                .into_iter()
                .flatten()
                .min();
            match due {
                Some(due) => drop(timeout_at(due, changed).await),
                None => changed.await,
            }
        }
    }

    fn next_expiry(&self, service: &str) -> Option<Instant> {
        let lists = self.lock();
        lists
            .entries
            .values()
            .filter(|entry| entry.instance.service == service)
            .map(|entry| entry.expires)
            .min()
    }

    fn expire(&self, lists: &mut Lists) {
        let now = Instant::now();
        let mut gone = Vec::new();
        lists.entries.retain(|(service, _), entry| {
            let stays = entry.expires > now;
            if !stays {
                gone.push(service.clone());
            }
            stays
        });
        for service in gone {
            self.touch(lists, &service);
        }
    }

    fn touch(&self, lists: &mut Lists, service: &str) {
        lists.version += 1;
        let version = lists.version;
        lists.changed_at.insert(service.to_owned(), version);
        self.shared.changed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, Lists> {
        self.shared
            .lists
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registry for InProcess {
    fn register<'a>(&'a self, instance: &'a Instance, ttl: Duration) -> BoxFuture<'a, Lease> {
        Box::pin(async move { Ok(self.put(instance, ttl)) })
    }

    fn renew<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Renewal> {
        Box::pin(async move { Ok(self.extend(lease)) })
    }

    fn deregister<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            self.remove(lease);
            Ok(())
        })
    }

    fn snapshot<'a>(&'a self, service: &'a str) -> BoxFuture<'a, Snapshot> {
        Box::pin(async move { Ok(self.list(service)) })
    }

    fn changed<'a>(&'a self, service: &'a str, cursor: Cursor) -> BoxFuture<'a, Snapshot> {
        Box::pin(async move { Result::Ok(self.wait(service, cursor, None).await) })
    }
}

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InProcess")
            .field("instances", &self.lock().entries.len())
            .finish()
    }
}
