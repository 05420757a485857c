//! stub
use crate::discovery::*;
use crate::error::{Error, Result};
use crate::transport::{Address, Target};
use std::time::Duration;
/// stub
#[derive(Debug)]
pub struct RemoteRegistry;
impl RemoteRegistry {
    pub(crate) fn at(_: Address) -> Self {
        Self
    }
}
impl Registry for RemoteRegistry {
    fn register<'a>(&'a self, _: &'a Instance, _: Duration) -> BoxFuture<'a, Lease> {
        Box::pin(async { Err(Error::unavailable("stub")) })
    }
    fn renew<'a>(&'a self, _: &'a Lease) -> BoxFuture<'a, Renewal> {
        Box::pin(async { Err(Error::unavailable("stub")) })
    }
    fn deregister<'a>(&'a self, _: &'a Lease) -> BoxFuture<'a, ()> {
        Box::pin(async { Err(Error::unavailable("stub")) })
    }
    fn snapshot<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Snapshot> {
        Box::pin(async { Err(Error::unavailable("stub")) })
    }
    fn changed<'a>(&'a self, _: &'a str, _: Cursor) -> BoxFuture<'a, Snapshot> {
        Box::pin(async { Err(Error::unavailable("stub")) })
    }
}
#[derive(Debug)]
pub(crate) struct BlockingLookup;
impl BlockingLookup {
    pub(crate) fn new(_: Target, _: Option<&str>) -> Result<Self> {
        Ok(Self)
    }
    pub(crate) fn addresses(&self) -> Result<Vec<Address>> {
        Ok(vec![])
    }
}
