//! `load` when something goes wrong with the tool or its host: nothing that was planned is left out of the figures, and
//! nothing that was measured is lost.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its set-up included")]

use std::io::{BufRead, BufReader, Lines, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

/// Some hundred asks, drawn from the usual seed.
const PLANNED: [&str; 6] = ["--machines", "20", "--rate", "60", "--seconds", "3"];

/// A tool that stood still over the end of a phase used to leave out what was due meanwhile: the worst latencies of all.
#[test]
fn a_tool_that_is_held_still_over_the_end_of_a_phase_leaves_nothing_out() {
    let mut undisturbed = Load::begin(&PLANNED);
    let planned = undisturbed.end();

    let mut load = Load::begin(&PLANNED);
    load.until("week");
    load.signal("-STOP");
    std::thread::sleep(Duration::from_secs(4));
    load.signal("-CONT");
    let held = load.end();

    let asked = |json: &Value| json["phases"][1]["asked"].as_u64().unwrap();
    assert!(100 < asked(&planned), "{planned}");
    assert_eq!(asked(&held), asked(&planned));
    let remarks = held["remarks"].to_string();
    assert!(remarks.contains("this program itself was late"), "{remarks}");
}

#[test]
fn a_run_that_is_ended_shows_what_it_has_measured_and_leaves_no_host_behind() {
    let mut load = Load::begin(&["--machines", "20", "--rate", "20", "--seconds", "120"]);
    load.until("week");
    let host = load.host();
    load.signal("-TERM");

    let json = load.end();

    assert_eq!(load.code, Some(1));
    assert!(json["errors"].to_string().contains("ended before its time"), "{}", load.said);
    assert!(0 < json["verified"]["leases"].as_u64().unwrap());
    assert!(!Path::new(&format!("/proc/{host}")).exists(), "the host is still there");
}

#[test]
fn a_host_that_dies_is_an_error_in_the_result_and_not_the_end_of_it() {
    let mut load = Load::begin(&["--machines", "20", "--rate", "20", "--seconds", "300"]);
    load.until("week");
    let host = load.host();
    assert!(Command::new("kill").args(["-KILL", &host.to_string()]).status().unwrap().success());

    let json = load.end();

    assert_eq!(load.code, Some(1));
    let errors = json["errors"].to_string();
    assert!(errors.contains("HOST_UNREACHABLE") && errors.contains("SIGKILL"), "{errors}");
    assert!(errors.contains("the host is gone") && !errors.contains("before its time"), "{errors}");
    let ended_s = json["phases"][1]["to_s"].as_f64().unwrap();
    assert!(ended_s < 100.0, "five minutes of failures tell nobody anything: {ended_s}");
    assert!(load.said.contains("NOT every expectation holds"), "{}", load.said);
}

/// A load that goes on. It is ended when a test fails, and its host with it.
struct Load {
    child: Child,
    progress: Lines<BufReader<ChildStderr>>,
    folder: tempfile::TempDir,
    code: Option<i32>,
    said: String,
}

impl Load {
    fn begin(arguments: &[&str]) -> Load {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_kms-simulator"));
        command.arg("load").args(arguments).arg("--out").arg(folder.path());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let progress = BufReader::new(child.stderr.take().unwrap()).lines();
        Load { child, progress, folder, code: None, said: String::new() }
    }

    /// Waits until the progress names this phase.
    fn until(&mut self, phase: &str) {
        let named = |line: &String| line.contains(phase);
        assert!(self.progress.by_ref().map(Result::unwrap).any(|line| named(&line)), "{phase} has not come");
    }

    fn signal(&self, signal: &str) {
        assert!(
            Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap().success()
        );
    }

    /// The process of its throwaway host.
    fn host(&self) -> u32 {
        let found = Command::new("pgrep").args(["-P", &self.child.id().to_string()]).output().unwrap();
        String::from_utf8(found.stdout).unwrap().trim().parse().unwrap()
    }

    /// Waits until it has ended, and reads its result.
    fn end(&mut self) -> Value {
        self.progress.by_ref().for_each(drop);
        self.child.stdout.take().unwrap().read_to_string(&mut self.said).unwrap();
        self.code = self.child.wait().unwrap().code();
        let json = std::fs::read_to_string(self.folder.path().join("load.json"));
        serde_json::from_str(&json.unwrap_or_else(|error| panic!("{error}: {}", self.said))).unwrap()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.signal("-CONT");
            self.signal("-TERM");
            let _ = self.child.wait();
        }
    }
}
