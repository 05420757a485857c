//! Who may call what: rules by method, looked up by call ID, before anything is decoded.

use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::descriptor::{MethodDescriptor, ServiceDescriptor};
use crate::error::{Error, ErrorKind, Result};
use crate::reflection::closest;
use crate::security::{Identity, IdentityKind};

/// Who wants to call which method: what a [`Rule`] decides on.
#[derive(Clone, Copy, Debug)]
pub struct Access<'a> {
    pub(super) method: &'static MethodDescriptor,
    pub(super) peer: &'a str,
    pub(super) identity: Option<&'a Identity>,
}

impl<'a> Access<'a> {
    /// The method, found by its call ID; how the caller spells it plays no part.
    pub fn method(&self) -> &'static MethodDescriptor {
        self.method
    }

    /// Address of the caller.
    pub fn peer(&self) -> &'a str {
        self.peer
    }

    /// Who the caller is, if anything vouches for that.
    pub fn identity(&self) -> Option<&'a Identity> {
        self.identity
    }
}

/// Whom a method, a service or a server is for; see [`Server::rule`](crate::Server::rule).
#[derive(Clone)]
pub struct Rule {
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    All,
    Deny,
    Authenticated,
    Identity(IdentityKind, String),
    Spiffe(String),
    When(Arc<dyn Fn(&Access<'_>) -> bool + Send + Sync>),
}

impl Rule {
    /// Everybody, those without an identity too.
    pub fn all() -> Self {
        Self { kind: Kind::All }
    }

    /// Nobody, whatever other rules for the same target say.
    pub fn deny() -> Self {
        Self { kind: Kind::Deny }
    }

    /// Everybody with an identity.
    pub fn authenticated() -> Self {
        Self {
            kind: Kind::Authenticated,
        }
    }

    /// The one with this name, vouched for in this way.
    pub fn identity(kind: IdentityKind, name: impl Into<String>) -> Self {
        Self {
            kind: Kind::Identity(kind, name.into()),
        }
    }

    /// Everybody whose SPIFFE ID is this one or lies below it: `spiffe://example.org/billing` is for
    /// `spiffe://example.org/billing/worker` too, and not for `spiffe://example.org/billing2`.
    pub fn spiffe(prefix: impl Into<String>) -> Self {
        Self {
            kind: Kind::Spiffe(prefix.into()),
        }
    }

    /// Whoever this says `true` of. It runs on the task that reads the connection, for every call: it must not wait. If
    /// it panics, it has said `false`.
    pub fn when(says: impl Fn(&Access<'_>) -> bool + Send + Sync + 'static) -> Self {
        Self {
            kind: Kind::When(Arc::new(says)),
        }
    }

    /// Finds a rule that is true of nobody, whoever calls.
    fn check(&self) -> Result<(), String> {
        match &self.kind {
            Kind::Spiffe(prefix) if !prefix.starts_with("spiffe://") => Err(format!(
                "`{prefix}` is no SPIFFE ID, these begin with spiffe://"
            )),
            Kind::Identity(IdentityKind::Spiffe, name) if !name.starts_with("spiffe://") => Err(
                format!("`{name}` is no SPIFFE ID, these begin with spiffe://"),
            ),
            Kind::Identity(IdentityKind::Dns, name)
                if name.chars().any(|letter| letter.is_ascii_uppercase()) =>
            {
                Err(format!(
                    "DNS names of identities are in lower case: `{}`",
                    name.to_ascii_lowercase()
                ))
            }
            Kind::Identity(_, name) if name.is_empty() => Err(
                "nobody has an empty name; `Rule::authenticated()` is for all that have one"
                    .to_owned(),
            ),
            _ => Ok(()),
        }
    }

    fn allows(&self, access: &Access<'_>) -> bool {
        match (&self.kind, access.identity) {
            (Kind::All, _) => true,
            (Kind::Authenticated, identity) => identity.is_some(),
            (Kind::Identity(kind, name), Some(identity)) => {
                identity.kind() == *kind && identity.name() == name
            }
            (Kind::Spiffe(prefix), Some(identity)) => {
                identity.kind() == IdentityKind::Spiffe && lies_below(identity.name(), prefix)
            }
            (Kind::When(says), _) => {
                catch_unwind(AssertUnwindSafe(|| says(access))).unwrap_or(false)
            }
            (Kind::Deny | Kind::Identity(..) | Kind::Spiffe(_), _) => false,
        }
    }
}

/// Whether a path is another one, or goes on where that ends.
fn lies_below(id: &str, prefix: &str) -> bool {
    let prefix = prefix.trim_end_matches('/');
    id.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::All => f.write_str("all"),
            Kind::Deny => f.write_str("deny"),
            Kind::Authenticated => f.write_str("authenticated"),
            Kind::Identity(kind, name) => write!(f, "{kind:?}({name:?})"),
            Kind::Spiffe(prefix) => write!(f, "below {prefix:?}"),
            Kind::When(_) => f.write_str("when …"),
        }
    }
}

/// Rules as they were written, for targets by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written(pub(super) Vec<(String, Rule)>);

impl Written {
    pub(crate) fn add(&mut self, target: String, rule: Rule) {
        self.0.push((target, rule));
    }

    /// Looks the targets up.
    ///
    /// # Errors
    ///
    /// A target that is not mounted, or a rule that can be true of nobody: both are mistakes.
    pub(crate) fn resolve(
        &self,
        services: &[&'static ServiceDescriptor],
    ) -> Result<Arc<dyn Verdict>> {
        let mut levels: [HashMap<u64, Vec<Rule>>; 3] = Default::default();
        for (target, rule) in &self.0 {
            let (level, ids) = find(target, services)?;
            rule.check().map_err(|why| {
                let text = format!("the rule for `{target}`: {why}");
                Error::new(ErrorKind::FailedPrecondition, text)
            })?;
            for id in ids {
                levels[level].entry(id).or_default().push(rule.clone());
            }
        }
        // What is said of a method replaces what is said of its service, and that what is said of all.
        let mut by_id = HashMap::new();
        for level in levels {
            by_id.extend(level);
        }
        Ok(Arc::new(Rules { by_id }))
    }
}

/// How specific a target is, and the call IDs it stands for.
fn find(target: &str, services: &[&'static ServiceDescriptor]) -> Result<(usize, Vec<u64>)> {
    let ids = |service: &ServiceDescriptor| -> Vec<u64> {
        service.methods.iter().map(|method| method.id).collect()
    };
    if target == "*" {
        return Ok((
            0,
            services.iter().flat_map(|service| ids(service)).collect(),
        ));
    }
    let (name, method) = match target.split_once('/') {
        Some((name, method)) => (name, Some(method)),
        None => (target, None),
    };
    let wrong = |what: String, names: &mut dyn Iterator<Item = &'static str>, wanted: &str| {
        let names: Vec<_> = names.collect();
        let hint = match closest(names.iter().copied(), wanted) {
            Some(closest) => format!("did you mean `{closest}`?"),
            None => format!("there are {}", names.join(", ")),
        };
        let text = format!("the rule for `{}`: {what}; {hint}", target.escape_debug());
        Error::new(ErrorKind::FailedPrecondition, text)
    };
    let Some(service) = services.iter().find(|service| service.name == name) else {
        let what =
            "no such service is mounted (write package.Service, package.Service/method or *)";
        let mut names = services.iter().map(|service| service.name);
        return Err(wrong(what.to_owned(), &mut names, name));
    };
    let Some(method) = method else {
        return Ok((1, ids(service)));
    };
    let mut methods = service.methods.iter();
    match methods.find(|known| known.name == method || known.wire_name == method) {
        Some(found) => Ok((2, vec![found.id])),
        None => {
            let mut names = service.methods.iter().map(|method| method.name);
            Err(wrong(
                format!("{name} has no such method"),
                &mut names,
                method,
            ))
        }
    }
}

/// What looks up the targets of rules.
pub(crate) type Resolve = fn(&Written, &[&'static ServiceDescriptor]) -> Result<Arc<dyn Verdict>>;

/// What rules say.
pub(crate) trait Verdict: Send + Sync {
    /// Whether there is a rule for a method.
    fn speak_of(&self, method: &MethodDescriptor) -> bool;

    /// Whether one of the method's rules allows it and none of them denies it.
    fn allow(&self, access: &Access<'_>) -> bool;
}

/// Rules by call ID. What stands under none is for nobody.
#[derive(Debug)]
struct Rules {
    by_id: HashMap<u64, Vec<Rule>>,
}

impl Verdict for Rules {
    fn speak_of(&self, method: &MethodDescriptor) -> bool {
        self.by_id.contains_key(&method.id)
    }

    fn allow(&self, access: &Access<'_>) -> bool {
        let Some(rules) = self.by_id.get(&access.method.id) else {
            return false;
        };
        let denied = rules.iter().any(|rule| matches!(rule.kind, Kind::Deny));
        !denied && rules.iter().any(|rule| rule.allows(access))
    }
}

#[cfg(test)]
mod tests {
    use super::lies_below;

    #[test]
    fn a_spiffe_prefix_ends_where_a_segment_ends() {
        let prefix = "spiffe://example.org/billing";
        for (id, expected) in [
            ("spiffe://example.org/billing", true),
            ("spiffe://example.org/billing/worker", true),
            ("spiffe://example.org/billing2", false),
            ("spiffe://example.org/", false),
            ("spiffe://example.org.evil/billing", false),
        ] {
            assert_eq!(lies_below(id, prefix), expected, "{id}");
            assert_eq!(
                lies_below(id, "spiffe://example.org/billing/"),
                expected,
                "{id}"
            );
        }
        assert!(!lies_below(
            "spiffe://example.org.evil/x",
            "spiffe://example.org"
        ));
    }
}
