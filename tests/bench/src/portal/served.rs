//! What is measured: real portals in this process, with their default settings but for the limits, and an echo behind the same door.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use kms_portal::config::PortalConfig;
use kms_portal::db::{By, NewKey, Organisation, Product};
use kms_portal::home::PortalHome;
use kms_portal::rules::keys::granted::{GRANTED_MAX, Granted};
use kms_portal::run::{Listeners, OpenedPortal, RunningPortal};
use kms_vendor::{NewIssuer, Signer};
use proto::v1::Signed;
use proto::vendor::v1;
use proto::vendor::v1::vendor_service_server::{VendorService, VendorServiceServer};
use server::accept::{Admission, Door, Limits, serve};
use server::services::Services;
use shared::activation::MachineActivation;
use shared::certificate::Roots;
use shared::confirmation::Confirmation;
use shared::envelope::SecretKey;
use shared::features::Features;
use shared::files::{self, KeyRequest, RequestedKey};
use shared::ids::{CertificateId, OrganisationId, ProductId};
use shared::policy::Policy;
use shared::product_key::{KeyKind, ProductKey, ProductTag};
use shared::time::Clock;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::{Request, Response, Status};
use wire::Tls;
use wire::portal::{Portal, PortalAddress};
use world::{Postgres, Shop};

use crate::host;

/// What a portal keeps its places in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Database {
    Sqlite,
    Postgres,
}

impl Database {
    pub(crate) const ALL: [Database; 2] = [Database::Sqlite, Database::Postgres];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Database::Sqlite => "sqlite",
            Database::Postgres => "postgres",
        }
    }
}

/// A vendor with one product and one key, and what its portals stand on.
pub(crate) struct Ground {
    folder: PathBuf,
    shop: Shop,
    clock: Arc<dyn Clock>,
    postgres: Option<Postgres>,
    /// Why there is no PostgreSQL.
    pub(crate) missing: Option<String>,
    pub(crate) product: ProductId,
    pub(crate) key: ProductKey,
    pub(crate) roots: Roots,
    /// Has the TLS certificate that the echo shows as well.
    home: PortalHome,
}

/// A portal or the echo, which is measured.
pub(crate) struct Served {
    /// The portal's database. The echo has none.
    pub(crate) database: Option<Database>,
    address: PortalAddress,
    tls: Tls,
    key: ProductKey,
    running: Option<RunningPortal>,
    stop: CancellationToken,
}

impl Ground {
    /// # Errors
    /// The disk refuses, or PostgreSQL does not start.
    pub(crate) fn lay(folder: &Path, serving: &Runtime, clock: Arc<dyn Clock>) -> anyhow::Result<Ground> {
        let shop = host::open_shop(folder)?;
        let roots = Roots::new(shop.vendor().roots().iter().map(<[u8; 32]>::as_slice))?;
        let product = shop.product().id;
        let key = ProductKey::new(KeyKind::MultipleActivation, ProductTag::of(product), &rand::random());
        let missing = Postgres::missing();
        let postgres = if missing.is_none() { Some(Postgres::start(&[])?) } else { None };
        let home = PortalHome::at(folder.join("echo"));
        let folder = folder.to_owned();
        let ground = Ground { folder, shop, clock, postgres, missing, product, key, roots, home };
        serving.block_on(ground.make_home(&ground.home))?;
        Ok(ground)
    }

    /// The URL of a database: empty for SQLite, `None` if there is no server.
    pub(crate) fn url(&self, database: Database) -> anyhow::Result<Option<String>> {
        match database {
            Database::Sqlite => Ok(Some(String::new())),
            Database::Postgres => self.postgres.as_ref().map(Postgres::database).transpose(),
        }
    }

    /// Starts a portal that knows the product and the key.
    ///
    /// # Errors
    /// Whatever keeps a portal from starting.
    pub(crate) fn portal(
        &self,
        database: Database,
        url: String,
        serving: &Runtime,
    ) -> anyhow::Result<Served> {
        let home = PortalHome::at(self.folder.join(database.name()));
        serving.block_on(self.make_home(&home))?;
        let config = PortalConfig { database: url, ..without_limits() };
        let running = serving.block_on(async {
            let opened = OpenedPortal::open(&home, config).await?;
            let public = server::listen::bind_all(&[([127, 0, 0, 1], 0).into()])?;
            let listeners = Listeners { public, ..Listeners::default() };
            let running = kms_portal::run::run(opened, listeners, self.clock.clone())?;
            self.stock(&home, &running).await?;
            anyhow::Ok(running)
        })?;
        let (address, tls) = reached(&home, running.addresses[0].port())?;
        let (key, stop) = (self.key.clone(), running.stop.clone());
        Ok(Served { database: Some(database), address, tls, key, running: Some(running), stop })
    }

    /// Starts the echo.
    ///
    /// # Errors
    /// The disk refuses, or there is no port.
    pub(crate) fn echo(&self, serving: &Runtime) -> anyhow::Result<Served> {
        let issuing_key = SecretKey::from_seed(&rand::random());
        let certificate = files::issuing_certificate_from_pem(
            self.signed(&KeyRequest::to_pem(RequestedKey::Issuing, &issuing_key))?.as_bytes(),
        );
        let certificate = certificate.map_err(|error| anyhow!("{error}"))?;
        let echo = Echo { issuing_key, certificate, clock: self.clock.clone(), key: self.key.clone() };
        let config = without_limits();
        let tls = config.read_tls(self.home.path())?;
        let limits = Limits::of_this_process(config.connections, config.connections_per_address);
        let door = Door::new(
            Admission { settings: config.door(), limits, tls },
            kms_portal::config::FILE_NAME,
            Arc::new(()),
        );
        let stop = CancellationToken::new();
        let _entered = serving.enter();
        let listeners = server::listen::bind_all(&[([127, 0, 0, 1], 0).into()])?;
        let port = listeners[0].local_addr()?.port();
        let services = Services::new(Routes::new(VendorServiceServer::new(echo)));
        let serve = serve(door, services, self.clock.clone(), listeners, stop.clone().cancelled_owned());
        serving.spawn(serve);
        let (address, tls) = reached(&self.home, port)?;
        Ok(Served { database: None, address, tls, key: self.key.clone(), running: None, stop })
    }

    /// Removes what is not in the folder.
    pub(crate) fn clear(self) {
        drop(self.postgres);
    }

    async fn make_home(&self, home: &PortalHome) -> anyhow::Result<()> {
        let roots = fs::read(self.shop.vendor().dir().join("roots.pub"))?;
        let name = "localhost".parse().map_err(|error| anyhow!("{error}"))?;
        let now = self.clock.now();
        home.init(Some(&roots), &[name], now, &mut rand::rng()).await?;
        let signed = self.signed(&fs::read_to_string(home.request_path())?)?;
        home.install_issuer(signed.as_bytes(), Path::new("issuing.pem"), now, false)?;
        Ok(())
    }

    /// What a root signs for this request.
    fn signed(&self, request: &str) -> anyhow::Result<String> {
        let now = self.clock.now();
        let new = NewIssuer {
            products: vec![],
            not_before: now - Duration::from_hours(1),
            valid_for: Duration::from_hours(24),
            root: Signer::Root1,
            test: false,
            now,
        };
        Ok(self.shop.vendor().sign_issuer(request, &new, &mut rand::rng())?.pem)
    }

    async fn stock(&self, home: &PortalHome, running: &RunningPortal) -> anyhow::Result<()> {
        let db = &running.portal.db;
        let by = || By { who: "bench".into(), at: self.clock.now(), why: String::new() };
        let policy = Policy::CLIENT;
        let product = Product {
            id: self.product,
            name: "Atlas".into(),
            test: false,
            policy,
            features: Features::default(),
        };
        db.set_product(product, by()).await?.map_err(|error| anyhow!("{error}"))?;
        let organisation = OrganisationId::from_bytes([7; 16]);
        let named = Organisation { id: organisation, name: "Example Works".into() };
        db.set_organisation(named, by()).await?.map_err(|error| anyhow!("{error}"))?;
        let key = NewKey {
            mac: home.pepper()?.mac(&self.key),
            number: self.key.number(),
            last_group: self.key.last_group(),
            kind: self.key.kind(),
            product: self.product,
            organisation,
            features: None,
            seats: None,
            ends_at: None,
            note: String::new(),
            granted: Granted::machines(GRANTED_MAX),
        };
        db.issue_keys(vec![key], None, String::new(), by()).await?.map_err(|error| anyhow!("{error}"))
    }
}

/// Calls per connection are as for proxies: the load keeps few connections, and many calls on each.
fn without_limits() -> PortalConfig {
    PortalConfig {
        calls_per_connection: 256,
        wrong_keys_per_source: 0,
        wrong_keys: 0,
        ..PortalConfig::default()
    }
}

/// Where the portal of this directory is reached at this port, and whom to trust there.
fn reached(home: &PortalHome, port: u16) -> anyhow::Result<(PortalAddress, Tls)> {
    let address = format!("https://localhost:{port}").parse().map_err(|error| anyhow!("{error}"))?;
    Ok((address, Tls::from_file(home.authority_path())))
}

impl Served {
    /// Opens connections.
    ///
    /// # Errors
    /// Nobody listens there.
    pub(crate) async fn connect(
        &self,
        count: u16,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Vec<Arc<Portal>>> {
        let tls = self.tls.read(clock).map_err(|cause| anyhow!("{cause}"))?;
        let mut connections = Vec::new();
        for _ in 0..count {
            let portal = Portal::connect(&self.address, &tls).await;
            connections.push(Arc::new(portal.map_err(|failure| anyhow!("{}", failure.cause))?));
        }
        Ok(connections)
    }

    /// How many places of the key are taken.
    ///
    /// # Errors
    /// The database cannot be read, or counts other places than it has.
    pub(crate) async fn used(&self) -> anyhow::Result<u64> {
        let portal = &self.running.as_ref().context("an echo keeps nothing")?.portal;
        anyhow::ensure!(portal.db.miscounted().await?.is_empty(), "a key counts other places than it has");
        let key = portal.db.key(self.key.number(), portal.clock.now()).await?;
        Ok(key.context("the key is missing")?.taken.machines)
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        if let Some(running) = self.running {
            running.stop().await;
        }
    }
}

/// Opens each ask and signs a confirmation for it. It keeps nothing, so its confirmations are worth nothing.
struct Echo {
    issuing_key: SecretKey,
    certificate: Signed,
    clock: Arc<dyn Clock>,
    key: ProductKey,
}

#[tonic::async_trait]
impl VendorService for Echo {
    async fn activate_machine(
        &self,
        request: Request<v1::ActivateMachineRequest>,
    ) -> Result<Response<v1::ActivateMachineResponse>, Status> {
        let ask = request.into_inner().ask.ok_or_else(|| Status::invalid_argument("it has no ask"))?;
        let ask =
            MachineActivation::open(&ask).map_err(|error| Status::invalid_argument(error.to_string()))?;
        let confirmation = Confirmation {
            id: CertificateId::from_bytes(rand::random()),
            machine: ask.machine(),
            product: ask.product,
            nonce: ask.nonce,
            key_number: self.key.number(),
            organisation: OrganisationId::from_bytes([7; 16]),
            organisation_name: "Example Works".into(),
            confirmed_at: self.clock.now(),
            not_after: None,
            features: Features::default(),
            fingerprint: ask.fingerprint,
            parts: ask.parts,
            test: false,
        };
        let confirmation = Some(confirmation.sign(&self.issuing_key, self.certificate.clone()));
        Ok(Response::new(v1::ActivateMachineResponse { confirmation, used: 1, granted: 1 }))
    }

    async fn release_machine(
        &self,
        _: Request<v1::ReleaseMachineRequest>,
    ) -> Result<Response<v1::ReleaseMachineResponse>, Status> {
        Err(Status::unimplemented("an echo releases nobody"))
    }

    async fn activate_host(
        &self,
        _: Request<v1::ActivateHostRequest>,
    ) -> Result<Response<v1::ActivateHostResponse>, Status> {
        Err(Status::unimplemented("an echo activates no hosts"))
    }

    async fn get_revocations(
        &self,
        _: Request<v1::GetRevocationsRequest>,
    ) -> Result<Response<v1::GetRevocationsResponse>, Status> {
        Err(Status::unimplemented("an echo revokes nothing"))
    }
}
