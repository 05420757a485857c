//! From call ID to function: the table that a server answers by.

use std::fmt;
use std::sync::Arc;

use crate::descriptor::{MethodDescriptor, ServiceDescriptor, is_framework};
use crate::error::{Error, ErrorKind, Result};
use crate::link::Pace;
use crate::msgpack_rpc::Door;
use crate::security::{Guard, Identity};
use crate::server::incoming::{Answer, Incoming};
use crate::wire::by_id::ById;

/// A mounted service: decodes, calls the user's implementation, encodes. Generated.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be called from other machines as it is",
    label = "expected what is generated beside the trait, such as `GreeterService` for `trait Greeter`",
    note = "put it around the implementation: `GreeterService::new(…)`"
)]
pub trait Skeleton: Send + Sync + 'static {
    /// The call-ID table of the service.
    fn service(&self) -> &'static ServiceDescriptor;

    /// Works on one call; `method` is an index into the table, only of methods that are served.
    fn call(&self, method: usize, request: Incoming) -> Answer;
}

/// All services of one server by call ID.
#[derive(Clone, Default)]
pub(crate) struct Router {
    methods: ById<u64, Mounted>,
    services: Vec<&'static ServiceDescriptor>,
    /// For peers that speak MessagePack-RPC; `None` where they are refused.
    door: Option<Door>,
    guard: Guard,
}

/// A method of a mounted service.
#[derive(Clone)]
pub(crate) struct Mounted {
    pub(crate) skeleton: Arc<dyn Skeleton>,
    /// Its place in the service.
    pub(crate) index: usize,
    pub(crate) pace: Arc<Pace>,
}

impl Mounted {
    fn method(&self) -> &'static MethodDescriptor {
        &self.skeleton.service().methods[self.index]
    }
}

impl Router {
    /// Mounts a service.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::FailedPrecondition`] if one of its call IDs is taken by another method.
    pub(crate) fn add(&mut self, skeleton: Arc<dyn Skeleton>) -> Result<()> {
        let service = skeleton.service();
        if self.services.iter().any(|known| known.name == service.name) {
            return Err(Error::new(
                ErrorKind::FailedPrecondition,
                format!("the service {} is mounted twice", service.name),
            ));
        }
        for (index, method) in service.methods.iter().enumerate() {
            match self.methods.get(&method.id) {
                // Two services may extend the same third one; whichever came first answers.
                Some(other) if is_same(other.method(), method) => {}
                Some(other) => return Err(collision(other.method(), method)),
                None => {
                    let mounted = Mounted {
                        skeleton: skeleton.clone(),
                        index,
                        pace: Arc::default(),
                    };
                    self.methods.insert(method.id, mounted);
                }
            }
        }
        self.services.push(service);
        Ok(())
    }

    /// The same services, for peers that speak MessagePack-RPC too.
    pub(crate) fn with_door(&self, door: Door) -> Self {
        Self {
            door: Some(door),
            ..self.clone()
        }
    }

    /// How peers that speak MessagePack-RPC are served, if they are.
    pub(crate) fn door(&self) -> Option<&Door> {
        self.door.as_ref()
    }

    /// The method with this call ID.
    pub(crate) fn find(&self, call_id: u64) -> Option<(&Mounted, &'static MethodDescriptor)> {
        let mounted = self.methods.get(&call_id)?;
        Some((mounted, mounted.method()))
    }

    /// What is mounted.
    pub(crate) fn services(&self) -> &[&'static ServiceDescriptor] {
        &self.services
    }

    /// Who may call what.
    pub(crate) fn guard(&self) -> &Guard {
        &self.guard
    }

    /// The same, to be set up.
    pub(crate) fn guard_mut(&mut self) -> &mut Guard {
        &mut self.guard
    }

    /// Looks up what the rules are about, when everything is mounted.
    ///
    /// # Errors
    ///
    /// A rule for something that is not.
    pub(crate) fn close(&mut self) -> Result<()> {
        self.guard.resolve(&self.services)
    }

    /// What HELLO says of the services to this caller: of those of which it may call anything.
    pub(crate) fn visible(&self, peer: &str, identity: Option<&Identity>) -> Vec<(String, u64)> {
        self.services
            .iter()
            .filter(|service| self.guard.shows(service, peer, identity))
            .map(|service| (service.name.to_owned(), service.fingerprint))
            .collect()
    }

    /// What HELLO says of the services.
    pub(crate) fn fingerprints(&self) -> Vec<(String, u64)> {
        self.services
            .iter()
            .map(|service| (service.name.to_owned(), service.fingerprint))
            .collect()
    }

    /// The answer to a call ID that nobody has.
    pub(crate) fn unknown(&self, call_id: u64) -> String {
        if self.guard.has_rules() {
            // The names are for those who may ask for them by reflection.
            return format!("no method here has the call ID {call_id}");
        }
        let names: Vec<_> = self
            .services
            .iter()
            .map(|service| service.name)
            .filter(|name| !is_framework(name))
            .collect();
        format!(
            "no method here has the call ID {call_id}; served: {}",
            if names.is_empty() {
                "nothing".to_owned()
            } else {
                names.join(", ")
            }
        )
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.services.iter().map(|service| service.name))
            .finish()
    }
}

fn is_same(a: &MethodDescriptor, b: &MethodDescriptor) -> bool {
    a.service == b.service && a.wire_name == b.wire_name
}

fn collision(first: &MethodDescriptor, second: &MethodDescriptor) -> Error {
    Error::new(
        ErrorKind::FailedPrecondition,
        format!(
            "the call ID {id} belongs to both {first} and {second}; give one of them another: `@id({free})` above it in the .idl \
             file, `#[rpc(id = {free})]` in the trait",
            id = first.id,
            free = first.id ^ 1,
        ),
    )
}
