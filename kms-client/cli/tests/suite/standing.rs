//! The state of a machine without an ask: fresh, damaged, unwritable; hosts set by hand; a new identity.

use std::fs;
use std::path::Path;

use kms_client::Reason;

use crate::{Machine, PINNED, PRODUCT, PRODUCT_ID, bare, nobody};

#[test]
fn looking_begins_nothing() {
    let machine = Machine::new();
    let (code, text) = machine.answer(&["status"]);
    assert_eq!(code, 0);
    assert!(text.contains("not begun") && text.contains("nothing yet in"), "{text}");
    assert_eq!(machine.json(&["status"])["state"], "not-begun");
    assert!(
        !machine.file("").exists(),
        "a look by another user would leave files that the product cannot read"
    );
}

#[test]
fn a_fresh_machine_is_in_grace_and_says_where_its_state_is() {
    let machine = Machine::begun();
    let (code, text) = machine.answer(&["status"]);
    assert_eq!(code, 0);
    for part in [
        "Example CAD (4142434445464748494a4b4c4d4e4f50)",
        "not activated, in grace until 2",
        " left)",
        "silent: users are told nothing",
        "due now",
        "none has given a lease",
        "for every user of this machine",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(text.contains(&format!("{PRODUCT_ID}, for every user")), "{text}");
    let json = machine.json(&["status"]);
    assert_eq!((&json["state"], &json["licensed"]), (&"in-grace".into(), &false.into()));
    assert_eq!((&json["keeping"]["how"], &json["test"]), (&"kept".into(), &false.into()));
    assert!(text.contains(json["machine"].as_str().unwrap()), "{text}");
}

#[test]
fn a_damaged_state_is_named_and_the_next_start_makes_it_anew() {
    let machine = Machine::begun();
    let before = machine.json(&["status"])["machine"].clone();
    fs::write(machine.file("saved"), "garbage").unwrap();
    let (code, text) = machine.answer(&["status"]);
    assert_eq!(code, 0);
    let path = machine.file("").display().to_string();
    let named = format!("trouble       STATE_DAMAGED: the saved state in {}", path.trim_end_matches('/'));
    assert!(text.contains(&named) && text.contains("remedy: nothing: it is made anew"), "{text}");
    assert_eq!(fs::read(machine.file("saved")).unwrap(), b"garbage", "looking mends nothing");
    machine.answer(&["activate", "--host", &nobody()]);
    let after = machine.json(&["status"]);
    assert_eq!((&after["machine"], after["troubles"].as_array().unwrap().len()), (&before, 0));
}

/// `discover` made an identity, so an image that was made after a look had one.
#[test]
fn no_command_that_looks_begins_or_changes_anything() {
    let looks = [
        &["status"][..],
        &["status", "--json"],
        &["discover", "--host", "kms1"],
        &["host", "show"],
        &["organisation", "show"],
        &["organisation", "clear"],
        &["explain", "BUSY"],
    ];
    let machine = Machine::new();
    for look in looks {
        machine.answer(look);
        assert_eq!(fs::read_dir(machine.home.path()).unwrap().count(), 0, "{look:?}");
    }
    let machine = Machine::begun();
    let picture = || -> Vec<_> {
        let names = ["", "identity", "saved", "lock"].map(|name| machine.file(name));
        names.map(|path| (fs::metadata(&path).unwrap().modified().unwrap(), fs::read(&path).ok())).into()
    };
    let before = picture();
    for look in looks.iter().filter(|look| look[1..] != ["clear"]) {
        machine.answer(look);
        assert_eq!(picture(), before, "{look:?}");
    }
}

#[test]
fn a_directory_that_cannot_be_made_is_said_plainly() {
    let machine = Machine::new();
    let file = machine.home.path().join("file");
    fs::write(&file, "").unwrap();
    let below = file.join("state");
    // The work of these commands would be lost when they end.
    for command in [&["activate"][..], &["release"], &["identity", "reset", "--yes"]] {
        let (code, line) = machine.failure(&[command, &["--state", below.to_str().unwrap()]].concat());
        assert_eq!((code, line.lines().count()), (74, 1), "{line}");
        assert!(line.contains("STATE_UNWRITABLE"), "{line}");
    }
    let (code, line) = machine.failure(&["host", "set", "kms1", "--state", below.to_str().unwrap()]);
    assert_eq!((code, line.lines().count()), (74, 1));
    assert!(line.contains("make the directory writable"), "{line}");
}

#[test]
fn hosts_that_are_set_go_before_those_of_the_product_until_they_are_cleared() {
    let machine = Machine::new();
    machine.answer(&["host", "set", "kms1.corp.example", "[2001:db8::1]:9"]);
    assert_eq!(
        machine.json(&["host", "show"])["hosts"],
        serde_json::json!(["kms1.corp.example:21688", "[2001:db8::1]:9"])
    );
    let (code, text) = machine.answer(&["discover", "--host", "kms3"]);
    assert_eq!(code, 0);
    assert!(text.contains("1  kms1.corp.example:21688  (hosts file)\n  2  [2001:db8::1]:9"), "{text}");
    assert!(!text.contains("kms3"), "{text}");

    let (_, text) = machine.answer(&["host", "clear"]);
    assert!(text.starts_with("No host is set"), "{text}");
    let (_, text) = machine.answer(&["discover", "--host", "kms3"]);
    assert!(text.contains("1  kms3:21688  (command line)"), "{text}");
    let mut command = crate::command(&machine.home);
    command.args(["--product", PRODUCT, "discover"]).env("KMS_HOSTS", "kms4");
    let text = String::from_utf8(command.output().unwrap().stdout).unwrap();
    assert!(text.contains("1  kms4:21688  (environment variable KMS_HOSTS)"), "{text}");
}

/// `host show` had a reader of its own, and showed every line of a mail as a host.
#[cfg(unix)]
#[test]
fn hosts_that_came_by_mail_are_shown_without_the_text_around_them() {
    let machine = Machine::begun();
    fs::write(
        machine.file("hosts"),
        "Dear Ms. Jansen,\r\nthese are ours:\r\n> kms1.corp.example\r\n> [::1]:9\r\n",
    )
    .unwrap();
    let (code, text) = machine.answer(&["host", "show"]);
    assert_eq!(code, 0);
    assert!(
        text.contains("says:\n  kms1.corp.example:21688\n  [::1]:9\nLines that name no host:\n"),
        "{text}"
    );
    let json = machine.json(&["host", "show"]);
    assert_eq!(json["hosts"], serde_json::json!(["kms1.corp.example:21688", "[::1]:9"]));
    assert_eq!(
        (json["problems"].as_array().unwrap().len(), &json["problems"][0]["cause"]["code"]),
        (2, &"HOST_NAME_BAD".into())
    );

    fs::remove_file(machine.file("hosts")).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", machine.file("hosts")).unwrap();
    let (code, line) = machine.failure(&["host", "show"]);
    assert_eq!(code, 74, "{line}");
    assert!(line.contains("`hosts` is not a regular file") && line.contains("kms-client host set"), "{line}");
    machine.answer(&["host", "set", "kms2"]);
    assert_eq!(machine.json(&["host", "show"])["hosts"], serde_json::json!(["kms2:21688"]));
}

/// 5 MB of noise in the place of the hosts file: `host show` and `discover` printed thousands of faults.
#[test]
fn a_hosts_file_of_another_kind_is_not_printed_line_by_line() {
    let machine = Machine::begun();
    for (lines, said) in [(1_000, "hosts file (and 992 more)"), (500_000, "hosts is larger than 64 KiB")] {
        fs::write(machine.file("hosts"), "\u{1}<noise>\n".repeat(lines)).unwrap();
        let shown = machine.run(&["host", "show"]);
        let shown = String::from_utf8([shown.stdout, shown.stderr].concat()).unwrap();
        let (_, discovered) = machine.answer(&["discover", "--host", "kms1"]);
        for text in [shown, discovered] {
            assert!(text.contains(said) && text.len() < 4_000, "{} bytes: {text:.4000}", text.len());
        }
    }
    machine.answer(&["host", "set", "kms2"]);
    assert_eq!(machine.json(&["host", "show"])["hosts"], serde_json::json!(["kms2:21688"]));

    let names: Vec<_> = (0..1_200).map(|number| format!("{}.host{number}", ["a"; 40].concat())).collect();
    let many = [&["host", "set"][..], &names.iter().map(String::as_str).collect::<Vec<_>>()].concat();
    let (code, line) = machine.failure(&many);
    assert!(line.contains("1200 names are more than the 64 KiB"), "{line}");
    assert!(code == 74 && line.contains("; name fewer hosts") && !line.contains("write NAME"), "{line}");
    assert_eq!(machine.json(&["host", "show"])["hosts"], serde_json::json!(["kms2:21688"]));
}

#[test]
fn a_new_identity_is_made_only_when_that_is_meant() {
    let machine = Machine::begun();
    let before = machine.json(&["status"])["machine"].clone();
    let (code, line) = machine.failure(&["identity", "reset"]);
    assert_eq!((code, line.lines().count()), (64, 1));
    assert!(line.contains("--yes"), "{line}");
    assert_eq!(machine.json(&["status"])["machine"], before);

    let reset = machine.json(&["identity", "reset", "--yes"]);
    assert_eq!(reset["before"], before);
    assert_ne!(reset["machine"], before);
    assert_eq!(machine.json(&["status"])["machine"], reset["machine"]);
}

#[test]
fn a_machine_without_an_organisation_says_so() {
    let machine = Machine::new();
    assert_eq!(machine.answer(&["organisation", "show"]).1, "None yet: the first lease names it.\n");
    assert_eq!(machine.answer(&["organisation", "clear"]).0, 0);

    let output = bare(&machine.home, &["organisation", "show", "--product", PINNED]);
    let only = "None yet; only 5152535455565758595a5b5c5d5e5f60 may license this copy.\n";
    assert_eq!(String::from_utf8(output.stdout).unwrap(), only);
}

/// `organisation show` said "None yet" of a state that could not be read, and `organisation clear` said "There was none" of a damaged
/// one.
#[test]
fn an_organisation_that_cannot_be_read_is_not_told_as_none() {
    type Spoil = fn(&Path);
    let spoilt: [(Reason, Spoil); 5] = [
        (Reason::StateNewer, |saved| {
            let mut bytes = fs::read(saved).unwrap();
            let end = bytes.len() - 8;
            bytes[4] += 1;
            let checksum = shared::envelope::digest(&bytes[..end]);
            bytes[end..].copy_from_slice(&checksum[..8]);
            fs::write(saved, bytes).unwrap();
        }),
        (Reason::StateDamaged, |saved| {
            let mut bytes = fs::read(saved).unwrap();
            bytes[20] ^= 1;
            fs::write(saved, bytes).unwrap();
        }),
        (Reason::StateDamaged, |saved| {
            let bytes = fs::read(saved).unwrap();
            fs::write(saved, &bytes[..bytes.len() / 2]).unwrap();
        }),
        (Reason::StateDamaged, |saved| fs::write(saved, "").unwrap()),
        // No user can read it, not even root.
        (Reason::StateUnreadable, |saved| {
            fs::remove_file(saved).unwrap();
            fs::create_dir(saved).unwrap();
        }),
    ];
    let show = &["organisation", "show"][..];
    for (reason, spoil) in spoilt {
        for command in [show, &["status"], &["organisation", "clear"], &["identity", "reset", "--yes"]] {
            let machine = Machine::begun();
            spoil(&machine.file("saved"));
            let picture = || {
                ["identity", "saved"]
                    .map(|name| fs::read(machine.file(name)).map_err(|error| error.to_string()))
            };
            let before = picture();
            let output = machine.run(command);
            let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
            for part in [reason.code(), reason.remedy()] {
                assert!(said.contains(part), "{command:?}: {part}: {said}");
            }
            assert!(!said.to_lowercase().contains("none yet") && !said.contains("There was none"), "{said}");

            let is_look = command == show || command == ["status"];
            let stays = is_look || reason != Reason::StateDamaged;
            let code = if is_look || !stays { 0 } else { 69 };
            assert_eq!(output.status.code(), Some(code), "{command:?}: {said}");
            assert_eq!(picture() == before, stays, "{command:?}: {said}");
            if is_look {
                assert_eq!(machine.json(command)["troubles"][0]["code"], reason.code(), "{command:?}");
            } else if !stays {
                assert_eq!(machine.json(&["status"])["troubles"], serde_json::json!([]), "it is made anew");
            }
        }
    }
}
