//! Reports about sources, for people: all of them, the largest first, and those that need attention.

use std::time::Duration;

use shared::fair;
use shared::ids::ProductId;
use shared::time::Timestamp;

use super::seen::{Activity, SourceLimiting};
use super::{Fairness, Limited, Source};

/// The sources, and the sum of those that are not told apart.
#[derive(Clone, Debug)]
pub struct Report {
    /// The largest first.
    pub rows: Vec<SourceTotals>,
    /// The number of sources, shown or not.
    pub sources: usize,
    /// The sum of sources that are not told apart: too many came, or they have no address.
    pub others: SourceTotals,
}

/// The figures of one source since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceTotals {
    /// The source; none for those that are not told apart.
    pub source: Option<Source>,
    /// Machines that were entered in the last day.
    pub new_today: u64,
    /// Machines that were entered.
    pub new: u64,
    /// Asks.
    pub asks: u64,
    /// Bad asks that were read.
    pub bad: u64,
    /// New machines that a limit has refused.
    pub new_limited: u64,
    /// Asks that were refused unread, because of too many bad ones.
    pub bad_limited: u64,
    /// Connections that were closed because all places were taken.
    pub turned_away: u64,
}

/// The new machines of one source, if the count depends on them.
#[derive(Clone, Copy, Debug)]
pub struct Inflating {
    /// Which source.
    pub source: Source,
    /// The number of new machines in the last day.
    pub new: u64,
    /// The time since which the count depends on them.
    pub since: Option<Timestamp>,
}

/// A limit that refuses sources now.
#[derive(Clone, Copy, Debug)]
pub struct Limiting {
    /// The source that it has refused most often.
    pub worst: Option<Source>,
    /// How often.
    pub times: u64,
    /// How many sources it has refused.
    pub sources: usize,
    /// Which limit it is.
    pub limited: Limited,
    /// Since when.
    pub since: Timestamp,
}

impl Fairness {
    /// At most this many sources.
    pub fn report(&self, most: usize, now: Duration) -> Report {
        let book = self.book();
        let row = |source, seen: &Activity| SourceTotals {
            source,
            new_today: seen.new_today(now),
            new: seen.new,
            asks: seen.asks,
            bad: seen.bad,
            new_limited: seen.new_limited.times,
            bad_limited: seen.bad_limited.times,
            turned_away: seen.turned_away,
        };
        let mut rows: Vec<_> =
            book.told_apart.iter().map(|(source, seen)| row(Some(*source), seen)).collect();
        let others = row(None, &book.others);
        drop(book);
        let sources = rows.len();
        rows.sort_unstable_by_key(|row| {
            let trouble = row.new_limited + row.bad_limited + row.turned_away;
            std::cmp::Reverse((row.new_today, row.new, trouble, row.asks, row.source))
        });
        rows.truncate(most);
        Report { rows, sources, others }
    }

    /// The source of the most new machines of a product, if the count depends on them.
    pub fn inflating(
        &self,
        product: ProductId,
        count: u64,
        threshold: u32,
        now: Duration,
    ) -> Option<Inflating> {
        let book = self.book();
        let of_product = book.told_apart.iter().filter_map(|(source, seen)| {
            let entered = seen.entered.iter().find(|entered| entered.product == product)?;
            Some(Inflating { source: *source, new: entered.day.total(now), since: entered.inflates_since })
        });
        let largest = of_product.max_by_key(|inflating| (inflating.new, inflating.source));
        largest.filter(|largest| fair::inflates(largest.new, count, threshold))
    }

    /// The limit for new machines, if it refuses any now.
    pub fn limiting_new(&self, now: Duration) -> Option<Limiting> {
        self.limiting(now, |seen| &seen.new_limited)
    }

    /// The limit for bad asks, if it refuses any now.
    pub fn limiting_bad(&self, now: Duration) -> Option<Limiting> {
        self.limiting(now, |seen| &seen.bad_limited)
    }

    fn limiting(&self, now: Duration, which: impl Fn(&Activity) -> &SourceLimiting) -> Option<Limiting> {
        let book = self.book();
        let told_apart = book.told_apart.iter().map(|(source, seen)| (Some(*source), seen));
        let all = told_apart.chain([(None, &book.others)]);
        let all = all.filter_map(|(source, seen)| Some((source, which(seen).episode(now)?)));
        let all: Vec<_> = all.collect();
        let (worst, episode) = all.iter().max_by_key(|(source, episode)| (episode.times, *source))?;
        let since = all.iter().map(|(_, episode)| episode.since).min()?;
        Some(Limiting {
            worst: *worst,
            times: episode.times,
            sources: all.len(),
            limited: episode.last,
            since,
        })
    }
}
