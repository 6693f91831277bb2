//! What the wizard does: it enters keys and codes, and asks the portal. A task waits for the disk or the network, so a dialog runs it
//! beside its screen.

use std::fmt;

use shared::reason::Cause;
use zeroize::Zeroizing;

use crate::client::Client;
use crate::codes::InstallationCode;
use crate::outcome::Outcome;

use super::WizardKey;

/// What has to be done before the wizard goes on.
#[must_use = "a task does nothing until it is run"]
pub struct WizardTask {
    pub(super) turn: u64,
    pub(super) job: WizardJob,
    /// What the user has typed. It may be a product key.
    text: Zeroizing<String>,
}

/// The result of a task, for [`Wizard::finish`](super::Wizard::finish).
#[derive(Clone, Debug)]
pub struct WizardDone {
    pub(super) turn: u64,
    pub(super) answered: JobResult,
}

/// The kind of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WizardJob {
    EnterKey,
    Activate,
    InstallationId,
    Confirm,
}

/// The answer to a task of each kind.
#[derive(Clone, Debug)]
pub(super) enum JobResult {
    Key(Result<WizardKey, Cause>),
    Activated(Result<Outcome, Cause>),
    Installation(Result<InstallationCode, Cause>),
    Confirmed(Result<(), Cause>),
}

impl WizardTask {
    pub(super) fn new(turn: u64, job: WizardJob, text: &str) -> WizardTask {
        WizardTask { turn, job, text: text.to_owned().into() }
    }

    /// Runs the task. Asking the portal may take half a minute. Dropping the future stops it, and the next ask costs nothing.
    pub async fn run(self, client: &Client) -> WizardDone {
        let answered = match self.job {
            // Nobody is asked before the user chooses so.
            WizardJob::EnterKey => {
                let number = client.set_key_for_later(&self.text).await;
                let key = |number| WizardKey { number, is_licensed: false, before: None };
                JobResult::Key(number.map(|number| WizardKey::of(&client.snapshot()).unwrap_or(key(number))))
            }
            WizardJob::Activate => JobResult::Activated(client.activate().await.map(|round| round.outcome)),
            WizardJob::InstallationId => JobResult::Installation(client.installation_id().await),
            WizardJob::Confirm => {
                JobResult::Confirmed(client.enter_confirmation(&self.text).await.map(|_| ()))
            }
        };
        WizardDone { turn: self.turn, answered }
    }

    /// The result if the task cannot be run, for this cause.
    pub(crate) fn refused(&self, cause: Cause) -> WizardDone {
        let answered = match self.job {
            WizardJob::EnterKey => JobResult::Key(Err(cause)),
            WizardJob::Activate => JobResult::Activated(Err(cause)),
            WizardJob::InstallationId => JobResult::Installation(Err(cause)),
            WizardJob::Confirm => JobResult::Confirmed(Err(cause)),
        };
        WizardDone { turn: self.turn, answered }
    }
}

/// Without the text.
impl fmt::Debug for WizardTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WizardTask").field("job", &self.job).finish_non_exhaustive()
    }
}
