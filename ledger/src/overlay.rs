//! A transaction: reads that are remembered and writes that are held back, over any ordered keys and values.
//!
//! [`Overlay`] is what `shared::count` decides on. It turns rows into bytes and back. What is decided on it is `transaction.rs`.

use std::collections::{BTreeMap, HashMap};
use std::mem;
use std::ops::Deref;

use shared::count::{self, Decision, Outcome, Rows, Sighting};
use shared::ids::{LedgerId, MachineId, ProductId};
use shared::record::{self, Damaged, Event, Inactive, Meta, Record, Tally, key};
use shared::time::Timestamp;

use super::base::{Base, Changes, Sink};
use super::{LedgerError, Restored, Row};

/// Rows as a transaction sees them. It assumes that nobody else writes to the base while it lives.
pub(crate) struct Overlay<'m, B> {
    /// Writes that are held back are not in it.
    pub(crate) base: B,
    pub(crate) meta: &'m Meta,
    /// What was read.
    known: HashMap<Vec<u8>, Option<Vec<u8>>>,
    pub(crate) changes: Changes,
}

impl<'m, B: Deref<Target: Base>> Overlay<'m, B> {
    pub(crate) fn new(base: B, meta: &'m Meta) -> Self {
        let (known, changes) = (HashMap::new(), Changes::new());
        Self { base, meta, known, changes }
    }

    /// Decides one sighting. After an error the whole overlay is of no use any more.
    pub(crate) fn decide(&mut self, sighting: &Sighting) -> Result<Outcome, LedgerError> {
        let outcome = count::sight(self, sighting)?;
        if outcome.ledger_is_behind {
            self.note_restored(sighting, &outcome)?;
        }
        Ok(outcome)
    }

    /// Drops the writes that are held back, and what was read.
    pub(crate) fn forget(&mut self) {
        self.known.clear();
        self.changes.clear();
    }

    /// Whether and when the ledger was found to have been restored.
    pub(crate) fn restored(&mut self) -> Result<Option<Restored>, LedgerError> {
        let Some(at) = self.number(key::RESTORED_AT, Row::Restored)? else {
            return Ok(None);
        };
        let machines = self.number(key::RESTORED_MACHINES, Row::Restored)?;
        Ok(Some(Restored { at: Timestamp::from_unix_ms(at.cast_signed()), machines: machines.unwrap_or(0) }))
    }

    /// One alarm, dated when it began. A machine is relearned by being answered, so it adds to the number once; one
    /// that is refused or keeps no record would add to it at every ask, and so does not.
    fn note_restored(&mut self, sighting: &Sighting, outcome: &Outcome) -> Result<(), LedgerError> {
        let restored = match self.restored()? {
            Some(restored) => restored,
            None => Restored {
                at: self.last_time()?.map_or(sighting.at, |last| last.max(sighting.at)),
                machines: 0,
            },
        };
        let relearned = sighting.kept && !matches!(outcome.decision, Decision::Refused(_));
        self.put_number(key::RESTORED_AT.to_vec(), restored.at.unix_ms().cast_unsigned());
        self.put_number(key::RESTORED_MACHINES.to_vec(), restored.machines + u64::from(relearned));
        Ok(())
    }

    /// All entries that begin with a prefix, in order.
    fn entries(&self, prefix: &[u8]) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, LedgerError> {
        let mut entries: BTreeMap<_, _> = self.base.scan(prefix, None, usize::MAX)?.into_iter().collect();
        for (key, value) in self.changes.range(prefix.to_vec()..) {
            if !key.starts_with(prefix) {
                break;
            }
            match value {
                Some(value) => entries.insert(key.clone(), value.clone()),
                None => entries.remove(key),
            };
        }
        Ok(entries)
    }

    fn read(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, LedgerError> {
        if let Some(value) = self.changes.get(key).or_else(|| self.known.get(key)) {
            return Ok(value.clone());
        }
        let value = self.base.read(key)?;
        self.known.insert(key.to_vec(), value.clone());
        Ok(value)
    }

    fn row<T>(
        &mut self,
        key: &[u8],
        row: Row,
        decode: impl FnOnce(&[u8], &[u8]) -> Result<T, Damaged>,
    ) -> Result<Option<T>, LedgerError> {
        let value = self.read(key)?;
        value.map(|value| decode(key, &value).map_err(|Damaged| LedgerError::Damaged { row })).transpose()
    }

    fn number(&mut self, key: &[u8], row: Row) -> Result<Option<u64>, LedgerError> {
        self.row(key, row, record::decode_number)
    }

    /// The checksum of a value covers its key.
    fn put(&mut self, key: Vec<u8>, encode: impl FnOnce(&[u8]) -> Vec<u8>) {
        let value = encode(&key);
        self.changes.insert(key, Some(value));
    }

    fn put_number(&mut self, key: Vec<u8>, number: u64) {
        self.put(key, |key| record::encode_number(key, number));
    }
}

impl<S: Sink> Overlay<'_, &mut S> {
    /// Writes what there is if so many changes more would not go with it.
    pub(crate) fn make_room(&mut self, changes: usize) -> Result<(), LedgerError> {
        if self.changes.len() + changes <= S::ROWS_MAX { Ok(()) } else { self.flush() }
    }

    /// Writes what is held back, and goes on after it. What follows is read again: a copy of every row would cost more.
    pub(crate) fn flush(&mut self) -> Result<(), LedgerError> {
        if self.changes.is_empty() {
            return Ok(());
        }
        self.known.clear();
        self.base.write(mem::take(&mut self.changes))
    }
}

impl<B: Deref<Target: Base>> Rows for Overlay<'_, B> {
    type Error = LedgerError;

    fn ledger(&self) -> LedgerId {
        self.meta.ledger
    }

    fn hour_width_ms(&self) -> u64 {
        self.meta.hour_width_ms
    }

    fn last_time(&mut self) -> Result<Option<Timestamp>, LedgerError> {
        let number = self.number(key::LAST_TIME, Row::LastTime)?;
        Ok(number.map(|number| Timestamp::from_unix_ms(number.cast_signed())))
    }

    fn put_last_time(&mut self, time: Timestamp) {
        self.put_number(key::LAST_TIME.to_vec(), time.unix_ms().cast_unsigned());
    }

    fn record(&mut self, product: ProductId, machine: MachineId) -> Result<Option<Record>, LedgerError> {
        let key = key::record(product, machine);
        self.row(&key, Row::Record(product, machine), Record::decode)
    }

    fn put_record(&mut self, product: ProductId, machine: MachineId, record: Record) {
        self.put(key::record(product, machine), |key| record.encode(key));
    }

    fn remove(&mut self, product: ProductId, machine: MachineId) -> Result<(), LedgerError> {
        for key in self.entries(&key::events(product, machine))?.into_keys() {
            self.changes.insert(key, None);
        }
        self.changes.insert(key::record(product, machine), None);
        Ok(())
    }

    fn events(&mut self, product: ProductId, machine: MachineId) -> Result<Vec<Event>, LedgerError> {
        let entries = self.entries(&key::events(product, machine))?;
        let events = entries.iter().filter_map(|(key, value)| Event::decode(key, value).ok());
        let mut events: Vec<_> = events.collect();
        events.sort_by_key(|event| event.number);
        Ok(events)
    }

    fn put_event(&mut self, product: ProductId, machine: MachineId, event: Event) {
        self.put(key::event(product, machine, event.slot()), |key| event.encode(key));
    }

    fn inactive(&mut self, product: ProductId) -> Result<Inactive, LedgerError> {
        let inactive = self.row(&key::inactive(product), Row::Inactive(product), Inactive::decode)?;
        Ok(inactive.unwrap_or_default())
    }

    fn put_inactive(&mut self, product: ProductId, inactive: Inactive) {
        self.put(key::inactive(product), |key| inactive.encode(key));
    }

    fn tally(&mut self, product: ProductId) -> Result<Option<Tally>, LedgerError> {
        self.row(&key::tally(product), Row::Tally(product), Tally::decode)
    }

    fn put_tally(&mut self, product: ProductId, tally: Tally) {
        self.put(key::tally(product), |key| tally.encode(key));
    }

    fn hour(&mut self, product: ProductId, hour: i64) -> Result<u64, LedgerError> {
        Ok(self.number(&key::hour(product, hour), Row::Hour(product, hour))?.unwrap_or(0))
    }

    fn put_hour(&mut self, product: ProductId, hour: i64, machines: u64) {
        let key = key::hour(product, hour);
        if machines == 0 {
            self.changes.insert(key, None);
        } else {
            self.put_number(key, machines);
        }
    }

    fn hours(&mut self, product: ProductId) -> Result<Vec<(i64, u64)>, LedgerError> {
        let entries = self.entries(&key::hours(product))?;
        let hours = entries.iter().filter_map(|(key, value)| {
            let hour = key::parse_hour(key)?;
            let row = Row::Hour(product, hour);
            let machines = record::decode_number(key, value).map_err(|Damaged| LedgerError::Damaged { row });
            Some(machines.map(|machines| (hour, machines)))
        });
        hours.collect()
    }

    fn unkept(&mut self, product: ProductId, day: i64) -> Result<u64, LedgerError> {
        Ok(self.number(&key::unkept(product, day), Row::Unkept(product, day))?.unwrap_or(0))
    }

    fn put_unkept(&mut self, product: ProductId, day: i64, asks: u64) {
        self.put_number(key::unkept(product, day), asks);
    }
}
