//! The one loop and the one timer.
//!
//! It decides nothing: `shared::license` says whether to ask now and when to look again, `round` asks. Timers are
//! wall-clock instants that are checked at every wake, because monotonic ones stand still while a machine sleeps.
//! `docs/protocol.md` 5.

use std::time::Duration;

use shared::license::Event;
use shared::reason::{Cause, Reason};
use shared::time::Timestamp;

#[cfg(feature = "accounts")]
use crate::account;
use crate::installation::Installation;
use crate::random;
#[cfg(feature = "keys")]
use crate::revoked;
use crate::round::{self, Purpose};
use crate::shell::Shell;

/// The longest sleep: how late a machine that slept notices that it did.
const LONGEST_SLEEP: Duration = Duration::from_mins(5);

/// The shortest sleep, so that an instant in the past makes no busy loop.
const SHORTEST_SLEEP: Duration = Duration::from_millis(10);

/// How soon to look again while another process is asking, or the disk cannot be used.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// How often the latest time seen is saved. A crash loses no more than this.
const MARK_EVERY: Duration = Duration::from_hours(1);

/// Runs until it is dropped.
pub(crate) async fn run(shell: &Shell) {
    #[cfg(feature = "testing")]
    if shell.staged.is_some() {
        return std::future::pending().await;
    }
    let mut marked_at = shell.clock.now();
    loop {
        let pause = look(shell, &mut marked_at).await;
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shell.look.notified() => {}
        }
    }
}

/// Looks at the clock, does what is due, and returns how long to sleep.
async fn look(shell: &Shell, marked_at: &mut Timestamp) -> Duration {
    let mut installation = shell.installation.lock().await;
    let now = shell.clock.now();
    // Another process of this machine may have saved something.
    if let Err(cause) = installation.refresh(now, None).await {
        tracing::debug!(%cause, "what is saved cannot be read now");
    }
    let is_due = installation.saved.license.step(now, Event::Woke, random::draw());
    let was_prevented = is_due && ask(shell, &mut installation, Purpose::Due).await;
    #[cfg(feature = "keys")]
    if revoked::look(shell, &mut installation).await {
        ask(shell, &mut installation, Purpose::Wanted).await;
    }
    #[cfg(feature = "accounts")]
    account::poll(shell, &mut installation).await;
    if MARK_EVERY <= now.apart(*marked_at) {
        *marked_at = now;
        keep_mark(shell, &mut installation).await;
    }
    shell.publish(&installation);
    if was_prevented {
        return LOOK_AGAIN;
    }
    let now = shell.clock.now();
    let wake_at = installation.saved.license.wake_at(now);
    #[cfg(feature = "accounts")]
    let wake_at = shell.signing.next_at().map_or(wake_at, |at| at.min(wake_at));
    wake_at.since(now).clamp(SHORTEST_SLEEP, LONGEST_SLEEP)
}

/// Asks. Returns whether another process or the disk prevented it.
async fn ask(shell: &Shell, installation: &mut Installation, purpose: Purpose) -> bool {
    match round::make(shell, installation, purpose).await {
        Ok(_) => false,
        Err(cause) => {
            let is_known = cause.reason() == Some(Reason::Busy) || installation.troubles.contains(&cause);
            if !is_known {
                tracing::warn!(%cause, "no host was asked");
            }
            true
        }
    }
}

/// Saves the latest time seen, so that setting the clock back while the machine is off lengthens nothing.
async fn keep_mark(shell: &Shell, installation: &mut Installation) {
    let saved: Result<(), Cause> = async {
        let lock = installation.take_over(shell.clock.now()).await?;
        installation.save(&lock).await
    }
    .await;
    if let Err(cause) = saved {
        tracing::debug!(%cause, "the time seen is not saved now");
    }
}
