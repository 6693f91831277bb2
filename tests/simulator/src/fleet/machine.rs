//! One machine: a license under the rules of `shared::license`, and what a client saves beside it.
//!
//! Its license holds a [`Held`] in place of a verified lease, for nobody signs here. What a round does with it is told in
//! `round`, who writes down where it stands in `history`.

use std::rc::Rc;
use std::time::Duration;

use shared::ids::{Fingerprint, MachineId, Nonce};
use shared::license::{Facts, License, LicenseState, Notice, Setup, Term, Timer};
use shared::policy::Policy;
use shared::time::Timestamp;

use super::chance::Chance;
use super::history::History;
use super::options::{DAY_ZERO, Plan, day};
use super::week::{DAY, Week};

/// What is kept of a lease: what the rules read of it, and what the host reads of it when it is shown.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) issued_at: Timestamp,
    pub(crate) renew_after: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) threshold_met_at: Timestamp,
    pub(crate) serial: u64,
    /// The host whose ledger counted, from 0.
    pub(crate) host: u8,
    pub(crate) policy: Rc<Policy>,
}

impl Term for Held {
    fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    fn renew_after(&self) -> Timestamp {
        self.renew_after
    }

    fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    fn policy(&self) -> &Policy {
        &self.policy
    }
}

/// Where a license stands, without its instants.
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
    /// Every standing.
    pub(crate) const ALL: [Standing; 6] = [
        Standing::InGrace,
        Standing::Licensed,
        Standing::Overdue,
        Standing::Expiring,
        Standing::Lapsed,
        Standing::NeverActivated,
    ];

    /// That of this state.
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

    /// Whether a license is held.
    pub(crate) fn is_licensed(self) -> bool {
        match self {
            Standing::Licensed | Standing::Overdue | Standing::Expiring => true,
            Standing::InGrace | Standing::Lapsed | Standing::NeverActivated => false,
        }
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

/// One machine.
pub(crate) struct Machine {
    pub(crate) index: u32,
    pub(crate) license: License<Held>,
    pub(crate) week: Week,
    pub(crate) chance: Chance,
    /// When the product is first started here.
    pub(crate) installed_at: Timestamp,
    /// When it is switched off for good, if it ever is.
    pub(crate) leaves_at: Option<Timestamp>,
    pub(crate) first_licensed_at: Option<Timestamp>,
    /// The serial of the last answer that was accepted.
    pub(crate) serial: u64,
    /// How many answers were accepted: it names the ask that is under way.
    pub(crate) accepted: u64,
    /// The host that gave the last lease, from 0.
    pub(crate) last_host: Option<u8>,
    pub(crate) has_lapsed: bool,
    pub(crate) has_warned: bool,
    shown: UserView,
}

impl Machine {
    /// The machine of this number. What it is does not depend on how many there are.
    pub(crate) fn draw(index: u32, plan: &Plan) -> Machine {
        let mut chance = Chance::of(plan.seed, index);
        let week = Week::draw(plan, &mut chance);
        let rollout = DAY * plan.rollout_days;
        let rollout_ms = u64::try_from(rollout.as_millis()).expect("it is ten years at the most");
        let drawn = DAY_ZERO + Duration::from_millis(chance.below(rollout_ms));
        let installed_at = week.next_on(drawn);
        let (lot, leave) = (chance.below(100), plan.leave);
        let leave = leave.filter(|leave| lot < u64::from(leave.percent));
        let license = License::begin(plan.setup, installed_at);
        let shown = UserView::of(&license, installed_at);
        Machine {
            index,
            license,
            week,
            chance,
            installed_at,
            leaves_at: leave.map(|leave| day(leave.on)),
            first_licensed_at: None,
            serial: 0,
            accepted: 0,
            last_host: None,
            has_lapsed: false,
            has_warned: false,
            shown,
        }
    }

    /// Its identity, with its number in it, so that a ledger finds its record without a search.
    pub(crate) fn id(&self) -> MachineId {
        MachineId::from_bytes(bytes(0, u64::from(self.index)))
    }

    /// The name of the ask that is under way: the same until an answer is accepted.
    pub(crate) fn nonce(&self) -> Nonce {
        Nonce::from_bytes(bytes(self.accepted, u64::from(self.index)))
    }

    /// Told apart from every other installation.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        Fingerprint::from_slice(self.id().as_bytes()).expect("it is 16 bytes")
    }

    /// When it asks next: when its timer has fired and it is switched on.
    pub(crate) fn asks_at(&self) -> Timestamp {
        match self.license.facts().timer {
            Timer::At { at, .. } => self.week.next_on(at.max(self.installed_at)),
            Timer::Never => unreachable!("no machine is released in a play"),
        }
    }

    /// Whether it is there: installed, and not yet gone.
    pub(crate) fn is_there(&self, at: Timestamp) -> bool {
        self.installed_at <= at && self.leaves_at.is_none_or(|leaves_at| at < leaves_at)
    }

    /// Writes down what time alone has changed since it was last looked at, each change at its own instant.
    pub(crate) fn follow(&mut self, until: Timestamp, setup: Setup, history: &mut History) {
        if Standing::of(&self.license.state(until)) == self.shown.standing {
            return;
        }
        let aging = Aging::of(&self.license, setup, self.shown.since);
        for shown in aging.take_while(|shown| shown.since <= until) {
            self.show(shown, history);
        }
    }

    /// Writes down what an answer has changed.
    pub(crate) fn look(&mut self, now: Timestamp, history: &mut History) {
        let shown = UserView::of(&self.license, now);
        if shown.standing != self.shown.standing {
            self.show(shown, history);
        }
        if shown.standing.is_licensed() && self.first_licensed_at.is_none() {
            self.first_licensed_at = Some(now);
        }
    }

    /// What its user sees, as of when it was last looked at.
    pub(crate) fn shown(&self) -> UserView {
        self.shown
    }

    fn show(&mut self, shown: UserView, history: &mut History) {
        history.changed(&self.shown, &shown);
        self.has_lapsed |= shown.standing == Standing::Lapsed;
        self.has_warned |= shown.notice == Notice::Warning;
        self.shown = shown;
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

fn bytes(high: u64, low: u64) -> [u8; 16] {
    ((u128::from(high) << 64) | u128::from(low)).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::super::options::tests::plan;
    use super::*;
    use shared::license::Event;

    #[test]
    fn how_many_there_are_changes_nothing_for_one() {
        let few = Machine::draw(7, &plan("--machines 10"));
        let many = Machine::draw(7, &plan("--machines 1000 --days 9 --outage 3-4"));
        assert_eq!(few.installed_at, many.installed_at);
        assert_eq!(format!("{:?}", few.week), format!("{:?}", many.week));
        assert_eq!(format!("{:?}", few.chance), format!("{:?}", many.chance));
    }

    #[test]
    fn without_answers_a_license_goes_from_one_standing_to_the_next_at_its_own_instants() {
        let mut license = License::begin(Setup::DEFAULT, DAY_ZERO);
        let held = Held {
            issued_at: DAY_ZERO,
            renew_after: DAY_ZERO + DAY * 7,
            expires_at: DAY_ZERO + DAY * 180,
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
        license.step(DAY_ZERO, Event::Leased(&held), shared::license::Draw(0));
        assert_eq!(
            ages(&license),
            [(Standing::Overdue, 8), (Standing::Expiring, 150), (Standing::Lapsed, 180)]
        );
    }
}
