//! Signed things that must not be believed, each with the error that it has to give.

use bytes::Bytes;
use ed25519_dalek::{Signature, Verifier, VerifyingKey};
use prost::Message;
use proto::v1;
use shared::ask::Ask;
use shared::certificate::Chain;
use shared::envelope::{Kind, SecretKey, signing_string};
use shared::files::HostRequest;
use shared::policy::Policy;

use crate::kit::{self, HOUR, NOW, Who};
use crate::signed_vectors::{judge, read_host_request};
use crate::vector_files::{Fields, Vector};

pub(crate) fn all() -> Vec<Vector> {
    let mut vectors = asks();
    vectors.extend(answers());
    vectors.extend(chains());
    vectors.extend(host_requests());
    vectors
}

// Asks.

/// The identity of the curve: of order 1, so that a signature under it can hold for every message.
pub(crate) const SMALL_ORDER: [u8; 32] = {
    let mut point = [0; 32];
    point[0] = 1;
    point
};

/// The order of the group, little-endian: adding it to S changes no equation, only the bytes.
const L: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// S for the ask of the kit with R of small order, so that the equation holds: k * a mod L. It was computed once, outside.
const SMALL_ORDER_R_S: &str = "e94370c8ef00ad399f371e86791e355a2b0e33f6d3f1f96bb69e5a5b37ef6906";

fn signed_ask() -> v1::Signed {
    kit::ask().sign(&kit::key(Who::Machine))
}

fn asks() -> Vec<Vector> {
    let changed = |change: &dyn Fn(&mut v1::Signed)| {
        let mut signed = signed_ask();
        change(&mut signed);
        signed
    };
    let payload_with = |change: &dyn Fn(&mut v1::Ask)| {
        let mut ask = v1::Ask::decode(signed_ask().payload).unwrap();
        change(&mut ask);
        kit::key(Who::Machine).sign(Kind::Ask, &ask)
    };
    [
        (
            "bad-ask-small-order-key",
            "An ask whose public key is the identity of the curve.",
            payload_with(&|ask| ask.machine_key = Bytes::from_static(&SMALL_ORDER)),
            "error: Signature(BadKey)",
        ),
        (
            "bad-ask-small-order-r",
            "An ask whose signature holds by the equation, with R the identity of the curve.",
            changed(&|signed| signed.signature = small_order_r()),
            "error: Signature(BadSignature)",
        ),
        (
            "bad-ask-non-canonical-s",
            "An ask whose signature is right but for the order of the group added to S.",
            changed(&|signed| signed.signature = with_l_added(&signed.signature)),
            "error: Signature(BadSignature)",
        ),
        (
            "bad-ask-flipped-signature",
            "An ask with one bit of its signature flipped.",
            changed(&|signed| {
                let mut signature = signed.signature.to_vec();
                signature[40] ^= 0x10;
                signed.signature = signature.into();
            }),
            "error: Signature(BadSignature)",
        ),
        (
            "bad-ask-type",
            "An ask that calls itself a lease.",
            changed(&|signed| signed.payload_type = Kind::Lease.name().into()),
            "error: Signature(OtherKind)",
        ),
        (
            "bad-ask-type-signed",
            "An ask's bytes, signed by its machine as a waiting and relabelled.",
            {
                let payload = signed_ask().payload;
                let mut signed = kit::key(Who::Machine).sign_bytes(Kind::Waiting, payload);
                signed.payload_type = Kind::Ask.name().into();
                signed
            },
            "error: Signature(BadSignature)",
        ),
        (
            "bad-ask-key-id",
            "An ask under the key id of another key.",
            changed(&|signed| {
                signed.key_id =
                    Bytes::copy_from_slice(kit::key(Who::OldIdentity).public().key_id().as_bytes());
            }),
            "error: Signature(OtherKey)",
        ),
        (
            "bad-ask-other-signer",
            "An ask that another machine has signed, under its own key id.",
            kit::ask().sign(&kit::key(Who::OldIdentity)),
            "error: Signature(OtherKey)",
        ),
        (
            "bad-ask-truncated",
            "An ask without the last byte of its payload.",
            changed(&|signed| signed.payload.truncate(signed.payload.len() - 1)),
            "error: Malformed",
        ),
        (
            "bad-ask-serial",
            "An ask that presents a serial above 2^62.",
            payload_with(&|ask| ask.serial = (1 << 62) + 1),
            "error: Malformed",
        ),
        ("bad-ask-kind", "An ask for nothing.", payload_with(&|ask| ask.kind = 0), "error: Malformed"),
        (
            "bad-ask-replaces-itself",
            "An ask of a key that replaces itself.",
            payload_with(&|ask| ask.replaces = ask.machine_key.clone()),
            "error: Malformed",
        ),
        (
            "bad-ask-replaces-unsigned",
            "An ask that replaces an identity which has not signed.",
            payload_with(&|ask| {
                ask.replaces = Bytes::copy_from_slice(kit::key(Who::OldIdentity).public().as_bytes());
            }),
            "error: Signature(BadSignature)",
        ),
    ]
    .map(|(name, about, signed, yields)| Vector {
        name,
        about,
        lines: vec![Vector::hex("signed", &signed.encode_to_vec())],
        yields: yields.into(),
        read: |fields| {
            let signed = v1::Signed::decode(fields.bytes("signed").as_slice()).unwrap();
            Ask::open(&signed, None).map_or_else(|error| format!("error: {error:?}"), |_| "opens".into())
        },
    })
    .into()
}

fn small_order_r() -> Bytes {
    let s = data_encoding::HEXLOWER.decode(SMALL_ORDER_R_S.as_bytes()).unwrap();
    [SMALL_ORDER.as_slice(), &s].concat().into()
}

fn with_l_added(signature: &[u8]) -> Bytes {
    let mut signature = signature.to_vec();
    let mut carry = 0;
    for (byte, l) in signature[32..].iter_mut().zip(L) {
        let sum = u16::from(*byte) + u16::from(l) + carry;
        *byte = u8::try_from(sum & 0xFF).unwrap();
        carry = sum >> 8;
    }
    signature.into()
}

/// The vector would prove nothing if its equation did not hold: a lenient reader has to take it.
#[test]
fn a_lenient_reader_would_take_r_of_small_order() {
    let signed = signed_ask();
    let key = VerifyingKey::from_bytes(kit::key(Who::Machine).public().as_bytes()).unwrap();
    let signature = Signature::from_slice(&small_order_r()).unwrap();
    let string = signing_string(Kind::Ask, &signed.payload);
    assert!(key.verify(&string, &signature).is_ok());
    assert!(key.verify_strict(&string, &signature).is_err());
}

// Answers.

fn answers() -> Vec<Vector> {
    let chain = kit::chain().encoded().clone();
    let lease = kit::lease(&kit::header(&kit::expected(), NOW), &Policy::CLIENT);
    let host = kit::key(Who::Host);
    let with = |change: &dyn Fn(&mut v1::Lease)| {
        let mut lease = lease.clone();
        change(&mut lease);
        host.sign(Kind::Lease, &lease)
    };
    [
        (
            "bad-lease-must-understand",
            "A lease with a bit that this release does not know.",
            with(&|lease| lease.header.as_mut().unwrap().must_understand = 0x8000_0000),
            "error: NotUnderstood",
        ),
        (
            "bad-lease-serial",
            "A lease with a serial above 2^62, which could not be presented.",
            with(&|lease| lease.header.as_mut().unwrap().serial = (1 << 62) + 1),
            "error: Mismatch(\"serial\")",
        ),
        (
            "bad-lease-too-long",
            "A lease that lives a millisecond longer than its certificate allows.",
            with(&|lease| lease.expires_at += 1),
            "error: BeyondLimits(\"validity\")",
        ),
        (
            "bad-lease-other-host",
            "A lease that another host has signed.",
            kit::key(Who::OtherHost).sign(Kind::Lease, &lease),
            "error: Envelope(OtherKey)",
        ),
        (
            "bad-lease-as-released",
            "A lease that calls itself a released.",
            {
                let mut signed = host.sign(Kind::Lease, &lease);
                signed.payload_type = Kind::Released.name().into();
                signed
            },
            "error: Envelope(BadSignature)",
        ),
        (
            "bad-lease-payload",
            "Bytes that are no lease, signed as one.",
            host.sign_bytes(Kind::Lease, Bytes::from_static(b"\x0a\xff")),
            "error: Envelope(Malformed)",
        ),
    ]
    .map(|(name, about, signed, yields)| Vector {
        name,
        about,
        lines: vec![Vector::hex("signed", &signed.encode_to_vec()), Vector::hex("chain", &chain)],
        yields: yields.into(),
        read: |fields| {
            let signed = v1::Signed::decode(fields.bytes("signed").as_slice()).unwrap();
            let chain = fields.bytes("chain").into();
            judge(&v1::Answer { signed: Some(signed), chain, ..v1::Answer::default() })
        },
    })
    .into()
}

// Chains.

fn chains() -> Vec<Vector> {
    let good = kit::certificate().encode();
    let host = |change: &dyn Fn(&mut v1::HostCertificate)| {
        let mut certificate = good.clone();
        change(&mut certificate);
        kit::chain_by(Who::Root, &certificate)
    };
    let issued = |change: &dyn Fn(&mut v1::IssuingCertificate)| {
        let mut issuing = kit::issuing_certificate();
        change(&mut issuing);
        kit::chain_issued(&issuing, &good)
    };
    [
        (
            "bad-chain-host-must-understand",
            "A host certificate with a bit that this release does not know.",
            host(&|certificate| certificate.must_understand = 1),
            "error: NotUnderstood",
        ),
        (
            "bad-chain-issuing-must-understand",
            "An issuing certificate with a bit that this release does not know.",
            issued(&|issuing| issuing.must_understand = 1),
            "error: NotUnderstood",
        ),
        (
            "bad-chain-small-order-host",
            "A host certificate for a key of small order.",
            host(&|certificate| certificate.signing_key = Bytes::from_static(&SMALL_ORDER)),
            "error: HostCertificate(BadKey)",
        ),
        (
            "bad-chain-third-root",
            "A host certificate that a key has signed which is no root.",
            kit::chain_by(Who::ThirdRoot, &good),
            "error: HostCertificate(OtherKey)",
        ),
        (
            "bad-chain-issuer-left-out",
            "A host certificate of an issuing key, without the issuing certificate.",
            kit::chain_by(Who::Issuing, &good),
            "error: HostCertificate(OtherKey)",
        ),
        (
            "bad-chain-other-product",
            "A host certificate for a product that the issuing certificate does not name.",
            issued(&|issuing| issuing.products = vec![Bytes::copy_from_slice(kit::OTHER_PRODUCT.as_bytes())]),
            "error: IssuerProducts",
        ),
        (
            "bad-chain-validity",
            "A host certificate that lets a lease live for 401 days.",
            host(&|certificate| certificate.policy.as_mut().unwrap().validity_ms = 401 * 86_400_000),
            "error: Policy: validity is 401 d, and may not be above 400 d",
        ),
        (
            "bad-chain-host-as-issuing",
            "A host certificate in the place of the issuing certificate.",
            {
                let signed = kit::key(Who::Root).sign(Kind::HostCertificate, &good);
                Chain::encode(signed.clone(), Some(signed))
            },
            "error: IssuingCertificate(OtherKind)",
        ),
        (
            "bad-chain-truncated",
            "A chain without its last byte.",
            {
                let mut chain = kit::chain_by(Who::Root, &good);
                chain.truncate(chain.len() - 1);
                chain
            },
            "error: Malformed",
        ),
    ]
    .map(|(name, about, chain, yields)| Vector {
        name,
        about,
        lines: vec![Vector::hex("chain", &chain)],
        yields: yields.into(),
        read: read_chain,
    })
    .into()
}

pub(crate) fn read_chain(fields: &Fields) -> String {
    use shared::certificate::ChainError;
    match Chain::verify(&fields.bytes("chain").into(), &kit::roots()) {
        Ok(_) => "verifies".into(),
        Err(ChainError::Policy(error)) => format!("error: Policy: {error}"),
        Err(error) => format!("error: {error:?}"),
    }
}

// Requests of hosts.

fn host_requests() -> Vec<Vector> {
    let (host, other) = (kit::key(Who::Host), kit::key(Who::OtherHost));
    let good = HostRequest::compose(&host, HOUR);
    let with = |change: &dyn Fn(&mut v1::HostRequest)| {
        let mut request = good.clone();
        change(&mut request);
        request
    };
    let unsigned = with(&|request| request.proof = None);
    let signed_as = |key: &SecretKey, kind| with(&|request| request.proof = Some(key.sign(kind, &unsigned)));
    [
        (
            "bad-host-request-other-key",
            "A request for a key, with the proof of another.",
            with(&|request| request.signing_key = Bytes::copy_from_slice(other.public().as_bytes())),
            "error: Proof(OtherKey)",
        ),
        (
            "bad-host-request-other-signer",
            "A request that another key than its own has signed.",
            signed_as(&other, Kind::HostRequest),
            "error: Proof(OtherKey)",
        ),
        (
            "bad-host-request-other-type",
            "A request whose proof is signed as an ask.",
            signed_as(&host, Kind::Ask),
            "error: Proof(OtherKind)",
        ),
        (
            "bad-host-request-flipped-signature",
            "A request with one bit of its signature flipped.",
            with(&|request| {
                let proof = request.proof.as_mut().unwrap();
                let mut signature = proof.signature.to_vec();
                signature[40] ^= 0x10;
                proof.signature = signature.into();
            }),
            "error: Proof(BadSignature)",
        ),
        (
            "bad-host-request-other-width",
            "A request that says another width of an hour than its host has signed.",
            with(&|request| request.hour_width_ms += 1),
            "error: Contradiction",
        ),
        (
            "bad-host-request-payload",
            "A request whose host has signed what is no request.",
            with(&|request| {
                request.proof = Some(host.sign_bytes(Kind::HostRequest, Bytes::from_static(b"\x0a\xff")));
            }),
            "error: Proof(Malformed)",
        ),
    ]
    .map(|(name, about, request, yields)| Vector {
        name,
        about,
        lines: vec![Vector::hex("request", &request.encode_to_vec())],
        yields: yields.into(),
        read: read_host_request,
    })
    .into()
}
