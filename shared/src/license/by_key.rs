//! Licensing by a product key: without a host, and without an end unless the key has one.
//!
//! `license` steps from one of these to the next, and says when to ask the portal. `docs/protocol.md` 11.

use core::time::Duration;

use crate::time::Timestamp;

use super::LicenseState;

/// How long before its end a license by key warns. One with a short term warns for a quarter of it.
const WARNING: Duration = Duration::from_hours(30 * 24);

/// How often the portal is asked for a later end while the license warns. A shorter warning is asked for four times.
const ASK_EVERY: Duration = Duration::from_hours(24);

/// The longest wait after failed asks. The portal serves the machines of all customers.
pub(super) const RETRY_MAX: Duration = Duration::from_hours(24);

/// How far a machine with a product key has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByKey {
    /// The key is entered, and the portal has not confirmed this machine.
    Entered,
    /// The portal has confirmed this machine.
    Confirmed(KeyTerm),
    /// It has, and the hardware is another since then.
    HardwareChanged {
        /// When this was noticed.
        since: Timestamp,
    },
}

/// From when until when a confirmation licenses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyTerm {
    /// The portal's clock when it confirmed.
    pub confirmed_at: Timestamp,
    /// The first instant at which it licenses nobody any more, if it has an end.
    pub not_after: Option<Timestamp>,
}

impl KeyTerm {
    fn state(self, now: Timestamp) -> LicenseState {
        match self.not_after {
            None => LicenseState::LicensedWithoutEnd,
            Some(until) if until <= now => LicenseState::KeyEnded { since: until },
            Some(until) if self.warns_at(until) <= now => LicenseState::KeyEndsSoon { until },
            Some(until) => LicenseState::LicensedByKey { until },
        }
    }

    fn warns_at(self, until: Timestamp) -> Timestamp {
        until - WARNING.min(until.since(self.confirmed_at) / 4)
    }

    /// How long to wait before the portal is asked for a later end; `None` if there is no end.
    pub(super) fn ask_in(self, now: Timestamp) -> Option<Duration> {
        let until = self.not_after?;
        let warns_at = self.warns_at(until);
        let step = ASK_EVERY.min(until.since(warns_at) / 4);
        Some(warns_at.since(now).max(step))
    }
}

impl ByKey {
    /// Where the product stands. `grace` begins again when the hardware has changed.
    pub(super) fn state(self, now: Timestamp, grace_ends_at: Timestamp, grace: Duration) -> LicenseState {
        match self {
            ByKey::Entered => LicenseState::KeyEntered { notices: grace_ends_at <= now },
            ByKey::Confirmed(term) => term.state(now),
            ByKey::HardwareChanged { since } => {
                LicenseState::HardwareChanged { since, notices: since + grace <= now }
            }
        }
    }

    /// The instants at which time alone changes the state.
    pub(super) fn changes(self, grace: Duration) -> [Option<Timestamp>; 2] {
        match self {
            ByKey::Entered => [None; 2],
            ByKey::Confirmed(term) => [term.not_after.map(|until| term.warns_at(until)), term.not_after],
            ByKey::HardwareChanged { since } => [Some(since + grace), None],
        }
    }
}
