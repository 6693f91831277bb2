//! Who gets a place of a multiple-activation key. A place is what the key counts: one machine.
//!
//! A machine is known by its own key, or by its hardware: who comes with a new identity from the hardware of a place was imaged anew, and
//! takes the place over. Both cost nothing. Only a machine that is known by neither takes a new place. Whoever asks by a code is known by a
//! digest of both, and is the same machine when it comes online later.

use shared::ids::{CertificateId, Fingerprint, MachineId};
use shared::parts::{Hardware, HardwareParts};
use shared::time::Timestamp;

use super::granted::Granted;
use super::releases::Releases;
use super::{Asked, KeyRefusal, Validity};

/// A machine that asks for a place, or has one.
#[derive(Clone, Copy, Debug)]
pub struct Holder {
    /// Its identity, proved by its signature.
    pub machine: MachineId,
    /// Tells installations apart.
    pub fingerprint: Fingerprint,
    /// Tells hardware apart.
    pub parts: HardwareParts,
}

/// A place that is taken.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Its id, and that of every confirmation that was signed for it.
    pub id: CertificateId,
    /// Since when it is taken.
    pub since: Timestamp,
    /// Who has it, as of the last confirmation.
    pub holder: Holder,
}

/// The places of the key that concern a machine, and how many there are in all.
#[derive(Clone, Copy, Debug)]
pub struct Taken<'a> {
    /// The last ask of this machine that was heard, whatever it was.
    pub last: Option<Asked>,
    /// The place of this machine, if it has one.
    pub own: Option<&'a Place>,
    /// The place that this very installation has got by a code, if it has one.
    pub by_code: Option<CertificateId>,
    /// Every place with a part that it has as well. More do no harm.
    pub similar: &'a [Place],
    /// How many places are taken.
    pub used: u64,
    /// What was given back in the last year.
    pub releases: Releases,
    /// When the place of this machine was revoked. If it has none now, one that it or its hardware had before.
    pub revoked_at: Option<Timestamp>,
}

impl Holder {
    /// Whether this is the identity or the hardware of the other.
    pub fn is_same_machine(&self, other: &Holder) -> bool {
        self.machine == other.machine || self.parts.compare(&other.parts) == Hardware::Same
    }
}

/// Which place a machine gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// Its own, and the answer that it was given before: it is the same ask.
    Again(CertificateId),
    /// Its own, confirmed anew.
    Own(CertificateId),
    /// Its own, confirmed for other hardware. It is as if the old hardware had given it back, and counts as that.
    Moved(CertificateId),
    /// That of the machine which this hardware was before it was imaged anew.
    Imaged {
        /// The place.
        place: CertificateId,
        /// The identity that the new one supersedes.
        superseded: MachineId,
    },
    /// The one that it has got by a code, before it came online.
    ByCode(CertificateId),
    /// A new one.
    New,
}

impl Placement {
    /// The place by a code that this machine does not need beside the one that it gets: one machine is counted once.
    pub fn superfluous(self, by_code: Option<CertificateId>) -> Option<CertificateId> {
        match self {
            Placement::Own(_) | Placement::Moved(_) | Placement::Imaged { .. } => by_code,
            Placement::Again(_) | Placement::ByCode(_) | Placement::New => None,
        }
    }
}

/// Which place a machine gets by a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodePlacement {
    /// The one that it has, by a code or online.
    Known(CertificateId),
    /// A new one.
    New,
}

/// Which place a machine gets whose installation id was read aloud. The same id again costs nothing. It proves no key and shows no
/// hardware, so nothing else makes it known.
///
/// # Errors
/// The key is not valid, the machine was revoked, or no place is left.
pub fn place_by_code(
    own: Option<CertificateId>,
    revoked_at: Option<Timestamp>,
    validity: Validity,
    granted: &Granted,
    used: u64,
    now: Timestamp,
) -> Result<CodePlacement, KeyRefusal> {
    validity.check(now)?;
    check_not_revoked(revoked_at)?;
    match own {
        Some(place) => Ok(CodePlacement::Known(place)),
        None => check_room(granted, used).map(|()| CodePlacement::New),
    }
}

fn check_not_revoked(revoked_at: Option<Timestamp>) -> Result<(), KeyRefusal> {
    revoked_at.map_or(Ok(()), |at| Err(KeyRefusal::Revoked { at }))
}

fn check_room(granted: &Granted, used: u64) -> Result<(), KeyRefusal> {
    if used < granted.machines {
        return Ok(());
    }
    Err(KeyRefusal::Exhausted { used, granted: granted.machines })
}

/// Which place the machine gets, if any.
///
/// 1. The key has to be valid, and the machine must not be revoked.
/// 2. The same ask again gets the same answer. An ask that is not later than the last one was recorded, and so was the last one if the
///    machine has no place any more.
/// 3. A machine that has a place keeps it, even if the key has been lowered below its use.
/// 4. If its hardware or, where nothing tells that, its installation is another one now, the place moves. The confirmation on the old
///    hardware holds for ever, so a move counts as a release. Otherwise one place would license any number of copies of a machine.
/// 5. Hardware that has a place keeps it under a new identity.
/// 6. A machine that was confirmed by a code keeps that place. If it has got another one by one of the rules before, that place is free.
/// 7. Everybody else takes a new place, as long as there is one.
///
/// # Errors
/// The key is not valid, the machine was revoked, no place is left, or places were moved and given back too often.
pub fn place(
    asker: &Holder,
    asked: Asked,
    validity: Validity,
    granted: &Granted,
    taken: &Taken<'_>,
    now: Timestamp,
) -> Result<Placement, KeyRefusal> {
    validity.check(now)?;
    check_not_revoked(taken.revoked_at)?;
    if taken.last.is_some_and(|last| last.nonce == asked.nonce) {
        return taken.own.map(|own| Placement::Again(own.id)).ok_or(KeyRefusal::Replayed);
    }
    asked.check_later(taken.last.map(|last| last.asked_at))?;
    if let Some(own) = taken.own {
        if !has_moved(&own.holder, asker) {
            return Ok(Placement::Own(own.id));
        }
        taken.releases.check(granted)?;
        return Ok(Placement::Moved(own.id));
    }
    let same_hardware =
        taken.similar.iter().filter(|place| place.holder.parts.compare(&asker.parts) == Hardware::Same);
    // Several places may have come to share their hardware, part by part. The oldest has been that machine for the longest time.
    if let Some(place) = same_hardware.min_by_key(|place| (place.since, place.id)) {
        return Ok(Placement::Imaged { place: place.id, superseded: place.holder.machine });
    }
    if let Some(place) = taken.by_code {
        return Ok(Placement::ByCode(place));
    }
    check_room(granted, taken.used).map(|()| Placement::New)
}

/// Whether a machine is not where it was when it was confirmed.
fn has_moved(then: &Holder, now: &Holder) -> bool {
    match then.parts.compare(&now.parts) {
        Hardware::Same => false,
        Hardware::Different => true,
        Hardware::Unknown => then.fingerprint.differs_from(&now.fingerprint),
    }
}
