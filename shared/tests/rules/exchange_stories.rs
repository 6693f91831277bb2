//! The machine's walk: what each answer makes of the next ask, and which answer of a round counts.

use core::fmt::Write as _;

use expect_test::{Expect, expect};
use proto::v1;
use shared::answer::{self, Expected, Header, Lease, Received, Verdict};
use shared::ask::{Ask, AskKind, Rejected};
use shared::envelope::{Kind, SecretKey};
use shared::exchange::{Asker, Best, Exchange, Then, Visit};
use shared::ids::{HostId, Nonce};
use shared::license::{Draw, License, Setup, Timer};
use shared::policy::Policy;
use shared::reason::{Cause, Reason};
use shared::revocation::Revocations;
use shared::time::Timestamp;

use crate::kit::{self, DAY, HOUR, MS, NOW, Who};

/// A machine without a disk. Its nonces are numbered, and so are its keys.
struct Machine {
    kind: AskKind,
    exchange: Exchange,
    key: SecretKey,
    pending: Option<SecretKey>,
    lease: Option<Lease>,
    visit: Visit,
    drawn: u8,
    now: Timestamp,
}

impl Machine {
    fn new(kind: AskKind, brings_chain: bool) -> Machine {
        Machine {
            kind,
            exchange: Exchange::default(),
            key: kit::key(Who::Machine),
            pending: None,
            lease: None,
            visit: Visit::new(kind, brings_chain),
            drawn: 0,
            now: NOW,
        }
    }

    fn asker(&self) -> Asker<'_> {
        Asker {
            key: self.pending.as_ref().unwrap_or(&self.key),
            replaces: self.pending.as_ref().map(|_| &self.key),
            product: kit::PRODUCT,
            fingerprint: kit::fingerprint(),
            kind: self.kind,
            kept: true,
            edition: "pro",
            library_version: "0.1.0",
        }
    }

    /// One ask, which the host opens, and its answer: says what was asked and what is done then.
    fn ask(&mut self, answered: &str) -> String {
        if !self.visit.asks() {
            return "asks no more".to_owned();
        }
        self.drawn += 1;
        let nonce = self.exchange.name(Nonce::from_bytes([self.drawn; 16]));
        let held = self.lease.as_ref();
        let asker = self.asker();
        let ask = self.exchange.compose(&asker, nonce, held.map(Lease::signed), self.now);
        let chain = held.filter(|_| self.visit.brings_chain()).map(|lease| lease.chain().encoded());
        let v1::ActivateRequest { ask: signed, replaced_signature, held_chain, .. } = match self.kind {
            AskKind::Activate => asker.activate(&ask, chain),
            AskKind::Release => v1::ActivateRequest { ask: asker.release(&ask).ask, ..Default::default() },
        };
        let opened = Ask::open(&signed.unwrap(), replaced_signature.as_ref()).unwrap();
        let mut told = format!("nonce {}, serial {}", opened.nonce.as_bytes()[0], opened.serial);
        for (is_so, word) in [
            (opened.held_lease.is_some(), "lease"),
            (!held_chain.is_empty(), "its chain"),
            (opened.chain_digest.is_some(), "digest"),
            (opened.replaces.is_some(), "replaces"),
            (opened.rejected.is_some(), "rejected"),
        ] {
            told += if is_so { ", " } else { "" };
            told += if is_so { word } else { "" };
        }
        if answered == "lost" {
            return format!("{told}: lost");
        }
        let answer = answer(answered, &opened);
        let judged = self
            .exchange
            .judge(&answer, &kit::roots(), &Expected::of(&ask, None), &mut Revocations::default(), self.now)
            .unwrap();
        let (then, verdict) = self.exchange.obey(&mut self.visit, judged, self.now);
        write!(told, ": {answered}, {then:?}").unwrap();
        match verdict {
            Verdict::Leased(lease) => {
                self.lease = Some(*lease);
                self.key = self.pending.take().unwrap_or(self.key.clone());
            }
            Verdict::Refused(refused) if refused.cause.code != answered => {
                write!(told, " by {}", refused.cause.code).unwrap();
            }
            Verdict::Waiting(_) | Verdict::Released(_) | Verdict::Refused(_) => {}
        }
        if then == Then::Replace {
            self.pending = Some(SecretKey::from_seed(&[100 + self.drawn; 32]));
        }
        told
    }
}

/// What a host says to this ask: a word, or the code of a refusal.
fn answer(what: &str, ask: &Ask) -> v1::Answer {
    let (header, chain) = (kit::header(&Expected::of(ask, None), ask.asked_at), kit::chain());
    let chain = chain.encoded();
    match what {
        "lease" => kit::answer(chain, Kind::Lease, &kit::lease(&header, &Policy::CLIENT)),
        "waiting" => kit::answer(chain, Kind::Waiting, &answer::compose_waiting(&header, &Policy::CLIENT, 7)),
        "released" => kit::answer(chain, Kind::Released, &answer::compose_released(&header)),
        code => {
            let cause = Cause::from(Reason::from_code(code).unwrap());
            let header = Header { serial: ask.serial, ..header };
            kit::answer(chain, Kind::Refusal, &answer::compose_refusal(&header, &cause, HOUR))
        }
    }
}

/// The asks of a machine to one host, and to the next after each `|`.
fn check(kind: AskKind, brings_chain: bool, answers: &str, expected: Expect) -> Machine {
    let mut machine = Machine::new(kind, brings_chain);
    let mut told = String::new();
    for word in answers.split(' ') {
        if word == "|" {
            machine.visit = Visit::new(kind, brings_chain);
            machine.now = machine.now + HOUR;
            continue;
        }
        told += &machine.ask(word);
        told += "\n";
    }
    expected.assert_eq(&told);
    machine
}

#[test]
fn an_ask_keeps_its_name_until_an_answer_is_accepted() {
    check(
        AskKind::Activate,
        false,
        "lost | BLOCKED | waiting | lost | lease | lost",
        expect![[r#"
        nonce 1, serial 0: lost
        nonce 1, serial 0: BLOCKED, Next
        nonce 1, serial 0: waiting, Next
        nonce 4, serial 1, digest: lost
        nonce 4, serial 1, digest: lease, Next
        nonce 6, serial 2, lease, digest: lost
    "#]],
    );
}

#[test]
fn a_chain_is_brought_once_and_a_new_identity_brings_it_too() {
    check(
        AskKind::Activate,
        false,
        "lease | CHAIN_NEEDED CHAIN_NEEDED",
        expect![[r#"
        nonce 1, serial 0: lease, Next
        nonce 2, serial 1, lease, digest: CHAIN_NEEDED, BringChain
        nonce 2, serial 1, lease, its chain, digest: CHAIN_NEEDED, Next
    "#]],
    );
    check(
        AskKind::Activate,
        true,
        "lease | CHAIN_NEEDED",
        expect![[r#"
        nonce 1, serial 0: lease, Next
        nonce 2, serial 1, lease, its chain, digest: CHAIN_NEEDED, Next
    "#]],
    );
    check(
        AskKind::Activate,
        false,
        "lease | CHAIN_NEEDED COPIED CHAIN_NEEDED lease lease | waiting",
        expect![[r#"
            nonce 1, serial 0: lease, Next
            nonce 2, serial 1, lease, digest: CHAIN_NEEDED, BringChain
            nonce 2, serial 1, lease, its chain, digest: COPIED, Replace
            nonce 4, serial 1, lease, its chain, digest, replaces: CHAIN_NEEDED, Next
            nonce 4, serial 1, lease, its chain, digest, replaces: lease, Next
            asks no more
            nonce 6, serial 2, lease, digest: waiting, Next
        "#]],
    );
}

#[test]
fn a_host_is_asked_four_times_at_the_most() {
    check(
        AskKind::Activate,
        false,
        "CHAIN_NEEDED COPIED COPIED COPIED COPIED",
        expect![[r#"
        nonce 1, serial 0: CHAIN_NEEDED, BringChain
        nonce 1, serial 0: COPIED, Replace
        nonce 3, serial 0, replaces: COPIED, Replace
        nonce 4, serial 0, replaces: COPIED, Replace
        asks no more
    "#]],
    );
}

#[test]
fn three_new_identities_are_made_in_a_day_and_the_fourth_a_day_after_the_first() {
    let mut machine = check(
        AskKind::Activate,
        false,
        "COPIED | COPIED | COPIED | COPIED",
        expect![[r#"
            nonce 1, serial 0: COPIED, Replace
            nonce 2, serial 0, replaces: COPIED, Replace
            nonce 3, serial 0, replaces: COPIED, Replace
            nonce 4, serial 0, replaces: COPIED, Next by REKEY_LIMIT
        "#]],
    );
    for (now, expected) in [(NOW + DAY - MS, Then::Next), (NOW + DAY, Then::Replace)] {
        (machine.now, machine.visit) = (now, Visit::new(AskKind::Activate, false));
        let told = machine.ask("COPIED");
        assert!(told.contains(&format!("COPIED, {expected:?}")), "{told}");
    }
    assert_eq!(machine.exchange.rekeyed_at.len(), 3, "what is older is forgotten");
}

#[test]
fn a_host_whose_certificate_has_ended_names_no_copy() {
    let mut machine = Machine::new(AskKind::Activate, false);
    machine.now = NOW + 335 * DAY;
    expect!["nonce 1, serial 0: COPIED, Next"].assert_eq(&machine.ask("COPIED"));
}

#[test]
fn who_leaves_shows_nothing_and_replaces_nobody() {
    let mut machine = check(
        AskKind::Activate,
        true,
        "lease COPIED",
        expect![[r#"
        nonce 1, serial 0: lease, Next
        nonce 2, serial 1, lease, its chain, digest: COPIED, Replace
    "#]],
    );
    (machine.kind, machine.visit) = (AskKind::Release, Visit::new(AskKind::Release, true));
    expect!["nonce 3, serial 1, digest: COPIED, Next"].assert_eq(&machine.ask("COPIED"));
    expect!["nonce 3, serial 1, digest: released, Next"].assert_eq(&machine.ask("released"));
}

#[test]
fn what_was_rejected_is_told_until_an_answer_of_that_host_is_accepted() {
    let host = kit::key(Who::Host).public().host();
    let other = HostId::from_bytes([1; 16]);
    for (by, is_told) in [(None, false), (Some(host), false), (Some(other), true)] {
        let mut machine = Machine::new(AskKind::Activate, false);
        machine.exchange.rejected = Some(Box::new(Rejected { code: "UNTRUSTED".to_owned(), host: by }));
        assert!(machine.ask("BLOCKED").contains("rejected"));
        assert!(machine.ask("waiting").contains("rejected"));
        assert_eq!(machine.exchange.rejected.is_some(), is_told, "{by:?}");
    }
}

/// A round over these answers in this order: what the license is told, which is what a later one could not better.
#[track_caller]
fn check_round(answers: &[&str], expected: &str) {
    let mut best = Best::Nothing;
    for what in answers {
        let kind = if *what == "released" { AskKind::Release } else { AskKind::Activate };
        let ask = Ask { kind, ..kit::ask() };
        best.take(match *what {
            "hint" => Best::Hint { cause: Reason::Overloaded.into(), ask_again: HOUR },
            what => {
                let judged = Received::open(&answer(what, &ask), None, &kit::roots()).unwrap();
                Best::Signed(judged.judge(&Expected::of(&ask, None), NOW).unwrap())
            }
        });
    }
    let mut license = License::<Lease>::begin(Setup::DEFAULT, NOW);
    let told = best.event(Reason::HostSilent.code()).map(|event| {
        license.step(NOW, event, Draw(0));
        match license.facts().timer {
            Timer::Never => "released".to_owned(),
            Timer::At { .. } => license.facts().last_reason.clone(),
        }
    });
    assert_eq!(told.as_deref().unwrap_or("lease"), expected, "{answers:?}");
    assert_eq!(best.is_lease(), expected == "lease");
}

#[test]
fn the_first_of_the_best_is_told_once() {
    check_round(&[], "HOST_SILENT");
    // Each is better than the one before it, whichever of them comes first.
    let ranks = ["hint", "BLOCKED", "CLOCK_SKEW", "waiting", "released", "lease"];
    let told = ["OVERLOADED", "BLOCKED", "CLOCK_SKEW", "COUNT_BELOW_THRESHOLD", "released", "lease"];
    for (rank, expected) in told.iter().enumerate() {
        let mut upwards = ranks[..=rank].to_vec();
        check_round(&upwards, expected);
        upwards.reverse();
        check_round(&upwards, expected);
    }
    check_round(&["BLOCKED", "DISK_FULL"], "BLOCKED");
}
