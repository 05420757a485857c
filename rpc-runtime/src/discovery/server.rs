//! Our registry server: the registry service over a list in memory.

use std::time::Duration;

use tokio::time::Instant;

use crate::context::Context;
use crate::discovery::{Cursor, InProcess, Instance, Lease, Renewal, Snapshot};
use crate::generated::registry::v1 as wire;
use crate::server::Skeleton;

/// Most instances of one registry, so that a provider gone wild cannot fill its memory.
const MAX_INSTANCES: usize = 100_000;

/// Most bytes of all texts of one record. Consumers get the records of a service in one frame.
const MAX_RECORD: usize = 8 << 10;

/// Time left for the answer when a watch ends by itself.
const ANSWER: Duration = Duration::from_millis(500);

/// The registry as a service to mount on a server.
///
/// One process, in memory: it forgets everything when it ends, and providers register again. Whoever outgrows one
/// machine implements [`Registry`](crate::discovery::Registry) over etcd, ZooKeeper or Consul.
///
/// ```
/// use rpc_runtime::{Server, discovery::RegistryServer};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> rpc_runtime::Result<()> {
/// let registry = Server::new().add(RegistryServer::new().skeleton()).listen("tcp://127.0.0.1:0").await?;
/// // providers: Server::new()….register(RemoteRegistry::new(registry.address())?)
/// // consumers: GreeterClient::connect("registry://127.0.0.1:PORT")
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct RegistryServer {
    list: InProcess,
    max_instances: usize,
}

impl Default for RegistryServer {
    fn default() -> Self {
        Self::new()
    }
}

impl RegistryServer {
    /// An empty registry.
    pub fn new() -> Self {
        Self::over(InProcess::new())
    }

    /// A registry over a list that this process uses too.
    pub fn over(list: InProcess) -> Self {
        Self {
            list,
            max_instances: MAX_INSTANCES,
        }
    }

    /// What [`Server::add`](crate::Server::add) takes.
    pub fn skeleton(self) -> impl Skeleton {
        wire::RegistryService::new(self)
    }
}

impl wire::Registry for RegistryServer {
    async fn register(
        &self,
        instance: wire::Instance,
        ttl: Duration,
    ) -> Result<wire::Lease, wire::RegistryError> {
        let instance = from_wire(instance);
        let size = size(&instance);
        if size > MAX_RECORD {
            return Err(wire::RegistryError::Full(format!(
                "the record of {} takes {size} bytes, more than {MAX_RECORD} are not kept",
                instance.id
            )));
        }
        if self.list.is_full(&instance, self.max_instances) {
            return Err(wire::RegistryError::Full(format!(
                "{} instances are registered, more are not taken",
                self.max_instances
            )));
        }
        Ok(self.list.put(&instance, ttl).into())
    }

    async fn renew(&self, lease: wire::Lease) -> bool {
        self.list.extend(&lease.into()) == Renewal::Renewed
    }

    async fn deregister(&self, lease: wire::Lease) {
        self.list.remove(&lease.into());
    }

    async fn lookup(&self, service: String) -> wire::Listing {
        self.list.list(&service).into()
    }

    async fn watch(&self, service: String, cursor: u64, wait: Duration) -> wire::Listing {
        // The answer must be out before the caller gives up.
        let left = Context::current()
            .and_then(|context| context.time_left())
            .unwrap_or(wait);
        let limit = Instant::now() + wait.min(left.saturating_sub(ANSWER));
        self.list
            .wait(&service, Cursor(cursor), Some(limit))
            .await
            .into()
    }

    async fn names(&self) -> Vec<String> {
        self.list.names()
    }
}

/// Bytes of the texts of a record.
fn size(instance: &Instance) -> usize {
    let own = [
        &instance.id,
        &instance.service,
        &instance.address,
        &instance.zone,
        &instance.version,
    ];
    let said = instance
        .metadata
        .iter()
        .flat_map(|(key, value)| [key, value]);
    own.into_iter().chain(said).map(String::len).sum()
}

pub(super) fn from_wire(instance: wire::Instance) -> Instance {
    Instance {
        id: instance.id,
        service: instance.service,
        address: instance.address,
        weight: instance.weight,
        zone: instance.zone.unwrap_or_default(),
        version: instance.version.unwrap_or_default(),
        fingerprint: instance.fingerprint.unwrap_or_default(),
        metadata: instance.metadata,
    }
}

pub(super) fn to_wire(instance: &Instance) -> wire::Instance {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    wire::Instance {
        weight: instance.weight,
        zone: some(&instance.zone),
        version: some(&instance.version),
        fingerprint: Some(instance.fingerprint),
        metadata: instance.metadata.clone(),
        ..wire::Instance::new(&*instance.id, &*instance.service, &*instance.address)
    }
}

impl From<Lease> for wire::Lease {
    fn from(lease: Lease) -> Self {
        Self {
            service: lease.service,
            instance: lease.instance,
            token: lease.token,
            ttl: lease.ttl,
        }
    }
}

impl From<wire::Lease> for Lease {
    fn from(lease: wire::Lease) -> Self {
        Self {
            service: lease.service,
            instance: lease.instance,
            token: lease.token,
            ttl: lease.ttl,
        }
    }
}

impl From<Snapshot> for wire::Listing {
    fn from(snapshot: Snapshot) -> Self {
        Self {
            instances: snapshot.instances.iter().map(to_wire).collect(),
            cursor: snapshot.cursor.0,
        }
    }
}

impl From<wire::Listing> for Snapshot {
    fn from(listing: wire::Listing) -> Self {
        Self {
            instances: listing.instances.into_iter().map(from_wire).collect(),
            cursor: Cursor(listing.cursor),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generated::registry::v1::Registry as _;

    #[tokio::test(start_paused = true)]
    async fn a_full_registry_renews_those_it_has_and_recovers_by_itself() {
        let registry = RegistryServer {
            max_instances: 10,
            ..RegistryServer::new()
        };
        let ttl = Duration::from_secs(1);
        for n in 0..10 {
            registry
                .list
                .put(&Instance::new("s", format!("mem://{n}")), ttl);
        }
        let register = |id: &str| registry.register(to_wire(&Instance::new("s", id)), ttl);
        assert!(register("mem://new").await.is_err());
        assert!(register("mem://7").await.is_ok(), "it is listed already");
        tokio::time::advance(ttl).await;
        assert!(register("mem://new").await.is_ok());
    }

    #[tokio::test]
    async fn a_record_of_any_size_is_not_kept() {
        let registry = RegistryServer::new();
        let mut instance = Instance::new("s", "mem://a");
        instance
            .metadata
            .insert("k".to_owned(), "v".repeat(MAX_RECORD));
        let ttl = Duration::from_secs(1);
        let refused = registry.register(to_wire(&instance), ttl).await;
        let wire::RegistryError::Full(text) = refused.unwrap_err() else {
            panic!("another refusal");
        };
        assert!(text.contains("more than 8192 are not kept"), "{text}");
        assert!(registry.list.all().is_empty());
    }
}
