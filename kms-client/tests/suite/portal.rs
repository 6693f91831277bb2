//! A vendor's portal that confirms machines with real signatures, over TLS on loopback, and answers by a script where a story wants it.
//!
//! It counts as portals do: a place for each machine or hardware, and the same answer to the same ask. What else a portal decides has
//! its own tests.

pub(crate) mod accounts;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kms_client::{Builder, Client, Clock, Product, Timestamp};
use proto::v1::Signed;
use proto::vendor::v1;
use proto::vendor::v1::account_service_server::AccountServiceServer;
use proto::vendor::v1::vendor_service_server::{VendorService, VendorServiceServer};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use shared::activation::{MachineActivation, MachineRelease};
use shared::certificate::IssuingCertificate;
use shared::confirmation::Confirmation;
use shared::envelope::{Kind, SecretKey};
use shared::features::Features;
use shared::ids::{CertificateId, MachineId, OrganisationId, ProductId};
use shared::product_key::{KeyKind, KeyNumber, ProductKey, ProductTag};
use shared::reason::{ERROR_DOMAIN, Reason};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::world::{BEGIN, DAY, Host, PRODUCT_ID, StoryClock, builder_of, product, root};

/// A multiple-activation key of the product.
pub(crate) fn key(number: u8) -> ProductKey {
    let tag = ProductTag::of(ProductId::from_bytes(PRODUCT_ID));
    ProductKey::new(KeyKind::MultipleActivation, tag, &[number; 10])
}

/// It as somebody types it.
pub(crate) fn typed(number: u8) -> String {
    key(number).to_string()
}

/// What the portal does with the next ask, in place of answering it.
#[derive(Clone, Debug)]
pub(crate) enum Do {
    /// Activates the machine, and its answer is lost.
    LoseTheAnswer,
    Refuse(Reason),
    /// Signs with a key that no root has certified.
    SignAsAnother,
    /// Confirms this machine instead.
    ConfirmAnother,
}

#[derive(Default)]
struct Script {
    next: VecDeque<Do>,
    asks: Vec<Signed>,
    /// By the name of the ask.
    answered: BTreeMap<[u8; 16], v1::SignedConfirmation>,
    places: Vec<(KeyNumber, MachineId)>,
    not_after: Option<Timestamp>,
    test: bool,
    /// Revocation lists; `None` while nobody gets any.
    lists: Option<v1::GetRevocationsResponse>,
    /// How often somebody has asked for them.
    fetched: usize,
    /// What it says of the code that a machine shows.
    typed: Option<accounts::Typed>,
    /// Whether it signs with the next issuing key.
    has_next_key: bool,
}

/// A portal on loopback, until it is dropped.
pub(crate) struct Portal {
    address: SocketAddr,
    ca: String,
    script: Arc<Mutex<Script>>,
    task: JoinHandle<()>,
}

impl Portal {
    pub(crate) async fn start(clock: &Arc<StoryClock>) -> Portal {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let ca = cert.pem();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], signing_key.serialize_der().try_into().unwrap());
        let mut config = config.unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let script = Arc::new(Mutex::new(Script::default()));
        let service = Service { clock: Arc::clone(clock), script: Arc::clone(&script) };
        let task = tokio::spawn(serve(listener, TlsAcceptor::from(Arc::new(config)), service));
        Portal { address, ca, script, task }
    }

    /// A machine that has this portal compiled in. The texts live as long as the tests, like those of a real product.
    pub(crate) fn builder(&self, dir: &Path, clock: &Arc<StoryClock>, hosts: &[&Host]) -> Builder {
        self.on_hardware(["PF1A2B3C", "S4EVNX0R", "4c4c4544-0042"], dir, clock, hosts)
    }

    pub(crate) fn on_hardware(
        &self,
        [board, disk, firmware]: [&str; 3],
        dir: &Path,
        clock: &Arc<StoryClock>,
        hosts: &[&Host],
    ) -> Builder {
        builder_of(self.product(), dir, "this machine", clock, hosts).hardware_source(board, disk, firmware)
    }

    /// The product that has this portal compiled in.
    pub(crate) fn product(&self) -> Product {
        let url = format!("https://localhost:{}", self.address.port());
        product().with_portal(url.leak()).with_portal_ca(self.ca.clone().leak())
    }

    pub(crate) fn client(&self, dir: &Path, clock: &Arc<StoryClock>) -> Client {
        self.builder(dir, clock, &[]).build().unwrap()
    }

    pub(crate) fn next(&self, next: Do) {
        self.script().next.push_back(next);
    }

    /// The end of every key from now on.
    pub(crate) fn ends(&self, not_after: Timestamp) {
        self.script().not_after = Some(not_after);
    }

    pub(crate) fn is_for_a_test(&self) {
        self.script().test = true;
    }

    /// From now on it hands these lists out.
    pub(crate) fn hand_out(&self, lists: v1::GetRevocationsResponse) {
        self.script().lists = Some(lists);
    }

    /// How often somebody has asked for lists.
    pub(crate) fn fetched(&self) -> usize {
        self.script().fetched
    }

    /// It signs with the next issuing key from now on.
    pub(crate) fn takes_the_next_key(&self) {
        self.script().has_next_key = true;
    }

    /// Every ask that it received, as it came.
    pub(crate) fn asks(&self) -> Vec<Signed> {
        self.script().asks.clone()
    }

    /// Every ask to be confirmed.
    pub(crate) fn activations(&self) -> Vec<MachineActivation> {
        self.asks().iter().filter_map(|ask| MachineActivation::open(ask).ok()).collect()
    }

    /// How many machines have a place, each of them for every key that counts it.
    pub(crate) fn used(&self) -> usize {
        self.script().places.len()
    }

    fn script(&self) -> std::sync::MutexGuard<'_, Script> {
        self.script.lock().unwrap()
    }
}

impl Drop for Portal {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// tonic takes the plain end of a pipe for a connection, so TLS ends here.
async fn serve(listener: TcpListener, tls: TlsAcceptor, service: Service) {
    let (accepted, connections) = mpsc::channel::<std::io::Result<tokio::io::DuplexStream>>(16);
    let accept = async move {
        loop {
            let (stream, _): (TcpStream, _) = listener.accept().await.unwrap();
            let (near, mut far) = tokio::io::duplex(64 * 1024);
            let (tls, accepted) = (tls.clone(), accepted.clone());
            tokio::spawn(async move {
                // A peer that does not trust this portal goes away.
                let Ok(mut stream) = tls.accept(stream).await else { return };
                let _ = accepted.send(Ok(near)).await;
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut far).await;
            });
        }
    };
    let server = tonic::transport::Server::builder()
        .add_service(VendorServiceServer::new(service.clone()))
        .add_service(AccountServiceServer::new(service));
    let incoming = tokio_stream::wrappers::ReceiverStream::new(connections);
    tokio::select! {
        () = accept => {}
        served = server.serve_with_incoming(incoming) => served.unwrap(),
    }
}

#[derive(Clone)]
struct Service {
    clock: Arc<StoryClock>,
    script: Arc<Mutex<Script>>,
}

/// The issuing key of this number. The first is number 4.
pub(crate) fn issuing_key(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}

/// Signed by the vendor's root, for a year.
pub(crate) fn issuing_certificate(number: u8) -> Signed {
    let certificate = IssuingCertificate {
        id: CertificateId::from_bytes([number; 16]),
        public_key: issuing_key(number).public(),
        not_before: BEGIN - DAY,
        not_after: BEGIN + 365 * DAY,
        products: Vec::new(),
        test: false,
    };
    root().sign(Kind::IssuingCertificate, &certificate.encode())
}

fn refusal(reason: Reason) -> Status {
    let details = ErrorDetails::with_error_info(
        reason.code(),
        ERROR_DOMAIN,
        [("used".to_owned(), "5".to_owned()), ("granted".to_owned(), "5".to_owned())],
    );
    Status::with_error_details(Code::FailedPrecondition, "", details)
}

impl Service {
    fn confirm(&self, ask: &MachineActivation, next: Option<&Do>) -> v1::ActivateMachineResponse {
        let mut script = self.script.lock().unwrap();
        let name = *ask.nonce.as_bytes();
        let place = (ask.product_key.number(), ask.machine());
        if !script.places.contains(&place) {
            script.places.push(place);
        }
        let is_another = matches!(next, Some(Do::ConfirmAnother));
        let other = SecretKey::from_seed(&[77; 32]).public().machine();
        let confirmation = Confirmation {
            id: CertificateId::from_bytes([9; 16]),
            machine: if is_another { other } else { ask.machine() },
            product: ask.product,
            nonce: ask.nonce,
            key_number: ask.product_key.number(),
            organisation: OrganisationId::from_bytes([8; 16]),
            organisation_name: "Key Buyers".into(),
            confirmed_at: self.clock.now(),
            not_after: script.not_after,
            features: Features::new(["export"]).unwrap(),
            fingerprint: ask.fingerprint,
            parts: ask.parts,
            test: script.test,
        };
        let number = if script.has_next_key { 5 } else { 4 };
        let signer = match next {
            Some(Do::SignAsAnother) => SecretKey::from_seed(&[66; 32]),
            _ => issuing_key(number),
        };
        let signed = || confirmation.sign(&signer, issuing_certificate(number));
        let confirmation = script.answered.entry(name).or_insert_with(signed).clone();
        let used = script.places.len().try_into().unwrap();
        v1::ActivateMachineResponse { confirmation: Some(confirmation), used, granted: 5 }
    }

    fn next(&self, ask: &Signed) -> Option<Do> {
        let mut script = self.script.lock().unwrap();
        script.asks.push(ask.clone());
        script.next.pop_front()
    }
}

#[tonic::async_trait]
impl VendorService for Service {
    async fn activate_host(
        &self,
        _: Request<v1::ActivateHostRequest>,
    ) -> Result<Response<v1::ActivateHostResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn activate_machine(
        &self,
        request: Request<v1::ActivateMachineRequest>,
    ) -> Result<Response<v1::ActivateMachineResponse>, Status> {
        let signed = request.into_inner().ask.unwrap();
        let next = self.next(&signed);
        if let Some(Do::Refuse(reason)) = next {
            return Err(refusal(reason));
        }
        let ask = MachineActivation::open(&signed).unwrap();
        let confirmed = self.confirm(&ask, next.as_ref());
        if let Some(Do::LoseTheAnswer) = next {
            return Err(Status::unavailable("lost"));
        }
        Ok(Response::new(confirmed))
    }

    async fn release_machine(
        &self,
        request: Request<v1::ReleaseMachineRequest>,
    ) -> Result<Response<v1::ReleaseMachineResponse>, Status> {
        let signed = request.into_inner().ask.unwrap();
        match self.next(&signed) {
            Some(Do::Refuse(reason)) => return Err(refusal(reason)),
            Some(Do::LoseTheAnswer) => return Err(Status::unavailable("lost")),
            _ => {}
        }
        let ask = MachineRelease::open(&signed).unwrap();
        self.script.lock().unwrap().places.retain(|place| *place != (ask.key_number, ask.machine()));
        Ok(Response::new(v1::ReleaseMachineResponse { released: 1, releases: 4 }))
    }

    async fn get_revocations(
        &self,
        _: Request<v1::GetRevocationsRequest>,
    ) -> Result<Response<v1::GetRevocationsResponse>, Status> {
        let mut script = self.script.lock().unwrap();
        script.fetched += 1;
        script.lists.clone().map(Response::new).ok_or_else(|| Status::unimplemented(""))
    }
}

/// Waits until the agent has brought the client to a state, at most ten seconds.
pub(crate) async fn until(client: &Client, wanted: impl Fn(&Client) -> bool) {
    let mut watch = client.watch();
    let reached = async {
        while !wanted(client) {
            watch.changed().await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(10), reached).await.expect("the agent gets there");
}
