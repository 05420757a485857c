//! What stands between a caller and a method: authentication, rules, and a line in the log for each refusal.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use crate::descriptor::{MethodDescriptor, ServiceDescriptor};
use crate::error::{Error, ErrorKind, Result};
use crate::metadata;
use crate::security::audit::Audit;
use crate::security::authenticate::{AnyAuthenticator, Authenticator, Login};
use crate::security::rules::{Access, Resolve, Rule, Verdict, Written};
use crate::security::{Identity, Token};
use crate::status::Status;

/// Metadata key of a token that is for one call.
pub(crate) const AUTHORIZATION: &str = "authorization";

/// Guards one server; the default lets everybody do everything.
#[derive(Clone, Default)]
pub(crate) struct Guard {
    authenticator: Option<Arc<dyn AnyAuthenticator>>,
    written: Written,
    /// There once there is a rule: a program without rules has nothing of what looks them up.
    resolve: Option<Resolve>,
    rules: Option<Arc<dyn Verdict>>,
    audit: Arc<Audit>,
}

/// A caller that is not let through; the handler was not started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) status: Status,
    pub(crate) text: String,
    /// The credentials of the whole connection are over: the caller has to show new ones.
    pub(crate) is_expired: bool,
}

impl From<(Status, String)> for Refused {
    fn from((status, text): (Status, String)) -> Self {
        Self {
            status,
            text,
            is_expired: false,
        }
    }
}

/// What a call goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A service that everybody on every connection can name.
    Mounted,
    /// An object that was lent on this very connection: whoever it was given to may call it, unless there are rules for
    /// its methods as well, because its service is also mounted.
    Lent,
}

/// Whether a call may go on.
pub(crate) enum Admission {
    /// It may, and this is who makes it.
    Granted(Option<Identity>),
    /// It brings credentials of its own; whoever they belong to is not known yet.
    Asked(Asked),
    Refused(Refused),
}

/// Ends with who makes the call, if they may.
pub(crate) type Asked = Pin<Box<dyn Future<Output = Result<Option<Identity>, Refused>> + Send>>;

impl Guard {
    pub(crate) fn authenticate(&mut self, authenticator: impl Authenticator) {
        self.authenticator = Some(Arc::new(authenticator));
    }

    pub(crate) fn rule(&mut self, target: String, rule: Rule) {
        self.written.add(target, rule);
        self.resolve = Some(Written::resolve);
    }

    /// Looks up what the rules are about.
    ///
    /// # Errors
    ///
    /// A rule for something that is not mounted.
    pub(crate) fn resolve(&mut self, services: &[&'static ServiceDescriptor]) -> Result<()> {
        if let Some(resolve) = self.resolve {
            self.rules = Some(resolve(&self.written, services)?);
        }
        Ok(())
    }

    /// Whether everybody may call everything, and nobody is asked who they are.
    pub(crate) fn is_open(&self) -> bool {
        self.rules.is_none() && self.authenticator.is_none()
    }

    /// Whether some callers may see less than others.
    pub(crate) fn has_rules(&self) -> bool {
        self.rules.is_some()
    }

    /// The log of refusals.
    pub(crate) fn audit(&self) -> &Audit {
        &self.audit
    }

    /// Says who opens a connection.
    ///
    /// # Errors
    ///
    /// Why they may not; the text is for them.
    pub(crate) async fn welcome(
        &self,
        peer: &Arc<str>,
        certificate: Option<Identity>,
        token: Option<Token>,
    ) -> Result<Option<Identity>> {
        let Some(authenticator) = &self.authenticator else {
            return Ok(certificate);
        };
        let login = Login::new(peer.clone(), certificate, token);
        let outcome = authenticator.clone().ask(login).await;
        if let Err(error) = &outcome {
            self.audit.warn(format_args!(
                "the connection from {peer}: {}",
                error.message()
            ));
        }
        outcome
    }

    /// Whether a call brings credentials of its own, and somebody looks at them.
    pub(crate) fn is_asked(&self, section: &[u8]) -> bool {
        self.authenticator.is_some() && metadata::find(section, AUTHORIZATION).is_some()
    }

    /// Decides on a call before anything of it is decoded but, where there is an authenticator, the token that it
    /// brings itself.
    pub(crate) fn admit(
        &self,
        method: &'static MethodDescriptor,
        peer: &Arc<str>,
        identity: Option<&Identity>,
        section: &[u8],
        target: Target,
    ) -> Admission {
        if let Some(authenticator) = &self.authenticator
            && let Some(token) = metadata::find(section, AUTHORIZATION)
        {
            let login = (peer, identity, token);
            return self.ask(authenticator, method, login, target);
        }
        match self.authorise(method, peer, identity, target) {
            Ok(()) => Admission::Granted(identity.cloned()),
            Err(refused) => Admission::Refused(refused),
        }
    }

    fn ask(
        &self,
        authenticator: &Arc<dyn AnyAuthenticator>,
        method: &'static MethodDescriptor,
        (peer, identity, token): (&Arc<str>, Option<&Identity>, &str),
        target: Target,
    ) -> Admission {
        let token = match Token::new(token.strip_prefix("Bearer ").unwrap_or(token)) {
            Ok(token) => token,
            Err(error) => return Admission::Refused(Refused::unknown(error.message().to_owned())),
        };
        let login = Login::new(peer.clone(), identity.cloned(), Some(token));
        let answer = authenticator.clone().ask(login);
        let (guard, peer) = (self.clone(), peer.clone());
        Admission::Asked(Box::pin(async move {
            match answer.await {
                Ok(identity) => {
                    guard.authorise(method, &peer, identity.as_ref(), target)?;
                    Ok(identity)
                }
                Err(error) => {
                    guard
                        .audit
                        .warn(format_args!("{method} for {peer}: {}", error.message()));
                    Err(Refused::by(&error))
                }
            }
        }))
    }

    /// Whether the rules let this caller call this method; a refusal is logged.
    pub(crate) fn authorise(
        &self,
        method: &'static MethodDescriptor,
        peer: &str,
        identity: Option<&Identity>,
        target: Target,
    ) -> Result<(), Refused> {
        if let Some(identity) = identity.filter(|identity| identity.is_expired()) {
            self.audit
                .warn(format_args!("{method} for {identity} at {peer}: expired"));
            let mut refused = Refused::unknown(format!(
                "the credentials of {identity} have expired; connect again with new ones"
            ));
            refused.is_expired = true;
            return Err(refused);
        }
        let rules = self.rules.as_ref();
        let is_given = target == Target::Lent && rules.is_none_or(|rules| !rules.speak_of(method));
        if is_given || self.allows(method, peer, identity) {
            return Ok(());
        }
        let refused = match identity {
            Some(identity) => {
                self.audit.warn(format_args!(
                    "{method} for {identity} at {peer}: not allowed"
                ));
                let text = format!("{identity} may not call {method}");
                Refused {
                    status: Status::PermissionDenied,
                    text,
                    is_expired: false,
                }
            }
            None => {
                self.audit
                    .warn(format_args!("{method} for nobody at {peer}: not allowed"));
                Refused::unknown(format!(
                    "{method} is not for everybody; say who is calling, by a token or a client certificate"
                ))
            }
        };
        Err(refused)
    }

    fn allows(
        &self,
        method: &'static MethodDescriptor,
        peer: &str,
        identity: Option<&Identity>,
    ) -> bool {
        let access = Access {
            method,
            peer,
            identity,
        };
        self.rules.as_ref().is_none_or(|rules| rules.allow(&access))
    }

    /// Whether this caller may call anything of a service: else it is not told that it is here.
    pub(crate) fn shows(
        &self,
        service: &'static ServiceDescriptor,
        peer: &str,
        identity: Option<&Identity>,
    ) -> bool {
        let mut methods = service.methods.iter();
        !self.has_rules() || methods.any(|method| self.allows(method, peer, identity))
    }
}

impl Refused {
    fn unknown(text: String) -> Self {
        Self {
            status: Status::Unauthenticated,
            text,
            is_expired: false,
        }
    }

    /// What an authenticator says, in the words of a call.
    fn by(error: &Error) -> Self {
        let status = match error.kind() {
            ErrorKind::PermissionDenied | ErrorKind::Unavailable => error.status(),
            _ => Status::Unauthenticated,
        };
        Self {
            status,
            text: error.message().to_owned(),
            is_expired: false,
        }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("authenticates", &self.authenticator.is_some())
            .field("rules", &self.written.0)
            .finish_non_exhaustive()
    }
}
