//! What travels between a machine on which somebody signs in and the vendor's portal (protocol.md 13), good and bad.

use bytes::Bytes;
use prost::Message as _;
use proto::v1::{self, Signed};
use proto::vendor::v1 as vendor;
use shared::envelope::Kind;
use shared::user_lease::{AccountAsk, AccountPurpose, UserLease};

use crate::bad_portal_vectors::{Case, changed, flipped, with_type};
use crate::bad_vectors::SMALL_ORDER;
use crate::kit::{self, NOW, Who};
use crate::signed_vectors::{checked_envelope, envelope};
use crate::vector_files::{Fields, Vector};

pub(crate) fn all() -> Vec<Vector> {
    let mut vectors = asks();
    vectors.push(user_lease());
    vectors.extend(bad_asks());
    vectors.extend(bad_leases());
    vectors.extend(leases_of_bad_issuers());
    vectors
}

// Asks.

fn asks() -> Vec<Vector> {
    let machine = kit::key(Who::Machine);
    let ask = |name, about, purpose, yields: &str| Vector {
        name,
        about,
        lines: envelope(&machine.public(), &kit::account_ask(purpose).sign(&machine)),
        yields: yields.into(),
        read: |fields| read_ask(&checked_envelope(fields)),
    };
    vec![
        ask(
            "account-ask",
            "The ask of a machine on which somebody wants to sign in.",
            AccountPurpose::SignIn,
            "machine 0cc6722d653dabe102c77a17e8a1f90e, Ann's laptop, for a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0: SignIn, nonce \
             d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0, asked at 1795305600000",
        ),
        ask(
            "account-ask-renew",
            "The ask of a machine for the next lease of the person who has let it in.",
            AccountPurpose::Renew,
            "machine 0cc6722d653dabe102c77a17e8a1f90e, , for a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0: Renew, nonce \
             d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0, asked at 1795305600000",
        ),
        ask(
            "account-ask-sign-out",
            "The ask of a machine that signs out.",
            AccountPurpose::SignOut,
            "machine 0cc6722d653dabe102c77a17e8a1f90e, , for a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0: SignOut, nonce \
             d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0, asked at 1795305600000",
        ),
    ]
}

/// What the portal makes of one, whatever it is for.
fn read_ask(signed: &Signed) -> String {
    let opened = [AccountPurpose::SignIn, AccountPurpose::Renew, AccountPurpose::SignOut]
        .map(|purpose| AccountAsk::open(signed, purpose));
    let [sign_in, ..] = &opened;
    match opened.iter().find_map(|opened| opened.as_ref().ok()) {
        Some(ask) => format!(
            "machine {}, {}, for {}: {:?}, nonce {}, asked at {}",
            ask.machine(),
            ask.device_name,
            ask.product,
            ask.purpose,
            ask.nonce,
            ask.asked_at.unix_ms(),
        ),
        None => format!("error: {:?}", sign_in.as_ref().unwrap_err()),
    }
}

fn bad_asks() -> Vec<Vector> {
    let machine = kit::key(Who::Machine);
    let good = kit::account_ask(AccountPurpose::SignIn).sign(&machine);
    let with = |change: fn(&mut vendor::AccountAsk)| changed(&good, Kind::AccountAsk, &machine, change);
    let cases: Vec<Case<Signed>> = vec![
        (
            "bad-account-ask-small-order-key",
            "An ask by account whose public key is the identity of the curve.",
            with(|ask| ask.machine_key = Bytes::from_static(&SMALL_ORDER)),
            "error: Signature(BadKey)",
        ),
        (
            "bad-account-ask-other-signer",
            "An ask by account that another machine has signed.",
            kit::account_ask(AccountPurpose::SignIn).sign(&kit::key(Who::OldIdentity)),
            "error: Signature(OtherKey)",
        ),
        (
            "bad-account-ask-flipped-signature",
            "An ask by account with one bit of its signature flipped.",
            flipped(good.clone()),
            "error: Signature(BadSignature)",
        ),
        (
            "bad-account-ask-type-signed",
            "An ask by account that its machine has signed as a release, relabelled.",
            with_type(machine.sign_bytes(Kind::MachineRelease, good.payload.clone()), Kind::AccountAsk),
            "error: Signature(BadSignature)",
        ),
        (
            "bad-account-ask-purpose",
            "An ask by account for something that this release does not know.",
            with(|ask| ask.purpose = 4),
            "error: Field(\"purpose\")",
        ),
        (
            "bad-account-ask-no-purpose",
            "An ask by account for nothing.",
            with(|ask| ask.purpose = 0),
            "error: Field(\"purpose\")",
        ),
        (
            "bad-account-ask-product",
            "An ask by account for a product with an id of 15 bytes.",
            with(|ask| ask.product.truncate(15)),
            "error: Field(\"product\")",
        ),
        (
            "bad-account-ask-nonce",
            "An ask by account without a nonce.",
            with(|ask| ask.nonce = Bytes::new()),
            "error: Field(\"nonce\")",
        ),
        (
            "bad-account-ask-device-name",
            "An ask by account with a device name of 65 bytes.",
            with(|ask| ask.device_name = "x".repeat(65)),
            "error: Field(\"device name\")",
        ),
    ];
    let ask = |(name, about, signed, yields): Case<Signed>| Vector {
        name,
        about,
        lines: vec![Vector::hex("signed", &signed.encode_to_vec())],
        yields: yields.into(),
        read: |fields| read_ask(&Signed::decode(fields.bytes("signed").as_slice()).unwrap()),
    };
    cases.into_iter().map(ask).collect()
}

// Leases.

fn user_lease() -> Vector {
    let issuing = kit::key(Who::Issuing);
    let travels = kit::user_lease().sign(&issuing, kit::signed_issuing_certificate());
    let mut lines = envelope(&issuing.public(), travels.signed.as_ref().unwrap());
    lines.push(Vector::hex("lease", &travels.encode_to_vec()));
    Vector {
        name: "user-lease",
        about: "The lease of a machine on which somebody has signed in, with two features.",
        lines,
        yields: "ann@example.com of Gutenberg has atlas-pro (3d export) at 1795305600000, renews at 1795392000000, ends at \
                 1797897600000, test false"
            .into(),
        read: |fields| {
            checked_envelope(fields);
            read_lease(fields)
        },
    }
}

/// What the machine of the kit makes of it.
fn read_lease(fields: &Fields) -> String {
    let wire = vendor::SignedUserLease::decode(fields.bytes("lease").as_slice()).unwrap();
    let opened = UserLease::open(&wire, &kit::roots());
    let ask = kit::account_ask(AccountPurpose::SignIn);
    match opened.and_then(|it| it.check_answer(&ask, None).map(|()| it)) {
        Ok(it) => format!(
            "{} of {} has {} ({}) at {}, renews at {}, ends at {}, test {}",
            it.account,
            it.organisation_name,
            it.offer,
            it.features.iter().collect::<Vec<_>>().join(" "),
            it.issued_at.unix_ms(),
            it.renew_after.unix_ms(),
            it.not_after.unix_ms(),
            it.test,
        ),
        Err(error) => format!("error: {error:?}"),
    }
}

fn bad_lease((name, about, wire, yields): Case<vendor::SignedUserLease>) -> Vector {
    let lines = vec![Vector::hex("lease", &wire.encode_to_vec())];
    Vector { name, about, lines, yields: yields.into(), read: read_lease }
}

fn bad_leases() -> Vec<Vector> {
    let issuing = kit::key(Who::Issuing);
    let good = kit::user_lease().sign(&issuing, kit::signed_issuing_certificate());
    let travels = |signed| vendor::SignedUserLease { signed: Some(signed), ..good.clone() };
    let signed = good.signed.as_ref().unwrap();
    let with =
        |change: fn(&mut vendor::UserLease)| travels(changed(signed, Kind::UserLease, &issuing, change));
    let cases: Vec<Case<vendor::SignedUserLease>> = vec![
        (
            "bad-user-lease-must-understand",
            "A user lease with a bit that this release does not know.",
            with(|it| it.must_understand = 1),
            "error: NotUnderstood",
        ),
        (
            "bad-user-lease-other-signer",
            "A user lease that another key than that of the issuing certificate has signed.",
            travels(kit::key(Who::Host).sign_bytes(Kind::UserLease, signed.payload.clone())),
            "error: Envelope(OtherKey)",
        ),
        (
            "bad-user-lease-flipped-signature",
            "A user lease with one bit of its signature flipped.",
            travels(flipped(signed.clone())),
            "error: Envelope(BadSignature)",
        ),
        (
            "bad-user-lease-type-signed",
            "A user lease that is signed as a confirmation and relabelled.",
            travels(with_type(
                issuing.sign_bytes(Kind::Confirmation, signed.payload.clone()),
                Kind::UserLease,
            )),
            "error: Envelope(BadSignature)",
        ),
        (
            "bad-user-lease-renews-after-its-end",
            "A user lease that is renewed at the instant at which it ends.",
            with(|it| it.renew_after = it.not_after),
            "error: Malformed",
        ),
        (
            "bad-user-lease-renews-at-once",
            "A user lease that is renewed at the instant at which it begins.",
            with(|it| it.renew_after = it.issued_at),
            "error: Malformed",
        ),
        (
            "bad-user-lease-too-long",
            "A user lease for a millisecond more than 400 days.",
            with(|it| it.not_after = it.issued_at + 400 * 86_400_000 + 1),
            "error: Malformed",
        ),
        (
            "bad-user-lease-offer",
            "A user lease of an offer in capitals.",
            with(|it| it.offer = "Atlas".into()),
            "error: Malformed",
        ),
        (
            "bad-user-lease-person",
            "A user lease for a person with an id of 15 bytes.",
            with(|it| it.person.truncate(15)),
            "error: Malformed",
        ),
        (
            "bad-user-lease-account",
            "A user lease for an account with a name of 255 bytes.",
            with(|it| it.account = "x".repeat(255)),
            "error: Malformed",
        ),
        (
            "bad-user-lease-no-organisation",
            "A user lease that says nobody's licence.",
            with(|it| it.organisation = None),
            "error: Malformed",
        ),
        (
            "bad-user-lease-features-order",
            "A user lease whose features are not in order.",
            with(|it| it.features = vec!["export".into(), "3d".into()]),
            "error: Features(Order)",
        ),
        (
            "bad-user-lease-other-machine",
            "The user lease of another machine.",
            with(|it| it.machine = Bytes::from_static(&[1; 16])),
            "error: Mismatch(\"machine\")",
        ),
        (
            "bad-user-lease-other-nonce",
            "The user lease of another ask.",
            with(|it| it.nonce = Bytes::from_static(&[1; 16])),
            "error: Mismatch(\"nonce\")",
        ),
    ];
    cases.into_iter().map(bad_lease).collect()
}

fn leases_of_bad_issuers() -> Vec<Vector> {
    let good = kit::user_lease().sign(&kit::key(Who::Issuing), kit::signed_issuing_certificate());
    let by = |root: Who, change: fn(&mut v1::IssuingCertificate)| {
        let mut issuing = kit::issuing_certificate();
        change(&mut issuing);
        let issuing_certificate = Some(kit::key(root).sign(Kind::IssuingCertificate, &issuing));
        vendor::SignedUserLease { issuing_certificate, ..good.clone() }
    };
    let cases: Vec<Case<vendor::SignedUserLease>> = vec![
        (
            "bad-user-lease-issuer-left-out",
            "A user lease without the issuing certificate.",
            vendor::SignedUserLease { issuing_certificate: None, ..good.clone() },
            "error: Malformed",
        ),
        (
            "bad-user-lease-third-root",
            "A user lease whose issuing certificate a key has signed which is no root.",
            by(Who::ThirdRoot, |_| ()),
            "error: Issuer(IssuingCertificate(OtherKey))",
        ),
        (
            "bad-user-lease-other-product",
            "A user lease for a product that the issuing certificate does not name.",
            by(Who::Root, |issuing| {
                issuing.products = vec![Bytes::copy_from_slice(kit::OTHER_PRODUCT.as_bytes())];
            }),
            "error: Issuer(IssuerProducts)",
        ),
        (
            "bad-user-lease-issuer-test",
            "A user lease without the mark of a test, by an issuing key for tests.",
            by(Who::Root, |issuing| issuing.test = true),
            "error: Issuer(IssuerTestOnly)",
        ),
        (
            "bad-user-lease-issuer-ended",
            "A user lease of the instant at which its issuing certificate has ended.",
            by(Who::Root, |issuing| issuing.not_after = NOW.unix_ms()),
            "error: Issuer(Ended { not_after: 2026-11-22 00:00:00Z (1795305600000) })",
        ),
    ];
    cases.into_iter().map(bad_lease).collect()
}
