//! What all handles of one client share: its state, what it needs from the machine, and the channel that publishes the state.

use std::sync::Arc;

use shared::reason::Cause;
use shared::time::Clock;
use tokio::sync::{Mutex, MutexGuard, Notify, watch};

use crate::discovery::{Discovery, Places};
use crate::home::{Home, Lock};
use crate::inspector;
use crate::installation::Installation;
#[cfg(feature = "testing")]
use crate::outcome::Round;
#[cfg(feature = "codes")]
use crate::product::Terms;
#[cfg(feature = "accounts")]
use crate::signing::Signing;
use crate::snapshot::Snapshot;
use crate::way::Ways;

/// The inside of a client.
pub(crate) struct Shell {
    pub(crate) clock: Arc<dyn Clock>,
    /// What the product carries. It can be read while a round holds the installation.
    #[cfg(feature = "codes")]
    pub(crate) terms: Arc<Terms>,
    /// The installation's home. The hosts file can be read and written while a round holds the installation.
    pub(crate) home: Arc<Home>,
    pub(crate) places: Places,
    pub(crate) ways: Ways,
    /// Held during a round. A caller that waits for it makes a round of its own.
    pub(crate) installation: Mutex<Installation>,
    pub(crate) published: watch::Sender<Snapshot>,
    /// Notified when the loop is to look at the clock now.
    pub(crate) look: Notify,
    /// Somebody who is signing in.
    #[cfg(feature = "accounts")]
    pub(crate) signing: Signing,
    /// Held by the loop while it runs.
    pub(crate) running: Mutex<()>,
    /// What an ask of the test kit's client gives. No host is asked then.
    #[cfg(feature = "testing")]
    pub(crate) staged: Option<std::sync::Mutex<Round>>,
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
            #[cfg(feature = "codes")]
            terms: Arc::clone(&installation.terms),
            home: Arc::clone(&installation.home),
            places,
            ways,
            installation: Mutex::new(installation),
            published: watch::Sender::new(snapshot),
            look: Notify::new(),
            #[cfg(feature = "accounts")]
            signing: Signing::default(),
            running: Mutex::new(()),
            #[cfg(feature = "testing")]
            staged: None,
        }
    }

    /// The state and its lock, for a change that must not be lost. Fails if nothing is kept.
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
            let differs = snapshot != *shown;
            *shown = snapshot;
            differs
        });
    }
}
