//! Certificates of all kinds, good and bad, made for each test.

use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams,
    SanType, SerialNumber,
};

/// A certificate authority.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate with its key, as PEM text.
pub struct Made {
    pub certificate: String,
    pub key: String,
    serial: u64,
}

/// How a certificate differs from a good one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    None,
    Expired,
    NotYetValid,
    WrongUse,
}

pub const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::CrlSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer }
    }

    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A server's certificate for these names.
    pub fn server(&self, names: &[&str]) -> Made {
        self.flawed_server(names, Flaw::None)
    }

    pub fn flawed_server(&self, names: &[&str], flaw: Flaw) -> Made {
        let names: Vec<SanType> = names.iter().map(|name| san(name)).collect();
        self.make(names, ExtendedKeyUsagePurpose::ServerAuth, flaw)
    }

    /// A client's certificate for these names; those with `://` are URIs.
    pub fn client(&self, names: &[&str]) -> Made {
        self.flawed_client(names, Flaw::None)
    }

    pub fn flawed_client(&self, names: &[&str], flaw: Flaw) -> Made {
        let names: Vec<SanType> = names.iter().map(|name| san(name)).collect();
        self.make(names, ExtendedKeyUsagePurpose::ClientAuth, flaw)
    }

    fn make(&self, names: Vec<SanType>, purpose: ExtendedKeyUsagePurpose, flaw: Flaw) -> Made {
        let key = KeyPair::generate().unwrap();
        let (params, serial) = params(names, purpose, flaw);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Made {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
            serial,
        }
    }

    /// A revocation list with these certificates.
    pub fn revokes(&self, revoked: &[&Made]) -> String {
        let now = SystemTime::now();
        let revoked_certs = revoked.iter().map(|made| RevokedCertParams {
            serial_number: SerialNumber::from(made.serial),
            revocation_time: now.into(),
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: now.into(),
            next_update: (now + DAY).into(),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked_certs.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).unwrap().pem().unwrap()
    }
}

/// A certificate that nobody but itself vouches for.
pub fn self_signed_server(name: &str) -> Made {
    self_signed(name, ExtendedKeyUsagePurpose::ServerAuth)
}

pub fn self_signed_client(name: &str) -> Made {
    self_signed(name, ExtendedKeyUsagePurpose::ClientAuth)
}

fn self_signed(name: &str, purpose: ExtendedKeyUsagePurpose) -> Made {
    let key = KeyPair::generate().unwrap();
    let (params, serial) = params(vec![san(name)], purpose, Flaw::None);
    Made {
        certificate: params.self_signed(&key).unwrap().pem(),
        key: key.serialize_pem(),
        serial,
    }
}

fn params(
    names: Vec<SanType>,
    purpose: ExtendedKeyUsagePurpose,
    flaw: Flaw,
) -> (CertificateParams, u64) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.subject_alt_names = names;
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "leaf");
    let serial = u64::from_be_bytes(
        KeyPair::generate().unwrap().public_key_raw()[1..9]
            .try_into()
            .unwrap(),
    ) >> 1;
    params.serial_number = Some(SerialNumber::from(serial));
    let now = SystemTime::now();
    let (from, to) = match flaw {
        Flaw::Expired => (now - 10 * DAY, now - DAY),
        Flaw::NotYetValid => (now + DAY, now + 10 * DAY),
        _ => (now - DAY, now + 10 * DAY),
    };
    params.not_before = from.into();
    params.not_after = to.into();
    params.extended_key_usages = vec![match (flaw, purpose) {
        (Flaw::WrongUse, ExtendedKeyUsagePurpose::ServerAuth) => {
            ExtendedKeyUsagePurpose::ClientAuth
        }
        (Flaw::WrongUse, _) => ExtendedKeyUsagePurpose::ServerAuth,
        (_, purpose) => purpose,
    }];
    (params, serial)
}

fn san(name: &str) -> SanType {
    if name.contains("://") {
        return SanType::URI(name.try_into().unwrap());
    }
    match name.parse() {
        Ok(ip) => SanType::IpAddress(ip),
        Err(_) => SanType::DnsName(name.try_into().unwrap()),
    }
}
