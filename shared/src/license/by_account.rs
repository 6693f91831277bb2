//! Licensing by an account: for a few weeks at a time, renewed by the machine itself.
//!
//! `license` says when to ask the portal. `docs/protocol.md` 13.

use core::time::Duration;

use crate::time::Timestamp;

use super::LicenseState;

/// How long before its end a license by account warns. A short one warns for a quarter of it.
const WARNING: Duration = Duration::from_hours(7 * 24);

/// From when until when a user lease licenses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountTerm {
    /// The portal's clock when it signed the lease.
    pub issued_at: Timestamp,
    /// When the next one is asked for.
    pub renew_after: Timestamp,
    /// The first instant at which it licenses nobody any more.
    pub not_after: Timestamp,
}

impl AccountTerm {
    /// Where the product stands. `is_refused` says that the portal does not renew it any more.
    pub(super) fn state(self, now: Timestamp, is_refused: bool) -> LicenseState {
        let until = self.not_after;
        if until <= now {
            LicenseState::AccountEnded { since: until }
        } else if is_refused || self.warns_at() <= now {
            LicenseState::AccountEndsSoon { until }
        } else {
            LicenseState::LicensedByAccount { until }
        }
    }

    /// The instants at which time alone changes the state.
    pub(super) fn changes(self) -> [Timestamp; 2] {
        [self.warns_at(), self.not_after]
    }

    /// How long to wait before the next lease is asked for.
    pub(super) fn ask_in(self, now: Timestamp) -> Duration {
        self.renew_after.since(now)
    }

    fn warns_at(self) -> Timestamp {
        self.not_after - WARNING.min(self.not_after.since(self.issued_at) / 4)
    }
}
