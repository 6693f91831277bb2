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
mod tests {
    use std::net::Ipv4Addr;

    use shared::answer::Grant;
    use shared::count::{Arrival, Decision, Entrants, Outcome, Terms};
    use shared::ids::ProductId;
    use shared::time::Timestamp;

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);
    const PRODUCT: ProductId = ProductId::from_bytes([7; 16]);
    const TERMS: Terms = Terms {
        threshold: 25,
        count_window: Duration::from_hours(30 * 24),
        validity: Duration::from_hours(180 * 24),
        clock_tolerance: Duration::from_hours(4),
    };

    fn limits(new_per_source: u64, new_per_site: u64) -> Allowances {
        Allowances {
            new_per_source: Rate::a_day(new_per_source),
            new_per_site: Rate::a_day(new_per_site),
            bad_per_source: Rate::a_minute(0),
            bad_per_site: Rate::a_minute(0),
        }
    }

    fn source(number: u32) -> Source {
        Source::of(Ipv4Addr::from_bits(number).into())
    }

    fn at(monotonic: Duration) -> ClockReading {
        ClockReading { wall: Timestamp::from_unix_ms(0) + monotonic, monotonic }
    }

    /// A machine that the ledger enters if it may; what became of it.
    fn enter(fairness: &Fairness, source: Source, arrival: Arrival, now: Duration) -> Entrants {
        let room = fairness.reserve(Some(source), now);
        let entrants = room.entrants();
        let may_enter =
            entrants == Entrants::Anybody || (entrants, arrival) == (Entrants::Returning, Arrival::Returning);
        let outcome = if may_enter {
            let grant = Grant { count: 1000, threshold_met_at: Timestamp::from_unix_ms(0) };
            let decision = Decision::Lease { serial: 1, grant };
            Outcome { decision, votes: false, ledger_is_behind: false, arrival: Some(arrival) }
        } else {
            let decision = Decision::Refused(Reason::NewMachinesLimited);
            Outcome { decision, votes: false, ledger_is_behind: false, arrival: None }
        };
        let limited = room.settle(PRODUCT, &TERMS, &outcome, at(now));
        assert_eq!(limited.is_none(), may_enter);
        entrants
    }

    #[test]
    fn who_returns_has_an_allowance_of_his_own_once_the_new_have_used_up_theirs() {
        let fairness = Fairness::new(limits(2, 0));
        for _ in 0..2 {
            assert_eq!(enter(&fairness, source(1), Arrival::Returning, HOUR), Entrants::Anybody);
        }
        for _ in 0..2 {
            assert_eq!(enter(&fairness, source(1), Arrival::New, HOUR), Entrants::Returning);
            assert_eq!(enter(&fairness, source(1), Arrival::Returning, HOUR), Entrants::Returning);
        }
        assert_eq!(enter(&fairness, source(1), Arrival::Returning, HOUR), Entrants::Nobody);
        let row = &fairness.report(1, HOUR).sources[0];
        assert_eq!((row.new, row.new_refused), (4, 3));
    }

    /// A caller that reset its call while the ledger was syncing had its machine entered and the room given back. So one address
    /// could enter as many machines as it liked, and no report had them.
    #[tokio::test]
    async fn room_is_lost_to_who_hangs_up_while_the_ledger_decides() {
        let fairness = Fairness::new(limits(1, 0));
        let mut room = fairness.reserve(Some(source(1)), HOUR);
        let deciding = room.while_deciding(std::future::pending::<()>());
        tokio::select! {
            biased;
            () = deciding => unreachable!("it is pending"),
            () = std::future::ready(()) => {}
        }
        drop(room);
        assert_eq!(fairness.reserve(Some(source(1)), HOUR).entrants(), Entrants::Returning);

        let mut room = fairness.reserve(Some(source(2)), HOUR);
        room.while_deciding(std::future::ready(())).await;
        drop(room);
        assert_eq!(
            fairness.reserve(Some(source(2)), HOUR).entrants(),
            Entrants::Anybody,
            "it was decided: not entered"
        );
    }

    /// An address that had no bad asks left went on in the name of a machine that was known, and used up everybody's.
    #[test]
    fn bad_asks_past_the_share_of_their_source_are_not_taken_from_that_of_all() {
        let (bad_per_source, bad_per_site) = (Rate::a_minute(1), Rate::a_minute(2));
        let fairness = Fairness::new(Allowances { bad_per_source, bad_per_site, ..limits(0, 0) });
        for _ in 0..9 {
            fairness.note_refusal(Some(source(1)), Reason::Replayed, HOUR);
        }
        assert!(fairness.hear(Some(source(1)), HOUR).is_err());
        assert!(fairness.hear(Some(source(2)), HOUR).is_ok());
    }

    #[test]
    fn room_that_nobody_needs_is_there_again() {
        let fairness = Fairness::new(limits(1, 1));
        let room = fairness.reserve(Some(source(1)), HOUR);
        assert_eq!(
            fairness.reserve(Some(source(1)), HOUR).entrants(),
            Entrants::Returning,
            "it is kept for the first"
        );
        let share = fairness.reserve(Some(source(2)), HOUR);
        assert_eq!(
            share.entrants(),
            Entrants::Anybody,
            "the site has none left, but one is guaranteed to it"
        );
        assert_eq!(fairness.reserve(Some(source(3)), HOUR).entrants(), Entrants::Returning, "of those, too");
        let decision = Decision::Refused(Reason::Copied);
        let known = Outcome { decision, votes: true, ledger_is_behind: false, arrival: None };
        assert_eq!(room.settle(PRODUCT, &TERMS, &known, at(HOUR)), None);
        // One whose answer never comes gives its room back as well.
        drop(share);
        assert_eq!(enter(&fairness, source(1), Arrival::New, HOUR), Entrants::Anybody);
        assert_eq!(enter(&fairness, source(2), Arrival::New, HOUR), Entrants::Anybody);
        assert_eq!(fairness.reserve(Some(source(3)), HOUR).entrants(), Entrants::Returning);
    }

    /// The alarm named the old limit for three hours after it had been raised, as the remedy says.
    #[test]
    fn another_limit_refuses_nobody_yet() {
        let fairness = Fairness::new(limits(1, 0));
        assert_eq!(enter(&fairness, source(1), Arrival::New, HOUR), Entrants::Anybody);
        assert_eq!(enter(&fairness, source(1), Arrival::New, HOUR), Entrants::Returning);
        assert!(fairness.limiting_new(HOUR).is_some());
        let bad = Allowances { bad_per_source: Rate::a_minute(7), ..limits(1, 0) };
        fairness.change(bad, HOUR);
        assert!(fairness.limiting_new(HOUR).is_some(), "its own limit is the same");
        fairness.change(limits(5000, 0), HOUR);
        assert!(fairness.limiting_new(HOUR).is_none());
    }

    /// Ten addresses that brought as many as one may had used up the day of the whole site: nobody else entered a machine.
    #[test]
    fn ten_sources_do_not_use_up_the_day_of_all_others() {
        let fairness = Fairness::new(limits(800, 8000));
        for number in 0..10 {
            for _ in 0..800 {
                assert_eq!(enter(&fairness, source(number), Arrival::New, HOUR), Entrants::Anybody);
            }
            assert_eq!(enter(&fairness, source(number), Arrival::New, HOUR), Entrants::Returning);
        }
        for number in 10..20 {
            for _ in 0..2 {
                assert_eq!(enter(&fairness, source(number), Arrival::New, HOUR), Entrants::Anybody);
            }
            let room = fairness.reserve(Some(source(number)), HOUR);
            assert!(room.limited.is_some_and(|limited| limited.by_site), "two are guaranteed");
        }
        // Half a day later there is room for 4000 again, and one more is guaranteed to each.
        let later = HOUR + Duration::from_hours(12);
        assert_eq!(enter(&fairness, source(10), Arrival::New, later), Entrants::Anybody);
    }

    #[test]
    fn what_is_guaranteed_to_sources_is_bounded_as_well() {
        let fairness = Fairness::new(limits(0, 3));
        for _ in 0..3 {
            assert_eq!(enter(&fairness, source(0), Arrival::New, HOUR), Entrants::Anybody);
        }
        assert_eq!(
            enter(&fairness, source(0), Arrival::New, HOUR),
            Entrants::Returning,
            "it has had its share"
        );
        for number in 1..=3 {
            // What is kept and not needed is there again, of whatever kind it was.
            drop(fairness.reserve(Some(source(number)), HOUR));
            assert_eq!(enter(&fairness, source(number), Arrival::New, HOUR), Entrants::Anybody);
            assert_eq!(enter(&fairness, source(number), Arrival::New, HOUR), Entrants::Returning);
        }
        assert_eq!(
            fairness.reserve(Some(source(4)), HOUR).entrants(),
            Entrants::Returning,
            "all shares are taken"
        );
    }

    #[test]
    fn a_source_that_is_refused_for_the_site_has_not_used_up_its_own() {
        let fairness = Fairness::new(limits(2, 1));
        assert_eq!(enter(&fairness, source(1), Arrival::New, HOUR), Entrants::Anybody);
        assert_eq!(enter(&fairness, source(2), Arrival::New, HOUR), Entrants::Anybody, "its share");
        for _ in 0..3 {
            let room = fairness.reserve(Some(source(2)), HOUR);
            assert!(
                room.limited.is_some_and(|limited| limited.by_site),
                "it would be its own from the second on"
            );
        }
    }

    #[test]
    fn whoever_owns_many_networks_neither_fills_the_memory_nor_gets_around_the_limit() {
        let fairness = Fairness::new(limits(1, 0));
        let many = u32::try_from(TOLD_APART).unwrap();
        for number in 0..many {
            assert_eq!(enter(&fairness, source(number), Arrival::New, HOUR), Entrants::Anybody);
        }
        // None of them is idle, so all that come now are one.
        assert_eq!(enter(&fairness, source(many), Arrival::New, HOUR), Entrants::Anybody);
        for number in many + 1..2 * many {
            assert_eq!(enter(&fairness, source(number), Arrival::New, HOUR), Entrants::Returning);
        }
        let report = fairness.report(10, HOUR);
        assert_eq!((report.total, report.sources.len()), (u64::from(many), 10));
        assert_eq!(report.others.unwrap().new, 1);
        // What they were lent is theirs again when it was not needed.
        assert_eq!(fairness.reserve(Some(source(3 * many)), 25 * HOUR).entrants(), Entrants::Anybody);
        assert_eq!(fairness.reserve(Some(source(3 * many)), 25 * HOUR).entrants(), Entrants::Anybody);
    }

    #[test]
    fn the_least_are_forgotten_when_there_is_no_room_and_what_they_brought_is_kept() {
        let fairness = Fairness::new(limits(100, 0));
        let many = u32::try_from(TOLD_APART).unwrap();
        for _ in 0..3 {
            enter(&fairness, source(7), Arrival::New, HOUR);
        }
        for number in (0..many).filter(|number| *number != 7) {
            assert!(fairness.hear(Some(source(number)), HOUR).is_ok());
        }
        enter(&fairness, source(many), Arrival::New, 2 * HOUR);
        let report = fairness.report(2, 2 * HOUR);
        let forgotten = u64::try_from(FORGOTTEN_AT_ONCE).unwrap();
        assert_eq!(report.total, u64::from(many) - forgotten + 1);
        let [first, second] = &report.sources[..] else { panic!("{report:?}") };
        assert_eq!([&first.source, &second.source], [&source(7).to_string(), &source(many).to_string()]);
        assert_eq!(report.others.unwrap().asks, forgotten);
    }
}
