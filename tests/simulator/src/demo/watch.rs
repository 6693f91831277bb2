//! Waits for something to become so, while one line on the terminal says how far it has come.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use anyhow::bail;
use kms_client::{Clock, SystemClock};
use world::HostProcess;

use super::fleet::{Fleet, Standing};

/// How often the line is drawn.
const EVERY: Duration = Duration::from_millis(100);

/// No single step of the story takes longer.
const LIMIT: Duration = Duration::from_secs(25);

/// What a watcher sees: the machines by their own state, and the host's count if it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) standing: Standing,
    pub(crate) count: Option<u64>,
}

/// Tells the steps of the story, and what goes on between them.
pub(crate) struct Teller {
    clock: SystemClock,
    chapter: u32,
    shown: Option<Seen>,
}

impl Teller {
    pub(crate) fn new() -> Teller {
        Teller { clock: SystemClock::new(), chapter: 0, shown: None }
    }

    pub(crate) fn chapter(&mut self, text: &str) {
        self.chapter += 1;
        println!("\n{}. {text}", self.chapter);
        self.shown = None;
    }

    /// Something that has just become so.
    pub(crate) fn note(&self, text: &str) {
        println!("   {:5.1} s  {text}", self.clock.monotonic().as_secs_f64());
    }

    /// Since the story began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.clock.monotonic()
    }

    /// Waits until `so`, and gives what was seen last.
    ///
    /// # Errors
    /// It did not become so in [`LIMIT`].
    pub(crate) async fn wait(
        &mut self,
        what: &str,
        host: Option<&HostProcess>,
        fleet: &Fleet,
        so: impl Fn(&Seen, &Fleet) -> bool,
    ) -> anyhow::Result<Seen> {
        let until = self.clock.monotonic() + LIMIT;
        loop {
            let count = match host {
                Some(host) => host.count().await.ok(),
                None => None,
            };
            let seen = Seen { standing: fleet.standing(), count };
            self.show(seen, fleet.len());
            if so(&seen, fleet) {
                end_line();
                return Ok(seen);
            }
            if until < self.clock.monotonic() {
                end_line();
                bail!("it did not come to this in {} s: {what}", LIMIT.as_secs());
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// On a terminal one line that changes; elsewhere a line for each change.
    fn show(&mut self, seen: Seen, machines: u64) {
        if self.shown == Some(seen) {
            return;
        }
        self.shown = Some(seen);
        let Standing { in_grace, licensed, lapsed, warned } = seen.standing;
        let count = seen.count.map_or("host away".to_owned(), |count| format!("count {count:2}"));
        let seconds = self.clock.monotonic().as_secs_f64();
        let line = format!(
            "   {seconds:5.1} s  {count:9}  machines {machines:2}: {in_grace:2} in grace, {licensed:2} licensed, \
             {lapsed:2} lapsed, {warned:2} show a notice"
        );
        if std::io::stdout().is_terminal() {
            print!("\r{line}");
        } else {
            println!("{line}");
        }
        // A line that cannot be shown is no reason to stop.
        let _ = std::io::stdout().flush();
    }
}

fn end_line() {
    if std::io::stdout().is_terminal() {
        println!();
    }
}
