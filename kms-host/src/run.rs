//! Puts a host together: [`Opened::open`] opens and checks what is on disk, [`run`] starts everything that serves and watches.
//!
//! The daemon, the tests and the benchmarks all use it. `kms-host serve` (`daemon.rs` of the nested crate `cli`) adds signals, the log,
//! rights and the service manager. Read [`activate`](crate::activate) next: it answers an ask.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::{io, thread};

use anyhow::{Context as _, anyhow};
use proto::admin::v1::admin_service_server::AdminServiceServer;
use server::accept::{Admission, DRAIN, Door, Limits};
use server::admin::socket;
use server::audit::Audit;
use server::certificate;
use server::settings::follow;
use server::tls::Tls;
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::activate::Host;
use crate::admin::{Admin, ReloadOrder};
use crate::certificates::Certificates;
use crate::config::{self, Config};
use crate::fairness::{Allowances, Fairness};
use crate::home::{self, Home, HomeError, Presence};
use crate::portal::visits;
use crate::queue::Queue;
use crate::signer::{KeyInMemory, Signer};
use crate::watch::{self as watching, retention, space};
use ledger::{LedgerError, Reader, Writer};
use shared::ids::HostId;
use shared::time::Clock;

/// A host that is opened and does not serve yet. To use another ledger or signer, replace it here before [`run`].
pub struct Opened {
    /// The data directory.
    pub home: Home,
    /// The settings.
    pub config: Config,
    /// How many connections there may be.
    pub limits: Limits,
    /// The setting and the certificate of TLS.
    pub tls: Tls,
    /// The certificates; at least one can be used.
    pub certificates: Certificates,
    /// Signs answers.
    pub signer: Arc<dyn Signer>,
    /// The ledger, to read from.
    pub ledger: Arc<dyn Reader>,
    /// The ledger, to write to.
    pub writer: Arc<dyn Writer>,
    /// Whether to count all records again, because the host was not stopped in order.
    pub recheck: bool,
    /// The directories, to notice when they are removed or replaced.
    pub presence: Presence,
}

/// A host that serves, and everything that belongs to it.
pub struct Running {
    /// Answers asks.
    pub host: Arc<Host>,
    /// Lets machines in.
    pub door: Door,
    /// The audit log.
    pub audit: Arc<Audit>,
    /// The ledger, to read from.
    pub ledger: Arc<dyn Reader>,
    /// The addresses for machines.
    pub addresses: Vec<SocketAddr>,
    /// The present settings, for parts that follow them.
    pub config: watch::Sender<Arc<Config>>,
    /// Reloads that administrators ask for. If it is dropped, they get the answer that this host cannot reload.
    pub reloads: Option<mpsc::Receiver<ReloadOrder>>,
    /// Cancelled when it begins to stop.
    pub stop: CancellationToken,
    /// The queue in front of the ledger.
    pub queue: Queue,
    /// What administrators ask.
    pub admin: Admin,
    presence: Presence,
    bound_socket: socket::Bound,
    machines: JoinHandle<()>,
    tasks: JoinSet<()>,
    writing: thread::JoinHandle<()>,
}

/// The host does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Settings, certificates, keys and ledger do not fit together.
    #[error(transparent)]
    Settings(anyhow::Error),
    /// The data directory or the ledger cannot be used.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The ledger was opened and cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A thread cannot be started.
    #[error(transparent)]
    Thread(io::Error),
    /// The admin socket cannot be made.
    #[error(transparent)]
    Socket(anyhow::Error),
}

impl Opened {
    /// Opens the host of this directory. An upgrade of the ledger tells `progress` how many records it has read.
    ///
    /// # Errors
    /// [`StartError`]: nothing serves. Drafts of killed commands may be removed, and a ledger of an earlier format upgraded.
    pub fn open(home: &Home, config: &Config, progress: &dyn Fn(u64)) -> Result<Opened, StartError> {
        // Raise the limit first, so that the ledger has enough descriptors, too.
        let limits = Limits::of_this_process(config.connections, config.connections_per_address);
        let settings = StartError::Settings;
        let tls = config.read_tls(home.path()).map_err(|error| settings(error.into()))?;
        let swept = home.sweep();
        if 0 < swept {
            tracing::info!(files = swept, "removed drafts of killed commands");
        }
        let certificates = home.certificates().map_err(|error| settings(error.into()))?;
        check_any(home, &certificates).map_err(settings)?;
        watching::certificates::warn_of_left_out(&certificates);
        if let Some(key) = home.open_key() {
            let key = key.display();
            tracing::warn!(
                "others may read or write the signing key, and could sign leases as this host: chmod 600 {key}"
            );
        }
        let key = home.signing_key().map_err(|error| settings(error.into()))?;
        let ledger = home.ledger(config.ledger, config.cache_mib << 20, progress)?;
        match home.sign_request() {
            Ok(false) => {}
            Ok(true) => {
                tracing::info!("signed the request to the vendor, which an earlier release had written");
            }
            Err(error) => tracing::warn!(%error, "the request to the vendor is not signed"),
        }
        home::check_hour_width(&certificates, ledger.meta().hour_width_ms)
            .map_err(|error| settings(error.into()))?;
        retention::check(config.retention_days, &certificates).map_err(settings)?;
        Ok(Opened {
            home: home.clone(),
            config: config.clone(),
            limits,
            tls,
            certificates,
            signer: Arc::new(KeyInMemory::new(key)),
            recheck: !ledger.was_closed_in_order(),
            ledger: ledger.clone(),
            writer: ledger,
            presence: Presence::of(home),
        })
    }
}

/// Starts the host. Once it returns, machines at these listeners and administrators at the socket are answered.
///
/// # Errors
/// [`StartError`]: nothing serves.
pub async fn run(
    opened: Opened,
    listeners: Vec<TcpListener>,
    clock: Arc<dyn Clock>,
) -> Result<Running, StartError> {
    let Opened { home, config, limits, tls, certificates, signer, ledger, writer, recheck, presence } =
        opened;
    let certificates = watching::certificates::note_known(&home, certificates, clock.now());
    let (queue, writing) =
        Queue::start(writer, config.queue, Handle::current()).map_err(StartError::Thread)?;
    let fairness = Arc::new(Fairness::new(Allowances::from(&config)));
    let admission = Admission { settings: config.door(), limits, tls };
    let door = Door::new(admission, config::FILE_NAME, fairness.clone());
    let host = Host::new(certificates, signer, ledger.clone(), queue.clone(), fairness, clock).await?;
    let host = Arc::new(host);
    let path = home.socket_path();
    let bound = socket::bind(&path).with_context(|| format!("the admin socket {}", path.display()));
    let (socket, bound_socket) = bound.map_err(StartError::Socket)?;
    let addresses: Vec<_> = listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
    certificate::take_note(&door);

    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    host.space.set_limit_mib(config.free_space_mib);
    // Before the first ask. If it fails, the watch below logs it.
    let _ = space::look(&host.space, host.clock.as_ref(), home.path());
    let looks = space::watch(host.space.clone(), host.clock.clone(), home.path().to_owned(), stop.clone());
    tasks.spawn(looks);
    tasks.spawn(watching::certificates::warn(host.clone(), door.clone(), stop.clone()));
    if recheck {
        let (totals, ledger) = (host.totals.clone(), ledger.clone());
        tasks.spawn(async move { totals.recheck(ledger.as_ref()).await });
    }
    let audit = Arc::new(Audit::open(home.audit_path()));
    let engine = config.ledger;
    let config = watch::Sender::new(Arc::new(config));
    tasks.spawn(retention::run(host.clone(), audit.clone(), config.subscribe(), stop.clone()));
    let follower = host.clone();
    tasks.spawn(follow(config.subscribe(), move |_, new| {
        follower.space.set_limit_mib(new.free_space_mib);
        follower.fairness.change(Allowances::from(new), follower.clock.monotonic());
    }));
    let follower = door.clone();
    tasks.spawn(follow(config.subscribe(), move |_, new| follower.take_up(new.door())));
    tasks.spawn(say_what_to_publish(config.subscribe(), addresses.clone()));
    let (orders, reloads) = mpsc::channel(1);
    tasks.spawn(visits::run(host.clone(), home.clone(), config.subscribe(), orders.clone(), stop.clone()));
    let listening = addresses.iter().map(SocketAddr::to_string).collect();
    let admin = Admin::new(host.clone(), listening, audit.clone(), engine, door.clone(), orders);
    tasks.spawn(serve_admin(admin.clone(), socket, stop.clone()));
    let machines = crate::serve(host.clone(), door.clone(), listeners, stop.clone().cancelled_owned());
    let machines = tokio::spawn(machines);
    let reloads = Some(reloads);
    Ok(Running {
        host,
        door,
        audit,
        ledger,
        addresses,
        config,
        reloads,
        stop,
        queue,
        admin,
        presence,
        bound_socket,
        machines,
        tasks,
        writing,
    })
}

impl Running {
    /// Which host it is.
    pub fn id(&self) -> HostId {
        self.host.id
    }

    /// Returns once the host has to stop: its ledger has failed, or its directory is gone.
    pub fn failed(&self) -> impl Future<Output = anyhow::Error> + Send + use<> {
        let (queue, presence) = (self.queue.clone(), self.presence.clone());
        async move {
            tokio::select! {
                // Without its directory a ledger fails, too. The error about the directory says what to do.
                error = queue.fatal() => presence.look().err().map_or_else(|| error.into(), Into::into),
                gone = presence.gone() => gone.into(),
            }
        }
    }

    /// Lets calls that are under way end, then closes the ledger.
    ///
    /// # Errors
    /// The thread that writes the ledger has panicked.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.stop.cancel();
        let _ = self.machines.await;
        // Changes that are under way may never end: the ledger may have failed, or the disk may hang.
        let _ = tokio::time::timeout(DRAIN, self.admin.settled()).await;
        self.bound_socket.remove();
        self.tasks.shutdown().await;
        self.queue.close();
        let writing = self.writing;
        let joined = tokio::task::spawn_blocking(move || writing.join()).await?;
        joined.map_err(|_| anyhow!("the ledger's writer has panicked"))
    }
}

/// Fails unless at least one certificate can be used.
pub(crate) fn check_any(home: &Home, certificates: &Certificates) -> anyhow::Result<()> {
    match (certificates.all().next(), certificates.left_out()) {
        (None, []) => {
            let (data, request) = (home.path().display(), home.request_path());
            let again = if request.exists() {
                String::new()
            } else {
                format!(" (`kms-host init --data {data}` writes it again)")
            };
            Err(anyhow!(
                "no certificate is installed; send {}{again} to the vendor, then run `kms-host install-certificate ANSWER.pem \
                 --data {data}`; with a host key, run `kms-host activate --portal URL --data {data}` instead",
                request.display()
            ))
        }
        (None, [first, ..]) => Err(anyhow!("no certificate can be used: {}; {}", first.cause, first.remedy)),
        (Some(_), _) => Ok(()),
    }
}

/// Logs the DNS record by which machines find a host at these addresses: at the start, and whenever the label changes.
async fn say_what_to_publish(config: watch::Receiver<Arc<Config>>, bound: Vec<SocketAddr>) {
    let say = |config: &Config| {
        for address in bound.iter().filter(|address| !address.ip().is_loopback()) {
            let (label, port) = (&config.service_label, address.port());
            let record = format!("{label}.<your domain>. IN SRV 10 100 {port} <this host's name>.");
            tracing::info!(record, "to be found, publish in DNS");
        }
    };
    let at_start = config.borrow().clone();
    say(&at_start);
    follow(config, |old, new| {
        if old.service_label != new.service_label {
            say(new);
        }
    })
    .await;
}

/// Serves administrators. If that fails, machines are still served.
async fn serve_admin(admin: Admin, socket: UnixListener, stop: CancellationToken) {
    let (service, descriptors) = (AdminServiceServer::new(admin), proto::FILE_DESCRIPTOR_SET);
    if let Err(error) = server::admin::serve(service, descriptors, socket, stop.cancelled_owned()).await {
        let error = format!("{error:#}");
        tracing::error!(error, "administrators get no answers any more; start the host again");
    }
}
