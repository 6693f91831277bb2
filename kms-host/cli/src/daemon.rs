//! `kms-host serve`: the life of the process on one page.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use kms_host::admin;
use kms_host::clock::SystemClock;
use kms_host::config::SettingSources;
use kms_host::home::Home;
use kms_host::queue::Queue;
use kms_host::reload::Reload;
use kms_host::remedy;
use kms_host::run::{Opened, StartError, run};
use program::exit::{EX_CANTCREAT, EX_CONFIG, EX_IOERR, EX_UNAVAILABLE};
use proto::admin::v1::GetStatusRequest;
use server::signals::{Signals, Starting};
use server::{listen, log, supervised};

use super::owner::{self, become_owner};
use super::{Failure, OrExit};

pub(super) fn serve(home: &Home, wanted: &super::Serve) -> Result<String, Failure> {
    let Signals { hangups, stops } = Signals::hear().or_exit(EX_UNAVAILABLE)?;
    // Settings and log.
    let sources = SettingSources::new(wanted.file.config.as_deref(), home.path());
    let sources = sources.with_command_line(&wanted.listen, wanted.log_json);
    let settings = owner::settings(home, &sources)?;
    let log = log::start(&settings.config.log, settings.config.log_format, "kms_host").or_exit(EX_CONFIG)?;
    for warning in settings.warnings() {
        tracing::warn!("{warning}");
    }

    // Rights, threads, and what stands on disk.
    become_owner(home)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().or_exit(EX_UNAVAILABLE)?;
    let starting = Starting::watch(&runtime, stops, "host");
    let say_upgrading =
        |records| supervised::say_starting(&format!("upgrading the ledger: {records} records read"));
    let opened = Opened::open(home, &settings.config, &say_upgrading)?;

    runtime.block_on(async {
        // Bind, serve, announce.
        let listeners = listen::bind_all(&settings.config.listen).or_exit(EX_UNAVAILABLE)?;
        let mut stops = starting.done().await.or_exit(EX_UNAVAILABLE)?;
        let mut running = run(opened, listeners, Arc::new(SystemClock::new())).await?;
        let addresses: Vec<_> = running.addresses.iter().map(SocketAddr::to_string).collect();
        let listening = addresses.join(" ");
        tracing::info!(host = %running.id(), listening, version = env!("CARGO_PKG_VERSION"), "serving");
        let orders = running.reloads.take().expect("nobody else takes them");
        let reload = Reload::of(&running, home.clone(), sources, settings, log);
        tokio::spawn(reload.at_each(hangups, orders, running.stop.clone()));
        let (queue, socket) = (running.queue.clone(), home.socket_path());
        let check = move || check(queue.clone(), socket.clone());
        tokio::spawn(supervised::feed_watchdog(check, running.stop.clone()));
        supervised::say_ready(&listening);

        // Signal or failure, whichever comes first; then drain.
        let end = tokio::select! {
            signal = stops.next() => {
                tracing::info!(signal, "stopping");
                Ok(())
            }
            error = running.failed() => Err(error).or_exit(EX_IOERR),
        };
        supervised::say_stopping();
        let stopped = running.stop().await.or_exit(EX_IOERR);
        end.and(stopped)
    })?;
    tracing::info!("stopped");
    Ok(String::new())
}

/// The self-check: the ledger's writer has finished a round, the disk has taken a write, and the admin socket has answered. Connections
/// of machines are not checked, because many of them are no reason to kill the host.
async fn check(queue: Queue, socket: PathBuf) -> Result<(), String> {
    let checked = async {
        queue.probe().await.context("the ledger")?;
        let mut client = admin::connect(&socket).await.context("the admin socket")?;
        client.get_status(GetStatusRequest {}).await.context("the admin socket")?;
        anyhow::Ok(())
    };
    checked.await.map_err(|error| remedy::message(&*error))
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Failure {
        let (code, error) = match error {
            StartError::Home(error) => return error.into(),
            StartError::Settings(error) => (EX_CONFIG, error),
            StartError::Socket(error) => (EX_CANTCREAT, error),
            StartError::Thread(error) => (EX_UNAVAILABLE, error.into()),
            StartError::Ledger(error) => (EX_IOERR, error.into()),
        };
        Failure { code, error, shown: String::new() }
    }
}
