//! A ledger, some machines and a clock: the words of every story.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use shared::answer::ShownLease;
use shared::ask::AskKind;
use shared::count::{Decision, Entrants, Outcome, Sighting, Terms};
use shared::ids::{Fingerprint, LedgerId, MachineId, Nonce, ProductId};
use shared::inventory::{Change, Changed, Prune, Pruned, Verb};
use shared::record::Meta;
use shared::serial::Mark;
use shared::time::Timestamp;
use store::{Batch, Engine, MAX_BATCH, Store};
use tempfile::TempDir;

use crate::testing::{self, MemoryLedger};
use crate::{Housekeeping, Ledger, Recount, Write, Written};

pub const HOUR: Duration = Duration::from_hours(1);
pub const DAY: Duration = Duration::from_hours(24);
pub const CACHE_BYTES: u64 = 1 << 20;

pub const PRODUCT: ProductId = ProductId::from_bytes([1; 16]);
pub const OTHER_PRODUCT: ProductId = ProductId::from_bytes([2; 16]);
pub const LEDGER: LedgerId = LedgerId::from_bytes([7; 16]);
pub const SIBLING: LedgerId = LedgerId::from_bytes([8; 16]);

/// Half past an hour, so that a story that means an hour's border has to say so.
pub const START: Timestamp = Timestamp::from_unix_ms(500_000 * 3_600_000 + 1_800_000);

#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Backend {
    /// In memory.
    Memory,
    /// On disk.
    On(Engine),
    /// Made by whoever brings another one, with these rows in it.
    Other(fn(Meta, Vec<crate::Entry>) -> Arc<dyn Ledger>),
}

pub struct World {
    pub ledger: Arc<dyn Ledger>,
    pub now: Timestamp,
    pub terms: Terms,
    _home: Option<TempDir>,
}

/// A client as the ledger meets it: it keeps what an answer brings, and shows the lease that it holds.
#[derive(Clone)]
pub struct Machine {
    pub id: MachineId,
    pub product: ProductId,
    pub serial: u64,
    pub nonce: Nonce,
    pub fingerprint: Fingerprint,
    pub replaces: Option<MachineId>,
    pub lease: Option<ShownLease>,
    pub kept: bool,
}

pub fn meta(hour_width_ms: u64) -> Meta {
    Meta { ledger: LEDGER, hour_width_ms, pepper: [9; 32] }
}

pub fn hourly() -> Meta {
    meta(3_600_000)
}

pub fn terms() -> Terms {
    Terms { threshold: 25, count_window: 30 * DAY, validity: 180 * DAY, clock_tolerance: 4 * HOUR }
}

impl World {
    pub fn new(backend: Backend) -> World {
        World::with(backend, hourly(), Vec::new())
    }

    /// A ledger that has these rows already.
    pub fn with(backend: Backend, meta: Meta, rows: Vec<crate::Entry>) -> World {
        match backend {
            Backend::Memory => World::over(Arc::new(MemoryLedger::with_rows(meta, rows)), None),
            Backend::On(engine) => {
                let home = tempfile::tempdir().unwrap();
                drop(crate::create(home.path(), engine, CACHE_BYTES, meta).unwrap());
                put_rows(home.path(), engine, rows);
                let ledger = crate::open(home.path(), engine, CACHE_BYTES, &|_| {}).unwrap();
                World::over(ledger, Some(home))
            }
            Backend::Other(make) => World::over(make(meta, rows), None),
        }
    }

    pub fn over(ledger: Arc<dyn Ledger>, home: Option<TempDir>) -> World {
        World { ledger, now: START, terms: terms(), _home: home }
    }

    pub fn sighting(&self, machine: &Machine, kind: AskKind) -> Sighting {
        Sighting {
            product: machine.product,
            machine: machine.id,
            presented: Mark { serial: machine.serial, nonce: machine.nonce, asked_at: self.now },
            fingerprint: machine.fingerprint,
            kind,
            kept: machine.kept,
            replaces: machine.replaces,
            shown: machine.lease.into(),
            entrants: Entrants::Anybody,
            at: self.now,
            terms: self.terms,
        }
    }

    /// The machine asks, hears the answer, and says what it was told.
    pub async fn ask(&self, machine: &mut Machine) -> String {
        let outcome = self.apply(self.sighting(machine, AskKind::Activate)).await;
        machine.hear(&outcome);
        told(&outcome)
    }

    /// The machine asks, and the answer is lost.
    pub async fn ask_in_vain(&self, machine: &Machine) -> String {
        told(&self.apply(self.sighting(machine, AskKind::Activate)).await)
    }

    pub async fn release(&self, machine: &mut Machine) -> String {
        let outcome = self.apply(self.sighting(machine, AskKind::Release)).await;
        machine.hear(&outcome);
        told(&outcome)
    }

    /// All ask in one batch, in this order.
    pub async fn ask_together(&self, machines: &mut [Machine]) -> Vec<String> {
        self.together(machines, AskKind::Activate).await
    }

    /// All leave in one batch, in this order.
    pub async fn release_together(&self, machines: &mut [Machine]) -> Vec<String> {
        self.together(machines, AskKind::Release).await
    }

    async fn together(&self, machines: &mut [Machine], kind: AskKind) -> Vec<String> {
        let sightings = machines.iter().map(|machine| self.sighting(machine, kind));
        let outcomes = testing::sight(&*self.ledger, sightings.collect()).await.unwrap();
        for (machine, outcome) in machines.iter_mut().zip(&outcomes) {
            machine.hear(outcome);
        }
        outcomes.iter().map(told).collect()
    }

    pub async fn apply(&self, sighting: Sighting) -> Outcome {
        testing::sight(&*self.ledger, vec![sighting]).await.unwrap()[0]
    }

    /// Ends a doubt of the host's clock.
    pub async fn settle(&self, products: Vec<(ProductId, Terms)>, now: Timestamp) {
        self.write(Write::Settle(Housekeeping::alone(), products, now)).await;
    }

    /// Removes whoever is to go, of one page.
    pub async fn prune_page(&self, prune: Prune) -> Pruned {
        match self.write(Write::Prune(Housekeeping::alone(), prune)).await {
            Written::Pruned(pruned) => pruned,
            other => panic!("{other:?}"),
        }
    }

    async fn write(&self, write: Write) -> Written {
        testing::write(&*self.ledger, write).await.unwrap()
    }

    /// Machines counted now, once everything that must agree with that number does.
    pub async fn count(&self) -> u64 {
        self.count_of(PRODUCT).await
    }

    pub async fn count_of(&self, product: ProductId) -> u64 {
        let reading = self.ledger.reading(product, &self.terms, self.now).await.unwrap();
        let recount = self.recount_of(product).await;
        // Another window is summed from the counters of all hours, and so tells what they add up to.
        let another_window = Terms { count_window: self.terms.count_window + HOUR, ..self.terms };
        let summed = self.ledger.reading(product, &another_window, self.now).await.unwrap();
        assert_eq!(reading.tally.total, recount.counted, "running total and recount");
        assert_eq!(reading.tally.active, recount.active, "running number and active records");
        assert_eq!(summed.tally.active, recount.active, "sum of the hours and active records");
        assert_eq!(reading.inactive, recount.inactive, "running numbers and records that are not active");
        assert_eq!(recount.records, recount.active + recount.inactive.total());
        assert_eq!(recount.damaged, 0);
        reading.tally.total
    }

    /// What the administrator does, and what they are told.
    pub async fn change(&self, verb: Verb, machine: &Machine) -> String {
        let change = Change { product: machine.product, machine: machine.id, verb, at: self.now };
        match self.write(Write::Change(change)).await {
            Written::Changed(Changed::Done(state)) => format!("done, it was {}", state.name()),
            Written::Changed(Changed::Unknown) => "unknown".to_owned(),
            Written::Changed(Changed::AlreadyBlocked) => "blocked already".to_owned(),
            Written::Changed(Changed::NotBlocked(state)) => format!("not blocked, but {}", state.name()),
            Written::Changed(Changed::StillBlocked) => "still blocked".to_owned(),
            other => panic!("{other:?}"),
        }
    }

    /// Removes whoever was last seen before, page by page; says how many they were.
    pub async fn prune(&self, product: ProductId, before: Timestamp, limit: usize) -> u64 {
        let (mut removed, mut after) = (0, None);
        // More pages than any story has.
        for _ in 0..1000 {
            let prune = Prune { product, terms: self.terms, before, after, limit, at: self.now };
            let pruned = self.prune_page(prune).await;
            removed += pruned.removed;
            after = pruned.next;
            if after.is_none() {
                return removed;
            }
        }
        panic!("no end of pages");
    }

    /// How many records there are: active, released, replaced and blocked.
    pub async fn known(&self) -> [u64; 4] {
        let reading = self.ledger.reading(PRODUCT, &self.terms, self.now).await.unwrap();
        [reading.tally.active, reading.inactive.released, reading.inactive.replaced, reading.inactive.blocked]
    }

    /// What has happened to a machine, in its order.
    pub async fn history(&self, machine: &Machine) -> Vec<&'static str> {
        let events = self.ledger.history(machine.product, machine.id).await.unwrap();
        assert!(events.is_sorted_by(|one, next| one.number + 1 == next.number), "{events:?}");
        events.iter().map(|event| event.kind.name()).collect()
    }

    pub async fn recount_of(&self, product: ProductId) -> Recount {
        crate::recount(&*self.ledger, product, &self.terms, self.now).await.unwrap()
    }

    pub async fn seen_at(&self, machine: &Machine) -> Timestamp {
        let record = self.ledger.record(machine.product, machine.id).await.unwrap();
        record.expect("the machine has a record").seen_at
    }

    pub async fn state_of(&self, machine: &Machine) -> &'static str {
        let record = self.ledger.record(machine.product, machine.id).await.unwrap();
        record.map_or("none", |record| record.state.name())
    }
}

/// A number that no other machine or nonce of this process has.
fn fresh() -> [u8; 16] {
    static LAST: AtomicU64 = AtomicU64::new(0);
    u128::from(LAST.fetch_add(1, Ordering::Relaxed) + 1).to_be_bytes()
}

impl Machine {
    /// A machine with a fingerprint of its own.
    #[expect(clippy::new_without_default, reason = "no two of them are the same")]
    pub fn new() -> Machine {
        let id = fresh();
        Machine {
            id: MachineId::from_bytes(id),
            product: PRODUCT,
            serial: 0,
            nonce: Nonce::from_bytes(fresh()),
            fingerprint: Fingerprint::from_slice(&id).unwrap(),
            replaces: None,
            lease: None,
            kept: true,
        }
    }

    pub fn some(number: usize) -> Vec<Machine> {
        (0..number).map(|_| Machine::new()).collect()
    }

    pub fn of(product: ProductId) -> Machine {
        Machine { product, ..Machine::new() }
    }

    /// Another machine with all that this one knows.
    pub fn copied(&self) -> Machine {
        Machine { nonce: Nonce::from_bytes(fresh()), ..self.clone() }
    }

    /// What a machine becomes that was told that it is a copy: a new key that replaces this one.
    pub fn rekeyed(&self) -> Machine {
        let Machine { id, serial, .. } = Machine::new();
        Machine { id, serial, nonce: Nonce::from_bytes(fresh()), replaces: Some(self.id), ..self.clone() }
    }

    pub fn hear(&mut self, outcome: &Outcome) {
        let (Decision::Lease { serial, .. }
        | Decision::Waiting { serial, .. }
        | Decision::Released { serial }) = outcome.decision
        else {
            return;
        };
        self.serial = serial;
        self.nonce = Nonce::from_bytes(fresh());
        match outcome.decision {
            Decision::Lease { grant, .. } => {
                self.lease = Some(ShownLease {
                    machine: self.id,
                    ledger: LEDGER,
                    serial,
                    threshold_met_at: grant.threshold_met_at,
                    issued_at: grant.threshold_met_at,
                });
            }
            Decision::Released { .. } => self.lease = None,
            Decision::Waiting { .. } | Decision::Refused(_) | Decision::Verify => {}
        }
    }
}

/// What a machine is told, in a few words: the answer and its serial, and the count.
pub fn told(outcome: &Outcome) -> String {
    let behind = if outcome.ledger_is_behind { ", behind" } else { "" };
    match outcome.decision {
        Decision::Lease { serial, grant } => format!("lease {serial} of {}{behind}", grant.count),
        Decision::Waiting { serial, count } => format!("waiting {serial} of {count}{behind}"),
        Decision::Released { serial } => format!("released {serial}{behind}"),
        Decision::Refused(reason) => format!("refused {}{behind}", reason.code()),
        Decision::Verify => "verify".to_owned(),
    }
}

/// Writes rows into a closed ledger behind its back.
pub fn put_rows(directory: &Path, engine: Engine, rows: Vec<crate::Entry>) {
    let store = Store::open(directory, engine, CACHE_BYTES).unwrap();
    for rows in rows.chunks(MAX_BATCH) {
        let mut batch = Batch::new();
        for (key, value) in rows {
            batch.put(key.clone(), value.clone());
        }
        store.write(batch).unwrap();
    }
    store.sync().unwrap();
}
