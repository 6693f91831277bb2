//! An administrator who is signed in, and the guard that lets them in.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Redirect, Response};
use kms_portal::db::{Actor, PeopleUnchanged, Person};
use kms_portal::rules::PersonId;
use kms_portal::rules::life::NotRenewed;
use kms_portal::rules::rights::{Act, AdminRoles, check};
use shared::ids::OrganisationId;
use shared::time::Timestamp;

use crate::Web;
use crate::fields::FormFields;
use crate::frame::Frame;
use crate::refused::PageRefusal;
use crate::signed_in::{Proved, SignedIn};

/// An administrator who is signed in, and whose roles include what they ask for.
#[derive(Clone)]
pub(super) struct OrganisationAdmin {
    /// Who it is.
    pub(super) person: Person,
    /// Where.
    pub(super) organisation: OrganisationId,
    /// When.
    pub(super) now: Timestamp,
    /// What the address carries.
    pub(super) query: FormFields,
    actor: Actor,
    frame: Frame,
}

/// A link above every page.
pub(super) struct Tab {
    pub(super) path: &'static str,
    pub(super) text: String,
    pub(super) is_current: bool,
}

/// What every page of an organisation has above its own.
pub(super) struct Top {
    pub(super) tabs: Vec<Tab>,
    /// What was done just now.
    pub(super) done: Option<String>,
}

/// The tabs, each with the right that its page needs.
const TABS: [(&str, &str, Act); 10] = [
    ("/organisation", "tab-overview", Act::SeePeople),
    ("/organisation/people", "tab-people", Act::SeePeople),
    ("/organisation/licences", "tab-licences", Act::Assign),
    ("/organisation/subscriptions", "tab-subscriptions", Act::SeeAll),
    ("/organisation/conflicts", "tab-conflicts", Act::SeeHealth),
    ("/organisation/roles", "tab-roles", Act::SeePeople),
    ("/organisation/domains", "tab-domains", Act::ManageDomains),
    ("/organisation/keys", "tab-keys", Act::SeeKeys),
    ("/organisation/tokens", "tab-tokens", Act::GiveRoles),
    ("/organisation/audit", "tab-audit", Act::SeeAll),
];

/// What may stand behind `?done=` in an address; each has a text.
const DONE: [&str; 16] = [
    "domain-begun",
    "domain-removed",
    "added",
    "edited",
    "blocked",
    "unblocked",
    "deleted",
    "restored",
    "reset",
    "licensed",
    "roles",
    "renews",
    "renews-not",
    "cancelled",
    "reactivated",
    "token-revoked",
];

impl OrganisationAdmin {
    pub(super) fn frame(&self) -> Frame {
        self.frame.clone()
    }

    pub(super) fn top(&self) -> Top {
        let path = self.frame.path.as_str();
        let current = TABS
            .iter()
            .map(|(path, ..)| *path)
            .filter(|tab| path.starts_with(tab))
            .max_by_key(|tab| tab.len());
        let tabs = TABS.into_iter().filter(|(_, _, act)| self.may(*act));
        let tabs = tabs.map(|(path, text, _)| Tab {
            path,
            text: self.frame.t(text),
            is_current: current == Some(path),
        });
        let done = DONE.into_iter().find(|done| *done == self.query.one("done"));
        Top { tabs: tabs.collect(), done: done.map(|done| self.frame.t(&format!("done-{done}"))) }
    }

    /// Whether their roles include it.
    pub(super) fn may(&self, act: Act) -> bool {
        check(self.person.roles, act, None).is_ok()
    }

    /// Whether they include it where it is done to a person with these roles.
    pub(super) fn may_to(&self, act: Act, to: AdminRoles) -> bool {
        check(self.person.roles, act, Some(to)).is_ok()
    }

    /// As the database notes them.
    pub(super) fn actor(&self) -> Actor {
        self.actor.clone()
    }

    /// A person of the organisation. Everybody else looks like nobody.
    pub(super) async fn person_of(&self, web: &Web, id: &str) -> Result<Person, PageRefusal> {
        let id: PersonId = id.parse().map_err(|_| PageRefusal::NotFound)?;
        let person = web.portal.db.person(id).await?;
        person.filter(|person| person.organisation == Some(self.organisation)).ok_or(PageRefusal::NotFound)
    }
}

/// What an administrator reads of a refusal that their form can mend. Everything else has a page of its own.
pub(super) fn mendable(frame: &Frame, unchanged: PeopleUnchanged) -> Result<String, PageRefusal> {
    let key = match &unchanged {
        PeopleUnchanged::LastGeneral(_) => "unchanged-last-general",
        PeopleUnchanged::AddressTaken => "unchanged-address-taken",
        PeopleUnchanged::NotAnAddress => "unchanged-no-address",
        PeopleUnchanged::TooLate => "unchanged-too-late",
        PeopleUnchanged::NotRenewed(NotRenewed::Ended) => "unchanged-ended",
        PeopleUnchanged::NotRenewed(NotRenewed::AskTheVendor) => "unchanged-ask-vendor",
        PeopleUnchanged::NotCancelled(_) => "unchanged-not-cancelled",
        _ => return Err(unchanged.into()),
    };
    Ok(frame.t(key))
}

/// What a handler makes: a page, or why there is none. The guard makes a page of that as well.
pub(super) type PageAnswer = Result<Response, PageRefusal>;

impl axum::response::IntoResponse for PageRefusal {
    fn into_response(self) -> Response {
        let mut answer = StatusCode::NOT_FOUND.into_response();
        answer.extensions_mut().insert(self);
        answer
    }
}

/// Goes to a page that says what was done.
pub(super) fn done(path: &str, done: &str) -> Response {
    Redirect::to(&format!("{path}?done={done}")).into_response()
}

/// Lets administrators in whose roles include it.
pub(super) async fn guard(State((web, act)): State<(Web, Act)>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    // Whoever finds a browser that was left alone gives nobody a role and proves no domain.
    let signed_in = match act {
        Act::GiveRoles | Act::ManageDomains => {
            Proved::from_request_parts(&mut parts, &web).await.map(|Proved(signed_in)| signed_in)
        }
        _ => SignedIn::from_request_parts(&mut parts, &web).await,
    };
    let signed_in = match signed_in {
        Ok(signed_in) => signed_in,
        Err(sent_away) => return sent_away,
    };
    let (frame, person) = (signed_in.frame(), signed_in.person().clone());
    let Some(organisation) = person.organisation else {
        return PageRefusal::NotFound.page(frame, &web.portal);
    };
    if let Err(forbidden) = check(person.roles, act, None) {
        return PageRefusal::from(forbidden).page(frame, &web.portal);
    }
    let (actor, now) = (signed_in.actor(""), signed_in.now);
    let query = FormFields::of_query(&parts.uri);
    parts.extensions.insert(OrganisationAdmin {
        person,
        organisation,
        now,
        query,
        actor,
        frame: frame.clone(),
    });
    let mut answer = next.run(Request::from_parts(parts, body)).await;
    match answer.extensions_mut().remove::<PageRefusal>() {
        Some(refusal) => refusal.page(frame, &web.portal),
        None => answer,
    }
}

/// The guard has put it there.
impl FromRequestParts<Web> for OrganisationAdmin {
    type Rejection = PageRefusal;

    async fn from_request_parts(parts: &mut Parts, _: &Web) -> Result<OrganisationAdmin, PageRefusal> {
        parts.extensions.get::<OrganisationAdmin>().cloned().ok_or(PageRefusal::NotFound)
    }
}
