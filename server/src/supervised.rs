//! Reports to a service manager when a program serves and when it stops, and feeds its watchdog.
//!
//! The protocol is systemd's (sd_notify(3)). Without a service manager all of this does nothing. A watchdog fed by a timer would take
//! a program that hangs for one that works, so it is fed only after a self-check.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use sd_notify::NotifyState;
use tokio_util::sync::CancellationToken;

/// How much longer the service manager waits after each report of a long start: many times what a disk takes for a page.
const STEP_USEC: u32 = 60_000_000;

/// Reports what keeps the start busy, and asks the service manager to wait on. An interrupted start would begin again.
pub fn say_starting(status: &str) {
    say(&[NotifyState::ExtendTimeoutUsec(STEP_USEC), NotifyState::Status(status)]);
}

/// Reports that peers are served at these addresses.
pub fn say_ready(addresses: &str) {
    say(&[NotifyState::Ready, NotifyState::Status(&format!("serving {addresses}"))]);
}

/// Reports that open calls are being finished.
pub fn say_stopping() {
    say(&[NotifyState::Stopping]);
}

/// Feeds the watchdog, if there is one, three times per interval until the program stops, and only after a self-check. The check says
/// why it fails.
pub async fn feed_watchdog<C: Future<Output = Result<(), String>>>(
    check: impl Fn() -> C,
    stop: CancellationToken,
) {
    let Some(interval) = sd_notify::watchdog_enabled() else { return };
    let pause = interval / 3;
    loop {
        match tokio::time::timeout(pause, check()).await {
            Ok(Ok(())) => say(&[NotifyState::Watchdog]),
            Ok(Err(error)) => tracing::error!(error, "the self-check fails; the watchdog is not fed"),
            Err(_) => tracing::error!(?pause, "the self-check does not end; the watchdog is not fed"),
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
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
