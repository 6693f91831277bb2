//! What is counted of a phase, and of a second, while it goes on.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::{Counter, Histogram};

use super::{Begun, Exchange};
use crate::load::outcome::Counting;
use crate::load::result::{Phase, Second, Spread};

/// A latency beyond an hour is counted as an hour.
pub(super) const LONGEST_US: u64 = 3_600_000_000;

/// A phase that may still go on.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) begun: Begun,
    pub(super) from: Duration,
    pub(super) to: Option<Duration>,
    pub(super) asked: u64,
    /// Answers that came while it lasted, to whatever ask.
    pub(super) answers: u64,
    pub(super) outcomes: BTreeMap<String, u64>,
    response: Histogram<u64>,
    service: Histogram<u64>,
}

/// What came in a stretch of time.
#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) due: u64,
    pub(super) outcomes: BTreeMap<String, u64>,
    pub(super) response: Histogram<u32>,
    count: Option<Counting>,
}

impl Running {
    pub(super) fn new(begun: Begun, from: Duration) -> Running {
        Running {
            begun,
            from,
            to: None,
            asked: 0,
            answers: 0,
            outcomes: BTreeMap::new(),
            response: histogram(3),
            service: histogram(3),
        }
    }

    /// Counts it, and gives its response time in microseconds: a closed phase has no plan to count from.
    pub(super) fn answered(&mut self, exchange: &Exchange) -> u64 {
        let service_us = us(exchange.done.saturating_sub(exchange.sent));
        let planned_us = us(exchange.done.saturating_sub(exchange.due));
        let response_us = if self.begun.open { planned_us } else { service_us };
        record(&mut self.response, response_us);
        record(&mut self.service, service_us);
        bump(&mut self.outcomes, exchange.outcome.name());
        response_us
    }

    pub(super) fn finish(self, at: Duration) -> Phase {
        let Begun { name, pace, open, measured } = self.begun;
        Phase {
            name,
            from_s: seconds(self.from),
            to_s: seconds(self.to.unwrap_or(at)),
            pace,
            open,
            measured,
            asked: self.asked,
            answers: self.answers,
            outcomes: self.outcomes,
            response: spread(&self.response),
            service: spread(&self.service),
        }
    }
}

impl Bucket {
    pub(super) fn new() -> Bucket {
        Bucket { due: 0, outcomes: BTreeMap::new(), response: histogram(2), count: None }
    }

    pub(super) fn answered(&mut self, name: &str, response_us: u64, count: Option<Counting>) {
        record(&mut self.response, response_us);
        bump(&mut self.outcomes, name);
        self.count = self.count.max(count);
    }

    pub(super) fn finish(self, at_unix_s: i64, prepares: bool) -> Second {
        Second {
            at_unix_s,
            prepares,
            due: self.due,
            outcomes: self.outcomes,
            response: spread(&self.response),
            count: self.count.map(|counting| counting.count),
            threshold: self.count.map(|counting| counting.threshold),
        }
    }
}

/// It grows as it must, so that a bucket for each second of an hour takes little memory.
fn histogram<C: Counter>(digits: u8) -> Histogram<C> {
    Histogram::new(digits).expect("up to 5 digits are allowed")
}

fn record<C: Counter>(histogram: &mut Histogram<C>, value_us: u64) {
    histogram.record(value_us.min(LONGEST_US)).expect("it grows to an hour");
}

fn spread<C: Counter>(histogram: &Histogram<C>) -> Spread {
    let counts =
        histogram.iter_recorded().map(|step| (step.value_iterated_to(), step.count_at_value().as_u64()));
    Spread(counts.collect())
}

/// One more of this name. The name is only copied when it is new: this runs for every ask.
pub(super) fn bump(counts: &mut BTreeMap<String, u64>, name: &str) {
    if let Some(count) = counts.get_mut(name) {
        *count += 1;
    } else {
        counts.insert(name.to_owned(), 1);
    }
}

pub(super) fn us(length: Duration) -> u64 {
    u64::try_from(length.as_micros()).unwrap_or(u64::MAX)
}

/// To the microsecond, so that the figure survives being written, read and shifted.
#[expect(clippy::cast_precision_loss, reason = "a run of far less than 2^52 µs")]
fn seconds(length: Duration) -> f64 {
    us(length) as f64 / 1e6
}
