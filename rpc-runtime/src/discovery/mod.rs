//! Registry lookup: who provides a service, and where.
//!
//! A provider registers with a lease and renews it for ever (`provider.rs`); a consumer keeps a watched copy of the list
//! (`directory.rs`) and picks from it for each call (`balanced.rs`). Between them stands one small trait, [`Registry`];
//! each kind of registry is one file.

mod balanced;
mod blocking;
mod directory;
mod file;
mod in_process;
mod instance;
mod list;
mod provider;
mod registry;
mod remote;
mod server;

pub use file::FileRegistry;
pub use in_process::InProcess;
pub use instance::Instance;
pub use list::ListRegistry;
pub use registry::{BoxFuture, Cursor, Lease, Registry, Renewal, Snapshot};

pub use remote::RemoteRegistry;
pub use server::RegistryServer;

pub(crate) use balanced::Balanced;
pub(crate) use blocking::BlockingLookup;
pub(crate) use provider::{Advertised, Provider, Registering};
