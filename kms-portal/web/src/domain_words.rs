//! What people read about a domain: the record to publish, how it stands, and why something was refused.

use kms_portal::act::domains::Looked;
use kms_portal::db::{DomainRefused, LookNoted, OwnDomain, OwnDomainState, PeopleUnchanged};
use kms_portal::rules::claimable::{NotClaimable, in_words};
use kms_portal::rules::domains::{Contest, ProofStanding, Scope, record};

use crate::frame::Frame;
use crate::refused::PageRefusal;

/// A domain, as a page shows it.
pub(crate) struct DomainLine {
    /// In its one form.
    pub(crate) domain: String,
    /// In its own script, where that is another one.
    pub(crate) in_words: Option<String>,
    pub(crate) is_tree: bool,
    /// Where the record stands, and what it says; none if none would help.
    pub(crate) record: Option<(String, String)>,
    pub(crate) state: String,
    pub(crate) is_good: bool,
    pub(crate) looked_at: Option<String>,
    pub(crate) next_look_at: Option<String>,
}

impl DomainLine {
    pub(crate) fn new(frame: &Frame, own: OwnDomain) -> DomainLine {
        let OwnDomain { domain, scope, token, state, looked_at, next_look_at } = own;
        let has_ended = matches!(
            state,
            OwnDomainState::Ended | OwnDomainState::Held { standing: ProofStanding::Lapsed, .. }
        );
        DomainLine {
            record: (!has_ended).then(|| (format!("{}.{domain}", scope.label()), record(&token))),
            in_words: in_words(&domain),
            is_tree: scope == Scope::Tree,
            state: state_in_words(frame, state),
            is_good: matches!(state, OwnDomainState::Held { standing: ProofStanding::Good, .. }),
            looked_at: looked_at.map(|at| at.to_string()),
            next_look_at: next_look_at.map(|at| at.to_string()),
            domain,
        }
    }
}

fn state_in_words(frame: &Frame, state: OwnDomainState) -> String {
    match state {
        OwnDomainState::Waits { until } => frame.t1("domains-waits", "date", until),
        OwnDomainState::Ended => frame.t("domains-ended"),
        OwnDomainState::Held { since, standing: ProofStanding::Good } => {
            frame.t1("domains-held", "date", frame.date(since))
        }
        OwnDomainState::Held { standing: ProofStanding::Doubtful { lapses_at }, .. } => {
            frame.t1("domains-doubtful", "date", frame.date(lapses_at))
        }
        OwnDomainState::Held { standing: ProofStanding::Lapsed, .. } => frame.t("domains-lapsed"),
        OwnDomainState::Contested(contest) => contested(frame, contest),
    }
}

fn contested(frame: &Frame, contest: Contest) -> String {
    match contest {
        Contest::Waits(until) => frame.t1("domains-contested", "date", frame.date(until)),
        Contest::Moves => frame.t("domains-moves"),
        Contest::ToStaff => frame.t("domains-to-staff"),
    }
}

/// What a look has found.
pub(crate) fn looked(frame: &Frame, domain: &str, looked: &Looked) -> String {
    match looked {
        Looked::JustNow => frame.t("looked-just-now"),
        Looked::Unanswered(faults) => frame.t1("looked-unanswered", "faults", faults.join("; ")),
        Looked::OtherRecords(texts) => frame.t1("looked-other", "texts", texts.join("; ")),
        Looked::DomainTwice(name) => frame.t1("looked-twice", "name", name),
        Looked::Noted(noted) => match noted {
            LookNoted::Waits => frame.t("looked-missing"),
            LookNoted::Holds(ProofStanding::Good) | LookNoted::Proved | LookNoted::TookOver(_) => {
                frame.t1("looked-found", "domain", domain)
            }
            LookNoted::Contested(contest) => contested(frame, *contest),
            LookNoted::Refused(DomainRefused::NoMailbox) => frame.t("domain-refused-no-mailbox"),
            _ => frame.t("looked-gone"),
        },
    }
}

/// What whoever has sent a form can mend. Everything else has a page of its own.
pub(crate) fn refused(frame: &Frame, refused: &DomainRefused) -> Result<String, PageRefusal> {
    let key = match refused {
        DomainRefused::NotClaimable(NotClaimable::NotADomain) => "domain-refused-no-domain",
        DomainRefused::NotClaimable(NotClaimable::Ending) => "domain-refused-ending",
        DomainRefused::NotClaimable(NotClaimable::ProvidersEnding) => "domain-refused-provider",
        DomainRefused::NotClaimable(NotClaimable::PublicMail) => "domain-refused-public-mail",
        DomainRefused::NoMailbox => "domain-refused-no-mailbox",
        DomainRefused::Held => "domain-refused-held",
        DomainRefused::HasLicenses => "domain-refused-has-licenses",
        DomainRefused::TooMany => "domain-refused-too-many",
        DomainRefused::UnknownDomain => return Err(PageRefusal::NotFound),
        DomainRefused::Unchanged(PeopleUnchanged::AddressTaken) => "domain-refused-taken",
        DomainRefused::Unchanged(unchanged) => return Err(unchanged.clone().into()),
    };
    Ok(frame.t(key))
}
