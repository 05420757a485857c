//! Methods by name: what a peer of the MessagePack-RPC door may write, and what we write to one.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{PoisonError, RwLock};

use crate::descriptor::{MethodDescriptor, MethodKind, is_framework};
use crate::reflection::closest;
use crate::server::router::Router;

/// How a client of a MessagePack-RPC peer spells the methods that it calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Spelling {
    /// `add`: the name alone, as most peers want it.
    #[default]
    Method,
    /// `Calculator/add`
    ServiceSlash,
    /// `Calculator.add`, as Go's `net/rpc` wants it.
    ServiceDot,
    /// `acme.math.Calculator/add`
    FullSlash,
    /// `acme.math.Calculator.add`
    FullDot,
}

impl Spelling {
    /// The example that stands for each in an address: `?spelling=Service.method`.
    pub(crate) const WORDS: [(&'static str, Self); 5] = [
        ("method", Self::Method),
        ("Service/method", Self::ServiceSlash),
        ("Service.method", Self::ServiceDot),
        ("package.Service/method", Self::FullSlash),
        ("package.Service.method", Self::FullDot),
    ];

    fn of(self, method: &MethodDescriptor) -> String {
        let (full, name) = (method.service, method.wire_name);
        let service = last_segment(full);
        match self {
            Self::Method => name.to_owned(),
            Self::ServiceSlash => format!("{service}/{name}"),
            Self::ServiceDot => format!("{service}.{name}"),
            Self::FullSlash => format!("{full}/{name}"),
            Self::FullDot => format!("{full}.{name}"),
        }
    }
}

/// What a client of a MessagePack-RPC peer calls, by call ID: frames carry numbers, the peer wants names.
#[derive(Debug, Default)]
pub(crate) struct Spoken {
    spelling: Spelling,
    /// `None` for methods that MessagePack-RPC cannot carry.
    names: RwLock<HashMap<u64, Option<String>>>,
}

impl Spoken {
    pub(crate) fn new(spelling: Spelling) -> Self {
        Self {
            spelling,
            names: RwLock::default(),
        }
    }

    /// Notes a method that is about to be called.
    pub(crate) fn learn(&self, method: &MethodDescriptor) {
        let known = self.names.read().unwrap_or_else(PoisonError::into_inner);
        if known.contains_key(&method.id) {
            return;
        }
        drop(known);
        self.names
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(
                method.id,
                carried(method).ok().map(|()| self.spelling.of(method)),
            );
    }

    /// Runs `work` with the name of a method that was learnt.
    pub(super) fn with_name<T>(&self, call_id: u64, work: impl FnOnce(&str) -> T) -> Option<T> {
        let known = self.names.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&call_id)?.as_deref().map(work)
    }
}

/// What a peer may call, by every accepted spelling. Made once for all connections of a server.
#[derive(Debug, Default)]
pub(crate) struct Names {
    spellings: HashMap<String, Meant>,
    /// `Service/method` of everything that is not the framework's own, for messages.
    served: Vec<String>,
    /// A call ID that nothing mounted has: what is refused by name is refused by this number.
    nobody: u64,
    /// There are rules about who may call what: the names are for those who may ask for them by reflection.
    secret: bool,
}

#[derive(Debug)]
enum Meant {
    One(&'static MethodDescriptor),
    /// Full spellings of all that it could be.
    Several(Vec<String>),
}

impl Names {
    /// Every spelling of every method that is mounted.
    pub(crate) fn of(router: &Router) -> Self {
        let mut names = Self {
            secret: router.guard().has_rules(),
            ..Self::default()
        };
        for service in router.services() {
            if is_framework(service.name) {
                continue;
            }
            for method in service.methods {
                names.add_method(service.name, method);
                let name = spelling(last_segment(service.name), '/', method.wire_name);
                let place = names.served.partition_point(|known| *known < name);
                if carried(method).is_ok() && names.served.get(place) != Some(&name) {
                    names.served.insert(place, name);
                }
            }
        }
        // The framework's own methods take no name away from those that the user has mounted.
        let mut framework = Self::default();
        for service in router.services() {
            if !is_framework(service.name) {
                continue;
            }
            for method in service.methods {
                framework.add_method(service.name, method);
            }
        }
        for (name, meant) in framework.spellings {
            names.spellings.entry(name).or_insert(meant);
        }
        while router.find(names.nobody).is_some() {
            names.nobody += 1;
        }
        names
    }

    fn add_method(&mut self, service: &str, method: &'static MethodDescriptor) {
        let full = spelling(service, '/', method.wire_name);
        let mut all = Vec::with_capacity(10);
        for name in [method.wire_name, method.name] {
            all.push(name.to_owned());
            for service in [service, last_segment(service)] {
                all.push(spelling(service, '/', name));
                all.push(spelling(service, '.', name));
            }
        }
        while let Some(name) = all.pop() {
            // Many are the same.
            if all.contains(&name) {
                continue;
            }
            match self.spellings.entry(name) {
                Entry::Vacant(entry) => {
                    entry.insert(Meant::One(method));
                }
                Entry::Occupied(mut entry) => match entry.get_mut() {
                    // The same method by way of two services that extend a third one.
                    Meant::One(known) if known.id == method.id => {}
                    Meant::One(known) => {
                        let first = spelling(known.service, '/', known.wire_name);
                        entry.insert(Meant::Several(vec![first, full.clone()]));
                    }
                    Meant::Several(all) => all.push(full.clone()),
                },
            }
        }
    }

    /// The method that a peer means. Looking for a similar one takes time: `explain` says whether it is worth it.
    ///
    /// # Errors
    ///
    /// When there is none, more than one, or one that this door cannot carry: what to write instead.
    pub(super) fn resolve(
        &self,
        name: &[u8],
        explain: bool,
    ) -> Result<&'static MethodDescriptor, String> {
        let Ok(name) = std::str::from_utf8(name) else {
            return Err("the method is no UTF-8 text".to_owned());
        };
        match self.spellings.get(name) {
            Some(Meant::One(method)) => carried(method).map(|()| *method),
            Some(Meant::Several(_)) if self.secret => Err(format!(
                "`{name}` is ambiguous here, put the service before it"
            )),
            Some(Meant::Several(all)) => Err(format!(
                "`{name}` is ambiguous here, write one of {}",
                listed(all)
            )),
            None => Err(self.unknown(name, explain)),
        }
    }

    /// The call ID that nobody has.
    pub(super) fn nobody(&self) -> u64 {
        self.nobody
    }

    fn unknown(&self, name: &str, explain: bool) -> String {
        let shown: String = name.chars().take(SHOWN_CHARS).collect();
        let mut text = format!("there is no method `{shown}` here");
        if self.secret || !explain {
            return text;
        }
        let near = (name.len() <= SHOWN_CHARS)
            .then(|| self.nearest(name))
            .flatten();
        match near {
            Some(near) => text += &format!("; did you mean `{near}`?"),
            None if self.served.is_empty() => text += "; nothing is served",
            None => text += &format!("; served: {}", listed(&self.served)),
        }
        text
    }

    /// The most similar spelling. Compared are the names alone where there is no service in front.
    fn nearest(&self, name: &str) -> Option<&str> {
        let separator = name.rfind(['/', '.']);
        let known = self.served.iter().take(COMPARED);
        let Some(at) = separator else {
            let bare = known.filter_map(|full| full.rsplit('/').next());
            return closest(bare, name);
        };
        let (service, method) = (last_segment(&name[..at]), &name[at + 1..]);
        closest(known.map(String::as_str), &spelling(service, '/', method))
    }
}

/// Whether a method can be called by a MessagePack-RPC peer at all.
fn carried(method: &MethodDescriptor) -> Result<(), String> {
    let lacks = if method.kind != MethodKind::Unary {
        "has streams"
    } else if method.signature.contains("handle<") {
        "hands over objects"
    } else {
        return Ok(());
    };
    Err(format!(
        "{method} {lacks}, which MessagePack-RPC does not have; call it with a generated client"
    ))
}

fn spelling(service: &str, separator: char, method: &str) -> String {
    format!("{service}{separator}{method}")
}

fn last_segment(service: &str) -> &str {
    service.rsplit('.').next().unwrap_or(service)
}

/// At most [`LISTED`] names, and how many there are beside them.
fn listed(names: &[String]) -> String {
    let mut text = names[..names.len().min(LISTED)].join(", ");
    if names.len() > LISTED {
        text += &format!(" and {} more", names.len() - LISTED);
    }
    text
}

/// Names in one message.
const LISTED: usize = 10;

/// Longest unknown name that is shown whole, and compared with others: comparing takes time for each letter.
const SHOWN_CHARS: usize = 64;

/// Methods that an unknown name is compared with: a stranger may ask for unknown ones again and again.
const COMPARED: usize = 256;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::descriptor::ServiceDescriptor;
    use crate::server::incoming::{Answer, Incoming};
    use crate::server::router::Skeleton;

    struct Mounted(&'static ServiceDescriptor);

    impl Skeleton for Mounted {
        fn service(&self) -> &'static ServiceDescriptor {
            self.0
        }

        fn call(&self, _: usize, request: Incoming) -> Answer {
            Box::pin(async move { request.done() })
        }
    }

    const fn method(
        id: u64,
        service: &'static str,
        name: &'static str,
        wire_name: &'static str,
        kind: MethodKind,
    ) -> MethodDescriptor {
        MethodDescriptor {
            id,
            service,
            name,
            wire_name,
            kind,
            oneway: false,
            idempotent: false,
            finish: false,
            timeout: None,
            retry: None,
            fingerprint: 0,
            signature: "()",
            served: true,
        }
    }

    const fn service(
        name: &'static str,
        methods: &'static [MethodDescriptor],
    ) -> ServiceDescriptor {
        ServiceDescriptor {
            name,
            fingerprint: 0,
            version: None,
            docs: "",
            methods,
        }
    }

    static MATH: ServiceDescriptor = service(
        "acme.math.Calculator",
        &[
            method(1, "acme.math.Calculator", "add", "add", MethodKind::Unary),
            method(
                2,
                "acme.math.Calculator",
                "divide",
                "div",
                MethodKind::Unary,
            ),
            method(3, "acme.math.Calculator", "ping", "ping", MethodKind::Unary),
            method(
                0,
                "acme.math.Calculator",
                "count",
                "count",
                MethodKind::ServerStream,
            ),
        ],
    );
    static OTHER: ServiceDescriptor = service(
        "acme.Watch",
        &[method(4, "acme.Watch", "ping", "ping", MethodKind::Unary)],
    );
    static OWN: ServiceDescriptor = service(
        "rpc.health.v1.Health",
        &[
            method(
                5,
                "rpc.health.v1.Health",
                "check",
                "check",
                MethodKind::Unary,
            ),
            method(6, "rpc.health.v1.Health", "add", "add", MethodKind::Unary),
        ],
    );

    fn names() -> Names {
        let mut router = Router::default();
        for service in [&MATH, &OTHER, &OWN] {
            router.add(Arc::new(Mounted(service))).unwrap();
        }
        Names::of(&router)
    }

    #[test]
    fn a_method_is_found_by_every_spelling() {
        let cases = [
            ("add", 1),
            ("Calculator/add", 1),
            ("Calculator.add", 1),
            ("acme.math.Calculator/add", 1),
            ("acme.math.Calculator.add", 1),
            ("divide", 2),
            ("div", 2),
            ("Calculator.divide", 2),
            ("Watch.ping", 4),
            ("Calculator/ping", 3),
            ("check", 5),
            ("rpc.health.v1.Health/add", 6),
        ];
        for (name, id) in cases {
            assert_eq!(
                names().resolve(name.as_bytes(), true).unwrap().id,
                id,
                "{name}"
            );
        }
    }

    #[test]
    fn what_is_not_found_is_answered_with_what_there_is() {
        let cases = [
            ("ad", "did you mean `add`?"),
            ("Calculator.ad", "did you mean `Calculator/add`?"),
            ("acme.math.Calculater/add", "did you mean `Calculator/add`?"),
            (
                "ping",
                "`ping` is ambiguous here, write one of acme.math.Calculator/ping, acme.Watch/ping",
            ),
            (
                "something_else",
                "served: Calculator/add, Calculator/div, Calculator/ping, Watch/ping",
            ),
            ("count", "has streams, which MessagePack-RPC does not have"),
            ("", "there is no method `` here; served"),
        ];
        for (name, expected) in cases {
            let text = names().resolve(name.as_bytes(), true).unwrap_err();
            assert!(text.contains(expected), "{name}: {text}");
        }
        let text = names().resolve(&[0xff], true).unwrap_err();
        assert!(text.contains("no UTF-8"), "{text}");
    }

    #[test]
    fn a_long_unknown_name_is_neither_shown_whole_nor_compared() {
        let text = names().resolve(&[b'a'; 1 << 20], true).unwrap_err();
        assert!(text.len() < 300, "{text}");
    }

    #[test]
    fn the_number_for_refusals_belongs_to_nobody() {
        assert_eq!(names().nobody(), 7, "0 to 6 are taken");
        assert_eq!(Names::default().nobody(), 0);
    }

    #[test]
    fn a_client_spells_as_it_is_told() {
        let expected = [
            "div",
            "Calculator/div",
            "Calculator.div",
            "acme.math.Calculator/div",
            "acme.math.Calculator.div",
        ];
        for ((_, spelling), expected) in Spelling::WORDS.into_iter().zip(expected) {
            let spoken = Spoken::new(spelling);
            assert_eq!(spoken.with_name(2, str::to_owned), None);
            spoken.learn(&MATH.methods[1]);
            assert_eq!(
                spoken.with_name(2, str::to_owned).as_deref(),
                Some(expected)
            );
        }
    }
}
