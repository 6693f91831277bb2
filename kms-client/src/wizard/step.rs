//! The steps of the wizard, and what a user chooses in them. Each has the key of a text.

use shared::reason::{Cause, Reason};
use shared::telephones::CountryCode;

use crate::codes::InstallationCode;

/// What the user sees.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WizardStep {
    /// The user types a product key. [`Wizard::problem`](super::Wizard::problem) says what is wrong with the last one.
    EnterKey,
    /// The key is kept on this machine: activate now, or later?
    NowOrLater,
    /// Over the internet, or by telephone?
    Way,
    /// A task is under way.
    Working,
    /// The vendor's portal was not reached. Nothing is lost.
    NoConnection(Cause),
    /// The portal has refused, or nothing can be kept on this machine. The cause says whose fault it is, and has a remedy: for a blocked
    /// key, that the seller helps and nothing on this machine is at fault.
    Failed(Cause),
    /// From which country does the user call? [`Wizard::country`](super::Wizard::country) is proposed.
    Country,
    /// From which part of it?
    Region,
    /// Whom to call: [`Wizard::numbers`](super::Wizard::numbers).
    Numbers,
    /// The installation id, which the user reads out.
    InstallationId(InstallationCode),
    /// The user types the confirmation id that is read to them. [`Wizard::problem`](super::Wizard::problem) says what is wrong with the
    /// last one.
    Confirmation,
    /// This machine is licensed. [`Client::state`](crate::Client::state) says until when.
    Licensed,
    /// The user activates later. The product offers it again at its next start.
    Later,
}

impl WizardStep {
    /// The key of its text.
    pub const fn text_key(&self) -> &'static str {
        match self {
            WizardStep::EnterKey => "wizard.enter-key",
            WizardStep::NowOrLater => "wizard.now-or-later",
            WizardStep::Way => "wizard.way",
            WizardStep::Working => "wizard.working",
            WizardStep::NoConnection(_) => "wizard.no-connection",
            WizardStep::Failed(_) => "wizard.failed",
            WizardStep::Country => "wizard.country",
            WizardStep::Region => "wizard.region",
            WizardStep::Numbers => "wizard.numbers",
            WizardStep::InstallationId(_) => "wizard.installation-id",
            WizardStep::Confirmation => "wizard.confirmation",
            WizardStep::Licensed => "wizard.licensed",
            WizardStep::Later => "wizard.later",
        }
    }

    /// What went wrong, if something did.
    pub const fn cause(&self) -> Option<&Cause> {
        match self {
            WizardStep::NoConnection(cause) | WizardStep::Failed(cause) => Some(cause),
            _ => None,
        }
    }

    /// The step after this failure.
    pub(super) fn failed(cause: Cause) -> WizardStep {
        match cause.reason() {
            Some(Reason::PortalUnreachable | Reason::PortalCertificateBad) => WizardStep::NoConnection(cause),
            _ => WizardStep::Failed(cause),
        }
    }
}

/// What a user chooses.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WizardChoice {
    /// Activate now.
    Now,
    /// Activate later.
    Later,
    /// Over the internet.
    Internet,
    /// By telephone.
    Telephone,
    /// Try the same again.
    Retry,
    /// Enter another product key. The one that is entered stays until another is accepted.
    OtherKey,
    /// This country.
    Country(CountryCode),
    /// This region.
    Region(String),
    /// The next step.
    Continue,
    /// The step before.
    Back,
}

impl WizardChoice {
    /// The key of its text. Countries and regions have none: the first is named by [`TelephoneCountry::name`], the second by itself.
    ///
    /// [`TelephoneCountry::name`]: crate::TelephoneCountry::name
    pub const fn text_key(&self) -> Option<&'static str> {
        Some(match self {
            WizardChoice::Now => "wizard.choose-now",
            WizardChoice::Later => "wizard.choose-later",
            WizardChoice::Internet => "wizard.choose-internet",
            WizardChoice::Telephone => "wizard.choose-telephone",
            WizardChoice::Retry => "wizard.choose-retry",
            WizardChoice::OtherKey => "wizard.choose-other-key",
            WizardChoice::Continue => "wizard.choose-continue",
            WizardChoice::Back => "wizard.choose-back",
            WizardChoice::Country(_) | WizardChoice::Region(_) => return None,
        })
    }
}
