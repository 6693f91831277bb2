//! One installation of a product on this machine: its identity, what it remembers, and both on the disk.
//!
//! [`load`] settles what is found there: a first start, a copied folder, a crash between two renames, a damaged file.
//! The rules are those of `docs/protocol.md` 7: damage is reported and treated as absence, a damaged `saved` never
//! costs the `identity`, and no damage restarts the grace. What changes an installation later is told in `round`.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use shared::ids::MachineId;
use shared::reason::{Cause, Reason};
use shared::time::Timestamp;

use crate::frame::Damage;
use crate::home::{Home, IDENTITY, Keeping, Lock, PENDING, SAVED};
use crate::identity::Identity;
use crate::product::Terms;
use crate::saved::Saved;

/// What one process knows of the installation.
#[derive(Clone, Debug)]
pub(crate) struct Installation {
    /// Whose lease is held; `None` where only another user's process may know it.
    pub(crate) identity: Option<Identity>,
    /// The identity that asks from now on, and replaces the other once it holds a lease.
    pub(crate) pending: Option<Identity>,
    pub(crate) saved: Saved,
    /// What is wrong with the state on the disk.
    pub(crate) troubles: Vec<Cause>,
    /// The file as it was last read or written.
    on_disk: Option<Vec<u8>>,
}

/// What has become of `saved` since it was last read or written here.
enum Found {
    Same,
    Damaged(Damage),
    Other(Box<Installation>),
}

impl Installation {
    /// Who asks.
    pub(crate) fn asker(&self) -> Option<&Identity> {
        self.pending.as_ref().or(self.identity.as_ref())
    }

    /// Takes over what another process of this machine has saved. Without the lock nothing is mended or made.
    pub(crate) async fn refresh(
        &mut self,
        home: &Arc<Home>,
        terms: &Arc<Terms>,
        now: Timestamp,
        lock: Option<&Arc<Lock>>,
    ) -> Result<(), Cause> {
        if matches!(home.keeping(), Keeping::NotKept { .. }) {
            return Ok(());
        }
        let (files, rules, known) = (Arc::clone(home), Arc::clone(terms), self.on_disk.clone());
        let lock = lock.map(Arc::clone);
        let found = off_thread(move || {
            let bytes = files.read(SAVED)?;
            if bytes.as_deref() == known.as_ref() {
                return Ok(Found::Same);
            }
            // What is remembered here is whole: better to write it again than to begin anew.
            if let Some(Err(damage)) = bytes.map(|bytes| Saved::decode(&bytes, &rules)) {
                return Ok(Found::Damaged(damage));
            }
            load(&files, &rules, now, lock.as_deref()).map(|other| Found::Other(Box::new(other)))
        });
        match found.await.map_err(|error| unwritable(home, &error))? {
            Found::Same => {}
            Found::Other(other) => *self = *other,
            Found::Damaged(damage) => {
                self.on_disk = None;
                let damaged = damaged(home, damage);
                self.troubles.retain(|trouble| *trouble != damaged);
                self.troubles.push(damaged);
            }
        }
        Ok(())
    }

    /// Writes what is remembered, if it is not on the disk already; it is durable when this returns.
    pub(crate) async fn save(&mut self, home: &Arc<Home>, lock: &Arc<Lock>) -> Result<(), Cause> {
        let bytes = self.saved.encode();
        if self.on_disk.as_ref() == Some(&bytes) {
            return Ok(());
        }
        let (files, lock) = (Arc::clone(home), Arc::clone(lock));
        let written = off_thread(move || {
            // The lock goes along, so that it is held until the write has ended, whoever stops waiting for it.
            let _lock = lock;
            files.write(SAVED, &bytes).map(|()| bytes)
        });
        self.on_disk = Some(written.await.map_err(|error| unwritable(home, &error))?);
        Ok(())
    }

    /// Makes a key that is to replace this machine's identity; durable when this returns.
    pub(crate) async fn make_pending(&mut self, home: &Arc<Home>, lock: &Arc<Lock>) -> Result<(), Cause> {
        let installed_at = self.identity.as_ref().map(|identity| identity.installed_at);
        let (files, lock) = (Arc::clone(home), Arc::clone(lock));
        let made = off_thread(move || {
            let pending = Identity::make(installed_at.unwrap_or_default())?;
            files.write_secret(PENDING, &pending.encode(), &lock)?;
            Ok(pending)
        });
        self.pending = Some(made.await.map_err(|error| unwritable(home, &error))?);
        Ok(())
    }

    /// The pending identity becomes this machine's. `saved` names it already, so a crash before the rename is mended at
    /// the next start.
    pub(crate) async fn promote(&mut self, home: &Arc<Home>, lock: &Arc<Lock>) -> Result<(), Cause> {
        let Some(pending) = self.pending.take() else {
            return Ok(());
        };
        self.identity = Some(pending);
        let (files, lock) = (Arc::clone(home), Arc::clone(lock));
        let promoted = off_thread(move || files.promote(&lock));
        promoted.await.map_err(|error| unwritable(home, &error))
    }

    /// A new identity at once, and without the lease that the old one held.
    pub(crate) async fn reset(
        &mut self,
        home: &Arc<Home>,
        terms: &Arc<Terms>,
        now: Timestamp,
        lock: &Arc<Lock>,
    ) -> Result<(), Cause> {
        let installed_at = self.identity.as_ref().map_or(now, |identity| identity.installed_at);
        let (files, rules, lock, before) =
            (Arc::clone(home), Arc::clone(terms), Arc::clone(lock), self.saved.clone());
        let made = off_thread(move || {
            let identity = Identity::make(installed_at)?;
            let saved = before.under_new_identity(&rules, identity.machine(), now);
            install(&files, identity, saved, &lock)
        });
        *self = made.await.map_err(|error| unwritable(home, &error))?;
        Ok(())
    }
}

/// How often a first start looks whether another process has made the state.
const LOOKS: u32 = 200;
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// Opens the state when a client is built. While another process holds the lock, what is there is taken as it is; at a
/// first start of two processes at once, this one waits until the other has made it.
pub(crate) fn open(home: &Home, terms: &Terms, now: Timestamp) -> Result<Installation, Cause> {
    for _ in 0..LOOKS {
        let lock = match home.keeping() {
            Keeping::ReadOnly { .. } => None,
            _ => home.lock().map_err(|error| unwritable(home, &error))?,
        };
        match load(home, terms, now, lock.as_ref()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(BETWEEN_LOOKS),
            loaded => return loaded.map_err(|error| unwritable(home, &error)),
        }
    }
    Err(Reason::Busy.into())
}

/// Reads the state from the disk and settles what is found. What has to be made or mended is, if the lock is held;
/// without it that is an error of kind `WouldBlock`: somebody else is about to.
pub(crate) fn load(
    home: &Home,
    terms: &Terms,
    now: Timestamp,
    lock: Option<&Lock>,
) -> io::Result<Installation> {
    let bytes = home.read(SAVED)?.map(|bytes| bytes.to_vec());
    let (saved, damage) = match bytes.as_deref().map(|bytes| Saved::decode(bytes, terms)) {
        None => (None, None),
        Some(Ok(saved)) => (Some(saved), None),
        Some(Err(damage)) => (None, Some(damage)),
    };
    let mut loaded = match home.keeping() {
        Keeping::ReadOnly { .. } => looked_at(terms, now, saved),
        _ => settle(home, terms, now, lock, saved)?,
    };
    // One that cannot be read today does not erase the one that was: the next copy would go unnoticed.
    if !terms.fingerprint.as_slice().is_empty() {
        loaded.saved.fingerprint = terms.fingerprint;
    }
    loaded.on_disk = loaded.on_disk.or(bytes);
    loaded.troubles.extend(damage.map(|damage| damaged(home, damage)));
    loaded.troubles.extend(trouble_of(home));
    Ok(loaded)
}

/// What a user sees who may not read the identity.
fn looked_at(terms: &Terms, now: Timestamp, saved: Option<Saved>) -> Installation {
    // One that was copied from another machine licenses nobody here, whoever looks at it.
    let saved = saved.filter(|saved| !saved.fingerprint.differs_from(&terms.fingerprint));
    // Where nothing was saved either, the machine's name is not known to this user.
    let unknown = MachineId::from_bytes([0; 16]);
    ready(None, None, saved.unwrap_or_else(|| Saved::begin(terms, unknown, now)))
}

fn settle(
    home: &Home,
    terms: &Terms,
    now: Timestamp,
    lock: Option<&Lock>,
    saved: Option<Saved>,
) -> io::Result<Installation> {
    let (identity, damage) = match read_identity(home, IDENTITY)? {
        None => (None, None),
        Some(Ok(identity)) => (Some(identity), None),
        Some(Err(damage)) => (None, Some(damage)),
    };
    let pending = read_identity(home, PENDING)?.and_then(Result::ok);
    let held = || lock.ok_or_else(|| io::Error::from(io::ErrorKind::WouldBlock));

    // Both fingerprints are there and differ: this folder was copied from another machine.
    if let Some(copied) = &saved
        && copied.fingerprint.differs_from(&terms.fingerprint)
    {
        tracing::warn!("the saved state was copied from another machine; this one begins anew");
        let identity = Identity::make(now)?;
        let saved = Saved::begin(terms, identity.machine(), now);
        return install(home, identity, saved, held()?);
    }
    match (identity, pending, saved) {
        (Some(identity), pending, Some(saved)) if saved.machine == identity.machine() => {
            Ok(ready(Some(identity), pending, saved))
        }
        // A crash between writing `saved` and renaming the key that it names.
        (_, Some(pending), Some(saved)) if saved.machine == pending.machine() => {
            home.promote(held()?)?;
            Ok(ready(Some(pending), None, saved))
        }
        (Some(identity), pending, saved) => {
            let lock = held()?;
            let other = saved.is_some().then(|| damaged(home, Damage::OtherMachine));
            let machine = identity.machine();
            let saved = match saved {
                Some(saved) => saved.under_new_identity(terms, machine, now),
                None => Saved::begun_at(terms, machine, identity.installed_at, now),
            };
            let mut mended = ready(Some(identity), pending, saved);
            mended.write(home, lock)?;
            mended.troubles.extend(other);
            Ok(mended)
        }
        (None, _, saved) => {
            let lock = held()?;
            let began_at = saved.as_ref().map_or(now, |saved| saved.license.facts().grace_began_at);
            let identity = Identity::make(began_at)?;
            let machine = identity.machine();
            let saved = match saved {
                Some(saved) => saved.under_new_identity(terms, machine, now),
                None => Saved::begin(terms, machine, now),
            };
            let mut made = install(home, identity, saved, lock)?;
            made.troubles.extend(damage.map(|damage| damaged(home, damage)));
            Ok(made)
        }
    }
}

impl Installation {
    fn write(&mut self, home: &Home, _lock: &Lock) -> io::Result<()> {
        let bytes = self.saved.encode();
        home.write(SAVED, &bytes)?;
        self.on_disk = Some(bytes);
        Ok(())
    }
}

/// Writes a new identity and what goes with it. The identity first: a `saved` that names another one is mended at the
/// next start, an identity that nothing names would be lost.
fn install(home: &Home, identity: Identity, saved: Saved, lock: &Lock) -> io::Result<Installation> {
    home.remove(PENDING)?;
    home.write_secret(IDENTITY, &identity.encode(), lock)?;
    let mut installed = ready(Some(identity), None, saved);
    installed.write(home, lock)?;
    Ok(installed)
}

fn ready(identity: Option<Identity>, pending: Option<Identity>, saved: Saved) -> Installation {
    Installation { identity, pending, saved, troubles: Vec::new(), on_disk: None }
}

fn read_identity(home: &Home, name: &str) -> io::Result<Option<Result<Identity, Damage>>> {
    let bytes = home.read(name)?;
    Ok(bytes.map(|bytes| Identity::decode(&bytes)))
}

fn damaged(home: &Home, damage: Damage) -> Cause {
    let path = home.path().display();
    tracing::warn!(%path, %damage, "the saved state is damaged and made anew");
    Reason::StateDamaged.with(&[("path", &path), ("cause", &damage)])
}

/// What follows from where the state is kept.
fn trouble_of(home: &Home) -> Option<Cause> {
    let path = home.path().display();
    match home.keeping() {
        Keeping::Kept { .. } | Keeping::PerUser { .. } => None,
        Keeping::ReadOnly { .. } => Some(Reason::IdentityUnreadable.with(&[("path", &path)])),
        Keeping::NotKept { .. } => {
            let cause = home.refused.as_deref().unwrap_or("it cannot be written");
            Some(Reason::StateUnwritable.with(&[("path", &path), ("cause", &cause)]))
        }
    }
}

/// Why nothing could be read or written.
pub(crate) fn unwritable(home: &Home, error: &io::Error) -> Cause {
    if error.kind() == io::ErrorKind::WouldBlock {
        return Reason::Busy.into();
    }
    Reason::StateUnwritable.with(&[("path", &home.path().display()), ("cause", error)])
}

/// A flush may take a second on a busy disk, and the vendor's runtime may have one thread.
pub(crate) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}
