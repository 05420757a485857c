//! The handshake around a connection of another transport, at both ends.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::client::Resumption;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::ServerName;
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::ClientCertVerifier;
use rustls::version::TLS13;
use rustls::{ClientConfig, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf, join, split};
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::config::{ClientSide, ServerSide, provider, server_name};
use super::verify::{self, Note, Noting};
use super::{ALPN, explain};
use crate::error::{Error, ErrorKind, Result};
use crate::transport::Io;

/// Time for a client to read why it is refused.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Most bytes read from a client that is refused.
const SWALLOWED: u64 = 64 << 10;

/// The client's side.
///
/// # Errors
///
/// The server's certificate is not good for `host`, or TLS does not come about.
pub(crate) async fn connect(io: Io, host: &str, side: &ClientSide) -> Result<Io> {
    let note = Note::default();
    let (config, name) = client_config(side, host, &note)?;
    let Io {
        reader,
        writer,
        peer,
        ..
    } = io;
    let connecting = TlsConnector::from(config).connect(name, join(reader, writer));
    let stream = connecting
        .await
        .map_err(|error| failed(&peer, &error, note.take()))?;
    let session = stream.get_ref().1;
    check_alpn(&peer, session.alpn_protocol())?;
    let identity = verify::identity(session.peer_certificates());
    let (reader, writer) = split(stream);
    Ok(Io {
        identity,
        is_private: true,
        ..Io::new(explained(reader, &peer), writer, peer)
    })
}

/// The server's side; a client that is refused is told by an alert.
///
/// # Errors
///
/// The client's certificate is not taken, or TLS does not come about.
pub(crate) async fn accept(io: Io, side: &ServerSide) -> Result<Io> {
    let note = Note::default();
    let Io {
        reader,
        writer,
        peer,
        since,
        ..
    } = io;
    let config = server_config(side, &note)?;
    let accepting = TlsAcceptor::from(config).accept(join(reader, writer));
    let stream = match accepting.into_fallible().await {
        Ok(stream) => stream,
        Err((error, mut raw)) => {
            swallow(&mut raw).await;
            return Err(failed(&peer, &error, note.take()));
        }
    };
    let session = stream.get_ref().1;
    let alpn = check_alpn(&peer, session.alpn_protocol());
    let identity = verify::identity(session.peer_certificates());
    let (reader, writer) = split(stream);
    let io = Io {
        identity,
        is_private: true,
        since,
        ..Io::new(explained(reader, &peer), writer, peer)
    };
    match alpn {
        Ok(()) => Ok(io),
        Err(error) => {
            let Io {
                reader, mut writer, ..
            } = io;
            let _ = writer.write_all(NO_ALPN).await;
            swallow(&mut join(reader, writer)).await;
            Err(error)
        }
    }
}

/// For a client that asked for nothing by ALPN: it may be anything, people included.
const NO_ALPN: &[u8] = b"This listener speaks rpcidl/1; the client did not offer it (ALPN).\n";

pub(super) fn client_config(
    side: &ClientSide,
    host: &str,
    note: &Note,
) -> Result<(Arc<ClientConfig>, ServerName<'static>)> {
    let verifier: Arc<Noting<dyn ServerCertVerifier>> = Arc::new(Noting {
        inner: side.verifier.clone(),
        note: note.clone(),
    });
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| Error::invalid(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match &side.own {
        Some(own) => builder.with_client_cert_resolver(own.clone()),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![ALPN.to_vec()];
    // Each connection proves anew who both sides are; ours live long, so that costs little.
    config.resumption = Resumption::disabled();
    let name = match &side.name {
        Some(name) => name.clone(),
        None => server_name(host)?,
    };
    Ok((Arc::new(config), name))
}

fn server_config(side: &ServerSide, note: &Note) -> Result<Arc<ServerConfig>> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| Error::invalid(error.to_string()))?;
    let builder = match &side.verifier {
        Some(verifier) => {
            let verifier: Arc<Noting<dyn ClientCertVerifier>> = Arc::new(Noting {
                inner: verifier.clone(),
                note: note.clone(),
            });
            builder.with_client_cert_verifier(verifier)
        }
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(side.own.clone());
    config.alpn_protocols = vec![ALPN.to_vec()];
    // A ticket would let a client in again whose certificate was revoked or has expired meanwhile.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

pub(super) fn check_alpn(peer: &str, agreed: Option<&[u8]>) -> Result<()> {
    if agreed == Some(ALPN) {
        return Ok(());
    }
    let text = format!(
        "TLS with {peer}: the other side does not name `rpcidl/1` (ALPN); is it a program of this protocol?"
    );
    Err(Error::new(ErrorKind::FailedPrecondition, text).with_peer(peer))
}

pub(super) fn failed(peer: &str, error: &io::Error, noted: Option<String>) -> Error {
    explain::failure(peer, error, noted).unwrap_or_else(|| {
        let text = match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                format!("{peer} closed the connection in the middle of the TLS handshake")
            }
            _ => format!("the TLS handshake with {peer} failed: {error}"),
        };
        Error::unavailable(text).with_peer(peer)
    })
}

/// Closing with unread input would reset the connection, and the peer might never see the alert.
async fn swallow(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    let farewell = async {
        stream.shutdown().await?;
        tokio::io::copy(&mut stream.take(SWALLOWED), &mut tokio::io::sink()).await
    };
    let _ = timeout(LAST_WORDS, farewell).await;
}

fn explained<R>(inner: R, peer: &str) -> Explained<R> {
    Explained {
        inner,
        peer: peer.to_owned(),
    }
}

/// A reader whose TLS errors are sentences: a server learns only after the handshake what the client thinks of it, and
/// a client, whether its certificate is taken.
struct Explained<R> {
    inner: R,
    peer: String,
}

impl<R: AsyncRead + Unpin> AsyncRead for Explained<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.inner).poll_read(cx, buf);
        outcome.map_err(|error| told(&self.peer, error))
    }
}

/// The same failure with a sentence in it.
pub(super) fn told(peer: &str, error: io::Error) -> io::Error {
    match explain::failure(peer, &error, None) {
        Some(told) => io::Error::other(told),
        None => error,
    }
}
