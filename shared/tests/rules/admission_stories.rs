//! The host's order of checks: each thing that is wrong with an ask hides what is wrong further down.

use core::time::Duration;

use expect_test::{Expect, expect};
use shared::admission::Applicant;
use shared::certificate::Chain;
use shared::count::{Decision, Outcome};
use shared::doubt::{ClockReading, HostClock};
use shared::ids::MachineId;
use shared::reason::Reason;
use shared::serial::Mark;
use shared::time::Timestamp;

use crate::kit::{self, DAY, HOUR, MS, NOW};

/// A host that was started a day ago, and an ask at its door.
struct Door {
    clock: HostClock,
    chain: Chain,
    wall: Timestamp,
    asked_at: Timestamp,
    disk_is_short: bool,
}

impl Door {
    fn new() -> Door {
        let started = ClockReading { wall: NOW - DAY, monotonic: Duration::ZERO };
        Door {
            clock: HostClock::start(started, None, 30 * DAY),
            chain: kit::chain(),
            wall: NOW,
            asked_at: NOW,
            disk_is_short: false,
        }
    }

    /// What `look` sees of an ask of the machine of this number.
    fn ask<T>(&mut self, machine: u8, look: impl FnOnce(&Applicant<'_>, &mut HostClock) -> T) -> T {
        let reading = ClockReading { wall: self.wall, monotonic: DAY };
        let now = self.clock.read(reading);
        let presented = Mark { serial: 0, nonce: kit::NONCE, asked_at: self.asked_at };
        let machine = MachineId::from_bytes([machine; 16]);
        look(&Applicant { chain: &self.chain, machine, presented, now }, &mut self.clock)
    }

    fn check(&mut self) -> String {
        let disk_is_short = self.disk_is_short;
        match self.ask(1, |ask, clock| ask.check(clock, disk_is_short)) {
            Ok(()) => "admitted".to_owned(),
            Err(refusal) => format!("{}; again in {:?}", refusal.cause, refusal.ask_again),
        }
    }
}

fn check(change: impl FnOnce(&mut Door), expected: Expect) {
    let mut door = Door::new();
    change(&mut door);
    expected.assert_eq(&door.check());
}

/// Makes one thing wrong, and the reason for which that is refused.
type Wrong = (fn(&mut Door), Reason);

#[test]
fn what_comes_first_is_told() {
    let wrongs: [Wrong; 4] = [
        (|door| door.wall = NOW + 2 * HOUR, Reason::HostClock),
        (|door| door.asked_at = NOW - 5 * HOUR, Reason::ClockSkew),
        (|door| door.chain = chain(NOW - DAY, NOW), Reason::CertificateEnded),
        (|door| door.disk_is_short = true, Reason::DiskFull),
    ];
    for first in 0..wrongs.len() {
        let mut door = Door::new();
        wrongs[first..].iter().for_each(|(wrong, _)| wrong(&mut door));
        let (told, expected) = (door.check(), wrongs[first].1.code());
        assert!(told.starts_with(&format!("{expected}: ")), "{expected}, but {told}");
    }
    check(|_| (), expect!["admitted"]);
}

fn chain(not_before: Timestamp, not_after: Timestamp) -> Chain {
    let mut certificate = kit::certificate();
    (certificate.not_before, certificate.not_after) = (not_before, not_after);
    kit::chain_of(&certificate)
}

#[test]
fn every_refusal_says_what_is_wrong_and_when_to_come_back() {
    check(
        |door| door.wall = NOW + 2 * HOUR,
        expect!["HOST_CLOCK: the host doubts its own clock: it was set forward by 2 h; again in 60s"],
    );
    check(|door| door.asked_at = NOW + 4 * HOUR, expect!["admitted"]);
    check(
        |door| door.asked_at = NOW + 4 * HOUR + MS,
        expect![
            "CLOCK_SKEW: this machine's clock is 4 h ahead, more than 4 h: the host says 2026-11-22 00:00:00Z; again in 7200s"
        ],
    );
    check(
        |door| door.asked_at = NOW - 4 * HOUR - MS,
        expect![
            "CLOCK_SKEW: this machine's clock is 4 h behind, more than 4 h: the host says 2026-11-22 00:00:00Z; again in 7200s"
        ],
    );
    check(
        |door| door.chain = chain(NOW + MS, NOW + DAY),
        expect![
            "CERTIFICATE_NOT_BEGUN: the host's certificate e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0 is valid only from 2026-11-22 00:00:00Z on; again in 7200s"
        ],
    );
    check(|door| door.chain = chain(NOW, NOW + MS), expect!["admitted"]);
    check(
        |door| door.chain = chain(NOW - DAY, NOW),
        expect![
            "CERTIFICATE_ENDED: the host's certificate e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0 has ended at 2026-11-22 00:00:00Z; again in 7200s"
        ],
    );
    check(
        |door| door.disk_is_short = true,
        expect!["DISK_FULL: the host has too little free space on its disk to count anybody; again in 600s"],
    );
}

#[test]
fn known_machines_say_which_clock_is_wrong() {
    let mut door = Door::new();
    assert!(!door.ask(1, |ask, clock| ask.is_about_a_clock(clock)));
    door.asked_at = NOW + 5 * HOUR;
    for machine in 1..=3 {
        assert!(door.ask(machine, |ask, clock| ask.is_about_a_clock(clock)));
        assert!(door.check().starts_with("CLOCK_SKEW"), "fewer than three have said so");
        assert!(!door.ask(machine, |ask, clock| ask.vote(clock, 3)));
    }
    assert!(door.check().starts_with("HOST_CLOCK"), "all of them are ahead");

    door.asked_at = NOW;
    let agree: Vec<_> = (4..=6).map(|machine| door.ask(machine, |ask, clock| ask.vote(clock, 3))).collect();
    assert_eq!(agree, [false, false, true]);
    assert!(door.check().starts_with("HOST_CLOCK"), "until the ledger is settled");
    door.ask(6, |ask, clock| clock.end(ask.now));
    assert_eq!(door.check(), "admitted");
}

#[test]
fn a_machine_that_was_counted_agrees_with_the_clock() {
    let mut door = Door::new();
    let decision = Decision::Released { serial: 1 };
    let votes = Outcome { decision, votes: true, ledger_is_behind: false, arrival: None };
    door.ask(1, |ask, clock| ask.decided(clock, &votes));
    door.asked_at = NOW + 5 * HOUR;
    for machine in 2..=4 {
        door.ask(machine, |ask, clock| ask.vote(clock, 3));
    }
    assert!(door.check().starts_with("CLOCK_SKEW"), "one has agreed within the hour");
}
