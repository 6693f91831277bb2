//! An organisation's CA, and the certificates that it signs for hosts and machines. Each story makes its own, so that none has
//! expired.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    date_time_ymd,
};
use shared::time::Timestamp;

const YEAR: Duration = Duration::from_hours(365 * 24);

/// An authority.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate that it has signed, and its key. Both are PEM.
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

impl Authority {
    /// A new authority with a unique name: a verifier mistakes one of two with the same name for the other.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn new() -> anyhow::Result<Authority> {
        let mut about = CertificateParams::new([])?;
        about.distinguished_name.push(DnType::CommonName, format!("CA {:016x}", rand::random::<u64>()));
        about.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Ok(Authority(CertifiedIssuer::self_signed(about, KeyPair::generate()?)?))
    }

    /// A certificate that has signed itself, is one of a CA and names this host, as `openssl req -x509` makes it.
    ///
    /// # Errors
    /// A name that no certificate can have.
    pub fn of_itself(name: &str) -> anyhow::Result<Identity> {
        let mut about = CertificateParams::new([name.to_owned()])?;
        about.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate()?;
        Ok(Identity { certificate: about.self_signed(&key)?.pem(), key: key.serialize_pem() })
    }

    /// Its certificate, for whoever is to trust it.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// For a host of these names or addresses, until a year from `now`.
    ///
    /// # Errors
    /// A name that no certificate can have.
    pub fn host(&self, names: &[&str], now: Timestamp) -> anyhow::Result<Identity> {
        self.host_until(names, now + YEAR)
    }

    /// Like [`Authority::host`], until `ends_at`, from two years before that.
    ///
    /// # Errors
    /// A name that no certificate can have.
    pub fn host_until(&self, names: &[&str], ends_at: Timestamp) -> anyhow::Result<Identity> {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut about = CertificateParams::new(names)?;
        let since_1970 = |at: Timestamp| date_time_ymd(1970, 1, 1) + at.since(Timestamp::from_unix_ms(0));
        about.not_before = since_1970(ends_at - 2 * YEAR);
        about.not_after = since_1970(ends_at);
        about.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(&about)
    }

    /// For a machine.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn machine(&self) -> anyhow::Result<Identity> {
        let mut about = CertificateParams::new([])?;
        about.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(&about)
    }

    fn sign(&self, about: &CertificateParams) -> anyhow::Result<Identity> {
        let key = KeyPair::generate()?;
        let certificate = about.signed_by(&key, &self.0)?;
        Ok(Identity { certificate: certificate.pem(), key: key.serialize_pem() })
    }
}

impl Identity {
    /// Puts both where a host looks for them by default, in this data directory.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn install(&self, data: &Path) -> anyhow::Result<()> {
        let key = data.join("tls.key");
        fs::write(data.join("tls.pem"), &self.certificate)?;
        fs::write(&key, &self.key)?;
        Ok(fs::set_permissions(&key, Permissions::from_mode(0o600))?)
    }
}
