//! The server: listens, mounts services, hands calls to skeletons, stops in order.

pub(crate) mod catch_panic;
pub(crate) mod incoming;
pub(crate) mod router;
mod serving;
mod shutdown;
mod streams;

pub use incoming::{Answer, Args, Incoming, Outgoing};
pub use router::Skeleton;
pub use serving::{Server, Serving};
