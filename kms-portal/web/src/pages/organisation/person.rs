//! One person: what is known of them, what they have, and what an administrator can do about it.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use kms_portal::act::accounts;
use kms_portal::db::{Assignment, HeldSeat, NamedOffer, Person, PersonEdit};
use kms_portal::rules::conflicts::ways_out;
use kms_portal::rules::kept::KEPT_FOR;
use kms_portal::rules::offers::{OfferName, ServiceName, misfits};
use kms_portal::rules::rights::Act;
use kms_portal::rules::seats::{IfNotAll, SeatChange, SeatOutcome, WantedSeats, services};

use super::admin::{OrganisationAdmin, PageAnswer, Top, done, mendable};
use super::people::{PersonForm, roles_line, unchanged};
use super::titles::{self, Titles};
use crate::Web;
use crate::fields::FormFields;
use crate::frame::{Frame, page, page_with};
use crate::refused::PageRefusal;

/// An offer with a check box, and one for each of its services.
pub(super) struct OfferChoice {
    pub(super) name: OfferName,
    pub(super) title: String,
    pub(super) free: u64,
    pub(super) is_chosen: bool,
    /// It is a group that gives it.
    pub(super) by_group: bool,
    pub(super) services: Vec<ServiceChoice>,
}

pub(super) struct ServiceChoice {
    pub(super) name: ServiceName,
    pub(super) title: String,
    pub(super) is_on: bool,
}

/// The offers that a form has: those that were bought, and those that the person has.
pub(super) async fn choices(
    web: &Web,
    admin: &OrganisationAdmin,
    titles: &Titles,
    held: &BTreeMap<OfferName, HeldSeat>,
) -> Result<Vec<OfferChoice>, PageRefusal> {
    let standing = web.portal.db.standing(admin.organisation, admin.now).await?;
    let pools = standing.ok_or(PageRefusal::NotFound)?.pools;
    let is_shown = |offer: &&NamedOffer| {
        held.contains_key(&offer.name) || pools.get(&offer.name).is_some_and(|of| 0 < of.pool.bought)
    };
    let choices = titles.offers.iter().filter(is_shown).map(|offer| {
        let seat = held.get(&offer.name).map(|held| &held.seat);
        let services = offer.services.iter().map(|(name, service)| ServiceChoice {
            name: name.clone(),
            title: service.title.clone(),
            is_on: seat.is_none_or(|seat| !seat.off.contains(name)),
        });
        OfferChoice {
            name: offer.name.clone(),
            title: offer.title.clone(),
            free: pools.get(&offer.name).map_or(0, |of| of.pool.free()),
            is_chosen: seat.is_some_and(|seat| seat.by_hand),
            by_group: seat.is_some_and(|seat| !seat.groups.is_empty()),
            services: services.collect(),
        }
    });
    Ok(choices.collect())
}

/// The offers of a form that are checked, each with the services that are not.
pub(super) fn wanted(fields: &FormFields, titles: &Titles) -> Result<WantedSeats, PageRefusal> {
    let mut wanted = WantedSeats::new();
    for name in fields.all("offer") {
        let offer = titles.named(name).ok_or(PageRefusal::BadForm)?;
        let is_off = |service: &&ServiceName| !fields.has("on", &format!("{name}/{service}"));
        let off: BTreeSet<ServiceName> = offer.services.keys().filter(is_off).cloned().collect();
        wanted.insert(offer.name.clone(), off);
    }
    Ok(wanted)
}

#[derive(Template)]
#[template(path = "organisation/person.html")]
struct PersonPage {
    frame: Frame,
    top: Top,
    person: Person,
    form: PersonForm,
    roles: String,
    has: String,
    offers: Vec<OfferChoice>,
    /// Why licences were not assigned.
    refused: Vec<String>,
    /// What does not fit, each with the ways out.
    misfits: Vec<(String, String)>,
    error: Option<String>,
    restorable_until: Option<String>,
    may_edit: bool,
    may_reset: bool,
    may_delete: bool,
    may_restore: bool,
    may_assign: bool,
    may_give_roles: bool,
}

/// What a form of the page was told.
#[derive(Default)]
struct Told {
    form: Option<PersonForm>,
    refused: Vec<String>,
    error: Option<String>,
}

async fn shown(
    web: &Web,
    admin: &OrganisationAdmin,
    person: Person,
    told: Told,
) -> Result<PersonPage, PageRefusal> {
    let (frame, titles) = (admin.frame(), Titles::read(web).await?);
    let held = web.portal.db.seats(person.id).await?;
    let rules = web.portal.db.offers().await?;
    let seats = held.iter().map(|(offer, held)| (offer.clone(), held.seat.clone())).collect();
    let found = misfits(&services(&rules, &seats), person.location);
    let location = person.location.map(|country| country.to_string()).unwrap_or_default();
    let known = PersonForm { name: person.name.clone(), location, ..PersonForm::default() };
    let is_there = person.deleted_at.is_none();
    Ok(PersonPage {
        form: told.form.unwrap_or(known),
        roles: roles_line(&frame, person.roles),
        has: titles.line(held.keys()),
        offers: choices(web, admin, &titles, &held).await?,
        misfits: found
            .iter()
            .map(|misfit| (titles.misfit(&frame, misfit), titles::ways_out(&frame, ways_out(misfit))))
            .collect(),
        restorable_until: person.deleted_at.map(|at| frame.date(at + KEPT_FOR)),
        may_edit: is_there && admin.may_to(Act::EditPerson, person.roles),
        may_reset: is_there && person.blocked_at.is_none() && admin.may_to(Act::ResetPassword, person.roles),
        may_delete: is_there && admin.may_to(Act::DeletePerson, person.roles),
        may_restore: !is_there && admin.may(Act::DeletePerson),
        may_assign: is_there && admin.may(Act::Assign),
        may_give_roles: is_there && admin.may(Act::GiveRoles),
        refused: told.refused,
        error: told.error,
        top: admin.top(),
        frame,
        person,
    })
}

async fn again(web: &Web, admin: &OrganisationAdmin, person: Person, told: Told) -> PageAnswer {
    Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &shown(web, admin, person, told).await?))
}

pub(super) async fn show(
    State(web): State<Web>,
    admin: OrganisationAdmin,
    Path(id): Path<String>,
) -> PageAnswer {
    let person = admin.person_of(&web, &id).await?;
    Ok(page(&shown(&web, &admin, person, Told::default()).await?))
}

fn path(person: &Person) -> String {
    format!("/organisation/people/{}", person.id)
}

pub(super) async fn edit(
    State(web): State<Web>,
    admin: OrganisationAdmin,
    Path(id): Path<String>,
    fields: FormFields,
) -> PageAnswer {
    let person = admin.person_of(&web, &id).await?;
    let mut form = PersonForm::of(&fields);
    let Some((name, location)) = form.checked(&admin.frame()) else {
        return again(&web, &admin, person, Told { form: Some(form), ..Told::default() }).await;
    };
    web.portal.db.edit_person(person.id, PersonEdit { name, location }, admin.actor()).await??;
    Ok(done(&path(&person), "edited"))
}

pub(super) async fn block(
    State(web): State<Web>,
    admin: OrganisationAdmin,
    Path(id): Path<String>,
    fields: FormFields,
) -> PageAnswer {
    let person = admin.person_of(&web, &id).await?;
    let blocked = fields.has("blocked", "yes");
    match web.portal.db.block_person(person.id, blocked, admin.actor()).await? {
        Ok(()) => Ok(done(&path(&person), if blocked { "blocked" } else { "unblocked" })),
        Err(unchanged) => {
            let error = Some(mendable(&admin.frame(), unchanged)?);
            again(&web, &admin, person, Told { error, ..Told::default() }).await
        }
    }
}

pub(super) async fn reset_password(
    State(web): State<Web>,
    admin: OrganisationAdmin,
    Path(id): Path<String>,
) -> PageAnswer {
    let person = admin.person_of(&web, &id).await?;
    match accounts::reset_password(&web.portal, person.id, admin.actor()).await {
        Ok(()) => Ok(done(&path(&person), "reset")),
        Err(refusal) => Err(unchanged(refusal)?.into()),
    }
}

pub(super) async fn license(
    State(web): State<Web>,
    admin: OrganisationAdmin,
    Path(id): Path<String>,
    fields: FormFields,
) -> PageAnswer {
    let person = admin.person_of(&web, &id).await?;
    let titles = Titles::read(&web).await?;
    let assignment = Assignment {
        organisation: admin.organisation,
        people: vec![person.id],
        change: SeatChange::Replace(wanted(&fields, &titles)?),
        if_not_all: IfNotAll::Nobody,
        dry_run: false,
        actor: admin.actor(),
    };
    let plan = web.portal.db.assign(assignment).await??;
    let refused = plan.people.into_iter().find_map(|(_, outcome)| match outcome {
        SeatOutcome::Refused(causes) => Some(causes),
        SeatOutcome::Has(_) => None,
    });
    let Some(causes) = refused else { return Ok(done(&path(&person), "licensed")) };
    let frame = admin.frame();
    let refused = causes.iter().map(|cause| titles.not_assigned(&frame, cause)).collect();
    again(&web, &admin, person, Told { refused, ..Told::default() }).await
}

#[derive(Template)]
#[template(path = "organisation/delete-person.html")]
struct DeletePage {
    frame: Frame,
    top: Top,
    person: Person,
    has: String,
    restorable_until: String,
    error: Option<String>,
}

async fn delete_page(
    web: &Web,
    admin: &OrganisationAdmin,
    person: Person,
    error: Option<String>,
) -> Result<DeletePage, PageRefusal> {
    let (frame, titles) = (admin.frame(), Titles::read(web).await?);
    let held = web.portal.db.seats(person.id).await?;
    Ok(DeletePage {
        has: titles.line(held.keys()),
        restorable_until: frame.date(admin.now + KEPT_FOR),
        top: admin.top(),
        frame,
        person,
        error,
    })
}

pub(super) async fn ask_delete(
    State(web): State<Web>,
    admin: OrganisationAdmin,
    Path(id): Path<String>,
) -> PageAnswer {
    let person = admin.person_of(&web, &id).await?;
    Ok(page(&delete_page(&web, &admin, person, None).await?))
}

pub(super) async fn delete(
    State(web): State<Web>,
    admin: OrganisationAdmin,
    Path(id): Path<String>,
) -> PageAnswer {
    let person = admin.person_of(&web, &id).await?;
    match web.portal.db.delete_person(person.id, admin.actor()).await? {
        Ok(()) => Ok(done(&path(&person), "deleted")),
        Err(unchanged) => {
            let error = Some(mendable(&admin.frame(), unchanged)?);
            let again = delete_page(&web, &admin, person, error).await?;
            Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &again))
        }
    }
}

#[derive(Template)]
#[template(path = "organisation/restore-person.html")]
struct RestorePage {
    frame: Frame,
    top: Top,
    person: Person,
    form: PersonForm,
    restorable_until: String,
}

fn restore_page(admin: &OrganisationAdmin, person: Person, form: PersonForm) -> RestorePage {
    let frame = admin.frame();
    let restorable_until = person.deleted_at.map(|at| frame.date(at + KEPT_FOR)).unwrap_or_default();
    RestorePage { frame, top: admin.top(), person, form, restorable_until }
}

pub(super) async fn ask_restore(
    State(web): State<Web>,
    admin: OrganisationAdmin,
    Path(id): Path<String>,
) -> PageAnswer {
    let person = admin.person_of(&web, &id).await?;
    let form = PersonForm { address: person.address.clone(), ..PersonForm::default() };
    Ok(page(&restore_page(&admin, person, form)))
}

pub(super) async fn restore(
    State(web): State<Web>,
    admin: OrganisationAdmin,
    Path(id): Path<String>,
    fields: FormFields,
) -> PageAnswer {
    let person = admin.person_of(&web, &id).await?;
    let mut form = PersonForm::of(&fields);
    match web.portal.db.restore_person(person.id, Some(form.address.clone()), admin.actor()).await? {
        Ok(()) => Ok(done(&path(&person), "restored")),
        Err(unchanged) => {
            form.address_error = Some(mendable(&admin.frame(), unchanged)?);
            Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &restore_page(&admin, person, form)))
        }
    }
}
