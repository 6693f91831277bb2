//! The state of one source, in memory as long as the host runs.

use std::time::Duration;

use shared::doubt::ClockReading;
use shared::fair::{Bucket, Rate};
use shared::ids::ProductId;
use shared::time::Timestamp;

use super::{Allowances, Limited};

const HOUR: Duration = Duration::from_hours(1);

/// A limit that has not refused for this long holds no machine back: a refused machine asks again within two hours, unless the
/// product's numbers are unusual.
const LIMIT_LASTS: Duration = Duration::from_hours(3);

/// One source, or all that are not told apart.
#[derive(Debug, Default)]
pub(super) struct Activity {
    pub(super) left: Left,
    /// Asks of every kind.
    pub(super) asks: u64,
    /// Bad asks.
    pub(super) bad: u64,
    /// Machines that were entered.
    pub(super) new: u64,
    /// Connections that were closed because all places were taken.
    pub(super) turned_away: u64,
    /// New machines that were refused.
    pub(super) new_limited: SourceLimiting,
    /// Asks that were refused unread.
    pub(super) bad_limited: SourceLimiting,
    /// Machines that were entered, by product. A host has few of them.
    pub(super) entered: Vec<Entered>,
}

/// The remaining allowances of a source or of the site.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Left {
    pub(super) new: Bucket,
    /// For returning machines, once nothing is left for new ones: as many again.
    pub(super) returning: Bucket,
    /// The guaranteed share of a source; for the site, the machines that may enter on such shares beyond its limit.
    pub(super) guaranteed: Bucket,
    pub(super) bad: Bucket,
}

/// The machines of one product that a source has entered.
#[derive(Debug)]
pub(super) struct Entered {
    pub(super) product: ProductId,
    pub(super) day: Day,
    /// The time since which the count would depend on them, if it does.
    pub(super) inflates_since: Option<Timestamp>,
}

/// The number in each of the last 24 hours, including the present one.
#[derive(Debug, Default)]
pub(super) struct Day {
    hour: u64,
    by_hour: [u32; 24],
}

/// The refusals of a limit, and whether it still refuses.
#[derive(Debug, Default)]
pub(super) struct SourceLimiting {
    pub(super) times: u64,
    episode: Option<Episode>,
}

/// A time in which a limit refused somebody again and again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Episode {
    pub(super) since: Timestamp,
    pub(super) times: u64,
    pub(super) last: Limited,
    at: Duration,
}

impl Activity {
    /// Machines that were entered in the last day.
    pub(super) fn new_today(&self, now: Duration) -> u64 {
        self.entered.iter().map(|entered| entered.day.total(now)).sum()
    }

    pub(super) fn entered(&mut self, product: ProductId) -> &mut Entered {
        let at = self.entered.iter().position(|entered| entered.product == product);
        let at = at.unwrap_or_else(|| {
            self.entered.push(Entered { product, day: Day::default(), inflates_since: None });
            self.entered.len() - 1
        });
        &mut self.entered[at]
    }

    /// Adds the figures of a forgotten source. Its allowances are full.
    pub(super) fn add(&mut self, forgotten: &Activity, now: Duration) {
        self.asks += forgotten.asks;
        self.bad += forgotten.bad;
        self.new += forgotten.new;
        self.turned_away += forgotten.turned_away;
        self.new_limited.times += forgotten.new_limited.times;
        self.bad_limited.times += forgotten.bad_limited.times;
        for entered in &forgotten.entered {
            self.entered(entered.product).day.add_all(&entered.day, now);
        }
    }
}

impl Left {
    pub(super) fn is_full(&self, now: Duration) -> bool {
        [self.new, self.returning, self.guaranteed, self.bad].iter().all(|bucket| bucket.is_full(now))
    }

    /// Changes to other allowances; `rate` says which of them are these.
    pub(super) fn change(
        &mut self,
        old: &Allowances,
        new: &Allowances,
        rates: impl Fn(&Allowances) -> [Rate; 3],
        now: Duration,
    ) {
        let ([old_new, old_guaranteed, old_bad], [new_new, new_guaranteed, new_bad]) =
            (rates(old), rates(new));
        self.new.change(&old_new, &new_new, now);
        self.returning.change(&old_new, &new_new, now);
        self.guaranteed.change(&old_guaranteed, &new_guaranteed, now);
        self.bad.change(&old_bad, &new_bad, now);
    }
}

impl Day {
    pub(super) fn add(&mut self, now: Duration) {
        let hour = self.turn(now);
        self.by_hour[slot(hour)] += 1;
    }

    pub(super) fn total(&self, now: Duration) -> u64 {
        let hour = hour_of(now);
        let is_of_today = |ago: u64| ago <= self.hour && hour < self.hour - ago + 24;
        (0..24)
            .filter(|ago| is_of_today(*ago))
            .map(|ago| u64::from(self.by_hour[slot(self.hour - ago)]))
            .sum()
    }

    /// Adds those of another, hour by hour.
    fn add_all(&mut self, other: &Day, now: Duration) {
        let hour = self.turn(now);
        for ago in 0..24.min(hour + 1) {
            let that = hour - ago;
            if that <= other.hour && other.hour < that + 24 {
                self.by_hour[slot(that)] += other.by_hour[slot(that)];
            }
        }
    }

    /// Moves on to the present hour, and forgets hours that have left the day.
    fn turn(&mut self, now: Duration) -> u64 {
        let hour = hour_of(now);
        for passed in 0..hour.saturating_sub(self.hour).min(24) {
            self.by_hour[slot(hour - passed)] = 0;
        }
        self.hour = hour;
        hour
    }
}

fn hour_of(now: Duration) -> u64 {
    now.as_secs() / HOUR.as_secs()
}

fn slot(hour: u64) -> usize {
    usize::try_from(hour % 24).expect("it is less than 24")
}

impl SourceLimiting {
    /// Notes a refusal. Returns whether it is the first after a while.
    pub(super) fn note(&mut self, limited: Limited, now: ClockReading) -> bool {
        self.times += 1;
        let under_way = self.episode(now.monotonic);
        let (since, times) = under_way.map_or((now.wall, 0), |episode| (episode.since, episode.times));
        self.episode = Some(Episode { since, times: times + 1, last: limited, at: now.monotonic });
        under_way.is_none()
    }

    /// Another limit holds: who was refused by the old one may not be refused again.
    pub(super) fn end(&mut self) {
        self.episode = None;
    }

    /// The present refusals, if any.
    pub(super) fn episode(&self, now: Duration) -> Option<Episode> {
        self.episode.filter(|episode| now.saturating_sub(episode.at) < LIMIT_LASTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_forgets_what_was_24_hours_ago() {
        let mut day = Day::default();
        for hour in [0, 0, 1, 23] {
            day.add(HOUR * hour);
        }
        for (hour, expected) in [(23, 4), (24, 2), (25, 1), (46, 1), (47, 0), (1000, 0)] {
            assert_eq!(day.total(HOUR * hour), expected, "hour {hour}");
        }
        day.add(HOUR * 30);
        assert_eq!(day.total(HOUR * 30), 2);
        day.add(HOUR * 1000);
        assert_eq!(day.total(HOUR * 1000), 1);
    }

    #[test]
    fn the_days_of_two_are_added_hour_by_hour() {
        let (mut one, mut other) = (Day::default(), Day::default());
        one.add(HOUR * 10);
        other.add(HOUR * 2);
        other.add(HOUR * 20);
        one.add_all(&other, HOUR * 25);
        for (hour, expected) in [(25, 3), (26, 2), (34, 1), (44, 0)] {
            assert_eq!(one.total(HOUR * hour), expected, "hour {hour}");
        }
    }
}
