//! A registry inside of one process; also the store behind the registry server.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound::Included;
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
    /// A service without instances has got one.
    appeared: Arc<Notify>,
}

#[derive(Default)]
struct Lists {
    /// Services that have instances; nothing is kept of the others, whose list is empty and has cursor 0.
    services: BTreeMap<String, List>,
    /// Changes with every change of any list; starts at a random number, so that a cursor of an earlier life of the
    /// registry is not taken for one of this.
    version: u64,
    /// Instances of all services.
    count: usize,
    /// No lease runs out before this.
    earliest: Option<Instant>,
}

#[derive(Default)]
struct List {
    /// By the ID of the instance.
    entries: BTreeMap<String, Entry>,
    /// The version at which it last changed.
    changed_at: u64,
    changed: Arc<Notify>,
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
        let lists = self.current();
        let entries = lists
            .services
            .values()
            .flat_map(|list| list.entries.values());
        entries.map(|entry| entry.instance.clone()).collect()
    }

    /// Names of the services that have instances.
    pub(crate) fn names(&self) -> Vec<String> {
        self.current().services.keys().cloned().collect()
    }

    /// Whether another instance would be one more than `most`.
    pub(crate) fn is_full(&self, instance: &Instance, most: usize) -> bool {
        let lists = self.current();
        let known = lists.services.get(&instance.service);
        lists.count >= most && known.is_none_or(|list| !list.entries.contains_key(&instance.id))
    }

    pub(crate) fn put(&self, instance: &Instance, ttl: Duration) -> Lease {
        let mut lists = self.current();
        let token = random() | 1;
        let entry = Entry {
            instance: instance.clone(),
            token,
            ttl,
            expires: after(ttl),
        };
        lists.earliest = Some(
            lists
                .earliest
                .map_or(entry.expires, |at| at.min(entry.expires)),
        );
        let version = lists.version + 1;
        let list = lists.services.entry(instance.service.clone()).or_default();
        let first = list.entries.is_empty();
        let known = list.entries.insert(instance.id.clone(), entry);
        let is_new = known.is_none();
        if known.is_none_or(|known| known.instance != *instance) {
            list.changed_at = version;
            list.changed.notify_waiters();
            lists.version = version;
        }
        lists.count += usize::from(is_new);
        if first {
            self.shared.appeared.notify_waiters();
        }
        Lease {
            service: instance.service.clone(),
            instance: instance.id.clone(),
            token,
            ttl,
        }
    }

    pub(crate) fn extend(&self, lease: &Lease) -> Renewal {
        let mut lists = self.current();
        let list = lists.services.get_mut(&lease.service);
        match list.and_then(|list| list.entries.get_mut(&lease.instance)) {
            Some(entry) if entry.token == lease.token => {
                entry.expires = after(entry.ttl);
                Renewal::Renewed
            }
            _ => Renewal::Lost,
        }
    }

    pub(crate) fn remove(&self, lease: &Lease) {
        self.lock().drop_where(Some(&lease.service), |entry| {
            entry.instance.id == lease.instance && entry.token == lease.token
        });
    }

    pub(crate) fn list(&self, service: &str) -> Snapshot {
        self.current().snapshot(service)
    }

    /// Waits until the list has changed since `cursor`, or until `limit`.
    pub(crate) async fn wait(
        &self,
        service: &str,
        cursor: Cursor,
        limit: Option<Instant>,
    ) -> Snapshot {
        loop {
            let (notify, expiry) = {
                let lists = self.current();
                if lists.cursor(service) != cursor
                    || limit.is_some_and(|limit| limit <= Instant::now())
                {
                    return lists.snapshot(service);
                }
                match lists.services.get(service) {
                    Some(list) => (list.changed.clone(), list.next_expiry()),
                    None => (self.shared.appeared.clone(), None),
                }
            };
            let changed = notify.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            // It may have changed before we listened.
            if self.current().cursor(service) != cursor {
                continue;
            }
            // Nobody tells when a lease runs out: whoever waits looks then.
            match [expiry, limit].into_iter().flatten().min() {
                Some(due) => drop(timeout_at(due, changed).await),
                None => changed.await,
            }
        }
    }

    /// The lists without the leases that have run out.
    fn current(&self) -> MutexGuard<'_, Lists> {
        let mut lists = self.lock();
        let now = Instant::now();
        // A renewal only moves an end away, so that most of the time nobody need look.
        if lists.earliest.is_some_and(|earliest| earliest <= now) {
            lists.drop_where(None, |entry| entry.expires <= now);
            let ends = lists.services.values().filter_map(List::next_expiry);
            lists.earliest = ends.min();
        }
        lists
    }

    fn lock(&self) -> MutexGuard<'_, Lists> {
        self.shared
            .lists
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lists {
    /// Takes instances off the list of one service, or of all.
    fn drop_where(&mut self, service: Option<&str>, gone: impl Fn(&Entry) -> bool) {
        let Self {
            services,
            version,
            count,
            ..
        } = self;
        let mut empty = Vec::new();
        let chosen = match service {
            Some(service) => services.range_mut::<str, _>((Included(service), Included(service))),
            None => services.range_mut::<str, _>(..),
        };
        for (name, list) in chosen {
            let before = list.entries.len();
            list.entries.retain(|_, entry| !gone(entry));
            if list.entries.len() == before {
                continue;
            }
            *count -= before - list.entries.len();
            *version += 1;
            list.changed_at = *version;
            list.changed.notify_waiters();
            if list.entries.is_empty() {
                empty.push(name.clone());
            }
        }
        for name in empty {
            services.remove(&name);
        }
    }

    fn cursor(&self, service: &str) -> Cursor {
        let list = self.services.get(service);
        Cursor(list.map_or(0, |list| list.changed_at))
    }

    fn snapshot(&self, service: &str) -> Snapshot {
        let entries = self
            .services
            .get(service)
            .into_iter()
            .flat_map(|list| list.entries.values());
        Snapshot {
            instances: entries.map(|entry| entry.instance.clone()).collect(),
            cursor: self.cursor(service),
        }
    }
}

impl List {
    fn next_expiry(&self) -> Option<Instant> {
        self.entries.values().map(|entry| entry.expires).min()
    }
}

/// When a lease that begins now runs out; one beyond all clocks, in thirty years.
fn after(ttl: Duration) -> Instant {
    let longest = Duration::from_secs(30 * 365 * 24 * 60 * 60);
    Instant::now() + ttl.min(longest)
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
            .field("instances", &self.lock().count)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn nothing_is_kept_of_a_service_whose_instances_are_gone() {
        let registry = InProcess::new();
        for n in 0..1_000 {
            registry.put(
                &Instance::new(format!("s{n}"), "mem://a"),
                Duration::from_secs(1),
            );
        }
        assert_eq!(
            (registry.names().len(), registry.lock().count),
            (1_000, 1_000)
        );
        let seen = registry.list("s7").cursor;
        tokio::time::advance(Duration::from_secs(1)).await;
        let now = registry.wait("s7", seen, None).await;
        assert_eq!((now.instances.len(), now.cursor), (0, Cursor(0)));
        let lists = registry.lock();
        assert_eq!(
            (lists.services.len(), lists.count, lists.earliest),
            (0, 0, None)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_sees_a_service_come_change_and_go() {
        let registry = InProcess::new();
        let instance = Instance::new("s", "mem://a");
        let (empty, lease) = tokio::join!(registry.wait("s", Cursor(0), None), async {
            tokio::task::yield_now().await;
            registry.put(&Instance::new("other", "mem://a"), Duration::MAX);
            registry.put(&instance, Duration::MAX)
        });
        assert_eq!(empty.instances.first(), Some(&instance));
        let heavier = Instance {
            weight: 1,
            ..instance
        };
        let (changed, lease) = tokio::join!(registry.wait("s", empty.cursor, None), async {
            tokio::task::yield_now().await;
            assert_eq!(registry.extend(&lease), Renewal::Renewed);
            registry.put(&heavier, Duration::from_secs(9))
        });
        assert_eq!(changed.instances, [heavier]);
        let (gone, ()) = tokio::join!(registry.wait("s", changed.cursor, None), async {
            tokio::task::yield_now().await;
            registry.remove(&lease);
        });
        assert!(gone.instances.is_empty());
        assert_eq!(registry.names(), ["other"]);
    }
}
