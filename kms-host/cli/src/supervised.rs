//! Reports to a service manager when the host serves and when it stops, and feeds its watchdog.
//!
//! The protocol is systemd's (sd_notify(3)). Without a service manager all of this does nothing. A watchdog fed by a timer would take
//! a host that hangs for one that works. So it is fed only after a self-check: the ledger's writer has finished a round, the disk has
//! taken a write, and the admin socket has answered. Connections of machines are not checked, because many of them are no reason to
//! kill the host.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};

use anyhow::Context;
use kms_host::admin;
use kms_host::queue::Queue;
use proto::admin::v1::GetStatusRequest;
use sd_notify::NotifyState;
use tokio_util::sync::CancellationToken;

/// How much longer the service manager waits for an upgrade after each report: many times what a disk takes for a page.
const UPGRADE_STEP_USEC: u32 = 60_000_000;

/// Reports that the ledger is being upgraded, and how many records are read. An interrupted start would begin again from the first
/// record.
pub(super) fn say_upgrading(records: u64) {
    let status = format!("upgrading the ledger: {records} records read");
    say(&[NotifyState::ExtendTimeoutUsec(UPGRADE_STEP_USEC), NotifyState::Status(&status)]);
}

/// Reports that machines are served.
pub(super) fn say_ready(addresses: &str) {
    say(&[NotifyState::Ready, NotifyState::Status(&format!("serving {addresses}"))]);
}

/// Reports that open calls are being finished.
pub(super) fn say_stopping() {
    say(&[NotifyState::Stopping]);
}

/// Feeds the watchdog, if there is one, three times per interval until the host stops.
pub(super) async fn feed_watchdog(queue: Queue, socket: PathBuf, stop: CancellationToken) {
    let Some(interval) = sd_notify::watchdog_enabled() else { return };
    let pause = interval / 3;
    loop {
        match tokio::time::timeout(pause, check(&queue, &socket)).await {
            Ok(Ok(())) => say(&[NotifyState::Watchdog]),
            Ok(Err(error)) => {
                tracing::error!(
                    error = kms_host::remedy::message(&*error),
                    "the self-check fails; the watchdog is not fed"
                );
            }
            Err(_) => tracing::error!(?pause, "the self-check does not end; the watchdog is not fed"),
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}

async fn check(queue: &Queue, socket: &Path) -> anyhow::Result<()> {
    queue.probe().await.context("the ledger")?;
    let mut client = admin::connect(socket).await.context("the admin socket")?;
    client.get_status(GetStatusRequest {}).await.context("the admin socket")?;
    Ok(())
}

/// Sends states to the service manager, if there is one.
fn say(states: &[NotifyState]) {
    let Some(name) = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else { return };
    let lines: Vec<_> = states.iter().map(|state| format!("{state}\n")).collect();
    let message = lines.concat();
    if let Err(error) = send(&name, &message) {
        tracing::warn!(%error, "the service manager cannot be told");
    }
}

/// A name that begins with `@` is an abstract socket and not a path (sd_notify(3)); the crate supports paths only.
fn send(name: &OsStr, message: &str) -> io::Result<()> {
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    UnixDatagram::unbound()?.send_to_addr(message.as_bytes(), &address).map(drop)
}
