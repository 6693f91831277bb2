//! Signed things around the vendor's portal that must not be believed, each with the error that it has to give.

use bytes::Bytes;
use prost::Message;
use proto::v1::{self, Signed, SignedRevocationList};
use proto::vendor::v1 as vendor;
use shared::envelope::{Kind, SecretKey};
use shared::files::{KeyRequest, RequestedKey};
use shared::ids::ProductId;
use shared::product_key::{KeyKind, ProductKey, ProductTag};

use crate::bad_vectors::{self, SMALL_ORDER};
use crate::kit::{self, NOW, Who};
use crate::portal_vectors::{
    read_ask, read_code_request, read_confirmation, read_issuing_request, read_list,
};
use crate::vector_files::Vector;

pub(crate) fn all() -> Vec<Vector> {
    let mut vectors = host_activations();
    vectors.extend(machine_activations());
    vectors.extend(machine_releases());
    vectors.extend(confirmations());
    vectors.extend(confirmations_of_bad_issuers());
    vectors.extend(revocation_lists());
    vectors.extend(issuing_requests());
    vectors.extend(chains());
    vectors
}

/// Name, what it is, the bytes, the error.
pub(crate) type Case<T> = (&'static str, &'static str, T, &'static str);

/// The message in an envelope with one thing changed, signed again.
pub(crate) fn changed<M: Message + Default>(
    signed: &Signed,
    kind: Kind,
    key: &SecretKey,
    change: impl Fn(&mut M),
) -> Signed {
    let mut message = M::decode(signed.payload.clone()).unwrap();
    change(&mut message);
    key.sign(kind, &message)
}

pub(crate) fn flipped(mut signed: Signed) -> Signed {
    let mut signature = signed.signature.to_vec();
    signature[40] ^= 0x10;
    signed.signature = signature.into();
    signed
}

fn key(kind: KeyKind, product: ProductId) -> Bytes {
    Bytes::copy_from_slice(ProductKey::new(kind, ProductTag::of(product), &[7; 10]).as_bytes())
}

pub(crate) fn with_type(mut signed: Signed, kind: Kind) -> Signed {
    signed.payload_type = kind.name().into();
    signed
}

// Asks.

fn ask((name, about, signed, yields): Case<Signed>) -> Vector {
    Vector {
        name,
        about,
        lines: vec![Vector::hex("signed", &signed.encode_to_vec())],
        yields: yields.into(),
        read: |fields| read_ask(&Signed::decode(fields.bytes("signed").as_slice()).unwrap()),
    }
}

fn host_activations() -> Vec<Vector> {
    let host = kit::key(Who::Host);
    let good = kit::host_activation().sign(&host);
    let with = |change: fn(&mut vendor::HostActivation)| changed(&good, Kind::HostActivation, &host, change);
    let product = Bytes::copy_from_slice(kit::PRODUCT.as_bytes());
    let with_product = changed(&good, Kind::HostActivation, &host, |ask: &mut vendor::HostActivation| {
        ask.product = product.clone();
    });
    let cases: Vec<Case<Signed>> = vec![
        (
            "bad-host-activation-small-order-key",
            "The ask of a host whose public key is the identity of the curve.",
            with(|ask| ask.signing_key = Bytes::from_static(&SMALL_ORDER)),
            "error: Signature(BadKey)",
        ),
        (
            "bad-host-activation-other-signer",
            "The ask of a host that another host has signed.",
            kit::host_activation().sign(&kit::key(Who::OtherHost)),
            "error: Signature(OtherKey)",
        ),
        (
            "bad-host-activation-flipped-signature",
            "The ask of a host with one bit of its signature flipped.",
            flipped(good.clone()),
            "error: Signature(BadSignature)",
        ),
        (
            "bad-host-activation-type-signed",
            "The ask of a host, signed as its request for a file and relabelled.",
            with_type(host.sign_bytes(Kind::HostRequest, good.payload.clone()), Kind::HostActivation),
            "error: Signature(BadSignature)",
        ),
        (
            "bad-host-activation-truncated",
            "The ask of a host without the last byte of its payload.",
            {
                let mut signed = good.clone();
                signed.payload.truncate(signed.payload.len() - 1);
                signed
            },
            "error: Malformed",
        ),
        (
            "bad-host-activation-key-and-product",
            "The ask of a host that brings a key and renews as well.",
            with_product,
            "error: Field(\"product\")",
        ),
        (
            "bad-host-activation-neither",
            "The ask of a host that neither brings a key nor renews.",
            with(|ask| ask.product_key = Bytes::new()),
            "error: Field(\"product\")",
        ),
        (
            "bad-host-activation-key",
            "The ask of a host with a key of 12 bytes.",
            with(|ask| ask.product_key.truncate(12)),
            "error: Key(Malformed)",
        ),
        (
            "bad-host-activation-other-kind",
            "The ask of a host with the key of a machine.",
            with(|ask| ask.product_key = key(KeyKind::MultipleActivation, kit::PRODUCT)),
            "error: Key(OtherKind { kind: MultipleActivation, wanted: Host })",
        ),
        (
            "bad-host-activation-hour",
            "The ask of a host whose hours are no length of time.",
            with(|ask| ask.hour_width_ms = 0),
            "error: Field(\"width of an hour\")",
        ),
        (
            "bad-host-activation-nonce",
            "The ask of a host without a nonce.",
            with(|ask| ask.nonce = Bytes::new()),
            "error: Field(\"nonce\")",
        ),
    ];
    cases.into_iter().map(ask).collect()
}

fn machine_activations() -> Vec<Vector> {
    let machine = kit::key(Who::Machine);
    let good = kit::machine_activation().sign(&machine);
    let with = |change: fn(&mut vendor::MachineActivation)| {
        changed(&good, Kind::MachineActivation, &machine, change)
    };
    let cases: Vec<Case<Signed>> = vec![
        (
            "bad-machine-activation-small-order-key",
            "The ask of a machine whose public key is the identity of the curve.",
            with(|ask| ask.machine_key = Bytes::from_static(&SMALL_ORDER)),
            "error: Signature(BadKey)",
        ),
        (
            "bad-machine-activation-other-signer",
            "The ask of a machine that another one has signed.",
            kit::machine_activation().sign(&kit::key(Who::OldIdentity)),
            "error: Signature(OtherKey)",
        ),
        (
            "bad-machine-activation-flipped-signature",
            "The ask of a machine with one bit of its signature flipped.",
            flipped(good.clone()),
            "error: Signature(BadSignature)",
        ),
        (
            "bad-machine-activation-type-signed",
            "The ask of a machine, signed as an ask to a host and relabelled.",
            with_type(machine.sign_bytes(Kind::Ask, good.payload.clone()), Kind::MachineActivation),
            "error: Signature(BadSignature)",
        ),
        (
            "bad-machine-activation-product",
            "The ask of a machine for a product with an id of 15 bytes.",
            with(|ask| ask.product.truncate(15)),
            "error: Field(\"product\")",
        ),
        (
            "bad-machine-activation-key",
            "The ask of a machine without a key.",
            with(|ask| ask.product_key = Bytes::new()),
            "error: Key(Malformed)",
        ),
        (
            "bad-machine-activation-newer-key",
            "The ask of a machine with a key of a kind that this release does not know.",
            with(|ask| ask.product_key = [&[0x3e][..], &ask.product_key[1..]].concat().into()),
            "error: Key(Newer)",
        ),
        (
            "bad-machine-activation-other-kind",
            "The ask of a machine with a host key.",
            with(|ask| ask.product_key = key(KeyKind::Host, kit::PRODUCT)),
            "error: Key(OtherKind { kind: Host, wanted: MultipleActivation })",
        ),
        (
            "bad-machine-activation-other-product",
            "The ask of a machine with the key of another product.",
            with(|ask| ask.product_key = key(KeyKind::MultipleActivation, kit::OTHER_PRODUCT)),
            "error: Key(OtherProduct)",
        ),
        (
            "bad-machine-activation-nonce",
            "The ask of a machine with a nonce of 15 bytes.",
            with(|ask| ask.nonce.truncate(15)),
            "error: Field(\"nonce\")",
        ),
        (
            "bad-machine-activation-fingerprint",
            "The ask of a machine with a fingerprint of 15 bytes.",
            with(|ask| ask.fingerprint.truncate(15)),
            "error: Field(\"fingerprint\")",
        ),
        (
            "bad-machine-activation-parts",
            "The ask of a machine with a hardware part of 15 bytes.",
            with(|ask| ask.parts.as_mut().unwrap().disk.truncate(15)),
            "error: Field(\"hardware parts\")",
        ),
    ];
    cases.into_iter().map(ask).collect()
}

fn machine_releases() -> Vec<Vector> {
    let machine = kit::key(Who::Machine);
    let good = kit::machine_release().sign(&machine);
    let cases: Vec<Case<Signed>> = vec![
        (
            "bad-machine-release-other-signer",
            "A release that another machine has signed.",
            kit::machine_release().sign(&kit::key(Who::OldIdentity)),
            "error: Signature(OtherKey)",
        ),
        (
            "bad-machine-release-type-signed",
            "A release that its machine has signed as an ask for a confirmation, relabelled.",
            with_type(
                machine.sign_bytes(Kind::MachineActivation, good.payload.clone()),
                Kind::MachineRelease,
            ),
            "error: Signature(BadSignature)",
        ),
        (
            "bad-machine-release-key-number",
            "A release that names a key by 4 bytes.",
            changed(&good, Kind::MachineRelease, &machine, |ask: &mut vendor::MachineRelease| {
                ask.key_number.truncate(4);
            }),
            "error: Field(\"key number\")",
        ),
    ];
    cases.into_iter().map(ask).collect()
}

// Confirmations.

fn confirmation(case: Case<vendor::SignedConfirmation>) -> Vector {
    let (name, about, wire, yields) = case;
    let lines = vec![Vector::hex("confirmation", &wire.encode_to_vec())];
    Vector { name, about, lines, yields: yields.into(), read: read_confirmation }
}

fn confirmations() -> Vec<Vector> {
    let issuing = kit::key(Who::Issuing);
    let good = kit::confirmation().sign(&issuing, kit::signed_issuing_certificate());
    let travels = |signed| vendor::SignedConfirmation { signed: Some(signed), ..good.clone() };
    let signed = good.signed.as_ref().unwrap();
    let with = |change: fn(&mut vendor::Confirmation)| {
        travels(changed(signed, Kind::Confirmation, &issuing, change))
    };
    let cases: Vec<Case<vendor::SignedConfirmation>> = vec![
        (
            "bad-confirmation-must-understand",
            "A confirmation with a bit that this release does not know.",
            with(|it| it.must_understand = 1),
            "error: NotUnderstood",
        ),
        (
            "bad-confirmation-other-signer",
            "A confirmation that another key than that of the issuing certificate has signed.",
            travels(kit::key(Who::Host).sign_bytes(Kind::Confirmation, signed.payload.clone())),
            "error: Envelope(OtherKey)",
        ),
        (
            "bad-confirmation-flipped-signature",
            "A confirmation with one bit of its signature flipped.",
            travels(flipped(signed.clone())),
            "error: Envelope(BadSignature)",
        ),
        (
            "bad-confirmation-type-signed",
            "A confirmation that is signed as a host certificate and relabelled.",
            travels(with_type(
                issuing.sign_bytes(Kind::HostCertificate, signed.payload.clone()),
                Kind::Confirmation,
            )),
            "error: Envelope(BadSignature)",
        ),
        (
            "bad-confirmation-payload",
            "Bytes that are no confirmation, signed as one.",
            travels(issuing.sign_bytes(Kind::Confirmation, Bytes::from_static(b"\x0a\xff"))),
            "error: Envelope(Malformed)",
        ),
        (
            "bad-confirmation-key-number",
            "A confirmation of a key number of 4 bytes.",
            with(|it| it.key_number.truncate(4)),
            "error: Malformed",
        ),
        (
            "bad-confirmation-features-order",
            "A confirmation whose features are not in order.",
            with(|it| it.features = vec!["export".into(), "3d".into()]),
            "error: Features(Order)",
        ),
        (
            "bad-confirmation-features-form",
            "A confirmation with a feature in capitals.",
            with(|it| it.features = vec!["Export".into()]),
            "error: Features(Form)",
        ),
        (
            "bad-confirmation-other-machine",
            "The confirmation of another machine.",
            with(|it| it.machine = Bytes::from_static(&[1; 16])),
            "error: Mismatch(\"machine\")",
        ),
        (
            "bad-confirmation-other-nonce",
            "The confirmation of another ask.",
            with(|it| it.nonce = Bytes::from_static(&[1; 16])),
            "error: Mismatch(\"nonce\")",
        ),
        (
            "bad-confirmation-other-key",
            "The confirmation of another key.",
            with(|it| it.key_number = Bytes::from_static(&[1; 5])),
            "error: Mismatch(\"key number\")",
        ),
    ];
    cases.into_iter().map(confirmation).collect()
}

fn confirmations_of_bad_issuers() -> Vec<Vector> {
    let good = kit::confirmation().sign(&kit::key(Who::Issuing), kit::signed_issuing_certificate());
    let by = |root: Who, change: fn(&mut v1::IssuingCertificate)| {
        let mut issuing = kit::issuing_certificate();
        change(&mut issuing);
        let issuing_certificate = Some(kit::key(root).sign(Kind::IssuingCertificate, &issuing));
        vendor::SignedConfirmation { issuing_certificate, ..good.clone() }
    };
    let cases: Vec<Case<vendor::SignedConfirmation>> = vec![
        (
            "bad-confirmation-issuer-left-out",
            "A confirmation without the issuing certificate.",
            vendor::SignedConfirmation { issuing_certificate: None, ..good.clone() },
            "error: Malformed",
        ),
        (
            "bad-confirmation-third-root",
            "A confirmation whose issuing certificate a key has signed which is no root.",
            by(Who::ThirdRoot, |_| ()),
            "error: Issuer(IssuingCertificate(OtherKey))",
        ),
        (
            "bad-confirmation-other-product",
            "A confirmation for a product that the issuing certificate does not name.",
            by(Who::Root, |issuing| {
                issuing.products = vec![Bytes::copy_from_slice(kit::OTHER_PRODUCT.as_bytes())];
            }),
            "error: Issuer(IssuerProducts)",
        ),
        (
            "bad-confirmation-issuer-test",
            "A confirmation without the mark of a test, by an issuing key for tests.",
            by(Who::Root, |issuing| issuing.test = true),
            "error: Issuer(IssuerTestOnly)",
        ),
        (
            "bad-confirmation-issuer-ended",
            "A confirmation of the instant at which its issuing certificate has ended.",
            by(Who::Root, |issuing| issuing.not_after = NOW.unix_ms()),
            "error: Issuer(Ended { not_after: 2026-11-22 00:00:00Z (1795305600000) })",
        ),
        (
            "bad-confirmation-issuer-not-begun",
            "A confirmation of the millisecond before its issuing certificate begins.",
            by(Who::Root, |issuing| issuing.not_before = NOW.unix_ms() + 1),
            "error: Issuer(NotYetValid { not_before: 2026-11-22 00:00:00Z (1795305600001) })",
        ),
        (
            "bad-confirmation-issuer-must-understand",
            "A confirmation whose issuing certificate has a bit that this release does not know.",
            by(Who::Root, |issuing| issuing.must_understand = 1),
            "error: Issuer(NotUnderstood)",
        ),
    ];
    cases.into_iter().map(confirmation).collect()
}

// Revocation lists.

fn revocation_lists() -> Vec<Vector> {
    let issuing = kit::key(Who::Issuing);
    let good = kit::revocation_list(7).sign(&issuing, Some(kit::signed_issuing_certificate()));
    let signed = good.signed.as_ref().unwrap();
    let travels = |signed| SignedRevocationList { signed: Some(signed), ..good.clone() };
    let with = |change: fn(&mut v1::RevocationList)| {
        travels(changed(signed, Kind::RevocationList, &issuing, change))
    };
    let cases: Vec<Case<SignedRevocationList>> = vec![
        (
            "bad-revocation-list-number",
            "A revocation list with the number 0.",
            with(|list| list.number = 0),
            "error: Malformed",
        ),
        (
            "bad-revocation-list-order",
            "A revocation list whose ids are not in order.",
            with(|list| list.revoked.reverse()),
            "error: Malformed",
        ),
        (
            "bad-revocation-list-twice",
            "A revocation list that has an id twice.",
            with(|list| list.revoked[1].id = list.revoked[0].id.clone()),
            "error: Malformed",
        ),
        (
            "bad-revocation-list-id",
            "A revocation list with an id of 15 bytes.",
            with(|list| list.revoked[0].id.truncate(15)),
            "error: Malformed",
        ),
        (
            "bad-revocation-list-reason",
            "A revocation list with a reason of 201 bytes.",
            with(|list| list.revoked[0].reason = "x".repeat(201)),
            "error: Malformed",
        ),
        (
            "bad-revocation-list-must-understand",
            "A revocation list with a bit that this release does not know.",
            with(|list| list.must_understand = 1),
            "error: NotUnderstood",
        ),
        (
            "bad-revocation-list-other-signer",
            "A revocation list that a host has signed.",
            travels(kit::key(Who::Host).sign_bytes(Kind::RevocationList, signed.payload.clone())),
            "error: Envelope(OtherKey)",
        ),
        (
            "bad-revocation-list-issuer-left-out",
            "A revocation list of an issuing key, without the issuing certificate.",
            SignedRevocationList { issuing_certificate: None, ..good.clone() },
            "error: Envelope(OtherKey)",
        ),
        (
            "bad-revocation-list-issuer-ended",
            "A revocation list of the instant at which its issuing certificate has ended.",
            {
                let mut certificate = kit::issuing_certificate();
                certificate.not_after = NOW.unix_ms();
                let certificate = kit::key(Who::Root).sign(Kind::IssuingCertificate, &certificate);
                SignedRevocationList { issuing_certificate: Some(certificate), ..good.clone() }
            },
            "error: Issuer(Ended { not_after: 2026-11-22 00:00:00Z (1795305600000) })",
        ),
        (
            "bad-revocation-list-payload",
            "Bytes that are no revocation list, signed as one.",
            travels(issuing.sign_bytes(Kind::RevocationList, Bytes::from_static(b"\x0a\xff"))),
            "error: Envelope(Malformed)",
        ),
    ];
    let vector = |(name, about, wire, yields): Case<SignedRevocationList>| {
        let lines = vec![Vector::hex("list", &wire.encode_to_vec())];
        Vector { name, about, lines, yields: yields.into(), read: read_list }
    };
    cases.into_iter().map(vector).collect()
}

// The portal's request.

fn issuing_requests() -> Vec<Vector> {
    let (issuing, other) = (kit::key(Who::Issuing), kit::key(Who::Host));
    let good = KeyRequest::compose(RequestedKey::Issuing, &issuing);
    let unsigned = v1::IssuingRequest { proof: None, ..good.clone() };
    let proved = |proof| v1::IssuingRequest { proof: Some(proof), ..unsigned.clone() };
    let cases: Vec<Case<v1::IssuingRequest>> = vec![
        (
            "bad-issuing-request-unsigned",
            "A portal's request without a proof.",
            unsigned.clone(),
            "error: Body",
        ),
        (
            "bad-issuing-request-other-key",
            "A portal's request for a key, with the proof of another.",
            v1::IssuingRequest {
                public_key: Bytes::copy_from_slice(other.public().as_bytes()),
                ..good.clone()
            },
            "error: Proof(OtherKey)",
        ),
        (
            "bad-issuing-request-other-type",
            "A portal's request whose proof is signed as a host's.",
            proved(issuing.sign(Kind::HostRequest, &unsigned)),
            "error: Proof(OtherKind)",
        ),
        (
            "bad-issuing-request-flipped-signature",
            "A portal's request with one bit of its signature flipped.",
            proved(flipped(good.proof.clone().unwrap())),
            "error: Proof(BadSignature)",
        ),
        (
            "bad-issuing-request-contradiction",
            "A portal's request whose proof says nothing.",
            proved(issuing.sign(Kind::IssuingRequest, &v1::IssuingRequest::default())),
            "error: Contradiction",
        ),
    ];
    let vector = |(name, about, request, yields): Case<v1::IssuingRequest>| {
        let lines = vec![Vector::hex("request", &request.encode_to_vec())];
        Vector { name, about, lines, yields: yields.into(), read: read_issuing_request }
    };
    let mut vectors: Vec<_> = cases.into_iter().map(vector).collect();
    vectors.push(Vector {
        name: "bad-code-request-issuing",
        about: "A portal's request for its issuing key, where one for a code key is wanted.",
        lines: vec![Vector::hex("request", &good.encode_to_vec())],
        yields: "error: Proof(OtherKind)".into(),
        read: read_code_request,
    });
    vectors
}

// Features of a host certificate.

fn chains() -> Vec<Vector> {
    let with = |features: Vec<String>| {
        let certificate = v1::HostCertificate { features, ..kit::certificate().encode() };
        kit::chain_by(Who::Root, &certificate)
    };
    let cases: Vec<Case<Bytes>> = vec![
        (
            "bad-chain-features-twice",
            "A host certificate that has a feature twice.",
            with(vec!["export".into(), "export".into()]),
            "error: Features(Order)",
        ),
        (
            "bad-chain-features-form",
            "A host certificate with an empty feature.",
            with(vec![String::new()]),
            "error: Features(Form)",
        ),
        (
            "bad-chain-features-many",
            "A host certificate with 33 features.",
            with((0..33).map(|index| format!("f{index:02}")).collect()),
            "error: Features(TooMany)",
        ),
    ];
    let vector = |(name, about, chain, yields): Case<Bytes>| {
        let lines = vec![Vector::hex("chain", &chain)];
        Vector { name, about, lines, yields: yields.into(), read: bad_vectors::read_chain }
    };
    cases.into_iter().map(vector).collect()
}
