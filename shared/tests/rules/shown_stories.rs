//! What a host makes of a lease that a machine shows it.

use expect_test::{Expect, expect};
use proto::v1;
use shared::answer::ShownLease;
use shared::certificate::HostCertificate;
use shared::envelope::Kind;
use shared::policy::Policy;
use shared::time::Timestamp;

use crate::kit::{self, DAY, HOUR, MS, NOW, Who};

/// A lease as a host is shown it, whose certificate has ended by now: 200 days ago, 20 days before its certificate.
struct ShownScene {
    theirs: HostCertificate,
    lease: v1::Lease,
}

const ISSUED_AT: Timestamp = Timestamp::from_unix_ms(NOW.unix_ms() - 200 * 86_400_000);

fn check_shown(change: impl FnOnce(&mut ShownScene), expected: Expect) {
    let mut theirs = kit::certificate();
    (theirs.not_before, theirs.not_after) = (ISSUED_AT - DAY, ISSUED_AT + 20 * DAY);
    let lease = kit::lease(&kit::header(&kit::expected(), ISSUED_AT), &Policy::CLIENT);
    let mut scene = ShownScene { theirs, lease };
    change(&mut scene);
    let signed = kit::key(Who::Host).sign(Kind::Lease, &scene.lease);
    let shown = ShownLease::open(&signed, &kit::chain_of(&scene.theirs), &kit::certificate());
    let told = shown.map(|shown| (shown.machine == kit::expected().machine, shown.serial, shown.ledger));
    expected.assert_eq(&told.map_or_else(|error| error.to_string(), |told| format!("{told:?}")));
}

#[test]
fn a_host_reads_a_shown_lease_whenever_it_ended() {
    check_shown(|_| (), expect!["(true, 5, LedgerId(c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0))"]);
    let signed = kit::key(Who::OtherHost)
        .sign(Kind::Lease, &kit::lease(&kit::header(&kit::expected(), NOW), &Policy::CLIENT));
    let forged = ShownLease::open(&signed, &kit::chain(), &kit::certificate());
    expect!["Envelope(OtherKey)"].assert_eq(&format!("{:?}", forged.unwrap_err()));
}

/// A lease signed under a certificate that had ended 400 days before, with evidence of today, had opened the threshold. What a
/// client does not accept is no evidence at a host either.
#[test]
fn a_shown_lease_beyond_its_certificate_proves_nothing() {
    let ms = |at: Timestamp| at.unix_ms();
    check_shown(
        |s| s.theirs.not_after = ISSUED_AT,
        expect!["the certificate has ended at 2026-05-06 00:00:00Z"],
    );
    check_shown(
        |s| s.theirs.not_before = ISSUED_AT + MS,
        expect!["the certificate is valid only from 2026-05-06 00:00:00Z on"],
    );
    check_shown(
        |s| s.lease.threshold_met_at = ms(NOW),
        expect!["its threshold_met_at is beyond the certificate"],
    );
    check_shown(
        |s| s.lease.threshold_met_at = ms(ISSUED_AT + 4 * HOUR + MS),
        expect!["its threshold_met_at is beyond the certificate"],
    );
    check_shown(
        |s| s.lease.threshold_met_at = ms(ISSUED_AT + 4 * HOUR),
        expect!["(true, 5, LedgerId(c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0))"],
    );
    check_shown(
        |s| s.lease.threshold_met_at = ms(ISSUED_AT - 30 * DAY),
        expect!["its threshold_met_at is beyond the certificate"],
    );
    check_shown(|s| s.lease.expires_at += 1, expect!["its validity is beyond the certificate"]);
    check_shown(
        |s| s.lease.renew_after = s.lease.expires_at + 1,
        expect!["its renew_after is beyond the certificate"],
    );
    check_shown(|s| s.lease.threshold = 1, expect!["its threshold is beyond the certificate"]);
}

#[test]
fn a_shown_lease_of_another_product_or_organisation_or_test_proves_nothing() {
    check_shown(|s| s.theirs.test = true, expect!["its test mark is not the one that was asked for"]);
    check_shown(|s| s.theirs.organisation = kit::OTHER_ORGANISATION, expect!["the host serves Gutenberg"]);
    check_shown(
        |s| s.theirs.product = kit::OTHER_PRODUCT,
        expect!["its product is not the one that was asked for"],
    );
    check_shown(
        |s| s.lease.header.as_mut().unwrap().product = vec![0xA1; 16].into(),
        expect!["its product of the certificate is not the one that was asked for"],
    );
    check_shown(
        |s| s.lease.header.as_mut().unwrap().host = vec![1; 16].into(),
        expect!["its host is not the one that was asked for"],
    );
}
