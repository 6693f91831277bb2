//! The handle that a product holds.
//!
//! A [`Client`] is cheap to clone. It reads the license from memory, and has `round` ask, one round at a time. Nothing runs by
//! itself: the vendor's code starts [`Client::run`]. `builder` makes a client, `shell` is what its handles share.

#[cfg(feature = "accounts")]
mod accounts;
mod builder;
#[cfg(feature = "codes")]
mod codes;
#[cfg(feature = "keys")]
mod keys;

use std::fmt;
use std::sync::Arc;

use shared::license::LicenseState;
use shared::reason::Cause;
use tokio::sync::watch;

use crate::discovery::Discovery;
use crate::hosts::HostName;
use crate::outcome::Round;
use crate::product::Product;
use crate::round::{self, Purpose};
use crate::shell::Shell;
use crate::snapshot::Snapshot;
use crate::{agent, inspector};

pub use self::builder::{BuildError, Builder};

/// One product's license on this machine.
///
/// [`state`](Client::state) is right at any time, offline and without [`run`](Client::run). But no host is asked, and so
/// nothing is renewed, unless that one future is running.
#[derive(Clone)]
pub struct Client {
    pub(crate) shell: Arc<Shell>,
}

impl Client {
    /// Begins to build a client for a product.
    pub fn builder(product: Product) -> Builder {
        Builder::new(product)
    }

    /// Where the product stands now. Does no input or output, and does not wait.
    pub fn state(&self) -> LicenseState {
        self.shell.published.borrow().state_at(self.shell.clock.now())
    }

    /// Whether the organisation has bought this feature, as the lease says that is held, even if it has ended. `false` before the first
    /// lease. Does no input or output.
    pub fn has(&self, feature: &str) -> bool {
        self.shell.published.borrow().has(feature)
    }

    /// Everything that a status line or an about box shows, as of now. Does no input or output.
    pub fn snapshot(&self) -> Snapshot {
        let mut snapshot = self.shell.published.borrow().clone();
        snapshot.state = snapshot.state_at(self.shell.clock.now());
        snapshot
    }

    /// A channel that reports every change. While [`run`](Client::run) is running, that includes changes by time alone.
    pub fn watch(&self) -> watch::Receiver<Snapshot> {
        self.shell.published.subscribe()
    }

    /// The one loop: asks when it is time, until `shutdown` is ready. The vendor's code spawns it on its own runtime.
    ///
    /// It never sleeps longer than five minutes, because timers stand still while a machine sleeps. A second call while
    /// the first is running only waits for its own `shutdown`.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) {
        let Ok(_running) = self.shell.running.try_lock() else {
            return shutdown.await;
        };
        tokio::select! {
            () = shutdown => {}
            () = agent::run(&self.shell) => {}
        }
    }

    /// Looks at the clock now. Call it when the system says that the machine woke. It is cheap, and does nothing unless
    /// [`run`](Client::run) is running.
    pub fn wake(&self) {
        self.shell.look.notify_one();
    }

    /// Asks now, whatever the timer says, and returns what every host answered. A released machine starts again with it.
    ///
    /// # Errors
    /// No host was asked: another process of this machine is asking (`BUSY`), this user may not
    /// (`IDENTITY_UNREADABLE`), or the state cannot be read (`STATE_UNWRITABLE`). A refusal is no error, but an
    /// [`Outcome`](crate::Outcome).
    pub async fn activate(&self) -> Result<Round, Cause> {
        round::ask(&self.shell, Purpose::Wanted).await
    }

    /// Retires this machine: it leaves the count of every host that answers, and forgets its lease. With a product key it gives back the
    /// place of the key that has activated it. It does not ask again until [`activate`](Client::activate).
    ///
    /// # Errors
    /// As [`activate`](Client::activate).
    pub async fn release(&self) -> Result<Round, Cause> {
        round::ask(&self.shell, Purpose::Release).await
    }

    /// The hosts that would be asked, in order, and what named each. This asks DNS, and no host.
    pub async fn discover(&self) -> Discovery {
        let shown = self.shell.published.borrow().clone();
        self.shell.discover(shown.last_host.as_deref(), &shown.left_out).await
    }

    /// Makes a new identity, before an image of this machine is copied, or when the state cannot be trusted. The lease is
    /// given up, and grace does not begin again. The old seat leaves the count when its time has passed.
    ///
    /// # Errors
    /// Another process is asking, this user may not ask, or the state cannot be written.
    pub async fn identity_reset(&self) -> Result<(), Cause> {
        let (mut installation, lock) = self.shell.to_change().await?;
        let reset = installation.reset(self.shell.clock.now(), &lock).await;
        self.shell.publish(&installation);
        self.wake();
        reset
    }

    /// Forgets which organisation this machine belongs to; the next lease names it again. The lease that is held runs on.
    ///
    /// # Errors
    /// As [`identity_reset`](Client::identity_reset).
    pub async fn organisation_clear(&self) -> Result<(), Cause> {
        let (mut installation, lock) = self.shell.to_change().await?;
        installation.saved.organisation = None;
        // It tells a host why its last answer was refused, which is no affair of another organisation's.
        installation.saved.exchange.rejected = None;
        let saved = installation.save(&lock).await;
        self.shell.publish(&installation);
        saved
    }

    /// Writes the file `hosts` beside the state. From now on these are asked, instead of the product's own and DNS.
    ///
    /// # Errors
    /// The state cannot be written (`STATE_UNWRITABLE`).
    pub async fn set_hosts(&self, hosts: &[HostName]) -> Result<(), Cause> {
        inspector::set_hosts(&self.shell.home, hosts).await
    }

    /// Removes the file `hosts` beside the state.
    ///
    /// # Errors
    /// The state cannot be written (`STATE_UNWRITABLE`).
    pub async fn clear_hosts(&self) -> Result<(), Cause> {
        inspector::clear_hosts(&self.shell.home).await
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let snapshot = self.snapshot();
        f.debug_struct("Client")
            .field("machine", &snapshot.machine)
            .field("state", &snapshot.state)
            .finish_non_exhaustive()
    }
}
