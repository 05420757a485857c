//! What went wrong in a handshake, in sentences that say what to do.

use std::io;

use rustls::{AlertDescription, CertificateError, Error as TlsError};

use crate::codec::Timestamp;
use crate::error::{Error, ErrorKind};

/// What is wrong with a certificate: the end of a sentence that begins with whose it is.
pub(super) fn certificate(error: &TlsError, is_self_signed: bool) -> String {
    use CertificateError as Wrong;
    let TlsError::InvalidCertificate(wrong) = error else {
        return format!("was refused: {error}");
    };
    match wrong {
        Wrong::Expired => "has expired; renew it".to_owned(),
        Wrong::ExpiredContext { not_after, .. } => {
            format!("has expired on {}; renew it", date(not_after.as_secs()))
        }
        Wrong::NotValidYet => "is not valid yet; is the clock right?".to_owned(),
        Wrong::NotValidYetContext { not_before, .. } => format!(
            "is not valid yet, but from {}; are the clocks right?",
            date(not_before.as_secs())
        ),
        Wrong::Revoked => "was revoked by its CA".to_owned(),
        Wrong::UnknownIssuer if is_self_signed => {
            "is self-signed and not among the roots here; have it signed by a CA whose certificate is".to_owned()
        }
        Wrong::UnknownIssuer => {
            "comes from a CA that is not among the roots here; add that CA, or the intermediate certificates at the other side".to_owned()
        }
        Wrong::UnknownRevocationStatus => {
            "may have been revoked: revocation lists are given here, and none is of its CA".to_owned()
        }
        Wrong::NotValidForNameContext { expected, presented } => format!(
            "is not for `{}` but for {}; connect by that name, or say it with ClientTls::server_name",
            expected.to_str(),
            if presented.is_empty() { "no name at all".to_owned() } else { presented.iter().map(|name| plain(name)).collect::<Vec<_>>().join(", ") }
        ),
        Wrong::NotValidForName => {
            "is for another name; say the right one with ClientTls::server_name".to_owned()
        }
        Wrong::InvalidPurpose => {
            "is not meant for this use; its extended key usage says otherwise".to_owned()
        }
        Wrong::InvalidPurposeContext { required, .. } => format!(
            "is not meant for this use ({required:?}); its extended key usage says otherwise"
        ),
        Wrong::BadSignature => "has a wrong signature".to_owned(),
        Wrong::BadEncoding => "cannot be read".to_owned(),
        other => format!("was refused: {other}"),
    }
}

/// A name as a certificate has it, without what the library puts around it: `DnsName("localhost")`, `IpAddress(::1)`.
fn plain(presented: &str) -> &str {
    let inner = presented
        .strip_prefix("DnsName(\"")
        .and_then(|rest| rest.strip_suffix("\")"));
    let inner = inner.or_else(|| {
        presented
            .strip_prefix("IpAddress(")
            .and_then(|rest| rest.strip_suffix(')'))
    });
    inner.unwrap_or(presented)
}

/// A failed handshake, or a failure of the encrypted connection, as an error; `noted` is why a certificate was refused.
pub(super) fn failure(peer: &str, error: &io::Error, noted: Option<String>) -> Option<Error> {
    let tls = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<TlsError>())?;
    let (kind, text) = match (tls, noted) {
        (_, Some(why)) => (ErrorKind::Unauthenticated, why),
        (TlsError::NoCertificatesPresented, None) => (
            ErrorKind::Unauthenticated,
            "the client shows no certificate, and one is required here".to_owned(),
        ),
        (TlsError::AlertReceived(alert), None) => received(*alert),
        (TlsError::NoApplicationProtocol, None) => (
            ErrorKind::FailedPrecondition,
            "the other side does not speak `rpcidl/1` under TLS (ALPN); is it a program of this protocol?".to_owned(),
        ),
        (TlsError::PeerIncompatible(why), None) => (
            ErrorKind::FailedPrecondition,
            format!("the other side has no TLS 1.3 as it is spoken here ({why:?})"),
        ),
        (TlsError::InvalidMessage(_), None) => (
            ErrorKind::FailedPrecondition,
            "the other side speaks no TLS; is the port right, and not a plain one (tcp://)?".to_owned(),
        ),
        (other, None) => (ErrorKind::Unavailable, other.to_string()),
    };
    Some(Error::new(kind, format!("TLS with {peer}: {text}")).with_peer(peer))
}

/// What the other side says of us.
fn received(alert: AlertDescription) -> (ErrorKind, String) {
    use AlertDescription as Alert;
    let ours = match alert {
        Alert::CertificateRequired => {
            "it wants a certificate of this side: give it with ClientTls::certificate"
        }
        Alert::CertificateExpired => {
            "it refuses the certificate of this side: expired, or not valid yet"
        }
        Alert::CertificateRevoked => "it refuses the certificate of this side: revoked",
        Alert::UnknownCA => {
            "it refuses the certificate of this side: its CA is not known there, or it is self-signed"
        }
        Alert::UnsupportedCertificate => {
            "it refuses the certificate of this side: not meant for this use (extended key usage)"
        }
        Alert::BadCertificate | Alert::CertificateUnknown | Alert::AccessDenied => {
            "it refuses the certificate of this side; its log says why"
        }
        Alert::DecryptError => {
            "it refuses the signature of this side; does the certificate's CA have another key there?"
        }
        Alert::NoApplicationProtocol => {
            return (
                ErrorKind::FailedPrecondition,
                "it does not speak `rpcidl/1` under TLS (ALPN); is it a server of this protocol?"
                    .to_owned(),
            );
        }
        Alert::ProtocolVersion | Alert::HandshakeFailure | Alert::InsufficientSecurity => {
            return (
                ErrorKind::FailedPrecondition,
                "it does not take TLS 1.3; either it knows older versions only, or it listens without TLS (tcp://)"
                    .to_owned(),
            );
        }
        other => {
            return (
                ErrorKind::Unavailable,
                format!("it ended the connection with the alert {other:?}"),
            );
        }
    };
    (ErrorKind::Unauthenticated, ours.to_owned())
}

fn date(seconds: u64) -> String {
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| Timestamp::new(seconds, 0))
        .map_or_else(|| format!("second {seconds}"), |time| time.to_string())
}
