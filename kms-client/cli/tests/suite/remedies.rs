//! A command that this program prints works when it is pasted into the same shell.

use std::process::{Command, Output};

use shared::codes::CodeForm;

use crate::codes::{confirmation, key, product_file};
use crate::{Machine, command, nobody};

/// A person who names the product and the state on each command line, in folders with names that a shell takes apart.
struct Person {
    machine: Machine,
    options: [String; 6],
}

impl Person {
    fn new() -> Person {
        let machine = Machine::new();
        let folder = machine.home.path().join("Kate's files");
        std::fs::create_dir(&folder).unwrap();
        let product = product_file(&folder);
        let state = folder.join("its $STATE").display().to_string();
        let options = ["--product", &product, "--state", &state, "--domain", "corp.example"];
        let options = options.map(str::to_owned);
        Person { machine, options }
    }

    fn types(&self, arguments: &[&str]) -> String {
        let options = self.options.iter().map(String::as_str);
        let arguments: Vec<_> = options.chain(arguments.iter().copied()).collect();
        let mut command = command(&self.machine.home);
        text(command.env_remove("KMS_STATE").args(arguments).output().unwrap())
    }

    /// What a shell makes of this line.
    fn pastes(&self, line: &str) -> String {
        let program = command(&self.machine.home).get_program().to_owned();
        let folder = std::path::Path::new(&program).parent().unwrap().to_owned();
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", line]).current_dir(self.machine.home.path()).env("PATH", folder);
        text(shell.env_remove("KMS_STATE").env_remove("KMS_PRODUCT").output().unwrap())
    }
}

fn text(output: Output) -> String {
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

/// The commands in a text: between backticks, and on lines of their own.
fn commands(text: &str) -> Vec<String> {
    let quoted = text.split('`').skip(1).step_by(2);
    let lines = text.lines().filter_map(|line| line.strip_prefix("  "));
    let all = quoted.chain(lines).filter(|command| command.starts_with("kms-client "));
    all.map(str::to_owned).collect()
}

/// The remedies left out the options, so a pasted one was about another product, or about none.
#[test]
fn every_command_that_is_printed_names_the_product_and_the_state_and_works_when_it_is_pasted() {
    let person = Person::new();
    let typed = key().to_string();
    let other = shared::product_key::ProductKey::new(
        shared::product_key::KeyKind::MultipleActivation,
        key().tag(),
        &[8; 10],
    );
    let mut printed = vec![
        person.types(&["key", "installation-id"]),
        person.types(&["proxy", "collect", "asks.pem"]),
        person.types(&["key", "set", "--later", &typed]),
        person.types(&["status"]),
        person.types(&["status", "--json"]),
        person.types(&["key", "installation-id"]),
        person.types(&["activate", "--host", &nobody()]),
    ];
    let id: serde_json::Value =
        serde_json::from_str(&person.types(&["key", "installation-id", "--json"])).unwrap();
    let code = confirmation(id["letters"].as_str().unwrap()).text(CodeForm::Letters);
    person.types(&["key", "confirm", &code]);
    printed.push(person.types(&["key", "set", "--later", &other.to_string()]));
    printed.push(person.types(&["release"]));
    printed.push(person.types(&["key", "clear"]));
    printed.push(person.types(&["organisation", "show"]));
    printed.push(person.types(&["activate"]));
    printed.push(person.types(&["status", "--json"]));
    let mut pasted = 0;
    for text in &printed {
        for command in commands(&text.replace("\\\\", "\\")) {
            assert!(
                command.contains("its $STATE'") && command.contains("--domain corp.example "),
                "{command}"
            );
            // `KEY` stands for what only the person knows, and `-` is typed.
            if command.ends_with(" -") || command.split(' ').any(|word| word == "KEY" || word == "NAME") {
                continue;
            }
            let said = person.pastes(&command);
            assert!(!said.contains("no product is named") && !said.contains("Usage"), "{command}: {said}");
            assert!(!said.contains("not-begun") && !said.is_empty(), "{command}: {said}");
            pasted += 1;
        }
    }
    assert!(4 <= pasted, "{pasted}: {printed:#?}");
    assert!(
        !person.machine.home.path().join("4142434445464748494a4b4c4d4e4f50").exists(),
        "another state was begun"
    );
}

#[test]
fn options_from_the_environment_are_not_repeated() {
    let machine = Machine::begun();
    machine.answer(&["key", "set", "--later", &key().to_string()]);
    let (_, status) = machine.answer(&["status"]);
    assert!(status.contains("none before `kms-client activate`"), "{status}");
    let state = machine.home.path().display().to_string();
    let (_, status) = machine.answer(&["status", "--state", &state]);
    assert!(status.contains("none before `kms-client activate`"), "{status}");
    let (_, status) = machine.answer(&["status", "--dns", "10.0.0.53"]);
    assert!(status.contains("none before `kms-client --dns 10.0.0.53:53 activate`"), "{status}");
}
