//! TLS towards a host or a vendor's portal: for privacy, and for peers that take nothing else.
//!
//! No trust rests on it: a lease is accepted for its signature alone, whichever way it came. TLS 1.3 and nothing older. Each way to
//! fail has a reason of its own. The caller decides whether TLS is spoken.

use std::fmt;
use std::fs::File;
use std::io::{self, IoSlice, Read as _};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use shared::armour::{self, ArmourError, Block};
use shared::reason::{Cause, Reason};
use shared::time::{Clock, Timestamp};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::time_provider::TimeProvider;
use tokio_rustls::rustls::{self, AlertDescription, CertificateError, ClientConfig, RootCertStore};
use zeroize::Zeroizing;

use crate::failure::tls_files_bad;
use crate::line::{Ended, Line};

/// Systems keep all their CAs in one file of a few hundred KiB.
const FILE_MAX_BYTES: u64 = 4 << 20;

/// Which CAs a peer's certificate has to be from, and this machine's own certificate, if it shows one.
///
/// All of it is PEM, and is read whenever a connection is to be opened. If it cannot be used, that fails with `TLS_FILES_BAD`.
#[derive(Clone)]
pub struct Tls {
    authorities: Authorities,
    /// This machine's certificate, and its key.
    own: Option<(Pem, Pem)>,
}

/// PEM in memory or in a file.
#[derive(Clone)]
enum Pem {
    Here(Arc<Zeroizing<Vec<u8>>>),
    File(PathBuf),
}

/// The CAs that a peer's certificate may be from.
#[derive(Clone)]
enum Authorities {
    Pem(Pem),
    /// Those that this machine trusts.
    #[cfg(feature = "portal")]
    System,
}

impl Tls {
    /// Hosts need a certificate from one of these CAs, for the name under which they were found.
    pub fn new(authorities: impl Into<Vec<u8>>) -> Tls {
        Tls { authorities: Authorities::Pem(Pem::here(authorities)), own: None }
    }

    /// Like [`new`](Tls::new), from a file.
    pub fn from_file(authorities: impl Into<PathBuf>) -> Tls {
        Tls { authorities: Authorities::Pem(Pem::File(authorities.into())), own: None }
    }

    /// Peers need a certificate from one of the CAs that this machine trusts.
    #[cfg(feature = "portal")]
    pub fn of_system() -> Tls {
        Tls { authorities: Authorities::System, own: None }
    }

    /// Shows this certificate to hosts that demand one. Its key has no passphrase.
    pub fn with_certificate(self, certificate: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Tls {
        Tls { own: Some((Pem::here(certificate), Pem::here(key))), ..self }
    }

    /// Like [`with_certificate`](Tls::with_certificate), from files.
    pub fn with_certificate_file(self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Tls {
        Tls { own: Some((Pem::File(certificate.into()), Pem::File(key.into()))), ..self }
    }

    /// Reads the files. This clock decides whether certificates have ended.
    ///
    /// # Errors
    /// The first file that cannot be used (`TLS_FILES_BAD`).
    pub fn read(&self, clock: Arc<dyn Clock>) -> Result<TlsWay, Cause> {
        let roots = self.authorities.roots()?;
        let builder =
            ClientConfig::builder_with_details(Arc::new(ring::default_provider()), Arc::new(Now(clock)))
                .with_protocol_versions(&[&rustls::version::TLS13])
                .expect("ring speaks TLS 1.3")
                .with_root_certificates(roots);
        let mut config = match &self.own {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => builder
                .with_client_auth_cert(certificate.certificates("the certificate")?, key.key()?)
                .map_err(|error| certificate.unusable("the certificate", &error))?,
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        // By a ticket a host or an eavesdropper could recognise a machine before it has said anything.
        config.resumption = Resumption::disabled();
        Ok(TlsWay(TlsConnector::from(Arc::new(config))))
    }
}

/// Without the key.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("shows_a_certificate", &self.own.is_some()).finish_non_exhaustive()
    }
}

impl Authorities {
    fn roots(&self) -> Result<RootCertStore, Cause> {
        let mut roots = RootCertStore::empty();
        match self {
            Authorities::Pem(pem) => {
                for authority in pem.certificates("the CA")? {
                    roots.add(authority).map_err(|error| pem.unusable("the CA", &error))?;
                }
            }
            #[cfg(feature = "portal")]
            Authorities::System => {
                // Systems carry certificates that rustls does not take. Those that are left are enough, or TLS fails and says so.
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                if roots.is_empty() {
                    return Err(tls_files_bad("this system has no CA certificates"));
                }
            }
        }
        Ok(roots)
    }
}

impl Pem {
    fn here(bytes: impl Into<Vec<u8>>) -> Pem {
        Pem::Here(Arc::new(Zeroizing::new(bytes.into())))
    }

    /// Every certificate in it, at least one.
    fn certificates(&self, what: &str) -> Result<Vec<CertificateDer<'static>>, Cause> {
        let pem = self.pem(what)?;
        let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
        let all = all.map_err(|error| self.unusable(what, &error))?;
        if all.is_empty() {
            return Err(self.unusable(what, &"it has no certificate in PEM"));
        }
        Ok(all)
    }

    fn key(&self) -> Result<PrivateKeyDer<'static>, Cause> {
        PrivateKeyDer::from_pem_slice(self.pem("the key")?.as_bytes()).map_err(|error| match error {
            pem::Error::NoItemsFound => {
                self.unusable("the key", &"it has no private key in PEM, or one with a passphrase")
            }
            error => self.unusable("the key", &error),
        })
    }

    /// Its PEM, without the text that mail and editors have put around it.
    fn pem(&self, what: &str) -> Result<Block, Cause> {
        let found = match self {
            Pem::Here(bytes) => armour::find_all(bytes),
            Pem::File(path) => armour::find_all(&read(path).map_err(|error| self.unusable(what, &error))?),
        };
        match found {
            Err(ArmourError::Missing) => Ok(Block::default()),
            found => found.map_err(|error| self.unusable(what, &error)),
        }
    }

    fn unusable(&self, what: &str, cause: &dyn fmt::Display) -> Cause {
        match self {
            Pem::Here(_) => tls_files_bad(&format!("{what}: {cause}")),
            Pem::File(path) => tls_files_bad(&format!("{what}, {}: {cause}", path.display())),
        }
    }
}

/// Reads a file. Opening a pipe would wait for its other end, and a device may never end.
fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Zeroizing::new(Vec::new());
    File::open(path)?.take(FILE_MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if FILE_MAX_BYTES < bytes.len() as u64 {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 4 MiB"));
    }
    Ok(bytes)
}

/// The client's clock, which a test moves.
struct Now(Arc<dyn Clock>);

impl TimeProvider for Now {
    fn current_time(&self) -> Option<UnixTime> {
        let since = self.0.now().since(Timestamp::from_unix_ms(0));
        Some(UnixTime::since_unix_epoch(since))
    }
}

impl fmt::Debug for Now {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Now")
    }
}

/// TLS, ready to use.
#[derive(Clone)]
pub struct TlsWay(TlsConnector);

impl TlsWay {
    /// Shakes hands over this connection with the peer of this name, which may be an IP address. `address` names the peer in causes.
    ///
    /// # Errors
    /// The handshake has failed.
    pub async fn open(&self, stream: TcpStream, name: &str, address: String) -> Result<Line, Cause> {
        let name = server_name(name, &address)?;
        match self.0.connect(name, stream).await {
            Err(error) => Err(explain(&address, &error)),
            Ok(stream) => {
                let ended = Ended::default();
                let bytes = Box::new(Attentive { stream, address, ended: ended.clone() });
                Ok(Line { bytes, ended })
            }
        }
    }
}

/// The name that the peer's certificate has to be for: the configured name, or the one from DNS.
fn server_name(name: &str, address: &str) -> Result<ServerName<'static>, Cause> {
    ServerName::try_from(name.trim_end_matches('.').to_owned()).map_err(|_| {
        Reason::TlsFailed.with(&[("address", &address), ("cause", &"no certificate can be for such a name")])
    })
}

/// A TLS stream that remembers why it ended. A host refuses a machine's certificate only after the handshake.
struct Attentive {
    stream: TlsStream<TcpStream>,
    address: String,
    ended: Ended,
}

impl Attentive {
    fn heed<T>(&self, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(error)) = &polled
            && of_tls(error).is_some()
        {
            self.ended.note(explain(&self.address, error));
        }
        polled
    }
}

impl AsyncRead for Attentive {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let read = Pin::new(&mut this.stream).poll_read(cx, into);
        this.heed(read)
    }
}

impl AsyncWrite for Attentive {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.heed(written)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        this.heed(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

fn of_tls(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// The cause of a TLS error, by whose fault it is.
fn explain(address: &str, error: &io::Error) -> Cause {
    let because =
        |reason: Reason, cause: &dyn fmt::Display| reason.with(&[("address", &address), ("cause", cause)]);
    let Some(error) = of_tls(error) else {
        let cause = format!("the connection broke in the TLS handshake: {error}");
        return because(Reason::HostUnreachable, &cause);
    };
    match error {
        rustls::Error::InvalidCertificate(flaw) => because(Reason::TlsCertificateBad, &Flaw(flaw)),
        rustls::Error::NoCertificatesPresented => because(Reason::TlsCertificateBad, &"it shows none"),
        rustls::Error::InvalidMessage(_) => because(Reason::TlsNotOffered, &"what it says is no TLS"),
        rustls::Error::PeerIncompatible(_)
        | rustls::Error::AlertReceived(
            AlertDescription::ProtocolVersion | AlertDescription::InsufficientSecurity,
        ) => because(Reason::TlsNotOffered, &"it says so"),
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
            because(Reason::TlsMachineRefused, &"it demands one, and this machine was given none")
        }
        // The second alert comes from a CA with a new key under its old name.
        rustls::Error::AlertReceived(AlertDescription::UnknownCA | AlertDescription::DecryptError) => {
            because(Reason::TlsMachineRefused, &"no CA that it was given has signed it")
        }
        rustls::Error::AlertReceived(AlertDescription::CertificateExpired) => {
            because(Reason::TlsMachineRefused, &"it has ended")
        }
        rustls::Error::AlertReceived(
            alert @ (AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateUnknown
            | AlertDescription::AccessDenied),
        ) => because(Reason::TlsMachineRefused, &format!("it says {alert:?}")),
        rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol) => {
            because(Reason::NotAHost, &"it speaks TLS, and no HTTP/2")
        }
        error => because(Reason::TlsFailed, error),
    }
}

/// What is wrong with a host's certificate, in an administrator's words.
struct Flaw<'a>(&'a CertificateError);

impl fmt::Display for Flaw<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instant = |at: &UnixTime| Timestamp::from_unix_ms(0) + Duration::from_secs(at.as_secs());
        match self.0 {
            // The second error comes from a CA with a new key under its old name.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                f.write_str("no CA that this machine was given has signed it")
            }
            CertificateError::NotValidForNameContext { expected, presented } => {
                let names: Vec<_> = presented.iter().map(|name| plain(name)).collect();
                let names = if names.is_empty() { "nobody".to_owned() } else { names.join(", ") };
                write!(f, "it is for {names}, and not for {}", expected.to_str())
            }
            CertificateError::ExpiredContext { time, not_after } => {
                write!(f, "it has ended at {}, and here it is {}", instant(not_after), instant(time))
            }
            CertificateError::NotValidYetContext { time, not_before } => {
                write!(f, "it holds from {} on, and here it is {}", instant(not_before), instant(time))
            }
            CertificateError::Other(error) if error.0.to_string() == "CaUsedAsEndEntity" => f.write_str(
                "it is a CA's own certificate, and no host may show that: sign another one with it for the host",
            ),
            other => write!(f, "{other}"),
        }
    }
}

/// The name itself: rustls writes `DnsName("kms1")` or `IpAddress(10.0.0.1)`.
fn plain(presented: &str) -> &str {
    let inner = presented.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(presented).trim_matches('"')
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(error: rustls::Error, expected: Expect) {
        let cause = explain("kms1:21688", &io::Error::new(io::ErrorKind::InvalidData, error));
        expected.assert_eq(&cause.to_string());
    }

    /// What real hosts provoke is in tests/suite/tls.rs; these come from peers that are harder to have.
    #[test]
    fn each_failure_says_whose_fault_it_is() {
        let instant = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let (time, not_before) = (instant(1_763_777_150), instant(1_763_863_550));
        check(
            CertificateError::NotValidYetContext { time, not_before }.into(),
            expect![
                "TLS_CERTIFICATE_BAD: kms1:21688 shows a TLS certificate that does not hold here: it holds from 2025-11-23 02:05:50Z on, and here it is 2025-11-22 02:05:50Z"
            ],
        );
        check(
            rustls::Error::AlertReceived(AlertDescription::CertificateRevoked),
            expect![
                "TLS_MACHINE_REFUSED: kms1:21688 does not take the TLS certificate of this machine: it says CertificateRevoked"
            ],
        );
        check(
            rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol),
            expect![
                "NOT_A_HOST: what answers at kms1:21688 is not an activation host: it speaks TLS, and no HTTP/2"
            ],
        );
        check(
            rustls::Error::AlertReceived(AlertDescription::InternalError),
            expect!["TLS_FAILED: no TLS with kms1:21688: received fatal alert: InternalError"],
        );
    }

    #[test]
    fn a_connection_that_breaks_in_the_handshake_is_the_networks_affair() {
        let cause = explain("kms1:21688", &io::ErrorKind::ConnectionReset.into());
        expect!["HOST_UNREACHABLE: no connection to kms1:21688: the connection broke in the TLS handshake: connection reset"]
            .assert_eq(&cause.to_string());
    }

    #[test]
    fn files_that_cannot_be_used_are_named() {
        let clock: Arc<dyn Clock> = Arc::new(crate::SystemClock::new());
        let told = |tls: Tls| tls.read(clock.clone()).map(drop).unwrap_err().to_string();
        let absent = told(Tls::from_file("/nowhere/ca.pem"));
        assert!(absent.contains("TLS_FILES_BAD") && absent.contains("the CA, /nowhere/ca.pem"), "{absent}");
        for endless in ["/dev/zero", "/"] {
            let odd = told(Tls::from_file(endless));
            assert!(odd.contains("it is not a regular file"), "{odd}");
        }
        let noise = told(Tls::new("noise"));
        assert!(noise.contains("the CA: it has no certificate"), "{noise}");
    }
}
