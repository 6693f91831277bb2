//! The certificate that hosts and machines are shown: signed by an authority of the portal's own, which products carry.
//!
//! A portal may show a certificate of a public authority instead: replace `tls.pem` and `tls.key`, or name other files in the settings.
//! Both certificates are valid for long, because nothing that is signed depends on TLS; it keeps product keys secret on the way.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use data_encoding::HEXLOWER;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};
use server::fixable::FixableError;
use server::tls::{Server, TlsCertificate};
use sha2::{Digest as _, Sha256};
use shared::srv::is_host_name;
use shared::time::Timestamp;
use zeroize::Zeroizing;

use super::error::{PortalHomeError, Trouble};
use super::{PRIVATE, PUBLIC, PortalHome, create, exists, replace};
use crate::config::{PortalConfig, TLS_CERTIFICATE, TLS_KEY};

/// Clocks of machines may be late by this much when the certificate is new.
const BEFORE: Duration = Duration::from_hours(48);

/// How long the authority is valid: longer than products that carry it are used.
const AUTHORITY: Duration = Duration::from_hours(30 * 365 * 24);

/// How long the server's certificate is valid. `kms-portal doctor` warns before its end.
const SERVER: Duration = Duration::from_hours(5 * 365 * 24);

/// A name by which hosts and machines reach the portal: a host name or an IP address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsName(SanType);

impl fmt::Display for TlsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            SanType::IpAddress(address) => address.fmt(f),
            SanType::DnsName(name) => f.write_str(name.as_str()),
            other => write!(f, "{other:?}"),
        }
    }
}

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

impl PortalHome {
    /// Checks that [`make_tls`](Self::make_tls) can make what is missing, before anything is written.
    pub(super) fn check_tls(&self, names: &[TlsName]) -> Result<(), PortalHomeError> {
        let [certificate, key] = [TLS_CERTIFICATE, TLS_KEY].map(|name| self.data.join(name));
        let (authority, authority_key) = (self.authority_path(), self.authority_key_path());
        if exists(&certificate) {
            return if exists(&key) { Ok(()) } else { Err(without_key(&certificate, &key)) };
        }
        if exists(&authority) && !exists(&authority_key) {
            return Err(without_key(&authority, &authority_key));
        }
        if names.is_empty() {
            return Err(PortalHomeError::new(
                Trouble::Missing,
                FixableError::new(
                    "the names by which hosts and machines reach the portal are not known",
                    "name each with --name: --name activation.example.com",
                ),
            ));
        }
        Ok(())
    }

    /// Makes the TLS certificate for these names, and its authority, where they are missing. A key that is there is used: it may be one
    /// that a public authority knows, or that products trust. One of ours for other names, or near its end, is made anew. Returns whether
    /// it has made an authority, and a certificate.
    pub(super) fn make_tls(
        &self,
        names: &[TlsName],
        now: Timestamp,
    ) -> Result<(bool, bool), PortalHomeError> {
        let [certificate, key] = [TLS_CERTIFICATE, TLS_KEY].map(|name| self.data.join(name));
        let is_there = exists(&certificate);
        if is_there && !self.is_to_be_renewed(names, now)? {
            return Ok((false, false));
        }
        let authority_key = self.key_pair(&self.authority_key_path())?;
        let about = authority(&authority_key, now);
        let is_new = !exists(&self.authority_path());
        if is_new {
            let made = about.self_signed(&authority_key).map_err(not_made)?;
            create(&self.authority_path(), made.pem().as_bytes(), PUBLIC)?;
        }
        let made = new_server(&self.key_pair(&key)?, names, now, &Issuer::new(about, authority_key))?;
        let write = if is_there { replace } else { create };
        write(&certificate, made.as_bytes(), PUBLIC)?;
        Ok((is_new, true))
    }

    /// Whether the certificate that is there is ours, and has other names than these, or ends soon.
    fn is_to_be_renewed(&self, names: &[TlsName], now: Timestamp) -> Result<bool, PortalHomeError> {
        if names.is_empty() {
            return Ok(false);
        }
        let tls = PortalConfig::default().read_tls(&self.data);
        let tls = tls.map_err(|error| PortalHomeError::new(Trouble::Data, error))?;
        let Some(found) = tls.server().map(Server::certificate) else { return Ok(false) };
        let mut wanted: Vec<_> = names.iter().map(ToString::to_string).collect();
        wanted.sort();
        wanted.dedup();
        if found.names() == wanted && found.flaw(now).is_none() {
            return Ok(false);
        }
        if self.has_signed(found) {
            return Ok(true);
        }
        let text = format!(
            "{} is for {}, and another authority than the portal's own has signed it; it is left as it is",
            self.data.join(TLS_CERTIFICATE).display(),
            found.names().join(" ")
        );
        let remedy = "have that authority make another one, or leave --name out";
        Err(PortalHomeError::new(Trouble::Exists, FixableError::new(text, remedy)))
    }

    /// Whether the portal's own authority has signed this certificate.
    fn has_signed(&self, certificate: &TlsCertificate) -> bool {
        let key = exists(&self.authority_key_path()).then(|| self.text(&self.authority_key_path()));
        let key = key.and_then(Result::ok).and_then(|text| KeyPair::from_pem(&text).ok());
        key.is_some_and(|key| certificate.issuer() == format!("CN={}", name_of_authority(&key)))
    }

    /// What to do where the TLS certificate ends.
    pub fn how_to_renew_tls(&self, certificate: &TlsCertificate, file: &Path) -> String {
        let (data, file) = (self.data.display(), file.display());
        if self.has_signed(certificate) {
            let names: String = certificate.names().iter().flat_map(|name| [" --name ", name]).collect();
            return format!(
                "run `kms-portal init --data {data}{names}`, then `kms-portal reload --data {data}` if the portal runs"
            );
        }
        format!("put another certificate into {file}, then run `kms-portal reload --data {data}`")
    }

    /// The key pair in this file, which is made if it is missing.
    fn key_pair(&self, path: &Path) -> Result<KeyPair, PortalHomeError> {
        if exists(path) {
            return KeyPair::from_pem(&self.text(path)?).map_err(not_made);
        }
        let key = KeyPair::generate().map_err(not_made)?;
        create(path, Zeroizing::new(key.serialize_pem()).as_bytes(), PRIVATE)?;
        Ok(key)
    }
}

/// A server certificate for these names.
fn new_server(
    key: &KeyPair,
    names: &[TlsName],
    now: Timestamp,
    issuer: &Issuer<'_, KeyPair>,
) -> Result<String, PortalHomeError> {
    let mut about = about("Activation portal".to_owned(), now, SERVER);
    about.subject_alt_names = names.iter().map(|TlsName(name)| name.clone()).collect();
    about.use_authority_key_identifier_extension = true;
    about.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    about.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(about.signed_by(key, issuer).map_err(not_made)?.pem())
}

/// What an authority says of itself. Its name follows from its key: verifiers take authorities of the same name for one another.
fn authority(key: &KeyPair, now: Timestamp) -> CertificateParams {
    let mut about = about(name_of_authority(key), now, AUTHORITY);
    about.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    about.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    about
}

fn name_of_authority(key: &KeyPair) -> String {
    let digest = Sha256::digest(key.public_key_raw());
    format!("Activation portal authority {}", HEXLOWER.encode(&digest[..8]))
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

/// A certificate is there, and its key is not.
fn without_key(certificate: &Path, key: &Path) -> PortalHomeError {
    let (certificate, key) = (certificate.display(), key.display());
    let text = format!("{key} is missing, and {certificate} is of no use without it");
    let remedy = format!(
        "put it back from a backup; or move {certificate} away and name each name of the portal with --name, and both are made anew. \
         Products that carry a portal-ca.pem need the new one then"
    );
    PortalHomeError::new(Trouble::Missing, FixableError::new(text, remedy))
}

fn not_made(error: rcgen::Error) -> PortalHomeError {
    let remedy = "remove tls.pem, tls.key, portal-ca.pem and portal-ca.key if they were edited, and run `kms-portal init` again; \
                  products that carry the old authority then need the new one";
    let error = FixableError::new("the TLS certificate cannot be made", remedy).because(error);
    PortalHomeError::new(Trouble::Data, error)
}
