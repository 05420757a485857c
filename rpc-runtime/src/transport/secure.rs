//! What an end of a connection has for `tls://`: a configuration, none yet, or a build without TLS.

#[cfg(feature = "tls")]
use std::sync::Arc;
use std::sync::{Mutex, PoisonError};

use super::{Address, Io};
use crate::error::{Error, ErrorKind, Result};

#[cfg(feature = "tls")]
use super::tls;

/// A client's configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClientSecurity {
    #[cfg(feature = "tls")]
    side: Option<Arc<tls::ClientSide>>,
}

/// A server's configuration; it can be replaced while the server listens.
#[derive(Debug, Default)]
pub(crate) struct ServerSecurity {
    side: Mutex<Option<Side>>,
}

#[cfg(feature = "tls")]
type Side = Arc<tls::ServerSide>;

/// There is none.
#[cfg(not(feature = "tls"))]
type Side = std::convert::Infallible;

impl ClientSecurity {
    #[cfg(feature = "tls")]
    pub(crate) fn new(config: &tls::ClientTls) -> Result<Self> {
        Ok(Self {
            side: Some(Arc::new(config.ready()?)),
        })
    }

    /// Whether an address can be connected to as far as TLS is concerned.
    ///
    /// # Errors
    ///
    /// `invalid_argument`, with what to do.
    pub(crate) fn check(&self, address: &Address) -> Result<()> {
        let Address::Tls(_) = address else {
            return Ok(());
        };
        #[cfg(feature = "tls")]
        let missing = self.side.is_none().then_some(
            "it is not said which certificates are trusted: \
             Channel::builder().tls(ClientTls::from_file(\"ca.pem\")?).connect(…), or \
             BlockingChannel::builder()",
        );
        #[cfg(not(feature = "tls"))]
        let missing = Some(NO_FEATURE);
        missing.map_or(Ok(()), |why| Err(cannot(address, why)))
    }

    #[cfg(feature = "tls")]
    pub(super) async fn connect(&self, io: Io, host: &str) -> Result<Io> {
        tls::connect(io, host, self.side()?).await
    }

    #[cfg(not(feature = "tls"))]
    pub(super) async fn connect(&self, io: Io, _: &str) -> Result<Io> {
        Err(Error::invalid(NO_FEATURE).with_peer(io.peer))
    }

    #[cfg(feature = "tls")]
    pub(super) fn side(&self) -> Result<&tls::ClientSide> {
        self.side
            .as_deref()
            .ok_or_else(|| Error::invalid("tls:// without ClientTls"))
    }
}

impl ServerSecurity {
    /// Sets or replaces it: handshakes from now on use the new one.
    #[cfg(feature = "tls")]
    pub(crate) fn set(&self, config: &tls::ServerTls) -> Result<()> {
        let side = Arc::new(config.ready()?);
        *self.side.lock().unwrap_or_else(PoisonError::into_inner) = Some(side);
        Ok(())
    }

    /// Whether there is one.
    pub(crate) fn is_set(&self) -> bool {
        let side = self.side.lock().unwrap_or_else(PoisonError::into_inner);
        side.is_some()
    }

    /// Whether an address can be listened on as far as TLS is concerned.
    ///
    /// # Errors
    ///
    /// `invalid_argument`, with what to do.
    pub(crate) fn check(&self, address: &Address) -> Result<()> {
        let is_tls = matches!(address, Address::Tls(_));
        if !is_tls || self.is_set() {
            return Ok(());
        }
        #[cfg(feature = "tls")]
        let why = "the server has no certificate: \
                   Server::new().tls(ServerTls::from_files(\"server.pem\", \"server.key\")?).listen(…)";
        #[cfg(not(feature = "tls"))]
        let why = NO_FEATURE;
        Err(cannot(address, why))
    }

    #[cfg(feature = "tls")]
    pub(crate) async fn accept(&self, io: Io) -> Result<Io> {
        let side = self
            .side
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        match side {
            Some(side) => tls::accept(io, &side).await,
            None => Err(Error::invalid("tls:// without ServerTls")),
        }
    }

    #[cfg(not(feature = "tls"))]
    pub(crate) async fn accept(&self, io: Io) -> Result<Io> {
        Err(Error::invalid(NO_FEATURE).with_peer(io.peer))
    }
}

#[cfg(not(feature = "tls"))]
const NO_FEATURE: &str = "this program was built without TLS; write `features = [\"tls\"]` at `rpc-runtime` in Cargo.toml";

fn cannot(address: &Address, why: &str) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("{address}: {why}"))
        .with_peer(address.to_string())
}
