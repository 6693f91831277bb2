//! Random histories beside a model that counts by looking at every machine.
//!
//! The model does not decide who is believed: it takes that from the outcome, and says what must follow. The serial rule
//! has its own tests in `shared`.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use shared::ask::AskKind;
use shared::count::{Decision, Outcome, Shown, Sighting};
use shared::ids::{MachineId, Nonce, ProductId};
use shared::inventory::Verb;
use shared::reason::Reason;
use shared::record::{EVENTS_A_MACHINE, Inactive, RecordState};
use shared::time::Timestamp;

use super::world::{Backend, DAY, HOUR, Machine, OTHER_PRODUCT, PRODUCT, World};
use crate::Reading;
use crate::testing;

const MACHINES: usize = 12;
const THRESHOLD: u32 = 4;

#[derive(Clone, Debug)]
pub enum Step {
    /// A machine asks, and hears the answer or does not.
    Ask(usize, AskKind, bool),
    /// A machine that keeps no state asks.
    Pass(usize),
    /// The last ask of all arrives again.
    Repeat,
    /// A machine becomes a copy of another.
    Copy(usize, usize),
    /// A machine makes a new key.
    Rekey(usize),
    /// All that was asked since the last commit is applied as one batch.
    Commit,
    /// Time passes.
    Wait(Duration),
    /// The vendor issues a certificate with another window.
    Window(Duration),
    /// The clock was ahead by so much, and is set right.
    SetBack(Duration),
    /// The administrator changes a machine's record.
    Change(usize, Verb),
    /// Whoever was last seen so long ago, and is not counted, is forgotten.
    Prune(Duration),
}

fn step() -> impl Strategy<Value = Step> {
    let machine = || 0..MACHINES;
    let waits = prop_oneof![
        10 => 1..7_200_000_u64,
        4 => 86_400_000..=864_000_000_u64,
        1 => 2_592_000_000..=8_640_000_000_u64,
    ];
    prop_oneof![
        24 => (machine(), any::<bool>()).prop_map(|(m, heard)| Step::Ask(m, AskKind::Activate, heard)),
        4 => (machine(), any::<bool>()).prop_map(|(m, heard)| Step::Ask(m, AskKind::Release, heard)),
        2 => machine().prop_map(Step::Pass),
        2 => Just(Step::Repeat),
        2 => (machine(), machine()).prop_map(|(from, to)| Step::Copy(from, to)),
        2 => machine().prop_map(Step::Rekey),
        6 => Just(Step::Commit),
        8 => waits.prop_map(|ms| Step::Wait(Duration::from_millis(ms))),
        1 => (1..60_u32).prop_map(|days| Step::Window(days * DAY)),
        1 => (1..2000_u32).prop_map(|hours| Step::SetBack(hours * HOUR)),
        2 => machine().prop_map(|machine| Step::Change(machine, Verb::Block)),
        2 => machine().prop_map(|machine| Step::Change(machine, Verb::Unblock)),
        1 => machine().prop_map(|machine| Step::Change(machine, Verb::Forget)),
        1 => (0..60_u32).prop_map(|days| Step::Prune(days * DAY)),
    ]
}

/// What may happen, one after the other.
pub fn steps(at_most: usize) -> impl Strategy<Value = Vec<Step>> {
    vec(step(), 1..at_most)
}

/// Lets it happen to a ledger, and compares.
pub fn run(backend: Backend, steps: Vec<Step>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut history = History::new(backend);
        for step in steps {
            history.step(step).await;
        }
        history.commit().await;
        history.check().await;
    });
}

struct History {
    world: World,
    machines: Vec<Machine>,
    /// Asked and not yet committed; and which machine hears the answer.
    pending: Vec<(Sighting, Option<usize>)>,
    last_ask: Option<Sighting>,
    model: Model,
}

impl History {
    fn new(backend: Backend) -> History {
        let mut world = World::new(backend);
        world.terms.threshold = THRESHOLD;
        let product = |number| if number % 4 == 0 { OTHER_PRODUCT } else { PRODUCT };
        History {
            world,
            machines: (0..MACHINES).map(|number| Machine::of(product(number))).collect(),
            pending: Vec::new(),
            last_ask: None,
            model: Model::default(),
        }
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Ask(machine, kind, heard) => {
                let sighting = self.world.sighting(&self.machines[machine], kind);
                self.last_ask = Some(sighting.clone());
                self.pending.push((sighting, heard.then_some(machine)));
            }
            Step::Pass(machine) => {
                let mut sighting = self.world.sighting(&self.machines[machine], AskKind::Activate);
                sighting.kept = false;
                self.pending.push((sighting, None));
            }
            Step::Repeat => {
                if let Some(last) = &self.last_ask {
                    let at = self.world.now;
                    let terms = self.world.terms;
                    self.pending.push((Sighting { at, terms, ..last.clone() }, None));
                }
            }
            Step::Copy(from, to) => self.machines[to] = self.machines[from].copied(),
            Step::Rekey(machine) => self.machines[machine] = self.machines[machine].rekeyed(),
            Step::Commit => {
                self.commit().await;
                self.check().await;
            }
            Step::Wait(length) => self.world.now = self.world.now + length,
            Step::Window(window) => {
                self.commit().await;
                self.world.terms.count_window = window;
                self.check().await;
            }
            Step::SetBack(length) => {
                self.commit().await;
                let World { now, terms, .. } = &mut self.world;
                *now = *now - length;
                let (now, products) = (*now, vec![(PRODUCT, *terms), (OTHER_PRODUCT, *terms)]);
                self.world.settle(products, now).await;
                self.model.last_time = Some(now);
                self.check().await;
            }
            Step::Change(machine, verb) => {
                self.commit().await;
                let machine = &self.machines[machine];
                let told = self.world.change(verb, machine).await;
                assert_eq!(told, self.model.change(verb, machine));
                self.check().await;
            }
            Step::Prune(age) => {
                self.commit().await;
                let World { now, terms, .. } = self.world;
                for product in [PRODUCT, OTHER_PRODUCT] {
                    let removed = self.world.prune(product, now - age, 3).await;
                    assert_eq!(removed, self.model.prune(product, now, now - age, terms.count_window));
                }
                self.check().await;
            }
        }
    }

    async fn commit(&mut self) {
        let (sightings, hearers): (Vec<_>, Vec<_>) = self.pending.drain(..).unzip();
        let outcomes = testing::sight(&*self.world.ledger, sightings.clone()).await.unwrap();
        for ((sighting, outcome), hearer) in sightings.iter().zip(&outcomes).zip(hearers) {
            self.model.follow(sighting, outcome);
            let hearer = hearer.map(|number| &mut self.machines[number]);
            // Who has become somebody else meanwhile, or has asked twice, does not take the answer for its own.
            if let Some(machine) = hearer
                && machine.id == sighting.machine
                && machine.nonce == sighting.presented.nonce
            {
                machine.hear(outcome);
            }
        }
    }

    async fn check(&self) {
        let World { ledger, terms, now, .. } = &self.world;
        assert_eq!(ledger.last_time().await.unwrap(), self.model.last_time);
        for product in [PRODUCT, OTHER_PRODUCT] {
            let at = self.model.ledger_time(*now);
            let Reading { tally, at: read_at, inactive, .. } =
                ledger.reading(product, terms, *now).await.unwrap();
            assert_eq!(read_at, at);
            assert_eq!((tally.active, inactive), self.model.known(product));
            let counted = self.world.count_of(product).await;
            assert_eq!(counted, self.model.count(product, at, terms.count_window));
        }
        for machine in &self.machines {
            let history = self.world.history(machine).await;
            assert!(history.len() <= usize::from(EVENTS_A_MACHINE));
            let known = self.model.machines.contains_key(&(machine.product, machine.id));
            assert!(known || history.is_empty(), "of a machine that is forgotten nothing is kept");
        }
    }
}

#[derive(Default)]
struct Model {
    last_time: Option<Timestamp>,
    machines: BTreeMap<(ProductId, MachineId), Known>,
}

struct Known {
    state: RecordState,
    serial: u64,
    nonce: Nonce,
    asked_at: Timestamp,
    seen_at: Timestamp,
    fingerprint: Vec<u8>,
}

impl Model {
    fn ledger_time(&self, at: Timestamp) -> Timestamp {
        self.last_time.map_or(at, |last| last.max(at))
    }

    fn count(&self, product: ProductId, at: Timestamp, window: Duration) -> u64 {
        let counted = self.active_ones(product).filter(|known| is_counted(known, at, window));
        counted.count().try_into().unwrap()
    }

    /// How many records are active, and how many are in each other state.
    fn known(&self, product: ProductId) -> (u64, Inactive) {
        let mut inactive = Inactive::default();
        for (_, known) in self.machines.iter().filter(|((of, _), _)| *of == product) {
            match known.state {
                RecordState::Active => {}
                RecordState::Released => inactive.released += 1,
                RecordState::Replaced => inactive.replaced += 1,
                RecordState::Blocked => inactive.blocked += 1,
            }
        }
        (self.active_ones(product).count().try_into().unwrap(), inactive)
    }

    fn change(&mut self, verb: Verb, machine: &Machine) -> String {
        let key = (machine.product, machine.id);
        let Some(known) = self.machines.get_mut(&key) else {
            return "unknown".to_owned();
        };
        let (was, blocked) = (known.state.name(), known.state == RecordState::Blocked);
        match (verb, blocked) {
            (Verb::Block, true) => return "blocked already".to_owned(),
            (Verb::Unblock, false) => return format!("not blocked, but {was}"),
            (Verb::Forget, true) => return "still blocked".to_owned(),
            (Verb::Block, false) => known.state = RecordState::Blocked,
            (Verb::Unblock, true) => known.state = RecordState::Released,
            (Verb::Forget, false) => {
                self.machines.remove(&key);
            }
        }
        format!("done, it was {was}")
    }

    fn prune(&mut self, product: ProductId, now: Timestamp, before: Timestamp, window: Duration) -> u64 {
        let (at, held) = (self.ledger_time(now), self.machines.len());
        self.machines.retain(|(of, _), known| {
            let counted = known.state == RecordState::Active && is_counted(known, at, window);
            *of != product || counted || known.state == RecordState::Blocked || before <= known.seen_at
        });
        (held - self.machines.len()).try_into().unwrap()
    }

    fn active_ones(&self, product: ProductId) -> impl Iterator<Item = &Known> {
        let of_product =
            move |((of, _), known): (&(ProductId, MachineId), _)| (*of == product).then_some(known);
        let known = self.machines.iter().filter_map(of_product);
        known.filter(|known: &&Known| known.state == RecordState::Active)
    }

    /// What follows from an ask that was answered so.
    fn follow(&mut self, sighting: &Sighting, outcome: &Outcome) {
        let is_blocked = |machine: MachineId| {
            let known = self.machines.get(&(sighting.product, machine));
            known.is_some_and(|known| known.state == RecordState::Blocked)
        };
        let shut_out = is_blocked(sighting.machine) || sighting.replaces.is_some_and(is_blocked);
        assert_eq!(shut_out, outcome.decision == Decision::Refused(Reason::Blocked));
        if matches!(outcome.decision, Decision::Refused(_)) {
            return;
        }
        let now = self.ledger_time(sighting.at);
        self.last_time = Some(now);
        // A machine that is known keeps state, whatever it says.
        if sighting.kept || self.machines.contains_key(&(sighting.product, sighting.machine)) {
            self.enter(sighting, outcome, now);
        }
        let count = self.count(sighting.product, now, sighting.terms.count_window);
        match outcome.decision {
            Decision::Lease { grant, .. } => {
                assert_eq!(grant.count, count);
                let evidence = now.since(grant.threshold_met_at) < sighting.terms.count_window;
                assert!(u64::from(THRESHOLD) <= count || sighting.shown != Shown::Nothing && evidence);
            }
            Decision::Waiting { count: told, .. } => {
                assert_eq!(told, count);
                assert!(count < u64::from(THRESHOLD));
            }
            Decision::Released { .. } | Decision::Refused(_) | Decision::Verify => {}
        }
    }

    fn enter(&mut self, sighting: &Sighting, outcome: &Outcome, now: Timestamp) {
        let (Decision::Lease { serial, .. }
        | Decision::Waiting { serial, .. }
        | Decision::Released { serial }) = outcome.decision
        else {
            return;
        };
        let key = (sighting.product, sighting.machine);
        let presented = &sighting.presented;
        let known = self.machines.get(&key);
        if known.is_some_and(|known| {
            presented.serial < known.serial
                && presented.nonce == known.nonce
                && presented.asked_at <= known.asked_at
        }) {
            return;
        }
        let fingerprint = sighting.fingerprint.as_slice().to_vec();
        if let (None, Some(replaced)) = (known, sighting.replaces)
            && let Some(old) = self.machines.get_mut(&(sighting.product, replaced))
            && old.state == RecordState::Active
            && old.fingerprint == fingerprint
        {
            old.state = RecordState::Replaced;
        }
        let state = match sighting.kind {
            AskKind::Activate => RecordState::Active,
            AskKind::Release => RecordState::Released,
        };
        self.machines.insert(
            key,
            Known {
                state,
                serial,
                nonce: presented.nonce,
                asked_at: presented.asked_at,
                seen_at: now,
                fingerprint,
            },
        );
    }
}

/// By whole hours, as protocol.md 6 has it.
fn is_counted(known: &Known, at: Timestamp, window: Duration) -> bool {
    let hour = |at: Timestamp| at.unix_ms().div_euclid(3_600_000);
    let window_hours = i64::try_from(window.as_secs().div_ceil(3600)).unwrap();
    hour(at) - window_hours < hour(known.seen_at)
}
