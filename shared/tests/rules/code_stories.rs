//! Codes that are read aloud: a wrong or swapped group is named while the caller is still on the line, and a code fits nobody else.

use std::sync::LazyLock;

use proptest::prelude::*;
use prost::Message as _;
use sha2::{Digest, Sha256};
use shared::certificate::{ChainError, IssuingCertificate};
use shared::codes::{
    CodeCertificate, CodeError, CodeForm, CodeKey, CodeKind, CodeSubject, CodeText, ConfirmationId,
    Confirmed, InstallationId, MachineOptions,
};
use shared::envelope::Kind;
use shared::features::Features;
use shared::groups::GroupState;
use shared::ids::CertificateId;
use shared::parts::HardwareParts;
use shared::product_key::KeyNumber;
use shared::reason::Cause;
use shared::time::Timestamp;

use crate::kit::{self, DAY, NOW, OTHER_PRODUCT, PRODUCT, Who};

const FORMS: [CodeForm; 2] = [CodeForm::Digits, CodeForm::Letters];
pub(crate) const NUMBER: KeyNumber = KeyNumber::from_bytes([0x12, 0x34, 0x56, 0x78, 0x9A]);

pub(crate) fn parts() -> HardwareParts {
    HardwareParts::of_machine(PRODUCT, "PF1A2B3C", "S4EVNX0M", "")
}

pub(crate) fn machine() -> InstallationId {
    InstallationId::of_machine(&kit::key(Who::Machine).public(), PRODUCT, NUMBER, &parts())
}

pub(crate) fn host() -> InstallationId {
    InstallationId::of_host(kit::key(Who::Host).public(), PRODUCT, NUMBER)
}

/// A code key for ten years, with two sets of features.
pub(crate) fn code_certificate() -> CodeCertificate {
    CodeCertificate {
        limits: IssuingCertificate {
            id: CertificateId::from_bytes([0xE2; 16]),
            public_key: kit::key(Who::Codes).public(),
            not_before: NOW - DAY,
            not_after: NOW + 3650 * DAY,
            products: vec![PRODUCT],
            test: false,
        },
        feature_sets: vec![Features::new(["export"]).unwrap(), Features::new(["3d", "export"]).unwrap()],
    }
}

pub(crate) fn signed_by(root: Who, certificate: &CodeCertificate) -> Vec<u8> {
    kit::key(root).sign(Kind::CodeCertificate, &certificate.encode()).encode_to_vec()
}

fn code_key(certificate: &CodeCertificate) -> Result<CodeKey, ChainError> {
    CodeKey::verify(&signed_by(Who::Root, certificate), &kit::roots(), PRODUCT, false)
}

pub(crate) fn keys() -> Vec<CodeKey> {
    vec![code_key(&code_certificate()).unwrap()]
}

fn confirmation(options: MachineOptions) -> ConfirmationId {
    ConfirmationId::of_machine(&machine(), options, &kit::key(Who::Codes))
}

/// Machines as chance would make them.
fn machines() -> impl Iterator<Item = InstallationId> {
    (0_u8..4).map(|number| {
        let digest = Sha256::digest([number]);
        let key = KeyNumber::from_slice(&digest[..5]).unwrap();
        let installed = CodeSubject::Machine(digest[5..15].try_into().unwrap());
        InstallationId { key, installed, ..machine() }
    })
}

/// Every kind of code in each form, as text.
fn codes() -> Vec<(CodeKind, CodeForm, String)> {
    static SIGNED: LazyLock<Vec<ConfirmationId>> = LazyLock::new(|| {
        let options = MachineOptions::new(Some(NOW), 2).unwrap();
        machines().take(2).map(|id| ConfirmationId::of_machine(&id, options, &kit::key(Who::Codes))).collect()
    });
    let of = |form| {
        let machines = machines().map(move |id| (CodeKind::Machine, form, id.text(form)));
        let confirmations = SIGNED.iter().map(move |id| (CodeKind::Confirmation, form, id.text(form)));
        machines.chain([(CodeKind::Host, form, host().text(form))]).chain(confirmations)
    };
    FORMS.into_iter().flat_map(of).collect()
}

/// The groups that are not right, the first being 1.
fn not_right(kind: CodeKind, form: CodeForm, text: &str) -> Vec<usize> {
    let states = CodeText::new(kind, form, text).groups();
    let wrong = states.iter().zip(1..).filter(|(state, _)| **state != GroupState::Right);
    wrong.map(|(_, group)| group).collect()
}

/// The groups that are named while somebody types and afterwards.
fn wrong_groups(kind: CodeKind, form: CodeForm, text: &str) -> Vec<usize> {
    let wrong = not_right(kind, form, text);
    // A whole reading says the same, and knows the kind and the form by itself.
    let read = match kind {
        CodeKind::Machine | CodeKind::Host => text.parse::<InstallationId>().map(|_| ()),
        CodeKind::Confirmation => text.parse::<ConfirmationId>().map(|_| ()),
    };
    match read {
        Err(CodeError::Mistyped(mistyped)) => {
            let groups: Vec<_> = mistyped.mistakes().iter().map(|(group, _)| usize::from(*group)).collect();
            assert_eq!(groups, wrong, "{text}");
        }
        other => assert!(wrong.is_empty(), "{text}: {other:?}"),
    }
    wrong
}

fn symbols(form: CodeForm) -> &'static str {
    match form {
        CodeForm::Digits => "0123456789",
        CodeForm::Letters => "0123456789ABCDEFGHJKMNPQRSTVWXYZ",
    }
}

#[test]
fn a_code_is_as_long_as_the_guide_says() {
    let groups = |kind: CodeKind| FORMS.map(|form| kind.groups(form));
    assert_eq!(groups(CodeKind::Machine), [9, 6]);
    assert_eq!(groups(CodeKind::Host), [20, 13]);
    assert_eq!(groups(CodeKind::Confirmation), [32, 21]);
    for (kind, form, text) in codes() {
        let expected = vec![6; kind.groups(form)];
        assert_eq!(text.split('-').map(str::len).collect::<Vec<_>>(), expected, "{text}");
        assert_eq!(wrong_groups(kind, form, &text), [0; 0]);
    }
}

#[test]
fn a_code_survives_each_of_its_forms() {
    for id in machines().chain([machine(), host()]) {
        assert_eq!(FORMS.map(|form| id.text(form).parse()), [Ok(id), Ok(id)]);
        assert_eq!(id.to_string().to_lowercase().replace('-', "").parse(), Ok(id));
    }
    let confirmation = confirmation(MachineOptions::default());
    for form in FORMS {
        assert_eq!(confirmation.text(form).parse(), Ok(confirmation.clone()));
    }
    assert_eq!(ConfirmationId::from_slice(&confirmation.to_bytes()), Some(confirmation));
    assert_eq!(ConfirmationId::from_slice(&[0; ConfirmationId::BYTES - 1]), None);
}

/// Most digits of a confirmation id that had not been typed to its end were taken for one in letters, and every group was named.
#[test]
fn a_code_that_is_not_typed_to_its_end_names_the_groups_that_are_missing() {
    for (kind, form, text) in codes() {
        let groups: Vec<_> = text.split('-').collect();
        // Some groups of a host's id are as many as those of a machine's.
        for typed in (1..groups.len()).filter(|_| kind != CodeKind::Host) {
            let expected: Vec<_> = (typed + 1..=groups.len()).collect();
            let so_far = groups[..typed].join(" ");
            assert_eq!(wrong_groups(kind, form, &so_far), expected, "{so_far}");
            assert_eq!(CodeText::in_either_form(kind, &so_far).groups().len(), groups.len(), "{so_far}");
        }
    }
}

#[test]
fn every_wrong_symbol_of_a_code_is_found_and_its_group_is_named() {
    for (kind, form, text) in codes() {
        for (index, right) in text.char_indices().filter(|(_, symbol)| *symbol != '-') {
            for wrong in symbols(form).chars().filter(|symbol| *symbol != right) {
                let mut typed = text.clone();
                typed.replace_range(index..=index, &wrong.to_string());
                assert_eq!(
                    wrong_groups(kind, form, &typed),
                    [index / 7 + 1],
                    "{text} with {wrong} at {index}"
                );
            }
        }
    }
}

#[test]
fn every_swap_of_neighbours_in_a_code_is_found_and_its_groups_are_named() {
    for (kind, form, text) in codes() {
        let right: Vec<_> = text.chars().filter(|symbol| *symbol != '-').collect();
        for second in 1..right.len() {
            let mut typed = right.clone();
            typed.swap(second - 1, second);
            let mut groups = vec![(second - 1) / 6 + 1, second / 6 + 1];
            groups.dedup();
            let expected = if typed == right { Vec::new() } else { groups };
            assert_eq!(
                wrong_groups(kind, form, &typed.iter().collect::<String>()),
                expected,
                "{text} at {second}"
            );
        }
    }
}

/// Digits know the number of their group modulo ten: groups that are ten apart are left to the signature.
#[test]
fn every_swap_of_groups_of_a_code_is_found_and_both_are_named_but_digits_that_are_ten_apart() {
    for (kind, form, text) in codes() {
        let right: Vec<_> = text.split('-').collect();
        for (first, second) in
            (0..right.len()).flat_map(|second| (0..second).map(move |first| (first, second)))
        {
            let mut typed = right.clone();
            typed.swap(first, second);
            let typed = typed.join("-");
            let is_ten_apart = form == CodeForm::Digits && (second - first) % 10 == 0;
            let expected = if typed == text || is_ten_apart { vec![] } else { vec![first + 1, second + 1] };
            assert_eq!(not_right(kind, form, &typed), expected, "{text}: {first} and {second}");
        }
    }
}

/// What the checks of groups of digits let through, the whole code does not: it confirms nothing.
#[test]
fn groups_of_a_confirmation_that_are_ten_apart_and_swapped_confirm_nothing() {
    let right = confirmation(MachineOptions::default()).text(CodeForm::Digits);
    let groups: Vec<_> = right.split('-').collect();
    for (first, second) in (0..groups.len()).flat_map(|second| (0..second).map(move |first| (first, second)))
    {
        if (second - first) % 10 == 0 && groups[first] != groups[second] {
            let mut typed = groups.clone();
            typed.swap(first, second);
            let outcome =
                typed.join("-").parse().and_then(|id: ConfirmationId| id.confirm(&machine(), &keys()));
            assert!(
                matches!(outcome, Err(CodeError::OtherInstallation | CodeError::Malformed)),
                "{outcome:?}"
            );
        }
    }
}

#[test]
fn a_confirmation_fits_one_machine_with_one_key_and_no_other() {
    let confirmation = confirmation(MachineOptions::default());
    let expected = Confirmed { ends_at: None, features: Features::NONE };
    assert_eq!(confirmation.confirm(&machine(), &keys()), Ok(expected));
    let other_key = KeyNumber::from_bytes([0x12, 0x34, 0x56, 0x78, 0x9B]);
    let public = |who| kit::key(who).public();
    let others = [
        InstallationId::of_machine(&public(Who::OldIdentity), PRODUCT, NUMBER, &parts()),
        InstallationId::of_machine(&public(Who::Machine), OTHER_PRODUCT, NUMBER, &parts()),
        InstallationId::of_machine(&public(Who::Machine), PRODUCT, other_key, &parts()),
        InstallationId::of_machine(&public(Who::Machine), PRODUCT, NUMBER, &HardwareParts::NONE),
        InstallationId::of_host(public(Who::Machine), PRODUCT, NUMBER),
    ];
    for other in others {
        assert_eq!(confirmation.confirm(&other, &keys()), Err(CodeError::OtherInstallation), "{other}");
    }
    assert_eq!(confirmation.confirm(&machine(), &[]), Err(CodeError::OtherInstallation));
}

#[test]
fn the_same_machine_has_the_same_codes_however_often_it_asks() {
    let options = MachineOptions::new(Some(NOW), 1).unwrap();
    assert_eq!(machine(), machine());
    assert_eq!(confirmation(options), confirmation(options));
}

#[test]
fn end_and_features_are_signed_and_nobody_changes_them() {
    let options = MachineOptions::new(Some(NOW + 90 * DAY), 2).unwrap();
    let confirmed = confirmation(options).confirm(&machine(), &keys()).unwrap();
    assert_eq!(confirmed.ends_at.unwrap().to_string(), "2027-03-01 00:00:00Z");
    assert_eq!(confirmed.features.to_string(), "3d, export");

    // The first group holds the options, and the others the signature.
    let [ending, without_end] =
        [options, MachineOptions::default()].map(|options| confirmation(options).text(CodeForm::Letters));
    let forged = format!("{}{}", &without_end[..6], &ending[6..]);
    let forged: ConfirmationId = forged.parse().unwrap();
    assert_eq!(forged.confirm(&machine(), &keys()), Err(CodeError::OtherInstallation));
}

#[test]
fn features_that_the_product_does_not_know_are_no_less_than_none() {
    let options = MachineOptions::new(None, 3).unwrap();
    assert_eq!(confirmation(options).confirm(&machine(), &keys()), Err(CodeError::UnknownFeatures));
}

#[test]
fn an_end_is_that_of_its_month_and_never_earlier_than_what_was_sold() {
    let ends_at = |unix_ms| {
        let not_after = Timestamp::from_unix_ms(unix_ms);
        MachineOptions::new(Some(not_after), 0).map(|options| options.ends_at().unwrap().to_string())
    };
    let (first, last) = (Timestamp::of_month(2026, 1).unix_ms(), Timestamp::of_month(2111, 4).unix_ms());
    for (unix_ms, expected) in [
        (first, None),
        (first + 1, Some("2026-02-01 00:00:00Z")),
        (Timestamp::of_month(2026, 12).unix_ms(), Some("2026-12-01 00:00:00Z")),
        (Timestamp::of_month(2026, 12).unix_ms() + 1, Some("2027-01-01 00:00:00Z")),
        (last, Some("2111-04-01 00:00:00Z")),
        (last + 1, None),
        (i64::MIN, None),
        (i64::MAX, None),
    ] {
        assert_eq!(ends_at(unix_ms).as_deref(), expected, "{unix_ms}");
    }
    assert_eq!(MachineOptions::new(None, 63).unwrap().ends_at(), None);
    assert_eq!(MachineOptions::new(None, 64), None);
}

#[test]
fn a_code_key_confirms_for_what_a_root_has_certified_it() {
    let with = |change: fn(&mut CodeCertificate)| {
        let mut certificate = code_certificate();
        change(&mut certificate);
        code_key(&certificate).map(|_| ())
    };
    assert_eq!(with(|_| {}), Ok(()));
    assert_eq!(with(|certificate| certificate.limits.products.clear()), Ok(()));
    assert_eq!(
        with(|certificate| certificate.limits.products = vec![OTHER_PRODUCT]),
        Err(ChainError::IssuerProducts)
    );
    assert_eq!(with(|certificate| certificate.limits.test = true), Err(ChainError::IssuerTestOnly));
    let verify = |certificate: &[u8]| CodeKey::verify(certificate, &kit::roots(), PRODUCT, false).map(|_| ());
    assert!(matches!(
        verify(&signed_by(Who::ThirdRoot, &code_certificate())),
        Err(ChainError::IssuingCertificate(_))
    ));
    assert_eq!(verify(b"\x0a\xff"), Err(ChainError::Malformed));

    let key = &keys()[0];
    let valid_at = |at| key.check_valid_at(at).is_ok();
    assert!(!valid_at(NOW - DAY - kit::MS) && valid_at(NOW - DAY) && !valid_at(NOW + 3650 * DAY));
}

/// A stolen key of one sort is of no use as the other.
#[test]
fn an_issuing_key_is_no_code_key_and_a_code_key_is_no_issuing_key() {
    let issuing = kit::key(Who::Root).sign(Kind::IssuingCertificate, &code_certificate().limits.encode());
    let as_code_key = CodeKey::verify(&issuing.encode_to_vec(), &kit::roots(), PRODUCT, false);
    assert!(matches!(as_code_key, Err(ChainError::IssuingCertificate(_))));
    let code = kit::key(Who::Root).sign(Kind::CodeCertificate, &code_certificate().encode());
    assert!(IssuingCertificate::verify(&code, &kit::roots()).is_err());
}

#[test]
fn a_code_that_is_typed_in_part_shows_its_groups() {
    let text = machine().text(CodeForm::Digits);
    let states = CodeText::new(CodeKind::Machine, CodeForm::Digits, &text[..16]).groups();
    assert_eq!(states[..3], [GroupState::Right, GroupState::Right, GroupState::Partial]);
    assert_eq!(states[3..], [GroupState::Empty; 6]);
}

/// Screens show rows with a letter before each, and somebody copied them with it: every group was called wrong, because a code with a letter
/// is read as one of letters.
#[test]
fn the_letters_of_rows_are_no_part_of_a_code() {
    for (kind, form, text) in codes() {
        let groups: Vec<_> = text.split('-').collect();
        let rows =
            groups.chunks(4).zip('A'..).map(|(row, letter)| format!("  {letter}   {}", row.join("   ")));
        let rows: Vec<_> = rows.collect();
        for copied in [rows.join("\n"), rows.concat(), rows.join("\n").to_lowercase()] {
            assert_eq!(wrong_groups(kind, form, &copied), [0_usize; 0], "{copied}");
            assert_eq!(CodeText::in_either_form(kind, &copied).groups().len(), groups.len(), "{copied}");
        }
        // What is wrong is named alone, also in a row that is typed by itself.
        let mistyped = format!("{}{}", if groups[1].starts_with('1') { '2' } else { '1' }, &groups[1][1..]);
        assert_eq!(
            wrong_groups(kind, form, &rows.join("\n").replacen(groups[1], &mistyped, 1)),
            [2],
            "{rows:?}"
        );
        let states = CodeText::new(kind, form, &rows[0]).groups();
        assert!(states[..groups.len().min(4)].iter().all(|state| *state == GroupState::Right), "{rows:?}");
    }
}

#[test]
fn many_groups_are_named_as_a_run() {
    let other = |group: &str| format!("{}{}", if group.starts_with('1') { '2' } else { '1' }, &group[1..]);
    let text = machine().text(CodeForm::Digits).split('-').map(other).collect::<Vec<_>>();
    let error = text.join("-").parse::<InstallationId>().unwrap_err();
    assert_eq!(error.to_string(), "groups 1-9 are mistyped");
    let cause = Cause::from(error);
    assert_eq!(cause.parameter("groups"), Some("1-9"));
}

#[test]
fn an_error_is_of_the_code_that_was_meant() {
    let wrong = |text: &str| text.parse::<InstallationId>().unwrap_err().to_string();
    for form in FORMS {
        for id in [machine(), host()] {
            let text = id.text(form);
            let last = id.kind().groups(form);
            assert_eq!(wrong(&text[..text.len() - 1]), format!("group {last} has 5 characters"));
            let swapped = format!("{}-{}{}", &text[7..13], &text[..6], &text[13..]);
            assert_eq!(wrong(&swapped), "groups 1 and 2 are mistyped");
        }
    }
}

proptest! {
    #[test]
    fn no_code_panics(text in any::<String>(), cut in any::<prop::sample::Index>(), form in prop::sample::select(FORMS.to_vec())) {
        let right = machine().text(form);
        let at = cut.index(right.len());
        for typed in [&text, &format!("{}{text}{}", &right[..at], &right[at..])] {
            let _ = (typed.parse::<InstallationId>(), typed.parse::<ConfirmationId>());
            prop_assert_eq!(CodeText::new(CodeKind::Machine, form, typed).groups().len(), CodeKind::Machine.groups(form));
        }
    }

    /// A code of groups that are all right, with anything in them.
    #[test]
    fn what_is_no_code_is_refused_and_what_is_one_has_one_text(
        bytes in any::<[u8; 10]>(), number in any::<[u8; 5]>(), parts in "[A-Z0-9]{4,8}",
    ) {
        let id = InstallationId {
            key: KeyNumber::from_bytes(number),
            installed: CodeSubject::Machine(bytes),
            ..InstallationId::of_machine(&kit::key(Who::Machine).public(), PRODUCT, NUMBER, &HardwareParts::of_machine(PRODUCT, &parts, "", ""))
        };
        for form in FORMS {
            prop_assert_eq!(id.text(form).parse(), Ok(id));
        }
    }
}
