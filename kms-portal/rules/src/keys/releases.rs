//! How a place is given back.
//!
//! A confirmation has no end, and the machine that gives its place back still has its own. So machines may give back only so many places
//! in a year; otherwise one place could license one machine after the other. Beyond that, the vendor's staff frees a place and says why.

use std::time::Duration;

use shared::ids::CertificateId;

use super::granted::Granted;
use super::{Asked, KeyRefusal};

/// Over how long releases are counted.
pub const RELEASES_WINDOW: Duration = Duration::from_hours(365 * 24);

/// How many places of a key machines have given back in the last year, by leaving or by moving to other hardware.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Releases(pub u64);

impl Releases {
    /// Whether one more may be given back.
    pub(super) fn check(self, granted: &Granted) -> Result<(), KeyRefusal> {
        if self.0 < granted.releases {
            return Ok(());
        }
        Err(KeyRefusal::ReleasesExhausted { released: self.0, releases: granted.releases })
    }
}

/// What is known of a machine that wants to give its place back.
#[derive(Clone, Copy, Debug)]
pub struct Leaver {
    /// The last ask of this machine that was heard, whatever it was.
    pub last: Option<Asked>,
    /// Its place, if it has one.
    pub own: Option<CertificateId>,
    /// Whether it had one that is free now. A machine whose place another identity has taken over had none.
    pub left: bool,
}

/// The place to free; none where that was done before.
///
/// A key that is blocked or has ended takes places back as every other.
///
/// # Errors
/// The machine has no place, or too many were given back, or the ask was recorded.
pub fn release(
    asked: Asked,
    leaver: Leaver,
    granted: &Granted,
    releases: Releases,
) -> Result<Option<CertificateId>, KeyRefusal> {
    if leaver.last.is_none_or(|last| last.nonce != asked.nonce) {
        asked.check_later(leaver.last.map(|last| last.asked_at))?;
    }
    match leaver.own {
        Some(place) => releases.check(granted).map(|()| Some(place)),
        None if leaver.left => Ok(None),
        None => Err(KeyRefusal::NotActivatedHere),
    }
}
