//! Limits for each source of asks and for the whole site, and figures for people.
//!
//! Before an ask reaches the ledger, it takes a token of its source and one of the site. It gives them back unless a machine was
//! entered. So the ledger decides without knowing of sources, and a known machine costs no read. Everything is in memory, bounded, and
//! gone with the process. Addresses are written only to the log, when a limit is reached. The arithmetic is in `shared::fair`, and
//! `shared::count` decides which machines are new or return. Read `room` next.

mod report;
mod room;
mod seen;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use server::Source;
use server::accept::{ConnectionObserver, Crowding};
use shared::doubt::ClockReading;
use shared::fair::{self, Rate};
use shared::reason::{Cause, Reason};

pub use self::report::{Inflating, Limiting};
use self::seen::{Activity, Left};
use crate::config::Config;

/// The number of sources to tell apart, in 10 MB. A site of a hundred thousand machines has fewer that are busy at once.
const TOLD_APART: usize = 16_384;

/// Beyond that, this many of the least busy are forgotten together. Their allowances are full, so none of them gains by it.
const FORGOTTEN_AT_ONCE: usize = TOLD_APART / 4;

/// The shortest time between two such runs, because each looks at all sources. New sources share one allowance meanwhile.
const FORGETTING_PAUSE: Duration = Duration::from_secs(1);

/// The limits, for one source and for the whole site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowances {
    /// New machines.
    pub new_per_source: Rate,
    /// All of them.
    pub new_per_site: Rate,
    /// Bad asks.
    pub bad_per_source: Rate,
    /// All of them.
    pub bad_per_site: Rate,
}

impl Allowances {
    /// Machines of one source that enter past the limit of the site.
    fn guaranteed(&self) -> Rate {
        fair::guaranteed(&self.new_per_site)
    }
}

impl From<&Config> for Allowances {
    fn from(config: &Config) -> Allowances {
        Allowances {
            new_per_source: Rate::a_day(config.new_machines_per_source),
            new_per_site: Rate::a_day(config.new_machines_per_site),
            bad_per_source: Rate::a_minute(config.bad_asks_per_source),
            bad_per_site: Rate::a_minute(config.bad_asks_per_site),
        }
    }
}

/// A limit that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limited {
    /// Whether all sources together have reached it, or this one alone.
    pub by_site: bool,
    /// The number.
    pub most: u64,
    /// The time until there is room for one.
    pub wait: Duration,
}

impl Limited {
    /// The cause of a refusal for a machine.
    pub fn cause(&self, reason: Reason) -> Cause {
        let from = if self.by_site { "this whole site" } else { "this machine's address" };
        reason.with(&[("limit", &self.most), ("from", &from)])
    }
}

/// The state of every source.
#[derive(Debug)]
pub struct Fairness(Mutex<Book>);

#[derive(Debug)]
struct Book {
    allowances: Allowances,
    site: Left,
    told_apart: HashMap<Source, Activity>,
    /// The sources that came when there was no room, and all forgotten ones.
    others: Activity,
    forgot_at: Option<Duration>,
    crowding: Option<Crowding>,
}

impl Default for Fairness {
    fn default() -> Fairness {
        Fairness::new(Allowances::from(&Config::default()))
    }
}

impl Fairness {
    /// With these limits.
    pub fn new(allowances: Allowances) -> Fairness {
        Fairness(Mutex::new(Book {
            allowances,
            site: Left::default(),
            told_apart: HashMap::new(),
            others: Activity::default(),
            forgot_at: None,
            crowding: None,
        }))
    }

    /// Sets other limits. Tokens that were taken stay taken.
    pub fn change(&self, allowances: Allowances, now: Duration) {
        let mut book = self.book();
        let old = std::mem::replace(&mut book.allowances, allowances);
        let of_site = |all: &Allowances| [all.new_per_site, all.new_per_site, all.bad_per_site];
        let of_source = |all: &Allowances| [all.new_per_source, all.guaranteed(), all.bad_per_source];
        let Book { site, told_apart, others, .. } = &mut *book;
        site.change(&old, &allowances, of_site, now);
        let of_new = |all: &Allowances| (all.new_per_source, all.new_per_site);
        let of_bad = |all: &Allowances| (all.bad_per_source, all.bad_per_site);
        for seen in told_apart.values_mut().chain([others]) {
            seen.left.change(&old, &allowances, of_source, now);
            if of_new(&old) != of_new(&allowances) {
                seen.new_limited.end();
            }
            if of_bad(&old) != of_bad(&allowances) {
                seen.bad_limited.end();
            }
        }
    }

    /// The present limits.
    pub fn allowances(&self) -> Allowances {
        self.book().allowances
    }

    /// Counts an ask.
    ///
    /// # Errors
    /// There were too many bad asks, so only an ask of a known machine is served.
    pub(crate) fn hear(&self, source: Option<Source>, now: Duration) -> Result<(), Limited> {
        let mut book = self.book();
        let Allowances { bad_per_source, bad_per_site, .. } = book.allowances;
        let place = book.place(source, now);
        let seen = book.seen(place);
        seen.asks += 1;
        let of_source = seen.left.bad.look(&bad_per_source, now);
        of_source.map_err(|wait| Limited { by_site: false, most: bad_per_source.most(), wait })?;
        let of_site = book.site.bad.look(&bad_per_site, now);
        of_site.map_err(|wait| Limited { by_site: true, most: bad_per_site.most(), wait })
    }

    /// Notes that an ask was refused for this reason.
    pub(crate) fn note_refusal(&self, source: Option<Source>, reason: Reason, now: Duration) {
        if !fair::is_bad(reason) {
            return;
        }
        let mut book = self.book();
        let Allowances { bad_per_source, bad_per_site, .. } = book.allowances;
        // An empty allowance stays empty. Asks beyond a source's own share, such as bad asks in the name of a known machine, do not
        // reduce the site's.
        let place = book.place(source, now);
        let seen = book.seen(place);
        seen.bad += 1;
        if seen.left.bad.take(&bad_per_source, now).is_ok() {
            let _ = book.site.bad.take(&bad_per_site, now);
        }
    }

    /// Notes that an ask was refused unread, because of too many bad ones.
    pub(crate) fn note_unheard(&self, source: Option<Source>, limited: Limited, now: ClockReading) {
        let mut book = self.book();
        let place = book.place(source, now.monotonic);
        let begins = book.seen(place).bad_limited.note(limited, now);
        drop(book);
        if begins {
            let Limited { by_site, most, .. } = limited;
            tracing::warn!(
                source = %source_name(place), by_site, a_minute = most,
                "too many bad asks: only machines that are known are heard there; `kms-host sources` has the numbers"
            );
        }
    }

    /// Whether places for connections have run out, and which source holds most.
    pub fn crowding(&self) -> Option<Crowding> {
        self.book().crowding
    }

    /// Nothing panics while it holds the lock. Even after a panic, these numbers would be the best there are.
    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConnectionObserver for Fairness {
    fn note_turned_away(&self, source: Source) {
        let mut book = self.book();
        // No other source is forgotten for it.
        let place = Some(source).filter(|source| book.told_apart.contains_key(source) || !book.is_full());
        book.seen(place).turned_away += 1;
    }

    fn note_crowding(&self, crowding: Option<Crowding>) {
        self.book().crowding = crowding;
    }
}

impl Book {
    /// The key of a source: itself, or the others' if it has no address or there is no room.
    fn place(&mut self, source: Option<Source>, now: Duration) -> Option<Source> {
        source.filter(|source| self.told_apart.contains_key(source) || self.has_room(now))
    }

    /// Its state, which is new for a new source.
    fn seen(&mut self, place: Option<Source>) -> &mut Activity {
        match place {
            Some(source) => self.told_apart.entry(source).or_default(),
            None => &mut self.others,
        }
    }

    /// Whether there is room for one more, after forgetting the least busy if necessary.
    fn has_room(&mut self, now: Duration) -> bool {
        if !self.is_full() {
            return true;
        }
        if self.forgot_at.is_some_and(|at| now.saturating_sub(at) < FORGETTING_PAUSE) {
            return false;
        }
        self.forgot_at = Some(now);
        let is_idle = |seen: &Activity| seen.left.is_full(now);
        let idle = self.told_apart.iter().filter(|(_, seen)| is_idle(seen));
        let mut idle: Vec<_> = idle.map(|(source, seen)| (seen.new_today(now), seen.asks, *source)).collect();
        idle.sort_unstable();
        for (_, _, source) in idle.into_iter().take(FORGOTTEN_AT_ONCE) {
            if let Some(seen) = self.told_apart.remove(&source) {
                self.others.add(&seen, now);
            }
        }
        !self.is_full()
    }

    fn is_full(&self) -> bool {
        TOLD_APART <= self.told_apart.len()
    }
}

/// The source in the log. Sources without an address, or without room, have no name.
fn source_name(place: Option<Source>) -> String {
    place.map_or_else(|| "(others)".to_owned(), |source| source.to_string())
}

#[cfg(test)]
mod tests;
