//! The call-ID table: what a service is called, and the number of each of its methods.

use std::fmt;
use std::time::Duration;

use crate::status::Status;

/// A service as both machines know it; generated, static.
///
/// `Display` prints the call-ID table.
#[derive(Debug, PartialEq, Eq)]
pub struct ServiceDescriptor {
    /// Full dotted name.
    pub name: &'static str,
    /// Hash of everything that can be seen on the wire; both ends learn the other's when they connect.
    pub fingerprint: u64,
    /// `@version`, if the definition has one.
    pub version: Option<&'static str>,
    /// Documentation.
    pub docs: &'static str,
    /// All methods, inherited ones included, sorted by [`MethodDescriptor::id`].
    pub methods: &'static [MethodDescriptor],
}

/// One line of a call-ID table.
#[derive(Debug, PartialEq, Eq)]
pub struct MethodDescriptor {
    /// The call ID.
    pub id: u64,
    /// Full name of the service that declares the method.
    pub service: &'static str,
    /// Name in the definition.
    pub name: &'static str,
    /// Name that the call ID is made from.
    pub wire_name: &'static str,
    /// Whether and how it streams.
    pub kind: MethodKind,
    /// Nothing comes back.
    pub oneway: bool,
    /// May be repeated when it is unknown whether it ran.
    pub idempotent: bool,
    /// Runs to its end although the caller is gone.
    pub finish: bool,
    /// Time limit of the definition.
    pub timeout: Option<Duration>,
    /// `@retry` of the definition; where the caller says nothing else, it goes before the channel's policy.
    pub retry: Option<MethodRetry>,
    /// Hash of its signature.
    pub fingerprint: u64,
    /// Parameters, result and error as text.
    pub signature: &'static str,
    /// Whether this version of the framework serves it.
    pub served: bool,
}

/// How a definition wants calls of a method to be repeated. It never makes a method run twice that is not idempotent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MethodRetry {
    /// Most attempts, the first included: in place of [`RetryPolicy::max_attempts`](crate::RetryPolicy::max_attempts).
    pub max_attempts: u32,
    /// The statuses on which to try again; if empty, those of the framework: `unavailable`, `resource_exhausted`, and
    /// what the peer marks as retryable.
    pub on: &'static [Status],
    /// In place of [`RetryPolicy::first_pause`](crate::RetryPolicy::first_pause).
    pub first_pause: Option<Duration>,
}

/// How a method moves data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MethodKind {
    /// One request, one answer.
    Unary,
    /// Many requests, one answer.
    ClientStream,
    /// One request, many answers.
    ServerStream,
    /// Many of both.
    BidiStream,
}

/// A generated client: what its address is looked up for.
pub trait Client: From<crate::Channel> {
    /// The service that it calls.
    const SERVICE: &'static ServiceDescriptor;
}

impl ServiceDescriptor {
    /// The index of the method with this call ID.
    pub fn find(&self, id: u64) -> Option<usize> {
        self.methods
            .binary_search_by_key(&id, |method| method.id)
            .ok()
    }
}

/// Whether a service, by its full name, is one of the framework's own.
pub(crate) fn is_framework(service: &str) -> bool {
    service.starts_with("rpc.")
}

impl fmt::Display for ServiceDescriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} (fingerprint {:016x})", self.name, self.fingerprint)?;
        for method in self.methods {
            writeln!(
                f,
                "  {:>16}  {}{}",
                method.id, method.name, method.signature
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for MethodDescriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.service, self.name)
    }
}
