//! `wizard` from a pipe, as a script or a screen reader drives it: a line is asked, and a line is answered.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use data_encoding::HEXLOWER;
use expect_test::expect;
use prost::Message as _;
use serde_json::Value;
use shared::codes::CodeForm;
use shared::envelope::Kind;
use shared::product_key::{KeyKind, ProductKey};
use shared::telephones::{TelephoneCountry, TelephoneNumber, Telephones};

use crate::codes::{confirmation, key, product_file, seed};
use crate::{Machine, command};

/// The product of codes, with numbers to call.
fn with_numbers(folder: &Path) -> String {
    let number = |region: &str, number: &str| TelephoneNumber {
        region: region.to_owned(),
        kinds: vec![KeyKind::MultipleActivation],
        number: number.to_owned(),
        text_telephone: "+32 2 555 0199".to_owned(),
        hours: "Mon-Fri 8:00-18:00".to_owned(),
        languages: vec!["nl".to_owned(), "fr".to_owned()],
    };
    let names =
        |names: [(&str, &str); 2]| names.map(|(tag, name)| (tag.to_owned(), name.to_owned())).to_vec();
    let countries = vec![
        TelephoneCountry {
            code: "BE".parse().unwrap(),
            names: names([("en", "Belgium"), ("fr", "Belgique")]),
            numbers: vec![number("Vlaanderen", "+32 2 555 0100"), number("Wallonie", "+32 2 555 0101")],
        },
        TelephoneCountry {
            code: "NL".parse().unwrap(),
            names: names([("en", "Netherlands"), ("fr", "Pays-Bas")]),
            numbers: vec![number("", "+31 20 555 0100")],
        },
    ];
    let signed = seed(1).sign(Kind::Telephones, &Telephones::new(vec![], countries).unwrap().encode());
    let path = product_file(folder);
    let text = std::fs::read_to_string(&path).unwrap();
    let signed = HEXLOWER.encode(&signed.encode_to_vec());
    std::fs::write(&path, format!("{text}telephones = \"{signed}\"\nportal = \"https://localhost:1\"\n"))
        .unwrap();
    path
}

struct Pipe {
    machine: Machine,
    product: String,
}

impl Pipe {
    fn new() -> Pipe {
        let machine = Machine::new();
        let product = with_numbers(machine.home.path());
        Pipe { machine, product }
    }

    /// The exit code, and all that was asked, for these answers.
    fn wizard(&self, arguments: &[&str], lines: &[&str]) -> (i32, String) {
        let mut command = command(&self.machine.home);
        command.args(["--product", &self.product, "wizard"]).args(arguments);
        for variable in ["LC_ALL", "LC_MESSAGES", "LC_TELEPHONE", "LANG"] {
            command.env_remove(variable);
        }
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // It may leave before it has read all.
        let _ = child.stdin.take().unwrap().write_all(lines.join("\n").as_bytes());
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap(), text)
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output =
            crate::bare(&self.machine.home, &[&["--product", &self.product, "--json"], arguments].concat());
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

#[test]
fn a_user_enters_a_key_for_later_and_goes_on_the_next_time() {
    let pipe = Pipe::new();
    let typed = key().to_string();
    let (code, text) = pipe.wizard(&[], &[&typed.replace('-', " "), "2"]);
    assert_eq!(code, 0, "{text}");
    expect![[r"

        Type the product key: five groups of five characters.
        An empty line leaves.

        One moment, please.

        Product key NUMBER is kept on this computer. Activate it now, or later?
          1. Activate now
          2. Activate later
          3. Enter another product key
          0. Leave

        The product key stays on this computer. The software asks again at its next start.
        A product key has been entered, and this software is not activated with it yet. Connect to the internet and activate; the software works in the meantime.
    "]]
    .assert_eq(&text.replace(&key().number().to_string(), "NUMBER"));
    assert!(!text.contains(&typed[..5]), "the key is not repeated");

    let (code, text) = pipe.wizard(&[], &["1", "0"]);
    assert_eq!(code, 69, "{text}");
    assert!(
        text.contains("\nHow do you want to activate?\n  1. Over the internet\n  2. By telephone\n"),
        "{text}"
    );
    assert!(text.contains("\nNothing is lost. The next time, it continues here.\n"), "{text}");
    assert_eq!(pipe.json(&["status"])["key"]["number"], key().number().to_string());
}

#[test]
fn a_user_without_a_connection_telephones_in_their_own_language() {
    let pipe = Pipe::new();
    let typed = key().to_string();
    pipe.wizard(&[], &[&typed, "2"]);
    let read = pipe.json(&["key", "installation-id"]);
    let code = confirmation(read["digits"].as_str().unwrap()).text(CodeForm::Digits);
    let groups: Vec<_> = code.split('-').collect();
    let swapped = [groups[5], groups[4]].join(" ");
    // Now, internet, no connection; telephone, the country that the language proposes, Wallonie, and the two codes.
    let mut lines = vec!["1", "1", "2", "", "2", "1", "1"];
    let [first, rest] = [groups[..4].join(" "), groups[4..].join("-")];
    lines.extend([first.as_str(), swapped.as_str(), rest.as_str()]);
    let (exit, text) = pipe.wizard(&["--language", "fr-BE"], &lines);
    assert_eq!(exit, 0, "{text}");
    for said in [
        "Il n’y a pas de connexion avec l’éditeur.",
        "  1. Belgique\n  2. Pays-Bas\n",
        "Une ligne vide choisit : Belgique.",
        "  1. Vlaanderen\n  2. Wallonie\n",
        "  Téléphone : +32 2 555 0101\n  Téléphone textuel : +32 2 555 0199\n  Région : Wallonie\n  Horaires : Mon-Fri 8:00-18:00\n  Langues : nl, fr\n",
        "Continuez avec le groupe 5 sur 32.",
        "Groupes faux : 5, 6. Cette ligne n’a pas été prise : saisissez-la de nouveau, à partir du groupe 5.",
        "Ce logiciel est activé.",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert!(text.contains(&first_row(read["digits"].as_str().unwrap())), "{text}");
    assert_eq!(pipe.json(&["status"])["key"]["by_code"], true);
}

#[test]
fn a_user_is_told_what_becomes_of_the_key_before() {
    let pipe = Pipe::new();
    let second = ProductKey::new(KeyKind::MultipleActivation, key().tag(), &[8; 10]);
    pipe.wizard(&[], &[&key().to_string(), "2"]);
    let confirm = || {
        let read = pipe.json(&["key", "installation-id"])["digits"].as_str().unwrap().to_owned();
        confirmation(&read).text(CodeForm::Letters)
    };
    pipe.json(&["key", "confirm", &confirm()]);
    let number = key().number();
    let (_, text) = pipe.wizard(&["--language", "nl"], &["1", &second.to_string(), "2"]);
    let stays = format!("\nTot dan blijft productsleutel {number} actief.\n");
    assert!(
        text.matches(&stays).count() == 2 && text.ends_with("Gelicentieerd zonder einddatum.\n"),
        "{text}"
    );
    // Now, by telephone from the Netherlands, and the code.
    let (_, text) = pipe.wizard(&[], &["1", "2", "nl", "1", "1", &confirm()]);
    let counted = format!("The vendor still counts this computer under product key {number}, too.\n");
    let remedy = format!(
        "This gives that place back: `kms-client --product {} release --key {number}`\n",
        pipe.product
    );
    assert!(text.contains(&(counted + &remedy)), "{text}");
}

/// The first row of a code.
fn first_row(code: &str) -> String {
    format!("  A   {}\n", code.split('-').take(4).collect::<Vec<_>>().join("   "))
}

#[test]
fn a_wrong_group_is_named_and_an_empty_line_goes_back() {
    let pipe = Pipe::new();
    let typed = key().to_string();
    let mut wrong = typed.clone().into_bytes();
    wrong[13] = if wrong[13] == b'7' { b'8' } else { b'7' };
    let wrong = String::from_utf8(wrong).unwrap();
    let (code, text) = pipe.wizard(&["--language", "de"], &[&wrong, &typed, "3", "", "0"]);
    assert_eq!(code, 69, "{text}");
    assert!(text.contains("Gruppe 3"), "{text}");
    assert!(text.contains("\nEine leere Zeile führt zurück.\n"), "{text}");
    assert_eq!(text.matches("Jetzt aktivieren oder später?").count(), 2, "{text}");
    for odd in ["7", "-1", "no", "\u{1b}[2J", ""] {
        let (_, text) = pipe.wizard(&[], &[odd, "0"]);
        assert!(text.contains("\nType a number from 0 to 3.\n"), "{odd:?}: {text}");
        assert!(!text.contains('\u{1b}'));
    }
}

#[test]
fn the_language_and_the_country_are_those_of_the_locale() {
    let pipe = Pipe::new();
    pipe.wizard(&[], &[&key().to_string(), "2"]);
    let mut command = command(&pipe.machine.home);
    command.args(["--product", &pipe.product, "wizard"]).env("LC_ALL", "fr_BE.UTF-8").stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"1\n2\n").unwrap();
    let text = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    assert!(
        text.contains("  1. Belgique\n") && text.contains("Une ligne vide choisit : Belgique."),
        "{text}"
    );
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_in_order_and_the_key_stays() {
    let pipe = Pipe::new();
    let mut command = command(&pipe.machine.home);
    command.args(["--product", &pipe.product, "wizard"]).env("LC_ALL", "C");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "{}", key()).unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("0. ") {
        line.clear();
        assert_ne!(said.read_line(&mut line).unwrap(), 0, "it has ended by itself");
    }
    let signalled = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(signalled.success());
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(69), "{rest}");
    assert!(rest.contains("Nothing is lost."), "{rest}");
    assert_eq!(pipe.json(&["status"])["state"], "key-entered");
}

#[test]
fn json_is_the_only_thing_on_standard_output() {
    let pipe = Pipe::new();
    let mut command = command(&pipe.machine.home);
    command.args(["--product", &pipe.product, "wizard", "--json"]).env("LC_ALL", "C");
    let output = command.stdin(Stdio::null()).output().unwrap();
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), json["way"].as_str()), (Some(69), Some("hosts")));
    assert!(String::from_utf8(output.stderr).unwrap().contains("Type the product key"));
}

#[test]
fn the_installation_id_is_a_qr_code_where_that_is_wanted() {
    let pipe = Pipe::new();
    pipe.wizard(&[], &[&key().to_string(), "2"]);
    let to_the_id = ["1", "2", "nl", "1"];
    let [without, with] = [&[][..], &["--qr"]].map(|arguments| pipe.wizard(arguments, &to_the_id).1);
    assert!(!without.contains('█') && with.contains('█'), "{with}");
}
