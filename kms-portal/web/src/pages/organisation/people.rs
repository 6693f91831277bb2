//! The people of an organisation: a list to search, and a form to add one.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use kms_portal::act::accounts::{AccountRefusal, invite};
use kms_portal::db::{NewPerson, PeopleKind, PeopleSearch, PeopleUnchanged};
use kms_portal::rules::PersonId;
use kms_portal::rules::offers::Country;
use kms_portal::rules::rights::{Act, AdminRoles};

use super::admin::{OrganisationAdmin, PageAnswer, Top, done, mendable};
use super::titles::Titles;
use crate::Web;
use crate::fields::FormFields;
use crate::frame::{Frame, page, page_with};
use crate::refused::PageRefusal;

/// How many people a page has.
const PAGE: u32 = 50;

/// The longest name, in characters.
const NAME_MAX: usize = 200;

struct PersonLine {
    id: PersonId,
    name: String,
    address: String,
    offers: String,
    roles: String,
    is_blocked: bool,
}

#[derive(Template)]
#[template(path = "organisation/people.html")]
struct PeoplePage {
    frame: Frame,
    top: Top,
    text: String,
    which: PeopleKind,
    people: Vec<PersonLine>,
    next: Option<PersonId>,
    may_add: bool,
    may_assign: bool,
}

pub(super) async fn list(State(web): State<Web>, admin: OrganisationAdmin) -> PageAnswer {
    let which = match admin.query.one("which") {
        "unlicensed" => PeopleKind::Unlicensed,
        "deleted" => PeopleKind::Deleted,
        _ => PeopleKind::There,
    };
    let text = admin.query.one("q").to_owned();
    let after = admin.query.one("after").parse().ok();
    let search = PeopleSearch { organisation: admin.organisation, text: text.clone(), which, after };
    let mut found = web.portal.db.search_people(search, PAGE + 1).await?;
    let is_more = PAGE as usize <= found.len().saturating_sub(1);
    found.truncate(PAGE as usize);
    let next = found.last().filter(|_| is_more).map(|last| last.person.id);
    let (titles, frame) = (Titles::read(&web).await?, admin.frame());
    let people = found.into_iter().map(|listed| PersonLine {
        offers: titles.line(&listed.offers),
        roles: roles_line(&frame, listed.person.roles),
        id: listed.person.id,
        name: listed.person.name,
        address: listed.person.address,
        is_blocked: listed.person.blocked_at.is_some(),
    });
    Ok(page(&PeoplePage {
        people: people.collect(),
        may_add: admin.may(Act::EditPerson),
        may_assign: admin.may(Act::Assign) && which != PeopleKind::Deleted,
        top: admin.top(),
        frame,
        text,
        which,
        next,
    }))
}

/// Roles, in one line.
pub(super) fn roles_line(frame: &Frame, roles: AdminRoles) -> String {
    roles.iter().map(|role| frame.t(&format!("role-{}", role.name()))).collect::<Vec<_>>().join(", ")
}

/// What the database has refused.
pub(super) fn unchanged(refusal: AccountRefusal) -> Result<PeopleUnchanged, PageRefusal> {
    match refusal {
        AccountRefusal::Unchanged(unchanged) => Ok(unchanged),
        AccountRefusal::Failed(error) => Err(error.into()),
        _ => Err(PageRefusal::BadForm),
    }
}

/// What is typed of a person, and what is wrong with it.
#[derive(Default)]
pub(super) struct PersonForm {
    pub(super) name: String,
    pub(super) address: String,
    pub(super) location: String,
    pub(super) name_error: Option<String>,
    pub(super) address_error: Option<String>,
    pub(super) location_error: Option<String>,
}

impl PersonForm {
    pub(super) fn of(fields: &FormFields) -> PersonForm {
        let [name, address, location] =
            ["name", "address", "location"].map(|field| fields.one(field).to_owned());
        PersonForm { name, address, location, ..PersonForm::default() }
    }

    /// The name and the location, if both can be kept.
    pub(super) fn checked(&mut self, frame: &Frame) -> Option<(String, Option<Country>)> {
        let fits = !self.name.is_empty()
            && self.name.chars().count() <= NAME_MAX
            && !self.name.chars().any(char::is_control);
        self.name_error = (!fits).then(|| frame.t("error-name"));
        let location = (!self.location.is_empty()).then(|| Country::from_code(&self.location));
        self.location_error = (location == Some(None)).then(|| frame.t("error-location"));
        (fits && location != Some(None)).then(|| (self.name.clone(), location.flatten()))
    }
}

#[derive(Template)]
#[template(path = "organisation/new-person.html")]
struct NewPersonPage {
    frame: Frame,
    top: Top,
    form: PersonForm,
}

pub(super) async fn new(admin: OrganisationAdmin) -> PageAnswer {
    Ok(page(&NewPersonPage { frame: admin.frame(), top: admin.top(), form: PersonForm::default() }))
}

pub(super) async fn add(State(web): State<Web>, admin: OrganisationAdmin, fields: FormFields) -> PageAnswer {
    let (frame, mut form) = (admin.frame(), PersonForm::of(&fields));
    if let Some((name, location)) = form.checked(&frame) {
        let id = PersonId::from_bytes(rand::random());
        let (organisation, address) = (Some(admin.organisation), form.address.clone());
        let person = NewPerson { id, organisation, name, address, location };
        let language = frame.texts.language();
        match invite(&web.portal, person, AdminRoles::NONE, language, admin.actor()).await {
            Ok(_) => return Ok(done(&format!("/organisation/people/{id}"), "added")),
            Err(refusal) => form.address_error = Some(mendable(&frame, unchanged(refusal)?)?),
        }
    }
    Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &NewPersonPage { frame, top: admin.top(), form }))
}
