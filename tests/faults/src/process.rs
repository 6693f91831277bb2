//! Other processes: this program in its hidden roles, and the commands of the system.
//!
//! What the roles do is in `load.rs`.

use std::env;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::subject::Subject;
use crate::verdict::Found;

/// How long a loader may be silent. A sync takes milliseconds; one that takes this long will not come.
const SILENCE: Duration = Duration::from_mins(1);

/// The most batches that a failing disk may still take, because it has room for them already.
const MOST_AFTER_A_FAILURE: u32 = 20_000;

/// What is loaded: an engine or a database, a directory, a seed for what is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Loaded<'a> {
    pub(crate) subject: Subject,
    /// Of PostgreSQL, the URL.
    pub(crate) directory: &'a Path,
    pub(crate) seed: u64,
}

impl Loaded<'_> {
    fn role(&self, role: &str) -> anyhow::Result<Command> {
        let program = env::current_exe().context("this program does not find itself")?;
        let mut command = Command::new(program);
        command.args([role, "--store", self.subject.name(), "--seed", &self.seed.to_string(), "--directory"]);
        command.arg(self.directory).stdin(Stdio::null()).stdout(Stdio::piped());
        Ok(command)
    }

    /// What a second process finds in it. One that dies of it could not open it.
    ///
    /// # Errors
    /// That process did not start, or spoke out of turn.
    pub(crate) fn check(&self) -> anyhow::Result<Found> {
        let output = self.role("check")?.stderr(Stdio::inherit()).output().context("start the check")?;
        if !output.status.success() {
            return Ok(Found::Closed { reason: format!("the check ended with {}", output.status) });
        }
        String::from_utf8(output.stdout)?.trim_end().parse().context("read what the check found")
    }
}

/// A process that loads a store. Dropping it kills it and waits until it is gone.
pub(crate) struct Loader {
    child: Child,
    acknowledgements: Receiver<u64>,
    last: u64,
}

impl Loader {
    /// Starts loading, from where the store ends.
    pub(crate) fn start(what: Loaded<'_>, no_sync: bool) -> anyhow::Result<Loader> {
        let mut command = what.role("load")?;
        if no_sync {
            command.arg("--no-sync");
        }
        let mut child = command.spawn().context("start the loader")?;
        let stdout = child.stdout.take().context("the loader has no stdout")?;
        let (sender, acknowledgements) = mpsc::channel();
        thread::spawn(move || pass_on(stdout, &sender));
        Ok(Loader { child, acknowledgements, last: 0 })
    }

    /// Waits for its next acknowledgement.
    ///
    /// # Errors
    /// It ended, or is silent for too long. It has then said why on stderr.
    pub(crate) fn next(&mut self) -> anyhow::Result<u64> {
        match self.acknowledgements.recv_timeout(SILENCE) {
            Ok(number) => self.last = number,
            Err(RecvTimeoutError::Timeout) => bail!("the loader has acknowledged nothing for {SILENCE:?}"),
            Err(RecvTimeoutError::Disconnected) => bail!("the loader ended by itself"),
        }
        Ok(self.last)
    }

    /// The last batch that it acknowledged until now; 0 if none.
    pub(crate) fn so_far(&mut self) -> u64 {
        self.last = self.acknowledgements.try_iter().last().unwrap_or(self.last);
        self.last
    }

    /// Waits until it has ended by itself; the last batch that it acknowledged, 0 if none.
    ///
    /// # Errors
    /// It goes on, or is silent for too long.
    pub(crate) fn ended(mut self) -> anyhow::Result<u64> {
        for _ in 0..MOST_AFTER_A_FAILURE {
            match self.acknowledgements.recv_timeout(SILENCE) {
                Ok(number) => self.last = number,
                Err(RecvTimeoutError::Timeout) => bail!("the loader does not end within {SILENCE:?}"),
                Err(RecvTimeoutError::Disconnected) => return Ok(self.last),
            }
        }
        bail!("the loader goes on, though its disk fails")
    }

    /// SIGKILL, without waiting until it is gone.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill().context("kill the loader")
    }

    /// Waits until a killed loader is gone.
    pub(crate) fn wait(&mut self) -> anyhow::Result<()> {
        self.child.wait().context("wait for the loader").map(drop)
    }

    /// The last batch that a killed loader acknowledged, once all that it said is read; 0 if none.
    pub(crate) fn in_the_end(self) -> u64 {
        self.acknowledgements.iter().last().unwrap_or(self.last)
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Passes on every whole line, until the loader is gone. A line that a kill has cut is no acknowledgement.
fn pass_on(stdout: ChildStdout, sender: &Sender<u64>) {
    let mut stdout = BufReader::new(stdout);
    let mut line = String::new();
    while stdout.read_line(&mut line).is_ok() {
        let Some(Ok(number)) = line.strip_suffix('\n').map(str::parse) else {
            return;
        };
        if sender.send(number).is_err() {
            return;
        }
        line.clear();
    }
}

/// Runs a command of the system to its end.
///
/// # Errors
/// It is not there, or it failed; the error has what it said.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.output().with_context(|| format!("start {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(())
}
