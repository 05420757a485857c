//! `list://a:1,b:2`: a registry that was written into the address.

use std::future::pending;
use std::time::Duration;

use crate::discovery::{BoxFuture, Cursor, Instance, Lease, Registry, Renewal, Snapshot};
use crate::error::{Error, ErrorKind, Result};
use crate::transport::Address;

/// A fixed list: every service is at every address.
#[derive(Clone, Debug)]
pub struct ListRegistry {
    addresses: Vec<String>,
}

impl ListRegistry {
    /// Makes it from addresses such as `tcp://127.0.0.1:7000`.
    ///
    /// # Errors
    ///
    /// `invalid_argument` if one of them cannot be read.
    pub fn new(addresses: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self> {
        let addresses: Result<Vec<_>> = addresses
            .into_iter()
            .map(|address| Address::parse(address.as_ref()).map(|address| address.to_string()))
            .collect();
        Ok(Self {
            addresses: addresses?,
        })
    }
}

impl Registry for ListRegistry {
    fn register<'a>(&'a self, _: &'a Instance, _: Duration) -> BoxFuture<'a, Lease> {
        Box::pin(async { Err(read_only("a list")) })
    }

    fn renew<'a>(&'a self, _: &'a Lease) -> BoxFuture<'a, Renewal> {
        Box::pin(async { Err(read_only("a list")) })
    }

    fn deregister<'a>(&'a self, _: &'a Lease) -> BoxFuture<'a, ()> {
        Box::pin(async { Err(read_only("a list")) })
    }

    fn snapshot<'a>(&'a self, service: &'a str) -> BoxFuture<'a, Snapshot> {
        let instances = self
            .addresses
            .iter()
            .map(|address| Instance::new(service, address.as_str()))
            .collect();
        Box::pin(async {
            Ok(Snapshot {
                instances,
                cursor: Cursor(1),
            })
        })
    }

    fn changed<'a>(&'a self, _: &'a str, _: Cursor) -> BoxFuture<'a, Snapshot> {
        Box::pin(pending())
    }
}

pub(crate) fn read_only(what: &str) -> Error {
    Error::new(
        ErrorKind::FailedPrecondition,
        format!("{what} is written by people; nothing can be registered in it"),
    )
}
