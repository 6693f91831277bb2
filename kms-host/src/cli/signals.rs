//! The signals that a host obeys, heard from its first moment: SIGHUP reloads, SIGTERM and SIGINT stop.
//!
//! Until a process asks for them, each of these ends it at once. A host that still waits for its ledger would be killed by the
//! reload of an administrator who cannot know that it is not ready.

use std::io;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::supervised;

/// Signals on their way.
pub(super) struct Signals {
    pub(super) hangups: Signal,
    pub(super) stops: Stops,
}

/// What tells a host to stop.
pub(super) struct Stops {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Hears them from now on. It starts no thread, so the process may still change its user.
    pub(super) fn hear() -> io::Result<Signals> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        // What they have heard is kept for whichever runtime waits for it.
        let _entered = runtime.enter();
        let stops = Stops {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        };
        Ok(Signals { hangups: signal(SignalKind::hangup())?, stops })
    }
}

impl Stops {
    /// The name of the next one.
    pub(super) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// A host that does not serve yet. Told to stop, it ends at once: nobody has been answered, and a ledger that is being
/// opened bears a kill.
pub(super) struct Starting {
    started: oneshot::Sender<()>,
    waiting: JoinHandle<Stops>,
}

impl Starting {
    pub(super) fn watch(runtime: &Runtime, mut stops: Stops) -> Starting {
        let (started, mut is_started) = oneshot::channel();
        let waiting = runtime.spawn(async move {
            tokio::select! {
                signal = stops.next() => {
                    tracing::info!(signal, "stopping before the host has served");
                    supervised::say_stopping();
                    std::process::exit(0);
                }
                _ = &mut is_started => stops,
            }
        });
        Starting { started, waiting }
    }

    /// Hands the signals to whoever serves.
    pub(super) async fn done(self) -> anyhow::Result<Stops> {
        let _ = self.started.send(());
        Ok(self.waiting.await?)
    }
}
