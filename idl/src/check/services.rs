//! Services together: no circles of `extends`, no method twice, no call ID twice.

use std::collections::HashMap;

use crate::check::members::alike;
use crate::codes;
use crate::diagnostic::{Draft, Sink};
use crate::model::{Model, ServiceId};
use crate::source::Place;

/// Services may extend each other over this many steps.
const MAX_CHAIN: usize = 64;

/// Where services were written, parallel to the model's list.
#[derive(Debug, Default)]
pub(crate) struct Origins {
    list: Vec<ServiceOrigin>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct ServiceOrigin {
    name: Place,
    /// Parallel to [`Service::extends`](crate::model::Service::extends).
    pub(crate) extends: Vec<Place>,
    /// Parallel to [`Service::methods`](crate::model::Service::methods).
    pub(crate) methods: Vec<Place>,
}

impl ServiceOrigin {
    pub(crate) fn new(name: Place) -> Self {
        Self {
            name,
            ..Self::default()
        }
    }
}

impl Origins {
    pub(crate) fn prepare(&mut self, services: usize) {
        self.list = vec![ServiceOrigin::default(); services];
    }

    pub(crate) fn set(&mut self, id: ServiceId, origin: ServiceOrigin) {
        self.list[id.0 as usize] = origin;
    }

    fn get(&self, id: ServiceId) -> &ServiceOrigin {
        &self.list[id.0 as usize]
    }
}

pub(crate) fn check(model: &mut Model, origins: &Origins, sink: &mut Sink) {
    break_cycles(model, origins, sink);
    for index in 0..model.services.len() {
        if !model.services[index].extends.is_empty() {
            check_clashes(model, ServiceId(index as u32), origins, sink);
        }
    }
    check_call_ids(model, origins, sink);
}

/// Removes each `extends` that closes a circle or makes a chain too long.
fn break_cycles(model: &mut Model, origins: &Origins, sink: &mut Sink) {
    let count = model.services.len();
    // 0: not seen; usize::MAX: on the path; otherwise the number of services in the chain from here.
    let mut length = vec![0_usize; count];
    let mut removed: Vec<(ServiceId, usize)> = Vec::new();
    for start in 0..count {
        if length[start] != 0 {
            continue;
        }
        length[start] = usize::MAX;
        let mut path = vec![(ServiceId(start as u32), 0_usize, 1_usize)];
        while let Some((id, edge, longest)) = path.last_mut() {
            let Some(parent) = model.service(*id).extends.get(*edge).copied() else {
                let (id, longest) = (*id, *longest);
                length[id.0 as usize] = longest;
                path.pop();
                if let Some((above, edge, reach)) = path.last_mut() {
                    join(
                        *above,
                        *edge - 1,
                        longest,
                        reach,
                        origins,
                        sink,
                        &mut removed,
                    );
                }
                continue;
            };
            let at = *edge;
            *edge += 1;
            match length[parent.0 as usize] {
                0 => {
                    length[parent.0 as usize] = usize::MAX;
                    path.push((parent, 0, 1));
                }
                usize::MAX => {
                    let id = *id;
                    let from = path
                        .iter()
                        .position(|(step, ..)| *step == parent)
                        .unwrap_or(0);
                    let steps = path[from..].iter().map(|(step, ..)| *step).chain([parent]);
                    let names: Vec<_> = steps.map(|id| &*model.service(id).name).collect();
                    let message = format!("services extend each other: {}", names.join(" -> "));
                    let place = origins.get(id).extends[at];
                    sink.report(
                        Draft::new(codes::EXTENDS_CYCLE, place, message).label("closes the circle"),
                    );
                    removed.push((id, at));
                }
                below => join(*id, at, below, longest, origins, sink, &mut removed),
            }
        }
    }
    removed.sort_unstable();
    for (id, at) in removed.into_iter().rev() {
        model.services[id.0 as usize].extends.remove(at);
    }
}

/// Adds the chain of a parent to that of a service.
fn join(
    id: ServiceId,
    edge: usize,
    below: usize,
    longest: &mut usize,
    origins: &Origins,
    sink: &mut Sink,
    removed: &mut Vec<(ServiceId, usize)>,
) {
    if below < MAX_CHAIN {
        *longest = (*longest).max(below + 1);
        return;
    }
    let message = format!("services extend each other over more than {MAX_CHAIN} steps");
    sink.report(Draft::new(
        codes::TOO_LONG,
        origins.get(id).extends[edge],
        message,
    ));
    removed.push((id, edge));
}

/// Methods of one name among a service and all it extends.
fn check_clashes(model: &Model, id: ServiceId, origins: &Origins, sink: &mut Sink) {
    let mut seen: HashMap<String, (ServiceId, usize)> = HashMap::new();
    for owner in closure(model, id) {
        for (at, method) in model.service(owner).methods.iter().enumerate() {
            let key = method.name.replace('_', "").to_ascii_lowercase();
            let Some((first_owner, first)) = seen.get(&key).copied() else {
                seen.insert(key, (owner, at));
                continue;
            };
            let other = &model.service(first_owner).methods[first];
            // Two of one service were looked at where it is defined; two that come from above, at the one that
            // brings them together.
            if first_owner == owner || !alike(&method.name, &other.name) {
                continue;
            }
            let place = if first_owner == id {
                origins.get(id).methods[first]
            } else {
                origins.get(id).name
            };
            let (name, from) = (&method.name, model.service(owner).full_name());
            let message = if first_owner == id {
                format!("the method `{name}` is inherited from `{from}` too")
            } else {
                let also = model.service(first_owner).full_name();
                format!("the method `{name}` is inherited from `{from}` and from `{also}`")
            };
            sink.report(
                Draft::new(codes::METHOD_CLASH, place, message)
                    .also(origins.get(owner).methods[at], "inherited from here")
                    .help("rename one of them; `@wire_name` keeps its call ID"),
            );
        }
    }
}

/// The service and all it extends, each once.
fn closure(model: &Model, id: ServiceId) -> Vec<ServiceId> {
    let mut seen = std::collections::HashSet::from([id]);
    let mut list = vec![id];
    let mut next = 0;
    while let Some(id) = list.get(next).copied() {
        next += 1;
        let parents = model.service(id).extends.iter();
        list.extend(parents.filter(|parent| seen.insert(**parent)));
    }
    list
}

fn check_call_ids(model: &Model, origins: &Origins, sink: &mut Sink) {
    let mut seen: HashMap<u64, (usize, usize)> = HashMap::new();
    for (index, service) in model.services.iter().enumerate() {
        for (at, method) in service.methods.iter().enumerate() {
            let Some((first_service, first)) = seen.insert(method.call_id, (index, at)) else {
                continue;
            };
            let other = &model.services[first_service];
            let name = format!("{}/{}", service.full_name(), method.name);
            let first_name = format!("{}/{}", other.full_name(), other.methods[first].name);
            let id = method.call_id;
            let free = (1..).map(|step| (id + step) & ((1 << 53) - 1));
            let free = free
                .filter(|free| *free >= crate::ids::FRAMEWORK_IDS)
                .find(|free| !seen.contains_key(free))
                .unwrap_or(crate::ids::FRAMEWORK_IDS);
            let message = format!("`{first_name}` and `{name}` have the same call ID {id:#x}");
            sink.report(
                Draft::new(
                    codes::CALL_ID_CLASH,
                    origins.list[index].methods[at],
                    message,
                )
                .also(origins.list[first_service].methods[first], "has it too")
                .help(format!(
                    "write `@id({free:#x})` before `fn {}`",
                    method.name
                )),
            );
        }
    }
}
