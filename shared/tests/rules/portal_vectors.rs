//! What travels between hosts, machines and the vendor's portal, and what the portal and the offline tool sign (protocol.md 11).

use core::num::NonZeroU32;

use prost::Message;
use proto::v1::{Signed, SignedRevocationList};
use proto::vendor::v1::SignedConfirmation;
use shared::activation::{Claim, HostActivation, MachineActivation, MachineRelease};
use shared::certificate::{Chain, HostCertificate};
use shared::confirmation::Confirmation;
use shared::envelope::PublicKey;
use shared::features::Features;
use shared::files::{KeyRequest, RequestedKey};
use shared::ids::{Fingerprint, Nonce};
use shared::parts::HardwareParts;
use shared::revocation::{RevocationList, Revoked};
use shared::time::Timestamp;

use crate::kit::{self, DAY, NOW, PRODUCT, Who};
use crate::signed_vectors::{checked_envelope, envelope};
use crate::vector_files::{Fields, Vector};

pub(crate) fn all() -> Vec<Vector> {
    let mut vectors = asks();
    vectors.extend([confirmation(), bounded_confirmation(), revocation_list(), revocation_list_by_root()]);
    vectors.extend([revocation_list_of_wholes(), issuing_request(), code_request(), chain_with_features()]);
    vectors
}

// Asks.

fn asks() -> Vec<Vector> {
    let (host, machine) = (kit::key(Who::Host), kit::key(Who::Machine));
    let renewal = HostActivation { claim: Claim::Renewal(PRODUCT), ..kit::host_activation() };
    let bare = MachineActivation {
        fingerprint: Fingerprint::NONE,
        parts: HardwareParts::of_machine(PRODUCT, "", "", "4c4c4544-0042-3510-8051-b2c04f4d4e32"),
        ..kit::machine_activation()
    };
    let ask = |name, about, key: PublicKey, signed: Signed, yields: &str| Vector {
        name,
        about,
        lines: envelope(&key, &signed),
        yields: yields.into(),
        read: |fields| read_ask(&checked_envelope(fields)),
    };
    vec![
        ask(
            "host-activation",
            "The ask of a host with a host key.",
            host.public(),
            kit::host_activation().sign(&host),
            "host 3748e2d2e6dbd2aa466c97c4a18b021e by key 062161112131415161718191a0, an hour is 3600000 ms, nonce \
             d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0, asked at 1795305600000",
        ),
        ask(
            "host-activation-renewal",
            "The ask of a host that renews its certificate for a product, without a key.",
            host.public(),
            renewal.sign(&host),
            "host 3748e2d2e6dbd2aa466c97c4a18b021e again for a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0, an hour is 3600000 ms, nonce \
             d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0, asked at 1795305600000",
        ),
        ask(
            "machine-activation",
            "The ask of a machine with a multiple-activation key, a fingerprint and three hardware parts.",
            machine.public(),
            kit::machine_activation().sign(&machine),
            "machine 0cc6722d653dabe102c77a17e8a1f90e for a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0 by key 0e2161112131415161718191a0, \
             nonce d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0, asked at 1795305600000, fingerprint 985d4106e2a6a0f59730841dac2b3d5a, \
             board fd26b750478ef938fd2b6f7722f7517a, disk b7fe208ba98a18dbe9ef2cb6c1223d3c, firmware \
             c9abb32810a6909343cd3a69881d97dc",
        ),
        ask(
            "machine-activation-bare",
            "The same of a machine that has no fingerprint and knows one part of its hardware.",
            machine.public(),
            bare.sign(&machine),
            "machine 0cc6722d653dabe102c77a17e8a1f90e for a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0 by key 0e2161112131415161718191a0, \
             nonce d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0, asked at 1795305600000, fingerprint none, board none, disk none, \
             firmware c9abb32810a6909343cd3a69881d97dc",
        ),
        ask(
            "machine-release",
            "The ask of a machine that gives the place of its key back.",
            machine.public(),
            kit::machine_release().sign(&machine),
            "machine 0cc6722d653dabe102c77a17e8a1f90e leaves key f685a296f0 for a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0, nonce \
             d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0, asked at 1795305600000",
        ),
    ]
}

/// What the portal makes of any of the three.
pub(crate) fn read_ask(signed: &Signed) -> String {
    let opened = match signed.payload_type.as_str() {
        "kms.host-activation.v1" => HostActivation::open(signed).map(|ask| {
            let claim = match &ask.claim {
                Claim::Key(key) => format!("by key {}", kit::hex(key.as_bytes())),
                Claim::Renewal(product) => format!("again for {product}"),
            };
            let (host, hour) = (ask.host(), ask.hour_width.as_millis());
            format!("host {host} {claim}, an hour is {hour} ms, {}", when(&ask.nonce, ask.asked_at))
        }),
        "kms.machine-activation.v1" => MachineActivation::open(signed).map(|ask| {
            let (fingerprint, parts) = (bytes(ask.fingerprint.as_slice()), parts(&ask.parts));
            format!(
                "machine {} for {} by key {}, {}, fingerprint {fingerprint}, {parts}",
                ask.machine(),
                ask.product,
                kit::hex(ask.product_key.as_bytes()),
                when(&ask.nonce, ask.asked_at),
            )
        }),
        _ => MachineRelease::open(signed).map(|ask| {
            let number = kit::hex(ask.key_number.as_bytes());
            let when = when(&ask.nonce, ask.asked_at);
            format!("machine {} leaves key {number} for {}, {when}", ask.machine(), ask.product)
        }),
    };
    opened.unwrap_or_else(|error| format!("error: {error:?}"))
}

fn when(nonce: &Nonce, asked_at: Timestamp) -> String {
    format!("nonce {nonce}, asked at {}", asked_at.unix_ms())
}

fn parts(parts: &HardwareParts) -> String {
    let wire = parts.encode().unwrap_or_default();
    format!("board {}, disk {}, firmware {}", bytes(&wire.board), bytes(&wire.disk), bytes(&wire.firmware))
}

fn bytes(bytes: &[u8]) -> String {
    or_nothing(kit::hex(bytes), "none")
}

fn or_nothing(text: String, nothing: &str) -> String {
    if text.is_empty() { nothing.to_owned() } else { text }
}

// What licenses, and what takes it back.

fn confirmation() -> Vector {
    confirmation_vector(
        "confirmation",
        "The confirmation of a machine, without end and without features.",
        &kit::confirmation(),
        "confirmed for Gutenberg of key f685a296f0 at 1795305600000, ends at 0, features none, test false",
    )
}

fn bounded_confirmation() -> Vector {
    let confirmation = Confirmation {
        not_after: Some(NOW + 365 * DAY),
        features: Features::new(["export", "3d"]).unwrap(),
        test: true,
        ..kit::confirmation()
    };
    confirmation_vector(
        "confirmation-bounded",
        "A confirmation for a year, with two features and the mark of a test.",
        &confirmation,
        "confirmed for Gutenberg of key f685a296f0 at 1795305600000, ends at 1826841600000, features 3d export, test true",
    )
}

fn confirmation_vector(
    name: &'static str,
    about: &'static str,
    confirmation: &Confirmation,
    yields: &str,
) -> Vector {
    let issuing = kit::key(Who::Issuing);
    let travels = confirmation.sign(&issuing, kit::signed_issuing_certificate());
    let mut lines = envelope(&issuing.public(), travels.signed.as_ref().unwrap());
    lines.push(Vector::hex("confirmation", &travels.encode_to_vec()));
    let read = |fields: &Fields| {
        checked_envelope(fields);
        read_confirmation(fields)
    };
    Vector { name, about, lines, yields: yields.into(), read }
}

/// What the machine of the kit makes of it.
pub(crate) fn read_confirmation(fields: &Fields) -> String {
    let wire = SignedConfirmation::decode(fields.bytes("confirmation").as_slice()).unwrap();
    let opened = Confirmation::open(&wire, &kit::roots());
    let ask = kit::machine_activation();
    match opened.and_then(|it| it.check_answer(&ask, None).map(|()| it)) {
        Ok(it) => format!(
            "confirmed for {} of key {} at {}, ends at {}, features {}, test {}",
            it.organisation_name,
            kit::hex(it.key_number.as_bytes()),
            it.confirmed_at.unix_ms(),
            it.not_after.map_or(0, Timestamp::unix_ms),
            or_nothing(it.features.iter().collect::<Vec<_>>().join(" "), "none"),
            it.test,
        ),
        Err(error) => format!("error: {error:?}"),
    }
}

fn revocation_list() -> Vector {
    let issuing = kit::key(Who::Issuing);
    let travels = kit::revocation_list(7).sign(&issuing, Some(kit::signed_issuing_certificate()));
    list_vector(
        "revocation-list",
        "A revocation list that an issuing key has signed, with two entries.",
        &issuing.public(),
        &travels,
        "list 7 at 1795305600000, by a root false, takes back e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0 at 1795302000000 (the key was \
         stolen), e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9 at 1795302000000 (refunded)",
    )
}

fn revocation_list_by_root() -> Vector {
    let root = kit::key(Who::Root);
    let travels = RevocationList::new(1, NOW, Vec::new()).sign(&root, None);
    list_vector(
        "revocation-list-by-root",
        "The first revocation list of a root, which takes nothing back.",
        &root.public(),
        &travels,
        "list 1 at 1795305600000, by a root true, takes back nothing",
    )
}

fn revocation_list_of_wholes() -> Vector {
    let issuing = kit::key(Who::Issuing);
    let revoked = |id, reason: &str| Revoked { id, at: NOW, reason: reason.into() };
    let (host, number) = (kit::key(Who::Host).public().host(), kit::confirmation().key_number);
    let entries = vec![revoked(Revoked::host(host), "stolen"), revoked(Revoked::key(number), "refunded")];
    let list = RevocationList::new(1_795_305_600, NOW, entries);
    list_vector(
        "revocation-list-of-wholes",
        "A revocation list that takes back every certificate of a host, and every confirmation of the key f685a296f0.",
        &issuing.public(),
        &list.sign(&issuing, Some(kit::signed_issuing_certificate())),
        "list 1795305600 at 1795305600000, by a root false, takes back 3748e2d2e6dbd2aa466c97c4a18b021e at 1795305600000 \
         (stolen), 3c2dba5391e8adb0bbea550b140c70c2 at 1795305600000 (refunded)",
    )
}

fn list_vector(
    name: &'static str,
    about: &'static str,
    key: &PublicKey,
    travels: &SignedRevocationList,
    yields: &str,
) -> Vector {
    let mut lines = envelope(key, travels.signed.as_ref().unwrap());
    lines.push(Vector::hex("list", &travels.encode_to_vec()));
    let read = |fields: &Fields| {
        checked_envelope(fields);
        read_list(fields)
    };
    Vector { name, about, lines, yields: yields.into(), read }
}

pub(crate) fn read_list(fields: &Fields) -> String {
    let wire = SignedRevocationList::decode(fields.bytes("list").as_slice()).unwrap();
    match RevocationList::open(&wire, &kit::roots()) {
        Ok(signed) => {
            let (list, by_root) = (signed.list(), signed.is_by_root());
            let revoked = list.revoked().iter();
            let revoked = revoked.map(|one| format!("{} at {} ({})", one.id, one.at.unix_ms(), one.reason));
            let revoked = revoked.collect::<Vec<_>>().join(", ");
            let revoked = or_nothing(revoked, "nothing");
            format!(
                "list {} at {}, by a root {by_root}, takes back {revoked}",
                list.number,
                list.issued_at.unix_ms()
            )
        }
        Err(error) => format!("error: {error:?}"),
    }
}

// The portal's key, and a host certificate.

fn issuing_request() -> Vector {
    let about =
        "The body of a portal's request to certify its key, and the proof in it that the portal has the key.";
    key_request("issuing-request", about, RequestedKey::Issuing, read_issuing_request)
}

fn code_request() -> Vector {
    let about = "The body of a portal's request to certify its code key, and the proof in it that the portal has the key.";
    key_request("code-request", about, RequestedKey::Code, read_code_request)
}

fn key_request(
    name: &'static str,
    about: &'static str,
    of: RequestedKey,
    read: fn(&Fields) -> String,
) -> Vector {
    let key = kit::key(Who::Issuing);
    let request = KeyRequest::compose(of, &key);
    let mut lines = envelope(&key.public(), request.proof.as_ref().unwrap());
    lines.push(Vector::hex("request", &request.encode_to_vec()));
    Vector { name, about, lines, yields: format!("key {}", key.public().key_id()), read }
}

pub(crate) fn read_issuing_request(fields: &Fields) -> String {
    read_key_request(RequestedKey::Issuing, fields)
}

pub(crate) fn read_code_request(fields: &Fields) -> String {
    read_key_request(RequestedKey::Code, fields)
}

fn read_key_request(of: RequestedKey, fields: &Fields) -> String {
    if fields.optional_bytes("signed").is_some() {
        checked_envelope(fields);
    }
    match KeyRequest::decode(of, &fields.bytes("request")) {
        Ok(request) => format!("key {}", request.public_key.key_id()),
        Err(error) => format!("error: {error:?}"),
    }
}

fn chain_with_features() -> Vector {
    let certificate = HostCertificate {
        seats: NonZeroU32::new(40),
        features: Features::new(["export", "3d"]).unwrap(),
        ..kit::certificate()
    };
    let chain = kit::chain_issued(&kit::issuing_certificate(), &certificate.encode());
    Vector {
        name: "chain-with-features",
        about: "The chain of a host whose organisation has paid for 40 seats and two features.",
        lines: vec![
            Vector::hex("root", kit::roots().keys()[0].as_bytes()),
            Vector::hex("chain", &chain),
            Vector::hex("digest", &shared::envelope::digest(&chain)),
        ],
        yields: "40 seats, features 3d, export".into(),
        read: |fields| {
            let chain = Chain::verify(&fields.bytes("chain").into(), &kit::roots()).unwrap();
            assert_eq!(fields.bytes("digest"), chain.digest());
            let HostCertificate { seats, features, .. } = chain.host();
            format!("{} seats, features {features}", seats.map_or(0, NonZeroU32::get))
        },
    }
}
