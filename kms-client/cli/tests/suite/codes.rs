//! `key installation-id` and `key confirm`: a machine without a network, with two people who read codes to each other.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::time::Duration;

use data_encoding::HEXLOWER;
use kms_client::{Clock as _, SystemClock};
use shared::certificate::IssuingCertificate;
use shared::codes::{CodeCertificate, CodeForm, ConfirmationId, InstallationId, MachineOptions};
use shared::envelope::{Kind, SecretKey};
use shared::features::Features;
use shared::files::{self, CODE_CERTIFICATE};
use shared::ids::{CertificateId, ProductId};
use shared::product_key::{KeyKind, ProductKey, ProductTag};

use crate::{Machine, failure};

const ID: [u8; 16] = *b"ABCDEFGHIJKLMNOP";

pub(crate) fn seed(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}

pub(crate) fn key() -> ProductKey {
    let tag = ProductTag::of(ProductId::from_bytes(ID));
    ProductKey::new(KeyKind::MultipleActivation, tag, &[7; 10])
}

/// A product whose vendor confirms codes with key 3.
pub(crate) fn product_file(folder: &Path) -> String {
    let now = SystemClock::new().now();
    let certificate = CodeCertificate {
        limits: IssuingCertificate {
            id: CertificateId::from_bytes([3; 16]),
            public_key: seed(3).public(),
            not_before: now - Duration::from_hours(24),
            not_after: now + Duration::from_hours(24 * 3650),
            products: vec![],
            test: false,
        },
        feature_sets: vec![Features::new(["export"]).unwrap()],
    };
    let signed = seed(1).sign(Kind::CodeCertificate, &certificate.encode());
    let body = files::from_pem(CODE_CERTIFICATE, files::code_certificate_to_pem(&signed).as_bytes()).unwrap();
    let hex = |bytes: &[u8]| HEXLOWER.encode(bytes);
    let [one, two] = [1, 2].map(|number| hex(seed(number).public().as_bytes()));
    let text = format!(
        "id = \"{}\"\nname = \"Example CAD\"\nroots = [\"{one}\", \"{two}\"]\ncode_keys = [\"{}\"]\n",
        hex(&ID),
        hex(&body)
    );
    let path = folder.join("product.toml");
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// What the vendor reads back.
pub(crate) fn confirmation(read: &str) -> ConfirmationId {
    let id: InstallationId = read.parse().unwrap();
    ConfirmationId::of_machine(&id, MachineOptions::new(None, 1).unwrap(), &seed(3))
}

struct Offline {
    machine: Machine,
    product: String,
}

impl Offline {
    /// A machine with a key that somebody has entered for later.
    fn with_key() -> Offline {
        let machine = Machine::new();
        let product = product_file(machine.home.path());
        let offline = Offline { machine, product };
        offline.does(&["key", "set", "--later", &key().to_string()]);
        offline
    }

    fn run(&self, arguments: &[&str]) -> Output {
        crate::bare(&self.machine.home, &[&["--product", &self.product], arguments].concat())
    }

    #[track_caller]
    fn does(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The exit code and the answer.
    fn answer(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.run(arguments);
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.does(&[arguments, &["--json"]].concat())).unwrap()
    }

    /// Begins to read a confirmation id from its standard input.
    fn listens(&self) -> Child {
        let mut command = crate::command(&self.machine.home);
        command.args(["--product", &self.product, "key", "confirm", "-"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }
}

/// What stands in the rows with letters before them, from the first row A on.
fn first_code(said: &str) -> String {
    let rows = said.lines().skip_while(|line| !line.starts_with("  A ")).take_while(|line| !line.is_empty());
    rows.map(|row| &row[4..]).collect()
}

#[test]
fn a_machine_reads_its_id_and_types_what_the_vendor_reads_back() {
    let offline = Offline::with_key();
    let shown = offline.does(&["key", "installation-id"]);
    let number = key().number().to_string();
    assert!(
        shown.starts_with(&format!("Installation id of this machine, for key {number}. Read it")),
        "{shown}"
    );
    assert!(!shown.contains(&key().last_group()) && !shown.contains('█'), "{shown}");
    let json = offline.json(&["key", "installation-id"]);
    let [digits, letters] = ["digits", "letters"].map(|form| json[form].as_str().unwrap());
    assert_eq!(first_code(&shown).replace(' ', ""), digits.replace('-', ""));
    assert_eq!((json["key_number"].as_str(), letters.len()), (Some(&*number), 41));
    let with_qr = offline.does(&["key", "installation-id", "--qr"]);
    assert!(with_qr.contains('█') && with_qr.contains("Or show it to a camera:"), "{with_qr}");

    let confirmation = confirmation(digits).text(CodeForm::Digits).replace('-', " ");
    // Groups may be words of their own.
    let typed: Vec<_> = ["key", "confirm"].into_iter().chain(confirmation.split(' ')).collect();
    let done = offline.does(&typed);
    assert!(
        done.starts_with(&format!("Confirmed for key {number}.\nstate         licensed without end\n")),
        "{done}"
    );
    let status = offline.does(&["status"]);
    assert!(status.contains(" by a confirmation id, without an end"), "{status}");
    assert!(status.contains("\norganisation  not named by the confirmation id\n"), "{status}");
    assert!(status.contains("\nfeatures      export\n"), "{status}");
    assert!(offline.does(&["key", "show"]).contains(" by a confirmation id, without an end"));
    let json = offline.json(&["status"]);
    assert_eq!((&json["way"], &json["key"]["by_code"]), (&"key".into(), &true.into()));
    assert_eq!(offline.json(&["key", "installation-id"])["letters"], *letters);
}

#[test]
fn another_key_leaves_what_the_first_has_activated_and_says_what_stays_counted() {
    let offline = Offline::with_key();
    let confirm = || {
        let read = offline.json(&["key", "installation-id"])["letters"].as_str().unwrap().to_owned();
        offline.does(&["key", "confirm", &confirmation(&read).text(CodeForm::Letters)])
    };
    confirm();
    let second = ProductKey::new(KeyKind::MultipleActivation, key().tag(), &[8; 10]);
    let [one, two] = [key(), second.clone()].map(|key| key.number().to_string());
    let entered = offline.does(&["key", "set", "--later", &second.to_string()]);
    let stays = format!(
        "What product key {one} has activated stays until key {two} is activated. To stay with {one}, enter it again.\n"
    );
    assert!(
        entered.starts_with(&format!("Key {two} is entered.\n")) && entered.ends_with(&stays),
        "{entered}"
    );
    let status = offline.does(&["status"]);
    assert!(status.contains("\nstate         licensed without end\n"), "{status}");
    assert!(
        status.contains(&format!(
            "key   {two}, not activated yet; what key {one} has activated stays until then\n"
        )),
        "{status}"
    );
    assert_eq!(offline.json(&["status"])["key"]["before"], *one);

    // The portal would need that key, and this machine has the second one.
    let (code, text) = offline.answer(&["release"]);
    let kept = format!("has not confirmed it for product key {one}, and this machine keeps its license.");
    assert!(code == 69 && text.contains("KEY_NOT_KEPT") && text.contains(&kept), "{text}");
    // To stay with the first one takes no portal.
    let again = offline.does(&["key", "set", &key().to_string()]);
    assert!(
        again.contains("\nIt has activated this machine already.\nstate         licensed without end"),
        "{again}"
    );

    offline.does(&["key", "set", "--later", &second.to_string()]);
    let done = confirm();
    let counted = format!("The vendor still counts this machine under product key {one}, too. `kms-client ");
    assert!(
        done.contains(&counted) && done.contains(&format!(" release --key {one}` gives that place back.")),
        "{done}"
    );
    offline.does(&["key", "set", "--later", &key().to_string()]);
    let cleared = offline.does(&["key", "clear"]);
    assert!(
        cleared.starts_with(&format!("Keys {one} and {two} are forgotten, and hosts are asked again.")),
        "{cleared}"
    );
    assert!(cleared.contains(&format!("counts the place of key {two} until `kms-client")), "{cleared}");
}

#[test]
fn a_wrong_group_is_named_and_nothing_is_changed() {
    let offline = Offline::with_key();
    let read = offline.json(&["key", "installation-id"])["digits"].as_str().unwrap().to_owned();
    let right = confirmation(&read).text(CodeForm::Letters);
    let mut groups: Vec<_> = right.split('-').collect();
    groups.swap(6, 7);
    let (code, line) = failure(offline.run(&["key", "confirm", &groups.join("-")]));
    assert_eq!(code, 65, "{line}");
    assert!(
        line.contains("CODE_MALFORMED: the code cannot be right: look at group 7, 8; compare these"),
        "{line}"
    );

    let other = Offline::with_key();
    let (code, line) = failure(other.run(&["key", "confirm", &right]));
    assert_eq!(code, 65, "{line}");
    assert!(line.contains("CODE_OTHER_INSTALLATION"), "{line}");
    assert_eq!(offline.json(&["status"])["licensed"], false);
    assert_eq!(other.json(&["key", "show"])["key"]["by_code"], false);
}

/// A scanner is a keyboard that ends its line with a key of its own, and nobody closes the input after it.
#[test]
fn a_scanner_types_the_confirmation_and_the_command_goes_on_by_itself() {
    for ending in ["\n", "\r\n", "\t\n"] {
        let offline = Offline::with_key();
        let read = offline.json(&["key", "installation-id"])["letters"].as_str().unwrap().to_owned();
        let mut listening = offline.listens();
        let mut keyboard = listening.stdin.take().unwrap();
        write!(keyboard, "{}{ending}", confirmation(&read).text(CodeForm::Letters)).unwrap();
        keyboard.flush().unwrap();
        let mut looks = 0..4000;
        while listening.try_wait().unwrap().is_none() {
            assert!(looks.next().is_some(), "it waits for the end of its input");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(listening.wait_with_output().unwrap().status.success());
        drop(keyboard);
        assert_eq!(offline.json(&["status"])["licensed"], true);
    }
}

#[test]
fn digits_are_typed_in_several_lines_and_an_input_that_ends_early_names_what_is_missing() {
    let offline = Offline::with_key();
    let read = offline.json(&["key", "installation-id"])["letters"].as_str().unwrap().to_owned();
    let digits = confirmation(&read).text(CodeForm::Digits);
    let groups: Vec<_> = digits.split('-').collect();
    let lines: Vec<_> = groups.chunks(4).map(|row| row.join(" ")).collect();
    let mut listening = offline.listens();
    write!(listening.stdin.take().unwrap(), "{}", lines[..7].join("\n")).unwrap();
    let (code, line) = failure(listening.wait_with_output().unwrap());
    assert_eq!((code, line.contains("look at group 29, 30, 31, 32;")), (65, true), "{line}");

    let mut listening = offline.listens();
    writeln!(listening.stdin.take().unwrap(), "{}", lines.join("\n")).unwrap();
    assert!(listening.wait_with_output().unwrap().status.success());
}

#[test]
fn without_a_key_or_a_code_key_it_says_what_comes_first_and_begins_no_state() {
    let machine = Machine::new();
    for command in [&["key", "installation-id"][..], &["key", "confirm", "123456"]] {
        let (code, line) = machine.failure(command);
        assert_eq!((code, line.contains("kms-client key set --later KEY")), (64, true), "{line}");
        assert!(std::fs::read_dir(machine.home.path()).unwrap().next().is_none(), "{command:?} has written");
    }
    // The remedy, followed. This product carries no code key.
    let typed = key().to_string();
    machine.answer(&["key", "set", "--later", &typed]);
    let (code, line) = machine.failure(&["key", "installation-id"]);
    assert_eq!(code, 69, "{line}");
    assert!(line.contains("CODES_NOT_TAKEN") && line.contains("kms-client proxy"), "{line}");
}

#[test]
fn a_code_key_that_does_not_hold_is_named_with_its_file() {
    let machine = Machine::new();
    let path = product_file(machine.home.path());
    let text = std::fs::read_to_string(&path).unwrap();
    let [before, after] = [1, 4].map(|number| HEXLOWER.encode(seed(number).public().as_bytes()));
    std::fs::write(&path, text.replace(&before, &after)).unwrap();
    let (code, line) = failure(crate::bare(&machine.home, &["--product", &path, "status"]));
    assert_eq!(code, 65, "{line}");
    assert!(line.contains("certificate 1 of the product's code keys: "), "{line}");
    assert!(line.contains("kms-vendor product file"), "{line}");
}
