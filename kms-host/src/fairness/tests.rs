//! Stories of sources that bring much, told with a clock of their own.

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
    assert_eq!(share.entrants(), Entrants::Anybody, "the site has none left, but one is guaranteed to it");
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
    assert_eq!(enter(&fairness, source(0), Arrival::New, HOUR), Entrants::Returning, "it has had its share");
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
