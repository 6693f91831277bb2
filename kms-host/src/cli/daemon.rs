//! `kms-host serve`: the life of the process on one page.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use ledger::{DiskLedger, Ledger as _};
use shared::ids::CertificateId;
use shared::time::Timestamp;
use tokio::net::UnixListener;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, reload};

use super::door;
use super::owner::{self, become_owner};
use super::reload::Reload;
use super::signals::{Signals, Starting};
use super::supervised;
use super::{EX_CANTCREAT, EX_CONFIG, EX_IOERR, EX_UNAVAILABLE, Failure, OrExit};
use crate::activate::{Host, Parts};
use crate::admin::audit::Audit;
use crate::admin::{Admin, socket};
use crate::certificates::Certificates;
use crate::clock::SystemClock;
use crate::config::{Config, LogFormat, Sources};
use crate::door::accept::{Admission, Door, Limits};
use crate::door::listen;
use crate::door::serve::DRAIN;
use crate::door::tls::Tls;
use crate::fairness::{Allowances, Fairness};
use crate::home::{self, Home, Presence};
use crate::queue::Queue;
use crate::signer::KeyInMemory;
use crate::watch::retention;
use crate::watch::space;

/// How often the host looks whether a certificate's end has come near.
const CERTIFICATE_CHECK: Duration = Duration::from_hours(1);

pub(super) fn run(
    home: &Home,
    config: Option<&Path>,
    listen: &[SocketAddr],
    log_json: bool,
) -> Result<String, Failure> {
    let Signals { hangups, stops } = Signals::hear().or_exit(EX_UNAVAILABLE)?;
    // Configuration and log.
    let sources = Sources::new(config, home.path()).with_command_line(listen, log_json);
    let settings = owner::settings(home, &sources)?;
    let config = settings.config.clone();
    let log = start_log(&config).or_exit(EX_CONFIG)?;
    for warning in settings.warnings() {
        tracing::warn!("{warning}");
    }
    // Before anything is opened, so that the ledger has the descriptors, too.
    let limits = Limits::of_this_process(config.connections, config.connections_per_address);

    become_owner(home)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().or_exit(EX_UNAVAILABLE)?;
    let starting = Starting::watch(&runtime, stops);

    // What stands on disk.
    let tls = Tls::read(&config, home.path()).or_exit(EX_CONFIG)?;
    let swept = home.sweep();
    if 0 < swept {
        tracing::info!(files = swept, "removed drafts that commands which were killed had left");
    }
    let certificates = certificates(home).or_exit(EX_CONFIG)?;
    warn_of_left_out(&certificates);
    if let Some(key) = home.open_key() {
        let key = key.display();
        tracing::warn!(
            "others may read or write the signing key, and could sign leases as this host: chmod 600 {key}"
        );
    }
    let signer = Arc::new(KeyInMemory::new(home.signing_key().or_exit(EX_CONFIG)?));
    let ledger = Arc::new(open_ledger(home, &config)?);
    match home.sign_request() {
        Ok(false) => {}
        Ok(true) => tracing::info!("signed the request to the vendor, which an earlier release had written"),
        Err(error) => tracing::warn!(%error, "the request to the vendor is not signed"),
    }
    let closed_in_order = ledger.was_closed_in_order();
    home::check_hour_width(&certificates, ledger.meta().hour_width_ms).or_exit(EX_CONFIG)?;
    retention::check(config.retention_days, &certificates).or_exit(EX_CONFIG)?;
    let audit = Arc::new(Audit::open(home.audit_path()));
    let presence = Presence::of(home);

    let (queue, writer) =
        Queue::start(ledger.clone(), config.queue, runtime.handle().clone()).or_exit(EX_UNAVAILABLE)?;
    let served = runtime.block_on(async {
        // Build, bind, serve.
        let clock = Arc::new(SystemClock::new());
        let fairness = Arc::new(Fairness::new(Allowances::from(&config)));
        let door = Door::new(Admission::new(&config, limits, tls), fairness.clone());
        let parts = Parts { certificates, signer, ledger, queue: queue.clone(), fairness, clock };
        let host = Arc::new(Host::new(parts).await.or_exit(EX_IOERR)?);
        let listeners = listen::bind_all(&config.listen).or_exit(EX_UNAVAILABLE)?;
        let path = home.socket_path();
        let bound = socket::bind(&path).with_context(|| format!("the admin socket {}", path.display()));
        let (socket, bound_socket) = bound.or_exit(EX_CANTCREAT)?;
        let mut stops = starting.done().await.or_exit(EX_UNAVAILABLE)?;
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
        if !closed_in_order {
            let host = host.clone();
            tokio::spawn(async move { host.recheck().await });
        }
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
        let machines = crate::door::serve(host, door, listeners, stop.clone().cancelled_owned());
        let mut machines = std::pin::pin!(machines);
        supervised::say_ready(&listening);

        // Signal or failure, whichever comes first; then drain.
        let end = tokio::select! {
            signal = stops.next() => {
                tracing::info!(signal, "stopping");
                Ok(())
            }
            // A ledger without its directory has failed, too, and this says what to do.
            error = queue.fatal() => presence.look().or_exit(EX_IOERR).and(Err(error).or_exit(EX_IOERR)),
            gone = presence.gone() => Err(gone).or_exit(EX_IOERR),
            () = &mut machines => unreachable!("machines are served until the host is told to stop"),
        };
        supervised::say_stopping();
        stop.cancel();
        machines.await;
        // A ledger that has failed makes no change any more, and a disk that stands still none in time.
        let _ = tokio::time::timeout(DRAIN, admin.settled()).await;
        bound_socket.remove();
        end
    });
    queue.close();
    let _ = writer.join();
    served?;
    tracing::info!("stopped");
    Ok(String::new())
}

/// The log, and the way to change what is logged.
fn start_log(config: &Config) -> anyhow::Result<reload::Handle<EnvFilter, Registry>> {
    let filter = filter(&config.log)?;
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

/// What is logged. h2 warns of each frame that breaks its rules, thousands of times a second where somebody means it; the door tells
/// of such peers, one line a second. Whoever names h2 gets its own words.
pub(super) fn filter(directives: &str) -> anyhow::Result<EnvFilter> {
    EnvFilter::try_new(format!("h2=error,{directives}")).with_context(|| format!("`log` is {directives:?}"))
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
    Ok(home.ledger_telling(config.ledger, config.cache_mib << 20, &supervised::say_upgrading)?)
}

/// Machines are served whether or not administrators are.
async fn serve_admin(admin: Admin, socket: UnixListener, stop: CancellationToken) {
    if let Err(error) = crate::serve_admin(admin, socket, stop.cancelled_owned()).await {
        let error = format!("{:#}", anyhow::Error::from(error));
        tracing::error!(error, "administrators are not answered any more; start the host again");
    }
}

pub(super) fn say_what_to_publish(service_label: &str, bound: &[SocketAddr]) {
    for address in bound.iter().filter(|address| !address.ip().is_loopback()) {
        let record =
            format!("{service_label}.<your domain>. IN SRV 10 100 {} <this host's name>.", address.port());
        tracing::info!(record, "to be found, publish in DNS");
    }
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
