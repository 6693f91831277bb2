//! What holds for every history, clock and byte: chance looks for what the stories forgot.

use core::time::Duration;
use std::collections::BTreeMap;

use proptest::prelude::*;
use prost::Message;
use proto::v1;
use sha2::{Digest, Sha256};
use shared::answer::{AnswerError, Received, Term as _, Verdict};
use shared::ask::{Ask, AskKind, UnverifiedAsk};
use shared::certificate::Chain;
use shared::count::{Decision, Entrants, Shown, Sighting, Terms};
use shared::envelope::Kind;
use shared::ids::{Fingerprint, MachineId, Nonce};
use shared::license::{ByKey, Draw, Event, KeyTerm, License, Setup};
use shared::policy::Policy;
use shared::record::{FORMAT_VERSION, Meta, Record, Tally, decode_number};
use shared::serial::Mark;
use shared::time::Timestamp;

use crate::books::Books;
use crate::kit::{self, HOUR, NOW, PRODUCT, Who};

// The count.

#[derive(Clone, Debug)]
enum Act {
    Activate(u8),
    Release(u8),
    /// The first asks under a new identity, of the same installation or another, and names the second.
    Replace(u8, u8, bool),
    Pass(u64),
    Window(u64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => any::<u8>().prop_map(|number| Act::Activate(number % 12)),
        2 => any::<u8>().prop_map(|number| Act::Release(number % 12)),
        2 => (12_u8..24, 0_u8..24, any::<bool>()).prop_map(|(new, old, same)| Act::Replace(new, old, same)),
        4 => (0_u64..30_000_000).prop_map(Act::Pass),
        1 => (0_u64..3_000_000_000).prop_map(Act::Pass),
        1 => (1_u64..200_000_000).prop_map(Act::Window),
    ]
}

/// The count as somebody would write it who had all the time in the world: when each machine in it was last seen.
struct Naive {
    seen_at: BTreeMap<MachineId, (Timestamp, Fingerprint)>,
}

impl Naive {
    fn total(&self, now: Timestamp, window: Duration, width_ms: u64) -> u64 {
        let width_ms = i64::try_from(width_ms).unwrap();
        let hour = |at: Timestamp| at.unix_ms().div_euclid(width_ms);
        let window_ms = i64::try_from(window.as_millis()).unwrap();
        let window_hours = (window_ms + width_ms - 1) / width_ms;
        let counted = |seen: Timestamp| hour(now) - window_hours < hour(seen);
        self.seen_at.values().filter(|(seen, _)| counted(*seen)).count() as u64
    }
}

proptest! {
    #[test]
    fn the_running_count_is_the_naive_one_after_every_step(
        acts in prop::collection::vec(act(), 1..80),
        width_ms in prop_oneof![Just(3_600_000_u64), Just(100_u64), 1_u64..10_000_000],
        begins_ms in -10_000_000_000_i64..10_000_000_000,
    ) {
        // Around the epoch, so that hours before 1970 are met too.
        let mut now = Timestamp::from_unix_ms(begins_ms);
        let mut books = Books::new(kit::LEDGER);
        // Loops of the rule are bounded by the window in hours, so narrow hours have a short one.
        books.hour_width_ms = width_ms;
        let mut window = Duration::from_millis(24 * width_ms);
        let mut serials: BTreeMap<u8, u64> = BTreeMap::new();
        let mut naive = Naive { seen_at: BTreeMap::new() };
        let mut nonce = 0_u64;
        for act in acts {
            let (number, kind, replaces) = match act {
                Act::Activate(number) => (number, AskKind::Activate, None),
                Act::Release(number) => (number, AskKind::Release, None),
                Act::Replace(new, old, same) => (new, AskKind::Activate, Some((old, same))),
                Act::Pass(ms) => {
                    now = now + Duration::from_millis(ms);
                    continue;
                }
                Act::Window(ms) => {
                    window = Duration::from_millis(ms.min(500 * width_ms).max(1));
                    continue;
                }
            };
            nonce += 1;
            let terms = Terms { threshold: 3, count_window: window, validity: 24 * HOUR, clock_tolerance: 4 * HOUR };
            let machine = |number: u8| MachineId::from_bytes([number; 16]);
            let installation = match replaces {
                Some((old, true)) => old,
                _ => number,
            };
            let fingerprint = Fingerprint::of_machine(PRODUCT, &[installation]);
            let mut nonce_bytes = [0; 16];
            nonce_bytes[..8].copy_from_slice(&nonce.to_be_bytes());
            let sighting = Sighting {
                product: PRODUCT,
                machine: machine(number),
                presented: Mark {
                    serial: serials.get(&number).copied().unwrap_or(0),
                    nonce: Nonce::from_bytes(nonce_bytes),
                    asked_at: now,
                },
                fingerprint,
                kind,
                kept: true,
                replaces: replaces.map(|(old, _)| machine(old)),
                shown: Shown::Nothing,
                entrants: Entrants::Anybody,
                at: now,
                terms,
            };
            let is_new = !serials.contains_key(&number);
            let decision = books.decide(&sighting);
            if let (true, Some((old, _))) = (is_new, replaces) {
                let takes = naive.seen_at.get(&machine(old)).is_some_and(|(_, of)| of.same_as(&fingerprint));
                if takes && old != number {
                    naive.seen_at.remove(&machine(old));
                }
            }
            match kind {
                AskKind::Activate => naive.seen_at.insert(machine(number), (now, fingerprint)),
                AskKind::Release => naive.seen_at.remove(&machine(number)),
            };
            let total = naive.total(now, window, width_ms);
            let serial = match decision {
                Decision::Lease { serial, grant } => {
                    prop_assert!(3 <= total);
                    prop_assert_eq!(grant.count, total);
                    serial
                }
                Decision::Waiting { serial, count } => {
                    prop_assert!(total < 3);
                    prop_assert_eq!(count, total);
                    serial
                }
                Decision::Released { serial } => serial,
                Decision::Refused(_) | Decision::Verify => panic!("{decision:?}"),
            };
            serials.insert(number, serial);
            prop_assert_eq!(books.total(PRODUCT, &terms, now), total);
            let later = now + Duration::from_millis(3 * width_ms);
            prop_assert_eq!(books.total(PRODUCT, &terms, later), naive.total(later, window, width_ms));
            prop_assert_eq!(books.hours.values().sum::<u64>(), naive.seen_at.len() as u64);
            prop_assert_eq!(books.tallies[&PRODUCT].active, naive.seen_at.len() as u64);
        }
    }
}

// The clock.

fn lease_of(chain: &Chain) -> shared::answer::Lease {
    let expected = kit::expected();
    let message = kit::lease(&kit::header(&expected, NOW), &Policy::CLIENT);
    let answer = kit::answer(chain.encoded(), Kind::Lease, &message);
    let received = Received::open(&answer, None, &kit::roots()).unwrap();
    match received.judge(&expected, NOW).unwrap() {
        Verdict::Leased(lease) => *lease,
        other => panic!("{other:?}"),
    }
}

/// Within two years around the first start.
fn instant() -> impl Strategy<Value = Timestamp> {
    (-31_536_000_000_i64..31_536_000_000).prop_map(|ms| Timestamp::from_unix_ms(NOW.unix_ms() + ms))
}

proptest! {
    /// Whatever the clock said in between, the product stands where it stands at the latest time that was ever seen.
    #[test]
    fn a_clock_that_is_set_back_lengthens_nothing(
        begun in 0..5_u8,
        looks in prop::collection::vec((instant(), any::<bool>(), any::<u32>()), 0..12),
        asked in instant(),
    ) {
        let begin = || {
            let mut license = License::begin(Setup::DEFAULT, NOW);
            let mut step = |event: Event<'_>| license.step(NOW, event, Draw(0));
            match begun {
                0 => {}
                1 => drop(step(Event::Leased(&lease_of(&kit::chain())))),
                2 => drop(step(Event::KeyEntered { at_once: true })),
                _ => drop(step(Event::Confirmed(KeyTerm { confirmed_at: NOW, not_after: Some(NOW + 100 * kit::DAY) }))),
            }
            if begun == 4 {
                step(Event::KeyEntered { at_once: false });
            }
            license
        };
        let mut license = begin();
        let mut latest = NOW;
        for (now, failed, draw) in looks {
            let event = if failed { Event::Failed { code: "HOST_SILENT", ask_again: None } } else { Event::Woke };
            license.step(now, event, Draw(draw));
            latest = latest.max(now);
            // A process that reads what was saved sees the same.
            let resumed = License::resume(Setup::DEFAULT, license.facts().clone(), license.lease().cloned(), None);
            prop_assert_eq!(resumed.state(now), license.state(now));
            prop_assert!(license.state(now) == license.state(license.wake_at(now) - kit::MS) || license.wake_at(now) <= latest);
        }
        prop_assert_eq!(license.state(asked), begin().state(latest.max(asked)));
    }
}

proptest! {
    /// A key that is entered takes nothing away that a lease or another key gives, and to enter that one again brings back what was. Time
    /// alone changes the state only when the machine looks, and a process that reads what was saved sees the same.
    #[test]
    fn another_key_takes_no_license_away(
        leased in any::<bool>(),
        happened in prop::collection::vec((0..40_u32, 0..8_u8, any::<u32>()), 0..20),
    ) {
        let mut license = License::begin(Setup::DEFAULT, NOW);
        if leased {
            license.step(NOW, Event::Leased(&lease_of(&kit::chain())), Draw(0));
        }
        let (mut now, mut term) = (NOW, KeyTerm { confirmed_at: NOW, not_after: None });
        for (days, what, draw) in happened {
            now = now + days * kit::DAY;
            let (before, state) = (license.clone(), license.state(now));
            let event = match (what, before.facts().key) {
                (0 | 1, _) => Event::KeyEntered { at_once: what == 0 },
                (2 | 3, Some(_)) => {
                    term = KeyTerm { confirmed_at: now, not_after: (what == 3).then(|| now + 60 * kit::DAY) };
                    Event::Confirmed(term)
                }
                (4, Some(ByKey::Confirmed(_))) => Event::HardwareChanged,
                (4, Some(ByKey::HardwareChanged { .. })) => Event::HardwareRestored(term),
                (5, Some(_)) => Event::GivenBack,
                (6, _) => Event::Failed { code: "PORTAL_UNREACHABLE", ask_again: None },
                _ => Event::Woke,
            };
            let enters = matches!(event, Event::KeyEntered { .. });
            license.step(now, event, Draw(draw));
            if enters && state.is_licensed() {
                prop_assert_eq!(license.state(now), state);
            }
            if enters && !before.facts().other_key_waits && before.facts().key.is_some_and(|key| key != ByKey::Entered) {
                let mut again = license.clone();
                again.step(now, Event::KeyEnteredAgain, Draw(draw));
                prop_assert_eq!(again.state(now), state);
            }
            let resumed = License::resume(Setup::DEFAULT, license.facts().clone(), license.lease().cloned(), None);
            prop_assert_eq!(resumed.state(now), license.state(now));
            let looks = license.wake_at(now);
            prop_assert!(looks <= now || license.state(now) == license.state(looks - kit::MS));
        }
    }
}

// Bytes.

fn signed_ask() -> v1::Signed {
    kit::ask().sign(&kit::key(Who::Machine))
}

/// Every message that differs from `encoded` in one bit and can still be read.
fn flipped<M: Message + Default>(encoded: &[u8]) -> impl Iterator<Item = (usize, M)> {
    (0..8 * encoded.len()).filter_map(move |bit| {
        let mut changed = encoded.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        M::decode(changed.as_slice()).ok().map(|message| (bit, message))
    })
}

#[test]
fn no_bit_of_an_ask_can_be_changed() {
    let mut ask = kit::ask();
    let old = kit::key(Who::OldIdentity);
    ask.replaces = Some(old.public());
    let signed = ask.sign(&kit::key(Who::Machine));
    let beside = old.sign_beside(Kind::Ask, &signed.payload);
    assert!(Ask::open(&signed, Some(&beside)).is_ok());
    for (bit, changed) in flipped::<v1::Signed>(&signed.encode_to_vec()) {
        assert!(Ask::open(&changed, Some(&beside)).is_err(), "bit {bit}");
    }
    for (bit, changed) in flipped::<v1::Signature>(&beside.encode_to_vec()) {
        assert!(Ask::open(&signed, Some(&changed)).is_err(), "bit {bit} beside");
    }
}

#[test]
fn no_bit_of_a_lease_can_be_changed() {
    let chain = kit::chain();
    let message = kit::lease(&kit::header(&kit::expected(), NOW), &Policy::CLIENT);
    let answer = kit::answer(chain.encoded(), Kind::Lease, &message);
    for (bit, changed) in flipped::<v1::Signed>(&answer.signed.unwrap().encode_to_vec()) {
        let answer = v1::Answer { signed: Some(changed), ..v1::Answer::default() };
        assert!(Received::open(&answer, Some(&chain), &kit::roots()).is_err(), "bit {bit}");
    }
}

#[test]
fn no_bit_of_a_chain_can_be_changed() {
    let encoded = kit::chain_issued(&kit::issuing_certificate(), &kit::certificate().encode());
    assert!(Chain::verify(&encoded, &kit::roots()).is_ok());
    for bit in 0..8 * encoded.len() {
        let mut changed = encoded.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(Chain::verify(&changed.into(), &kit::roots()).is_err(), "bit {bit}");
    }
}

/// A good message with a few bytes changed, cut or added.
fn garbled(good: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let length = good.len();
    let changes = prop::collection::vec((0..length, any::<u8>()), 0..6);
    (changes, 0..=length, prop::collection::vec(any::<u8>(), 0..8), any::<bool>()).prop_map(
        move |(changes, cut, tail, is_cut)| {
            let mut bytes = good.clone();
            for (index, byte) in changes {
                bytes[index] = byte;
            }
            bytes.truncate(if is_cut { cut } else { length });
            bytes.extend(tail);
            bytes
        },
    )
}

fn payload(answer: &impl Message) -> Vec<u8> {
    answer.encode_to_vec()
}

fn judge(kind: Kind, payload: Vec<u8>) -> Result<Verdict, AnswerError> {
    let signed = kit::key(Who::Host).sign_bytes(kind, payload.into());
    let answer = v1::Answer { signed: Some(signed), ..v1::Answer::default() };
    Received::open(&answer, Some(&kit::chain()), &kit::roots())?.judge(&kit::expected(), NOW)
}

proptest! {
    #[test]
    fn garbled_asks_are_errors_and_no_panic(bytes in garbled(payload(&signed_ask())), inner in garbled(signed_ask().payload.to_vec())) {
        if let Ok(signed) = v1::Signed::decode(bytes.as_slice()) {
            let _ = Ask::open(&signed, None);
        }
        let signed = kit::key(Who::Machine).sign_bytes(Kind::Ask, inner.into());
        let unverified = UnverifiedAsk::read(signed.clone());
        let _ = (unverified.product(), unverified.machine(), unverified.mark(), unverified.replaced());
        if let Ok(ask) = Ask::open(&signed, None) {
            prop_assert!(ask.serial <= 1 << 62);
        }
    }

    #[test]
    fn garbled_leases_under_a_good_signature_give_nothing_beyond_the_certificate(
        bytes in garbled(payload(&kit::lease(&kit::header(&kit::expected(), NOW), &Policy::CLIENT))),
        kind in prop::sample::select(Kind::ALL.to_vec()),
    ) {
        match judge(kind, bytes) {
            Ok(Verdict::Leased(lease)) => {
                prop_assert!(lease.expires_at().since(NOW) <= Policy::CLIENT.validity + 4 * HOUR);
                prop_assert!(4 < lease.header().serial && lease.header().serial <= 1 << 62);
            }
            Ok(Verdict::Waiting(waiting)) => prop_assert!(4 < waiting.header.serial),
            Ok(Verdict::Refused(_)) | Err(_) => {}
            Ok(Verdict::Released(header)) => panic!("nothing was to be released: {header:?}"),
        }
    }

    #[test]
    fn garbled_certificates_under_a_good_signature_are_errors_and_no_panic(
        bytes in garbled(payload(&kit::certificate().encode())),
        issuing in garbled(payload(&kit::issuing_certificate())),
        outside in garbled(kit::chain().encoded().to_vec()),
    ) {
        let root = kit::key(Who::Root);
        let host = kit::key(Who::Issuing).sign_bytes(Kind::HostCertificate, bytes.clone().into());
        let issuing = root.sign_bytes(Kind::IssuingCertificate, issuing.into());
        let _ = Chain::verify(&Chain::encode(host, Some(issuing)), &kit::roots());
        let host = root.sign_bytes(Kind::HostCertificate, bytes.into());
        if let Ok(chain) = Chain::verify(&Chain::encode(host, None), &kit::roots()) {
            prop_assert!(chain.host().policy.checked().is_ok());
        }
        let _ = Chain::verify(&outside.into(), &kit::roots());
    }

    #[test]
    fn any_bytes_in_a_store_are_read_or_named_damaged(key in any::<[u8; 4]>(), body in prop::collection::vec(any::<u8>(), 0..100)) {
        prop_assert!(Record::decode(&key, &body).is_err());
        // And with a checksum that fits, since a store may also hold what another release has written.
        let mut sealed = body.clone();
        sealed.extend_from_slice(&Sha256::new().chain_update(key).chain_update(&body).finalize()[..8]);
        let right_length = |length: usize| body.len() == length && body[0] == 1;
        if let Ok(record) = Record::decode(&key, &sealed) {
            prop_assert!(right_length(75));
            prop_assert!(Record::decode(&key, &record.encode(&key)).is_ok());
        }
        prop_assert_eq!(Tally::decode(&key, &sealed).is_ok(), right_length(37));
        // Of a ledger of an earlier format, too.
        let is_meta = body.len() == 57 && (1..=FORMAT_VERSION).contains(&body[0]);
        prop_assert!(Meta::decode(&key, &sealed).is_err() || is_meta);
        prop_assert_eq!(decode_number(&key, &sealed).is_ok(), right_length(9));
    }
}

// Numbers.

const DAY_MS: u64 = 86_400_000;

/// Numbers that hold, over their whole range.
fn policy() -> impl Strategy<Value = Policy> {
    let share = 0.0..=1.0_f64;
    let shares = [(); 7].map(|()| share.clone());
    (4..=400 * DAY_MS, shares, 1_u32..=1_000_000).prop_map(|(validity_ms, shares, threshold)| {
        // From `lowest` to `highest`, both included.
        let between = |share: f64, lowest: u64, highest: u64| {
            Duration::from_millis(lowest) + Duration::from_millis(highest - lowest).mul_f64(share)
        };
        let whole = |length: Duration| Duration::from_millis(u64::try_from(length.as_millis()).unwrap());
        let ms = |length: Duration| u64::try_from(length.as_millis()).unwrap();
        let renew_interval = whole(between(shares[0], 1, (validity_ms / 4).min(30 * DAY_MS)));
        let renew_retry_max = whole(between(shares[1], 1, ms(renew_interval)));
        let count_window = whole(between(shares[2], ms(renew_interval) + 1, 400 * DAY_MS));
        Policy {
            validity: Duration::from_millis(validity_ms),
            renew_interval,
            renew_retry_max,
            renew_retry: whole(between(shares[3], 1, ms(renew_retry_max))),
            count_window,
            retry_interval: whole(between(shares[4], 1, (ms(count_window) - 1).min(30 * DAY_MS))),
            expiry_warning: whole(between(shares[5], 0, validity_ms - 1)),
            clock_tolerance: whole(between(shares[6], 1, DAY_MS)),
            threshold,
        }
    })
}

proptest! {
    #[test]
    fn numbers_that_hold_survive_the_wire(policy in policy()) {
        prop_assert_eq!(policy.checked(), Ok(policy));
        let wire = v1::Policy::decode(policy.encode().encode_to_vec().as_slice()).unwrap();
        prop_assert_eq!(Policy::decode(&wire), Ok(policy));
    }

    #[test]
    fn any_numbers_on_the_wire_are_held_to_their_bounds(ms in any::<[i64; 8]>(), threshold in any::<u32>()) {
        let wire = v1::Policy {
            validity_ms: ms[0], renew_interval_ms: ms[1], retry_interval_ms: ms[2], renew_retry_ms: ms[3],
            renew_retry_max_ms: ms[4], count_window_ms: ms[5], threshold, expiry_warning_ms: ms[6],
            clock_tolerance_ms: ms[7],
        };
        let error = Policy::decode(&wire).map_err(|error| error.to_string());
        prop_assert!(error.is_err_and(|error| !error.is_empty()), "eight random lengths never hold");
    }
}
