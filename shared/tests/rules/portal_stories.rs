//! Confirmations and revocation lists at the machine that gets them (protocol.md 11).

use expect_test::expect;
use prost::Message as _;
use proto::v1;
use shared::activation::ActivationError;
use shared::certificate::IssuingCertificate;
use shared::confirmation::{Confirmation, ConfirmationError};
use shared::envelope::{EnvelopeError, Kind};
use shared::ids::{CertificateId, Fingerprint};
use shared::parts::HardwareParts;
use shared::product_key::{KeyError, KeyNumber};
use shared::revocation::{LIST_MAX_BYTES, ListTooLarge, RevocationList, Revocations, Revoked, SignedList};
use shared::time::Timestamp;

use crate::kit::{self, DAY, MS, NOW, ORGANISATION, OTHER_ORGANISATION, OTHER_PRODUCT, PRODUCT, Who};

fn travelled(confirmation: &Confirmation) -> Result<Confirmation, ConfirmationError> {
    let wire = confirmation.sign(&kit::key(Who::Issuing), kit::signed_issuing_certificate());
    Confirmation::open(&wire, &kit::roots())
}

#[test]
fn a_confirmation_survives_the_way_and_its_names_stay_on_one_line() {
    let signed = |confirmation: Confirmation| {
        confirmation.sign(&kit::key(Who::Issuing), kit::signed_issuing_certificate())
    };
    let travelled_well = travelled(&kit::confirmation()).unwrap();
    assert_eq!(signed(travelled_well), signed(kit::confirmation()));
    let evil = Confirmation { organisation_name: "Gutenberg\nvalid\u{1b}[2J".into(), ..kit::confirmation() };
    assert_eq!(travelled(&evil).unwrap().organisation_name, r"Gutenberg valid\u{1b}[2J");
}

#[test]
fn a_confirmation_answers_the_ask_whose_machine_nonce_key_and_hardware_it_names() {
    let answer = |change: fn(&mut Confirmation), organisation| {
        let mut confirmation = kit::confirmation();
        change(&mut confirmation);
        let travelled = travelled(&confirmation).unwrap();
        let checked = travelled.check_answer(&kit::machine_activation(), organisation);
        checked.map_or_else(|error| error.to_string(), |()| "kept".into())
    };
    expect!["kept"].assert_eq(&answer(|_| (), None));
    expect!["kept"].assert_eq(&answer(|_| (), Some(ORGANISATION)));
    expect!["the license belongs to Gutenberg"].assert_eq(&answer(|_| (), Some(OTHER_ORGANISATION)));
    let other_product = answer(|it| it.product = OTHER_PRODUCT, None);
    expect!["its product is not the one that was asked for"].assert_eq(&other_product);
    let no_fingerprint = answer(|it| it.fingerprint = Fingerprint::NONE, None);
    expect!["its fingerprint is not the one that was asked for"].assert_eq(&no_fingerprint);
    let no_parts = answer(|it| it.parts = HardwareParts::NONE, None);
    expect!["its hardware parts is not the one that was asked for"].assert_eq(&no_parts);
    // A portal's clock may be a day behind; a confirmation of long ago is not of this ask.
    expect!["kept"].assert_eq(&answer(|it| it.confirmed_at = NOW - DAY, None));
    expect!["it was signed at 2026-11-20 23:59:59Z, before it was asked for"]
        .assert_eq(&answer(|it| it.confirmed_at = NOW - DAY - MS, None));
    // An answer by file may take weeks.
    expect!["kept"].assert_eq(&answer(|it| it.confirmed_at = NOW + 30 * DAY, None));
}

#[test]
fn a_kept_confirmation_licenses_its_machine_until_its_end_and_through_one_new_part() {
    let machine = kit::key(Who::Machine).public().machine();
    let year = 365 * DAY;
    let ours = |confirmation: &Confirmation, fingerprint, parts: HardwareParts, now: Timestamp| {
        let checked = confirmation.check_ours(machine, PRODUCT, fingerprint, &parts, now);
        checked.map_or_else(|error| error.to_string(), |()| "licensed".into())
    };
    let endless = kit::confirmation();
    let (fingerprint, parts) = (kit::fingerprint(), kit::parts());
    expect!["licensed"].assert_eq(&ours(&endless, fingerprint, parts, NOW + 100 * year));
    let ends = Confirmation { not_after: Some(NOW + year), ..kit::confirmation() };
    expect!["licensed"].assert_eq(&ours(&ends, fingerprint, parts, NOW + year - MS));
    expect!["it has ended at 2027-11-22 00:00:00Z"].assert_eq(&ours(&ends, fingerprint, parts, NOW + year));
    let firmware = "4c4c4544-0042-3510-8051-b2c04f4d4e32";
    let new_disk = HardwareParts::of_machine(PRODUCT, "PF-1A2B3C", "WD-NEW", firmware);
    expect!["licensed"].assert_eq(&ours(&endless, fingerprint, new_disk, NOW));
    let new_disk_and_board = HardwareParts::of_machine(PRODUCT, "PF-NEW", "WD-NEW", firmware);
    expect!["it was given to other hardware"].assert_eq(&ours(
        &endless,
        fingerprint,
        new_disk_and_board,
        NOW,
    ));
    expect!["licensed"].assert_eq(&ours(&endless, Fingerprint::NONE, HardwareParts::NONE, NOW));
    let copied = Fingerprint::of_machine(PRODUCT, b"another installation");
    expect!["its fingerprint is not the one that was asked for"]
        .assert_eq(&ours(&endless, copied, parts, NOW));
}

#[test]
fn an_ask_is_refused_as_unsigned_or_as_malformed() {
    let code = |error: ActivationError| error.cause().to_string();
    expect!["KEY_OTHER_PRODUCT: this is a key for another product"]
        .assert_eq(&code(KeyError::OtherProduct.into()));
    expect!["MALFORMED: the host cannot read the ask: its nonce does not fit"]
        .assert_eq(&code(ActivationError::Field("nonce")));
    expect!["SIGNATURE_BAD: the ask is not signed by the machine that it names"]
        .assert_eq(&code(ActivationError::Signature(EnvelopeError::BadSignature)));
    expect!["MALFORMED: the host cannot read the ask: it is not signed by the key that it names: another kind of message than is wanted here"].assert_eq(&code(ActivationError::Signature(EnvelopeError::OtherKind)));
}

// Revocation lists.

/// A list of one id, signed by a root or by an issuing key with this id.
fn list(number: u64, id: u8, issuer: Option<u8>) -> SignedList {
    let revoked = Revoked { id: CertificateId::from_bytes([id; 16]), at: NOW, reason: "stolen".into() };
    let list = RevocationList::new(number, NOW, vec![revoked]);
    let wire = match issuer {
        None => list.sign(&kit::key(Who::Root), None),
        Some(issuer) => list.sign(&kit::key(Who::Issuing), Some(issuing(issuer))),
    };
    RevocationList::open(&wire, &kit::roots()).unwrap()
}

/// An issuing certificate for the product of the stories alone.
fn issuing(id: u8) -> v1::Signed {
    let certificate = IssuingCertificate {
        id: CertificateId::from_bytes([id; 16]),
        public_key: kit::key(Who::Issuing).public(),
        not_before: NOW - DAY,
        not_after: NOW + DAY,
        products: vec![PRODUCT],
        test: false,
    };
    kit::key(Who::Root).sign(Kind::IssuingCertificate, &certificate.encode())
}

fn is_revoked(revocations: &Revocations, id: u8) -> bool {
    revocations.of(CertificateId::from_bytes([id; 16]), PRODUCT, false).is_some()
}

#[test]
fn the_newest_list_of_each_rank_is_kept_and_both_count() {
    let mut kept = Revocations::default();
    assert!(kept.take(list(5, 1, Some(9))));
    assert!(!kept.take(list(5, 2, Some(9))) && !kept.take(list(4, 2, Some(9))), "not newer");
    assert!(is_revoked(&kept, 1) && !is_revoked(&kept, 2));
    assert!(kept.take(list(1, 2, None)), "a root counts for itself");
    assert!(is_revoked(&kept, 1) && is_revoked(&kept, 2));
    assert!(kept.take(list(6, 3, Some(8))), "next year's issuing key counts on");
    assert!(!is_revoked(&kept, 1) && is_revoked(&kept, 2) && is_revoked(&kept, 3));
    assert_eq!(kept.lists().count(), 2);
}

/// Whoever steals an issuing key could otherwise sign a list of the highest number, and no later one would be heard.
#[test]
fn a_stolen_issuing_key_keeps_no_list_out_that_a_root_has_signed() {
    let mut kept = Revocations::default();
    assert!(kept.take(list(u64::MAX, 1, Some(9))));
    assert!(!kept.take(list(7, 2, Some(8))), "so it would be");
    assert!(kept.take(list(1, 9, None)));
    assert!(!is_revoked(&kept, 1), "what it has taken back is believed again");
    assert!(!kept.take(list(u64::MAX, 1, Some(9))), "and it is not heard any more");
    assert!(kept.take(list(7, 2, Some(8))) && is_revoked(&kept, 2));
}

#[test]
fn an_issuing_key_takes_back_what_it_may_sign_and_no_issuing_certificate() {
    let mut kept = Revocations::default();
    let id = CertificateId::from_bytes([1; 16]);
    kept.take(list(1, 1, Some(9)));
    assert!(kept.of(id, PRODUCT, false).is_some() && kept.of(id, PRODUCT, true).is_some());
    assert!(kept.of(id, OTHER_PRODUCT, false).is_none());
    assert!(kept.issuer(id).is_none());
    kept.take(list(1, 1, None));
    assert!(kept.of(id, OTHER_PRODUCT, false).is_some() && kept.issuer(id).is_some());
}

/// Takes these back, by an issuing key.
fn taking_back(ids: impl IntoIterator<Item = CertificateId>, reason: &str) -> RevocationList {
    let revoked = ids.into_iter().map(|id| Revoked { id, at: NOW, reason: reason.into() });
    RevocationList::new(1, NOW, revoked.collect())
}

fn kept(list: &RevocationList) -> Revocations {
    let wire = list.sign(&kit::key(Who::Issuing), Some(issuing(9)));
    let mut kept = Revocations::default();
    assert!(kept.take(RevocationList::open(&wire, &kit::roots()).unwrap()));
    kept
}

#[test]
fn a_host_is_taken_back_with_every_certificate_that_it_has() {
    let chain = kit::chain();
    let host = Revoked::host(chain.host().host());
    for (id, is_revoked) in
        [(host, true), (chain.host().id, true), (CertificateId::from_bytes([1; 16]), false)]
    {
        let kept = kept(&taking_back([id], "stolen"));
        assert_eq!(kept.of_chain(&chain, NOW).is_some(), is_revoked, "{id}");
        assert!(kept.of_chain(&chain, NOW - MS).is_none(), "not before it was");
    }
}

#[test]
fn a_confirmation_is_taken_back_by_its_id_its_key_or_its_issuing_certificate() {
    let confirmation = kit::confirmation();
    let issuer = CertificateId::from_bytes([9; 16]);
    for (id, is_revoked) in [
        (confirmation.id, true),
        (Revoked::key(confirmation.key_number), true),
        (Revoked::key(KeyNumber::from_bytes([7; 5])), false),
        (issuer, false),
    ] {
        let kept = kept(&taking_back([id], "refunded"));
        assert_eq!(kept.of_confirmation(&confirmation, Some(issuer)).is_some(), is_revoked, "{id}");
    }
    let mut by_root = Revocations::default();
    assert!(by_root.take(list(1, 9, None)));
    assert!(
        by_root.of_confirmation(&confirmation, Some(issuer)).is_some(),
        "a root takes it back with its issuer"
    );
    assert!(by_root.of_confirmation(&confirmation, None).is_none());
}

/// A host leaves a list out of its answer that would make it too large for machines, and nobody noticed.
#[test]
fn a_list_that_would_not_fit_into_an_answer_is_not_signed_and_the_first_reasons_make_room() {
    let ids = |number: u128| (1..=number).map(|id| CertificateId::from_bytes(id.to_be_bytes()));
    let sign = |list: &RevocationList| {
        let list = list.clone().within_limit(Some(&issuing(9)))?;
        Ok::<_, ListTooLarge>(list.sign(&kit::key(Who::Issuing), Some(issuing(9))))
    };
    let encoded = |list: &RevocationList| sign(list).unwrap().encoded_len();
    let fits = |number: &u128| sign(&taking_back(ids(*number), "")).is_ok();
    let most = (500..700).take_while(fits).last().unwrap();
    assert!((510..525).contains(&most), "{most}");
    let long = "x".repeat(200);
    assert!(encoded(&taking_back(ids(most), &long)) <= LIST_MAX_BYTES);
    let too_many = taking_back(ids(most + 1), &long);
    assert_eq!(sign(&too_many).unwrap_err(), ListTooLarge(too_many.revoked().len()));

    let mut revoked = taking_back(ids(most - 10), &long).revoked().to_vec();
    revoked[3].at = NOW + MS;
    let wire = sign(&RevocationList::new(1, NOW, revoked)).unwrap();
    let opened = RevocationList::open(&wire, &kit::roots()).unwrap();
    let entries = opened.list().revoked().iter();
    let with_reason: Vec<_> =
        entries.filter(|entry| !entry.reason.is_empty()).map(|entry| entry.at).collect();
    assert_eq!(with_reason, [NOW + MS], "that of the latest is kept");
}
