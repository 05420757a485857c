//! Built-in reflection: the call-ID tables of a running server.
//!
//! Every server answers it. [`ReflectionClient`] reads the tables; the runtime itself reads them when a peer does not
//! know a method, to say which one was meant.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

pub use crate::generated::reflection::v1::{
    MethodInfo, Reflection, ReflectionBlockingClient, ReflectionClient, ServiceInfo,
};

use crate::client::{BlockingChannel, CallOptions, Prepared, Request, Returns};
use crate::codec::Codec;
use crate::descriptor::{MethodDescriptor, ServiceDescriptor, is_framework};
use crate::error::{Error, ErrorKind};
use crate::generated::reflection::v1::ReflectionService;
use crate::limits::Limits;
use crate::link::Link;
use crate::server::Skeleton;
use crate::wire::hello::Hello;

/// Time to find out what an unknown method was meant to be.
const EXPLAIN: Duration = Duration::from_secs(2);

/// Answers with the tables of one server.
struct Tables(Vec<ServiceInfo>);

/// The service that a server adds to those that were mounted.
pub(crate) fn skeleton(mounted: &[&'static ServiceDescriptor]) -> impl Skeleton + use<> {
    let all = mounted.iter().copied().chain([ReflectionClient::SERVICE]);
    ReflectionService::new(Tables(all.map(service_info).collect()))
}

impl Reflection for Tables {
    async fn services(&self) -> Vec<ServiceInfo> {
        self.0.clone()
    }
}

fn service_info(service: &ServiceDescriptor) -> ServiceInfo {
    ServiceInfo {
        version: service.version.map(str::to_owned),
        docs: service.docs.to_owned(),
        methods: service.methods.iter().map(method_info).collect(),
        ..ServiceInfo::new(service.name, service.fingerprint)
    }
}

fn method_info(method: &MethodDescriptor) -> MethodInfo {
    MethodInfo {
        oneway: method.oneway,
        idempotent: method.idempotent,
        timeout: method.timeout,
        served: method.served,
        ..MethodInfo::new(
            method.id,
            method.service,
            method.name,
            method.signature,
            method.fingerprint,
        )
    }
}

/// Turns "no method has the call ID 42" into what was probably meant, within the time of the call.
pub(crate) async fn explain(
    link: &Arc<Link>,
    call: &Prepared,
    ours: Option<&'static ServiceDescriptor>,
    failure: Error,
) -> Error {
    let method = call.method;
    if is_framework(method.service) {
        return failure;
    }
    match read_tables(
        link,
        call.time_left().map_or(EXPLAIN, |left| left.min(EXPLAIN)),
    )
    .await
    {
        Some(tables) => hint(link.peer(), &tables, method, ours, &failure),
        None => failure,
    }
}

/// The same for a caller without an async runtime.
pub(crate) fn explain_blocking(
    channel: &BlockingChannel,
    peer: &Hello,
    call: &Prepared,
    ours: Option<&'static ServiceDescriptor>,
    failure: Error,
) -> Error {
    let method = call.method;
    if is_framework(method.service) || peer.fingerprint(ReflectionClient::SERVICE.name).is_none() {
        return failure;
    }
    let limit = call.time_left().map_or(EXPLAIN, |left| left.min(EXPLAIN));
    let options = CallOptions::new().timeout(limit);
    let client = ReflectionBlockingClient::new(channel.with_options(options));
    match client.services() {
        Ok(tables) => hint(
            failure.peer().unwrap_or("the peer"),
            &tables,
            method,
            ours,
            &failure,
        ),
        Err(_) => failure,
    }
}

async fn read_tables(link: &Arc<Link>, limit: Duration) -> Option<Vec<ServiceInfo>> {
    let method = ReflectionClient::SERVICE
        .methods
        .iter()
        .find(|method| method.name == "services")?;
    let request = Request {
        method,
        params: vec![0x90],
        extras: None,
        options: CallOptions::new().timeout(limit),
    };
    let prepared = request.prepare(&Limits::default()).ok()?;
    let mut ticket = link
        .begin(&prepared.frame().ok()?, prepared.deadline, true)
        .ok()?;
    Returns::plain(Codec::direct())
        .decode(ticket.answer().await, method)
        .ok()
}

/// Names the closest method, and the fingerprints of both sides.
fn hint(
    peer: &str,
    tables: &[ServiceInfo],
    method: &MethodDescriptor,
    ours: Option<&ServiceDescriptor>,
    failure: &Error,
) -> Error {
    let mut text = format!("{peer} has no method {method} (call ID {})", method.id);
    let visible = || tables.iter().filter(|service| !is_framework(&service.name));
    if let Some(theirs) = visible().find(|service| service.name == method.service) {
        let _ = write!(
            text,
            "; its {} has the fingerprint {:016x}",
            theirs.name, theirs.fingerprint
        );
        match ours {
            Some(ours) => {
                let _ = write!(text, ", the definition here {:016x}", ours.fingerprint);
            }
            // The channel was not opened for one service; what is known is the method.
            None => text.push_str(", the method here comes from another definition"),
        }
        if let Some(known) = theirs
            .methods
            .iter()
            .find(|known| known.name == method.name)
        {
            let _ = write!(
                text,
                "; it knows `{}` by the call ID {}",
                known.name, known.call_id
            );
        } else if let Some(closest) =
            closest(theirs.methods.iter().map(|known| &*known.name), method.name)
        {
            let _ = write!(text, "; did you mean `{closest}`?");
        }
    } else {
        let mut names = visible().map(|service| &*service.name);
        match closest(visible().map(|service| &*service.name), method.service) {
            Some(closest) => {
                let _ = write!(text, "; it serves {closest}, did you mean that?");
            }
            None => {
                let first = names.next().unwrap_or("nothing");
                let served = names.fold(first.to_owned(), |list, name| format!("{list}, {name}"));
                let _ = write!(text, "; it serves {served}");
            }
        }
    }
    Error::new(ErrorKind::Unimplemented, text)
        .with_execution(failure.execution())
        .with_peer(peer)
}

/// The most similar name, if any is similar at all.
pub(crate) fn closest<'a>(
    mut names: impl Iterator<Item = &'a str>,
    wanted: &str,
) -> Option<&'a str> {
    closest_of(&mut names, wanted)
}

fn closest_of<'a>(names: &mut dyn Iterator<Item = &'a str>, wanted: &str) -> Option<&'a str> {
    let ranked = names.map(|name| (distance(name, wanted), name));
    ranked
        .filter(|(distance, _)| *distance <= wanted.len().div_ceil(2))
        .min()
        .map(|(_, name)| name)
}

/// Levenshtein distance in bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_name_is_found_and_strangers_are_not() {
        let names = ["hello", "goodbye", "help"];
        assert_eq!(closest(names.into_iter(), "helo"), Some("hello"));
        assert_eq!(closest(names.into_iter(), "xxxxxx"), None);
    }
}
