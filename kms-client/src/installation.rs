//! One installation of a product on this machine: its identity and what it remembers, in memory and on the disk.
//!
//! [`open`] settles what is found there: a first start, a copied folder, a crash between two renames, a damaged file.
//! The rules are those of `docs/protocol.md` 7: damage is reported and treated as absence, a damaged `saved` never
//! costs the `identity`, and no damage restarts the grace. A file that cannot be read, or that a newer release has written, is not
//! damaged: it is left as it is, and this process keeps nothing. `found` reads the disk, `round` changes an installation later.

#[cfg(feature = "codes")]
mod by_code;
#[cfg(feature = "keys")]
mod by_key;
mod found;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use shared::reason::{Cause, Reason};
use shared::time::Timestamp;

use crate::files::off_thread;
use crate::home::{self, Home, IDENTITY, Lock, PENDING, SAVED};
use crate::identity::Identity;
#[cfg(feature = "keys")]
use crate::key_file::HeldKey;
use crate::product::Terms;
use crate::saved::Saved;

use self::found::{Found, Missing};

/// What one process knows of the installation.
#[derive(Clone, Debug)]
pub(crate) struct Installation {
    pub(crate) home: Arc<Home>,
    pub(crate) terms: Arc<Terms>,
    /// The identity that holds the lease. `None` if only another user's process may read it.
    pub(crate) identity: Option<Identity>,
    /// The identity that asks from now on, and replaces the other once it holds a lease.
    pub(crate) pending: Option<Identity>,
    pub(crate) saved: Saved,
    /// The product key that was entered. `None` if only another user's process may read it.
    #[cfg(feature = "keys")]
    pub(crate) key: Option<HeldKey>,
    /// What is wrong with the state on the disk.
    pub(crate) troubles: Vec<Cause>,
    /// The file as it was last read or written.
    pub(crate) on_disk: Option<Vec<u8>>,
    /// Whether the state was only read. Then the disk has to be settled before anything is written there.
    only_read: bool,
    /// Whether the identity was made for this process alone.
    detached: bool,
}

impl Installation {
    pub(crate) fn new(
        home: Arc<Home>,
        terms: Arc<Terms>,
        identity: Option<Identity>,
        pending: Option<Identity>,
        saved: Saved,
    ) -> Installation {
        Installation {
            home,
            terms,
            identity,
            pending,
            saved,
            #[cfg(feature = "keys")]
            key: None,
            troubles: Vec::new(),
            on_disk: None,
            only_read: false,
            detached: false,
        }
    }

    /// The identity that asks.
    pub(crate) fn asker(&self) -> Option<&Identity> {
        self.pending.as_ref().or(self.identity.as_ref())
    }

    fn is_licensed(&self, now: Timestamp) -> bool {
        self.saved.license.state(now).is_licensed()
    }

    /// Prepares an ask of a process that keeps nothing. The identity on the disk must not ask: its next serial could not be
    /// saved, and a host would take it for a copy. Its lease holds; without one, this process asks under an identity of its own.
    ///
    /// # Errors
    /// Why nothing is kept.
    pub(crate) fn ask_unkept(&mut self, now: Timestamp) -> Result<(), Cause> {
        match self.home.trouble() {
            Some(cause) if self.is_licensed(now) && !self.detached => Err(cause),
            Some(_) if !self.detached => self.detach(now),
            Some(_) | None => Ok(()),
        }
    }

    /// Takes the lock that makes this process the one that asks, and takes over what another process has saved.
    ///
    /// # Errors
    /// Another process is asking, this user may not ask, or the state cannot be read.
    pub(crate) async fn take_over(&mut self, now: Timestamp) -> Result<Arc<Lock>, Cause> {
        if self.home.is_read_only() {
            return Err(self.home.trouble().unwrap_or_else(|| Reason::IdentityUnreadable.into()));
        }
        let home = Arc::clone(&self.home);
        // Its lease exists in memory only.
        let stays = self.detached && self.is_licensed(now);
        let lock = off_thread(move || {
            if !stays {
                home.thaw();
            }
            home.lock()
        });
        let lock = lock.await.map_err(|error| self.unwritable(&error))?;
        let lock = lock.map(Arc::new).ok_or(Reason::Busy)?;
        match self.refresh(now, Some(&lock)).await {
            // The state on the disk cannot be used, and from here on nothing is kept.
            Err(_) if !self.home.keeps() => Ok(lock),
            refreshed => refreshed.map(|()| lock),
        }
    }

    /// Takes over what another process of this machine has saved. Mends and makes nothing without the lock.
    ///
    /// # Errors
    /// The state cannot be used. It is left as it is.
    pub(crate) async fn refresh(&mut self, now: Timestamp, lock: Option<&Arc<Lock>>) -> Result<(), Cause> {
        if !self.home.keeps() && !self.home.is_read_only() {
            return Ok(());
        }
        let (home, terms, lock) = (Arc::clone(&self.home), Arc::clone(&self.terms), lock.map(Arc::clone));
        let known = if self.only_read && home.keeps() { None } else { Some(self.on_disk.clone()) };
        let looked = off_thread(move || Ok(look_again(&home, &terms, now, lock.as_deref(), known.as_ref())));
        let looked = match looked.await.map_err(|error| self.unwritable(&error))? {
            Err(cause) if cause.reason() != Some(Reason::Busy) => {
                self.home.freeze(cause.clone());
                self.show_trouble(&cause);
                return Err(cause);
            }
            looked => looked?,
        };
        match looked {
            Looked::Same => {}
            Looked::Other(other) => *self = *other,
            Looked::Damaged(cause) => {
                self.on_disk = None;
                self.show_trouble(&cause);
            }
        }
        Ok(())
    }

    /// Why nothing can be written.
    pub(crate) fn unwritable(&self, error: &io::Error) -> Cause {
        home::unwritable(self.home.path(), error)
    }

    fn show_trouble(&mut self, cause: &Cause) {
        self.troubles.retain(|trouble| trouble != cause);
        self.troubles.push(cause.clone());
    }

    /// Makes this an installation of this process alone, which keeps nothing. It is another machine, with the same grace and
    /// organisation.
    fn detach(&mut self, now: Timestamp) -> Result<(), Cause> {
        let identity = Identity::make(now).map_err(|error| self.unwritable(&error))?;
        self.saved = self.saved.under_new_identity(&self.terms, identity.machine(), now);
        (self.identity, self.pending) = (Some(identity), None);
        (self.only_read, self.detached) = (true, true);
        Ok(())
    }

    /// Does this work with the lock, on another thread.
    async fn locked<T: Send + 'static>(
        &self,
        lock: &Arc<Lock>,
        work: impl FnOnce(&Lock) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Cause> {
        // The work owns the lock, so that it is held until the write has ended, even if nobody waits for that any more.
        let lock = Arc::clone(lock);
        off_thread(move || work(&lock)).await.map_err(|error| self.unwritable(&error))
    }

    /// Writes what is remembered, unless it is on the disk already. It is durable when this returns.
    pub(crate) async fn save(&mut self, lock: &Arc<Lock>) -> Result<(), Cause> {
        let bytes = self.saved.encode();
        if self.on_disk.as_ref() == Some(&bytes) {
            return Ok(());
        }
        self.on_disk = Some(self.locked(lock, move |lock| lock.write(SAVED, &bytes).map(|()| bytes)).await?);
        Ok(())
    }

    /// Makes a key that is to replace this machine's identity. It is durable when this returns.
    pub(crate) async fn make_pending(&mut self, lock: &Arc<Lock>) -> Result<(), Cause> {
        let installed_at = self.identity.as_ref().map(|identity| identity.installed_at);
        let made = self.locked(lock, move |lock| {
            let pending = Identity::make(installed_at.unwrap_or_default())?;
            lock.write_secret(PENDING, &pending.encode())?;
            Ok(pending)
        });
        self.pending = Some(made.await?);
        Ok(())
    }

    /// Makes the pending identity this machine's. `saved` names it already, so a crash before the rename is mended at the
    /// next start.
    pub(crate) async fn promote(&mut self, lock: &Arc<Lock>) -> Result<(), Cause> {
        let Some(pending) = self.pending.take() else {
            return Ok(());
        };
        self.identity = Some(pending);
        self.locked(lock, Lock::promote).await
    }

    /// Makes a new identity at once, and gives up the lease of the old one.
    pub(crate) async fn reset(&mut self, now: Timestamp, lock: &Arc<Lock>) -> Result<(), Cause> {
        let installed_at = self.identity.as_ref().map_or(now, |identity| identity.installed_at);
        let saved = self.saved.under_new_identity(&self.terms, self.saved.machine, now);
        let mut new = Installation::new(Arc::clone(&self.home), Arc::clone(&self.terms), None, None, saved);
        #[cfg(feature = "keys")]
        new.key.clone_from(&self.key);
        let made = self.locked(lock, move |lock| new.begin(installed_at, lock).map(|()| new));
        *self = made.await?;
        Ok(())
    }
}

/// What has happened to the state since it was last read or written here.
enum Looked {
    Same,
    Damaged(Cause),
    Other(Box<Installation>),
}

/// Looks at the disk. Reads the whole state if it differs from `known`, or if nothing is known.
fn look_again(
    home: &Arc<Home>,
    terms: &Arc<Terms>,
    now: Timestamp,
    lock: Option<&Lock>,
    known: Option<&Option<Vec<u8>>>,
) -> Result<Looked, Cause> {
    if home.is_read_only() {
        let seen = read_only(home, terms, now);
        let same = known == Some(&seen.on_disk);
        return Ok(if same { Looked::Same } else { Looked::Other(Box::new(seen)) });
    }
    let found = Found::read(home, terms);
    found.usable()?;
    if known == Some(&found.saved_bytes) {
        return Ok(Looked::Same);
    }
    // What this process remembers is whole, so it is better to write that again than to begin anew.
    if let (Some(_), Some(damage)) = (known, found.saved_damage()) {
        return Ok(Looked::Damaged(damaged(home, damage)));
    }
    load(now, found, lock).map(|other| Looked::Other(Box::new(other)))
}

/// How often a first start looks whether another process has made the state.
const LOOKS: u32 = 200;
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// Opens the state when a client is built. While another process holds the lock, an existing state is used as it is; if two processes
/// start for the first time at once, this one waits until the other has made it. If the state cannot be used or made, the product
/// runs nevertheless, with what can be read.
pub(crate) fn open(home: &Arc<Home>, terms: &Arc<Terms>, now: Timestamp) -> Result<Installation, Cause> {
    for _ in 0..LOOKS {
        if !home.keeps() {
            let mut seen = read_only(home, terms, now);
            if seen.identity.is_none() && !home.is_read_only() && !seen.is_licensed(now) {
                seen.detach(now)?;
            }
            return Ok(seen);
        }
        let loaded = home.lock().map_err(|error| home::unwritable(home.path(), &error)).and_then(|lock| {
            let found = Found::read(home, terms);
            found.usable()?;
            load(now, found, lock.as_ref())
        });
        match loaded {
            Ok(loaded) => return Ok(loaded),
            Err(cause) if cause.reason() == Some(Reason::Busy) => std::thread::sleep(BETWEEN_LOOKS),
            Err(cause) => home.freeze(cause),
        }
    }
    Err(Reason::Busy.into())
}

/// Settles what is found. Makes or mends what is missing if the lock is held. Without the lock that is `BUSY`: another process is
/// about to do it.
fn load(now: Timestamp, found: Found, lock: Option<&Lock>) -> Result<Installation, Cause> {
    let (bytes, troubles) = (found.saved_bytes.clone(), found.troubles());
    let held = || lock.ok_or_else(|| Cause::from(Reason::Busy));
    let (mut loaded, missing) = found.settle(now);
    let written = match missing {
        Missing::Nothing => Ok(()),
        Missing::Promotion => held()?.promote(),
        Missing::Saved => loaded.write(held()?),
        Missing::Identity => loaded.begin(loaded.saved.license.facts().grace_began_at, held()?),
    };
    written.map_err(|error| loaded.unwritable(&error))?;
    loaded.see(bytes, troubles);
    #[cfg(feature = "keys")]
    loaded.settle_key(now, lock).map_err(|error| loaded.unwritable(&error))?;
    Ok(loaded)
}

/// The state as far as it can be read. This makes, mends and writes nothing.
pub(crate) fn read_only(home: &Arc<Home>, terms: &Arc<Terms>, now: Timestamp) -> Installation {
    let found = Found::read(home, terms);
    let (bytes, mut troubles) = (found.saved_bytes.clone(), found.troubles());
    let unusable = found.usable().err();
    // A product would leave it as it is, so it is shown as frozen.
    if let Some(cause) = unusable.clone().filter(|_| home.keeps()) {
        home.freeze(cause);
    }
    let mut seen = if home.is_read_only() || found.identity_is_closed() {
        found.seen_by_others(now)
    } else {
        found.settle(now).0
    };
    // Often this is also the reason why nothing is kept.
    troubles.extend(unusable.filter(|cause| home.trouble().as_ref() != Some(cause)));
    troubles.extend(home.trouble());
    seen.see(bytes, troubles);
    #[cfg(feature = "keys")]
    seen.look_at_key(now);
    seen.only_read = true;
    seen
}

impl Installation {
    fn see(&mut self, bytes: Option<Vec<u8>>, troubles: Vec<Cause>) {
        // A fingerprint that cannot be determined today must not erase the saved one: the next copy would go unnoticed.
        if !self.terms.fingerprint.as_slice().is_empty() {
            self.saved.fingerprint = self.terms.fingerprint;
        }
        self.on_disk = self.on_disk.take().or(bytes);
        self.troubles = troubles;
    }

    /// Makes an identity, and writes it and what is remembered. The identity comes first: a `saved` that names another one is
    /// mended at the next start.
    fn begin(&mut self, began_at: Timestamp, lock: &Lock) -> io::Result<()> {
        let identity = Identity::make(began_at)?;
        self.saved.machine = identity.machine();
        lock.remove(PENDING)?;
        lock.write_secret(IDENTITY, &identity.encode())?;
        self.identity = Some(identity);
        self.write(lock)
    }

    fn write(&mut self, lock: &Lock) -> io::Result<()> {
        let bytes = self.saved.encode();
        lock.write(SAVED, &bytes)?;
        self.on_disk = Some(bytes);
        Ok(())
    }
}

/// The cause for a damaged file in this directory.
pub(crate) fn damaged(home: &Home, damage: impl std::fmt::Display) -> Cause {
    let path = home.path().display();
    tracing::warn!(%path, %damage, "the saved state is damaged");
    Reason::StateDamaged.with(&[("path", &path), ("cause", &damage)])
}
