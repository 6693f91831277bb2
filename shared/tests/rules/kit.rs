//! Fixed keys, and what vendor, host and machine sign with them.
//!
//! Everything is made the way the real sides make it and read back the way the real sides read it; a story changes one
//! thing on the way. The ledger that counts is in `books`.

use core::time::Duration;

use bytes::Bytes;
use prost::Message;
use proto::v1;
use shared::activation::{Claim, HostActivation, MachineActivation, MachineRelease};
use shared::answer::{self, Expected, Grant, Header};
use shared::ask::{Ask, AskKind};
use shared::certificate::{Chain, HostCertificate, Roots};
use shared::confirmation::Confirmation;
use shared::envelope::{Kind, SecretKey};
use shared::features::Features;
use shared::ids::{CertificateId, Fingerprint, LedgerId, Nonce, OrganisationId, ProductId};
use shared::parts::HardwareParts;
use shared::policy::Policy;
use shared::product_key::{KeyKind, ProductKey, ProductTag};
use shared::revocation::{RevocationList, Revoked};
use shared::testing;
use shared::time::Timestamp;
use shared::user_lease::{AccountAsk, AccountPurpose, ProductPersonId, UserLease};

/// 2026-11-22 00:00:00Z: when every story begins.
pub(crate) const NOW: Timestamp = Timestamp::from_unix_ms(1_795_305_600_000);

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const HOUR: Duration = Duration::from_hours(1);
pub(crate) const DAY: Duration = Duration::from_hours(24);

pub(crate) const PRODUCT: ProductId = ProductId::from_bytes([0xA0; 16]);
pub(crate) const OTHER_PRODUCT: ProductId = ProductId::from_bytes([0xA1; 16]);
pub(crate) const ORGANISATION: OrganisationId = OrganisationId::from_bytes([0xB0; 16]);
pub(crate) const OTHER_ORGANISATION: OrganisationId = OrganisationId::from_bytes([0xB1; 16]);
pub(crate) const LEDGER: LedgerId = LedgerId::from_bytes([0xC0; 16]);
pub(crate) const NONCE: Nonce = Nonce::from_bytes([0xD0; 16]);

/// The product's key of this kind whose random bytes are 0x11 to 0x1a.
pub(crate) fn product_key(kind: KeyKind) -> ProductKey {
    ProductKey::new(kind, ProductTag::of(PRODUCT), &core::array::from_fn(|i| 0x11 + u8::try_from(i).unwrap()))
}

/// Who signs. The seed is the number, 32 times.
#[derive(Clone, Copy)]
pub(crate) enum Who {
    Root = 1,
    SecondRoot = 2,
    ThirdRoot = 3,
    Issuing = 4,
    Host = 5,
    OtherHost = 6,
    Machine = 7,
    OldIdentity = 8,
    Codes = 9,
}

pub(crate) fn key(who: Who) -> SecretKey {
    SecretKey::from_seed(&[who as u8; 32])
}

/// The two roots that a product has compiled in.
pub(crate) fn roots() -> Roots {
    let keys = [key(Who::Root).public(), key(Who::SecondRoot).public()];
    Roots::new(keys.iter().map(|key| key.as_bytes().as_slice())).unwrap()
}

pub(crate) fn fingerprint() -> Fingerprint {
    Fingerprint::of_machine(PRODUCT, b"4c4c4544-0042")
}

/// A year's certificate of the default numbers, begun a month ago.
pub(crate) fn certificate() -> HostCertificate {
    HostCertificate {
        id: CertificateId::from_bytes([0xE0; 16]),
        product_name: "Press".into(),
        organisation: ORGANISATION,
        organisation_name: "Gutenberg".into(),
        ..testing::certificate(key(Who::Host).public(), PRODUCT, NOW - 30 * DAY)
    }
}

/// Lets [`Who::Issuing`] sign for two years.
pub(crate) fn issuing_certificate() -> v1::IssuingCertificate {
    v1::IssuingCertificate {
        id: Bytes::from_static(&[0xE1; 16]),
        public_key: Bytes::copy_from_slice(key(Who::Issuing).public().as_bytes()),
        not_before: (NOW - 60 * DAY).unix_ms(),
        not_after: (NOW + 670 * DAY).unix_ms(),
        products: Vec::new(),
        test: false,
        must_understand: 0,
    }
}

/// The issuing certificate of the kit, signed by a root.
pub(crate) fn signed_issuing_certificate() -> v1::Signed {
    key(Who::Root).sign(Kind::IssuingCertificate, &issuing_certificate())
}

/// A chain in which `signer` has signed the host certificate itself.
pub(crate) fn chain_by(signer: Who, certificate: &v1::HostCertificate) -> Bytes {
    Chain::encode(key(signer).sign(Kind::HostCertificate, certificate), None)
}

/// A chain in which a root has signed the issuing certificate, and its key the host certificate.
pub(crate) fn chain_issued(issuing: &v1::IssuingCertificate, certificate: &v1::HostCertificate) -> Bytes {
    Chain::encode(
        key(Who::Issuing).sign(Kind::HostCertificate, certificate),
        Some(key(Who::Root).sign(Kind::IssuingCertificate, issuing)),
    )
}

/// The chain of the host in every story that does not say otherwise.
pub(crate) fn chain() -> Chain {
    chain_of(&certificate())
}

pub(crate) fn chain_of(certificate: &HostCertificate) -> Chain {
    Chain::verify(&chain_by(Who::Root, &certificate.encode()), &roots()).unwrap()
}

/// What the machine of the stories asks.
pub(crate) fn ask() -> Ask {
    Ask {
        machine_key: key(Who::Machine).public(),
        product: PRODUCT,
        nonce: NONCE,
        asked_at: NOW,
        serial: 4,
        fingerprint: fingerprint(),
        held_lease: None,
        chain_digest: None,
        replaces: None,
        kept: true,
        kind: AskKind::Activate,
        edition: "pro".into(),
        library_version: "0.1.0".into(),
        rejected: None,
    }
}

/// What an answer to [`ask`] has to match.
pub(crate) fn expected() -> Expected {
    Expected {
        machine: key(Who::Machine).public().machine(),
        product: PRODUCT,
        nonce: NONCE,
        serial: 4,
        fingerprint: fingerprint(),
        organisation: Some(ORGANISATION),
        kind: AskKind::Activate,
    }
}

/// The header of the answer to `expected`: the next serial.
pub(crate) fn header(expected: &Expected, host_time: Timestamp) -> Header {
    Header {
        machine: expected.machine,
        product: expected.product,
        nonce: expected.nonce,
        serial: expected.serial + 1,
        host_time,
        host: key(Who::Host).public().host(),
        ledger: LEDGER,
    }
}

/// A lease from `host_time` on, counted at exactly the threshold.
pub(crate) fn lease(header: &Header, policy: &Policy) -> v1::Lease {
    let grant = Grant { count: policy.threshold.into(), threshold_met_at: header.host_time };
    answer::compose_lease(header, policy, &grant, fingerprint())
}

/// What the host sends: its signature, and its chain.
pub(crate) fn answer(chain: &Bytes, kind: Kind, message: &impl Message) -> v1::Answer {
    v1::Answer {
        signed: Some(key(Who::Host).sign(kind, message)),
        chain: chain.clone(),
        ..v1::Answer::default()
    }
}

// What is between hosts, machines and the vendor's portal.

/// What the host of the stories asks the portal.
pub(crate) fn host_activation() -> HostActivation {
    HostActivation {
        signing_key: key(Who::Host).public(),
        claim: Claim::Key(product_key(KeyKind::Host)),
        hour_width: HOUR,
        nonce: NONCE,
        asked_at: NOW,
    }
}

pub(crate) fn parts() -> HardwareParts {
    HardwareParts::of_machine(PRODUCT, "PF-1A2B3C", "WD-WCC4N5XYZ", "4c4c4544-0042-3510-8051-b2c04f4d4e32")
}

/// What the machine of the stories asks the portal.
pub(crate) fn machine_activation() -> MachineActivation {
    MachineActivation {
        machine_key: key(Who::Machine).public(),
        product: PRODUCT,
        product_key: product_key(KeyKind::MultipleActivation),
        nonce: NONCE,
        asked_at: NOW,
        fingerprint: fingerprint(),
        parts: parts(),
    }
}

pub(crate) fn machine_release() -> MachineRelease {
    MachineRelease {
        machine_key: key(Who::Machine).public(),
        product: PRODUCT,
        key_number: product_key(KeyKind::MultipleActivation).number(),
        nonce: NONCE,
        asked_at: NOW,
    }
}

/// What the portal answers to [`machine_activation`]: without end and features.
pub(crate) fn confirmation() -> Confirmation {
    Confirmation {
        id: CertificateId::from_bytes([0xE2; 16]),
        machine: key(Who::Machine).public().machine(),
        product: PRODUCT,
        nonce: NONCE,
        key_number: product_key(KeyKind::MultipleActivation).number(),
        organisation: ORGANISATION,
        organisation_name: "Gutenberg".into(),
        confirmed_at: NOW,
        not_after: None,
        features: Features::NONE,
        fingerprint: fingerprint(),
        parts: parts(),
        test: false,
    }
}

/// What the machine of the stories asks for whoever signs in on it.
pub(crate) fn account_ask(purpose: AccountPurpose) -> AccountAsk {
    let device_name = if purpose == AccountPurpose::SignIn { "Ann's laptop" } else { "" };
    AccountAsk {
        machine_key: key(Who::Machine).public(),
        product: PRODUCT,
        purpose,
        nonce: NONCE,
        asked_at: NOW,
        fingerprint: fingerprint(),
        parts: parts(),
        device_name: device_name.into(),
    }
}

/// What the portal answers to [`account_ask`].
pub(crate) fn user_lease() -> UserLease {
    UserLease {
        machine: key(Who::Machine).public().machine(),
        product: PRODUCT,
        person: ProductPersonId::from_bytes([0xF1; 16]),
        account: "ann@example.com".into(),
        organisation: ORGANISATION,
        organisation_name: "Gutenberg".into(),
        offer: "atlas-pro".into(),
        features: Features::new(["export", "3d"]).unwrap(),
        issued_at: NOW,
        renew_after: NOW + DAY,
        not_after: NOW + 30 * DAY,
        nonce: NONCE,
        fingerprint: fingerprint(),
        parts: parts(),
        test: false,
    }
}

/// Takes the host certificate of the kit back, and one that nobody has seen.
pub(crate) fn revocation_list(number: u64) -> RevocationList {
    let revoked = |id, reason: &str| Revoked {
        id: CertificateId::from_bytes([id; 16]),
        at: NOW - HOUR,
        reason: reason.into(),
    };
    RevocationList::new(number, NOW, vec![revoked(0xE9, "refunded"), revoked(0xE0, "the key was stolen")])
}

/// Hexadecimal digits, as the vectors have them.
pub(crate) fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}
