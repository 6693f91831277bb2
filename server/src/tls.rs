//! TLS towards peers: the certificate that they are shown, and whose certificates they have to show.
//!
//! TLS gives privacy and can keep unknown machines out. Trust does not depend on it, because every answer is signed (docs/design.md,
//! Trust). It is TLS 1.3 alone, on ring. This file turns files into a TLS configuration; [`accept`](crate::accept) opens
//! connections with it.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::armour::{self, ArmourError, Block};
use shared::reason::Word;
use shared::time::{Length, Timestamp};
use store::regular;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig};
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::fixable::FixableError;

const DAY: Duration = Duration::from_hours(24);

/// A certificate whose end is nearer than this is an alarm.
pub const ENDS_SOON: Duration = Duration::from_hours(30 * 24);

/// TLS for peers, as the setting `tls` has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsMode {
    /// No machine can use it.
    #[default]
    Off,
    /// Machines may use it, on the same port.
    Offered,
    /// Every machine must use it.
    Required,
}

/// The files of TLS, as the settings name them. A relative path is in the data directory.
#[derive(Clone, Copy, Debug)]
pub struct TlsFiles<'a> {
    /// `tls_certificate`: the chain, the server's own certificate first.
    pub certificate: &'a Path,
    /// `tls_key`: the key of that certificate.
    pub key: &'a Path,
    /// `tls_client_ca`: the authorities for the certificates of machines; empty if none is demanded.
    pub client_ca: &'a Path,
}

/// How connections are opened.
#[derive(Clone, Debug, Default)]
pub enum Tls {
    /// In the clear.
    #[default]
    Off,
    /// In the clear or by TLS, as the machine begins.
    Offered(Server),
    /// Only by TLS.
    Required(Server),
}

/// The TLS configuration of a program.
#[derive(Clone)]
pub struct Server {
    config: Arc<ServerConfig>,
    certificate: TlsCertificate,
    /// The authorities for the certificates of machines; empty if none is demanded.
    authorities: Vec<CertificateDer<'static>>,
    /// The file of its key, if every user of this machine can read it.
    open_key: Option<PathBuf>,
}

/// The certificate that peers are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsCertificate {
    /// Its bytes.
    bytes: CertificateDer<'static>,
    /// The first instant at which it is valid.
    pub begins_at: Timestamp,
    /// The first instant at which it is not valid any more.
    pub ends_at: Timestamp,
}

/// A flaw of a certificate that depends on the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It is not valid yet.
    NotBegun,
    /// It will end soon.
    EndsSoon,
    /// It has ended.
    Ended,
}

impl Flaw {
    /// What `explain` prints about it.
    pub fn word(self) -> &'static Word {
        match self {
            Flaw::NotBegun => Word::TLS_CERTIFICATE_NOT_BEGUN,
            Flaw::EndsSoon => Word::TLS_CERTIFICATE_ENDS_SOON,
            Flaw::Ended => Word::TLS_CERTIFICATE_ENDED,
        }
    }
}

impl Tls {
    /// Reads the files, unless TLS is off.
    ///
    /// # Errors
    /// The first file that cannot be used.
    pub fn read(mode: TlsMode, files: &TlsFiles<'_>, data: &Path) -> Result<Tls, FixableError> {
        match mode {
            TlsMode::Off => Ok(Tls::Off),
            TlsMode::Offered => Ok(Tls::Offered(Server::read(files, data)?)),
            TlsMode::Required => Ok(Tls::Required(Server::read(files, data)?)),
        }
    }

    /// The same for browsers, which may speak HTTP/1.1, too.
    #[must_use]
    pub fn for_pages(self) -> Tls {
        let for_pages = |server: Server| {
            let mut config = ServerConfig::clone(&server.config);
            config.alpn_protocols.push(b"http/1.1".to_vec());
            Server { config: Arc::new(config), ..server }
        };
        match self {
            Tls::Off => Tls::Off,
            Tls::Offered(server) => Tls::Offered(for_pages(server)),
            Tls::Required(server) => Tls::Required(for_pages(server)),
        }
    }

    /// Its name, as the setting `tls` has it.
    pub fn name(&self) -> &'static str {
        match self {
            Tls::Off => "off",
            Tls::Offered(_) => "offered",
            Tls::Required(_) => "required",
        }
    }

    /// The TLS configuration, unless TLS is off.
    pub fn server(&self) -> Option<&Server> {
        match self {
            Tls::Off => None,
            Tls::Offered(server) | Tls::Required(server) => Some(server),
        }
    }
}

impl Server {
    fn read(files: &TlsFiles<'_>, data: &Path) -> Result<Server, FixableError> {
        let (certificate_path, key_path) = (data.join(files.certificate), data.join(files.key));
        let chain = certificates(&certificate_path, "tls_certificate")?;
        let key = key(&key_path)?;
        let certificate =
            TlsCertificate::of(&chain[0]).map_err(|error| unusable(&certificate_path, error))?;
        let authorities = if files.client_ca.as_os_str().is_empty() {
            Vec::new()
        } else {
            certificates(&data.join(files.client_ca), "tls_client_ca")?
        };
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("ring speaks TLS 1.3");
        let builder = match verifier(&authorities) {
            Ok(None) => builder.with_no_client_auth(),
            Ok(Some(verifier)) => builder.with_client_cert_verifier(verifier),
            Err(cause) => return Err(unusable(&data.join(files.client_ca), cause)),
        };
        let mut server = builder.with_single_cert(chain, key).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                let (key, first) = (key_path.display(), certificate_path.display());
                FixableError::new(
                    format!("the key in {key} is not that of the first certificate in {first}"),
                    "put the server's own certificate first, before those that signed it, or the key that belongs to it",
                )
            }
            error => unusable(&certificate_path, error),
        })?;
        server.alpn_protocols = vec![b"h2".to_vec()];
        // A machine connects once a week, and with a session ticket it would not have to show its certificate again.
        server.send_tls13_tickets = 0;
        server.session_storage = Arc::new(NoServerSessionStorage {});
        let open_key = is_open_to_all(&key_path).then_some(key_path);
        Ok(Server { config: Arc::new(server), certificate, authorities, open_key })
    }

    /// Opens connections.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.clone())
    }

    /// The certificate that peers are shown.
    pub fn certificate(&self) -> &TlsCertificate {
        &self.certificate
    }

    /// Whether machines have to show certificates.
    pub fn demands_certificates(&self) -> bool {
        !self.authorities.is_empty()
    }

    /// Whether machines have to show certificates of other authorities than before.
    pub fn demands_others(&self, before: &Server) -> bool {
        self.authorities != before.authorities
    }

    /// The file of the key, if every user of this machine can read it.
    pub fn open_key(&self) -> Option<&Path> {
        self.open_key.as_deref()
    }
}

/// Without the key.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("ends_at", &self.certificate.ends_at).finish_non_exhaustive()
    }
}

impl TlsCertificate {
    fn of(certificate: &CertificateDer<'static>) -> Result<TlsCertificate, x509_cert::der::Error> {
        let parsed = x509_cert::Certificate::from_der(certificate)?;
        let validity = parsed.tbs_certificate().validity();
        let at = |time: x509_cert::time::Time| Timestamp::from_unix_ms(0) + time.to_unix_duration();
        Ok(TlsCertificate {
            bytes: certificate.clone(),
            begins_at: at(validity.not_before),
            // RFC 5280 4.1.2.5: "from notBefore through notAfter, inclusive".
            ends_at: at(validity.not_after) + Duration::from_secs(1),
        })
    }

    /// The names and addresses that it is for, in order.
    pub fn names(&self) -> Vec<String> {
        let Ok(parsed) = x509_cert::Certificate::from_der(&self.bytes) else { return Vec::new() };
        let Ok(Some((_, names))) = parsed.tbs_certificate().get_extension::<SubjectAltName>() else {
            return Vec::new();
        };
        let mut names: Vec<_> = names.0.iter().filter_map(shown_name).collect();
        names.sort();
        names
    }

    /// The name of the authority that has signed it, as RFC 4514 writes it.
    pub fn issuer(&self) -> String {
        let parsed = x509_cert::Certificate::from_der(&self.bytes);
        parsed.map_or_else(|_| String::new(), |parsed| parsed.tbs_certificate().issuer().to_string())
    }

    /// The flaw that it has now, if any.
    pub fn flaw(&self, now: Timestamp) -> Option<Flaw> {
        if now < self.begins_at {
            return Some(Flaw::NotBegun);
        }
        if self.ends_at <= now {
            return Some(Flaw::Ended);
        }
        (self.ends_soon_from() <= now).then_some(Flaw::EndsSoon)
    }

    /// Whether to warn of it, given the last look: when its end comes near, and once a day from then on. A certificate that has not
    /// begun leads to a warning at each look.
    pub fn is_to_warn_of(&self, before: Timestamp, now: Timestamp) -> bool {
        let from = self.ends_soon_from();
        let days = |at: Timestamp| (from <= at).then(|| at.since(from).as_secs() / DAY.as_secs());
        self.flaw(now).is_some() && (days(before) != days(now) || before < self.begins_at)
    }

    /// When the alarm begins. For a short-lived certificate, which a program renews, that is the last tenth of its life.
    fn ends_soon_from(&self) -> Timestamp {
        self.ends_at - ENDS_SOON.min(self.ends_at.since(self.begins_at) / 10)
    }

    /// The flaw, in one line.
    pub fn tell(&self, flaw: Flaw, now: Timestamp) -> String {
        let TlsCertificate { begins_at, ends_at, .. } = self;
        match flaw {
            Flaw::NotBegun => format!("the TLS certificate is not valid before {begins_at}"),
            Flaw::EndsSoon => {
                format!("the TLS certificate ends in {}, at {ends_at}", Length(ends_at.since(now)))
            }
            Flaw::Ended => format!("the TLS certificate has ended at {ends_at}: no machine accepts it"),
        }
    }
}

fn shown_name(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(name.to_string()),
        GeneralName::IpAddress(address) => {
            let (v4, v6) =
                (<[u8; 4]>::try_from(address.as_bytes()), <[u8; 16]>::try_from(address.as_bytes()));
            v4.map(IpAddr::from).or(v6.map(IpAddr::from)).ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// The verifier for the certificates of machines; none without an authority.
fn verifier(authorities: &[CertificateDer<'static>]) -> Result<Option<Arc<dyn ClientCertVerifier>>, String> {
    if authorities.is_empty() {
        return Ok(None);
    }
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority.clone()).map_err(|error| error.to_string())?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build();
    verifier.map(Some).map_err(|error| error.to_string())
}

/// The certificates in a file, at least one.
fn certificates(path: &Path, setting: &'static str) -> Result<Vec<CertificateDer<'static>>, FixableError> {
    let bytes = read(path, setting)?;
    let bytes = pem_of(&bytes, path)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes.as_bytes()).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        Ok(_) => Err(FixableError::new(
            format!("{}, which `{setting}` names, has no certificate", path.display()),
            "put a certificate there, as PEM, which begins with -----BEGIN CERTIFICATE-----",
        )),
        Err(error) => Err(unusable(path, error)),
    }
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, FixableError> {
    let bytes = zeroize::Zeroizing::new(read(path, "tls_key")?);
    let bytes = pem_of(&bytes, path)?;
    PrivateKeyDer::from_pem_slice(bytes.as_bytes()).map_err(|error| match error {
        pem::Error::NoItemsFound => FixableError::new(
            format!("{}, which `tls_key` names, has no private key that can be read", path.display()),
            "put the key there, as PEM and without a passphrase",
        ),
        error => unusable(path, error),
    })
}

/// The PEM in a file, without what mail and editors have added.
fn pem_of(bytes: &[u8], path: &Path) -> Result<Block, FixableError> {
    match armour::find_all(bytes) {
        Err(ArmourError::Missing) => Ok(Block::default()),
        found => found.map_err(|error| unusable(path, error)),
    }
}

fn read(path: &Path, setting: &'static str) -> Result<Vec<u8>, FixableError> {
    regular::read(path).map_err(|error| {
        let text = format!("{} cannot be read, and `{setting}` names it for TLS", path.display());
        let remedy = format!("put the file there, for the service's user to read, or correct `{setting}`");
        FixableError::new(text, remedy).because(error)
    })
}

/// A group may read it: Debian has the group ssl-cert for this.
fn is_open_to_all(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o007 != 0)
}

fn unusable(path: &Path, cause: impl fmt::Display) -> FixableError {
    let text = format!("{} cannot be used for TLS: {cause}", path.display());
    FixableError::new(text, "put another file there: X.509, as PEM")
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Writes a certificate that has signed itself, and its key, and gives back their names.
    fn written(data: &Path) -> TlsFiles<'static> {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(["host-a".to_owned()]).unwrap().self_signed(&key).unwrap();
        let files = TlsFiles {
            certificate: Path::new("tls.pem"),
            key: Path::new("tls.key"),
            client_ca: Path::new(""),
        };
        fs::write(data.join(files.certificate), certificate.pem()).unwrap();
        fs::write(data.join(files.key), key.serialize_pem()).unwrap();
        fs::set_permissions(data.join(files.key), Permissions::from_mode(0o640)).unwrap();
        files
    }

    #[test]
    fn what_cannot_be_used_is_named_with_its_file_and_what_it_has_to_be() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path();
        let files = written(data);
        let (certificate, key) = (data.join(files.certificate), data.join(files.key));
        let read = || Tls::read(TlsMode::Offered, &files, data);
        assert!(read().unwrap().server().unwrap().open_key().is_none());
        let told = |error: FixableError| format!("{error}; {}", error.remedy());
        let refused = || told(read().unwrap_err());

        for (path, mailed) in [(&certificate, "> "), (&key, "\u{FEFF}  ")] {
            let text = fs::read_to_string(path).unwrap();
            let text: Vec<_> = text.lines().map(|line| format!("{mailed}{line} \r")).collect();
            let text = text.concat();
            fs::write(path, format!("Here it is.\r{text}\r-- \rKind regards\r")).unwrap();
        }
        assert!(read().is_ok(), "what a mail or an editor has put around it does no harm");

        fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
        assert_eq!(read().unwrap().server().unwrap().open_key(), Some(key.as_path()));

        fs::write(&key, KeyPair::generate().unwrap().serialize_pem()).unwrap();
        let error = refused();
        assert!(error.contains("tls.key") && error.contains("is not that of the first"), "{error}");
        fs::copy(&certificate, &key).unwrap();
        assert!(refused().contains("has no private key"), "{}", refused());
        fs::remove_file(&key).unwrap();
        assert!(refused().contains("`tls_key`"), "{}", refused());
        fs::write(&certificate, "noise").unwrap();
        assert!(refused().contains("-----BEGIN CERTIFICATE-----"), "{}", refused());
        fs::write(&certificate, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        fs::write(&key, KeyPair::generate().unwrap().serialize_pem()).unwrap();
        assert!(refused().contains("cannot be used"), "{}", refused());

        written(data);
        let demanding = TlsFiles { client_ca: Path::new("absent.pem"), ..files };
        let error = told(Tls::read(TlsMode::Required, &demanding, data).unwrap_err());
        assert!(error.contains("`tls_client_ca`"), "{error}");
        assert!(Tls::read(TlsMode::Off, &demanding, data).unwrap().server().is_none());
    }

    #[test]
    fn a_year_warns_for_30_days_and_a_day_for_its_last_tenth() {
        let begins_at = Timestamp::from_unix_ms(0);
        let check = |life: Duration, soon: Duration| {
            let ends_at = begins_at + life;
            let certificate = TlsCertificate { bytes: CertificateDer::from(vec![]), begins_at, ends_at };
            let flaws = [begins_at - SECOND, begins_at, ends_at - soon - SECOND, ends_at - soon]
                .map(|now| certificate.flaw(now));
            assert_eq!(flaws, [Some(Flaw::NotBegun), None, None, Some(Flaw::EndsSoon)]);
            assert_eq!(
                [ends_at - SECOND, ends_at].map(|now| certificate.flaw(now)),
                [Some(Flaw::EndsSoon), Some(Flaw::Ended)]
            );
        };
        check(DAY * 365, ENDS_SOON);
        check(DAY, DAY / 10);
    }

    #[test]
    fn a_warning_comes_when_there_is_something_new_and_once_a_day() {
        let begins_at = Timestamp::from_unix_ms(0);
        let certificate =
            TlsCertificate { bytes: CertificateDer::from(vec![]), begins_at, ends_at: begins_at + DAY * 365 };
        let (start, soon) = (Timestamp::from_unix_ms(i64::MIN), begins_at + DAY * 335);
        assert!(!certificate.is_to_warn_of(start, soon - SECOND));
        assert!(certificate.is_to_warn_of(start, soon), "at each start");
        assert!(certificate.is_to_warn_of(soon - SECOND, soon));
        assert!(!certificate.is_to_warn_of(soon, soon + DAY - SECOND));
        assert!(certificate.is_to_warn_of(soon + DAY - SECOND, soon + DAY));
        assert!(certificate.is_to_warn_of(soon + DAY * 30, soon + DAY * 31), "and after its end");
        assert!(certificate.is_to_warn_of(start, begins_at - SECOND));
    }
}
