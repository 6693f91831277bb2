//! `key`, and what the other commands show of a product key. The workspace's suite has the stories with a portal.

use std::io::Write as _;
use std::process::Stdio;

use expect_test::expect;
use shared::ids::ProductId;
use shared::product_key::{KeyKind, ProductKey, ProductTag};

use crate::{Machine, PRODUCT, command};

/// A key of this kind for the product of these tests.
fn key(kind: KeyKind) -> ProductKey {
    let product = ProductId::from_bytes(*b"ABCDEFGHIJKLMNOP");
    ProductKey::new(kind, ProductTag::of(product), &[7; 10])
}

#[test]
fn a_key_is_entered_for_later_shown_by_its_number_and_forgotten() {
    let machine = Machine::begun();
    let key = key(KeyKind::MultipleActivation);
    let typed = key.to_string();
    let (_, text) = machine.answer(&["key", "set", "--later", &typed.to_lowercase()]);
    let number = key.number().to_string();
    assert!(text.starts_with(&format!("Key {number} is entered.")), "{text}");

    let (_, status) = machine.answer(&["status"]);
    assert!(status.contains(&format!("product key   {number}, not activated yet")), "{status}");
    assert!(status.contains("a product key is entered, and not activated yet"), "{status}");
    assert!(status.contains("none before `kms-client activate`"), "{status}");
    let (_, shown) = machine.answer(&["key", "show"]);
    assert_eq!(shown, format!("product key   {number}, not activated yet\n"));
    let json = machine.json(&["status"]);
    assert_eq!((json["way"].as_str(), json["key"]["number"].as_str()), (Some("key"), Some(&*number)));
    assert_eq!((json["state"].as_str(), json["ask_at_ms"].as_i64()), (Some("key-entered"), None));
    for text in [status, shown, json.to_string()] {
        assert!(!text.contains(&typed[..11]), "the key itself is never shown: {text}");
    }

    let (_, text) = machine.answer(&["key", "clear"]);
    assert!(text.starts_with(&format!("Key {number} is forgotten, and hosts are asked again.")), "{text}");
    assert!(text.contains("If the vendor counts a place of it, `kms-client release --key"), "{text}");
    assert_eq!(machine.json(&["status"])["way"], "hosts");
    assert!(!machine.file("key").exists());
    assert_eq!(machine.answer(&["key", "clear"]).1, "There was none.\n");
}

#[test]
fn a_wrong_key_names_its_group_and_changes_nothing() {
    let machine = Machine::begun();
    let mut typed = key(KeyKind::MultipleActivation).to_string().into_bytes();
    typed[13] = if typed[13] == b'7' { b'8' } else { b'7' };
    let typed = String::from_utf8(typed).unwrap();
    let (code, line) = machine.failure(&["key", "set", &typed]);
    assert_eq!(code, 64);
    expect!["error: KEY_MALFORMED: the product key cannot be right: look at group 3; compare these groups with the key as you got it, and type them again\n"]
        .assert_eq(&line);
    let (code, line) = machine.failure(&["key", "set", &key(KeyKind::Host).to_string()]);
    assert_eq!(code, 64);
    assert!(line.contains("KEY_OTHER_KIND: this is a host key"), "{line}");
    assert_eq!(machine.json(&["status"])["way"], "hosts");
}

#[test]
fn a_key_that_is_not_of_this_product_begins_no_state() {
    let machine = Machine::new();
    let other = ProductTag::of(ProductId::from_bytes([3; 16]));
    let other = ProductKey::new(KeyKind::MultipleActivation, other, &[7; 10]).to_string();
    let host = key(KeyKind::Host).to_string();
    for (typed, reason) in
        [(&*other, "KEY_OTHER_PRODUCT"), (&*host, "KEY_OTHER_KIND"), ("nonsense", "KEY_MALFORMED")]
    {
        let (code, line) = machine.failure(&["key", "set", "--later", typed]);
        assert_eq!((code, line.contains(reason)), (64, true), "{line}");
    }
    assert!(!machine.file("saved").exists() && !machine.file("identity").exists());
}

#[test]
fn a_key_from_standard_input_stays_entered_where_no_portal_answers() {
    let machine = Machine::begun();
    let key = key(KeyKind::MultipleActivation);
    let mut command = command(&machine.home);
    command.args(["--product", PRODUCT, "key", "set", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), " {key} ").unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(69), "{text}");
    assert!(text.contains("NO_PORTAL_KNOWN: this product names no portal of its vendor"), "{text}");
    assert_eq!(machine.json(&["key", "show"])["key"]["number"], key.number().to_string());
}

#[test]
fn asks_of_several_machines_are_collected_in_one_file_and_none_is_confirmed_without_a_portal() {
    let file = tempfile::tempdir().unwrap();
    let asks = file.path().join("asks.pem").display().to_string();
    let [one, two] = [Machine::begun(), Machine::begun()];
    let (code, line) = one.failure(&["proxy", "collect", &asks]);
    assert_eq!((code, line.contains("kms-client key set --later")), (64, true), "{line}");
    let typed = key(KeyKind::MultipleActivation).to_string();
    for machine in [&one, &two, &one] {
        machine.answer(&["key", "set", "--later", &typed]);
        assert_eq!(machine.answer(&["proxy", "collect", &asks]).0, 0);
    }
    let text = std::fs::read_to_string(&asks).unwrap();
    assert_eq!(text.matches("-----BEGIN KMS MACHINE ACTIVATION-----").count(), 2, "{text}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&asks).unwrap().permissions().mode() & 0o777, 0o600);
    }

    let carrier = Machine::new();
    let (code, told) = carrier.answer(&["proxy", "carry", &asks]);
    assert!(code == 69 && told.contains(": 0; asks without one: 2."), "{told}");
    assert_eq!(told.matches("Not confirmed:").count(), 1, "the second fails for the same: {told}");
    assert_eq!(std::fs::read_to_string(&asks).unwrap(), text, "they stay as they are");
    assert!(std::fs::read_dir(carrier.home.path()).unwrap().next().is_none(), "whoever carries has no state");
    let (code, line) = one.failure(&["proxy", "apply", &asks]);
    assert_eq!((code, line.contains("has no confirmation for this machine")), (69, true), "{line}");
}
