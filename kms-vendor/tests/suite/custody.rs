//! Private keys at rest: encrypted with a passphrase or to age keys, asked for when they sign, and never in plain on the disk.

use std::fs;
use std::io::Write as _;
use std::iter;
use std::path::Path;
use std::process::{Command, Stdio};

use age::armor::{ArmoredReader, ArmoredWriter, Format};
use age::secrecy::ExposeSecret as _;
use tempfile::TempDir;

use crate::binary::{answer, failure, issue_to, prepared, run};

const PASSPHRASE: &str = "correct horse battery staple";

/// A prepared vendor whose root-1.key is encrypted with the passphrase, so that it opens in a moment and not in a second.
fn sealed() -> TempDir {
    let home = prepared();
    let path = home.path().join("vendor/root-1.key");
    let plain = fs::read(&path).unwrap();
    fs::write(&path, encrypted(&plain)).unwrap();
    fs::write(home.path().join("right"), format!("{PASSPHRASE}\nanother line\n")).unwrap();
    fs::write(home.path().join("wrong"), "correct horse battery\n").unwrap();
    home
}

/// As `age -p -a` writes it, with little work.
fn encrypted(plain: &[u8]) -> Vec<u8> {
    let mut recipient = age::scrypt::Recipient::new(PASSPHRASE.to_owned().into());
    recipient.set_work_factor(4);
    let mut file = Vec::new();
    let armour = ArmoredWriter::wrap_output(&mut file, Format::AsciiArmor).unwrap();
    let encryptor = age::Encryptor::with_recipients(iter::once(&recipient as _)).unwrap();
    let mut writer = encryptor.wrap_output(armour).unwrap();
    writer.write_all(plain).unwrap();
    writer.finish().unwrap().finish().unwrap();
    file
}

fn issue<'a>(out: &'a str, options: &[&'a str]) -> Vec<&'a str> {
    [&issue_to(out)[..], options].concat()
}

/// No file of the vendor's directory has a private key in plain.
#[track_caller]
fn nothing_is_plain(dir: &Path) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        assert!(!text.contains("PRIVATE") && !text.contains("KMS ROOT KEY"), "{}", path.display());
    }
}

#[test]
fn an_encrypted_root_signs_with_its_passphrase_and_without_it_says_what_to_do() {
    let home = sealed();
    let (code, line) = failure(&home, &issue("1", &[]));
    assert_eq!(code, 66);
    assert!(line.contains("root-1.key is locked") && line.contains("--passphrase-file"), "{line}");
    let (code, line) = failure(&home, &issue("1", &["--passphrase-file", "wrong"]));
    assert_eq!(code, 77);
    assert!(line.contains("the passphrase for ./vendor/root-1.key is wrong"), "{line}");
    assert!(!home.path().join("vendor/issued.jsonl").exists(), "nothing is recorded");

    answer(&home, &issue("1", &["--passphrase-file", "right"]));
    // What the remedy says, if nobody knows the passphrase any more.
    answer(&home, &issue("2", &["--root", "2"]));
    let certificate = fs::read(home.path().join("1")).unwrap();
    assert!(!String::from_utf8(certificate).unwrap().contains(PASSPHRASE));
}

#[test]
fn the_passphrase_may_come_through_a_pipe_or_the_name_of_its_file_from_the_environment() {
    let home = sealed();
    let mut command = Command::new(env!("CARGO_BIN_EXE_kms-vendor"));
    command.args(issue("1", &["--passphrase-file", "/dev/stdin"])).current_dir(home.path());
    let mut piped = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    writeln!(piped.stdin.take().unwrap(), "{PASSPHRASE}").unwrap();
    assert!(piped.wait().unwrap().success());

    for (file, complaint) in
        [("/dev/zero", "it is larger than 1 MiB"), ("vendor", "directory"), ("missing", "No such file")]
    {
        let (code, line) = failure(&home, &issue("2", &["--passphrase-file", file]));
        assert_eq!(code, 74, "{line}");
        assert!(
            line.contains("could not read what opens ./vendor/root-1.key") && line.contains(complaint),
            "{line}"
        );
    }

    let mut command = Command::new(env!("CARGO_BIN_EXE_kms-vendor"));
    command.args(issue("2", &[])).current_dir(home.path());
    assert!(command.env("KMS_VENDOR_PASSPHRASE_FILE", "right").output().unwrap().status.success());
}

#[test]
fn roots_says_which_keys_are_here_and_which_are_encrypted() {
    let home = sealed();
    let said = answer(&home, &["roots"]);
    assert!(said.contains("root-1.key: here, encrypted with a passphrase\n"), "{said}");
    assert!(said.contains("root-2.key: here, NOT encrypted\n"), "{said}");
    fs::remove_file(home.path().join("vendor/root-2.key")).unwrap();
    let said: serde_json::Value = serde_json::from_str(&answer(&home, &["roots", "--json"])).unwrap();
    assert_eq!(
        (&said["keys"][0]["kept"], &said["keys"][1]["kept"]),
        (&"passphrase".into(), &"elsewhere".into())
    );
}

/// A key that an age key opens needs no passphrase, and an age file that this program wrote opens with `age`.
#[test]
fn a_root_may_be_encrypted_to_the_age_keys_of_its_holders() {
    let home = tempfile::tempdir().unwrap();
    let [holder, deputy, stranger] = [(); 3].map(|()| age::x25519::Identity::generate());
    for (name, identity) in [("holder", &holder), ("deputy", &deputy), ("stranger", &stranger)] {
        let text = format!("# {name}\n{}\n", identity.to_string().expose_secret());
        fs::write(home.path().join(name), text).unwrap();
    }
    let to = [holder.to_public().to_string(), deputy.to_public().to_string()];
    answer(&home, &["init", "--recipient", &to[0], "--recipient", &to[1]]);
    nothing_is_plain(&home.path().join("vendor"));
    let said = answer(&home, &["roots"]);
    assert!(said.contains("root-1.key: here, encrypted to age keys\n"), "{said}");

    let create = |options: &[&'static str]| [&["issuer", "create", "--unencrypted"][..], options].concat();
    for options in [&[][..], &["--identity", "stranger"]] {
        let (code, line) = failure(&home, &create(options));
        assert_eq!(code, 77);
        assert!(line.contains("none of the identities opens it") && line.contains("--identity"), "{line}");
    }
    answer(&home, &create(&["--identity", "stranger", "--identity", "deputy"]));

    let file = fs::read(home.path().join("vendor/root-2.key")).unwrap();
    assert!(age::decrypt(&holder, &file).unwrap().starts_with(b"-----BEGIN KMS ROOT KEY-----\n"));
    let (code, line) = failure(&home, &["key", "decrypt", "root-2", "--identity", "vendor/roots.pub"]);
    assert_eq!(code, 74);
    assert!(line.contains("vendor/roots.pub"), "{line}");
}

#[test]
fn a_key_is_encrypted_and_decrypted_where_it_is() {
    let home = sealed();
    let (code, line) = failure(&home, &["key", "encrypt", "root-2"]);
    assert_eq!(code, 66);
    assert!(line.contains("--new-passphrase-file") && line.contains("--recipient"), "{line}");
    fs::write(home.path().join("empty"), "\n").unwrap();
    assert_eq!(failure(&home, &["key", "encrypt", "root-2", "--new-passphrase-file", "empty"]).0, 64);

    let said = answer(&home, &["key", "encrypt", "root-2", "--new-passphrase-file", "right"]);
    assert!(said.starts_with("root-2.key: here, encrypted with a passphrase.\n"), "{said}");
    assert!(said.contains("old bytes may still be on this medium"), "{said}");
    nothing_is_plain(&home.path().join("vendor"));

    // Without the old passphrase nobody sets a new one.
    let again = ["key", "encrypt", "root-1", "--new-passphrase-file", "wrong"];
    assert_eq!(failure(&home, &again).0, 66);
    let decrypt = ["key", "decrypt", "root-1", "--passphrase-file"];
    assert_eq!(failure(&home, &[&decrypt[..], &["wrong"]].concat()).0, 77);
    let said = answer(&home, &[&decrypt[..], &["right", "--json"]].concat());
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&said["name"], &said["kept"]), (&"root-1.key".into(), &"plain".into()));
    answer(&home, &issue("1", &[]));

    fs::remove_file(home.path().join("vendor/root-2.key")).unwrap();
    assert_eq!(failure(&home, &["key", "encrypt", "root-2", "--new-passphrase-file", "right"]).0, 66);
    assert_eq!(run(&home, &["key", "encrypt", "root-3"]).status.code(), Some(64));
}

/// Both wrote a root in plain without a word: a script that named the passphrase, and one at an encrypted vendor.
#[test]
fn no_root_is_made_in_plain_where_somebody_expects_it_encrypted() {
    let home = sealed();
    let (code, line) = failure(&home, &["init", "--dir", "other", "--passphrase-file", "right"]);
    assert_eq!(code, 64);
    assert!(line.contains("--new-passphrase-file") && line.contains("--unencrypted"), "{line}");
    assert!(!home.path().join("other").exists());
    answer(&home, &["init", "--dir", "other", "--passphrase-file", "right", "--unencrypted"]);

    let replace = ["roots", "replace", "2", "--passphrase-file", "right"];
    let (code, line) = failure(&home, &replace);
    assert_eq!(code, 64);
    assert!(line.contains("are encrypted and this one would not be"), "{line}");
    answer(&home, &[&replace[..], &["--unencrypted"]].concat());
}

/// Unknown is not damaged: each has its own words.
#[test]
fn a_key_that_is_encrypted_in_another_way_is_not_called_damaged() {
    let home = sealed();
    let path = home.path().join("vendor/root-1.key");
    let armoured = fs::read(&path).unwrap();
    let mut binary = Vec::new();
    std::io::Read::read_to_end(&mut ArmoredReader::new(&armoured[..]), &mut binary).unwrap();
    let changed = |from: &str, to: &str| {
        let at = binary.windows(from.len()).position(|bytes| bytes == from.as_bytes()).unwrap();
        [&binary[..at], to.as_bytes(), &binary[at + from.len()..]].concat()
    };
    for (file, complaint) in [
        (
            changed(" 4\n", " 30\n"),
            "is encrypted with 2^30 rounds of scrypt, which this release does not open",
        ),
        (changed("age-encryption.org/v1", "age-encryption.org/v9"), "is encrypted in a newer form of age"),
        (armoured[..armoured.len() / 2].to_vec(), "is damaged: it is no whole age file"),
        (binary[..binary.len() - 1].to_vec(), "is damaged: it is no whole age file"),
        (encrypted(b"garbage"), "is damaged: a whole KMS ROOT KEY is not in it"),
    ] {
        fs::write(&path, file).unwrap();
        let (code, line) = failure(&home, &issue("1", &["--passphrase-file", "right"]));
        assert_eq!(code, 65, "{line}");
        assert!(line.contains(complaint), "{line}");
    }
    // Without armour, as `age -p` writes it.
    fs::write(&path, &binary).unwrap();
    answer(&home, &issue("1", &["--passphrase-file", "right"]));
}

/// Whoever has typed passphrases has not done so in vain, and a script that says nothing works as it always did.
#[test]
fn on_a_terminal_init_asks_for_a_passphrase_of_each_root() {
    let home = tempfile::tempdir().unwrap();
    let typed = [PASSPHRASE, "a slip"];
    let (success, said) = on_a_terminal(&home, &["init"], &typed);
    assert!(!success && said.contains("the two passphrases differ"), "{said}");
    assert!(!home.path().join("vendor").exists());

    let (success, said) = on_a_terminal(&home, &["init"], &[PASSPHRASE, PASSPHRASE, ""]);
    assert!(success && said.contains("A root key is not encrypted"), "{said}");
    assert!(said.contains("New passphrase for root-1.key"), "{said}");
    answer(&home, &["product", "add", "Example CAD"]);
    fs::write(home.path().join("host.request"), crate::request_pem(7, crate::HOUR_MS)).unwrap();
    let (success, said) = on_a_terminal(&home, &issue("host.certificate", &[]), &[PASSPHRASE]);
    assert!(success && said.contains("Passphrase for ./vendor/root-1.key"), "{said}");

    let (success, said) = on_a_terminal(&home, &["init"], &[]);
    assert!(!success && said.contains("is never overwritten"), "it asks for nothing before: {said}");
    assert!(answer(&home, &["init", "--dir", "other"]).contains("A root key is not encrypted"));
}

/// Runs the program on a terminal of its own, and types each line when it is asked for. Returns what the terminal has shown.
#[track_caller]
fn on_a_terminal(home: &TempDir, arguments: &[&str], typed: &[&str]) -> (bool, String) {
    let quoted: Vec<_> = iter::once(&env!("CARGO_BIN_EXE_kms-vendor"))
        .chain(arguments)
        .map(|argument| format!("'{argument}'"))
        .collect();
    let mut command = Command::new("script");
    command.args(["--quiet", "--flush", "--return", "--command", &quoted.join(" "), "/dev/null"]);
    command
        .current_dir(home.path())
        .env_remove("KMS_VENDOR_DIR")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut running = command.spawn().unwrap();
    let (mut keyboard, mut screen) = (running.stdin.take().unwrap(), running.stdout.take().unwrap());
    let (mut shown, mut waiting) = (Vec::new(), typed.iter());
    let mut piece = [0; 1];
    while std::io::Read::read(&mut screen, &mut piece).unwrap() == 1 {
        shown.push(piece[0]);
        let text = String::from_utf8_lossy(&shown);
        let line = text.rsplit('\n').next().unwrap_or_default();
        let prompts = ["Passphrase for", "New passphrase for", "The same again"];
        if line.ends_with(": ") && prompts.iter().any(|prompt| line.starts_with(prompt)) {
            let line = waiting.next().expect("it asks for no more than is typed");
            writeln!(keyboard, "{line}").unwrap();
        }
    }
    (running.wait().unwrap().success(), String::from_utf8(shown).unwrap())
}

/// An encrypted root key of the first release that encrypts. It opens for ever.
#[test]
fn an_encrypted_key_opens_in_every_release() {
    let home = prepared();
    fs::write(home.path().join("vendor/root-1.key"), include_str!("../vectors/root-1-encrypted.key"))
        .unwrap();
    fs::write(home.path().join("vendor/roots.pub"), include_str!("../vectors/roots.pub")).unwrap();
    fs::write(home.path().join("right"), PASSPHRASE).unwrap();
    answer(&home, &issue("1", &["--passphrase-file", "right"]));
}
