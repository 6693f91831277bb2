//! The process that keeps running: what it prints, and how it ends.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use crate::{Machine, PRODUCT, command, nobody};

#[test]
fn a_run_says_each_change_on_a_line_and_ends_when_it_is_told_to() {
    let (machine, address) = (Machine::new(), nobody());
    let mut command = command(&machine.home);
    command.args(["run", "--product", PRODUCT, "--host", &address]).stdout(Stdio::piped());
    let mut run = Running(command.spawn().unwrap());
    let (said, lines) = mpsc::channel();
    let stdout = BufReader::new(run.0.stdout.take().unwrap());
    std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| said.send(line)));
    let line = || lines.recv_timeout(PATIENCE);

    assert!(line().unwrap().contains("Z  not activated, in grace until "));
    let change = line().unwrap();
    assert!(change.contains(" | ") && change.contains(&format!("no connection to {address}")), "{change}");
    let told = Command::new("kill").args(["-INT", &run.0.id().to_string()]).status().unwrap();
    assert!(told.success());
    assert_eq!(line(), Err(RecvTimeoutError::Disconnected));
    assert_eq!(run.0.wait().unwrap().code(), Some(0));
}

/// How long a line may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A process that is killed when its story ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
