//! From credentials to an identity: the server's hook, and a table of tokens for those who need no more.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::security::{Identity, Token};

/// What somebody shows who wants to be let in.
#[derive(Clone, Debug)]
pub struct Login {
    peer: Arc<str>,
    identity: Option<Identity>,
    token: Option<Token>,
}

impl Login {
    pub(crate) fn new(peer: Arc<str>, identity: Option<Identity>, token: Option<Token>) -> Self {
        Self {
            peer,
            identity,
            token,
        }
    }

    /// Address of the caller.
    pub fn peer(&self) -> &str {
        &self.peer
    }

    /// Who it is by what is known without the token: at HELLO, whom the certificate is for, if one was shown and
    /// verified; with a call, to whom the connection belongs.
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// The token that came with HELLO, or with one call.
    pub fn token(&self) -> Option<&Token> {
        self.token.as_ref()
    }
}

/// Decides who a caller is.
///
/// It is asked once for each connection, with what came in HELLO, and again for every call that brings a token of its
/// own. `Ok(None)` lets somebody in without an identity: for connections on which each call says for itself who makes
/// it. An error refuses; its message is sent to the caller, so it must not hold the secret. Of kind `unauthenticated` it
/// means that the credentials are not good; of kind `unavailable`, that this cannot be said at the moment.
///
/// Closures are authenticators too:
///
/// ```
/// use rpc_runtime::{Error, ErrorKind, Identity, Login, Server};
///
/// let server = Server::new().authenticate(async |login: Login| match login.token() {
///     Some(token) if token.reveal().starts_with("guest-") => Ok(Some(Identity::new("guest"))),
///     _ => Err(Error::new(ErrorKind::Unauthenticated, "guests only")),
/// });
/// # let _ = server;
/// ```
pub trait Authenticator: Send + Sync + 'static {
    /// Says who shows these credentials. Dropped when the time of the handshake, or of the call, is up.
    ///
    /// # Errors
    ///
    /// Whoever it is is not let in.
    fn authenticate(&self, login: Login) -> impl Future<Output = Result<Option<Identity>>> + Send;
}

impl<F, Answer> Authenticator for F
where
    F: Fn(Login) -> Answer + Send + Sync + 'static,
    Answer: Future<Output = Result<Option<Identity>>> + Send,
{
    fn authenticate(&self, login: Login) -> impl Future<Output = Result<Option<Identity>>> + Send {
        self(login)
    }
}

/// The answer of an authenticator, of whatever type it is.
pub(super) type Authenticating = Pin<Box<dyn Future<Output = Result<Option<Identity>>> + Send>>;

/// Authenticators of all types side by side.
pub(super) trait AnyAuthenticator: Send + Sync {
    fn ask(self: Arc<Self>, login: Login) -> Authenticating;
}

impl<A: Authenticator> AnyAuthenticator for A {
    fn ask(self: Arc<Self>, login: Login) -> Authenticating {
        Box::pin(async move { self.authenticate(login).await })
    }
}

/// A table of tokens, each with the name of its holder.
///
/// Whoever shows a certificate and no token is whom the certificate is for.
///
/// ```
/// use rpc_runtime::{Server, Token, Tokens};
///
/// let tokens = Tokens::new().add(Token::new("c2VjcmV0")?, "billing");
/// let server = Server::new().authenticate(tokens);
/// # let _ = server;
/// # Ok::<(), rpc_runtime::Error>(())
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct Tokens {
    known: Vec<(Token, Identity)>,
    strangers: bool,
}

impl Tokens {
    /// Makes an empty table, which lets nobody in.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a token and the name of its holder. A holder may have several: for the time in which an old one is replaced.
    pub fn add(mut self, token: Token, name: impl Into<String>) -> Self {
        self.known.push((token, Identity::new(name)));
        self
    }

    /// Lets connections in that show nothing; their calls may bring tokens of their own. A wrong token is refused all
    /// the same.
    pub fn let_strangers_in(mut self) -> Self {
        self.strangers = true;
        self
    }

    fn find(&self, token: &Token) -> Option<Identity> {
        let mut found = None;
        // All are compared, so that the time does not tell which one is nearly right.
        for (known, identity) in &self.known {
            if known == token {
                found = Some(identity);
            }
        }
        found.cloned()
    }
}

impl Authenticator for Tokens {
    async fn authenticate(&self, login: Login) -> Result<Option<Identity>> {
        let refused = |text| Err(Error::new(ErrorKind::Unauthenticated, text));
        match (login.token(), login.identity()) {
            (Some(token), _) => match self.find(token) {
                Some(identity) => Ok(Some(identity)),
                None => refused("the token is not known here"),
            },
            (None, Some(known)) => Ok(Some(known.clone())),
            (None, None) if self.strangers => Ok(None),
            (None, None) => {
                refused("a token is needed here; give the channel one, ChannelBuilder::token")
            }
        }
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.known.iter().map(|(_, identity)| identity))
            .finish()
    }
}
