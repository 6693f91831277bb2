//! The count and the threshold, asked of a ledger in memory.

use core::time::Duration;

use expect_test::{Expect, expect};
use shared::answer::ShownLease;
use shared::ask::AskKind;
use shared::count::{self, Arrival, Decision, Entrants, Shown, Sighting, Terms};
use shared::ids::{Fingerprint, LedgerId, MachineId, Nonce};
use shared::inventory::{self, Change, Changed, Verb};
use shared::record::RecordState;
use shared::serial::Mark;
use shared::time::Timestamp;

use crate::books::Books;
use crate::kit::{self, DAY, HOUR, MS, NOW, PRODUCT};

const TERMS: Terms = Terms {
    threshold: 25,
    count_window: Duration::from_hours(30 * 24),
    validity: Duration::from_hours(180 * 24),
    clock_tolerance: Duration::from_hours(4),
};

fn machine(number: u64) -> MachineId {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    MachineId::from_bytes(id)
}

fn fingerprint(number: u64) -> Fingerprint {
    Fingerprint::of_machine(PRODUCT, &number.to_be_bytes())
}

/// The first ask of a machine; a later one presents another serial.
fn ask(number: u64, at: Timestamp) -> Sighting {
    Sighting {
        product: PRODUCT,
        machine: machine(number),
        presented: Mark { serial: 0, nonce: Nonce::from_bytes(*machine(number).as_bytes()), asked_at: at },
        fingerprint: fingerprint(number),
        kind: AskKind::Activate,
        kept: true,
        replaces: None,
        shown: Shown::Nothing,
        entrants: Entrants::Anybody,
        at,
        terms: TERMS,
    }
}

/// The ask of a machine that has accepted everything so far.
fn again(number: u64, serial: u64, at: Timestamp) -> Sighting {
    let mut sighting = ask(number, at);
    sighting.presented.serial = serial;
    sighting
}

fn showing(mut sighting: Sighting, machine: MachineId, threshold_met_at: Timestamp) -> Sighting {
    sighting.shown = Shown::Verified(ShownLease {
        machine,
        ledger: LedgerId::from_bytes([0xCF; 16]),
        serial: 0,
        threshold_met_at,
        issued_at: NOW,
    });
    sighting
}

fn books() -> Books {
    Books::new(kit::LEDGER)
}

/// A ledger in which so many machines have asked, now.
fn books_of(machines: u64) -> Books {
    let mut books = books();
    for number in 0..machines {
        books.sight(&ask(number, NOW));
    }
    books
}

fn tell(decision: Decision) -> String {
    match decision {
        Decision::Lease { serial, grant } => {
            let age = NOW.apart(grant.threshold_met_at);
            format!("lease {serial}, count {}, met {}", grant.count, shared::time::Length(age))
        }
        Decision::Waiting { serial, count } => format!("waiting {serial}, count {count}"),
        Decision::Released { serial } => format!("released {serial}"),
        Decision::Refused(reason) => reason.code().into(),
        Decision::Verify => "verify".into(),
    }
}

fn check(books: &mut Books, sighting: Sighting, expected: Expect) {
    expected.assert_eq(&tell(books.decide(&sighting)));
}

#[test]
fn the_25th_machine_is_the_first_that_is_licensed() {
    let mut books = books_of(23);
    check(&mut books, ask(23, NOW), expect!["waiting 1, count 24"]);
    check(&mut books, ask(24, NOW), expect!["lease 1, count 25, met 0 s"]);
    check(&mut books, ask(25, NOW), expect!["lease 1, count 26, met 0 s"]);
    // Who waited is licensed at the next ask.
    check(&mut books, again(0, 1, NOW), expect!["lease 2, count 26, met 0 s"]);
}

#[test]
fn below_the_threshold_evidence_renews_for_a_window_and_not_a_millisecond_longer() {
    let renewed = |met_at: Timestamp| tell(books().decide(&showing(ask(1, NOW), machine(1), met_at)));
    expect!["lease 1, count 1, met 29 d"].assert_eq(&renewed(NOW - 29 * DAY));
    expect!["lease 1, count 1, met 29 d 23 h"].assert_eq(&renewed(NOW - 30 * DAY + MS));
    expect!["waiting 1, count 1"].assert_eq(&renewed(NOW - 30 * DAY));
    expect!["waiting 1, count 1"].assert_eq(&renewed(NOW - 31 * DAY));
}

/// One host whose clock was ahead, or one stolen key, would otherwise keep a fleet licensed for ever.
#[test]
fn evidence_from_a_time_that_has_not_come_is_none() {
    let renewed = |met_at: Timestamp| tell(books().decide(&showing(ask(1, NOW), machine(1), met_at)));
    expect!["waiting 1, count 1"].assert_eq(&renewed(NOW + 4 * HOUR + MS));
    assert!(
        renewed(NOW + 4 * HOUR).starts_with("lease 1"),
        "within the tolerance it is a clock that is a little ahead"
    );
}

#[test]
fn evidence_speaks_for_the_asker_and_the_identity_it_replaces_alone() {
    check(&mut books(), ask(1, NOW), expect!["waiting 1, count 1"]);
    check(&mut books(), showing(ask(1, NOW), machine(2), NOW), expect!["waiting 1, count 1"]);
    let mut replacing = showing(ask(1, NOW), machine(2), NOW);
    replacing.replaces = Some(machine(2));
    check(&mut books(), replacing, expect!["lease 1, count 1, met 0 s"]);
}

/// The ledger's own evidence counts too, the later of both, and a first activation uses neither.
#[test]
fn the_later_of_both_evidences_counts() {
    let mut books = books_of(25);
    for number in 0..20 {
        let mut release = again(number, 1, NOW + DAY);
        release.kind = AskKind::Release;
        books.sight(&release);
    }
    let at = NOW + 29 * DAY;
    check(&mut books, ask(90, at), expect!["waiting 1, count 6"]);
    check(
        &mut books,
        showing(again(24, 1, at), machine(24), NOW - 30 * DAY),
        expect!["lease 2, count 6, met 0 s"],
    );
    check(
        &mut books,
        showing(again(23, 1, at), machine(23), NOW + 2 * DAY),
        expect!["lease 2, count 6, met 2 d"],
    );
    let at = NOW + 30 * DAY;
    check(&mut books, showing(again(22, 1, at), machine(22), NOW - 30 * DAY), expect!["waiting 2, count 4"]);
}

/// A fleet of ten renews weekly on what a host that is gone has seen, each showing the lease that it got last.
#[test]
fn evidence_does_not_renew_itself() {
    let mut books = books();
    let mut met_at = [NOW; 10];
    let mut told = Vec::new();
    for week in 0..9_u32 {
        let at = NOW + week * 7 * DAY;
        let mut leases = 0;
        for (number, met_at) in (0_u64..).zip(&mut met_at) {
            let renewal = showing(again(number, week.into(), at), machine(number), *met_at);
            if let Decision::Lease { grant, .. } = books.decide(&renewal) {
                leases += 1;
                *met_at = grant.threshold_met_at;
            }
        }
        told.push(leases);
    }
    assert_eq!(told, [10, 10, 10, 10, 10, 0, 0, 0, 0], "29 days renew, 35 do not");
    assert_eq!(met_at, [NOW; 10]);
}

#[test]
fn a_machine_leaves_the_count_when_its_hour_leaves_the_window() {
    let last_ms_of_hour = NOW + HOUR - MS;
    for seen_at in [NOW, last_ms_of_hour] {
        let mut books = books();
        books.sight(&ask(1, seen_at));
        assert_eq!(books.total(PRODUCT, &TERMS, seen_at), 1);
        assert_eq!(books.total(PRODUCT, &TERMS, NOW + 30 * DAY - MS), 1);
        assert_eq!(books.total(PRODUCT, &TERMS, NOW + 30 * DAY), 0, "720 hours later");
    }
}

#[test]
fn a_window_that_is_no_whole_hour_is_rounded_up() {
    let mut terms = TERMS;
    terms.count_window = HOUR + MS;
    let mut books = books();
    let mut sighting = ask(1, NOW);
    sighting.terms = terms;
    books.sight(&sighting);
    assert_eq!(books.total(PRODUCT, &terms, NOW + 2 * HOUR - MS), 1);
    assert_eq!(books.total(PRODUCT, &terms, NOW + 2 * HOUR), 0);
}

#[test]
fn a_changed_window_counts_anew_in_both_directions() {
    let mut books = books();
    books.sight(&ask(1, NOW));
    books.sight(&ask(2, NOW + 10 * DAY));
    let at = NOW + 20 * DAY;
    let days = |days: u32| Terms { count_window: days * DAY, ..TERMS };
    assert_eq!(books.total(PRODUCT, &days(30), at), 2);
    assert_eq!(books.total(PRODUCT, &days(15), at), 1);
    assert_eq!(books.total(PRODUCT, &days(5), at), 0);
    let mut sighting = ask(3, at);
    sighting.terms = days(5);
    check(&mut books, sighting, expect!["waiting 1, count 1"]);
    let mut sighting = ask(4, at);
    sighting.terms = days(40);
    check(&mut books, sighting, expect!["waiting 1, count 4"]);
}

#[test]
fn released_machines_leave_at_once_and_come_back() {
    let mut books = books_of(2);
    let mut release = again(1, 1, NOW);
    release.kind = AskKind::Release;
    check(&mut books, release, expect!["released 2"]);
    assert_eq!(books.total(PRODUCT, &TERMS, NOW), 1);
    assert_eq!(books.state(PRODUCT, machine(1)), Some(RecordState::Released));
    check(&mut books, again(1, 2, NOW), expect!["waiting 3, count 2"]);
    assert_eq!(books.total(PRODUCT, &TERMS, NOW), 2);
}

/// The network sends the release twice: the second is answered alike, and late it undoes nothing.
#[test]
fn a_recorded_ask_changes_nothing() {
    let mut books = books_of(1);
    let mut release = again(0, 1, NOW + MS);
    release.kind = AskKind::Release;
    check(&mut books, release.clone(), expect!["released 2"]);
    check(&mut books, release.clone(), expect!["REPLAYED"]);
    let mut back = again(0, 2, NOW + 2 * MS);
    back.presented.nonce = Nonce::from_bytes([9; 16]);
    check(&mut books, back, expect!["waiting 3, count 1"]);
    check(&mut books, release, expect!["REPLAYED"]);
    // Its very first ask, recorded, under a nonce that the ledger has forgotten.
    check(&mut books, ask(0, NOW), expect!["REPLAYED"]);
    assert_eq!(books.total(PRODUCT, &TERMS, NOW), 1);
}

/// One ask that was sent again and again had been answered with 48,200 signed leases in 8 seconds. The machine itself says a later
/// time each time.
#[test]
fn a_replay_of_the_last_ask_gets_no_second_answer_and_does_not_refresh_the_sighting() {
    let mut books = books();
    books.sight(&ask(1, NOW));
    let mut recorded = ask(1, NOW);
    recorded.at = NOW + 20 * DAY;
    check(&mut books, recorded.clone(), expect!["REPLAYED"]);
    recorded.presented.asked_at = NOW - MS;
    check(&mut books, recorded, expect!["REPLAYED"]);
    assert_eq!(books.total(PRODUCT, &TERMS, NOW + 30 * DAY), 0);
    // The machine itself sends it again, and says when.
    books.sight(&ask(1, NOW + 20 * DAY));
    assert_eq!(books.total(PRODUCT, &TERMS, NOW + 30 * DAY), 1);
}

/// Machines that had been invented a moment before had outvoted a host's clock, and so had asks that were overtaken long ago.
#[test]
fn only_the_latest_ask_of_a_machine_that_is_known_for_a_day_says_something_about_the_clock() {
    let votes = |sighting: Sighting| {
        let mut books = books_of(1);
        books.sight(&again(0, 1, NOW + HOUR));
        books.sight(&sighting).votes
    };
    let day = NOW + DAY;
    assert!(votes(again(0, 2, day)));
    assert!(!votes(again(0, 2, day - MS)), "the millisecond before a day has passed");
    assert!(!votes(ask(1, day)), "one that is new");
    let mut overtaken = again(0, 2, day);
    overtaken.presented.asked_at = NOW + HOUR;
    assert!(!votes(overtaken.clone()), "its clock was set back, or the ask was recorded");
    overtaken.presented.asked_at = NOW + HOUR + MS;
    assert!(votes(overtaken), "later than the last");
    let mut lost = again(0, 1, day);
    assert!(votes(lost.clone()), "the answer was lost, and it asks again");
    lost.presented.nonce = Nonce::from_bytes([9; 16]);
    assert!(!votes(lost), "a copy");
    let mut released = again(0, 2, day);
    released.kind = AskKind::Release;
    assert!(votes(released.clone()), "who leaves is known until then");
    let mut books = books_of(1);
    released.presented.serial = 1;
    books.sight(&released);
    assert!(!books.sight(&again(0, 2, day + MS)).votes, "and no more after it");
}

/// The windows of a test are seconds, and nobody would be known for a day within them.
#[test]
fn a_day_is_no_longer_than_the_window_of_a_test() {
    assert_eq!(count::known_for(30 * DAY), DAY);
    assert_eq!(count::known_for(DAY), DAY);
    assert_eq!(count::known_for(HOUR), HOUR);
}

fn replacing(number: u64, old: u64, old_fingerprint: Fingerprint) -> Sighting {
    let mut sighting = ask(number, NOW);
    sighting.replaces = Some(machine(old));
    sighting.fingerprint = old_fingerprint;
    sighting
}

#[test]
fn a_new_identity_of_the_same_installation_takes_the_seat() {
    let mut books = books_of(1);
    check(&mut books, replacing(100, 0, fingerprint(0)), expect!["waiting 1, count 1"]);
    assert_eq!(books.state(PRODUCT, machine(0)), Some(RecordState::Replaced));
    // The copy that lives on under the old identity comes back: two machines.
    check(&mut books, again(0, 1, NOW), expect!["waiting 2, count 2"]);
    assert_eq!(books.state(PRODUCT, machine(0)), Some(RecordState::Active));
    // And asking again does not push it out.
    let mut repeated = replacing(100, 0, fingerprint(0));
    repeated.presented.serial = 1;
    check(&mut books, repeated, expect!["waiting 2, count 2"]);
    assert_eq!(books.state(PRODUCT, machine(0)), Some(RecordState::Active));
}

#[test]
fn no_seat_is_taken_without_the_same_fingerprint() {
    for other in [fingerprint(9), Fingerprint::NONE] {
        let mut books = books_of(1);
        check(&mut books, replacing(100, 0, other), expect!["waiting 1, count 2"]);
        assert_eq!(books.state(PRODUCT, machine(0)), Some(RecordState::Active));
    }
    let mut books = books();
    let mut old = ask(0, NOW);
    old.fingerprint = Fingerprint::NONE;
    books.sight(&old);
    check(&mut books, replacing(100, 0, Fingerprint::NONE), expect!["waiting 1, count 2"]);
    check(&mut books, replacing(101, 77, fingerprint(0)), expect!["waiting 1, count 3"]);
}

#[test]
fn a_machine_without_state_is_licensed_by_others_and_leaves_one_number_a_day() {
    let unkept = |number, at| {
        let mut sighting = again(number, 6, at);
        sighting.kept = false;
        sighting
    };
    let mut books = books_of(24);
    check(&mut books, unkept(100, NOW), expect!["waiting 7, count 24"]);
    books.sight(&ask(24, NOW));
    check(&mut books, unkept(100, NOW), expect!["lease 7, count 25, met 0 s"]);
    check(&mut books, unkept(101, NOW + DAY), expect!["lease 7, count 25, met 1 d"]);
    let mut release = unkept(100, NOW);
    release.kind = AskKind::Release;
    check(&mut books, release, expect!["released 7"]);
    assert_eq!(books.state(PRODUCT, machine(100)), None);
    assert_eq!(books.unkept.values().copied().collect::<Vec<_>>(), [2, 1]);
}

/// A machine with a record could otherwise be licensed beside it, and show a lease that no record explains.
#[test]
fn a_machine_that_is_known_keeps_state_whatever_it_says() {
    let mut books = books_of(25);
    let mut sighting = again(3, 1, NOW);
    sighting.kept = false;
    check(&mut books, sighting, expect!["lease 2, count 25, met 0 s"]);
    assert!(books.unkept.is_empty());
}

/// Ledger time may be ahead of the wall clock; a lease whose evidence lay after its own time would be refused.
#[test]
fn evidence_is_never_later_than_the_hosts_own_time() {
    let mut books = books_of(25);
    check(&mut books, again(3, 1, NOW - HOUR), expect!["lease 2, count 25, met 1 h"]);
}

#[test]
fn a_blocked_machine_is_refused_and_not_counted() {
    let mut books = books_of(25);
    let change = Change { product: PRODUCT, machine: machine(3), verb: Verb::Block, at: NOW };
    assert_eq!(inventory::change(&mut books, &change), Ok(Changed::Done(RecordState::Active)));
    assert_eq!(books.total(PRODUCT, &TERMS, NOW), 24);
    check(&mut books, again(3, 1, NOW), expect!["BLOCKED"]);
    let mut without_state = again(3, 1, NOW);
    without_state.kept = false;
    check(&mut books, without_state, expect!["BLOCKED"]);
}

/// A lease of the first machine, good on its evidence.
fn lease_of(ledger: LedgerId, serial: u64, issued_at: Timestamp) -> ShownLease {
    ShownLease { machine: machine(0), ledger, serial, threshold_met_at: NOW, issued_at }
}

/// Verifying a lease costs as much as verifying the ask, and nearly every renewal is decided without it.
#[test]
fn a_lease_is_to_be_verified_only_where_it_could_change_the_answer() {
    let claiming = |number, serial, claimed| {
        let mut sighting = again(number, serial, NOW);
        sighting.shown = Shown::Claimed(claimed);
        sighting
    };
    let sibling = LedgerId::from_bytes([0xCF; 16]);

    let mut met = books_of(25);
    check(&mut met, claiming(0, 1, lease_of(kit::LEDGER, 1, NOW)), expect!["lease 2, count 25, met 0 s"]);
    check(&mut met, claiming(1, 1, lease_of(sibling, 9, NOW + MS)), expect!["lease 2, count 25, met 0 s"]);
    let before = met.clone();
    check(&mut met, claiming(0, 2, lease_of(kit::LEDGER, 9, NOW + MS)), expect!["verify"]);
    assert_eq!(format!("{met:?}"), format!("{before:?}"), "until then nothing is written");

    let mut below = books_of(24);
    let before = below.clone();
    check(&mut below, claiming(0, 1, lease_of(sibling, 9, NOW)), expect!["verify"]);
    check(&mut below, claiming(99, 0, lease_of(sibling, 9, NOW)), expect!["verify"]);
    assert_eq!(format!("{below:?}"), format!("{before:?}"), "not even who asks is counted");
    check(&mut below, again(0, 1, NOW), expect!["waiting 2, count 24"]);
}

#[test]
fn a_lease_ahead_of_its_own_ledger_says_that_the_ledger_was_restored() {
    let mut books = books_of(1);
    let shown = |ledger: LedgerId, serial: u64| {
        let mut sighting = showing(again(0, serial, NOW), machine(0), NOW);
        sighting.shown = Shown::Verified(lease_of(ledger, serial, NOW + MS));
        sighting
    };
    let sibling = LedgerId::from_bytes([0xCF; 16]);
    assert!(!books.clone().sight(&shown(kit::LEDGER, 1)).ledger_is_behind);
    assert!(!books.clone().sight(&shown(sibling, 9)).ledger_is_behind);
    assert!(books.clone().sight(&shown(kit::LEDGER, 2)).ledger_is_behind);
    // A lease from before the record was given to a machine that kept no state, and is nothing to be alarmed about.
    let mut before = shown(kit::LEDGER, 2);
    before.shown = Shown::Verified(lease_of(kit::LEDGER, 2, NOW));
    assert!(!books.clone().sight(&before).ledger_is_behind);
    // It is relearnt at once: the next ask of this machine raises no alarm.
    books.sight(&shown(kit::LEDGER, 9));
    let outcome = books.sight(&again(0, 10, NOW));
    assert!(!outcome.ledger_is_behind);
    // A missing record means nothing.
    assert!(!Books::new(kit::LEDGER).sight(&shown(kit::LEDGER, 9)).ledger_is_behind);
}

/// Ledger time never goes back by itself; when a doubt has ended it does, and what was seen in between is recounted.
#[test]
fn time_stands_still_behind_the_last_commit_until_a_doubt_is_settled() {
    let mut books = books_of(25);
    let wrong = NOW + 3285 * DAY;
    books.sight(&ask(30, wrong));
    assert_eq!(books.last_time, Some(wrong));
    check(&mut books, ask(31, NOW), expect!["waiting 1, count 2"]);
    let Ok(()) = count::settle(&mut books, PRODUCT, &TERMS, NOW + DAY);
    assert_eq!(books.last_time, Some(NOW + DAY));
    check(&mut books, ask(32, NOW + DAY), expect!["lease 1, count 28, met 1 d"]);
}

#[test]
fn evidence_from_a_time_that_has_not_come_is_settled_down() {
    let mut books = books();
    for number in 0..25 {
        books.sight(&ask(number, NOW + 3285 * DAY));
    }
    let Ok(()) = count::settle(&mut books, PRODUCT, &TERMS, NOW);
    assert_eq!(books.tallies[&PRODUCT].threshold_met_at, Some(NOW));
}

/// The same ask, when so many have come that only these may be entered.
fn when(entrants: Entrants, sighting: Sighting) -> Sighting {
    Sighting { entrants, ..sighting }
}

#[test]
fn past_the_limit_a_new_machine_is_not_entered_and_a_known_one_is_answered_as_ever() {
    for entrants in [Entrants::Returning, Entrants::Nobody] {
        let mut books = books_of(25);
        let before = books.clone();
        check(&mut books, when(entrants, ask(25, NOW + HOUR)), expect!["NEW_MACHINES_LIMITED"]);
        assert_eq!(format!("{books:?}"), format!("{before:?}"), "nothing is written");
        check(&mut books, when(entrants, again(3, 1, NOW + HOUR)), expect!["lease 2, count 25, met 1 h"]);
        let mut stateless = when(entrants, ask(26, NOW + HOUR));
        stateless.kept = false;
        check(&mut books, stateless, expect!["lease 1, count 25, met 1 h"]);
        let mut release = when(entrants, ask(27, NOW + HOUR));
        release.kind = AskKind::Release;
        check(&mut books, release, expect!["released 1"]);
        assert_eq!(books.records.len(), 25, "whoever was never here has left without a record");
    }
}

#[test]
fn a_machine_that_was_entered_is_told_apart_by_what_was_known_of_it() {
    let mut books = books();
    assert_eq!(books.sight(&ask(0, NOW)).arrival, Some(Arrival::New));
    assert_eq!(books.sight(&again(0, 1, NOW)).arrival, None);
    let mut rekeyed = replacing(1, 0, fingerprint(0));
    rekeyed.at = NOW + DAY;
    assert_eq!(books.sight(&rekeyed).arrival, Some(Arrival::Returning));
    let mut release = again(0, 9, NOW + DAY);
    release.kind = AskKind::Release;
    assert_eq!(books.sight(&release).arrival, None);
}

/// Each new key would otherwise speak for the next, and a chain of them would have no end.
#[test]
fn past_the_limit_a_new_key_heals_an_identity_that_is_a_day_old_and_no_younger_one() {
    let rekeyed_at = |at| {
        let mut books = books_of(1);
        let mut sighting = when(Entrants::Returning, replacing(100, 0, fingerprint(0)));
        sighting.at = at;
        tell(books.decide(&sighting))
    };
    expect!["NEW_MACHINES_LIMITED"].assert_eq(&rekeyed_at(NOW + DAY - MS));
    expect!["waiting 1, count 1"].assert_eq(&rekeyed_at(NOW + DAY));

    let mut books = books_of(1);
    // The second copy of the disk replaces an identity that the first has replaced already.
    for copy in [100, 101] {
        let mut sighting = when(Entrants::Returning, replacing(copy, 0, fingerprint(0)));
        sighting.at = NOW + DAY;
        assert_eq!(books.sight(&sighting).arrival, Some(Arrival::Returning));
    }
    let mut next = when(Entrants::Returning, replacing(102, 100, fingerprint(0)));
    next.at = NOW + DAY;
    check(&mut books, next, expect!["NEW_MACHINES_LIMITED"]);
    // So many have come back that there may be something wrong with it.
    let mut another = when(Entrants::Nobody, replacing(103, 0, fingerprint(0)));
    another.at = NOW + DAY;
    check(&mut books, another, expect!["NEW_MACHINES_LIMITED"]);
    let mut stranger = when(Entrants::Returning, replacing(104, 77, fingerprint(0)));
    stranger.at = NOW + DAY;
    check(&mut books, stranger, expect!["NEW_MACHINES_LIMITED"]);
}

/// A host that takes over the fleet of another, or has lost its ledger, knows none of the machines that it is for.
#[test]
fn past_the_limit_a_lease_of_a_day_ago_lets_its_machine_in_once_it_is_verified() {
    let shown = |at: Timestamp| {
        let mut sighting = when(Entrants::Returning, ask(100, at));
        sighting.shown = showing(ask(100, at), machine(100), NOW).shown;
        sighting
    };
    let claimed = |at: Timestamp| {
        let mut sighting = shown(at);
        let Shown::Verified(lease) = sighting.shown else { unreachable!("it was just shown") };
        sighting.shown = Shown::Claimed(lease);
        sighting
    };
    let mut books = books_of(25);
    check(&mut books, claimed(NOW + DAY - MS), expect!["NEW_MACHINES_LIMITED"]);
    check(&mut books, shown(NOW + DAY - MS), expect!["NEW_MACHINES_LIMITED"]);
    check(&mut books, claimed(NOW + DAY), expect!["verify"]);
    assert_eq!(books.state(PRODUCT, machine(100)), None);
    assert_eq!(books.sight(&shown(NOW + DAY)).arrival, Some(Arrival::Returning));

    let mut anothers = shown(NOW + DAY);
    anothers.machine = machine(101);
    check(&mut books, anothers, expect!["NEW_MACHINES_LIMITED"]);
    let mut nobody = shown(NOW + DAY);
    (nobody.machine, nobody.entrants) = (machine(101), Entrants::Nobody);
    check(&mut books, nobody, expect!["NEW_MACHINES_LIMITED"]);
}
