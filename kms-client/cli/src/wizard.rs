//! `wizard`: the library's wizard on standard input and output, in plain lines. So it works with a screen reader, over a slow line and
//! from a pipe.
//!
//! `screen` prints the steps. A user may leave at any time, by Ctrl-C or the end of the input: nothing is left half done.

mod screen;

use std::io::{self, BufRead as _, Read as _};
use std::pin::Pin;

use kms_client::wizard::{Wizard, WizardChoice, WizardStep, WizardTask};
use kms_client::{Client, GroupState, confirmation_groups};
use kms_client_texts::{Language, Texts};
use program::exit::{EX_IOERR, EX_UNAVAILABLE};
use zeroize::Zeroizing;

use crate::answer::{Answer, Failure};
use crate::cli::{Cli, WizardArguments};
use crate::given::GivenOptions;
use crate::{run, show};

use self::screen::Screen;

/// More than any key or code with dashes and spaces. The rest of a longer line is the next line.
const LINE_MAX_BYTES: u64 = 4096;

/// Leads the user to a license.
pub(crate) async fn wizard(
    client: &Client,
    arguments: &WizardArguments,
    cli: &Cli,
) -> Result<Answer, Failure> {
    let language = arguments.language.clone().unwrap_or_else(|| locale(&["LC_ALL", "LC_MESSAGES", "LANG"]));
    let country = match &arguments.language {
        Some(tag) if tag.contains(['-', '_']) => tag.clone(),
        _ => locale(&["LC_ALL", "LC_TELEPHONE", "LANG"]),
    };
    let stop = run::stop().map_err(|error| Failure::new(EX_IOERR, format!("no signals: {error}")))?;
    let mut dialog = Dialog {
        wizard: Wizard::start(client, &country),
        screen: Screen {
            texts: Texts::new(Language::from_tag(&language).unwrap_or_default()),
            language: tag(&language),
            qr: arguments.qr,
            given: GivenOptions::of(&cli.setting),
            on_stderr: cli.json,
        },
        confirmation: String::new(),
        stop: Box::pin(stop),
    };
    let went = dialog.run(client).await;
    went.map_err(|error| Failure::new(EX_IOERR, format!("the dialog has ended: {error}")))?;
    let is_done = dialog.wizard.is_over();
    let state = dialog.screen.texts.state(&client.state());
    let text = if is_done {
        format!("{state}\n")
    } else {
        format!("\n{}\n{state}\n", dialog.screen.text("left", &[]))
    };
    let json = show::snapshot_json(&client.snapshot());
    Ok(Answer { text, json, code: if is_done { 0 } else { EX_UNAVAILABLE } })
}

/// The first of these that is set.
fn locale(variables: &[&str]) -> String {
    let mut set = variables.iter().filter_map(|name| std::env::var(name).ok());
    set.find(|value| !value.is_empty()).unwrap_or_default()
}

/// The language tag of a locale: `nl-BE` for `nl_BE.UTF-8`.
fn tag(locale: &str) -> String {
    locale.split(['.', '@']).next().unwrap_or_default().replace('_', "-")
}

struct Dialog<Stop> {
    wizard: Wizard,
    screen: Screen,
    /// The groups of the confirmation id that were typed and are right.
    confirmation: String,
    stop: Pin<Box<Stop>>,
}

impl<Stop: Future<Output = ()>> Dialog<Stop> {
    /// Runs until the user is licensed, activates later, or leaves.
    async fn run(&mut self, client: &Client) -> io::Result<()> {
        // A machine that is licensed already may get another key.
        self.screen.show(&self.wizard, false)?;
        let mut is_first = true;
        while is_first || !self.wizard.is_over() {
            is_first = false;
            let Some(line) = self.line().await? else { return Ok(()) };
            let line = line.trim();
            let task = match self.wizard.step() {
                _ if line == "0" && !self.wizard.wants_text() => return Ok(()),
                _ if line.is_empty() && self.wizard.wants_text() && self.wizard.choices().is_empty() => {
                    return Ok(());
                }
                WizardStep::Confirmation if !line.is_empty() => {
                    let Some(code) = self.complete(line)? else { continue };
                    self.wizard.enter(&code)
                }
                WizardStep::EnterKey if !line.is_empty() => self.wizard.enter(line),
                _ => {
                    let Some(choice) = self.screen.chosen(&self.wizard, line) else {
                        self.screen.not_offered(&self.wizard)?;
                        continue;
                    };
                    self.wizard.choose(&choice)
                }
            };
            if let Some(task) = task {
                self.screen.show(&self.wizard, false)?;
                if !self.carry_out(task, client).await {
                    return Ok(());
                }
            }
            self.screen.show(&self.wizard, self.wizard.is_over())?;
        }
        Ok(())
    }

    /// Runs a task. Returns `false` if the user left before it ended.
    async fn carry_out(&mut self, task: WizardTask, client: &Client) -> bool {
        tokio::select! {
            done = task.run(client) => {
                self.wizard.finish(done);
                true
            }
            () = &mut self.stop => false,
        }
    }

    /// The next line, or `None` if the user leaves. It is read on a thread of its own, so that Ctrl-C need not wait for it.
    async fn line(&mut self) -> io::Result<Option<Zeroizing<String>>> {
        let reading = tokio::task::spawn_blocking(|| {
            let mut bytes = Zeroizing::new(Vec::new());
            let read = io::stdin().lock().take(LINE_MAX_BYTES).read_until(b'\n', &mut bytes);
            read.map(|read| (read != 0).then(|| Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned())))
        });
        tokio::select! {
            read = reading => read.map_err(io::Error::other)?,
            () = &mut self.stop => Ok(None),
        }
    }

    /// Adds a line to the confirmation id, and returns it as soon as it is whole. A line with a wrong group is not taken.
    fn complete(&mut self, line: &str) -> io::Result<Option<String>> {
        let begun = |text: &str| {
            confirmation_groups(text).into_iter().take_while(|group| *group == GroupState::Right).count()
        };
        let more = format!("{} {line}", self.confirmation);
        let groups = confirmation_groups(&more);
        let wrong = groups.iter().zip(1..).filter(|(group, _)| matches!(group, GroupState::Wrong(_)));
        let wrong: Vec<String> = wrong.map(|(_, number)| number.to_string()).collect();
        if !wrong.is_empty() {
            let next = (begun(&self.confirmation) + 1).to_string();
            self.screen
                .say(&self.screen.text("groups-wrong", &[("groups", &wrong.join(", ")), ("next", &next)]))?;
            return Ok(None);
        }
        self.confirmation = more;
        let right = begun(&self.confirmation);
        if right == groups.len() {
            return Ok(Some(std::mem::take(&mut self.confirmation)));
        }
        let [next, all] = [right + 1, groups.len()].map(|number| number.to_string());
        self.screen.say(&self.screen.text("groups-right", &[("next", &next), ("all", &all)]))?;
        Ok(None)
    }
}

/// Whether a choice is meant by this line: by its number, or by the code or name of a country.
fn is_meant(choice: &WizardChoice, label: &str, number: usize, line: &str) -> bool {
    let is_code = matches!(choice, WizardChoice::Country(code) if code.as_str().eq_ignore_ascii_case(line));
    line == number.to_string() || is_code || label.to_lowercase() == line.to_lowercase()
}
