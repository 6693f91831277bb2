//! `-` in place of a key or a code: somebody at a terminal is told what to type, and a pipe is not.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use shared::codes::CodeForm;

use crate::codes::{confirmation, key, product_file};
use crate::{Machine, bare, command};

const KEY: &str = "Product key, 25 characters in five groups: ";
const CODE: &str = "Confirmation id, a group or a row at a time:";

/// Runs the command, and types a line at a terminal of its own. `script` gives it one. Returns the exit code, and what was shown.
fn at_terminal(machine: &Machine, product: &str, arguments: &str, line: &str) -> (Option<i32>, String) {
    let program = command(&machine.home).get_program().to_owned().into_string().unwrap();
    let mut script = Command::new("script");
    script.args(["-qec", &format!("{program} --product {product} {arguments}"), "/dev/null"]);
    script.env("KMS_STATE", machine.home.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut running = script.spawn().unwrap();
    let mut keyboard = running.stdin.take().unwrap();
    writeln!(keyboard, "{line}").unwrap();
    let mut shown = String::new();
    running.stdout.take().unwrap().read_to_string(&mut shown).unwrap();
    (running.wait().unwrap().code(), shown)
}

/// It waited without a word, and for the end of the input.
#[test]
fn a_terminal_gets_a_prompt() {
    let machine = Machine::new();
    let product = product_file(machine.home.path());
    let (code, shown) = at_terminal(&machine, &product, "key set --later -", &key().to_string());
    assert!(code == Some(0) && shown.contains(KEY) && shown.contains(" is entered."), "{shown}");
    let json = bare(&machine.home, &["--product", &product, "key", "installation-id", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    let read = confirmation(json["letters"].as_str().unwrap()).text(CodeForm::Letters);
    let (code, shown) = at_terminal(&machine, &product, "key confirm -", &read);
    assert!(code == Some(0) && shown.contains(CODE) && shown.contains("Confirmed for key"), "{shown}");
}

/// All 32 groups were asked for again if one was mistyped.
#[test]
fn a_line_with_a_wrong_group_is_typed_again_and_no_other() {
    let machine = Machine::new();
    let product = product_file(machine.home.path());
    let entered = bare(&machine.home, &["--product", &product, "key", "set", "--later", &key().to_string()]);
    assert!(entered.status.success(), "{entered:?}");
    let json = bare(&machine.home, &["--product", &product, "key", "installation-id", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    for form in [CodeForm::Digits, CodeForm::Letters] {
        let rows = program::code::rows(&confirmation(json["letters"].as_str().unwrap()).text(form));
        let (before, after) = rows.split_at(rows.find("  C ").unwrap());
        let mistyped: String = after.lines().next().unwrap().chars().rev().collect();
        let typed = format!("{before}{mistyped}\n{after}");
        let (code, shown) = at_terminal(&machine, &product, "key confirm -", typed.trim_end());
        assert!(code == Some(0) && shown.contains("Confirmed for key"), "{shown}");
        assert!(shown.contains("Type this line again.") && !shown.contains("Wrong: group 8"), "{shown}");
    }
}

#[test]
fn a_pipe_gets_no_prompt_and_its_first_line_is_enough() {
    let machine = Machine::new();
    let product = product_file(machine.home.path());
    let mut listening = command(&machine.home);
    listening.args(["--product", &product, "key", "set", "--later", "-"]);
    let piped = listening.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = piped.spawn().unwrap();
    let mut keyboard = running.stdin.take().unwrap();
    writeln!(keyboard, "{}", key()).unwrap();
    let mut looks = 0..4000;
    while running.try_wait().unwrap().is_none() {
        assert!(looks.next().is_some(), "it waits for the end of its input");
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(keyboard);
    let output = running.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    assert!(!String::from_utf8(output.stdout).unwrap().contains(KEY));
}
