//! What was issued here, read back from `issued.jsonl`: what ends soon, and what depends on a root.

use std::collections::HashMap;

use serde::Deserialize;
use shared::time::Timestamp;

use crate::error::VendorError;
use crate::journal;
use crate::signer::Signer;
use crate::text::parse_instant;
use crate::vendor::Vendor;

/// What a certificate in the record is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RecordedKind {
    /// A host.
    Host,
    /// An issuing key, such as that of a portal.
    Issuing,
    /// A code key.
    Code,
}

impl RecordedKind {
    /// Its name in texts and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            RecordedKind::Host => "host",
            RecordedKind::Issuing => "issuing key",
            RecordedKind::Code => "code key",
        }
    }
}

/// A certificate in the record.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// What it is for.
    pub kind: RecordedKind,
    /// Its id.
    pub id: String,
    /// The id of the host, or of the key.
    pub subject: String,
    /// The product of a host, or the ids of the products of a key. None means all products.
    pub products: Vec<String>,
    /// The organisation of a host.
    pub organisation: Option<String>,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// The first instant at which it is no longer valid.
    pub not_after: Timestamp,
    /// The key that has signed it, as the record names it: `root-1`, `root-2` or `issuer`.
    pub signer: String,
    /// What has become of it.
    pub fate: Fate,
}

/// What has become of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fate {
    /// It is valid, and there is none that lasts longer.
    Valid,
    /// Another one for the same host or key, and the same products, was issued later and lasts longer.
    Renewed,
    /// It is in `revoked.toml`.
    Revoked,
    /// The root that has signed it was replaced. Products with the old roots still accept it.
    OldRoot,
    /// It has ended.
    Ended,
}

impl Fate {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Fate::Valid => "valid",
            Fate::Renewed => "renewed",
            Fate::Revoked => "revoked",
            Fate::OldRoot => "old-root",
            Fate::Ended => "ended",
        }
    }
}

impl Vendor {
    /// Every certificate in the record, in the order in which they were issued. Lines that cannot be read are left out.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn recorded(&self, now: Timestamp) -> Result<Vec<Recorded>, VendorError> {
        let mut found = Vec::new();
        journal::find(self, |line: Line| {
            found.extend(line.recorded());
            None::<()>
        })?;
        let (revoked, replaced) = (self.revoked_ids()?, self.replaced_roots()?);
        // Walked from the end: what was issued later has been seen.
        let mut longest = HashMap::<_, Timestamp>::new();
        for one in found.iter_mut().rev() {
            let of_old_root = |root: Signer| {
                let mut later = replaced.iter().filter(|replaced| replaced.root == root);
                one.signer == root.name() && later.any(|replaced| one.issued_at < replaced.at)
            };
            let key = (one.kind, one.subject.clone(), one.products.clone());
            let known = longest.get(&key).copied();
            one.fate = if one.not_after <= now {
                Fate::Ended
            } else if revoked.contains(&one.id) || revoked.contains(&one.subject) {
                Fate::Revoked
            } else if known.is_some_and(|known| one.not_after <= known) {
                Fate::Renewed
            } else if [Signer::Root1, Signer::Root2].into_iter().any(of_old_root) {
                Fate::OldRoot
            } else {
                Fate::Valid
            };
            if !matches!(one.fate, Fate::Revoked | Fate::OldRoot) {
                longest.insert(key, known.map_or(one.not_after, |known| known.max(one.not_after)));
            }
        }
        Ok(found)
    }
}

/// A line of either kind. Each has its own field for the id.
#[derive(Deserialize)]
struct Line {
    time: String,
    certificate: Option<String>,
    issuing_certificate: Option<String>,
    code_certificate: Option<String>,
    host: Option<String>,
    product: Option<String>,
    organisation: Option<String>,
    key_id: Option<String>,
    #[serde(default)]
    products: Vec<String>,
    not_after: String,
    signer: String,
}

impl Line {
    fn recorded(self) -> Option<Recorded> {
        let (kind, id) = match (self.certificate, self.issuing_certificate, self.code_certificate) {
            (Some(id), _, _) => (RecordedKind::Host, id),
            (_, Some(id), _) => (RecordedKind::Issuing, id),
            (_, _, Some(id)) => (RecordedKind::Code, id),
            (None, None, None) => return None,
        };
        Some(Recorded {
            kind,
            id,
            subject: self.host.or(self.key_id)?,
            products: self.product.map_or(self.products, |product| vec![product]),
            organisation: self.organisation,
            issued_at: parse_instant(&self.time).ok()?,
            not_after: parse_instant(&self.not_after).ok()?,
            signer: self.signer,
            fate: Fate::Valid,
        })
    }
}
