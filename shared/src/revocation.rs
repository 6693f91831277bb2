//! Revocation lists: what the vendor takes back before its end. Portal and vendor sign one, hosts and machines verify it and keep the
//! newest.
//!
//! [`RevocationList::open`] is the only way to one from outside, and [`Revocations`] decides which lists are kept and what they revoke.
//! `docs/protocol.md` 11.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use proto::v1;

use crate::certificate::{Chain, ChainError, IssuingCertificate, Roots, is_understood};
use crate::envelope::{self, EnvelopeError, Kind, SecretKey};
use crate::ids::{CertificateId, ProductId};
use crate::print::{OneLine, one_line};
use crate::time::Timestamp;

/// The longest reason that a list may give, in bytes.
pub const REASON_MAX_BYTES: usize = 200;

/// All that one signer has taken back.
#[derive(Clone, Debug)]
pub struct RevocationList {
    /// Rises with every list of this signer, from 1.
    pub number: u64,
    /// When it was signed.
    pub issued_at: Timestamp,
    /// What is taken back, each id once, in the order of the ids.
    revoked: Vec<Revoked>,
}

/// One thing that is taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// The id of a host certificate, of a confirmation, or of an issuing certificate.
    pub id: CertificateId,
    /// From when on it is not believed.
    pub at: Timestamp,
    /// Why, for people. One that was read is on one line, and drives no terminal.
    pub reason: String,
}

/// `revoked at 2026-11-22 00:00:00Z (the key was stolen)`
impl fmt::Display for Revoked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "revoked at {}", self.at)?;
        if self.reason.is_empty() { Ok(()) } else { write!(f, " ({})", OneLine(&self.reason)) }
    }
}

impl RevocationList {
    /// A list of these, each id once: the earliest instant counts.
    pub fn new(number: u64, issued_at: Timestamp, mut revoked: Vec<Revoked>) -> RevocationList {
        revoked.sort_by_key(|one| (one.id, one.at));
        revoked.dedup_by_key(|one| one.id);
        RevocationList { number, issued_at, revoked }
    }

    /// Signs it: with a root, or with an issuing key whose certificate travels along.
    pub fn sign(&self, key: &SecretKey, issuing_certificate: Option<v1::Signed>) -> v1::SignedRevocationList {
        let signed = Some(key.sign(Kind::RevocationList, &self.encode()));
        v1::SignedRevocationList { signed, issuing_certificate }
    }

    /// Verifies one from the root down.
    ///
    /// # Errors
    /// See [`RevocationError`].
    pub fn open(wire: &v1::SignedRevocationList, roots: &Roots) -> Result<SignedList, RevocationError> {
        let signed = wire.signed.as_ref().ok_or(RevocationError::Malformed)?;
        let issuing = wire.issuing_certificate.as_ref();
        let issuing = issuing.map(|issuing| IssuingCertificate::verify(issuing, roots)).transpose();
        let issuing = issuing.map_err(RevocationError::Issuer)?;
        let verified = match &issuing {
            None => roots.open(signed, Kind::RevocationList),
            Some(issuing) => envelope::open(signed, Kind::RevocationList, &issuing.public_key),
        };
        let list = RevocationList::decode(verified?.decode()?)?;
        if let Some(issuing) = &issuing {
            issuing.check_valid_at(list.issued_at).map_err(RevocationError::Issuer)?;
        }
        Ok(SignedList { list, issuing, wire: wire.clone() })
    }

    /// What is taken back, in the order of the ids.
    pub fn revoked(&self) -> &[Revoked] {
        &self.revoked
    }

    fn find(&self, id: CertificateId) -> Option<&Revoked> {
        let index = self.revoked.binary_search_by_key(&id, |one| one.id).ok()?;
        Some(&self.revoked[index])
    }

    fn decode(wire: v1::RevocationList) -> Result<RevocationList, RevocationError> {
        if !is_understood(wire.must_understand) {
            return Err(RevocationError::NotUnderstood);
        }
        let revoked = wire.revoked.into_iter().map(|one| {
            let fits = one.reason.len() <= REASON_MAX_BYTES;
            let id = CertificateId::from_slice(&one.id).filter(|_| fits);
            let (at, reason) = (Timestamp::from_unix_ms(one.at), one_line(one.reason));
            Some(Revoked { id: id?, at, reason })
        });
        let revoked: Vec<_> = revoked.collect::<Option<_>>().ok_or(RevocationError::Malformed)?;
        if wire.number == 0 || !revoked.is_sorted_by(|one, next| one.id < next.id) {
            return Err(RevocationError::Malformed);
        }
        let issued_at = Timestamp::from_unix_ms(wire.issued_at);
        Ok(RevocationList { number: wire.number, issued_at, revoked })
    }

    /// The message that is signed.
    pub fn encode(&self) -> v1::RevocationList {
        let revoked = self.revoked.iter().map(|one| v1::Revoked {
            id: Bytes::copy_from_slice(one.id.as_bytes()),
            at: one.at.unix_ms(),
            reason: one.reason.clone(),
        });
        v1::RevocationList {
            number: self.number,
            issued_at: self.issued_at.unix_ms(),
            revoked: revoked.collect(),
            must_understand: 0,
        }
    }
}

/// A list that was verified, with who signed it and the bytes to hand on.
#[derive(Clone, Debug)]
pub struct SignedList {
    list: RevocationList,
    /// Absent where a root has signed.
    issuing: Option<IssuingCertificate>,
    wire: v1::SignedRevocationList,
}

impl SignedList {
    /// What it says.
    pub fn list(&self) -> &RevocationList {
        &self.list
    }

    /// Whether a root has signed it.
    pub fn is_by_root(&self) -> bool {
        self.issuing.is_none()
    }

    /// The exact bytes, to keep and to hand on.
    pub fn wire(&self) -> &v1::SignedRevocationList {
        &self.wire
    }
}

/// The newest lists that one side has seen: one of a root, and one of an issuing key.
///
/// A root's list says when an issuing key is not believed any more, so a stolen one can neither hide its own revocation behind a
/// list of the highest number, nor keep later lists out.
#[derive(Clone, Debug, Default)]
pub struct Revocations {
    by_root: Option<SignedList>,
    by_issuer: Option<SignedList>,
}

impl Revocations {
    /// No lists.
    pub const NONE: Revocations = Revocations { by_root: None, by_issuer: None };

    /// Keeps this list if it is newer than the one of the same rank. Says whether it was.
    pub fn take(&mut self, new: SignedList) -> bool {
        let held = if new.is_by_root() { &self.by_root } else { &self.by_issuer };
        let is_newer = held.as_ref().is_none_or(|held| held.list.number < new.list.number);
        if !is_newer || !self.believes(&new) {
            return false;
        }
        if new.is_by_root() {
            self.by_root = Some(new);
            // The list of an issuing key that is revoked now counts no more, and any other may follow it.
            let kept = self.by_issuer.take();
            self.by_issuer = kept.filter(|list| self.believes(list));
        } else {
            self.by_issuer = Some(new);
        }
        true
    }

    /// Whether no root has revoked the issuing key of this list.
    fn believes(&self, list: &SignedList) -> bool {
        list.issuing.as_ref().is_none_or(|issuing| self.issuer(issuing.id).is_none())
    }

    /// Keeps those of these lists that verify under the roots and are newer.
    pub fn take_all(&mut self, lists: &[v1::SignedRevocationList], roots: &Roots) {
        for list in lists.iter().filter_map(|list| RevocationList::open(list, roots).ok()) {
            self.take(list);
        }
    }

    /// Their numbers, as a machine tells a host.
    pub fn known(&self) -> v1::KnownRevocations {
        let number = |list: &Option<SignedList>| list.as_ref().map_or(0, |list| list.list.number);
        v1::KnownRevocations { by_issuer: number(&self.by_issuer), by_root: number(&self.by_root) }
    }

    /// The lists that are newer than those of somebody who has these.
    pub fn newer_than(
        &self,
        known: &v1::KnownRevocations,
    ) -> impl Iterator<Item = &v1::SignedRevocationList> {
        let newer = |list: &&SignedList| {
            let number = if list.is_by_root() { known.by_root } else { known.by_issuer };
            number < list.list.number
        };
        self.lists().filter(newer).map(SignedList::wire)
    }

    /// What takes back the chain of a host at this instant: its host certificate, or the issuing certificate above it.
    pub fn of_chain(&self, chain: &Chain, now: Timestamp) -> Option<&Revoked> {
        let host = chain.host();
        let of_host = self.of(host.id, host.product, host.test).filter(|revoked| revoked.at <= now);
        of_host.or_else(|| self.issuer(chain.issuing()?.id).filter(|revoked| revoked.at <= now))
    }

    /// The lists that are kept, to hand on.
    pub fn lists(&self) -> impl Iterator<Item = &SignedList> {
        // First the one that can make the other unbelieved.
        self.by_root.iter().chain(&self.by_issuer)
    }

    /// What takes back the host certificate or confirmation with this id, of this product and mark.
    ///
    /// An issuing key takes back no more than it may sign.
    pub fn of(&self, id: CertificateId, product: ProductId, test: bool) -> Option<&Revoked> {
        let may = |list: &&SignedList| {
            list.issuing.as_ref().is_none_or(|issuing| issuing.covers(product) && issuing.allows(test))
        };
        self.lists().filter(may).find_map(|list| list.list.find(id))
    }

    /// What takes back the issuing certificate with this id: a root alone can.
    pub fn issuer(&self, id: CertificateId) -> Option<&Revoked> {
        self.by_root.as_ref().and_then(|list| list.list.find(id))
    }
}

/// Why a revocation list is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevocationError {
    /// Bytes or fields that do not fit.
    #[error("the revocation list is malformed")]
    Malformed,
    /// Its issuing certificate does not end in a pinned root, or was not valid when it was signed.
    #[error("{0}")]
    Issuer(ChainError),
    /// Neither a root nor the issuing key has signed this.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// It has a `must_understand` bit that this release does not know.
    #[error("the revocation list needs a newer release on this side")]
    NotUnderstood,
}
