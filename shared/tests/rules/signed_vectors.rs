//! Every signed message as it travels, with the string that is under its signature.
//!
//! `dsse` is that string, so that a reader in another language can check its own; it is built here by hand, and the
//! signature is checked with the bare cryptography beside the crate's own reading.

use bytes::Bytes;
use ed25519_dalek::{Signature, VerifyingKey};
use prost::Message;
use proto::v1;
use shared::answer::{Received, Term as _, Verdict, compose_refusal, compose_released, compose_waiting};
use shared::ask::{Ask, AskKind, Rejected};
use shared::certificate::{Chain, HostCertificate};
use shared::envelope::{Kind, PublicKey, SecretKey, open};
use shared::files::HostRequest;
use shared::policy::Policy;
use shared::reason::Reason;

use crate::kit::{self, HOUR, NOW, Who};
use crate::vector_files::{Fields, Vector};

pub(crate) fn all() -> Vec<Vector> {
    let mut vectors = vec![ask(), ask_that_replaces(), release(), ask_that_rejected(), host_request()];
    vectors.extend(answers());
    vectors.extend(certificates());
    vectors
}

// Asks.

/// The lines of an envelope: who signed, what is under the signature, the encoded `Signed`.
pub(crate) fn envelope(key: &PublicKey, signed: &v1::Signed) -> Vec<(&'static str, String)> {
    vec![
        Vector::hex("public_key", key.as_bytes()),
        Vector::hex("dsse", &dsse(signed)),
        Vector::hex("signed", &signed.encode_to_vec()),
    ]
}

fn dsse(signed: &v1::Signed) -> Vec<u8> {
    let (kind, payload) = (&signed.payload_type, &signed.payload);
    let mut string = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
    string.extend_from_slice(payload);
    string
}

/// The envelope of a file, after its signature has been checked without a line of the crate.
pub(crate) fn checked_envelope(fields: &Fields) -> v1::Signed {
    let signed = v1::Signed::decode(fields.bytes("signed").as_slice()).unwrap();
    assert_eq!(fields.bytes("dsse"), dsse(&signed));
    let key = VerifyingKey::from_bytes(&fields.bytes("public_key").try_into().unwrap()).unwrap();
    let signature = Signature::from_slice(&signed.signature).unwrap();
    key.verify_strict(&fields.bytes("dsse"), &signature).unwrap();
    signed
}

fn ask() -> Vector {
    let mut ask = kit::ask();
    ask.chain_digest = Some(kit::chain().digest());
    let chain = kit::chain();
    let lease = kit::lease(&kit::header(&kit::expected(), NOW), &Policy::CLIENT);
    ask.held_lease = kit::answer(chain.encoded(), Kind::Lease, &lease).signed;
    Vector {
        name: "ask",
        about: "A renewal: the ask of a machine that shows its lease and says which chain it has.",
        lines: envelope(&ask.machine_key, &ask.sign(&kit::key(Who::Machine))),
        yields: describe_ask(&ask),
        read: read_ask,
    }
}

fn ask_that_replaces() -> Vector {
    let mut ask = kit::ask();
    let old = kit::key(Who::OldIdentity);
    (ask.serial, ask.replaces) = (0, Some(old.public()));
    let signed = ask.sign(&kit::key(Who::Machine));
    let beside = old.sign_beside(Kind::Ask, &signed.payload);
    let mut lines = envelope(&ask.machine_key, &signed);
    lines.push(Vector::hex("beside", &beside.encode_to_vec()));
    Vector {
        name: "ask-that-replaces",
        about: "The first ask of an identity that replaces another, with the other's `Signature` over the same string.",
        lines,
        yields: describe_ask(&ask),
        read: read_ask,
    }
}

fn release() -> Vector {
    let mut ask = kit::ask();
    (ask.kind, ask.kept) = (AskKind::Release, false);
    (ask.edition, ask.library_version) = (String::new(), String::new());
    ask.fingerprint = shared::ids::Fingerprint::NONE;
    Vector {
        name: "ask-release",
        about: "The ask to be released of a machine that keeps no state and has no fingerprint.",
        lines: envelope(&ask.machine_key, &ask.sign(&kit::key(Who::Machine))),
        yields: describe_ask(&ask),
        read: read_ask,
    }
}

fn ask_that_rejected() -> Vector {
    let mut ask = kit::ask();
    let rejected = Rejected {
        code: Reason::OtherOrganisation.code().into(),
        host: Some(kit::key(Who::Host).public().host()),
    };
    ask.rejected = Some(rejected);
    Vector {
        name: "ask-that-rejected",
        about: "The ask of a machine that says which answer it did not take.",
        lines: envelope(&ask.machine_key, &ask.sign(&kit::key(Who::Machine))),
        yields: describe_ask(&ask),
        read: read_ask,
    }
}

pub(crate) fn read_ask(fields: &Fields) -> String {
    let signed = checked_envelope(fields);
    let beside = fields.optional_bytes("beside");
    let beside = beside.map(|beside| v1::Signature::decode(beside.as_slice()).unwrap());
    describe_ask(&Ask::open(&signed, beside.as_ref()).unwrap())
}

fn describe_ask(ask: &Ask) -> String {
    let told = ask.rejected.as_ref();
    let host = |told: &Rejected| told.host.map_or("unknown".to_owned(), |host| host.to_string());
    let told =
        told.map_or(String::new(), |told| format!(", did not take {} of host {}", told.code, host(told)));
    describe_what_is_asked(ask) + &told
}

fn describe_what_is_asked(ask: &Ask) -> String {
    let held = ask.held_lease.as_ref().map_or(0, Message::encoded_len);
    format!(
        "{} by {} for {}, nonce {}, asked at {}, serial {}, fingerprint {}, kept {}, replaces {}, shows {held} bytes, \
         has chain {}, edition {:?}, library {:?}",
        match ask.kind {
            AskKind::Activate => "activate",
            AskKind::Release => "release",
        },
        ask.machine(),
        ask.product,
        ask.nonce,
        ask.asked_at.unix_ms(),
        ask.serial,
        kit::hex(ask.fingerprint.as_slice()),
        ask.kept,
        ask.replaces.map_or("nobody".into(), |old| old.machine().to_string()),
        ask.chain_digest.map_or("none".into(), |digest| kit::hex(&digest)),
        ask.edition,
        ask.library_version,
    )
}

// Answers.

fn answers() -> Vec<Vector> {
    let expected = kit::expected();
    let header = kit::header(&expected, NOW);
    let policy = Policy::CLIENT;
    let cause = Reason::ClockSkew.with(&[("by", &"1 d"), ("direction", &"ahead")]);
    let mut refused = header;
    refused.serial = expected.serial;
    vec![
        answer(
            "lease",
            "A lease for 180 days, counted at exactly the threshold of 25.",
            &kit::key(Who::Host).sign(Kind::Lease, &kit::lease(&header, &policy)),
            "leased: serial 5, host time 1795305600000, count 25, threshold met at 1795305600000, renew after \
             1795910400000, expires at 1810857600000",
        ),
        answer(
            "waiting",
            "Counted as the seventh of 25, and asked again in two hours.",
            &kit::key(Who::Host).sign(Kind::Waiting, &compose_waiting(&header, &policy, 7)),
            "waiting: serial 5, 7 of 25, again in 7200s",
        ),
        answer(
            "refusal",
            "Refused for a clock that is a day ahead, with two parameters for the text.",
            &kit::key(Who::Host).sign(Kind::Refusal, &compose_refusal(&refused, &cause, HOUR)),
            "refused: CLOCK_SKEW, by 1 d, direction ahead, again in 3600s",
        ),
        answer(
            "released",
            "Out of the count.",
            &kit::key(Who::Host).sign(Kind::Released, &compose_released(&header)),
            "released: serial 5",
        ),
    ]
}

fn answer(name: &'static str, about: &'static str, signed: &v1::Signed, yields: &str) -> Vector {
    let mut lines = envelope(&kit::key(Who::Host).public(), signed);
    lines.push(Vector::hex("chain", kit::chain().encoded()));
    Vector { name, about, lines, yields: yields.into(), read: read_answer }
}

fn read_answer(fields: &Fields) -> String {
    let (signed, chain) = (Some(checked_envelope(fields)), fields.bytes("chain").into());
    let answer = v1::Answer { signed, chain, ..v1::Answer::default() };
    judge(&answer)
}

/// What the machine of the kit makes of it, at the instant of the stories.
pub(crate) fn judge(answer: &v1::Answer) -> String {
    let mut expected = kit::expected();
    let signed = answer.signed.as_ref().unwrap();
    if Kind::from_name(&signed.payload_type) == Some(Kind::Released) {
        expected.kind = AskKind::Release;
    }
    let verdict =
        Received::open(answer, None, &kit::roots()).and_then(|received| received.judge(&expected, NOW));
    match verdict {
        Ok(Verdict::Leased(lease)) => format!(
            "leased: serial {}, host time {}, count {}, threshold met at {}, renew after {}, expires at {}",
            lease.header().serial,
            lease.issued_at().unix_ms(),
            lease.count(),
            lease.threshold_met_at().unix_ms(),
            lease.renew_after().unix_ms(),
            lease.expires_at().unix_ms(),
        ),
        Ok(Verdict::Waiting(w)) => {
            let serial = w.header.serial;
            format!(
                "waiting: serial {serial}, {} of {}, again in {}s",
                w.count,
                w.threshold,
                w.ask_again.as_secs()
            )
        }
        Ok(Verdict::Released(header)) => format!("released: serial {}", header.serial),
        Ok(Verdict::Refused(refused)) => {
            let parameters = refused.cause.parameters.iter();
            let parameters: Vec<_> = parameters.map(|(name, value)| format!("{name} {value}")).collect();
            let parameters = parameters.join(", ");
            let again = refused.ask_again.as_secs();
            format!("refused: {}, {parameters}, again in {again}s", refused.cause.code)
        }
        Err(error) => format!("error: {error:?}"),
    }
}

// What a host asks its vendor.

fn host_request() -> Vector {
    let key = kit::key(Who::Host);
    let request = HostRequest::compose(&key, HOUR);
    let mut lines = envelope(&key.public(), request.proof.as_ref().unwrap());
    lines.push(Vector::hex("request", &request.encode_to_vec()));
    Vector {
        name: "host-request",
        about: "The body of a host's request for a certificate, and the proof in it that the host has the key.",
        lines,
        yields: format!("signed by host {}, an hour is 3600000 ms", key.public().host()),
        read: |fields| {
            checked_envelope(fields);
            read_host_request(fields)
        },
    }
}

pub(crate) fn read_host_request(fields: &Fields) -> String {
    match HostRequest::decode(&fields.bytes("request")) {
        Ok(HostRequest { signing_key, hour_width, is_signed }) => {
            let signed = if is_signed { "signed by" } else { "not signed by" };
            format!("{signed} host {}, an hour is {} ms", signing_key.host(), hour_width.as_millis())
        }
        Err(error) => format!("error: {error:?}"),
    }
}

// Certificates.

fn certificates() -> Vec<Vector> {
    let dated = HostCertificate { issued_at: Some(NOW), ..kit::certificate() }.encode();
    let (certificate, mut issuing) = (kit::certificate().encode(), kit::issuing_certificate());
    issuing.products = vec![Bytes::copy_from_slice(kit::PRODUCT.as_bytes())];
    vec![
        certificate_vector(
            "host-certificate",
            "What a root signs when a host is activated.",
            &kit::key(Who::Root),
            Kind::HostCertificate,
            &certificate,
        ),
        certificate_vector(
            "host-certificate-dated",
            "The same from a release that says when it was issued.",
            &kit::key(Who::Root),
            Kind::HostCertificate,
            &dated,
        ),
        certificate_vector(
            "issuing-certificate",
            "What a root signs so that it can stay offline: a key for one product's host certificates.",
            &kit::key(Who::Root),
            Kind::IssuingCertificate,
            &issuing,
        ),
        chain(
            "chain",
            "The chain of a host whose certificate a root has signed.",
            &kit::chain_by(Who::Root, &certificate),
            "ends at 1824249600000, valid now",
        ),
        chain(
            "chain-with-issuer",
            "The chain of a host whose certificate an issuing key has signed.",
            &kit::chain_issued(&issuing, &certificate),
            "ends at 1824249600000, valid now",
        ),
    ]
}

fn certificate_vector(
    name: &'static str,
    about: &'static str,
    key: &SecretKey,
    kind: Kind,
    message: &impl Message,
) -> Vector {
    let signed = key.sign(kind, message);
    Vector {
        name,
        about,
        lines: envelope(&key.public(), &signed),
        yields: format!("opens as {}, {} bytes", kind.name(), signed.payload.len()),
        read: read_certificate,
    }
}

fn read_certificate(fields: &Fields) -> String {
    let signed = checked_envelope(fields);
    let key = PublicKey::from_slice(&fields.bytes("public_key")).unwrap();
    let kind = Kind::from_name(&signed.payload_type).unwrap();
    open(&signed, kind, &key).unwrap();
    format!("opens as {}, {} bytes", kind.name(), signed.payload.len())
}

fn chain(name: &'static str, about: &'static str, encoded: &Bytes, what: &str) -> Vector {
    let roots = kit::roots();
    let host = kit::certificate();
    Vector {
        name,
        about,
        lines: vec![
            Vector::hex("root", roots.keys()[0].as_bytes()),
            Vector::hex("chain", encoded),
            Vector::hex("digest", &shared::envelope::digest(encoded)),
        ],
        yields: format!("host {} of Gutenberg for Press, threshold 25, {what}", host.host()),
        read: read_chain,
    }
}

fn read_chain(fields: &Fields) -> String {
    let chain = Chain::verify(&fields.bytes("chain").into(), &kit::roots()).unwrap();
    assert_eq!(fields.bytes("digest"), chain.digest());
    assert_eq!(fields.bytes("root"), kit::roots().keys()[0].as_bytes());
    let host = chain.host();
    let valid = chain.check_valid_at(NOW).map_or("not valid now", |()| "valid now");
    format!(
        "host {} of {} for {}, threshold {}, ends at {}, {valid}",
        host.host(),
        host.organisation_name,
        host.product_name,
        host.policy.threshold,
        chain.ends_at().unix_ms(),
    )
}
