//! Revocation: what the vendor takes back before its end, in `revoked.toml`, and the list that a root key signs.
//!
//! Each list has everything that was ever taken back, and a higher number than the one before. `docs/protocol.md` 11.

use std::collections::{BTreeMap, BTreeSet};

use proto::v1;
use serde::{Deserialize, Serialize};
use shared::envelope::Kind;
use shared::files;
use shared::ids::CertificateId;
use shared::print;
use shared::revocation::{REASON_MAX_BYTES, RevocationList, Revoked};
use shared::time::Timestamp;

use crate::error::VendorError;
use crate::journal;
use crate::registry::{self, Version1};
use crate::signer::Signer;
use crate::text::{instant_text, parse_instant};
use crate::vendor::Vendor;

const REVOKED_FILE: &str = "revoked.toml";

/// The highest number of a list: enough for one a second for a hundred years. Machines keep the list with the highest number, so one with
/// an absurd number could never be replaced.
const NUMBER_MAX: u64 = u32::MAX as u64;

/// Arguments of [`Vendor::revoke`].
#[derive(Clone, Debug)]
pub struct RevokeRequest<'a> {
    /// The ids of host certificates, hosts, issuing certificates, code certificates and confirmations. Without any, the list is signed
    /// again.
    pub ids: &'a [CertificateId],
    /// Why, for people: 200 bytes at most.
    pub reason: &'a str,
    /// Allows ids that this vendor's directory does not know, such as those of a portal.
    pub unlisted: bool,
    /// The root key that signs the list. Not [`Signer::Issuer`].
    pub root: Signer,
    /// Now: from here on they are not believed.
    pub now: Timestamp,
}

/// A list that a root key has signed.
#[derive(Clone, Debug)]
pub struct SignedRevocations {
    /// Its file: PEM `KMS REVOCATION LIST`.
    pub pem: String,
    /// The list in it.
    pub list: RevocationList,
}

impl Vendor {
    /// Takes these back, and signs the new list. When this returns, `revoked.toml` is on the disk.
    ///
    /// # Errors
    /// [`VendorError::UnknownCertificate`] for an id that was not issued here, because a mistyped one would take nothing back; a reason
    /// that is too long, more ids than machines can read, or a root key that is missing. Nothing is recorded then.
    pub fn revoke(&self, request: &RevokeRequest<'_>) -> Result<SignedRevocations, VendorError> {
        let _lock = self.lock()?;
        let reason = request.reason;
        if REASON_MAX_BYTES < reason.len() || reason != print::one_line(reason) {
            return Err(VendorError::BadReason);
        }
        for id in request.ids.iter().filter(|_| !request.unlisted) {
            if !journal::has_issued(self, *id)? && self.issuer().map(|issuer| issuer.id).ok() != Some(*id) {
                return Err(VendorError::UnknownCertificate(*id));
            }
        }
        let root = self.root_of(request.root)?;
        let path = self.path(REVOKED_FILE);
        let mut file: RevokedFile = registry::read(&path)?;
        let at = instant_text(request.now).ok_or(VendorError::TooLate)?;
        for id in request.ids {
            let entry = RevokedEntry { at: at.clone(), reason: reason.to_owned() };
            file.revoked.entry(id.to_string()).or_insert(entry);
        }
        if NUMBER_MAX <= file.number {
            return Err(VendorError::damaged(&path, format!("no list has the number {}", file.number)));
        }
        if file.revoked.is_empty() {
            return Err(VendorError::NothingRevoked);
        }
        file.number += 1;
        let revoked = file.revoked.iter().map(|(id, entry)| entry.decode(id));
        let revoked: Result<_, String> = revoked.collect();
        let revoked = revoked.map_err(|error| VendorError::damaged(&path, error))?;
        let list = RevocationList::new(file.number, request.now, revoked);
        let list = list.within_limit(None).map_err(VendorError::TooManyRevoked)?;
        let signed = Some(root.sign(Kind::RevocationList, &list.encode())?);
        let signed = v1::SignedRevocationList { signed, issuing_certificate: None };
        let pem = files::revocation_list_to_pem(&signed);
        // Recorded first, so that no two lists have one number.
        registry::write(&path, &file)?;
        Ok(SignedRevocations { pem, list })
    }
}

impl Vendor {
    /// Whether anything was taken back.
    ///
    /// # Errors
    /// [`VendorError::Damaged`].
    pub fn has_revoked(&self) -> Result<bool, VendorError> {
        Ok(!self.revoked_ids()?.is_empty())
    }

    /// The ids of everything that was taken back.
    pub(crate) fn revoked_ids(&self) -> Result<BTreeSet<String>, VendorError> {
        let file: RevokedFile = registry::read(&self.path(REVOKED_FILE))?;
        Ok(file.revoked.into_keys().collect())
    }
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RevokedFile {
    version: Version1,
    #[serde(default)]
    number: u64,
    #[serde(default)]
    revoked: BTreeMap<String, RevokedEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RevokedEntry {
    at: String,
    reason: String,
}

impl RevokedEntry {
    fn decode(&self, id: &str) -> Result<Revoked, String> {
        let at = parse_instant(&self.at).map_err(|error| format!("{id}: {error}"))?;
        let id = id.parse().map_err(|error| format!("{id:?}: {error}"))?;
        Ok(Revoked { id, at, reason: self.reason.clone() })
    }
}
