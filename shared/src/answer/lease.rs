//! A lease, as its machine accepts and keeps it, and as a host is shown it.
//!
//! A check leaves a type behind: only `Received::judge` and [`Lease::keep`] make a [`Lease`]. So a [`Lease`] ends in a pinned root
//! and is this machine's. `docs/protocol.md` 1, 2.

use bytes::Bytes;
use proto::v1;

use super::received::{check_signer, matches};
use super::{AnswerError, Header};
use crate::certificate::{Chain, HostCertificate, Roots};
use crate::envelope::{self, Kind};
use crate::ids::{Fingerprint, LedgerId, MachineId, ProductId};
use crate::policy::Policy;
use crate::time::Timestamp;

/// A lease that this machine may use: verified down from a pinned root, and its own.
#[derive(Clone, Debug)]
pub struct Lease {
    header: Header,
    expires_at: Timestamp,
    renew_after: Timestamp,
    count: u64,
    fingerprint: Fingerprint,
    threshold_met_at: Timestamp,
    signed: v1::Signed,
    chain: Chain,
}

impl Lease {
    /// A lease that was accepted before and comes from the disk: it may be used to its own end, even after its
    /// certificate has ended.
    ///
    /// # Errors
    /// It does not verify, or is another product's, another machine's or another installation's.
    pub fn keep(
        signed: &v1::Signed,
        chain: &Bytes,
        roots: &Roots,
        product: ProductId,
        machine: MachineId,
        fingerprint: Fingerprint,
    ) -> Result<Lease, AnswerError> {
        let chain = Chain::verify(chain, roots).map_err(AnswerError::Untrusted)?;
        let lease = Lease::open(signed, &chain)?;
        matches(lease.header.product == product, "product")?;
        let is_ours = lease.header.machine == machine && !lease.fingerprint.differs_from(&fingerprint);
        matches(is_ours, "machine")?;
        Ok(lease)
    }

    /// How many machines were counted when it was issued.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// When a host last saw the threshold met: less than a window ago where the count is below the threshold.
    pub fn threshold_met_at(&self) -> Timestamp {
        self.threshold_met_at
    }

    /// Its header: serial, host, ledger.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The chain that it was issued under.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The exact bytes, to be kept and shown again.
    pub fn signed(&self) -> &v1::Signed {
        &self.signed
    }

    /// Verifies and reads a lease, and holds it to its certificate. Whose it is, and what time it is now, is not looked at yet.
    pub(super) fn open(signed: &v1::Signed, chain: &Chain) -> Result<Lease, AnswerError> {
        let wire: v1::Lease = envelope::open(signed, Kind::Lease, &chain.host().signing_key)?.decode()?;
        let header = Header::decode(wire.header)?;
        check_signer(&header, chain)?;
        chain.check_valid_at(header.host_time).map_err(AnswerError::NotValid)?;
        within_limits(wire.threshold == chain.host().policy.threshold, "threshold")?;
        let lease = Lease {
            header,
            expires_at: Timestamp::from_unix_ms(wire.expires_at),
            renew_after: Timestamp::from_unix_ms(wire.renew_after),
            count: wire.count,
            fingerprint: Fingerprint::from_slice(&wire.fingerprint).ok_or(AnswerError::Malformed)?,
            threshold_met_at: Timestamp::from_unix_ms(wire.threshold_met_at),
            signed: signed.clone(),
            chain: chain.clone(),
        };
        lease.check_limits()?;
        Ok(lease)
    }

    /// Whether it names the installation that asked, which may have no fingerprint.
    pub(super) fn check_fingerprint(&self, asked: Fingerprint) -> Result<(), AnswerError> {
        matches(self.fingerprint.as_slice() == asked.as_slice(), "fingerprint")
    }

    /// The limits of the certificate. Everyone who reads a lease enforces them, so that a stolen host key gives no more than they
    /// allow: not to the machine that accepts a lease or keeps one, and not to the host that is shown one as evidence.
    fn check_limits(&self) -> Result<(), AnswerError> {
        let (issued_at, policy) = (self.header.host_time, self.policy());
        let ends_in_time = issued_at < self.expires_at && self.expires_at.since(issued_at) <= policy.validity;
        within_limits(ends_in_time, "validity")?;
        within_limits(issued_at <= self.renew_after && self.renew_after <= self.expires_at, "renew_after")?;
        let has_come = self.threshold_met_at <= issued_at + policy.clock_tolerance;
        let is_recent = issued_at.since(self.threshold_met_at) < policy.count_window;
        within_limits(has_come && is_recent, "threshold_met_at")
    }
}

fn within_limits(holds: bool, number: &'static str) -> Result<(), AnswerError> {
    if holds { Ok(()) } else { Err(AnswerError::BeyondLimits(number)) }
}

/// What the rules read of a lease. A product holds a verified [`Lease`], whose host has signed all four. A simulation of a hundred
/// thousand machines holds the first two alone, under the same rules; the others follow, as a host composes a lease.
pub trait Term: Clone {
    /// When it was issued, by the host's clock.
    fn issued_at(&self) -> Timestamp;
    /// The numbers that it was issued under.
    fn policy(&self) -> &Policy;
    /// When to renew it.
    fn renew_after(&self) -> Timestamp {
        self.issued_at() + self.policy().renew_interval
    }
    /// The first instant at which it is no license any more.
    fn expires_at(&self) -> Timestamp {
        self.issued_at() + self.policy().validity
    }
}

impl Term for Lease {
    fn issued_at(&self) -> Timestamp {
        self.header.host_time
    }

    fn renew_after(&self) -> Timestamp {
        self.renew_after
    }

    fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    fn policy(&self) -> &Policy {
        &self.chain.host().policy
    }
}

/// What a lease shown to a host proves once it is verified: its machine was licensed, by this ledger and on this evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShownLease {
    /// The machine that it names.
    pub machine: MachineId,
    /// The ledger that had counted.
    pub ledger: LedgerId,
    /// The serial that it brought.
    pub serial: u64,
    /// When a host last saw the threshold met.
    pub threshold_met_at: Timestamp,
    /// When it was issued, by the host's clock.
    pub issued_at: Timestamp,
}

impl ShownLease {
    /// Verifies a lease that a machine shows, expired or not, to the host of the certificate `ours`.
    ///
    /// # Errors
    /// It is not signed by this chain's host, is beyond the chain's limits, or is of another product or organisation. A lease under a
    /// test certificate proves nothing to a host that has an ordinary one, and the other way round.
    pub fn open(
        signed: &v1::Signed,
        chain: &Chain,
        ours: &HostCertificate,
    ) -> Result<ShownLease, AnswerError> {
        let theirs = chain.host();
        matches(theirs.product == ours.product, "product")?;
        if theirs.organisation != ours.organisation {
            return Err(AnswerError::OtherOrganisation(theirs.organisation_name.clone()));
        }
        matches(theirs.test == ours.test, "test mark")?;
        let Lease { header, threshold_met_at, .. } = Lease::open(signed, chain)?;
        Ok(ShownLease::of(&header, threshold_met_at))
    }

    /// What a lease says of itself, unverified: worth no more than to ask whether verifying it could matter.
    pub fn claim(signed: &v1::Signed) -> Option<ShownLease> {
        let wire: v1::Lease = prost::Message::decode(signed.payload.clone()).ok()?;
        let threshold_met_at = Timestamp::from_unix_ms(wire.threshold_met_at);
        Some(ShownLease::of(&Header::decode(wire.header).ok()?, threshold_met_at))
    }

    fn of(header: &Header, threshold_met_at: Timestamp) -> ShownLease {
        let Header { machine, ledger, serial, host_time: issued_at, .. } = *header;
        ShownLease { machine, ledger, serial, threshold_met_at, issued_at }
    }
}
