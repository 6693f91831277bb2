//! Checks the files of TLS, and connects to hosts that require TLS.
//!
//! Any TLS certificate is accepted here, because an answer is believed for its signature only.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use server::tls::{Flaw, Server, Tls};
use shared::reason::Reason;
use shared::time::Timestamp;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{
    WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{self, ClientConfig, DigitallySignedStruct, SignatureScheme};
use wire::{Ended, Failure, Line, unreachable};

use super::Finding;
use crate::config::Config;
use crate::home::Home;

/// How `doctor` connects to hosts.
pub(super) enum ConnectBy {
    Plain,
    Tls(TlsConnector),
    /// Not at all: the host requires a certificate that this machine does not have.
    Barred,
}

/// Checks the files of TLS. There is no finding if TLS is off.
pub(super) fn look(home: &Home, config: Option<&Config>, now: Timestamp) -> (ConnectBy, Option<Finding>) {
    let Some(config) = config else { return (ConnectBy::Plain, None) };
    let tls = match config.read_tls(home.path()) {
        Ok(tls) => tls,
        Err(error) => return (ConnectBy::Plain, Some(Finding::of("tls", &error))),
    };
    let Some(certificate) = tls.server().map(Server::certificate) else {
        return (ConnectBy::Plain, None);
    };
    let finding = match certificate.flaw(now) {
        None => Finding::ok("tls", format!("the certificate is valid until {}", certificate.ends_at)),
        Some(flaw @ Flaw::EndsSoon) => Finding::warn("tls", certificate.tell(flaw, now), flaw.word().remedy),
        Some(flaw @ (Flaw::Ended | Flaw::NotBegun)) => {
            Finding::fail("tls", certificate.tell(flaw, now), flaw.word().remedy)
        }
    };
    let way = match &tls {
        Tls::Off | Tls::Offered(_) => ConnectBy::Plain,
        Tls::Required(server) if server.demands_certificates() => ConnectBy::Barred,
        Tls::Required(_) => ConnectBy::Tls(connector()),
    };
    (way, Some(finding))
}

impl ConnectBy {
    /// Connects to a host at this address.
    pub(super) async fn open(&self, address: SocketAddr) -> Result<Line, Failure> {
        let host = address.to_string();
        let unreachable = |error: io::Error| unreachable(&host, &error);
        match self {
            ConnectBy::Plain => TcpStream::connect(address).await.map(Line::plain).map_err(unreachable),
            ConnectBy::Tls(connector) => {
                let stream = TcpStream::connect(address).await.map_err(unreachable)?;
                let opened = connector.connect(ServerName::from(address.ip()), stream).await;
                let bytes = Box::new(opened.map_err(unreachable)?);
                Ok(Line { bytes, ended: Ended::default() })
            }
            ConnectBy::Barred => {
                let cause = "`tls_client_ca` demands one of every machine, and this check has none";
                Err(Reason::TlsMachineRefused.with(&[("address", &address), ("cause", &cause)]).into())
            }
        }
    }
}

fn connector() -> TlsConnector {
    let provider = Arc::new(ring::default_provider());
    let anybody = Anybody(provider.signature_verification_algorithms);
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("ring speaks TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(anybody))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    TlsConnector::from(Arc::new(config))
}

/// Accepts every certificate whose key the host has.
#[derive(Debug)]
struct Anybody(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
