//! Our registry server: the registry service over a list in memory.

use std::time::Duration;

use tokio::time::Instant;

use crate::context::Context;
use crate::discovery::{Cursor, InProcess, Instance, Lease, Renewal, Snapshot};
use crate::generated::registry::v1 as wire;
use crate::server::Skeleton;

/// Most instances of one registry, so that a provider gone wild cannot fill its memory.
const MAX_INSTANCES: usize = 100_000;

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
#[derive(Clone, Debug, Default)]
pub struct RegistryServer {
    list: InProcess,
}

impl RegistryServer {
    /// An empty registry.
    pub fn new() -> Self {
        Self {
            list: InProcess::new(),
        }
    }

    /// A registry over a list that this process uses too.
    pub fn over(list: InProcess) -> Self {
        Self { list }
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
        if self.list.len() >= MAX_INSTANCES {
            return Err(wire::RegistryError::Full(format!(
                "{MAX_INSTANCES} instances are registered, more are not taken"
            )));
        }
        Ok(self.list.put(&from_wire(instance), ttl).into())
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
        let mut names: Vec<_> = self
            .list
            .all()
            .into_iter()
            .map(|instance| instance.service)
            .collect();
        names.dedup();
        names
    }
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
