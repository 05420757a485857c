//! What all contestants share: the work, the load generators, the measurements, and the frame of a server.
//!
//! A contestant is a library that implements [`Contestant`] and [`Client`], and two small programs: one as it is measured,
//! and one that counts its allocations. `program serve …` and `program load …` are the two processes of a run; both take
//! `key=value` arguments, see [`Plan`].

mod beside;
mod closed;
mod contestant;
mod control;
mod idle;
mod open;
mod order;
mod outcome;
mod plan;
mod program;
mod tally;
mod usage;
mod work;

pub use contestant::{Blocking, Client, Contestant, NoBlocking, Server};
pub use order::{LIST_LENGTH, Line, Order, list_is_right};
pub use outcome::Outcome;
pub use plan::{Case, Kind, Plan};
pub use program::main;
pub use tally::Tally;
pub use usage::{Allocations, Usage, machine_busy_seconds};
pub use work::{Job, Stamp, body, body_is_right, work};

/// What can go wrong in a run; any fault ends it without a figure.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// A result of the benchmark itself.
pub type Result<T, E = Error> = std::result::Result<T, E>;
