//! Pages by TLS: what a browser may speak, and what becomes of one that came in the clear.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::Request;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use kms_portal::config::PortalConfig;
use server::tls::Tls;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use world::authority::Authority;

use super::Site;

/// A portal whose pages are at an address with `https`.
async fn secure(authority: &Authority, data: &Path) -> Site {
    let opened = crate::open::sqlite().await.unwrap();
    let world = kms_portal::battery::World::new(opened).await;
    let identity = authority.host(&["localhost"], world.now).unwrap();
    std::fs::write(data.join("tls.pem"), &identity.certificate).unwrap();
    std::fs::write(data.join("tls.key"), &identity.key).unwrap();
    let config = PortalConfig {
        web_listen: vec![([127, 0, 0, 1], 21692).into()],
        web_url: "https://licenses.example.com".to_owned(),
        ..PortalConfig::default()
    };
    let tls = config.web_tls(config.read_tls(data).unwrap());
    assert!(matches!(tls, Tls::Required(_)));
    Site::serve(world, tls, config.web_address()).await
}

/// TLS as a browser opens it that speaks this.
async fn open(authority: &Authority, site: &Site, speaks: &[&str]) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = speaks.iter().map(|name| name.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(site.at).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
}

fn first_page(uri: &str) -> Request<Empty<Bytes>> {
    Request::get(uri).header("host", "licenses.example.com").body(Empty::new()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_speaks_http_1_or_2_by_tls() {
    let (authority, data) = (Authority::new().unwrap(), tempfile::tempdir().unwrap());
    let site = secure(&authority, data.path()).await;

    let stream = open(&authority, &site, &["h2", "http/1.1"]).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) =
        http2::Builder::new(TokioExecutor::new()).handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let page = sender.send_request(first_page("https://licenses.example.com/")).await.unwrap();
    assert_eq!(page.status(), 200);

    let stream = open(&authority, &site, &["http/1.1"]).await;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let page = sender.send_request(first_page("/")).await.unwrap();
    let page = page.into_body().collect().await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&page).contains("<h1>Licenses</h1>"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_comes_in_the_clear_is_sent_to_the_address_with_tls() {
    let (authority, data) = (Authority::new().unwrap(), tempfile::tempdir().unwrap());
    let site = secure(&authority, data.path()).await;
    let got = site.browser().get("/device?code=ABCD").await.is(308);
    let port = site.at.port();
    assert_eq!(got.location(), format!("https://localhost:{port}/device?code=ABCD"));
    assert_eq!(got.body, "", "nothing is told in the clear");
}

/// No request may make the portal keep megabytes before it knows what is asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_that_are_too_large_are_refused() {
    let site = super::opened(crate::open::sqlite().await).await.unwrap();
    let mut browser = site.browser();
    browser.headers.push(("x-large", "a".repeat(100 * 1024)));
    browser.get("/").await.is(431);
}
