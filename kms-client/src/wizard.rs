//! The wizard: from a product key to a license, one step at a time, for a product's own dialog.
//!
//! A [`Wizard`] draws nothing and waits for nothing. The dialog shows its [`step`](Wizard::step), a button for each of its
//! [`choices`](Wizard::choices), and a field if it [wants text](Wizard::wants_text). Tell it what the user does
//! ([`choose`](Wizard::choose), [`enter`](Wizard::enter)). If it returns a [`WizardTask`], run that without blocking the screen, and
//! hand the result back ([`finish`](Wizard::finish)).
//!
//! ```no_run
//! use kms_client::Client;
//! use kms_client::wizard::{Wizard, WizardChoice};
//!
//! # struct Dialog;
//! # enum Done { Pressed(WizardChoice), Typed(String), Closed }
//! # impl Dialog { fn show(&self, _: &Wizard) {} async fn next(&self) -> Done { Done::Closed } }
//! # async fn dialog(license: &Client, dialog: &Dialog) {
//! let mut wizard = Wizard::start(license, "nl_NL.UTF-8");
//! while !wizard.is_over() {
//!     dialog.show(&wizard);
//!     let task = match dialog.next().await {
//!         Done::Pressed(choice) => wizard.choose(&choice),
//!         Done::Typed(text) => wizard.enter(&text),
//!         Done::Closed => return,
//!     };
//!     if let Some(task) = task {
//!         dialog.show(&wizard);
//!         wizard.finish(task.run(license).await);
//!     }
//! }
//! dialog.show(&wizard);
//! # }
//! ```
//!
//! **Nothing is lost by leaving.** A key is on the disk as soon as it is accepted, and the next wizard goes on from there. The portal is
//! not asked before the user chooses to. At its next start, a product shows the wizard again if
//! [`Snapshot::is_activation_put_off`](crate::Snapshot::is_activation_put_off).
//!
//! `step` defines steps and choices, `task` does what has to wait. Texts in four languages are in the crate
//! `kms-client-texts`, by the `text_key` of a step or choice.

mod step;
mod task;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use shared::product_key::{KeyKind, KeyNumber};
use shared::reason::{Cause, Reason};
use shared::telephones::{CountryCode, TelephoneCountry, TelephoneNumber, Telephones};

use crate::client::Client;
use crate::codes::InstallationCode;
use crate::outcome::Outcome;
use crate::snapshot::Snapshot;

use self::task::{JobResult, WizardJob};

pub use self::step::{WizardChoice, WizardStep};
pub use self::task::{WizardDone, WizardTask};

/// The keys that license machines.
const KIND: KeyKind = KeyKind::MultipleActivation;

/// Where a user is on the way to a license.
#[derive(Clone, Debug)]
pub struct Wizard {
    offered: Offered,
    step: WizardStep,
    problem: Option<Cause>,
    key: Option<WizardKey>,
    country: Option<CountryCode>,
    region: Option<String>,
    code: Option<InstallationCode>,
    /// The last task, and the step that gave it.
    job: WizardJob,
    given_at: WizardStep,
    /// Counts the tasks, so that the result of an earlier one does not answer what the user sees now.
    turn: u64,
}

/// The product key on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct WizardKey {
    number: KeyNumber,
    /// Whether it licenses this machine.
    is_licensed: bool,
    /// The old key, if that has activated this machine.
    before: Option<KeyNumber>,
}

impl WizardKey {
    fn of(snapshot: &Snapshot) -> Option<WizardKey> {
        let key = snapshot.key?;
        let is_licensed = snapshot.is_licensed_by_key();
        Some(WizardKey { number: key.number, is_licensed, before: key.before })
    }

    /// What to show of it first.
    fn step(self) -> WizardStep {
        if self.is_licensed { WizardStep::Licensed } else { WizardStep::NowOrLater }
    }
}

/// What the product offers. It does not change while a wizard runs.
#[derive(Clone, Debug)]
struct Offered {
    internet: bool,
    codes: bool,
    telephones: Option<Arc<Telephones>>,
    guess: Option<CountryCode>,
}

impl Wizard {
    /// Begins where this machine stands: without a key, with one that is not activated, or licensed by one. `locale` is the user's, such
    /// as `de-AT` or `nl_NL.UTF-8`; the country in it is proposed for the telephone.
    pub fn start(client: &Client, locale: &str) -> Wizard {
        let terms = &client.shell.terms;
        let codes = !terms.code_keys.is_empty();
        let offered = Offered {
            // Without either, the portal's error says so.
            internet: terms.keys.portal.is_some() || !codes,
            codes,
            telephones: terms.telephones.clone(),
            guess: CountryCode::of_locale(locale),
        };
        Wizard::begin(offered, &client.snapshot())
    }

    fn begin(offered: Offered, snapshot: &Snapshot) -> Wizard {
        let key = WizardKey::of(snapshot);
        let step = key.map_or(WizardStep::EnterKey, WizardKey::step);
        Wizard {
            offered,
            step: step.clone(),
            problem: None,
            key,
            country: None,
            region: None,
            code: None,
            job: WizardJob::Activate,
            given_at: step,
            turn: 0,
        }
    }

    /// What to show.
    pub fn step(&self) -> &WizardStep {
        &self.step
    }

    /// Why the last text was not taken, such as which groups are wrong: to be shown beside the field.
    pub fn problem(&self) -> Option<&Cause> {
        self.problem.as_ref()
    }

    /// The public number of the key that is entered on this machine.
    pub fn key(&self) -> Option<KeyNumber> {
        self.key.map(|key| key.number)
    }

    /// The public number of the old key, if one has activated this machine before. It licenses this machine until the
    /// [key](Wizard::key) is activated (say so: `wizard.key-before`). At the step [`Licensed`](WizardStep::Licensed) the vendor still counts
    /// its place (`wizard.key-replaced`), until [`Client::release_key`] gives that back.
    pub fn key_before(&self) -> Option<KeyNumber> {
        self.key.and_then(|key| key.before)
    }

    /// Whether the user types here: a product key, or a confirmation id.
    pub fn wants_text(&self) -> bool {
        matches!(self.step, WizardStep::EnterKey | WizardStep::Confirmation)
    }

    /// Whether the user has come to an end: licensed, or put off.
    pub fn is_over(&self) -> bool {
        matches!(self.step, WizardStep::Licensed | WizardStep::Later)
    }

    /// What the user may choose here, in the order of the buttons. Leaving is always possible, and needs no call.
    pub fn choices(&self) -> Vec<WizardChoice> {
        let mut choices = match &self.step {
            WizardStep::NowOrLater => vec![WizardChoice::Now, WizardChoice::Later, WizardChoice::OtherKey],
            WizardStep::Way => vec![WizardChoice::Internet, WizardChoice::Telephone],
            WizardStep::NoConnection(_) => vec![WizardChoice::Retry],
            WizardStep::Failed(_) => vec![WizardChoice::Retry, WizardChoice::OtherKey],
            WizardStep::Country => {
                self.countries().iter().map(|country| WizardChoice::Country(country.code)).collect()
            }
            WizardStep::Region => {
                self.regions().into_iter().map(|region| WizardChoice::Region(region.to_owned())).collect()
            }
            WizardStep::Numbers | WizardStep::InstallationId(_) => vec![WizardChoice::Continue],
            WizardStep::Licensed => vec![WizardChoice::OtherKey],
            WizardStep::EnterKey | WizardStep::Working | WizardStep::Confirmation | WizardStep::Later => {
                vec![]
            }
        };
        if self.telephone_may_help() {
            choices.push(WizardChoice::Telephone);
        }
        if self.before().is_some() {
            choices.push(WizardChoice::Back);
        }
        choices
    }

    /// Takes the user's choice. One that is not among the [`choices`](Wizard::choices) changes nothing.
    #[must_use = "a task does nothing until it is run"]
    pub fn choose(&mut self, choice: &WizardChoice) -> Option<WizardTask> {
        if !self.choices().contains(choice) {
            return None;
        }
        self.problem = None;
        match choice {
            WizardChoice::Now if self.has_both_ways() => self.show(WizardStep::Way),
            WizardChoice::Now if self.offered.codes => self.call(),
            WizardChoice::Now | WizardChoice::Internet => Some(self.give(WizardJob::Activate, "")),
            WizardChoice::Later => self.show(WizardStep::Later),
            WizardChoice::Telephone => self.call(),
            WizardChoice::Retry => Some(self.give(self.job, "")),
            WizardChoice::OtherKey => self.show(WizardStep::EnterKey),
            WizardChoice::Country(code) => {
                (self.country, self.region) = (Some(*code), None);
                let has_regions = !self.regions().is_empty();
                self.show(if has_regions { WizardStep::Region } else { WizardStep::Numbers })
            }
            WizardChoice::Region(region) => {
                self.region = Some(region.clone());
                self.show(WizardStep::Numbers)
            }
            WizardChoice::Continue if self.step == WizardStep::Numbers => {
                Some(self.give(WizardJob::InstallationId, ""))
            }
            WizardChoice::Continue => self.show(WizardStep::Confirmation),
            WizardChoice::Back => {
                let before = self.before();
                before.and_then(|step| self.show(step))
            }
        }
    }

    /// Takes the whole key or confirmation id that the user has typed. [`KeyText`](crate::KeyText) and
    /// [`confirmation_groups`](crate::confirmation_groups) say which groups are wrong while it is not whole yet.
    #[must_use = "a task does nothing until it is run"]
    pub fn enter(&mut self, text: &str) -> Option<WizardTask> {
        let job = match self.step {
            WizardStep::EnterKey => WizardJob::EnterKey,
            WizardStep::Confirmation => WizardJob::Confirm,
            _ => return None,
        };
        self.problem = None;
        Some(self.give(job, text))
    }

    /// Takes the result of a task. If the user has gone back meanwhile, a license still counts.
    pub fn finish(&mut self, done: WizardDone) {
        if let JobResult::Key(Ok(key)) = &done.answered {
            self.key = Some(*key);
            if self.step == WizardStep::NowOrLater {
                self.step = key.step();
            }
        }
        if done.turn != self.turn {
            return;
        }
        let is_awaited = self.step == WizardStep::Working;
        self.step = match done.answered {
            JobResult::Activated(Ok(Outcome::Confirmed { .. } | Outcome::Leased { .. }))
            | JobResult::Confirmed(Ok(())) => {
                self.key = self.key.map(|key| WizardKey { is_licensed: true, ..key });
                WizardStep::Licensed
            }
            _ if !is_awaited => return,
            JobResult::Key(Ok(key)) => key.step(),
            JobResult::Installation(Ok(code)) => {
                self.code = Some(code);
                WizardStep::InstallationId(code)
            }
            JobResult::Key(Err(cause)) | JobResult::Confirmed(Err(cause)) => {
                self.problem = Some(cause);
                self.given_at.clone()
            }
            JobResult::Activated(Err(cause)) | JobResult::Installation(Err(cause)) => {
                WizardStep::failed(cause)
            }
            JobResult::Activated(Ok(outcome)) => {
                // Without a cause it was no portal that has answered: another process has cleared the key.
                let cause = outcome.cause().cloned();
                WizardStep::failed(cause.unwrap_or_else(|| Reason::KeyMissing.into()))
            }
        };
    }

    /// The countries that have a number for this kind of key.
    pub fn countries(&self) -> Vec<&TelephoneCountry> {
        self.offered.telephones.iter().flat_map(|telephones| telephones.countries_for(KIND)).collect()
    }

    /// The country that was chosen; before that, the one that the user's locale proposes.
    pub fn country(&self) -> Option<&TelephoneCountry> {
        let code = self.country.or(self.offered.guess)?;
        self.countries().into_iter().find(|country| country.code == code)
    }

    /// The regions of the country.
    pub fn regions(&self) -> Vec<&str> {
        self.country().map(|country| country.regions(KIND)).unwrap_or_default()
    }

    /// The numbers to call for the country and region. None if the product carries no numbers.
    pub fn numbers(&self) -> Vec<&TelephoneNumber> {
        let region = self.region.as_deref();
        self.country().map(|country| country.numbers_for(KIND, region)).unwrap_or_default()
    }

    fn show(&mut self, step: WizardStep) -> Option<WizardTask> {
        self.step = step;
        None
    }

    fn give(&mut self, job: WizardJob, text: &str) -> WizardTask {
        self.given_at = std::mem::replace(&mut self.step, WizardStep::Working);
        self.job = job;
        self.turn += 1;
        WizardTask::new(self.turn, job, text)
    }

    /// The first step on the telephone.
    fn call(&mut self) -> Option<WizardTask> {
        if self.countries().is_empty() {
            Some(self.give(WizardJob::InstallationId, ""))
        } else {
            self.show(WizardStep::Country)
        }
    }

    fn has_both_ways(&self) -> bool {
        self.offered.internet && self.offered.codes
    }

    /// Whether the user may telephone after this failure.
    fn telephone_may_help(&self) -> bool {
        let is_sold = |cause: &Cause| {
            !matches!(cause.reason(), Some(Reason::KeyUnknown | Reason::KeyBlocked | Reason::KeyEnded))
        };
        let may_help = match &self.step {
            WizardStep::NoConnection(_) => true,
            WizardStep::Failed(cause) => is_sold(cause),
            _ => false,
        };
        self.offered.codes && self.job == WizardJob::Activate && may_help
    }

    /// The step to which Back leads.
    fn before(&self) -> Option<WizardStep> {
        let way = if self.has_both_ways() { WizardStep::Way } else { WizardStep::NowOrLater };
        let call = if self.countries().is_empty() { way.clone() } else { WizardStep::Numbers };
        match &self.step {
            WizardStep::EnterKey => self.key.map(WizardKey::step),
            // Its way back is to enter another key.
            WizardStep::NowOrLater | WizardStep::Licensed => None,
            WizardStep::Way | WizardStep::Later => Some(WizardStep::NowOrLater),
            WizardStep::Working => Some(self.given_at.clone()),
            WizardStep::Failed(_) if self.job == WizardJob::InstallationId => Some(call),
            WizardStep::NoConnection(_) | WizardStep::Failed(_) | WizardStep::Country => Some(way),
            WizardStep::Region => Some(WizardStep::Country),
            WizardStep::Numbers if self.regions().is_empty() => Some(WizardStep::Country),
            WizardStep::Numbers => Some(WizardStep::Region),
            WizardStep::InstallationId(_) => Some(call),
            WizardStep::Confirmation => self.code.map(WizardStep::InstallationId),
        }
    }
}
