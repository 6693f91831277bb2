//! The play itself: the machine whose time comes next asks, until the last day is over.
//!
//! Time is whatever the agenda says next, so a night costs nothing. Every random number belongs to one machine, and two
//! machines of one instant go by their numbers, so a plan has one outcome.

use anyhow::ensure;
use shared::license::{Event, Term};
use shared::time::Timestamp;

use super::agenda::Agenda;
use super::back::{Back, Stretch};
use super::calendar::day;
use super::down::Down;
use super::history::History;
use super::host::Host;
use super::machine::Machine;
use super::options::Plan;
use super::outage::Outage;
use super::round::Hosts;

/// A play of more rounds than this takes hours: a mistake.
const ROUNDS_MAX: u64 = 2_000_000_000;

/// A play that is under way, or over.
pub(crate) struct Play {
    pub(crate) plan: Plan,
    agenda: Agenda,
    pub(crate) machines: Vec<Machine>,
    hosts: Hosts,
    pub(crate) history: History,
    /// The next sample of what the hosts count.
    sample: usize,
    down_at: Option<Timestamp>,
    /// What a fleet shows if the hosts stop for good, if that was asked.
    pub(crate) down: Option<Down>,
    stretch: Option<Stretch>,
    /// How long they may be down and come back, if that was asked.
    pub(crate) back: Option<Back>,
}

/// Plays a plan to its end.
///
/// # Errors
/// It takes too many rounds.
pub(crate) fn play(plan: Plan) -> anyhow::Result<Play> {
    let (mut play, mut rounds) = (Play::begin(plan), 0);
    while let Some((now, index)) = play.agenda.take() {
        play.pass(now);
        play.turn(now, index);
        rounds += 1;
        ensure!(
            rounds <= ROUNDS_MAX,
            "the play takes more than {ROUNDS_MAX} asks: lower --machines or --days, or let machines ask less often"
        );
    }
    play.pass(play.plan.ends_at());
    play.end();
    Ok(play)
}

impl Play {
    fn begin(plan: Plan) -> Play {
        let machines: Vec<_> = (0..plan.machines).map(|index| Machine::draw(index, &plan)).collect();
        let (mut agenda, mut history) = (Agenda::new(&plan), History::new(&plan));
        for machine in &machines {
            if plan.ends_at() <= machine.installed_at || !machine.is_there(machine.installed_at) {
                continue;
            }
            history.installed(&machine.shown());
            agenda.put(machine.installed_at, machine.index);
        }
        let down_at = (!plan.no_downtime).then(|| fair_day(&plan));
        Play {
            agenda,
            machines,
            hosts: Hosts::new((0..plan.hosts).map(|number| Host::new(number, &plan)).collect()),
            history,
            sample: 0,
            stretch: down_at.map(|down_at| Stretch::until(down_at, &plan)),
            down_at,
            down: None,
            back: None,
            plan,
        }
    }

    /// A machine's timer has fired, and it is switched on.
    fn turn(&mut self, now: Timestamp, index: u32) {
        let machine = &mut self.machines[usize::try_from(index).expect("a million at the most")];
        machine.follow(now, self.plan.setup(), &mut self.history);
        let draw = machine.chance.draw();
        if machine.license.step(now, Event::Woke, draw) {
            let ended_at = machine.license.lease().map(Term::expires_at);
            self.hosts.ask(machine, now, &mut self.history);
            machine.look(now, &mut self.history);
            let is_renewed = machine.license.lease().is_some_and(|held| held.issued_at == now);
            if let (Some(stretch), Some(ended_at), true) = (&mut self.stretch, ended_at, is_renewed) {
                stretch.renewed(machine, ended_at, now);
            }
        }
        let next = machine.asks_at();
        if machine.is_there(next) {
            self.agenda.put(next, index);
        }
    }

    /// Everything that is looked at from outside, up to and with this instant.
    fn pass(&mut self, now: Timestamp) {
        while self.sample < self.history.steps.number && self.history.steps.instant(self.sample) <= now {
            let at = self.history.steps.instant(self.sample);
            for (host, counts) in self.hosts.each().zip(&mut self.history.counts) {
                counts.push((!host.is_down(at)).then(|| host.count(at)));
            }
            self.sample += 1;
        }
        if let Some(at) = self.down_at.take_if(|at| *at <= now) {
            self.down = Some(Down::from(at, &self.machines, &self.plan));
            self.back = self.stretch.take().map(|stretch| stretch.end(&self.machines, &self.plan));
        }
    }

    fn end(&mut self) {
        let ends_at = self.plan.ends_at();
        for machine in &mut self.machines {
            let until = machine.leaves_at.map_or(ends_at, |leaves_at| leaves_at.min(ends_at));
            if machine.installed_at < until {
                machine.follow(until, self.plan.setup(), &mut self.history);
                self.history.ended(&machine.shown(), until);
            }
        }
    }
}

/// The day for which the play says how long the hosts may be down: the first of the first outage that strikes all of them,
/// else the middle of the play.
fn fair_day(plan: &Plan) -> Timestamp {
    let of_all = plan.outages.iter().filter(|outage| outage.host.is_none());
    of_all.map(Outage::begins_at).min().unwrap_or_else(|| day(plan.days / 2))
}
