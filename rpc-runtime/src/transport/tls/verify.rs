//! Verifiers that note why they refuse, and the name in a certificate that was verified.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error as TlsError, SignatureScheme};
use webpki::EndEntityCert;

use super::explain;
use crate::security::{Identity, IdentityKind};

/// Why the certificate of one handshake was refused; rustls tells no more than the error, without the certificate.
#[derive(Clone, Debug, Default)]
pub(super) struct Note(Arc<Mutex<Option<String>>>);

impl Note {
    pub(super) fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set(&self, text: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
    }
}

/// A verifier for one handshake: another one decides, this one remembers.
#[derive(Debug)]
pub(super) struct Noting<V: ?Sized> {
    pub(super) inner: Arc<V>,
    pub(super) note: Note,
}

impl<V: ?Sized> Noting<V> {
    fn noted<T>(
        &self,
        outcome: Result<T, TlsError>,
        certificate: &CertificateDer<'_>,
        whose: &str,
    ) -> Result<T, TlsError> {
        if let Err(error) = &outcome {
            let why = explain::certificate(error, is_self_signed(certificate));
            self.note.set(format!("the {whose}'s certificate {why}"));
        }
        outcome
    }
}

impl ServerCertVerifier for Noting<dyn ServerCertVerifier> {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let outcome = self.inner.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        self.noted(outcome, end_entity, "server")
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

impl ClientCertVerifier for Noting<dyn ClientCertVerifier> {
    fn offer_client_auth(&self) -> bool {
        self.inner.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, TlsError> {
        let outcome = self
            .inner
            .verify_client_cert(end_entity, intermediates, now);
        self.noted(outcome, end_entity, "client")
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Whom a verified certificate is for: its SPIFFE ID if it has exactly one, else its first DNS name.
///
/// A SPIFFE certificate has exactly one URI; with several it is unclear who is meant, so none of them counts.
pub(super) fn identity(chain: Option<&[CertificateDer<'_>]>) -> Option<Identity> {
    let certificate = EndEntityCert::try_from(chain?.first()?).ok()?;
    let mut spiffe = certificate
        .valid_uri_names()
        .filter(|uri| uri.starts_with("spiffe://"));
    match (spiffe.next(), spiffe.next()) {
        (Some(id), None) => return Some(Identity::of(IdentityKind::Spiffe, id.to_owned())),
        (Some(_), Some(_)) => return None,
        (None, _) => {}
    }
    let name = certificate.valid_dns_names().next()?;
    Some(Identity::of(IdentityKind::Dns, name.to_ascii_lowercase()))
}

fn is_self_signed(certificate: &CertificateDer<'_>) -> bool {
    EndEntityCert::try_from(certificate)
        .is_ok_and(|certificate| certificate.issuer() == certificate.subject())
}
