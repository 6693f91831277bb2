//! One host: it counts by `shared::count` and judges its own clock by `shared::doubt`, in the order of `kms-host`.
//!
//! Its ledger is in memory, and nothing is signed or verified. It is never slow: how much a real host holds is the
//! question of `load`. An outage ends with a start of the host, as after a repair.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::rc::Rc;

use kms_host::home::HOUR_MS;
use shared::admission::{Applicant, Refusal};
use shared::answer::{Grant, Header, Refused, ShownLease, Verdict, Waiting};
use shared::ask::AskKind;
use shared::certificate::{Chain, HostCertificate, Roots};
use shared::count::{self, Decision, Entrants, Outcome, Rows, Sighting, Terms};
use shared::doubt::{ClockReading, HostClock, Moment};
use shared::envelope::SecretKey;
use shared::ids::{LedgerId, MachineId, Nonce, ProductId};
use shared::policy::Policy;
use shared::record::{Event, Inactive, Record, Tally};
use shared::serial::Mark;
use shared::testing;
use shared::time::Timestamp;

use super::calendar::{DAY, DAY_ZERO};
use super::license::Held;
use super::machine::Machine;
use super::options::Plan;
use super::outage::Outage;

const PRODUCT: ProductId = ProductId::from_bytes(*b"fleet's product.");

pub(crate) struct Host {
    number: u8,
    chain: Chain,
    policy: Rc<Policy>,
    terms: Terms,
    ledger: Ledger,
    clock: HostClock,
    outages: Vec<Outage>,
    /// How many of its outages are over, and it has started after them.
    starts: usize,
}

impl Host {
    /// A host with an empty ledger, certified for the whole play.
    pub(crate) fn new(number: u8, plan: &Plan) -> Host {
        let policy = plan.policy();
        let mut outages: Vec<_> =
            plan.outages.iter().copied().filter(|outage| outage.strikes(number)).collect();
        outages.sort_by_key(Outage::ends_at);
        Host {
            number,
            chain: certify(number, plan),
            policy: Rc::new(policy),
            terms: Terms::of(&policy),
            ledger: Ledger::new(number, plan),
            clock: HostClock::start(reading(DAY_ZERO), None, policy.count_window),
            outages,
            starts: 0,
        }
    }

    pub(crate) fn is_down(&self, at: Timestamp) -> bool {
        self.outages.iter().any(|outage| outage.begins_at() <= at && at < outage.ends_at())
    }

    /// How many machines it counts.
    pub(crate) fn count(&mut self, at: Timestamp) -> u64 {
        let Ok(tally) = count::read(&mut self.ledger, PRODUCT, &self.terms, at);
        tally.total
    }

    /// One activation, in the order of `shared::admission`.
    pub(crate) fn answer(&mut self, machine: &Machine, presented: Mark) -> Verdict<Held> {
        self.start_again(presented.asked_at);
        let now = self.clock.read(reading(presented.asked_at));
        match self.decide(machine, presented, now) {
            Ok(Outcome { decision, .. }) => self.compose(machine, presented.nonce, now.wall, decision),
            Err(Refusal { cause, ask_again }) => {
                Verdict::Refused(Refused { cause, ask_again, host_time: now.wall, obey_copied: false })
            }
        }
    }

    fn decide(&mut self, machine: &Machine, presented: Mark, now: Moment) -> Result<Outcome, Refusal> {
        let chain = self.chain.clone();
        let admission = Applicant { chain: &chain, machine: machine.id(), presented, now };
        self.hear_of_clocks(&admission);
        admission.check(&self.clock, false)?;
        let sighting = Sighting {
            product: PRODUCT,
            machine: machine.id(),
            presented,
            fingerprint: machine.fingerprint(),
            kind: AskKind::Activate,
            kept: true,
            replaces: None,
            // Nothing is signed in a play, so there is nothing to verify.
            shown: machine.license.lease().map(|held| shown_lease(machine, held)).into(),
            entrants: Entrants::Anybody,
            at: now.wall,
            terms: self.terms,
        };
        let Ok(outcome) = count::sight(&mut self.ledger, &sighting);
        admission.decided(&mut self.clock, &outcome);
        Ok(outcome)
    }

    /// All machines' clocks are right in a play, so they agree. Only the host may doubt its own.
    fn hear_of_clocks(&mut self, admission: &Applicant<'_>) {
        if !admission.is_about_a_clock(&self.clock) {
            return;
        }
        let Ok(record) = self.ledger.record(PRODUCT, admission.machine);
        if record.is_some_and(|record| admission.may_vote(&self.clock, &record)) {
            let Ok(tally) = count::read(&mut self.ledger, PRODUCT, &self.terms, admission.now.wall);
            if admission.vote(&mut self.clock, tally.active) {
                let Ok(()) = count::settle(&mut self.ledger, PRODUCT, &self.terms, admission.now.wall);
                self.clock.end(admission.now);
            }
        }
    }

    fn compose(&self, machine: &Machine, nonce: Nonce, now: Timestamp, decision: Decision) -> Verdict<Held> {
        let policy = &self.policy;
        match decision {
            Decision::Lease { serial, grant: Grant { threshold_met_at, .. } } => Verdict::Leased(Held {
                issued_at: now,
                threshold_met_at,
                serial,
                host: self.number,
                policy: Rc::clone(policy),
            }),
            Decision::Waiting { serial, count } => Verdict::Waiting(Waiting {
                header: self.header(machine, nonce, serial, now),
                count,
                threshold: policy.threshold,
                ask_again: policy.retry_interval,
                chain: self.chain.clone(),
            }),
            Decision::Refused(reason) => Verdict::Refused(Refused {
                cause: reason.into(),
                ask_again: policy.retry_interval,
                host_time: now,
                obey_copied: false,
            }),
            Decision::Released { .. } => unreachable!("no machine is released in a play"),
            Decision::Verify => unreachable!("what is shown in a play is verified"),
        }
    }

    fn header(&self, machine: &Machine, nonce: Nonce, serial: u64, host_time: Timestamp) -> Header {
        Header {
            machine: machine.id(),
            product: PRODUCT,
            nonce,
            serial,
            host_time,
            host: self.chain.host().host(),
            ledger: self.ledger.id,
        }
    }

    /// After an outage the host starts on its old ledger, at the instant at which the outage ended.
    fn start_again(&mut self, now: Timestamp) {
        let over = self.outages.iter().take_while(|outage| outage.ends_at() <= now).count();
        if over == self.starts {
            return;
        }
        self.starts = over;
        let started_at = self.outages[over - 1].ends_at();
        self.clock = HostClock::start(reading(started_at), self.ledger.last_time, self.policy.count_window);
    }
}

/// The host's clocks are right. A play is one stretch of the monotonic one, for no outage goes into an ask.
fn reading(at: Timestamp) -> ClockReading {
    ClockReading { wall: at, monotonic: at.since(DAY_ZERO) }
}

fn shown_lease(machine: &Machine, held: &Held) -> ShownLease {
    ShownLease {
        machine: machine.id(),
        ledger: ledger_id(held.host),
        serial: held.serial,
        threshold_met_at: held.threshold_met_at,
        issued_at: held.issued_at,
    }
}

fn ledger_id(host: u8) -> LedgerId {
    LedgerId::from_bytes([host; 16])
}

/// Rules read their numbers from the certificate, so the host has one.
fn certify(number: u8, plan: &Plan) -> Chain {
    let [root, key] = [0, number + 1].map(|seed| SecretKey::from_seed(&[seed; 32]));
    let certificate = HostCertificate {
        not_after: plan.ends_at() + DAY,
        policy: plan.policy(),
        ..testing::certificate(key.public(), PRODUCT, DAY_ZERO)
    };
    let roots = Roots::new([root.public().as_bytes().as_slice()]).expect("a key of full order");
    Chain::verify(&testing::chain(&root, &certificate), &roots).expect("it was signed a line above")
}

/// A ledger in memory. A machine's number is its place.
struct Ledger {
    id: LedgerId,
    last_time: Option<Timestamp>,
    tally: Option<Tally>,
    inactive: Inactive,
    records: Vec<Option<Record>>,
    hours: BTreeMap<i64, u64>,
}

impl Ledger {
    fn new(host: u8, plan: &Plan) -> Ledger {
        Ledger {
            id: ledger_id(host),
            last_time: None,
            tally: None,
            inactive: Inactive::default(),
            records: vec![None; usize::try_from(plan.machines).expect("a million at the most")],
            hours: BTreeMap::new(),
        }
    }
}

/// The machine's number, which stands in its identity.
fn number_of(machine: MachineId) -> usize {
    let number = u128::from_be_bytes(*machine.as_bytes());
    usize::try_from(number).expect("it was made of a number below a million")
}

impl Rows for Ledger {
    type Error = Infallible;

    fn ledger(&self) -> LedgerId {
        self.id
    }

    fn hour_width_ms(&self) -> u64 {
        HOUR_MS
    }

    fn last_time(&mut self) -> Result<Option<Timestamp>, Infallible> {
        Ok(self.last_time)
    }

    fn put_last_time(&mut self, time: Timestamp) {
        self.last_time = Some(time);
    }

    fn record(&mut self, _: ProductId, machine: MachineId) -> Result<Option<Record>, Infallible> {
        Ok(self.records[number_of(machine)])
    }

    fn put_record(&mut self, _: ProductId, machine: MachineId, record: Record) {
        self.records[number_of(machine)] = Some(record);
    }

    fn remove(&mut self, _: ProductId, _: MachineId) -> Result<(), Infallible> {
        unreachable!("nobody forgets a machine of a play");
    }

    /// A play shows numbers, and no histories.
    fn events(&mut self, _: ProductId, _: MachineId) -> Result<Vec<Event>, Infallible> {
        Ok(Vec::new())
    }

    fn put_event(&mut self, _: ProductId, _: MachineId, _: Event) {}

    fn inactive(&mut self, _: ProductId) -> Result<Inactive, Infallible> {
        Ok(self.inactive)
    }

    fn put_inactive(&mut self, _: ProductId, inactive: Inactive) {
        self.inactive = inactive;
    }

    fn tally(&mut self, _: ProductId) -> Result<Option<Tally>, Infallible> {
        Ok(self.tally)
    }

    fn put_tally(&mut self, _: ProductId, tally: Tally) {
        self.tally = Some(tally);
    }

    fn hour(&mut self, _: ProductId, hour: i64) -> Result<u64, Infallible> {
        Ok(self.hours.get(&hour).copied().unwrap_or(0))
    }

    fn put_hour(&mut self, _: ProductId, hour: i64, machines: u64) {
        self.hours.insert(hour, machines);
    }

    fn hours(&mut self, _: ProductId) -> Result<Vec<(i64, u64)>, Infallible> {
        let hours = self.hours.iter().map(|(hour, machines)| (*hour, *machines));
        Ok(hours.filter(|(_, machines)| *machines != 0).collect())
    }

    fn unkept(&mut self, _: ProductId, _: i64) -> Result<u64, Infallible> {
        Ok(0)
    }

    fn put_unkept(&mut self, _: ProductId, _: i64, _: u64) {
        unreachable!("every machine of a play keeps its state");
    }
}
