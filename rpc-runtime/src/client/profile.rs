//! What the connections of one channel have in common: limits, and the definition the caller was made from.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::descriptor::ServiceDescriptor;
use crate::limits::Limits;
use crate::link::{Link, Terms};
use crate::security::Wallet;
use crate::server::router::Router;
use crate::transport::ClientSecurity;

/// Shared by all connections of a channel.
#[derive(Debug)]
pub(crate) struct Profile {
    pub(crate) terms: Terms,
    /// What the peers may call back.
    pub(crate) exports: Option<Arc<Router>>,
    /// What `tls://` needs.
    pub(crate) security: ClientSecurity,
    /// What the channel shows of itself.
    pub(crate) wallet: Wallet,
    /// The service that is called, where the channel was made for one.
    service: Option<&'static ServiceDescriptor>,
    /// Connections to peers that announced another fingerprint for it.
    mismatches: AtomicU64,
}

impl Profile {
    pub(crate) fn new(limits: Limits, service: Option<&'static ServiceDescriptor>) -> Self {
        Self {
            terms: Terms::new(limits),
            exports: None,
            security: ClientSecurity::default(),
            wallet: Wallet::default(),
            service,
            mismatches: AtomicU64::new(0),
        }
    }

    /// The service that is called, where it is known.
    pub(crate) fn service(&self) -> Option<&'static ServiceDescriptor> {
        self.service
    }

    /// Compares the definitions of both sides; a difference is counted, and logged the first time. It is no error:
    /// additive changes are compatible.
    pub(crate) fn compare(&self, link: &Link) {
        let Some(service) = self.service else { return };
        let Some(theirs) = link.peer_hello().fingerprint(service.name) else {
            return;
        };
        if theirs != service.fingerprint && self.mismatches.fetch_add(1, Ordering::Relaxed) == 0 {
            log::warn!(
                "{}: the definition here has the fingerprint {:016x}, that of {} has {theirs:016x}",
                service.name,
                service.fingerprint,
                link.peer()
            );
        }
    }

    pub(crate) fn mismatches(&self) -> u64 {
        self.mismatches.load(Ordering::Relaxed)
    }
}
