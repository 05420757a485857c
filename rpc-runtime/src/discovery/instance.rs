//! One running provider as a registry keeps it.

use std::collections::BTreeMap;

/// One running provider of one service.
///
/// Holds nothing that changes from beat to beat: every change would wake every consumer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instance {
    /// Names the instance among those of its service; new for every start of a process.
    pub id: String,
    /// Full name of the service.
    pub service: String,
    /// Where it is called: `tcp://host:port`, `unix:///path` or `mem://name`.
    pub address: String,
    /// Share of the calls compared with other instances; 100 by default.
    pub weight: u32,
    /// Zone it runs in; empty if nobody said.
    pub zone: String,
    /// Version of the program; empty if nobody said.
    pub version: String,
    /// Fingerprint of the service's definition.
    pub fingerprint: u64,
    /// Whatever else the provider says.
    pub metadata: BTreeMap<String, String>,
}

/// Weight of an instance that says nothing.
pub(crate) const DEFAULT_WEIGHT: u32 = 100;

impl Instance {
    /// An instance of `service` at `address`, with the address as its ID.
    pub fn new(service: impl Into<String>, address: impl Into<String>) -> Self {
        let address = address.into();
        Self {
            id: address.clone(),
            service: service.into(),
            address,
            weight: DEFAULT_WEIGHT,
            ..Self::default()
        }
    }
}
