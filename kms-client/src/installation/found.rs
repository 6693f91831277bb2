//! What is found on the disk, and what follows from it. Each file is absent, whole, damaged, of a newer release, or unreadable.
//!
//! This writes nothing. [`Found::settle`] says what has to be written; `installation` does it under the lock, and a look does
//! without. `docs/protocol.md` 7.

use std::io;
use std::sync::Arc;

use shared::ids::MachineId;
use shared::reason::{Cause, Reason};
use shared::time::Timestamp;

use crate::frame::Damage;
#[cfg(feature = "keys")]
use crate::home::KEY;
use crate::home::{Home, IDENTITY, PENDING, SAVED};
use crate::identity::Identity;
#[cfg(feature = "keys")]
use crate::key_file::HeldKey;
use crate::product::Terms;
use crate::saved::Saved;

use super::{Installation, damaged};

/// The state as it lies on the disk.
pub(crate) struct Found {
    home: Arc<Home>,
    terms: Arc<Terms>,
    identity: Option<Identity>,
    pending: Option<Identity>,
    saved: Option<Saved>,
    #[cfg(feature = "keys")]
    key: Option<HeldKey>,
    /// `saved` as it was read.
    pub(crate) saved_bytes: Option<Vec<u8>>,
    damaged: Vec<(&'static str, Damage)>,
    /// A file of a newer release, and its version.
    newer: Option<(&'static str, Damage)>,
    /// A file that exists and cannot be read.
    unreadable: Option<(&'static str, io::Error)>,
}

/// What has to be written before the state can be used.
pub(crate) enum Missing {
    Nothing,
    /// The pending key has to take its place, because `saved` names it already.
    Promotion,
    /// The file `saved`.
    Saved,
    /// An identity, and everything else.
    Identity,
}

impl Found {
    /// Reads every file that this user may read.
    pub(crate) fn read(home: &Arc<Home>, terms: &Arc<Terms>) -> Found {
        let mut found = Found {
            home: Arc::clone(home),
            terms: Arc::clone(terms),
            identity: None,
            pending: None,
            saved: None,
            #[cfg(feature = "keys")]
            key: None,
            saved_bytes: None,
            damaged: Vec::new(),
            newer: None,
            unreadable: None,
        };
        if !home.is_read_only() {
            found.identity = found.file(IDENTITY, Identity::decode);
            found.pending = found.file(PENDING, Identity::decode);
            #[cfg(feature = "keys")]
            {
                found.key = found.file(KEY, HeldKey::decode);
            }
        }
        let mut saved_bytes = None;
        found.saved = found.file(SAVED, |bytes| {
            saved_bytes = Some(bytes.to_vec());
            Saved::decode(bytes, terms)
        });
        Found { saved_bytes, ..found }
    }

    /// Treats damage as absence. A newer version is neither.
    fn file<T>(&mut self, name: &'static str, decode: impl FnOnce(&[u8]) -> Result<T, Damage>) -> Option<T> {
        let read = self.home.read(name).unwrap_or_else(|error| {
            self.unreadable = Some((name, error));
            None
        });
        match decode(&read?) {
            Ok(content) => return Some(content),
            Err(newer @ Damage::Newer(_)) => self.newer = Some((name, newer)),
            Err(damage) => self.damaged.push((name, damage)),
        }
        None
    }

    /// Checks whether this process may write here at all.
    ///
    /// # Errors
    /// A file is of a newer release, or cannot be read. Unknown is not damaged.
    pub(crate) fn usable(&self) -> Result<(), Cause> {
        let path = self.home.path().display();
        if let Some((name, damage)) = &self.newer {
            let cause = format!("`{name}`: {damage}");
            return Err(Reason::StateNewer.with(&[("path", &path), ("cause", &cause)]));
        }
        if let Some((name, error)) = &self.unreadable {
            let cause = format!("`{name}`: {error}");
            return Err(Reason::StateUnreadable.with(&[("path", &path), ("cause", &cause)]));
        }
        Ok(())
    }

    /// What is damaged. A pending key is none of it: the next copy makes another.
    pub(crate) fn troubles(&self) -> Vec<Cause> {
        let is_other = self.saved.as_ref().is_some_and(|saved| self.is_of_other(saved));
        let known = self.damaged.iter().filter(|(name, _)| *name != PENDING).map(|(_, damage)| *damage);
        known
            .chain(is_other.then_some(Damage::OtherMachine))
            .map(|damage| damaged(&self.home, damage))
            .collect()
    }

    /// What is wrong with the file `saved`.
    pub(crate) fn saved_damage(&self) -> Option<Damage> {
        self.damaged.iter().find(|(name, _)| *name == SAVED).map(|(_, damage)| *damage)
    }

    /// Whether `saved` belongs to none of the identities beside it.
    fn is_of_other(&self, saved: &Saved) -> bool {
        let belongs = |key: &Option<Identity>| key.as_ref().is_some_and(|key| key.machine() == saved.machine);
        self.identity.is_some() && !belongs(&self.identity) && !belongs(&self.pending)
    }

    /// Whether there is an identity that only another user or a newer release can read.
    pub(crate) fn identity_is_closed(&self) -> bool {
        let newer = self.newer.as_ref().is_some_and(|(name, _)| *name == IDENTITY);
        newer || self.unreadable.as_ref().is_some_and(|(name, _)| *name == IDENTITY)
    }

    /// The installation as it is seen without the identity.
    pub(crate) fn seen_by_others(self, now: Timestamp) -> Installation {
        let Found { home, terms, saved, .. } = self;
        // A state that was copied from another machine licenses nobody here.
        let saved = saved.filter(|saved| !saved.fingerprint.differs_from(&terms.fingerprint));
        // If nothing was saved either, this user cannot know the machine's name.
        let saved = saved.unwrap_or_else(|| Saved::begin(&terms, UNKNOWN, now));
        Installation::new(home, terms, None, None, saved)
    }

    /// The installation, and what has to be written before it can be used. Without an identity its machine is not known yet.
    pub(crate) fn settle(self, now: Timestamp) -> (Installation, Missing) {
        #[cfg(feature = "keys")]
        let key = self.key.clone();
        let Found { home, terms, mut identity, mut pending, mut saved, .. } = self;
        // Both fingerprints are there and differ: this folder was copied from another machine.
        if saved.as_ref().is_some_and(|copied| copied.fingerprint.differs_from(&terms.fingerprint)) {
            tracing::warn!("the saved state was copied from another machine; this one begins anew");
            (identity, pending, saved) = (None, None, None);
        }
        let (identity, pending, saved, missing) = match (identity, pending, saved) {
            (Some(identity), pending, Some(saved)) if saved.machine == identity.machine() => {
                (Some(identity), pending, saved, Missing::Nothing)
            }
            // A crash between writing `saved` and renaming the key that it names.
            (_, Some(pending), Some(saved)) if saved.machine == pending.machine() => {
                (Some(pending), None, saved, Missing::Promotion)
            }
            (Some(identity), pending, saved) => {
                let machine = identity.machine();
                let saved = match saved {
                    Some(saved) => saved.under_new_identity(&terms, machine, now),
                    None => Saved::begun_at(&terms, machine, identity.installed_at, now),
                };
                (Some(identity), pending, saved, Missing::Saved)
            }
            (None, _, Some(before)) => {
                (None, None, before.under_new_identity(&terms, UNKNOWN, now), Missing::Identity)
            }
            (None, _, None) => (None, None, Saved::begin(&terms, UNKNOWN, now), Missing::Identity),
        };
        let installation = Installation::new(home, terms, identity, pending, saved);
        #[cfg(feature = "keys")]
        let installation = Installation { key, ..installation };
        (installation, missing)
    }
}

/// In the place of the name of a machine that is not known.
const UNKNOWN: MachineId = MachineId::from_bytes([0; 16]);
