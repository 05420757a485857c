//! What the connections of one channel have in common: limits, and the definition the caller was made from.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::breaker::BreakerPolicy;
use crate::client::retry::Retry;
use crate::descriptor::{MethodDescriptor, ServiceDescriptor};
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::link::{Link, Terms};
use crate::msgpack_rpc::Spoken;
use crate::security::Wallet;
use crate::server::router::Router;
use crate::transport::ClientSecurity;
use crate::transport::Options;
use crate::transport::Transport;

/// Shared by all connections of a channel.
pub(crate) struct Profile {
    pub(crate) terms: Terms,
    /// What the peers may call back.
    pub(crate) exports: Option<Arc<Router>>,
    /// What fails is repeated by this.
    pub(crate) retry: Retry,
    /// Addresses where most calls fail are left alone by this.
    pub(crate) breaker: BreakerPolicy,
    /// Opens connections in place of the system's sockets.
    pub(crate) transport: Option<Arc<dyn Transport>>,
    /// How the peers name what is called, if they speak MessagePack-RPC.
    pub(crate) spoken: Option<Arc<Spoken>>,
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
            retry: Retry::default(),
            breaker: BreakerPolicy::default(),
            transport: None,
            spoken: None,
            security: ClientSecurity::default(),
            wallet: Wallet::default(),
            service,
            mismatches: AtomicU64::new(0),
        }
    }

    /// Takes over what an address says of its peer's language.
    ///
    /// # Errors
    ///
    /// If it says how to spell methods to a peer that knows them by number.
    pub(crate) fn speak(&mut self, options: &Options) -> Result<()> {
        match (&self.spoken, options.spelling) {
            (_, Some(spelling)) if options.msgpack_rpc || self.spoken.is_some() => {
                self.spoken = Some(Arc::new(Spoken::new(spelling)));
            }
            (_, Some(_)) => {
                return Err(Error::invalid(
                    "`spelling` is for peers that speak MessagePack-RPC: put `msgpack-rpc+` before the address",
                ));
            }
            (None, None) if options.msgpack_rpc => self.spoken = Some(Arc::default()),
            _ => {}
        }
        Ok(())
    }

    /// Notes the name of a method that is about to be called, for peers that do not know its number.
    pub(crate) fn learn(&self, method: &MethodDescriptor) {
        if let Some(spoken) = &self.spoken {
            spoken.learn(method);
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

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Profile")
            .field("limits", &self.terms.limits)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}
