//! A user lease at the machine that gets it (protocol.md 13).

use expect_test::expect;
use shared::confirmation::ConfirmationError;
use shared::ids::Fingerprint;
use shared::parts::HardwareParts;
use shared::user_lease::{AccountAsk, AccountPurpose, UserLease};

use crate::kit::{self, DAY, MS, NOW, ORGANISATION, OTHER_ORGANISATION, PRODUCT, Who};

fn travelled(lease: &UserLease) -> Result<UserLease, ConfirmationError> {
    let wire = lease.sign(&kit::key(Who::Issuing), kit::signed_issuing_certificate());
    UserLease::open(&wire, &kit::roots())
}

#[test]
fn names_in_a_lease_and_an_ask_drive_no_terminal() {
    let evil = UserLease { account: "ann\u{1b}[2J".into(), ..kit::user_lease() };
    assert_eq!(travelled(&evil).unwrap().account, r"ann\u{1b}[2J");
    let evil = AccountAsk { device_name: "lap\ntop".into(), ..kit::account_ask(AccountPurpose::SignIn) };
    let opened = AccountAsk::open(&evil.sign(&kit::key(Who::Machine)), AccountPurpose::SignIn).unwrap();
    assert_eq!(opened.device_name, "lap top");
}

/// Whoever has recorded an ask to renew could otherwise sign the machine out with it.
#[test]
fn an_ask_for_one_thing_is_none_for_another() {
    use AccountPurpose::{Renew, SignIn, SignOut};
    for made in [SignIn, Renew, SignOut] {
        let signed = kit::account_ask(made).sign(&kit::key(Who::Machine));
        for wanted in [SignIn, Renew, SignOut] {
            assert_eq!(AccountAsk::open(&signed, wanted).is_ok(), made == wanted, "{made:?} {wanted:?}");
        }
    }
}

#[test]
fn a_lease_answers_the_ask_whose_machine_nonce_and_hardware_it_names() {
    let answer = |change: fn(&mut UserLease), organisation| {
        let mut lease = kit::user_lease();
        change(&mut lease);
        let checked =
            travelled(&lease).unwrap().check_answer(&kit::account_ask(AccountPurpose::Renew), organisation);
        checked.map_or_else(|error| error.to_string(), |()| "kept".into())
    };
    expect!["kept"].assert_eq(&answer(|_| (), None));
    expect!["kept"].assert_eq(&answer(|_| (), Some(ORGANISATION)));
    expect!["the license belongs to Gutenberg"].assert_eq(&answer(|_| (), Some(OTHER_ORGANISATION)));
    expect!["its hardware parts is not the one that was asked for"]
        .assert_eq(&answer(|it| it.parts = HardwareParts::NONE, None));
    expect!["kept"].assert_eq(&answer(|it| it.issued_at = NOW - DAY, None));
    expect!["it was signed at 2026-11-20 23:59:59Z, before it was asked for"]
        .assert_eq(&answer(|it| it.issued_at = NOW - DAY - MS, None));
}

#[test]
fn a_kept_lease_is_of_its_machine_and_hardware() {
    let machine = kit::key(Who::Machine).public().machine();
    let ours = |fingerprint, parts: HardwareParts| {
        let checked = kit::user_lease().check_ours(machine, PRODUCT, fingerprint, &parts);
        checked.map_or_else(|error| error.to_string(), |()| "ours".into())
    };
    expect!["ours"].assert_eq(&ours(kit::fingerprint(), kit::parts()));
    expect!["ours"].assert_eq(&ours(Fingerprint::NONE, HardwareParts::NONE));
    let copied = Fingerprint::of_machine(PRODUCT, b"another installation");
    expect!["its fingerprint is not the one that was asked for"].assert_eq(&ours(copied, kit::parts()));
    let other =
        HardwareParts::of_machine(PRODUCT, "PF-NEW", "WD-NEW", "4c4c4544-0042-3510-8051-b2c04f4d4e32");
    expect!["it was given to other hardware"].assert_eq(&ours(kit::fingerprint(), other));
}
