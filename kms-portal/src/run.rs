//! Puts a portal together: [`OpenedPortal::open`] opens and checks what is on disk, [`run`] starts everything that serves.
//!
//! The program and the tests both use it. `kms-portal serve` (`daemon.rs` of the nested crate `cli`) adds signals, the log and the
//! service manager.

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use proto::portal::v1::portal_service_server::PortalServiceServer;
use server::accept::{Admission, DRAIN, Door, Limits, PageHandler, serve, serve_pages};
use server::admin::{self, socket};
use server::certificate;
use server::listen::{self, ListenError};
use server::services::Services;
use server::tls::Tls;
use shared::certificate::Roots;
use shared::revocation::Revocations;
use shared::time::{Clock, Timestamp};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use crate::act::domains;
use crate::api::{AccountApi, PortalCore, Staff, StaffCalls, VendorApi, WrongKeys, revoked_by_root};
use crate::config::{FILE_NAME, PortalConfig};
use crate::db::Db;
use crate::home::{PortalHome, PortalHomeError};
use crate::issue::{CodeSigner, Issuer, Pepper};
use crate::reload::{FollowedSettings, PortalReload};
use crate::remedy;
use crate::web_address::WebAddress;
use crate::{outbox, retention};

/// A portal that is opened and does not serve yet.
pub struct OpenedPortal {
    /// The data directory.
    pub home: PortalHome,
    /// The settings.
    pub config: PortalConfig,
    /// The database.
    pub db: Db,
    /// What it signs with.
    pub issuer: Issuer,
    code_signer: Option<CodeSigner>,
    roots: Roots,
    by_root: Arc<Revocations>,
    pepper: Pepper,
    tls: Tls,
    limits: Limits,
    held: File,
    /// Its settings, if a reload reads them again.
    pub followed: Option<FollowedSettings>,
}

/// The portal does not start.
#[derive(Debug, thiserror::Error)]
pub enum PortalStartError {
    /// The directory or the database cannot be used.
    #[error(transparent)]
    Home(#[from] PortalHomeError),
    /// The files of TLS cannot be used.
    #[error(transparent)]
    Tls(anyhow::Error),
    /// Another portal serves the directory.
    #[error("another portal serves this directory: {}", .0.display())]
    Served(PathBuf),
    /// The socket for staff cannot be made.
    #[error(transparent)]
    Socket(anyhow::Error),
}

impl OpenedPortal {
    /// Opens the portal of this directory.
    ///
    /// # Errors
    /// Something is missing or cannot be used; nothing serves.
    pub async fn open(home: &PortalHome, config: PortalConfig) -> Result<OpenedPortal, PortalStartError> {
        let home = home.with_secrets(&config);
        if socket::is_served(&home.socket_path()) {
            return Err(PortalStartError::Served(home.path().to_owned()));
        }
        // The socket may have been removed.
        let Some(held) = home.hold()? else { return Err(PortalStartError::Served(home.path().to_owned())) };
        let limits = Limits::of_this_process(config.connections, config.connections_per_address);
        let (roots, pepper, issuer) = (home.roots()?, home.pepper()?, home.issuer()?);
        let code_signer = home.code_signer()?;
        let tls = config.read_tls(home.path()).map_err(|error| PortalStartError::Tls(error.into()))?;
        for path in home.open_secrets() {
            let path = path.display();
            tracing::warn!(
                "others may read or write {path}, and could issue licenses with it: chmod 600 {path}"
            );
        }
        let db = home.database(&config, &pepper).await?;
        let by_root = revoked_by_root(&db, &roots).await.map_err(PortalHomeError::from)?;
        Ok(OpenedPortal {
            home,
            config,
            db,
            issuer,
            code_signer,
            roots,
            by_root,
            pepper,
            tls,
            limits,
            held,
            followed: None,
        })
    }
}

/// A portal that serves, and everything that belongs to it.
pub struct RunningPortal {
    /// What is asked, and answered.
    pub portal: Arc<PortalCore>,
    /// The addresses for hosts and machines.
    pub addresses: Vec<SocketAddr>,
    /// The addresses for staff.
    pub staff_addresses: Vec<SocketAddr>,
    /// The addresses for browsers.
    pub web_addresses: Vec<SocketAddr>,
    /// The address of the pages as people type it; none if there are none.
    pub web_address: Option<WebAddress>,
    /// The door and the listeners for browsers, until somebody serves them.
    web: Option<(Door, Vec<TcpListener>)>,
    web_serving: Option<JoinHandle<()>>,
    /// What a reload does.
    pub staff: Staff,
    bound_socket: socket::Bound,
    _held: File,
    /// Cancelled when it begins to stop.
    pub stop: CancellationToken,
    serving: JoinHandle<()>,
    staff_serving: JoinHandle<()>,
    socket_serving: JoinHandle<()>,
    delivering: JoinHandle<()>,
    looking: JoinHandle<()>,
}

/// Where the portal is heard.
#[derive(Debug, Default)]
pub struct Listeners {
    /// By hosts and machines.
    pub public: Vec<TcpListener>,
    /// By staff; may be empty.
    pub staff: Vec<TcpListener>,
    /// By browsers; may be empty.
    pub web: Vec<TcpListener>,
}

impl Listeners {
    /// Listens where the settings say.
    ///
    /// # Errors
    /// An address is not available.
    pub fn bind(config: &PortalConfig) -> Result<Listeners, ListenError> {
        Ok(Listeners {
            public: listen::bind_all(&config.listen)?,
            staff: listen::bind_all(&config.staff_listen)?,
            web: listen::bind_all(&config.web_listen)?,
        })
    }
}

/// A check of the portal by itself, which says what is wrong.
pub type SelfCheck = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// Starts the portal. Once it returns, all at these listeners, and staff at the socket, are answered.
///
/// # Errors
/// The socket cannot be made; nothing serves.
pub fn run(
    opened: OpenedPortal,
    listeners: Listeners,
    clock: Arc<dyn Clock>,
) -> Result<RunningPortal, PortalStartError> {
    let OpenedPortal {
        home,
        config,
        db,
        issuer,
        code_signer,
        roots,
        by_root,
        pepper,
        tls,
        limits,
        held,
        followed,
    } = opened;
    let path = home.socket_path();
    let bound = socket::bind(&path).with_context(|| format!("the admin socket {}", path.display()));
    let (socket, bound_socket) = bound.map_err(PortalStartError::Socket)?;
    let Listeners { public, staff: staff_listeners, web } = listeners;
    let (addresses, staff_addresses) = (addresses_of(&public), addresses_of(&staff_listeners));
    let (web_addresses, web_address) = (addresses_of(&web), config.web_address());

    let admission = Admission { settings: config.door(), limits, tls };
    let settings = config.staff_door();
    let limits = Limits { in_all: settings.connections, per_address: settings.connections_per_address };
    let staff_door =
        Door::new(Admission { settings, limits, tls: admission.tls.clone() }, FILE_NAME, Arc::new(()));
    let settings = config.web_door();
    let limits = Limits { in_all: settings.connections, per_address: settings.connections_per_address };
    let tls = config.web_tls(admission.tls.clone());
    let web_door = Door::new(Admission { settings, limits, tls }, FILE_NAME, Arc::new(()));
    let door = Door::new(admission, FILE_NAME, Arc::new(()));
    let (wrong_keys, wrong_tokens) =
        (WrongKeys::new(config.wrong_keys()), WrongKeys::new(config.wrong_tokens()));
    let portal = PortalCore::new(db, pepper, roots, issuer, code_signer, clock.clone());
    let portal =
        Arc::new(portal.with_pages_at(web_address.clone()).with_billing_at(config.billing_url.clone()));
    // Before anybody is answered.
    portal.take_note(&by_root);
    let mail = config.mail_server(home.path());
    let followed = Mutex::new(followed);
    let reload = PortalReload {
        home,
        config,
        followed,
        portal: portal.clone(),
        door: door.clone(),
        staff_door: staff_door.clone(),
        web_door: web_door.clone(),
    };
    let staff = Staff {
        portal: portal.clone(),
        door: door.clone(),
        listening: addresses.iter().map(SocketAddr::to_string).collect(),
        staff_listening: staff_addresses.iter().map(SocketAddr::to_string).collect(),
        started_at: clock.now(),
        read_again: Arc::new(move || reload.once()),
    };

    certificate::take_note(&door);
    certificate::warn_of_end(&door, Timestamp::from_unix_ms(i64::MIN), clock.now());
    let stop = CancellationToken::new();
    let (keeper, stopped) = (portal.clone(), stop.clone());
    tokio::spawn(async move { keeper.keep_list_signed(stopped).await });
    tokio::spawn(retention::keep(portal.clone(), stop.clone()));
    let delivering = tokio::spawn(outbox::deliver(portal.clone(), mail, stop.clone()));
    let looking = tokio::spawn(domains::keep_looking(portal.clone(), stop.clone()));
    let service = VendorApi::new(portal.clone(), wrong_keys).service();
    let accounts = AccountApi::new(portal.clone(), web_address.clone()).service();
    let services = Services::new(Routes::new(service).add_service(accounts));
    let stopped = || stop.clone().cancelled_owned();
    let serving = tokio::spawn(serve(door, services, clock.clone(), public, stopped()));
    let calls = StaffCalls::new(staff.clone(), wrong_tokens);
    let staff_serving = tokio::spawn(serve(staff_door, calls, clock, staff_listeners, stopped()));
    let service = PortalServiceServer::new(staff.clone());
    let served = admin::serve(service, proto::FILE_DESCRIPTOR_SET, socket, stopped());
    let socket_serving = tokio::spawn(async move {
        if let Err(error) = served.await {
            let error = format!("{error:#}");
            tracing::error!(error, "staff gets no answers any more; start the portal again");
        }
    });
    Ok(RunningPortal {
        portal,
        addresses,
        staff_addresses,
        web_addresses,
        web_address,
        web: Some((web_door, web)),
        web_serving: None,
        staff,
        bound_socket,
        _held: held,
        stop,
        serving,
        staff_serving,
        socket_serving,
        delivering,
        looking,
    })
}

fn addresses_of(listeners: &[TcpListener]) -> Vec<SocketAddr> {
    listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
}

impl RunningPortal {
    /// Serves pages to browsers from now on.
    pub fn serve_web(&mut self, pages: impl PageHandler) {
        let Some((door, listeners)) = self.web.take() else { return };
        let stopped = self.stop.clone().cancelled_owned();
        self.web_serving = Some(tokio::spawn(serve_pages(door, pages, listeners, stopped)));
    }

    /// The self-check: the database answers.
    pub fn self_check(&self) -> impl Fn() -> SelfCheck + Send + Sync + use<> {
        let portal = self.portal.clone();
        move || {
            let portal = portal.clone();
            Box::pin(async move {
                let found = portal.db.products().await;
                found.map(drop).map_err(|error| format!("the database: {}", remedy::message(&error)))
            })
        }
    }

    /// Lets calls that are under way end, then closes the database.
    pub async fn stop(self) {
        self.stop.cancel();
        let _ = tokio::join!(self.serving, self.staff_serving);
        if let Some(web_serving) = self.web_serving {
            let _ = web_serving.await;
        }
        let _ = tokio::time::timeout(DRAIN, self.socket_serving).await;
        // What is not sent by then is sent once more.
        let _ = tokio::time::timeout(DRAIN, self.delivering).await;
        let _ = self.looking.await;
        self.bound_socket.remove();
        self.portal.db.clone().close().await;
    }
}
