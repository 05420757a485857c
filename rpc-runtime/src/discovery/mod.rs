//! Registry lookup: who provides a service, and where.
//!
//! A provider registers with a lease and renews it for ever (`provider.rs`); a consumer keeps a watched copy of the list
//! (`directory.rs`) and picks from it for each call (`balanced.rs`). Between them stands one small trait, [`Registry`];
//! each kind of registry is one file. All of them but the plain list are behind the feature `registry`.

mod balanced;
#[cfg(feature = "registry")]
mod blocking;
mod directory;
#[cfg(feature = "registry")]
mod file;
#[cfg(feature = "registry")]
mod in_process;
mod instance;
mod list;
mod provider;
mod registry;
#[cfg(feature = "registry")]
mod remote;
#[cfg(feature = "registry")]
mod server;

#[cfg(not(feature = "registry"))]
use crate::error::Error;

#[cfg(feature = "registry")]
pub use file::FileRegistry;
#[cfg(feature = "registry")]
pub use in_process::InProcess;
pub use instance::Instance;
pub use list::ListRegistry;
pub use registry::{BoxFuture, Cursor, Lease, Registry, Renewal, Snapshot};

#[cfg(feature = "registry")]
pub use remote::RemoteRegistry;
#[cfg(feature = "registry")]
pub use server::RegistryServer;

pub(crate) use balanced::Balanced;
#[cfg(feature = "registry")]
pub(crate) use blocking::BlockingLookup;
pub(crate) use provider::{Advertised, Provider, Registering};

/// What `file://` and `registry://` come to where they were left out.
#[cfg(not(feature = "registry"))]
pub(crate) fn no_registries() -> Error {
    Error::invalid(
        "this program was built without registries; write `features = [\"registry\"]` at `rpc-runtime` in Cargo.toml",
    )
}
