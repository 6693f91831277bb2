//! The command line, through the real binary: help, answers, one line for an error, exit codes.

use std::fs;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::{HOUR_MS, request_pem};

/// Runs the binary in this directory.
pub(crate) fn run(home: &TempDir, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kms-vendor"))
        .args(arguments)
        .current_dir(home.path())
        .env_remove("KMS_VENDOR_DIR")
        .output()
        .unwrap()
}

/// What it answers when all is well.
#[track_caller]
pub(crate) fn answer(home: &TempDir, arguments: &[&str]) -> String {
    let output = run(home, arguments);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty());
    String::from_utf8(output.stdout).unwrap()
}

/// The one line with which it fails, and its exit code.
#[track_caller]
pub(crate) fn failure(home: &TempDir, arguments: &[&str]) -> (i32, String) {
    let output = run(home, arguments);
    assert!(output.stdout.is_empty());
    let line = String::from_utf8(output.stderr).unwrap();
    assert!(line.starts_with("error: ") && line.lines().count() == 1, "{line}");
    (output.status.code().unwrap(), line)
}

/// A directory with a vendor, a product and a host's request.
pub(crate) fn prepared() -> TempDir {
    let home = tempfile::tempdir().unwrap();
    answer(&home, &["init"]);
    answer(&home, &["product", "add", "Example CAD"]);
    fs::write(home.path().join("host.request"), request_pem(7, HOUR_MS)).unwrap();
    home
}

pub(crate) const ISSUE: [&str; 8] = [
    "certificate",
    "issue",
    "--request",
    "host.request",
    "--product",
    "Example CAD",
    "--organisation",
    "Example University",
];

pub(crate) fn issue_to(out: &str) -> Vec<&str> {
    [&ISSUE[..], &["--out", out]].concat()
}

#[test]
fn help_shows_examples_for_every_command() {
    let home = tempfile::tempdir().unwrap();
    for command in [
        "",
        "init",
        "roots",
        "roots replace",
        "key encrypt",
        "key decrypt",
        "product add",
        "product list",
        "product show",
        "product file",
        "organisation add",
        "organisation list",
        "certificate issue",
        "certificate list",
        "issuer create",
        "issuer sign",
        "issuer list",
        "code-key sign",
        "telephones sign",
        "revoke",
    ] {
        let arguments: Vec<_> = command.split_whitespace().chain(["--help"]).collect();
        let help = answer(&home, &arguments);
        assert!(help.contains(&format!("Examples:\n  kms-vendor {command}")), "{help}");
    }
}

#[test]
fn from_nothing_to_a_certificate() {
    let home = tempfile::tempdir().unwrap();
    let made = answer(&home, &["init"]);
    assert!(made.contains("`kms-vendor product rust NAME`"), "{made}");
    assert!(made.contains("offline"), "{made}");
    let roots: serde_json::Value = serde_json::from_str(&answer(&home, &["roots", "--json"])).unwrap();
    assert!(made.contains(roots["roots"][1].as_str().unwrap()), "{made}");

    let id = "00112233445566778899aabbccddeeff";
    answer(&home, &["product", "add", "Example CAD", "--server", "--id", id, "--validity", "90d"]);
    let product = answer(&home, &["product", "show", "Example CAD", "--json"]);
    let product: serde_json::Value = serde_json::from_str(&product).unwrap();
    assert_eq!((&product["id"], &product["threshold"]), (&id.into(), &5.into()));
    assert_eq!(product["validity_ms"], 7_776_000_000_i64);
    assert!(answer(&home, &["product", "list"]).contains(id));

    fs::write(home.path().join("host.request"), request_pem(7, HOUR_MS)).unwrap();
    let issued = answer(&home, &issue_to("host.certificate"));
    assert!(issued.contains("new here") && issued.contains("Written to host.certificate"), "{issued}");
    let pem = fs::read_to_string(home.path().join("host.certificate")).unwrap();
    assert!(pem.starts_with("-----BEGIN KMS HOST CERTIFICATE-----\n"));

    answer(&home, &["issuer", "create", "--product", "Example CAD"]);
    answer(&home, &[&issue_to("second.certificate")[..], &["--issuer"]].concat());
}

#[test]
fn what_an_organisation_has_bought_is_shown_where_it_is_signed() {
    let home = prepared();
    answer(&home, &["product", "add", "Sold", "--feature", "viewer", "--seats", "40"]);
    let product = answer(&home, &["product", "show", "Sold"]);
    assert!(product.contains("\nseats            40\nfeatures         viewer\n"), "{product}");
    let bought = ["--seats", "400", "--feature", "export"];
    let issue = [&issue_to("1")[..], &bought].concat();
    let issued = answer(&home, &issue);
    assert!(issued.contains("\nseats         400\nfeatures      export\n\nWritten to"), "{issued}");
    let issued = answer(&home, &issue_to("2"));
    assert!(!issued.contains("seats") && !issued.contains("features"), "{issued}");
    for wrong in [["--seats", "0"], ["--feature", "Export"]] {
        assert_eq!(run(&home, &[&issue_to("3")[..], &wrong].concat()).status.code(), Some(64), "{wrong:?}");
    }
}

#[test]
fn each_failure_has_its_exit_code_and_a_remedy() {
    let home = prepared();
    for (arguments, code, part) in [
        (&["init"][..], 73, "root-1.key exists and is never overwritten; name another directory"),
        (&["product", "list", "--dir", "empty"], 66, "make one with `kms-vendor init`"),
        (&["product", "show", "CAD"], 64, r#"there is no product "CAD"; there is "Example CAD""#),
        (&["product", "add", "X", "--validity", "27d"], 64, "which is 6 d 18 h; change one of the numbers"),
        (&["product", "add", "X", "--clock-tolerance", "1s"], 64, "--test-times"),
    ] {
        let (exit_code, line) = failure(&home, arguments);
        assert_eq!(exit_code, code, "{line}");
        assert!(line.contains(part), "{line}");
    }
    assert_eq!(run(&home, &["product", "add", "X", "--validity", "soon"]).status.code(), Some(64));
    assert_eq!(run(&home, &["issue"]).status.code(), Some(64));
}

#[test]
fn a_request_that_is_none_is_bad_data() {
    let home = prepared();
    let request = home.path().join("host.request");
    for bytes in [&b"garbage"[..], b"\xff\xfe\x00"] {
        fs::write(&request, bytes).unwrap();
        assert_eq!(failure(&home, &issue_to("host.certificate")).0, 65);
    }
    fs::remove_file(&request).unwrap();
    assert_eq!(failure(&home, &issue_to("host.certificate")).0, 66);
    assert!(!home.path().join("host.certificate").exists());
}

/// Whoever had seen a host's public key could have it certified for an organisation of their own.
#[test]
fn a_request_that_its_key_has_not_signed_is_taken_only_by_an_option() {
    let home = prepared();
    let unsigned = include_str!("../vectors/request.pem");
    fs::write(home.path().join("host.request"), unsigned).unwrap();
    let (exit_code, line) = failure(&home, &issue_to("host.certificate"));
    assert_eq!(exit_code, 65, "{line}");
    assert!(line.contains("`kms-host request`") && line.contains("--unsigned-request"), "{line}");
    assert!(!home.path().join("vendor/issued.jsonl").exists(), "nothing is recorded");
    answer(&home, &[&issue_to("host.certificate")[..], &["--unsigned-request"]].concat());

    let other = include_str!("../vectors/bad-request-other-key.pem");
    fs::write(home.path().join("host.request"), other).unwrap();
    let wrong = [&issue_to("other.certificate")[..], &["--unsigned-request"]].concat();
    let (exit_code, line) = failure(&home, &wrong);
    assert_eq!(exit_code, 65, "{line}");
    assert!(line.contains("the proof that its sender has the key does not hold"), "{line}");
}

/// A certificate was recorded, and a revocation counted, before it turned out that the file could not be written.
#[test]
fn a_file_that_cannot_be_written_is_refused_before_anything_is_recorded() {
    let home = prepared();
    for out in ["missing/out", "vendor", "/dev/null"] {
        let verbs = [
            &ISSUE[..],
            &["issuer", "sign", "--request", "host.request"],
            &["code-key", "sign", "--request", "host.request"],
            &["telephones", "sign", "--file", "host.request"],
            &["revoke", "0ff1ce00112233445566778899aabbcc", "--unlisted"],
            &["product", "file", "Example CAD"],
        ];
        for verb in verbs {
            let (exit_code, line) = failure(&home, &[verb, &["--out", out, "--force"]].concat());
            assert_eq!(exit_code, 73, "{line}");
            assert!(line.contains(out) && line.contains("name a"), "{line}");
        }
    }
    for recorded in ["issued.jsonl", "revoked.toml"] {
        assert!(!home.path().join("vendor").join(recorded).exists(), "nothing is recorded");
    }
}

#[test]
fn a_file_at_out_is_replaced_only_by_force() {
    let home = prepared();
    let out = home.path().join("host.certificate");
    fs::write(&out, "precious").unwrap();
    let (exit_code, line) = failure(&home, &issue_to("host.certificate"));
    assert_eq!(exit_code, 73);
    assert!(line.contains("--force"), "{line}");
    assert_eq!(fs::read_to_string(&out).unwrap(), "precious");
    assert!(!home.path().join("vendor/issued.jsonl").exists());
    answer(&home, &[&issue_to("host.certificate")[..], &["--force"]].concat());
    assert!(fs::read_to_string(&out).unwrap().starts_with("-----BEGIN"));
}

#[test]
fn the_file_of_a_product_is_printed_or_written_and_replaced_only_by_force() {
    let home = prepared();
    let printed = answer(&home, &["product", "file", "Example CAD"]);
    let to_out = ["product", "file", "Example CAD", "--out", "product.toml"];
    let said = answer(&home, &to_out);
    assert!(said.contains("kms-client --product product.toml"), "{said}");
    assert_eq!(fs::read_to_string(home.path().join("product.toml")).unwrap(), printed);

    let (exit_code, line) = failure(&home, &to_out);
    assert_eq!(exit_code, 73);
    assert!(line.contains("--force"), "{line}");
    answer(&home, &[&to_out[..], &["--force"]].concat());

    let json = answer(&home, &["product", "file", "Example CAD", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    for value in [&json["id"], &json["roots"][0], &json["roots"][1]] {
        assert!(printed.contains(value.as_str().unwrap()), "{printed}");
    }
    assert_eq!(failure(&home, &["product", "file", "CAD"]).0, 64);
}

/// With `--telephones` in a second command, the file had no portal any more, and nobody was told.
#[test]
fn a_product_file_that_loses_something_says_so() {
    let home = prepared();
    let write = |more: &[&str]| {
        let usual = ["product", "file", "Example CAD", "--out", "product.toml", "--force"];
        answer(&home, &[&usual[..], more].concat())
    };
    write(&["--portal", "https://activation.example.com", "--service-label", "_cad._tcp"]);
    let said = write(&["--service-label", "_cad._tcp"]);
    assert!(
        said.ends_with(
            "The old file had portal, and the new one does not: give all options in one command.\n"
        ),
        "{said}"
    );
    assert_eq!(write(&["--service-label", "_cad._tcp"]).lines().count(), 1);
}

/// A host of an organisation that the portal knew by another id was refused by the machines of the first, and a hexadecimal id
/// became the name of a new organisation.
#[test]
fn an_organisation_keeps_the_id_that_the_portal_has_given_it() {
    let home = prepared();
    let id = "0ff1ce00112233445566778899aabbcc";
    let by_id = [&ISSUE[..7], &[id, "--out", "1"]].concat();
    let (code, line) = failure(&home, &by_id);
    assert_eq!(code, 64);
    assert!(line.contains("`kms-vendor organisation add`"), "{line}");

    let add = ["organisation", "add", "Example University", "--id", id];
    for _ in 0..2 {
        assert_eq!(answer(&home, &add), format!("{id}  Example University\n"));
    }
    answer(&home, &by_id);
    assert!(answer(&home, &issue_to("2")).contains(&format!("Example University ({id})\n")));
    assert!(answer(&home, &["organisation", "list"]).contains(&format!("{id}  Example University\n")));
    for (wrong, part) in [
        (["Example University", "--id", "00112233445566778899aabbccddeeff"], "already, with the id 0ff1ce"),
        (["Somebody else", "--id", id], "there is the organisation \"Example University\" already"),
        (["Example Univeristy", "--id", "00112233445566778899aabbccddeeff"], "nearly the same name"),
    ] {
        let (code, line) = failure(&home, &[&["organisation", "add"][..], &wrong].concat());
        assert_eq!(code, 64);
        assert!(line.contains(part), "{line}");
    }
    let added = answer(&home, &["organisation", "add", "Somebody else", "--json"]);
    let added: serde_json::Value = serde_json::from_str(&added).unwrap();
    assert!(added["id"] != id && added["name"] == "Somebody else");
}

#[test]
fn a_product_file_names_only_an_organisation_that_was_certified_and_a_label_that_dns_can_carry() {
    let home = prepared();
    let file = |extra: [&'static str; 2]| [&["product", "file", "Example CAD"][..], &extra].concat();
    let pinned = file(["--organisation", "Example University"]);
    let (exit_code, line) = failure(&home, &pinned);
    assert_eq!(exit_code, 64);
    assert!(line.contains(r#"there is no organisation "Example University"; there is none"#), "{line}");

    answer(&home, &issue_to("host.certificate"));
    let json: serde_json::Value =
        serde_json::from_str(&answer(&home, &[&pinned[..], &["--json"]].concat())).unwrap();
    let known = fs::read_to_string(home.path().join("vendor/organisations.toml")).unwrap();
    assert!(known.contains(json["organisation"].as_str().unwrap()), "{known}");

    let (exit_code, line) = failure(&home, &file(["--organisation", "Example Uni"]));
    assert_eq!(exit_code, 64);
    assert!(line.contains(r#"no organisation "Example Uni"; there is "Example University""#), "{line}");

    let text = answer(&home, &file(["--service-label", "_example-cad._tcp"]));
    assert!(text.contains("\nservice_label = \"_example-cad._tcp\"\n"), "{text}");
    let (exit_code, line) = failure(&home, &file(["--service-label", "example-cad"]));
    assert_eq!(exit_code, 64);
    assert!(line.contains("write it as _example-cad._tcp"), "{line}");
}

/// A name as the file of an earlier release, or an editor, may have it. `FORGED` must never begin a line.
const EVIL: &str = "Evil\nFORGED\r\u{1b}[2J\u{85}FORGED\u{202e}\u{2028}FORGED\u{200b}";

/// A line break in an organisation's name forged a line of the answer.
#[test]
fn an_evil_name_is_shown_on_its_line_by_every_command_and_never_taken() {
    let home = prepared();
    answer(&home, &issue_to("1"));
    for file in ["products.toml", "organisations.toml"] {
        let path = home.path().join("vendor").join(file);
        let text = fs::read_to_string(&path).unwrap();
        let (_, name) = text.split_once('"').unwrap();
        let (name, _) = name.split_once('"').unwrap();
        // JSON's escapes are TOML's.
        let evil = text.replace(&format!("\"{name}\""), &serde_json::to_string(EVIL).unwrap());
        fs::write(&path, evil).unwrap();
    }
    let issue = |product: &'static str, organisation: &'static str, out| {
        let request = ["certificate", "issue", "--request", "host.request"];
        let named = ["--product", product, "--organisation", organisation, "--out", out];
        [&request[..], &named].concat()
    };
    let (mut shown, mut checked) = (0_usize, 0_usize);
    for arguments in [
        vec!["product", "list"],
        vec!["product", "show", EVIL],
        vec!["product", "show", "none"],
        vec!["product", "add", "Other"],
        vec!["product", "add", EVIL],
        vec!["product", "file", EVIL],
        vec!["product", "file", EVIL, "--organisation", EVIL],
        vec!["product", "file", EVIL, "--organisation", "none"],
        vec!["product", "file", EVIL, "--service-label", EVIL],
        vec!["product", "file", EVIL, "--out", "x\nFORGED"],
        issue(EVIL, EVIL, "2"),
        issue(EVIL, EVIL, "y\nFORGED"),
        issue("none", EVIL, "3"),
        issue(EVIL, "Evil FORGED 2J FORGED FORGED", "4"),
        issue(EVIL, "Somebody else", "5"),
        issue(EVIL, "Somebody\nelse", "6"),
        vec!["issuer", "create", "--product", EVIL],
        [&issue("Other", EVIL, "7")[..], &["--issuer"]].concat(),
        vec!["roots", "--dir", "z\nFORGED"],
    ] {
        for json in [&[][..], &["--json"]] {
            let output = run(&home, &[&arguments[..], json].concat());
            let text = [&output.stdout[..], &output.stderr].concat();
            let text = String::from_utf8(text).unwrap();
            let forged = text.lines().any(|line| line.trim_start().starts_with("FORGED"));
            let deceives = |c: char| c != '\n' && (c.is_control() || "\u{202e}\u{2028}\u{200b}".contains(c));
            assert!(!forged && !text.contains(deceives), "{arguments:?}: {text}");
            if output.status.success() && !json.is_empty() {
                let json: serde_json::Value = serde_json::from_str(&text).unwrap();
                checked += usize::from(json["name"] == EVIL || json["products"][0]["name"] == EVIL);
            }
            shown += usize::from(text.contains("FORGED"));
        }
    }
    assert!(25 < shown && checked == 2, "{shown} answers had the name, {checked} of JSON had it as it is");
}

fn journal(home: &TempDir) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(home.path().join("vendor/issued.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// From when until when each certificate is valid, in milliseconds after it was recorded.
fn lives(home: &TempDir) -> Vec<(i64, i64)> {
    let life = |line: &serde_json::Value| {
        let [time, not_before, not_after] = ["time", "not_before", "not_after"]
            .map(|name| kms_vendor::parse_instant(line[name].as_str().unwrap()).unwrap().unix_ms());
        (not_before - time, not_after - time)
    };
    journal(home).iter().map(life).collect()
}

/// A certificate began at the instant of its signing. A host whose clock was minutes behind the vendor's then refused
/// every machine with `CERTIFICATE_NOT_BEGUN`.
#[test]
fn a_certificate_begins_an_hour_ago_unless_its_beginning_is_given() {
    let home = prepared();
    let year_ms = 365 * 24 * HOUR_MS;
    answer(&home, &issue_to("1"));
    answer(&home, &[&issue_to("2")[..], &["--valid-for", "30m"]].concat());
    answer(&home, &["issuer", "create"]);
    answer(&home, &[&issue_to("3")[..], &["--issuer"]].concat());
    let given = ["--not-before", "2100-01-01T00:00:00Z", "--valid-for", "1d"];
    answer(&home, &[&issue_to("4")[..], &given].concat());

    let lives = lives(&home);
    assert_eq!(lives[..2], [(-HOUR_MS, year_ms), (-HOUR_MS, HOUR_MS / 2)]);
    // Its issuing certificate was made a moment earlier, with the same hour before it and the same year after it.
    assert_eq!(lives[2].0, -HOUR_MS);
    assert!((year_ms - HOUR_MS..=year_ms).contains(&lives[2].1), "{lives:?}");
    assert_eq!(lives[3].1 - lives[3].0, 24 * HOUR_MS);
    assert_eq!(journal(&home)[3]["not_before"], "2100-01-01T00:00:00Z");
}

/// An hour before now may be before the issuing certificate begins: no chain is valid then.
#[test]
fn a_certificate_begins_no_earlier_than_its_young_issuing_certificate() {
    let home = prepared();
    answer(&home, &issue_to("1"));
    let moments_ago = journal(&home)[0]["time"].as_str().unwrap().to_owned();
    answer(&home, &["issuer", "create", "--not-before", &moments_ago]);
    answer(&home, &[&issue_to("2")[..], &["--issuer"]].concat());
    assert_eq!(journal(&home)[1]["not_before"], moments_ago);
}

#[test]
fn the_directory_may_come_from_the_environment() {
    let home = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_kms-vendor"))
        .arg("init")
        .env("KMS_VENDOR_DIR", home.path().join("elsewhere"))
        .current_dir(home.path())
        .output()
        .unwrap();
    assert!(output.status.success());
    assert!(home.path().join("elsewhere/roots.pub").exists());
}

/// An empty KMS_VENDOR_DIR was an error, and at the host and the machine an empty variable is an unset one.
#[test]
fn an_empty_variable_is_an_unset_one() {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_kms-vendor"));
    let output = command.arg("init").env("KMS_VENDOR_DIR", "").current_dir(home.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(home.path().join("vendor/roots.pub").exists());
}

#[test]
fn a_closed_pipe_is_no_error_and_a_full_disk_is_one() {
    let home = prepared();
    let roots = |stdout: Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kms-vendor"));
        let output = command.arg("roots").current_dir(home.path()).stdout(stdout).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    assert_eq!(roots(writer.into()), (Some(0), String::new()));
    if let Ok(full) = fs::File::options().write(true).open("/dev/full") {
        let (code, said) = roots(full.into());
        assert_eq!(code, Some(74));
        assert!(said.starts_with("error: done, but standard output could not be written: "), "{said}");
    }
}
