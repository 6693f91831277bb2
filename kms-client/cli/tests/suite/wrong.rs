//! Wrong usage: each mistake is named with its remedy and has its exit code.

use std::fs;

use crate::{Machine, PRODUCT, bare, failure, nobody};

#[test]
fn without_a_product_only_reasons_are_explained() {
    let home = tempfile::tempdir().unwrap();
    let (code, line) = failure(bare(&home, &["status"]));
    assert_eq!((code, line.lines().count()), (64, 1));
    assert!(line.contains("--product") && line.contains("kms-vendor product file"), "{line}");
}

#[test]
fn a_product_file_is_read_strictly() {
    let home = tempfile::tempdir().unwrap();
    let good = fs::read_to_string(PRODUCT).unwrap();
    for (file, exit_code, complaint) in [
        (format!("{good}gracee = \"25d\"\n"), 65, "line 16: unknown field `gracee`"),
        (good.replace("id = \"41", "id = \""), 65, "line 3: 32 hexadecimal digits are needed here"),
        (
            good.replace("# grace = \"25d\"", "grace = \"61d\""),
            65,
            "grace is 61 d, and may not be above 60 d",
        ),
        (
            good.replace("# edition = \"\"", &format!("edition = \"{}\"", "x".repeat(65))),
            65,
            "longer than 64 bytes",
        ),
    ] {
        fs::write(home.path().join("product.toml"), file).unwrap();
        let (code, line) = failure(bare(&home, &["discover", "--product", "product.toml"]));
        assert!(line.contains(complaint) && line.contains("kms-vendor product file"), "{line}");
        assert_eq!((code, line.lines().count()), (exit_code, 1), "{line}");
    }
    assert_eq!(failure(bare(&home, &["status", "--product", "missing.toml"])).0, 66);
}

#[test]
fn an_ipv6_address_without_brackets_is_refused_with_how_to_write_it() {
    let machine = Machine::new();
    for arguments in [&["activate", "--host", "::1"][..], &["host", "set", "::1"]] {
        let (code, text) = machine.failure(arguments);
        assert_eq!(code, 64);
        assert!(text.contains("write an IPv6 address in brackets: [::1]"), "{text}");
    }
    assert!(!machine.file("hosts").exists());
}

/// tests/suite/tls.rs has the failures of TLS with real hosts.
#[test]
fn tls_that_is_wanted_and_cannot_be_spoken_asks_nobody() {
    let (machine, address) = (Machine::new(), nobody());
    let (code, text) = machine.answer(&["activate", "--host", &address, "--tls-ca", "missing.pem"]);
    assert_eq!(code, 69);
    assert!(text.contains("TLS_FILES_BAD") && text.contains("the CA, missing.pem"), "{text}");
    let (code, line) = machine.failure(&["activate", "--tls-ca", "ca.pem", "--tls-key", "key.pem"]);
    assert_eq!(code, 64);
    assert!(line.contains("--tls-certificate"), "{line}");
}

#[test]
fn a_name_server_is_an_address_and_its_port_may_be_left_out() {
    let machine = Machine::new();
    for wrong in ["ns1.corp.example:53", "10.0.0.53:dns", ""] {
        let (code, text) = machine.failure(&["status", "--dns", wrong]);
        assert_eq!(code, 64);
        assert!(text.contains("such as 10.0.0.53:53"), "{text}");
    }
    for right in ["10.0.0.53", "::1", "[::1]:5353"] {
        assert_eq!(machine.answer(&["status", "--dns", right]).0, 0);
    }
}

#[test]
fn an_empty_variable_is_an_unset_one() {
    let machine = Machine::new();
    let mut command = crate::command(&machine.home);
    for variable in
        ["KMS_PRODUCT", "KMS_HOSTS", "KMS_TLS_CA", "KMS_TLS_CERTIFICATE", "KMS_TLS_KEY", "KMS_LOG"]
    {
        command.env(variable, "");
    }
    let output = command.args(["status", "--product", PRODUCT]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let mut command = crate::command(&machine.home);
    let (code, line) = failure(command.env("KMS_PRODUCT", "").arg("status").output().unwrap());
    assert_eq!(code, 64);
    assert!(line.contains("no product is named"), "{line}");
}

/// A name in a product file sent escape sequences to the terminal.
#[test]
fn text_from_outside_drives_no_terminal() {
    let machine = Machine::new();
    let file = fs::read_to_string(PRODUCT).unwrap();
    let evil = file.replace("Example CAD", r"Evil\u001b[2J\u202eCAD\nstate  licensed");
    fs::write(machine.home.path().join("evil.toml"), evil).unwrap();
    let typed = "evil\u{1b}[31m\u{202e}";
    for arguments in [
        &["status"][..],
        &["status", "--json"],
        &["activate", "--host", &nobody()],
        &["activate", "--host", typed],
        &["explain", typed],
        &["status", typed],
        &[typed],
    ] {
        let output = bare(&machine.home, &[arguments, &["--product", "evil.toml"]].concat());
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
        assert!(!text.contains("\nstate  licensed"), "{text}");
    }
}
