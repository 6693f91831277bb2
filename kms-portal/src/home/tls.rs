//! The certificate that hosts and machines are shown: signed by an authority of the portal's own, which products carry.
//!
//! A portal may show a certificate of a public authority instead: replace `tls.pem` and `tls.key`, or name other files in the settings.
//! Both certificates are valid for long, because nothing that is signed depends on TLS; it keeps product keys secret on the way.

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use data_encoding::HEXLOWER;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};
use server::fixable::FixableError;
use sha2::{Digest as _, Sha256};
use shared::srv::is_host_name;
use shared::time::Timestamp;
use zeroize::Zeroizing;

use super::error::{PortalHomeError, Trouble};

/// Clocks of machines may be late by this much when the certificate is new.
const BEFORE: Duration = Duration::from_hours(48);

/// How long the authority is valid: longer than products that carry it are used.
const AUTHORITY: Duration = Duration::from_hours(30 * 365 * 24);

/// How long the server's certificate is valid. `kms-portal doctor` warns before its end.
const SERVER: Duration = Duration::from_hours(5 * 365 * 24);

/// A name by which hosts and machines reach the portal: a host name or an IP address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsName(SanType);

impl FromStr for TlsName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<TlsName, &'static str> {
        let wrong = "write a host name such as activation.example.com, or an IP address; no port";
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(TlsName(SanType::IpAddress(address)));
        }
        let name = Some(text).filter(|name| is_host_name(name)).and_then(|name| name.try_into().ok());
        name.map(|name| TlsName(SanType::DnsName(name))).ok_or(wrong)
    }
}

/// A certificate and its key, as their files have them.
pub(super) struct PemPair {
    pub(super) certificate: String,
    pub(super) key: Zeroizing<String>,
}

/// An authority for the certificates of one portal.
pub(super) fn new_authority(now: Timestamp) -> Result<PemPair, PortalHomeError> {
    let key = KeyPair::generate().map_err(not_made)?;
    let certificate = authority(&key, now).self_signed(&key).map_err(not_made)?;
    Ok(PemPair { certificate: certificate.pem(), key: Zeroizing::new(key.serialize_pem()) })
}

/// A server certificate for these names, signed by the authority of this key.
pub(super) fn new_server(
    authority_key: &str,
    names: &[TlsName],
    now: Timestamp,
) -> Result<PemPair, PortalHomeError> {
    let authority_key = KeyPair::from_pem(authority_key).map_err(not_made)?;
    let issuer = Issuer::new(authority(&authority_key, now), authority_key);
    let key = KeyPair::generate().map_err(not_made)?;
    let mut about = about("Activation portal".to_owned(), now, SERVER);
    about.subject_alt_names = names.iter().map(|TlsName(name)| name.clone()).collect();
    about.use_authority_key_identifier_extension = true;
    about.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    about.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = about.signed_by(&key, &issuer).map_err(not_made)?;
    Ok(PemPair { certificate: certificate.pem(), key: Zeroizing::new(key.serialize_pem()) })
}

/// What an authority says of itself. Its name follows from its key: verifiers take authorities of the same name for one another.
fn authority(key: &KeyPair, now: Timestamp) -> CertificateParams {
    let digest = Sha256::digest(key.public_key_raw());
    let mut about =
        about(format!("Activation portal authority {}", HEXLOWER.encode(&digest[..8])), now, AUTHORITY);
    about.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    about.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    about
}

fn about(name: String, now: Timestamp, valid_for: Duration) -> CertificateParams {
    let now = now.since(Timestamp::from_unix_ms(0));
    let epoch = date_time_ymd(1970, 1, 1);
    let mut about = CertificateParams::default();
    about.distinguished_name = DistinguishedName::new();
    about.distinguished_name.push(DnType::CommonName, name);
    about.not_before = epoch + now.saturating_sub(BEFORE);
    about.not_after = epoch + now + valid_for;
    about
}

fn not_made(error: rcgen::Error) -> PortalHomeError {
    let remedy = "remove tls.pem, tls.key, portal-ca.pem and portal-ca.key if they were edited, and run `kms-portal init` again; \
                  products that carry the old authority then need the new one";
    let error = FixableError::new("the TLS certificate cannot be made", remedy).because(error);
    PortalHomeError::new(Trouble::Data, error)
}
