//! Certificates, keys and roots of both sides, from PEM text.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{Error as TlsError, InconsistentKeys, RootCertStore};

use crate::error::{Error, ErrorKind, Result};

/// The server's side of `tls://`: its certificate and key, and whom it takes as clients.
///
/// ```no_run
/// # async fn f() -> rpc_runtime::Result<()> {
/// use rpc_runtime::{Server, ServerTls};
///
/// let tls = ServerTls::from_files("server.pem", "server.key")?;
/// let serving = Server::new().tls(tls).listen("tls://0.0.0.0:7443").await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct ServerTls {
    own: Own,
    clients: Clients,
    revoked: Vec<CertificateRevocationListDer<'static>>,
}

/// The client's side of `tls://`: the roots it trusts, and its own certificate where the server wants one.
///
/// There are no built-in roots: a server of your own has a certificate of your own CA. For public certificates give the
/// bundle of the system, `/etc/ssl/certs/ca-certificates.crt` on Debian.
///
/// ```no_run
/// # async fn f() -> rpc_runtime::Result<()> {
/// use rpc_runtime::{Channel, ClientTls};
///
/// let tls = ClientTls::from_file("ca.pem")?;
/// let channel = Channel::builder().tls(tls).connect("tls://shop.example:7443").await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct ClientTls {
    roots: Arc<RootCertStore>,
    own: Option<Own>,
    name: Option<ServerName<'static>>,
    revoked: Vec<CertificateRevocationListDer<'static>>,
}

/// A certificate with its chain and key.
#[derive(Clone)]
struct Own {
    certified: Arc<CertifiedKey>,
}

/// Whether clients show a certificate.
#[derive(Clone)]
enum Clients {
    Anybody,
    May(Arc<RootCertStore>),
    Must(Arc<RootCertStore>),
}

impl ServerTls {
    /// Reads the certificate, followed by those of intermediate CAs, and its private key (PKCS#8, PKCS#1 or SEC1)
    /// from PEM text.
    ///
    /// # Errors
    ///
    /// `invalid_argument`: there is none, it cannot be read, or the key belongs to another certificate.
    pub fn from_pem(certificate: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Result<Self> {
        Ok(Self {
            own: Own::read(certificate.as_ref(), key.as_ref())?,
            clients: Clients::Anybody,
            revoked: Vec::new(),
        })
    }

    /// The same from two files, which may be one and the same.
    ///
    /// # Errors
    ///
    /// As [`ServerTls::from_pem`], and if a file cannot be read.
    pub fn from_files(certificate: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<Self> {
        Self::from_pem(read(certificate.as_ref())?, read(key.as_ref())?)
    }

    /// Takes only clients with a certificate of one of these CAs (mutual TLS).
    ///
    /// # Errors
    ///
    /// `invalid_argument` if there is no certificate in the PEM text, or one that is none of a CA.
    pub fn require_clients(mut self, authorities: impl AsRef<[u8]>) -> Result<Self> {
        self.clients = Clients::Must(roots(authorities.as_ref())?);
        Ok(self)
    }

    /// Takes clients without a certificate too; one that is shown must be of one of these CAs.
    ///
    /// # Errors
    ///
    /// As [`ServerTls::require_clients`].
    pub fn accept_clients(mut self, authorities: impl AsRef<[u8]>) -> Result<Self> {
        self.clients = Clients::May(roots(authorities.as_ref())?);
        Ok(self)
    }

    /// Refuses client certificates on these revocation lists (PEM, `X509 CRL`). Once a list is given, every CA of a
    /// client's chain needs one. A list that is overdue goes on being used.
    ///
    /// # Errors
    ///
    /// `invalid_argument` if there is none in the PEM text.
    pub fn revoked(mut self, lists: impl AsRef<[u8]>) -> Result<Self> {
        self.revoked.extend(revocation_lists(lists.as_ref())?);
        Ok(self)
    }

    pub(crate) fn ready(&self) -> Result<ServerSide> {
        let verifier = match &self.clients {
            Clients::Anybody => None,
            Clients::May(roots) | Clients::Must(roots) => {
                let builder =
                    WebPkiClientVerifier::builder_with_provider(roots.clone(), provider())
                        .with_crls(self.revoked.iter().cloned());
                let builder = match &self.clients {
                    Clients::May(_) => builder.allow_unauthenticated(),
                    _ => builder,
                };
                let built = builder.build();
                Some(built.map_err(|error| Error::invalid(format!("client CAs: {error}")))?)
            }
        };
        if verifier.is_none() && !self.revoked.is_empty() {
            return Err(Error::invalid(
                "revocation lists for clients, and no CA whose clients are taken: call ServerTls::require_clients",
            ));
        }
        let own = Arc::new(SingleCertAndKey::from(self.own.certified.clone()));
        Ok(ServerSide { own, verifier })
    }
}

impl ClientTls {
    /// Trusts servers with a certificate of one of these CAs, given as PEM text.
    ///
    /// # Errors
    ///
    /// `invalid_argument` if there is no certificate in the text, or one that is none of a CA.
    pub fn from_pem(authorities: impl AsRef<[u8]>) -> Result<Self> {
        Ok(Self {
            roots: roots(authorities.as_ref())?,
            own: None,
            name: None,
            revoked: Vec::new(),
        })
    }

    /// The same from a file.
    ///
    /// # Errors
    ///
    /// As [`ClientTls::from_pem`], and if the file cannot be read.
    pub fn from_file(authorities: impl AsRef<Path>) -> Result<Self> {
        Self::from_pem(read(authorities.as_ref())?)
    }

    /// Shows this certificate to servers that ask for one (mutual TLS); the form is that of [`ServerTls::from_pem`].
    ///
    /// # Errors
    ///
    /// As [`ServerTls::from_pem`].
    pub fn certificate(
        mut self,
        certificate: impl AsRef<[u8]>,
        key: impl AsRef<[u8]>,
    ) -> Result<Self> {
        self.own = Some(Own::read(certificate.as_ref(), key.as_ref())?);
        Ok(self)
    }

    /// The same from two files.
    ///
    /// # Errors
    ///
    /// As [`ServerTls::from_files`].
    pub fn certificate_files(
        self,
        certificate: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self> {
        self.certificate(read(certificate.as_ref())?, read(key.as_ref())?)
    }

    /// Expects this name (or IP address) in the server's certificate instead of the host of the address: for servers
    /// that are reached by an IP address, or by a name of the network.
    ///
    /// # Errors
    ///
    /// `invalid_argument` if it is no host name.
    pub fn server_name(mut self, name: impl AsRef<str>) -> Result<Self> {
        self.name = Some(server_name(name.as_ref())?);
        Ok(self)
    }

    /// Refuses server certificates on these revocation lists; see [`ServerTls::revoked`].
    ///
    /// # Errors
    ///
    /// As [`ServerTls::revoked`].
    pub fn revoked(mut self, lists: impl AsRef<[u8]>) -> Result<Self> {
        self.revoked.extend(revocation_lists(lists.as_ref())?);
        Ok(self)
    }

    pub(crate) fn ready(&self) -> Result<ClientSide> {
        let verifier = WebPkiServerVerifier::builder_with_provider(self.roots.clone(), provider())
            .with_crls(self.revoked.iter().cloned())
            .build()
            .map_err(|error| Error::invalid(format!("server CAs: {error}")))?;
        let own = self.own.as_ref();
        Ok(ClientSide {
            own: own.map(|own| Arc::new(SingleCertAndKey::from(own.certified.clone()))),
            name: self.name.clone(),
            verifier,
        })
    }
}

/// What a server needs for a handshake.
pub(crate) struct ServerSide {
    pub(super) own: Arc<SingleCertAndKey>,
    pub(super) verifier: Option<Arc<dyn ClientCertVerifier>>,
}

/// What a client needs for a handshake.
pub(crate) struct ClientSide {
    pub(super) own: Option<Arc<SingleCertAndKey>>,
    pub(super) name: Option<ServerName<'static>>,
    pub(super) verifier: Arc<dyn ServerCertVerifier>,
}

/// The one provider of ciphers; said at each use, because a process-wide default belongs to the program.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// The name that a certificate must have, from a host of an address or from the user.
pub(super) fn server_name(host: &str) -> Result<ServerName<'static>> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    ServerName::try_from(bare.to_owned()).map_err(|_| {
        Error::invalid(format!(
            "`{}` is no host name that a certificate can be for",
            host.escape_debug()
        ))
    })
}

impl Own {
    fn read(certificate: &[u8], key: &[u8]) -> Result<Self> {
        let chain = certificates(certificate, "the certificate")?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| {
            let why = match error {
                pem::Error::NoItemsFound => {
                    "no PRIVATE KEY in the PEM text; an encrypted one must be decrypted first"
                        .to_owned()
                }
                other => format!("{other}"),
            };
            Error::invalid(format!("the private key: {why}"))
        })?;
        let certified = CertifiedKey::from_der(chain, key, &provider());
        certified
            .map(|certified| Self {
                certified: Arc::new(certified),
            })
            .map_err(|error| {
                Error::invalid(match error {
                    TlsError::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                        "the private key does not belong to the certificate (the first one in the PEM text)"
                            .to_owned()
                    }
                    other => format!("certificate and private key: {other}"),
                })
            })
    }
}

fn certificates(text: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    match read {
        Ok(found) if found.is_empty() => Err(Error::invalid(format!(
            "{what}: no CERTIFICATE in the PEM text{}",
            instead(text)
        ))),
        Ok(found) => Ok(found),
        Err(error) => Err(Error::invalid(format!("{what}: {error}"))),
    }
}

/// What a PEM text holds in place of what is wanted.
fn instead(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let held = text.lines().find_map(|line| {
        line.trim()
            .strip_prefix("-----BEGIN ")?
            .strip_suffix("-----")
    });
    match held {
        Some(held) => format!(", but a {held}; was another file meant?"),
        None if text.is_empty() => ", it is empty".to_owned(),
        None => {
            "; PEM begins with `-----BEGIN CERTIFICATE-----`, other forms must be converted first"
                .to_owned()
        }
    }
}

fn roots(text: &[u8]) -> Result<Arc<RootCertStore>> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(text, "the roots")? {
        store
            .add(certificate)
            .map_err(|error| Error::invalid(format!("the roots: {error}")))?;
    }
    Ok(Arc::new(store))
}

fn revocation_lists(text: &[u8]) -> Result<Vec<CertificateRevocationListDer<'static>>> {
    let read: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(text).collect();
    match read {
        Ok(found) if found.is_empty() => Err(Error::invalid(
            "the revocation lists: no X509 CRL in the PEM text",
        )),
        Ok(found) => Ok(found),
        Err(error) => Err(Error::invalid(format!("the revocation lists: {error}"))),
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| {
        let text = format!("cannot read {}: {error}", path.display());
        Error::new(ErrorKind::InvalidArgument, text)
    })
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clients = match &self.clients {
            Clients::Anybody => "anybody",
            Clients::May(_) => "with or without a certificate",
            Clients::Must(_) => "with a certificate",
        };
        f.debug_struct("ServerTls")
            .field("certificates", &self.own.certified.cert.len())
            .field("clients", &format_args!("{clients}"))
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls")
            .field("roots", &self.roots.len())
            .field("certificate", &self.own.is_some())
            .field("server_name", &self.name)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ClientSide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSide").finish_non_exhaustive()
    }
}

impl fmt::Debug for ServerSide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerSide").finish_non_exhaustive()
    }
}
