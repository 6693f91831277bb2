//! What all handles of one client share: its state, what it needs of the machine, and the channel on which it is published.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use shared::reason::{Cause, Reason};
use shared::time::Clock;
use tokio::sync::{Mutex, MutexGuard, Notify, watch};

use crate::discovery::{Discovery, Places};
use crate::home::{Home, Lock};
use crate::inspector;
use crate::installation::Installation;
use crate::round::{self, Purpose};
use crate::snapshot::{Round, Snapshot};
use crate::way::Ways;

/// The inside of a client.
pub(crate) struct Shell {
    pub(crate) clock: Arc<dyn Clock>,
    /// That of the installation, for the file `hosts`, which no round holds.
    pub(crate) home: Arc<Home>,
    pub(crate) places: Places,
    pub(crate) ways: Ways,
    /// One round at a time; whoever waits for it gets its own.
    pub(crate) installation: Mutex<Installation>,
    pub(crate) published: watch::Sender<Snapshot>,
    /// Somebody wants the agent to look at the clock now.
    pub(crate) look: Notify,
    pub(crate) running: AtomicBool,
    /// What a client of the test kit answers, instead of asking.
    #[cfg(feature = "testing")]
    pub(crate) staged: Option<crate::testing::Next>,
}

impl Shell {
    pub(crate) fn new(
        installation: Installation,
        clock: Arc<dyn Clock>,
        places: Places,
        ways: Ways,
    ) -> Shell {
        let snapshot = Snapshot::of(&installation, clock.now());
        Shell {
            clock,
            home: Arc::clone(&installation.home),
            places,
            ways,
            installation: Mutex::new(installation),
            published: watch::Sender::new(snapshot),
            look: Notify::new(),
            running: AtomicBool::new(false),
            #[cfg(feature = "testing")]
            staged: None,
        }
    }

    /// Makes a round now.
    pub(crate) async fn ask(&self, purpose: Purpose) -> Result<Round, Cause> {
        #[cfg(feature = "testing")]
        if let Some(next) = &self.staged {
            return Ok(crate::testing::round(next));
        }
        let mut installation = self.installation.lock().await;
        let made = round::make(self, &mut installation, purpose).await;
        self.publish(&installation);
        drop(installation);
        // The timer has another instant now.
        self.look.notify_one();
        made?.ok_or_else(|| Reason::Busy.into())
    }

    /// The state and its lock, for a change that would be lost if nothing is kept.
    pub(crate) async fn to_change(&self) -> Result<(MutexGuard<'_, Installation>, Arc<Lock>), Cause> {
        let mut installation = self.installation.lock().await;
        let lock = installation.take_over(self.clock.now()).await?;
        self.home.trouble().map_or(Ok((installation, lock)), Err)
    }

    pub(crate) async fn discover(&self, last: Option<&str>, first: &[String]) -> Discovery {
        #[cfg(feature = "testing")]
        if self.staged.is_some() {
            return Discovery::default();
        }
        inspector::discover(&self.home, &self.places, last, first).await
    }

    /// Publishes the state of this installation.
    pub(crate) fn publish(&self, installation: &Installation) {
        let snapshot = Snapshot::of(installation, self.clock.now());
        self.published.send_if_modified(|shown| {
            let differs = snapshot.differs_from(shown);
            *shown = snapshot;
            differs
        });
    }
}
