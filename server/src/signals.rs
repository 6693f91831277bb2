//! The signals that a daemon handles from its first moment: SIGHUP reloads, SIGTERM and SIGINT stop.
//!
//! Without a handler, each of these ends the process at once. A reload would kill a program that is still opening its store, and the
//! administrator cannot know that it is not ready.

use std::io;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::supervised;

/// Streams of signals.
pub struct Signals {
    /// SIGHUP.
    pub hangups: Signal,
    /// SIGTERM and SIGINT.
    pub stops: Stops,
}

/// The signals that tell a program to stop.
pub struct Stops {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Installs the handlers. It starts no thread, so the process may still change its user.
    ///
    /// # Errors
    /// The system refuses.
    pub fn hear() -> io::Result<Signals> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        // Signals are kept until a runtime waits for them.
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
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// A program that does not serve yet. If it is told to stop, it ends at once: it has answered nobody, and a kill does no harm to a
/// store that is being opened.
pub struct Starting {
    started: oneshot::Sender<()>,
    waiting: JoinHandle<Stops>,
}

impl Starting {
    /// Waits for a signal on this runtime. The log calls the program so, such as `host`.
    pub fn watch(runtime: &Runtime, mut stops: Stops, program: &'static str) -> Starting {
        let (started, mut is_started) = oneshot::channel();
        let waiting = runtime.spawn(async move {
            tokio::select! {
                signal = stops.next() => {
                    tracing::info!(signal, "stopping before the {program} has served");
                    supervised::say_stopping();
                    std::process::exit(0);
                }
                _ = &mut is_started => stops,
            }
        });
        Starting { started, waiting }
    }

    /// Hands the signals to the program that serves.
    ///
    /// # Errors
    /// The task that waited for them has panicked.
    pub async fn done(self) -> anyhow::Result<Stops> {
        let _ = self.started.send(());
        Ok(self.waiting.await?)
    }
}
