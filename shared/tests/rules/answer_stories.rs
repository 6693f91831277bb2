//! What a machine makes of an answer: each thing that is wrong with one, changed alone in an answer that is right.

use bytes::Bytes;
use expect_test::{Expect, expect};
use prost::Message;
use proto::v1;
use shared::answer::{
    AnswerError, Expected, Header, Lease, Received, Term as _, Verdict, compose_refusal, compose_released,
    compose_waiting,
};
use shared::ask::AskKind;
use shared::certificate::HostCertificate;
use shared::envelope::Kind;
use shared::ids::{Fingerprint, HostId, MachineId, Nonce, ProductId};
use shared::policy::Policy;
use shared::reason::{Cause, Reason};
use shared::time::Timestamp;

use crate::kit::{self, DAY, HOUR, MS, NOW, Who};

/// An answer on its way, and the machine that awaits it.
struct Scene {
    chain: Bytes,
    expected: Expected,
    header: Header,
    now: Timestamp,
    must_understand: u32,
}

impl Scene {
    fn new() -> Scene {
        let expected = kit::expected();
        Scene {
            chain: kit::chain().encoded().clone(),
            header: kit::header(&expected, NOW),
            expected,
            now: NOW,
            must_understand: 0,
        }
    }

    fn certificate(&mut self, change: impl FnOnce(&mut HostCertificate)) {
        let mut certificate = kit::certificate();
        change(&mut certificate);
        self.chain = kit::chain_by(Who::Root, &certificate.encode());
    }

    fn lease(&self) -> v1::Lease {
        let mut lease = kit::lease(&self.header, &Policy::CLIENT);
        lease.header.as_mut().unwrap().must_understand = self.must_understand;
        lease
    }

    fn judge(&self, kind: Kind, message: &impl Message) -> Result<Verdict, AnswerError> {
        self.judge_raw(&kit::answer(&self.chain, kind, message))
    }

    fn judge_raw(&self, answer: &v1::Answer) -> Result<Verdict, AnswerError> {
        Received::open(answer, None, &kit::roots())?.judge(&self.expected, self.now)
    }
}

fn tell(verdict: Result<Verdict, AnswerError>) -> String {
    match verdict {
        Ok(Verdict::Leased(lease)) => format!("leased, serial {}", lease.header().serial),
        Ok(Verdict::Waiting(waiting)) => {
            format!("waiting, {} of {}", waiting.count, waiting.threshold)
        }
        Ok(Verdict::Released(header)) => format!("released, serial {}", header.serial),
        Ok(Verdict::Refused(refused)) => {
            let obeyed = if refused.obey_copied { ", obeyed" } else { "" };
            format!("believed: {}{obeyed}", refused.cause)
        }
        Err(error) => format!("{}: {error}", error.cause(&"host").code),
    }
}

fn check_lease(change: impl FnOnce(&mut Scene), expected: Expect) {
    let mut scene = Scene::new();
    change(&mut scene);
    expected.assert_eq(&tell(scene.judge(Kind::Lease, &scene.lease())));
}

fn check_lease_text(change: impl FnOnce(&mut v1::Lease), expected: Expect) {
    let scene = Scene::new();
    let mut lease = scene.lease();
    change(&mut lease);
    expected.assert_eq(&tell(scene.judge(Kind::Lease, &lease)));
}

fn check_waiting(change: impl FnOnce(&mut Scene), expected: Expect) {
    let mut scene = Scene::new();
    change(&mut scene);
    let waiting = compose_waiting(&scene.header, &Policy::CLIENT, 7);
    expected.assert_eq(&tell(scene.judge(Kind::Waiting, &waiting)));
}

fn check_released(change: impl FnOnce(&mut Scene), expected: Expect) {
    let mut scene = Scene::new();
    scene.expected.kind = AskKind::Release;
    change(&mut scene);
    let released = compose_released(&scene.header);
    expected.assert_eq(&tell(scene.judge(Kind::Released, &released)));
}

fn check_copied(change: impl FnOnce(&mut Scene), expected: Expect) {
    let mut scene = Scene::new();
    scene.header.serial = scene.expected.serial;
    change(&mut scene);
    let refusal = compose_refusal(&scene.header, &Cause::from(Reason::Copied), HOUR);
    expected.assert_eq(&tell(scene.judge(Kind::Refusal, &refusal)));
}

#[test]
fn what_was_asked_for_is_accepted() {
    check_lease(|_| (), expect!["leased, serial 5"]);
    check_waiting(|_| (), expect!["waiting, 7 of 25"]);
    check_released(|_| (), expect!["released, serial 5"]);
    check_copied(
        |_| (),
        expect![
            "believed: COPIED: another machine uses the same identity, or this machine's disk was set back, obeyed"
        ],
    );
}

#[test]
fn an_answer_to_somebody_else_is_none() {
    check_lease(
        |s| s.header.machine = MachineId::from_bytes([1; 16]),
        expect!["ANSWER_MISMATCH: its machine is not the one that was asked for"],
    );
    check_lease(
        |s| s.header.nonce = Nonce::from_bytes([1; 16]),
        expect!["ANSWER_MISMATCH: its nonce is not the one that was asked for"],
    );
    check_lease(
        |s| s.expected.product = kit::OTHER_PRODUCT,
        expect!["ANSWER_MISMATCH: its product is not the one that was asked for"],
    );
    check_lease(
        |s| s.header.product = kit::OTHER_PRODUCT,
        expect!["ANSWER_MISMATCH: its product of the certificate is not the one that was asked for"],
    );
    check_lease(
        |s| s.header.host = HostId::from_bytes([1; 16]),
        expect!["ANSWER_MISMATCH: its host is not the one that was asked for"],
    );
    check_lease(
        |s| s.expected.fingerprint = Fingerprint::NONE,
        expect!["ANSWER_MISMATCH: its fingerprint is not the one that was asked for"],
    );
    check_lease(
        |s| s.expected.kind = AskKind::Release,
        expect!["ANSWER_MISMATCH: its kind is not the one that was asked for"],
    );
    check_waiting(
        |s| s.expected.kind = AskKind::Release,
        expect!["ANSWER_MISMATCH: its kind is not the one that was asked for"],
    );
    check_released(
        |s| s.expected.kind = AskKind::Activate,
        expect!["ANSWER_MISMATCH: its kind is not the one that was asked for"],
    );
    check_copied(
        |s| s.header.nonce = Nonce::from_bytes([1; 16]),
        expect!["ANSWER_MISMATCH: its nonce is not the one that was asked for"],
    );
}

#[test]
fn an_accepted_serial_grows_and_can_be_presented_again() {
    check_lease(
        |s| s.header.serial = s.expected.serial,
        expect!["ANSWER_MISMATCH: its serial is not the one that was asked for"],
    );
    check_lease(
        |s| s.header.serial = s.expected.serial - 1,
        expect!["ANSWER_MISMATCH: its serial is not the one that was asked for"],
    );
    let last = |s: &mut Scene, above: u64| {
        s.expected.serial = (1 << 62) - 1;
        s.header.serial = (1 << 62) + above;
    };
    check_lease(|s| last(s, 0), expect!["leased, serial 4611686018427387904"]);
    check_lease(|s| last(s, 1), expect!["ANSWER_MISMATCH: its serial is not the one that was asked for"]);
    check_waiting(
        |s| s.header.serial = s.expected.serial,
        expect!["ANSWER_MISMATCH: its serial is not the one that was asked for"],
    );
    check_released(
        |s| s.header.serial = s.expected.serial,
        expect!["ANSWER_MISMATCH: its serial is not the one that was asked for"],
    );
}

/// One answer with the serial 2^62 had used up every serial that its machine had: no later answer could be above it, from no host.
#[test]
fn no_answer_uses_up_the_serials_of_a_machine() {
    let step = 1 << 20;
    check_lease(|s| s.header.serial = s.expected.serial + step, expect!["leased, serial 1048580"]);
    for beyond in [step + 1, 1 << 40, (1 << 62) - 4] {
        let mismatch = || expect!["ANSWER_MISMATCH: its serial is not the one that was asked for"];
        check_lease(|s| s.header.serial = s.expected.serial + beyond, mismatch());
        check_waiting(|s| s.header.serial = s.expected.serial + beyond, mismatch());
        check_released(|s| s.header.serial = s.expected.serial + beyond, mismatch());
    }
}

#[test]
fn a_host_of_another_organisation_is_passed_over_by_name() {
    let other = |s: &mut Scene| {
        s.certificate(|c| {
            c.organisation = kit::OTHER_ORGANISATION;
            c.organisation_name = "Aldus".into();
        });
    };
    check_lease(other, expect!["OTHER_ORGANISATION: the host serves Aldus"]);
    check_waiting(other, expect!["OTHER_ORGANISATION: the host serves Aldus"]);
    check_copied(other, expect!["OTHER_ORGANISATION: the host serves Aldus"]);
    check_lease(
        |s| {
            other(s);
            s.expected.organisation = None;
        },
        expect!["leased, serial 5"],
    );
}

#[test]
fn the_certificate_has_to_be_valid_when_a_lease_is_accepted() {
    check_lease(|s| s.certificate(|c| c.not_after = NOW + MS), expect!["leased, serial 5"]);
    check_lease(
        |s| s.certificate(|c| c.not_after = NOW),
        expect!["ANSWER_OUT_OF_TIME: the certificate has ended at 2026-11-22 00:00:00Z"],
    );
    check_lease(|s| s.certificate(|c| c.not_before = NOW), expect!["leased, serial 5"]);
    check_lease(
        |s| s.certificate(|c| c.not_before = NOW + MS),
        expect!["ANSWER_OUT_OF_TIME: the certificate is valid only from 2026-11-22 00:00:00Z on"],
    );
    // The lease's time is the host's, the waiting's this machine's.
    check_lease(
        |s| {
            s.certificate(|c| c.not_after = NOW);
            s.header.host_time = NOW - MS;
        },
        expect!["leased, serial 5"],
    );
}

#[test]
fn clocks_agree_to_the_millisecond_of_the_tolerance() {
    check_lease(|s| s.now = NOW + 4 * HOUR, expect!["leased, serial 5"]);
    check_lease(
        |s| s.now = NOW + 4 * HOUR + MS,
        expect!["ANSWER_OUT_OF_TIME: the host's clock is 4 h away from this machine's"],
    );
    check_lease(|s| s.now = NOW - 4 * HOUR, expect!["leased, serial 5"]);
    check_lease(
        |s| s.now = NOW - 4 * HOUR - MS,
        expect!["ANSWER_OUT_OF_TIME: the host's clock is 4 h away from this machine's"],
    );
    check_released(
        |s| s.now = NOW + 4 * HOUR + MS,
        expect!["ANSWER_OUT_OF_TIME: the host's clock is 4 h away from this machine's"],
    );
}

#[test]
fn a_waiting_out_of_time_is_only_believed() {
    check_waiting(|s| s.now = NOW + 4 * HOUR, expect!["waiting, 7 of 25"]);
    check_waiting(
        |s| s.now = NOW + 4 * HOUR + MS,
        expect!["believed: COUNT_BELOW_THRESHOLD: machines counted: 7 of the 25 that are needed"],
    );
    check_waiting(
        |s| s.certificate(|c| c.not_after = NOW),
        expect!["believed: COUNT_BELOW_THRESHOLD: machines counted: 7 of the 25 that are needed"],
    );
    check_released(
        |s| s.certificate(|c| c.not_after = NOW),
        expect!["ANSWER_OUT_OF_TIME: the certificate has ended at 2026-11-22 00:00:00Z"],
    );
}

#[test]
fn copied_is_obeyed_only_under_a_certificate_that_is_valid_now() {
    check_copied(
        |s| s.certificate(|c| c.not_after = NOW + MS),
        expect![
            "believed: COPIED: another machine uses the same identity, or this machine's disk was set back, obeyed"
        ],
    );
    check_copied(
        |s| s.certificate(|c| c.not_after = NOW),
        expect![
            "believed: COPIED: another machine uses the same identity, or this machine's disk was set back"
        ],
    );
    check_copied(
        |s| s.certificate(|c| c.not_before = NOW + MS),
        expect![
            "believed: COPIED: another machine uses the same identity, or this machine's disk was set back"
        ],
    );
    // A refusal's times are not checked: one for a wrong clock could not pass else.
    check_copied(
        |s| s.header.host_time = NOW + 9 * DAY,
        expect![
            "believed: COPIED: another machine uses the same identity, or this machine's disk was set back, obeyed"
        ],
    );
}

/// A stolen host key gives no more than its certificate allows, whatever it signs.
#[test]
fn a_lease_beyond_its_certificate_is_refused() {
    check_lease_text(|l| l.expires_at += 1, expect!["BEYOND_LIMITS: its validity is beyond the certificate"]);
    check_lease_text(
        |l| l.expires_at = NOW.unix_ms(),
        expect!["BEYOND_LIMITS: its validity is beyond the certificate"],
    );
    check_lease_text(|l| l.renew_after = l.expires_at, expect!["leased, serial 5"]);
    check_lease_text(
        |l| l.renew_after = l.expires_at + 1,
        expect!["BEYOND_LIMITS: its renew_after is beyond the certificate"],
    );
    check_lease_text(
        |l| l.renew_after = NOW.unix_ms() - 1,
        expect!["BEYOND_LIMITS: its renew_after is beyond the certificate"],
    );
    check_lease_text(|l| l.threshold = 24, expect!["BEYOND_LIMITS: its threshold is beyond the certificate"]);
    check_lease_text(|l| l.threshold_met_at = (NOW - 30 * DAY + MS).unix_ms(), expect!["leased, serial 5"]);
    check_lease_text(
        |l| l.threshold_met_at = (NOW - 30 * DAY).unix_ms(),
        expect!["BEYOND_LIMITS: its threshold_met_at is beyond the certificate"],
    );
    check_lease_text(
        |l| l.threshold_met_at = i64::MIN,
        expect!["BEYOND_LIMITS: its threshold_met_at is beyond the certificate"],
    );
    check_lease_text(
        |l| l.expires_at = i64::MAX,
        expect!["BEYOND_LIMITS: its validity is beyond the certificate"],
    );
}

#[test]
fn what_cannot_be_read_is_named() {
    check_lease_text(|l| l.header = None, expect!["ANSWER_MISMATCH: the answer is malformed"]);
    check_lease_text(|l| l.fingerprint.truncate(15), expect!["ANSWER_MISMATCH: the answer is malformed"]);
    check_lease(
        |s| s.must_understand = 1,
        expect!["NEWER_PROTOCOL: the answer needs a newer release on this side"],
    );
    let scene = Scene::new();
    let good = kit::answer(&scene.chain, Kind::Lease, &scene.lease());
    let changed = |change: &dyn Fn(&mut v1::Answer)| {
        let mut answer = good.clone();
        change(&mut answer);
        tell(scene.judge_raw(&answer))
    };
    let of = |answer: &mut v1::Answer, kind: Kind| {
        answer.signed.as_mut().unwrap().payload_type = kind.name().into();
    };
    expect!["ANSWER_MISMATCH: the answer is malformed"].assert_eq(&changed(&|a| a.signed = None));
    expect!["UNTRUSTED: the chain is malformed"].assert_eq(&changed(&|a| a.chain = Bytes::new()));
    expect!["UNTRUSTED: the signature does not hold"].assert_eq(&changed(&|a| of(a, Kind::Waiting)));
    expect!["ANSWER_MISMATCH: the answer is malformed"].assert_eq(&changed(&|a| of(a, Kind::Ask)));
    expect!["UNTRUSTED: signed by another key than is wanted here"].assert_eq(&changed(&|a| {
        a.signed = Some(kit::key(Who::OtherHost).sign(Kind::Lease, &scene.lease()));
    }));
    let mut waiting = compose_waiting(&scene.header, &Policy::CLIENT, 7);
    waiting.ask_again_ms = -1;
    expect!["ANSWER_MISMATCH: the answer is malformed"]
        .assert_eq(&tell(scene.judge(Kind::Waiting, &waiting)));
}

#[test]
fn a_chain_is_left_out_only_for_who_has_it() {
    let scene = Scene::new();
    let mut answer = kit::answer(&scene.chain, Kind::Lease, &scene.lease());
    answer.chain = Bytes::new();
    let known = kit::chain();
    let received = Received::open(&answer, Some(&known), &kit::roots()).unwrap();
    assert_eq!(received.chain().digest(), known.digest());
    expect!["leased, serial 5"].assert_eq(&tell(received.judge(&scene.expected, NOW)));
}

#[test]
fn either_root_signs_and_a_third_does_not() {
    let by = |root: Who| {
        let mut scene = Scene::new();
        scene.chain = kit::chain_by(root, &kit::certificate().encode());
        tell(scene.judge(Kind::Lease, &scene.lease()))
    };
    expect!["leased, serial 5"].assert_eq(&by(Who::Root));
    expect!["leased, serial 5"].assert_eq(&by(Who::SecondRoot));
    expect!["UNTRUSTED: host certificate: signed by another key than is wanted here"]
        .assert_eq(&by(Who::ThirdRoot));
    // The issuing key alone is no root.
    expect!["UNTRUSTED: host certificate: signed by another key than is wanted here"]
        .assert_eq(&by(Who::Issuing));
}

#[test]
fn an_issuing_certificate_signs_within_its_time_and_its_limits() {
    let by = |change: fn(&mut v1::IssuingCertificate), test: bool| {
        let mut issuing = kit::issuing_certificate();
        change(&mut issuing);
        let mut scene = Scene::new();
        let mut certificate = kit::certificate();
        certificate.test = test;
        scene.chain = kit::chain_issued(&issuing, &certificate.encode());
        tell(scene.judge(Kind::Lease, &scene.lease()))
    };
    let product = |id: u8| Bytes::from(vec![id; 16]);
    assert_eq!(product(0xA0), kit::PRODUCT.as_bytes().as_slice());
    expect!["leased, serial 5"].assert_eq(&by(|_| (), false));
    expect!["ANSWER_OUT_OF_TIME: the certificate has ended at 2026-11-22 00:00:00Z"]
        .assert_eq(&by(|i| i.not_after = NOW.unix_ms(), false));
    expect!["leased, serial 5"].assert_eq(&by(|i| i.not_after = NOW.unix_ms() + 1, false));
    expect!["ANSWER_OUT_OF_TIME: the certificate is valid only from 2026-11-22 00:00:00Z on"]
        .assert_eq(&by(|i| i.not_before = NOW.unix_ms() + 1, false));
    expect!["leased, serial 5"].assert_eq(&by(|i| i.products = vec![Bytes::from(vec![0xA0; 16])], false));
    expect!["UNTRUSTED: the issuing certificate may not sign for this product"]
        .assert_eq(&by(|i| i.products = vec![Bytes::from(vec![0xA1; 16])], false));
    expect!["UNTRUSTED: the issuing certificate may sign only what is marked as test"]
        .assert_eq(&by(|i| i.test = true, false));
    expect!["leased, serial 5"].assert_eq(&by(|i| i.test = true, true));
    expect!["NEWER_PROTOCOL: a certificate needs a newer release on this side"]
        .assert_eq(&by(|i| i.must_understand = 1, false));
}

/// What was accepted is used to its own end, also when its certificate has ended: no time is looked at here.
#[test]
fn a_lease_outlives_its_certificate_and_neither_its_machine_nor_its_product() {
    let mut scene = Scene::new();
    scene.certificate(|c| c.not_after = NOW + DAY);
    let signed = kit::key(Who::Host).sign(Kind::Lease, &scene.lease());
    let keep_for = |product: ProductId, machine: MachineId, fingerprint: Fingerprint| {
        Lease::keep(&signed, &scene.chain, &kit::roots(), product, machine, fingerprint)
            .map(|lease| lease.expires_at().to_string())
    };
    let keep = |machine, fingerprint| keep_for(kit::PRODUCT, machine, fingerprint);
    let machine = scene.expected.machine;
    let other = Fingerprint::of_machine(kit::PRODUCT, b"another installation");
    expect![[r#"Ok("2027-05-21 00:00:00Z")"#]].assert_eq(&format!("{:?}", keep(machine, kit::fingerprint())));
    expect![[r#"Ok("2027-05-21 00:00:00Z")"#]].assert_eq(&format!("{:?}", keep(machine, Fingerprint::NONE)));
    expect![[r#"Err(Mismatch("machine"))"#]].assert_eq(&format!("{:?}", keep(machine, other)));
    expect![[r#"Err(Mismatch("machine"))"#]]
        .assert_eq(&format!("{:?}", keep(MachineId::from_bytes([1; 16]), kit::fingerprint())));
    let sold_beside_it = ProductId::from_bytes([0xA1; 16]);
    expect![[r#"Err(Mismatch("product"))"#]]
        .assert_eq(&format!("{:?}", keep_for(sold_beside_it, machine, Fingerprint::NONE)));
}

/// Whoever held a stolen host key could write a lease without end into a machine's state, where nobody looked at the limits.
#[test]
fn a_lease_beyond_its_certificate_is_not_kept() {
    let scene = Scene::new();
    let mut lease = scene.lease();
    lease.expires_at += 1;
    let signed = kit::key(Who::Host).sign(Kind::Lease, &lease);
    let machine = scene.expected.machine;
    let kept = Lease::keep(&signed, &scene.chain, &kit::roots(), kit::PRODUCT, machine, kit::fingerprint());
    expect![[r#"BeyondLimits("validity")"#]].assert_eq(&format!("{:?}", kept.unwrap_err()));
}
