//! A program with tonic services of its own serves them through the door: in the clear and by TLS, past silent peers, to an orderly
//! end. How the door treats its peers is told in the host's stories.

#![expect(
    clippy::unwrap_used,
    reason = "a test that unwraps fails, and clippy knows only the functions marked as tests for tests"
)]

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use kms_server::Source;
use kms_server::accept::{Admission, Door, DoorSettings, Limits, serve};
use kms_server::listen;
use kms_server::services::Services;
use kms_server::tls::{Tls, TlsFiles, TlsMode};
use proto::admin::v1::GetStatusRequest;
use proto::admin::v1::admin_service_client::AdminServiceClient;
use proto::v1::activation_service_client::ActivationServiceClient;
use proto::v1::activation_service_server::{ActivationService, ActivationServiceServer};
use proto::v1::{ActivateRequest, ActivateResponse, ReleaseRequest, ReleaseResponse};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, version};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::{Code, Request, Response, Status};
use wire::{Connection, Ended, Line, SystemClock};

const SECOND: Duration = Duration::from_secs(1);

/// A service with a call that says from where it comes, and one that waits at a gate.
#[derive(Default)]
struct Gatekeeper {
    somebody_waits: Notify,
    gate: Notify,
}

#[async_trait::async_trait]
impl ActivationService for Gatekeeper {
    async fn release(&self, request: Request<ReleaseRequest>) -> Result<Response<ReleaseResponse>, Status> {
        let source = request.extensions().get::<Source>().unwrap().to_string();
        let mut response = Response::new(ReleaseResponse::default());
        response.metadata_mut().insert("source", source.parse().unwrap());
        Ok(response)
    }

    async fn activate(&self, _: Request<ActivateRequest>) -> Result<Response<ActivateResponse>, Status> {
        self.somebody_waits.notify_one();
        self.gate.notified().await;
        Ok(Response::new(ActivateResponse::default()))
    }
}

/// A program that serves it.
struct Program {
    address: SocketAddr,
    service: Arc<Gatekeeper>,
    certificate: CertificateDer<'static>,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

impl Program {
    fn start(mode: TlsMode) -> Program {
        let folder = tempfile::tempdir().unwrap();
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        fs::write(folder.path().join("tls.pem"), cert.pem()).unwrap();
        fs::write(folder.path().join("tls.key"), signing_key.serialize_pem()).unwrap();
        let [certificate, key, client_ca] = ["tls.pem", "tls.key", ""].map(Path::new);
        let tls = Tls::read(mode, &TlsFiles { certificate, key, client_ca }, folder.path()).unwrap();

        let settings = DoorSettings {
            connections: 0,
            connections_per_address: 0,
            calls_per_connection: 4,
            allow: vec!["127.0.0.0/8".parse().unwrap()],
        };
        let admission = Admission { settings, limits: Limits { in_all: 9, per_address: 9 }, tls };
        let door = Door::new(admission, "program.toml", Arc::new(()));
        let service = Arc::<Gatekeeper>::default();
        let services = Services::new(Routes::new(ActivationServiceServer::from_arc(service.clone())));
        let listeners = listen::bind_all(&["127.0.0.1:0".parse().unwrap()]).unwrap();
        let address = listeners[0].local_addr().unwrap();
        let stop = CancellationToken::new();
        let clock = Arc::new(SystemClock::new());
        let serving = tokio::spawn(serve(door, services, clock, listeners, stop.clone().cancelled_owned()));
        let certificate = CertificateDer::from_pem_slice(cert.pem().as_bytes()).unwrap();
        Program { address, service, certificate, stop, serving }
    }

    async fn in_the_clear(&self) -> Connection {
        self.over(Line::plain(TcpStream::connect(self.address).await.unwrap())).await
    }

    async fn by_tls(&self) -> std::io::Result<Connection> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::from(self.address.ip());
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        Ok(self.over(Line { bytes: Box::new(stream), ended: Ended::default() }).await)
    }

    async fn over(&self, line: Line) -> Connection {
        Connection::open(line, &format!("http://{}", self.address), "the program").await.unwrap()
    }
}

/// From where a call over this connection comes, as the service sees it.
async fn source(connection: &Connection) -> Result<String, Status> {
    let (channel, origin) = connection.channel();
    let answer =
        ActivationServiceClient::with_origin(channel, origin).release(ReleaseRequest::default()).await?;
    Ok(answer.metadata().get("source").unwrap().to_str().unwrap().to_owned())
}

/// A call that waits at the gate.
async fn wait(connection: &Connection) -> Result<(), Status> {
    let (channel, origin) = connection.channel();
    let mut client = ActivationServiceClient::with_origin(channel, origin);
    client.activate(ActivateRequest::default()).await.map(drop)
}

#[tokio::test]
async fn one_port_answers_calls_in_the_clear_and_by_tls_and_they_have_their_source() {
    let program = Program::start(TlsMode::Offered);
    assert_eq!(source(&program.in_the_clear().await).await.unwrap(), "127.0.0.1");
    assert_eq!(source(&program.by_tls().await.unwrap()).await.unwrap(), "127.0.0.1");
}

#[tokio::test]
async fn a_call_in_the_clear_is_refused_where_tls_is_required() {
    let program = Program::start(TlsMode::Required);
    let refused = source(&program.in_the_clear().await).await.unwrap_err();
    assert!(refused.message().starts_with("TLS_REQUIRED"), "{}", refused.message());
    assert!(source(&program.by_tls().await.unwrap()).await.is_ok());
}

#[tokio::test]
async fn a_peer_that_begins_with_tls_is_told_if_it_is_off() {
    let program = Program::start(TlsMode::Off);
    let refused = program.by_tls().await.unwrap_err();
    assert!(refused.to_string().contains("ProtocolVersion"), "{refused}");
    assert!(source(&program.in_the_clear().await).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_disconnected_after_ten_seconds() {
    let program = Program::start(TlsMode::Offered);
    let mut silent = TcpStream::connect(program.address).await.unwrap();
    assert!(timeout(9 * SECOND, silent.read_u8()).await.is_err(), "it has time");
    let ended = timeout(2 * SECOND, silent.read_u8()).await.expect("its time is over");
    assert!(ended.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_call_has_ten_seconds() {
    let program = Program::start(TlsMode::Off);
    let late = wait(&program.in_the_clear().await).await.unwrap_err();
    assert_eq!((late.code(), late.message()), (Code::DeadlineExceeded, "the call was not over after 10s"));
}

#[tokio::test]
async fn a_program_that_stops_takes_no_more_connections_and_ends_when_its_calls_have() {
    let mut program = Program::start(TlsMode::Off);
    let connection = program.in_the_clear().await;
    let waiting = tokio::spawn(async move { wait(&connection).await });
    program.service.somebody_waits.notified().await;

    program.stop.cancel();
    assert!(timeout(SECOND / 5, &mut program.serving).await.is_err(), "a call is under way");
    let refused = TcpStream::connect(program.address).await;
    assert!(refused.is_err(), "{refused:?}");

    program.service.gate.notify_one();
    waiting.await.unwrap().unwrap();
    timeout(5 * SECOND, program.serving).await.expect("it has drained").unwrap();
}

#[tokio::test]
async fn a_service_that_the_program_does_not_have_is_unimplemented() {
    let program = Program::start(TlsMode::Off);
    let connection = program.in_the_clear().await;
    let (channel, origin) = connection.channel();
    let mut other = AdminServiceClient::with_origin(channel, origin);
    assert_eq!(other.get_status(GetStatusRequest {}).await.unwrap_err().code(), Code::Unimplemented);
}
