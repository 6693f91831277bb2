//! Reports about sources, for people: all of them, as `kms.admin.v1` shows them, and those that need attention.

use std::time::Duration;

use proto::admin::v1 as wire;
use server::Source;
use shared::fair;
use shared::ids::ProductId;
use shared::time::Timestamp;

use super::seen::{Activity, SourceLimiting};
use super::{Fairness, Limited};

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
    /// At most this many sources, the largest first, and the sum of those that are not told apart.
    pub(crate) fn report(&self, most: usize, now: Duration) -> wire::ListSourcesResponse {
        let book = self.book();
        let row = |source: String, seen: &Activity| wire::Source {
            source,
            new_today: seen.new_today(now),
            new: seen.new,
            asks: seen.asks,
            bad: seen.bad,
            new_refused: seen.new_limited.times,
            unheard: seen.bad_limited.times,
            turned_away: seen.turned_away,
        };
        let rows = book.told_apart.iter().map(|(source, seen)| row(source.to_string(), seen));
        let mut sources: Vec<_> = rows.collect();
        let (others, limits) = (row(String::new(), &book.others), book.allowances);
        drop(book);
        let total = sources.len() as u64;
        sources.sort_unstable_by(|one, other| size(other).cmp(&size(one)));
        sources.truncate(most);
        wire::ListSourcesResponse {
            sources,
            total,
            others: Some(others),
            limits: Some(wire::SourceLimits {
                new_machines_per_source: limits.new_per_source.most(),
                new_machines_per_site: limits.new_per_site.most(),
                bad_asks_per_source: limits.bad_per_source.most(),
                bad_asks_per_site: limits.bad_per_site.most(),
            }),
        }
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

/// What is compared to find the largest source.
fn size(row: &wire::Source) -> (u64, u64, u64, u64, &str) {
    let trouble = row.new_refused + row.unheard + row.turned_away;
    (row.new_today, row.new, trouble, row.asks, &row.source)
}
