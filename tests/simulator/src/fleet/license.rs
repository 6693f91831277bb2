//! A license as a play holds it: the rules of `shared::license` over a [`Held`] in place of a verified lease, since nobody
//! signs here. Pure. `machine` renews it, `history` counts what it shows.

use std::rc::Rc;

use shared::exchange::Numbered;
use shared::ids::HostId;
use shared::license::{Facts, License, LicenseState, Notice, Setup, Term, Timer};
use shared::policy::Policy;
use shared::time::Timestamp;

/// What is kept of a lease: what the rules read of it, and what the host reads of it when it is shown.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) issued_at: Timestamp,
    pub(crate) threshold_met_at: Timestamp,
    pub(crate) serial: u64,
    /// The host whose ledger counted, from 0.
    pub(crate) host: u8,
    pub(crate) policy: Rc<Policy>,
}

impl Numbered for Held {
    fn serial(&self) -> u64 {
        self.serial
    }

    fn host(&self) -> HostId {
        HostId::from_bytes([self.host; 16])
    }
}

impl Term for Held {
    fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    fn policy(&self) -> &Policy {
        &self.policy
    }
}

/// A [`LicenseState`] without its instants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    InGrace,
    Licensed,
    Overdue,
    Expiring,
    Lapsed,
    NeverActivated,
}

impl Standing {
    pub(crate) const COUNT: usize = 6;

    pub(crate) fn of(state: &LicenseState) -> Standing {
        match state {
            LicenseState::InGrace { .. } => Standing::InGrace,
            LicenseState::Licensed { .. } | LicenseState::LicensedWithoutEnd => Standing::Licensed,
            LicenseState::RenewalOverdue { .. } => Standing::Overdue,
            LicenseState::ExpiringSoon { .. } => Standing::Expiring,
            LicenseState::Lapsed { .. } => Standing::Lapsed,
            LicenseState::NeverActivated { .. } => Standing::NeverActivated,
            _ => unreachable!("no clock is wrong in a play"),
        }
    }

    pub(crate) fn is_licensed(self) -> bool {
        matches!(self, Standing::Licensed | Standing::Overdue | Standing::Expiring)
    }
}

/// What a user sees: the standing, how loud it is, and since when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UserView {
    pub(crate) standing: Standing,
    pub(crate) notice: Notice,
    pub(crate) since: Timestamp,
}

impl UserView {
    pub(crate) fn of(license: &License<Held>, at: Timestamp) -> UserView {
        let state = license.state(at);
        UserView { standing: Standing::of(&state), notice: state.notice(), since: at }
    }
}

/// What a license comes to if it never has another answer: each change of what is shown, in its order.
pub(crate) struct Aging {
    license: License<Held>,
    last: UserView,
}

impl Aging {
    pub(crate) fn of(license: &License<Held>, setup: Setup, from: Timestamp) -> Aging {
        // Without a timer, whatever wakes it is a change that time alone brings.
        let facts = Facts { timer: Timer::Never, ..license.facts().clone() };
        let license = License::resume(setup, facts, license.lease().cloned(), None);
        let last = UserView::of(&license, from);
        Aging { license, last }
    }
}

impl Iterator for Aging {
    type Item = UserView;

    fn next(&mut self) -> Option<UserView> {
        loop {
            let at = self.license.wake_at(self.last.since);
            if at == Timestamp::from_unix_ms(i64::MAX) {
                return None;
            }
            let shown = UserView::of(&self.license, at);
            let differs = shown.standing != self.last.standing;
            self.last = shown;
            if differs {
                return Some(shown);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::calendar::DAY_ZERO;
    use shared::license::{Draw, Event};

    #[test]
    fn without_answers_a_license_goes_from_one_standing_to_the_next_at_its_own_instants() {
        let mut license = License::begin(Setup::DEFAULT, DAY_ZERO);
        let held = Held {
            issued_at: DAY_ZERO,
            threshold_met_at: DAY_ZERO,
            serial: 1,
            host: 0,
            policy: Rc::new(Policy::CLIENT),
        };
        let ages = |license: &License<Held>| -> Vec<_> {
            let aging = Aging::of(license, Setup::DEFAULT, DAY_ZERO);
            aging.map(|shown| (shown.standing, shown.since.since(DAY_ZERO).as_secs() / 86_400)).collect()
        };
        assert_eq!(ages(&license), [(Standing::NeverActivated, 25)]);
        license.step(DAY_ZERO, Event::Leased(&held), Draw(0));
        assert_eq!(
            ages(&license),
            [(Standing::Overdue, 8), (Standing::Expiring, 150), (Standing::Lapsed, 180)]
        );
    }
}
