//! `kms-portal serve`: the life of the process on one page.

use std::net::SocketAddr;
use std::sync::Arc;

use kms_portal::config::PortalSettingSources;
use kms_portal::home::PortalHome;
use kms_portal::reload::FollowedSettings;
use kms_portal::run::{Listeners, OpenedPortal, PortalStartError, run};
use program::exit::{EX_CANTCREAT, EX_CONFIG, EX_IOERR, EX_UNAVAILABLE};
use server::signals::{Signals, Starting};
use server::{log, supervised};
use wire::SystemClock;

use super::Serve;
use super::failure::{Failure, OrExit as _};
use super::offline::become_owner;

pub(super) fn serve(home: &PortalHome, wanted: &Serve) -> Result<String, Failure> {
    let Signals { mut hangups, stops } = Signals::hear().or_exit(EX_UNAVAILABLE)?;
    // Settings and log.
    let sources = PortalSettingSources::new(wanted.config.as_deref(), home.path());
    let sources = sources.with_command_line(&wanted.listen, wanted.log_json);
    let settings = sources.read().or_exit(EX_CONFIG)?;
    let config = settings.config.clone();
    let set_log = log::start(&config.log, config.log_format, "kms_portal").or_exit(EX_CONFIG)?;
    for warning in settings.warnings() {
        tracing::warn!("{warning}");
    }
    become_owner(home)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().or_exit(EX_UNAVAILABLE)?;
    let starting = Starting::watch(&runtime, stops, "portal");
    runtime.block_on(async {
        // Open, bind, serve, announce.
        let mut opened = OpenedPortal::open(home, config.clone()).await?;
        opened.followed = Some(FollowedSettings { sources, settings, set_log });
        let listeners = Listeners::bind(&config).or_exit(EX_UNAVAILABLE)?;
        let mut stops = starting.done().await.or_exit(EX_UNAVAILABLE)?;
        let mut running = run(opened, listeners, Arc::new(SystemClock::new()))?;
        kms_portal_web::serve(&mut running);
        let listening: Vec<_> = running.addresses.iter().map(SocketAddr::to_string).collect();
        let listening = listening.join(" ");
        let staff: Vec<_> = running.staff_addresses.iter().map(SocketAddr::to_string).collect();
        let web = running.web_address.as_ref().map(ToString::to_string).unwrap_or_default();
        tracing::info!(
            listening,
            staff = staff.join(" "),
            web,
            version = env!("CARGO_PKG_VERSION"),
            "serving"
        );
        let check = running.self_check();
        tokio::spawn(supervised::feed_watchdog(check, running.stop.clone()));
        supervised::say_ready(&listening);

        // Signal or failure, whichever comes first; then drain.
        let end = loop {
            tokio::select! {
                signal = stops.next() => {
                    tracing::info!(signal, "stopping");
                    break Ok(());
                }
                error = running.portal.failed() => break Err(error).or_exit(EX_IOERR),
                _ = hangups.recv() => {
                    let read_again = Arc::clone(&running.staff.read_again);
                    let read = tokio::task::spawn_blocking(move || read_again()).await;
                    if let Ok(Err(error)) = read {
                        tracing::error!(error, "nothing was read again");
                    }
                }
            }
        };
        supervised::say_stopping();
        running.stop().await;
        end
    })?;
    tracing::info!("stopped");
    Ok(String::new())
}

impl From<PortalStartError> for Failure {
    fn from(error: PortalStartError) -> Failure {
        match error {
            PortalStartError::Home(error) => error.into(),
            PortalStartError::Tls(error) => Failure { code: EX_CONFIG, error },
            PortalStartError::Served(_) => Failure { code: EX_UNAVAILABLE, error: error.into() },
            PortalStartError::Socket(error) => Failure { code: EX_CANTCREAT, error },
        }
    }
}
