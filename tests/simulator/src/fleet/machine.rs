//! One machine: when it is there and on, its license, and what it remembers from one ask to the next.
//!
//! `round` has it ask, `history` counts what it shows.

use std::time::Duration;

use shared::exchange::Exchange;
use shared::ids::{Fingerprint, MachineId, Nonce};
use shared::license::{License, Notice, Setup, Timer};
use shared::serial::Mark;
use shared::time::Timestamp;

use super::calendar::{DAY, DAY_ZERO, day};
use super::chance::Chance;
use super::history::History;
use super::license::{Aging, Held, Standing, UserView};
use super::options::Plan;
use super::week::Week;

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
    pub(crate) exchange: Exchange<()>,
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
        let week = Week::draw(&plan.used, &mut chance);
        let rollout = DAY * plan.used.rollout;
        let rollout_ms = u64::try_from(rollout.as_millis()).expect("it is ten years at the most");
        let drawn = DAY_ZERO + Duration::from_millis(chance.below(rollout_ms));
        let installed_at = week.next_on(drawn);
        let (lot, leave) = (chance.below(100), plan.leave);
        let leave = leave.filter(|leave| lot < u64::from(leave.percent));
        let license = License::begin(plan.setup(), installed_at);
        let shown = UserView::of(&license, installed_at);
        Machine {
            index,
            license,
            week,
            chance,
            installed_at,
            leaves_at: leave.map(|leave| day(leave.on)),
            first_licensed_at: None,
            exchange: Exchange::default(),
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

    /// What it presents in the ask that it makes now.
    pub(crate) fn present(&mut self, now: Timestamp) -> Mark {
        let fresh = Nonce::from_bytes(bytes(now.unix_ms().unsigned_abs(), u64::from(self.index)));
        let nonce = self.exchange.name(fresh);
        Mark { serial: self.exchange.serial, nonce, asked_at: now }
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

fn bytes(high: u64, low: u64) -> [u8; 16] {
    ((u128::from(high) << 64) | u128::from(low)).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::super::options::tests::plan;
    use super::*;

    #[test]
    fn how_many_there_are_changes_nothing_for_one() {
        let few = Machine::draw(7, &plan("--machines 10"));
        let many = Machine::draw(7, &plan("--machines 1000 --days 9 --outage 3-4"));
        assert_eq!(few.installed_at, many.installed_at);
        assert_eq!(format!("{:?}", few.week), format!("{:?}", many.week));
        assert_eq!(format!("{:?}", few.chance), format!("{:?}", many.chance));
    }
}
