//! `kms-host serve`: the life of the process on one page.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use shared::ids::CertificateId;
use shared::time::Timestamp;
use tokio::net::{TcpListener, UnixListener};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, reload};

use super::door;
use super::owner::become_owner;
use super::reload::Reload;
use super::supervised;
use super::{EX_CANTCREAT, EX_CONFIG, EX_IOERR, EX_UNAVAILABLE, Failure, OrExit};
use crate::accept::{Admission, Door, Limits, connections_through};
use crate::activate::{Host, Parts};
use crate::admin::Admin;
use crate::audit::Audit;
use crate::certificates::Certificates;
use crate::clock::SystemClock;
use crate::config::{Config, LogFormat, Sources};
use crate::fairness::{Allowances, Fairness};
use crate::home::{self, Home, HomeError};
use crate::ledger::{DiskLedger, Ledger as _};
use crate::queue::Queue;
use crate::retention;
use crate::serve::DRAIN;
use crate::signer::KeyInMemory;
use crate::space;
use crate::tls::Tls;

/// How often the host looks whether a certificate's end has come near.
const CERTIFICATE_CHECK: Duration = Duration::from_hours(1);

pub(super) fn run(
    home: &Home,
    config: Option<&Path>,
    listen: &[SocketAddr],
    log_json: bool,
) -> Result<String, Failure> {
    // Configuration and log.
    let sources = Sources::new(config, home.path()).with_command_line(listen, log_json);
    let settings = sources.read().or_exit(EX_CONFIG)?;
    let config = settings.config.clone();
    let log = start_log(&config).or_exit(EX_CONFIG)?;
    for warning in settings.warnings() {
        tracing::warn!("{warning}");
    }
    // Before anything is opened, so that the ledger has the descriptors, too.
    let limits = Limits::of_this_process(config.connections, config.connections_per_address);

    // What stands on disk.
    become_owner(home)?;
    let tls = Tls::read(&config, home.path()).or_exit(EX_CONFIG)?;
    let certificates = certificates(home).or_exit(EX_CONFIG)?;
    warn_of_left_out(&certificates);
    let signer = Arc::new(KeyInMemory::new(home.signing_key().or_exit(EX_CONFIG)?));
    let ledger = Arc::new(open_ledger(home, &config)?);
    home::check_hour_width(&certificates, ledger.meta().hour_width_ms).or_exit(EX_CONFIG)?;
    retention::check(config.retention_days, &certificates).or_exit(EX_CONFIG)?;
    let audit = Arc::new(Audit::open(home.audit_path()));

    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().or_exit(EX_UNAVAILABLE)?;
    let (queue, writer) =
        Queue::start(ledger.clone(), config.queue, runtime.handle().clone()).or_exit(EX_UNAVAILABLE)?;
    let served = runtime.block_on(async {
        // Build, bind, serve. A signal that comes from here on is heard when there is somebody to obey it.
        let hangups = signal(SignalKind::hangup()).or_exit(EX_UNAVAILABLE)?;
        let told_to_stop = told_to_stop().or_exit(EX_UNAVAILABLE)?;
        let clock = Arc::new(SystemClock::new());
        let fairness = Arc::new(Fairness::new(Allowances::from(&config)));
        let admission = Admission { limits, allow: config.allow.clone(), tls };
        let door = Door::new(admission, fairness.clone());
        let parts = Parts { certificates, signer, ledger, queue: queue.clone(), fairness, clock };
        let host = Arc::new(Host::new(parts).await.or_exit(EX_IOERR)?);
        let listeners = bind(&config.listen).or_exit(EX_UNAVAILABLE)?;
        let socket = bind_socket(&home.socket_path()).or_exit(EX_CANTCREAT)?;
        let bound: Vec<_> = listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
        let addresses: Vec<_> = bound.iter().map(SocketAddr::to_string).collect();
        let listening = addresses.join(" ");
        tracing::info!(host = %host.id, listening, version = env!("CARGO_PKG_VERSION"), "serving");
        say_what_to_publish(&config.service_label, &bound);
        door::take_note(&host, &door);

        let stop = CancellationToken::new();
        host.space().set_limit_mib(config.free_space_mib);
        // Before the first ask. What cannot be read is told by the watch.
        let _ = space::look(&host, home.path());
        tokio::spawn(space::watch(host.clone(), home.path().to_owned(), stop.clone()));
        tokio::spawn(warn_of_certificates(host.clone(), stop.clone()));
        let (reloads, orders) = mpsc::channel(1);
        let admin = Admin::new(host.clone(), addresses, audit.clone())
            .showing(config.ledger, door.clone())
            .reloading_by(reloads);
        let (retention_days, days) = watch::channel(config.retention_days);
        tokio::spawn(retention::run(host.clone(), audit.clone(), days, stop.clone()));
        let reload = Reload {
            home: home.clone(),
            sources,
            settings,
            log,
            host: host.clone(),
            door: door.clone(),
            audit,
            retention_days,
            bound,
        };
        tokio::spawn(reload.at_each(hangups, orders, stop.clone()));
        tokio::spawn(serve_admin(admin.clone(), socket, stop.clone()));
        tokio::spawn(supervised::feed_watchdog(queue.clone(), home.socket_path(), stop.clone()));
        let connections = connections_through(door, listeners);
        let machines = crate::serve(host, connections, stop.clone().cancelled_owned());
        let mut machines = std::pin::pin!(machines);
        supervised::say_ready(&listening);

        // Signal or failure, whichever comes first; then drain.
        let end = tokio::select! {
            signal = told_to_stop => {
                tracing::info!(signal, "stopping");
                Ok(())
            }
            error = queue.fatal() => Err(error).or_exit(EX_IOERR),
            ended = &mut machines => {
                let ended = ended.context("serving machines");
                return ended.and_then(|()| Err(anyhow!("no connection comes in any more"))).or_exit(EX_UNAVAILABLE);
            }
        };
        supervised::say_stopping();
        stop.cancel();
        let drained = machines.await.context("serving machines").or_exit(EX_UNAVAILABLE);
        // A ledger that has failed makes no change any more, and a disk that stands still none in time.
        let _ = tokio::time::timeout(DRAIN, admin.settled()).await;
        end.and(drained)
    });
    queue.close();
    let _ = writer.join();
    let _ = std::fs::remove_file(home.socket_path());
    served?;
    tracing::info!("stopped");
    Ok(String::new())
}

/// The log, and the way to change what is logged.
fn start_log(config: &Config) -> anyhow::Result<reload::Handle<EnvFilter, Registry>> {
    let filter = EnvFilter::try_new(&config.log).with_context(|| format!("`log` is {:?}", config.log))?;
    let (filter, handle) = reload::Layer::new(filter);
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    // It would say on standard error that standard error is gone, and panic.
    let log = log.log_internal_errors(false);
    let filtered = tracing_subscriber::registry().with(filter);
    let started = match config.log_format {
        LogFormat::Text => {
            let log = log.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
            filtered.with(log).try_init()
        }
        LogFormat::Json => filtered.with(log.json().flatten_event(true)).try_init(),
    };
    started.map_err(|error| anyhow!(error))?;
    Ok(handle)
}

/// Every certificate that can be used; there has to be one.
pub(super) fn certificates(home: &Home) -> anyhow::Result<Certificates> {
    let certificates = home.certificates()?;
    check_any(home, &certificates)?;
    Ok(certificates)
}

/// That there is one that can be used.
pub(super) fn check_any(home: &Home, certificates: &Certificates) -> anyhow::Result<()> {
    match (certificates.all().next(), certificates.left_out()) {
        (None, []) => Err(without_certificate(home)),
        (None, [first, ..]) => {
            Err(anyhow!("no certificate can be used: {}; {}", first.cause(), first.remedy()))
        }
        (Some(_), _) => Ok(()),
    }
}

/// Says which files are passed over, and why.
pub(super) fn warn_of_left_out(certificates: &Certificates) {
    for left_out in certificates.left_out() {
        let (file, cause, remedy) = (left_out.path.display(), left_out.cause(), left_out.remedy());
        tracing::error!(%file, cause, remedy, "a certificate cannot be used and is passed over");
    }
}

fn without_certificate(home: &Home) -> anyhow::Error {
    let (data, request) = (home.path().display(), home.request_path());
    let again = if request.exists() {
        String::new()
    } else {
        format!(" (`kms-host init --data {data}` writes it again)")
    };
    anyhow!(
        "no certificate is installed; send {}{again} to the vendor, then run `kms-host install-certificate ANSWER.pem --data \
         {data}`",
        request.display()
    )
}

fn open_ledger(home: &Home, config: &Config) -> Result<DiskLedger, Failure> {
    let opened = home.ledger_telling(config.ledger, config.cache_mib << 20, &supervised::say_upgrading);
    let code = match &opened {
        Err(HomeError::Served(_)) => EX_UNAVAILABLE,
        Err(HomeError::NoLedger { .. } | HomeError::OtherEngine { .. }) => EX_CONFIG,
        _ => EX_IOERR,
    };
    opened.or_exit(code)
}

/// Machines are served whether or not administrators are.
async fn serve_admin(admin: Admin, socket: UnixListener, stop: CancellationToken) {
    if let Err(error) = crate::serve_admin(admin, socket, stop.cancelled_owned()).await {
        let error = format!("{:#}", anyhow::Error::from(error));
        tracing::error!(error, "administrators are not answered any more; start the host again");
    }
}

fn bind(addresses: &[SocketAddr]) -> anyhow::Result<Vec<TcpListener>> {
    let mut listeners = Vec::new();
    for address in addresses {
        let listener = crate::serve::bind(*address).with_context(|| {
            format!("cannot listen on {address}: choose another with `listen` in kms-host.toml, or --listen")
        })?;
        listeners.push(listener);
    }
    Ok(listeners)
}

/// Whoever holds the ledger is the only host of this directory, so a socket that is there was left by a dead one.
fn bind_socket(path: &Path) -> anyhow::Result<UnixListener> {
    use std::os::unix::fs::PermissionsExt;
    let at = || path.display().to_string();
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error).with_context(at),
        _ => {}
    }
    let listener = UnixListener::bind(path).with_context(at)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).with_context(at)?;
    Ok(listener)
}

pub(super) fn say_what_to_publish(service_label: &str, bound: &[SocketAddr]) {
    for address in bound.iter().filter(|address| !address.ip().is_loopback()) {
        let record =
            format!("{service_label}.<your domain>. IN SRV 10 100 {} <this host's name>.", address.port());
        tracing::info!(record, "to be found, publish in DNS");
    }
}

/// Completes with the signal's name. It hears from the call on and not only once it is waited for: who is told that the host
/// serves may stop it at once.
fn told_to_stop() -> io::Result<impl Future<Output = &'static str>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    })
}

/// Warns when a certificate's end has come nearer than one of the marks; at the start, of every one that is within any. Says
/// which certificates are used, at the start and where time has changed that.
async fn warn_of_certificates(host: Arc<Host>, stop: CancellationToken) {
    let mut looked = Timestamp::from_unix_ms(i64::MIN);
    loop {
        let now = host.clock.now();
        let certificates = host.certificates();
        if looked == Timestamp::from_unix_ms(i64::MIN)
            || used(&certificates, looked) != used(&certificates, now)
        {
            say_which_are_used(&certificates, &Certificates::default(), now);
        }
        warn_of_ends(&certificates, looked, now);
        door::warn_of_end(&host, looked, now);
        looked = now;
        tokio::select! {
            () = tokio::time::sleep(CERTIFICATE_CHECK) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Warns of every certificate whose end has come nearer than one of the marks since `looked`.
pub(super) fn warn_of_ends(certificates: &Certificates, looked: Timestamp, now: Timestamp) {
    for (installed, ends_at) in certificates.to_warn_of(looked, now) {
        let certificate = installed.chain.host();
        let (product, certificate) = (certificate.product_name.as_str(), certificate.id);
        if ends_at <= now {
            tracing::error!(product, %certificate, %ends_at, "the certificate has ended, and no lease is signed: renew it with the vendor");
        } else {
            tracing::warn!(product, %certificate, %ends_at, "the certificate ends soon: renew it with the vendor");
        }
    }
}

/// The certificate that answers for each product at this time.
fn used(certificates: &Certificates, now: Timestamp) -> Vec<CertificateId> {
    certificates.products(now).map(|(_, used)| used.chain.host().id).collect()
}

/// Which certificate answers for each product, and why others do not: of each product for which another answered `before`, or
/// for which one is new.
pub(super) fn say_which_are_used(certificates: &Certificates, before: &Certificates, now: Timestamp) {
    for (product, used) in certificates.products(now) {
        let ids = |certificates: &Certificates| -> Vec<_> {
            certificates.of(product).iter().map(|one| one.chain.host().id).collect()
        };
        if ids(certificates) == ids(before) {
            continue;
        }
        let (name, ends_at) = (used.chain.host().product_name.as_str(), used.chain.ends_at());
        let id = used.chain.host().id;
        tracing::info!(product = name, certificate = %id, %ends_at, "this certificate is used");
        for (other, why) in certificates.unused(product, now) {
            let id = other.chain.host().id;
            tracing::warn!(product = name, certificate = %id, %why, "this certificate is not used");
        }
    }
}
