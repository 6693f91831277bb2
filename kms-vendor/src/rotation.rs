//! Replaces a root key: a new one stands beside the one that is kept. `docs/vendor.md`, "Replace a root".
//!
//! Products that have shipped pin the old pair for ever, so from then on the root that was kept signs by default. `replaced-roots.toml`
//! records what was replaced, and when.

use std::path::{Path, PathBuf};

use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use shared::envelope::PublicKey;
use shared::files;
use shared::ids::KeyId;
use shared::time::Timestamp;

use crate::custody::Custody;
use crate::error::VendorError;
use crate::registry::{self, Version1};
use crate::root;
use crate::signer::Signer;
use crate::text::{instant_text, parse_instant};
use crate::vendor::{PUBLIC, ROOTS_FILE, Vendor, refuse_existing};

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
    /// # Errors
    /// [`VendorError::KeptRootMissing`], or the disk refuses.
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
        // 2. The new key is on the disk before anything names it.
        let draft = self.path("root-new.key");
        for ending in ["key", "token"] {
            refuse_existing(&draft.with_extension(ending))?;
        }
        let new = root::make(&draft, custody, rng)?;
        let old = self.verifying().keys()[index];
        // 3. The record, before the roots: what signs by default follows from it.
        let path = self.path(HISTORY_FILE);
        let mut history: History = registry::read(&path)?;
        let at = instant_text(now).ok_or(VendorError::TooLate)?;
        let number = u8::from(root == Signer::Root2) + 1;
        let public_key = |key: PublicKey| data_encoding::HEXLOWER.encode(key.as_bytes());
        let entry = HistoryEntry { root: number, old: public_key(old), new: public_key(new), at };
        history.replaced.push(entry);
        registry::write(&path, &history)?;
        // 4. The roots that every product pins from now on.
        let mut roots = self.roots();
        roots[index] = *new.as_bytes();
        store::file::replace(&self.path(ROOTS_FILE), files::roots_to_text(&roots).as_bytes(), PUBLIC)?;
        // 5. The names. The old key is kept, because a mistake would be final.
        let (file, aside) = (self.key_path(root), self.path(&format!("root-{}.key", old.key_id())));
        let moved_to = self.rename_key(&file, &aside)?;
        self.rename_key(&draft, &file)?;
        Ok(ReplacedRoot { root, old: old.key_id(), new: new.key_id(), at: now, moved_to })
    }

    /// Renames the file of a key, whichever ending it has. Returns its new name, if there was one.
    fn rename_key(&self, from: &Path, to: &Path) -> Result<Option<PathBuf>, VendorError> {
        let mut moved_to = None;
        for ending in ["key", "token"] {
            let (from, to) = (from.with_extension(ending), to.with_extension(ending));
            if from.symlink_metadata().is_err() {
                continue;
            }
            refuse_existing(&to)?;
            let renamed = std::fs::rename(&from, &to);
            renamed.map_err(|source| VendorError::Io { doing: "rename", path: from, source })?;
            moved_to = Some(to);
        }
        store::file::sync_dir(self.dir())?;
        Ok(moved_to)
    }

    /// Every root that was replaced, the earliest first.
    ///
    /// # Errors
    /// [`VendorError::Damaged`].
    pub fn replaced_roots(&self) -> Result<Vec<ReplacedRoot>, VendorError> {
        let path = self.path(HISTORY_FILE);
        let history: History = registry::read(&path)?;
        let decoded = history.replaced.iter().map(HistoryEntry::decode);
        decoded.collect::<Result<_, _>>().map_err(|error| VendorError::damaged(&path, error))
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
    fn decode(&self) -> Result<ReplacedRoot, String> {
        let root = match self.root {
            1 => Signer::Root1,
            2 => Signer::Root2,
            other => return Err(format!("there is no root {other}")),
        };
        let key = |text: &str| {
            let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok();
            let key = bytes.and_then(|bytes| PublicKey::from_slice(&bytes).ok());
            key.map(|key| key.key_id()).ok_or_else(|| format!("{text:?} is no public key"))
        };
        let (old, new) = (key(&self.old)?, key(&self.new)?);
        Ok(ReplacedRoot { root, old, new, at: parse_instant(&self.at)?, moved_to: None })
    }
}
