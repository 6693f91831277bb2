//! Replaces a root key: a new one stands beside the one that is kept. `docs/vendor.md`, "Replace a root".
//!
//! Products that have shipped pin the old pair for ever, so from then on the root that was kept signs by default. `replaced-roots.toml`
//! records what was replaced, and when. A replacement that was interrupted is finished by the same command: `draft` has the new key until
//! then.

use std::path::PathBuf;

use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use shared::envelope::PublicKey;
use shared::files;
use shared::ids::KeyId;
use shared::time::Timestamp;

use crate::custody::Custody;
use crate::draft;
use crate::error::VendorError;
use crate::registry::{self, Version1};
use crate::root;
use crate::signer::Signer;
use crate::text::{instant_text, parse_instant};
use crate::vendor::{PUBLIC, ROOTS_FILE, Vendor};

const HISTORY_FILE: &str = "replaced-roots.toml";

/// A root key that was replaced.
#[derive(Clone, Debug)]
pub struct ReplacedRoot {
    /// [`Signer::Root1`] or [`Signer::Root2`].
    pub root: Signer,
    /// Its digest.
    pub old: KeyId,
    /// The digest of the key in its place.
    pub new: KeyId,
    /// When it was replaced.
    pub at: Timestamp,
    /// The file to which its private key was moved, if it was here.
    pub moved_to: Option<PathBuf>,
}

impl Vendor {
    /// Makes a new root key in the place of this one. The private key of the other root has to be here, because products in
    /// use trust nothing else. Open the directory again afterwards, because its roots have changed.
    ///
    /// If this is interrupted, nothing is lost. Once the record names the new key, [`Vendor::finish_replacement`] finishes. Before that, a
    /// second call begins anew.
    ///
    /// # Errors
    /// [`VendorError::KeptRootMissing`], [`VendorError::Unfinished`], or the disk refuses.
    pub fn replace_root(
        &self,
        root: Signer,
        custody: &Custody,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<ReplacedRoot, VendorError> {
        let _lock = self.lock()?;
        let (index, kept) = match root {
            Signer::Root1 => (0, Signer::Root2),
            Signer::Root2 => (1, Signer::Root1),
            Signer::Issuer => return Err(VendorError::IssuerSignsIssuer),
        };
        // 1. The kept root can sign.
        self.root_of(kept).map_err(|error| match error {
            VendorError::KeyMissing(path) => VendorError::KeptRootMissing(path),
            other => other,
        })?;
        self.check_finished(root)?;
        let mut history: History = registry::read(&self.path(HISTORY_FILE))?;
        // 2. The new key is on the disk before anything names it.
        draft::discard(self.dir())?;
        let new = root::make(|new| draft::stem(self.dir(), new), custody, rng)?;
        let replacement = Replacement { root, old: self.verifying().keys()[index], new, at: now };
        // 3. The record, before the roots: what signs by default follows from it. From here on the replacement can be finished.
        let entry = replacement.encode()?;
        // An entry that replaces a root still in use is of an interrupted call, whose new key is gone.
        history.replaced.retain(|before| before.old != entry.old);
        history.replaced.push(entry);
        registry::write(&self.path(HISTORY_FILE), &history)?;
        self.settle(&replacement)
    }

    /// Finishes the replacement of this root, if one was interrupted after the record had named the new key.
    ///
    /// # Errors
    /// [`VendorError::Unfinished`] if that of the other root was, or the disk refuses.
    pub fn finish_replacement(&self, root: Signer) -> Result<Option<ReplacedRoot>, VendorError> {
        let _lock = self.lock()?;
        match self.unfinished_replacement()? {
            Some(unfinished) if unfinished.root == root => self.settle(&unfinished).map(Some),
            Some(unfinished) => Err(VendorError::Unfinished(unfinished.command())),
            None => Ok(None),
        }
    }

    /// The root whose replacement was interrupted, if one was.
    ///
    /// # Errors
    /// As [`Vendor::replaced_roots`].
    pub fn unfinished_root(&self) -> Result<Option<Signer>, VendorError> {
        Ok(self.unfinished_replacement()?.map(|unfinished| unfinished.root))
    }

    /// Checks that no interrupted command leaves open which key this root is.
    pub(crate) fn check_finished(&self, root: Signer) -> Result<(), VendorError> {
        match self.unfinished_replacement()? {
            Some(unfinished) if unfinished.root == root => Err(VendorError::Unfinished(unfinished.command())),
            None if self.is_begun()? => Err(VendorError::Unfinished("kms-vendor init")),
            _ => Ok(()),
        }
    }

    /// The last replacement, as long as its new key has not got its name.
    fn unfinished_replacement(&self) -> Result<Option<Replacement>, VendorError> {
        let Some(last) = self.replacements()?.pop() else { return Ok(None) };
        let current = self.verifying().keys()[usize::from(last.root == Signer::Root2)];
        let is_of_now = current == last.old || current == last.new;
        Ok((is_of_now && draft::is_there(self.dir(), &last.new)).then_some(last))
    }

    /// The steps after the record, each of which may have been done before.
    fn settle(&self, replacement: &Replacement) -> Result<ReplacedRoot, VendorError> {
        let &Replacement { root, old, new, at } = replacement;
        // 4. The roots that every product pins from now on.
        let mut roots = self.roots();
        roots[usize::from(root == Signer::Root2)] = *new.as_bytes();
        store::file::replace(&self.path(ROOTS_FILE), files::roots_to_text(&roots).as_bytes(), PUBLIC)?;
        // 5. The names. The old key is kept, because a mistake would be final.
        let file = self.key_path(root);
        let moved_to = draft::set_aside(&file, &old)?;
        draft::give_name(self.dir(), &new, &file)?;
        Ok(ReplacedRoot { root, old: old.key_id(), new: new.key_id(), at, moved_to })
    }

    /// Every root that was replaced, the earliest first.
    ///
    /// # Errors
    /// [`VendorError::Damaged`].
    pub fn replaced_roots(&self) -> Result<Vec<ReplacedRoot>, VendorError> {
        let shown = |Replacement { root, old, new, at }| ReplacedRoot {
            root,
            old: old.key_id(),
            new: new.key_id(),
            at,
            moved_to: None,
        };
        Ok(self.replacements()?.into_iter().map(shown).collect())
    }

    fn replacements(&self) -> Result<Vec<Replacement>, VendorError> {
        let path = self.path(HISTORY_FILE);
        let history: History = registry::read(&path)?;
        let decoded = history.replaced.iter().map(HistoryEntry::decode);
        decoded.collect::<Result<_, _>>().map_err(|error| VendorError::damaged(&path, error))
    }

    /// Whether no root was ever replaced.
    pub(crate) fn is_first_pair(&self) -> Result<bool, VendorError> {
        Ok(self.replacements()?.is_empty())
    }

    /// The root that signs by default: the one that was kept at the last replacement, because every product in use knows it.
    ///
    /// # Errors
    /// As [`Vendor::replaced_roots`].
    pub fn usual_root(&self) -> Result<Signer, VendorError> {
        let last = self.replaced_roots()?.pop();
        Ok(if last.is_some_and(|last| last.root == Signer::Root1) { Signer::Root2 } else { Signer::Root1 })
    }

    /// The last replacement of this root, if there was one.
    ///
    /// # Errors
    /// As [`Vendor::replaced_roots`].
    pub fn replacement_of(&self, root: Signer) -> Result<Option<ReplacedRoot>, VendorError> {
        Ok(self.replaced_roots()?.into_iter().rfind(|replaced| replaced.root == root))
    }

    /// Whether this was the digest of a root that was replaced.
    pub(crate) fn was_root(&self, key_id: &[u8]) -> Result<bool, VendorError> {
        Ok(self.replaced_roots()?.iter().any(|replaced| replaced.old.as_bytes()[..] == *key_id))
    }
}

/// What the record has of one replacement.
struct Replacement {
    root: Signer,
    old: PublicKey,
    new: PublicKey,
    at: Timestamp,
}

impl Replacement {
    /// What finishes it.
    fn command(&self) -> &'static str {
        if self.root == Signer::Root2 { "kms-vendor roots replace 2" } else { "kms-vendor roots replace 1" }
    }

    fn encode(&self) -> Result<HistoryEntry, VendorError> {
        let hex = |key: &PublicKey| data_encoding::HEXLOWER.encode(key.as_bytes());
        Ok(HistoryEntry {
            root: u8::from(self.root == Signer::Root2) + 1,
            old: hex(&self.old),
            new: hex(&self.new),
            at: instant_text(self.at).ok_or(VendorError::TooLate)?,
        })
    }
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct History {
    version: Version1,
    #[serde(default)]
    replaced: Vec<HistoryEntry>,
}

/// Public keys in hex.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HistoryEntry {
    root: u8,
    old: String,
    new: String,
    at: String,
}

impl HistoryEntry {
    fn decode(&self) -> Result<Replacement, String> {
        let root = match self.root {
            1 => Signer::Root1,
            2 => Signer::Root2,
            other => return Err(format!("there is no root {other}")),
        };
        let key = |text: &str| {
            let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok();
            let key = bytes.and_then(|bytes| PublicKey::from_slice(&bytes).ok());
            key.ok_or_else(|| format!("{text:?} is no public key"))
        };
        Ok(Replacement { root, old: key(&self.old)?, new: key(&self.new)?, at: parse_instant(&self.at)? })
    }
}
