//! A ledger in a few ordered maps: the rows that `count` asks for, and nothing else.

use core::convert::Infallible;
use std::collections::BTreeMap;

use shared::count::{self, Decision, Outcome, Rows, Sighting, Terms};
use shared::ids::{LedgerId, MachineId, ProductId};
use shared::record::{Event, Inactive, Record, RecordState, Tally};
use shared::time::Timestamp;

/// A ledger in memory.
#[derive(Clone, Debug)]
pub(crate) struct Books {
    pub(crate) ledger: LedgerId,
    pub(crate) hour_width_ms: u64,
    pub(crate) last_time: Option<Timestamp>,
    pub(crate) records: BTreeMap<(ProductId, MachineId), Record>,
    pub(crate) events: BTreeMap<(ProductId, MachineId, u8), Event>,
    pub(crate) inactive: BTreeMap<ProductId, Inactive>,
    pub(crate) tallies: BTreeMap<ProductId, Tally>,
    pub(crate) hours: BTreeMap<(ProductId, i64), u64>,
    pub(crate) unkept: BTreeMap<(ProductId, i64), u64>,
}

impl Books {
    pub(crate) fn new(ledger: LedgerId) -> Books {
        Books {
            ledger,
            hour_width_ms: 3_600_000,
            last_time: None,
            records: BTreeMap::new(),
            events: BTreeMap::new(),
            inactive: BTreeMap::new(),
            tallies: BTreeMap::new(),
            hours: BTreeMap::new(),
            unkept: BTreeMap::new(),
        }
    }

    pub(crate) fn sight(&mut self, sighting: &Sighting) -> Outcome {
        let Ok(outcome) = count::sight(self, sighting);
        outcome
    }

    pub(crate) fn decide(&mut self, sighting: &Sighting) -> Decision {
        self.sight(sighting).decision
    }

    /// How many machines are counted at this instant.
    pub(crate) fn total(&mut self, product: ProductId, terms: &Terms, now: Timestamp) -> u64 {
        let Ok(tally) = count::read(self, product, terms, now);
        tally.total
    }

    pub(crate) fn state(&self, product: ProductId, machine: MachineId) -> Option<RecordState> {
        self.records.get(&(product, machine)).map(|record| record.state)
    }
}

impl Rows for Books {
    type Error = Infallible;

    fn ledger(&self) -> LedgerId {
        self.ledger
    }

    fn hour_width_ms(&self) -> u64 {
        self.hour_width_ms
    }

    fn last_time(&mut self) -> Result<Option<Timestamp>, Infallible> {
        Ok(self.last_time)
    }

    fn put_last_time(&mut self, time: Timestamp) {
        self.last_time = Some(time);
    }

    fn record(&mut self, product: ProductId, machine: MachineId) -> Result<Option<Record>, Infallible> {
        Ok(self.records.get(&(product, machine)).copied())
    }

    fn put_record(&mut self, product: ProductId, machine: MachineId, record: Record) {
        self.records.insert((product, machine), record);
    }

    fn remove(&mut self, product: ProductId, machine: MachineId) -> Result<(), Infallible> {
        self.records.remove(&(product, machine));
        self.events.retain(|(of_product, of, _), _| (*of_product, *of) != (product, machine));
        Ok(())
    }

    fn events(&mut self, product: ProductId, machine: MachineId) -> Result<Vec<Event>, Infallible> {
        let of_machine = self.events.range((product, machine, 0)..=(product, machine, u8::MAX));
        let mut events: Vec<_> = of_machine.map(|(_, event)| *event).collect();
        events.sort_by_key(|event| event.number);
        Ok(events)
    }

    fn put_event(&mut self, product: ProductId, machine: MachineId, event: Event) {
        self.events.insert((product, machine, event.slot()), event);
    }

    fn inactive(&mut self, product: ProductId) -> Result<Inactive, Infallible> {
        Ok(self.inactive.get(&product).copied().unwrap_or_default())
    }

    fn put_inactive(&mut self, product: ProductId, inactive: Inactive) {
        self.inactive.insert(product, inactive);
    }

    fn tally(&mut self, product: ProductId) -> Result<Option<Tally>, Infallible> {
        Ok(self.tallies.get(&product).copied())
    }

    fn put_tally(&mut self, product: ProductId, tally: Tally) {
        self.tallies.insert(product, tally);
    }

    fn hour(&mut self, product: ProductId, hour: i64) -> Result<u64, Infallible> {
        Ok(self.hours.get(&(product, hour)).copied().unwrap_or(0))
    }

    fn put_hour(&mut self, product: ProductId, hour: i64, machines: u64) {
        match machines {
            0 => self.hours.remove(&(product, hour)),
            _ => self.hours.insert((product, hour), machines),
        };
    }

    fn hours(&mut self, product: ProductId) -> Result<Vec<(i64, u64)>, Infallible> {
        let of_product = self.hours.range((product, i64::MIN)..=(product, i64::MAX));
        Ok(of_product.map(|((_, hour), machines)| (*hour, *machines)).collect())
    }

    fn unkept(&mut self, product: ProductId, day: i64) -> Result<u64, Infallible> {
        Ok(self.unkept.get(&(product, day)).copied().unwrap_or(0))
    }

    fn put_unkept(&mut self, product: ProductId, day: i64, asks: u64) {
        self.unkept.insert((product, day), asks);
    }
}
