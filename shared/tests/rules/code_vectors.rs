//! Codes that are read aloud, in digits and letters, and what a root signs for the key that confirms them.

use prost::Message as _;
use shared::codes::{
    CodeCertificate, CodeError, CodeForm, CodeKey, CodeKind, CodeSubject, CodeText, ConfirmationId,
    HostTerms, InstallationId, MachineOptions,
};
use shared::envelope::{Kind, PublicKey};
use shared::features::Features;
use shared::groups::GroupState;
use shared::ids::ProductId;
use shared::parts::HardwareParts;
use shared::product_key::KeyNumber;

use crate::code_stories::{NUMBER, code_certificate, host, machine, parts, signed_by};
use crate::host_code_stories::terms;
use crate::kit::{self, DAY, NOW, OTHER_PRODUCT, PRODUCT, Who};
use crate::vector_files::{Fields, Vector};

pub(crate) fn all() -> Vec<Vector> {
    let mut vectors = installation_ids();
    vectors.extend(bad_installation_ids());
    vectors.extend(confirmations());
    vectors.extend(hosts());
    vectors.extend(certificates());
    vectors
}

// Installation ids.

fn installation_ids() -> Vec<Vector> {
    let wire = parts().encode().unwrap();
    let codes = |id: InstallationId| {
        [
            ("digits", id.text(CodeForm::Digits)),
            ("letters", id.text(CodeForm::Letters)),
            ("yields id", describe(&id)),
        ]
    };
    let vector = |name, about, key: &PublicKey, mut lines: Vec<_>, id: InstallationId, read| {
        lines.insert(0, Vector::hex("key", key.as_bytes()));
        lines.insert(1, Vector::hex("product", PRODUCT.as_bytes()));
        lines.insert(2, Vector::hex("key_number", NUMBER.as_bytes()));
        let [digits, letters, (_, yields)] = codes(id);
        lines.extend([digits, letters]);
        Vector { name, about, lines, yields, read }
    };
    let parts = vec![
        Vector::hex("board", &wire.board),
        Vector::hex("disk", &wire.disk),
        Vector::hex("firmware", &wire.firmware),
    ];
    vec![
        vector(
            "installation-id-machine",
            "What a machine tells its vendor: its key, its product, its product key's number, and two hardware parts.",
            &kit::key(Who::Machine).public(),
            parts,
            machine(),
            |fields| {
                let part = |name| fields.bytes(name).into();
                let wire = proto::vendor::v1::Parts {
                    board: part("board"),
                    disk: part("disk"),
                    firmware: part("firmware"),
                };
                let parts = HardwareParts::decode(Some(&wire)).unwrap();
                read_installation_id(fields, |key, product, number| {
                    InstallationId::of_machine(&key, product, number, &parts)
                })
            },
        ),
        vector(
            "installation-id-host",
            "What a host tells its vendor: its key, whole.",
            &kit::key(Who::Host).public(),
            Vec::new(),
            host(),
            |fields| read_installation_id(fields, InstallationId::of_host),
        ),
    ]
}

fn read_installation_id(
    fields: &Fields,
    make: impl FnOnce(PublicKey, ProductId, KeyNumber) -> InstallationId,
) -> String {
    let key = PublicKey::from_slice(&fields.bytes("key")).unwrap();
    let product = ProductId::from_slice(&fields.bytes("product")).unwrap();
    let id = make(key, product, KeyNumber::from_slice(&fields.bytes("key_number")).unwrap());
    for form in ["digits", "letters"] {
        assert_eq!(fields.text(form).parse(), Ok(id));
    }
    describe(&id)
}

fn describe(id: &InstallationId) -> String {
    let of = match &id.installed {
        CodeSubject::Machine(digest) => format!("machine {}", kit::hex(digest)),
        CodeSubject::Host(key) => format!("host {}", kit::hex(key.as_bytes())),
        other => panic!("{other:?}"),
    };
    format!("tag {}, key number {}, {of}", id.tag.value(), id.key)
}

fn bad_installation_ids() -> Vec<Vector> {
    let text = machine().text(CodeForm::Letters);
    let digits = machine().text(CodeForm::Digits);
    let last = text.len() - 1;
    let swapped = format!("{}{}{}{}", &digits[..7], &digits[14..21], &digits[7..14], &digits[21..]);
    [
        ("bad-installation-id-symbol", "An id with one wrong letter in its fourth group.", {
            let wrong = if text.as_bytes()[23] == b'Z' { "Y" } else { "Z" };
            format!("{}{wrong}{}", &text[..23], &text[24..])
        }),
        ("bad-installation-id-groups", "An id in digits with its second and third group swapped.", swapped),
        // 149 bits are 30 letters, and the first of them has 4 bits of the version.
        ("bad-installation-id-version", "An id of version 1.", with_letter(&text, 0, '1')),
        (
            "bad-installation-id-kind",
            "The id of a host in the length of a machine's.",
            with_kind_of_host(&text),
        ),
        ("bad-installation-id-spare", "An id whose last bit is set.", with_letter(&text, last - 1, '1')),
        ("bad-installation-id-larger", "An id above 2^149.", with_letter(&text, 0, 'G')),
        ("bad-installation-id-short", "An id without its last group.", text[..last - 6].to_owned()),
    ]
    .map(|(name, about, text)| {
        let yields = read_text(&text);
        Vector {
            name,
            about,
            lines: vec![("text", text)],
            yields,
            read: |fields| read_text(fields.text("text")),
        }
    })
    .into()
}

fn read_text(text: &str) -> String {
    match text.parse::<InstallationId>() {
        Ok(id) => describe(&id),
        Err(CodeError::Mistyped(mistyped)) => format!("wrong groups {}", mistyped.groups()),
        Err(error) => format!("error: {error:?}"),
    }
}

/// The id with another letter, and the check of its group made anew.
fn with_letter(text: &str, at: usize, letter: char) -> String {
    let mut changed = text.to_owned();
    changed.replace_range(at..=at, &letter.to_string());
    let check = at / 7 * 7 + 5;
    let checked = "0123456789ABCDEFGHJKMNPQRSTVWXYZ".chars().map(|symbol| {
        let mut checked = changed.clone();
        checked.replace_range(check..=check, &symbol.to_string());
        checked
    });
    let is_right = |text: &String| {
        let groups = CodeText::new(CodeKind::Machine, CodeForm::Letters, text).groups();
        groups.iter().all(|group| *group == GroupState::Right)
    };
    checked.into_iter().find(is_right).unwrap()
}

/// The kind stands behind the version, in the first two bits of the second letter.
fn with_kind_of_host(text: &str) -> String {
    let symbols = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let value = symbols.find(&text[1..2]).unwrap() | 0b01000;
    with_letter(text, 1, symbols.chars().nth(value).unwrap())
}

// Confirmation ids.

fn confirmations() -> Vec<Vector> {
    let confirm = |options| ConfirmationId::of_machine(&machine(), options, &kit::key(Who::Codes));
    let without_end = confirm(MachineOptions::default());
    let ending = confirm(MachineOptions::new(Some(NOW + 90 * DAY), 2).unwrap());
    let forged = {
        let [ending, without_end] = [&ending, &without_end].map(|id| id.text(CodeForm::Letters));
        format!("{}{}", &without_end[..6], &ending[6..]).parse::<ConfirmationId>().unwrap()
    };
    let other = InstallationId { key: KeyNumber::from_bytes([0; 5]), ..machine() };
    [
        (
            "confirmation-id",
            "What a vendor answers to a machine: no end, no features.",
            machine(),
            without_end.clone(),
        ),
        ("confirmation-id-bounded", "A confirmation with an end and features.", machine(), ending.clone()),
        ("bad-confirmation-id-options", "A confirmation whose end was taken out.", machine(), forged),
        (
            "bad-confirmation-id-other",
            "The confirmation of another installation id.",
            other,
            without_end.clone(),
        ),
        (
            "bad-confirmation-id-features",
            "A confirmation with a feature set that the code key does not have.",
            machine(),
            confirm(MachineOptions::new(None, 3).unwrap()),
        ),
        (
            "bad-confirmation-id-signer",
            "A confirmation that an issuing key has signed.",
            machine(),
            ConfirmationId::of_machine(&machine(), MachineOptions::default(), &kit::key(Who::Issuing)),
        ),
    ]
    .map(|(name, about, id, confirmation)| {
        let certificate = signed_by(Who::Root, &code_certificate());
        let lines = vec![
            Vector::hex("code_certificate", &certificate),
            ("installation_id", id.to_string()),
            ("digits", confirmation.text(CodeForm::Digits)),
            ("letters", confirmation.text(CodeForm::Letters)),
        ];
        let yields = read_confirmation(&certificate, &id, &confirmation);
        Vector { name, about, lines, yields, read: read_confirmation_file }
    })
    .into()
}

fn read_confirmation_file(fields: &Fields) -> String {
    let confirmation: ConfirmationId = fields.text("digits").parse().unwrap();
    assert_eq!(fields.text("letters").parse(), Ok(confirmation.clone()));
    read_confirmation(
        &fields.bytes("code_certificate"),
        &fields.text("installation_id").parse().unwrap(),
        &confirmation,
    )
}

fn read_confirmation(certificate: &[u8], id: &InstallationId, confirmation: &ConfirmationId) -> String {
    let key = CodeKey::verify(certificate, &kit::roots(), PRODUCT, false).unwrap();
    match confirmation.confirm(id, &[key]) {
        Ok(confirmed) => {
            let ends_at = confirmed.ends_at.map_or(0, shared::time::Timestamp::unix_ms);
            format!("ends at {ends_at}, features {:?}", confirmed.features.to_string())
        }
        Err(error) => format!("error: {error:?}"),
    }
}

// Hosts.

fn hosts() -> Vec<Vector> {
    let terms = terms();
    let id = terms.installation_id(kit::key(Who::Host).public());
    let confirm =
        |id: InstallationId| ConfirmationId::of_host(&id, &terms, NOW, &kit::key(Who::Issuing)).unwrap();
    let mut edited = proto::v1::HostTerms::decode(terms.encode().as_slice()).unwrap();
    edited.certificate.as_mut().unwrap().seats = 1000;
    let mut of_stranger = edited.clone();
    of_stranger.roots = vec![kit::key(Who::ThirdRoot).public().as_bytes().to_vec().into()];
    let other = terms.installation_id(kit::key(Who::OtherHost).public());
    [
        (
            "confirmation-id-host",
            "The terms of a host key, and the confirmation of a host.",
            terms.encode(),
            id,
        ),
        ("bad-confirmation-id-host-other", "The confirmation of another host.", terms.encode(), other),
        (
            "bad-confirmation-id-host-terms",
            "A confirmation under terms that were edited.",
            edited.encode_to_vec(),
            id,
        ),
        (
            "bad-host-terms-root",
            "Terms whose issuing certificate none of their roots has signed.",
            of_stranger.encode_to_vec(),
            id,
        ),
        ("bad-host-terms-empty", "Terms without anything.", Vec::new(), id),
    ]
    .map(|(name, about, terms, confirmed)| {
        let confirmation = confirm(confirmed);
        let lines = vec![
            Vector::hex("key", kit::key(Who::Host).public().as_bytes()),
            Vector::hex("terms", &terms),
            ("digits", confirmation.text(CodeForm::Digits)),
            ("letters", confirmation.text(CodeForm::Letters)),
        ];
        let yields = read_host(&kit::key(Who::Host).public(), &terms, &confirmation);
        Vector { name, about, lines, yields, read: read_host_file }
    })
    .into()
}

fn read_host_file(fields: &Fields) -> String {
    let confirmation: ConfirmationId = fields.text("digits").parse().unwrap();
    assert_eq!(fields.text("letters").parse(), Ok(confirmation.clone()));
    read_host(&PublicKey::from_slice(&fields.bytes("key")).unwrap(), &fields.bytes("terms"), &confirmation)
}

/// The exact bytes of the chain.
fn read_host(key: &PublicKey, terms: &[u8], confirmation: &ConfirmationId) -> String {
    let terms = match HostTerms::decode(terms) {
        Ok(terms) => terms,
        Err(error) => return format!("error: {error:?}"),
    };
    match confirmation.chain(&terms.installation_id(*key), &terms) {
        Ok(chain) => kit::hex(chain.encoded()),
        Err(error) => format!("error: {error:?}"),
    }
}

// Code certificates.

fn certificates() -> Vec<Vector> {
    let with = |change: fn(&mut CodeCertificate)| {
        let mut certificate = code_certificate();
        change(&mut certificate);
        signed_by(Who::Root, &certificate)
    };
    let changed = |change: fn(&mut proto::v1::CodeCertificate)| {
        let mut wire = code_certificate().encode();
        change(&mut wire);
        prost::Message::encode_to_vec(
            &kit::key(Who::Root).sign(shared::envelope::Kind::CodeCertificate, &wire),
        )
    };
    let issuing = kit::key(Who::Root).sign(Kind::IssuingCertificate, &code_certificate().limits.encode());
    [
        ("code-certificate", "A code key for one product, with two feature sets.", with(|_| {})),
        ("bad-code-certificate-issuing", "An issuing certificate in its place.", issuing.encode_to_vec()),
        (
            "bad-code-certificate-third-root",
            "One that a stranger's root has signed.",
            signed_by(Who::ThirdRoot, &code_certificate()),
        ),
        (
            "bad-code-certificate-product",
            "One for another product.",
            with(|code| code.limits.products = vec![OTHER_PRODUCT]),
        ),
        ("bad-code-certificate-test", "One for tests.", with(|code| code.limits.test = true)),
        (
            "bad-code-certificate-must-understand",
            "One with a bit that nobody knows.",
            changed(|wire| wire.limits.as_mut().unwrap().must_understand = 1),
        ),
        (
            "bad-code-certificate-feature",
            "One whose feature is not written as features are.",
            changed(|wire| wire.feature_sets[0].features[0] = "Export".into()),
        ),
        ("bad-code-certificate-empty", "One without a key.", changed(|wire| wire.limits = None)),
    ]
    .map(|(name, about, certificate)| {
        let yields = read_certificate(&certificate);
        let lines = vec![Vector::hex("certificate", &certificate)];
        Vector { name, about, lines, yields, read: |fields| read_certificate(&fields.bytes("certificate")) }
    })
    .into()
}

fn read_certificate(certificate: &[u8]) -> String {
    match CodeKey::verify(certificate, &kit::roots(), PRODUCT, false) {
        Ok(key) => {
            let sets: Vec<_> = key.feature_sets().iter().map(Features::to_string).collect();
            format!("key {}, feature sets {sets:?}", kit::hex(key.public_key().as_bytes()))
        }
        Err(error) => format!("error: {error:?}"),
    }
}
