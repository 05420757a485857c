//! Built-in reflection: the call-ID tables of a running server.

use crate::client::{BlockingChannel, Channel};
use crate::descriptor::{MethodDescriptor, ServiceDescriptor};
use crate::error::Error;
use crate::link::Link;
use crate::server::{Answer, Incoming, Skeleton};
use crate::wire::hello::Hello;
use std::sync::Arc;

static S: ServiceDescriptor = ServiceDescriptor {
    name: "rpc.reflection.v1.Reflection",
    fingerprint: 0,
    version: None,
    docs: "",
    methods: &[],
};
struct R;
impl Skeleton for R {
    fn service(&self) -> &'static ServiceDescriptor {
        &S
    }
    fn call(&self, _: usize, request: Incoming) -> Answer {
        Box::pin(async move { request.unserved() })
    }
}
pub(crate) fn skeleton(_: &[&'static ServiceDescriptor]) -> impl Skeleton {
    R
}
pub(crate) async fn explain(
    _: &Channel,
    _: &Arc<Link>,
    _: &'static MethodDescriptor,
    failure: Error,
) -> Error {
    failure
}
pub(crate) fn explain_blocking(
    _: &BlockingChannel,
    _: &Hello,
    _: &'static MethodDescriptor,
    failure: Error,
) -> Error {
    failure
}
pub(crate) fn is_framework(method: &MethodDescriptor) -> bool {
    method.service.starts_with("rpc.")
}
