//! Revocation lists: what the vendor takes back before its end. Portal and vendor sign one, hosts and machines verify it and keep the
//! newest.
//!
//! [`RevocationList::open`] is the only way to one from outside, and [`Revocations`] decides which lists are kept and what they revoke.
//! `docs/protocol.md` 11.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use prost::Message as _;
use proto::v1;

use crate::certificate::{Chain, ChainError, IssuingCertificate, Roots, is_understood};
#[cfg(feature = "keys")]
use crate::confirmation::Confirmation;
use crate::envelope::{self, EnvelopeError, Kind, SecretKey};
use crate::ids::{CertificateId, HostId, ProductId};
use crate::print::{OneLine, one_line};
#[cfg(feature = "keys")]
use crate::product_key::KeyNumber;
use crate::time::Timestamp;

/// The longest reason that a list may give, in bytes.
pub const REASON_MAX_BYTES: usize = 200;

/// The largest list that is signed, in bytes as it travels: it fits into the answer of a host, beside a chain. It has some 500 ids.
pub const LIST_MAX_BYTES: usize = 14 * 1024;

/// The most that is read where a portal hands out lists, in bytes.
pub const MAX_LISTS_BYTES: usize = 1024 * 1024;

/// Envelope and lengths of a signed list, at most.
const ENVELOPE_BYTES: usize = 160;

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
    /// The id of a host certificate, of a confirmation, or of an issuing certificate; or what [`Revoked::host`] or [`Revoked::key`]
    /// gives.
    pub id: CertificateId,
    /// From when on it is not believed.
    pub at: Timestamp,
    /// Why, for people. One that was read is on one line, and drives no terminal.
    pub reason: String,
}

impl Revoked {
    /// The id that takes back every certificate of a host, those included that nobody knows any more: its signing key is stolen.
    pub const fn host(host: HostId) -> CertificateId {
        CertificateId::from_bytes(*host.as_bytes())
    }

    /// The id that takes back every confirmation of a key.
    #[cfg(feature = "keys")]
    pub fn key(number: KeyNumber) -> CertificateId {
        CertificateId::of_confirmations(number.as_bytes())
    }
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

    /// This list, small enough to travel in an answer when it is signed under this issuing certificate. The reasons of what was revoked
    /// first are left out for that.
    ///
    /// # Errors
    /// It has too many ids.
    pub fn within_limit(
        mut self,
        issuing_certificate: Option<&v1::Signed>,
    ) -> Result<RevocationList, ListTooLarge> {
        let room = LIST_MAX_BYTES - ENVELOPE_BYTES;
        let room = room.saturating_sub(issuing_certificate.map_or(0, v1::Signed::encoded_len));
        let mut with_reason: Vec<_> = (0..self.revoked.len()).collect();
        with_reason.sort_by_key(|index| core::cmp::Reverse(self.revoked[*index].at));
        while room < self.encode().encoded_len() {
            let Some(first) = with_reason.pop() else { return Err(ListTooLarge(self.revoked.len())) };
            self.revoked[first].reason.clear();
        }
        Ok(self)
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

    /// The issuing certificate under which it was signed; `None` for a list of a root.
    pub fn issuer(&self) -> Option<CertificateId> {
        self.issuing.as_ref().map(|issuing| issuing.id)
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

    /// What takes back the chain of a host at this instant: its host certificate, its host, or the issuing certificate above it.
    pub fn of_chain(&self, chain: &Chain, now: Timestamp) -> Option<&Revoked> {
        let host = chain.host();
        let ids = [host.id, Revoked::host(host.host())];
        let of_host = self.of_any(ids, host.product, host.test).find(|revoked| revoked.at <= now);
        of_host.or_else(|| self.issuer(chain.issuing()?.id).filter(|revoked| revoked.at <= now))
    }

    /// What takes back a confirmation: its id, its key, or the issuing certificate under which it was signed.
    #[cfg(feature = "keys")]
    pub fn of_confirmation(
        &self,
        confirmation: &Confirmation,
        issuer: Option<CertificateId>,
    ) -> Option<&Revoked> {
        let Confirmation { id, key_number, product, test, .. } = *confirmation;
        self.of_key(key_number, Some(id), issuer, product, test)
    }

    /// What takes back a license by this key, from the earliest instant on. The id is that of its confirmation, and the issuer the
    /// certificate under which that was signed, as far as they are known.
    #[cfg(feature = "keys")]
    pub fn of_key(
        &self,
        key: KeyNumber,
        id: Option<CertificateId>,
        issuer: Option<CertificateId>,
        product: ProductId,
        test: bool,
    ) -> Option<&Revoked> {
        let key = Revoked::key(key);
        let of_id = self.of_any([id.unwrap_or(key), key], product, test);
        of_id.chain(issuer.and_then(|issuer| self.issuer(issuer))).min_by_key(|revoked| revoked.at)
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
        self.of_any([id], product, test).next()
    }

    /// Every entry for one of these ids that counts for this product and mark.
    fn of_any<const N: usize>(
        &self,
        ids: [CertificateId; N],
        product: ProductId,
        test: bool,
    ) -> impl Iterator<Item = &Revoked> {
        let may = move |list: &&SignedList| {
            list.issuing.as_ref().is_none_or(|issuing| issuing.covers(product) && issuing.allows(test))
        };
        self.lists().filter(may).flat_map(move |list| ids.into_iter().filter_map(|id| list.list.find(id)))
    }

    /// What takes back the issuing certificate with this id: a root alone can.
    pub fn issuer(&self, id: CertificateId) -> Option<&Revoked> {
        self.by_root.as_ref().and_then(|list| list.list.find(id))
    }
}

/// So many ids do not fit into a list that hosts can hand to machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a list of {0} revoked ids is larger than the {LIST_MAX_BYTES} bytes that a host can hand to machines"
)]
pub struct ListTooLarge(pub usize);

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
