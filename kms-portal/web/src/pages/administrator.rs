//! Becoming administrator of the people at one's domain, step by step: join them, prove the domain, see who is there, buy, and give
//! everybody a license.
//!
//! Whoever leaves comes back to the step that is next: each is seen from what the database has, and nothing is kept of the visit.

use std::collections::BTreeSet;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use kms_portal::act::domains::{Looked, begin, look_now};
use kms_portal::db::{Assignment, LookNoted, PeopleUnchanged, Person, PersonFilter};
use kms_portal::rules::addresses::Address;
use kms_portal::rules::domains::Scope;
use kms_portal::rules::offers::OfferName;
use kms_portal::rules::rights::AdminRole;
use kms_portal::rules::seats::{IfNotAll, SeatChange, WantedSeats};
use shared::ids::OrganisationId;

use super::{Sent, answer};
use crate::Web;
use crate::domain_words::{DomainLine, looked, refused};
use crate::frame::{Frame, page_with};
use crate::refused::PageRefusal;
use crate::signed_in::{Proved, SignedIn};

const HERE: &str = "/become-administrator";

/// How many people are listed and served here. More have a page of their own.
const PEOPLE_MAX: u32 = 10_000;

pub(super) fn routes() -> Router<Web> {
    Router::new()
        .route(HERE, get(show))
        .route("/become-administrator/join", post(join))
        .route("/become-administrator/record", post(show_record))
        .route("/become-administrator/look", post(look))
        .route("/become-administrator/licenses", post(license_everybody))
}

/// What is next.
enum AdministratorStep {
    /// The account is personal. Others may be at this domain.
    Join(String),
    /// The people at this domain have no administrator.
    Prove(String),
    /// This record is to be published.
    Publish(DomainLine),
    /// The organisation has administrators, and this is none.
    Ask,
    /// The person is an administrator.
    License { people: Vec<Person>, offers: Vec<OfferLine>, is_bought: bool },
}

/// An offer, with where it is bought and how many seats are free.
struct OfferLine {
    name: OfferName,
    title: String,
    buy: Option<String>,
    free: u64,
}

#[derive(Template)]
#[template(path = "become-administrator.html")]
struct AdministratorPage {
    frame: Frame,
    step: AdministratorStep,
    fault: Option<String>,
    said: Option<String>,
}

#[derive(serde::Deserialize)]
struct LicenseForm {
    offer: String,
}

/// Where the person is.
enum PersonPlace {
    Personal(String),
    Unmanaged(OrganisationId, String),
    Organisation(OrganisationId),
}

async fn place(web: &Web, person: &Person) -> Result<PersonPlace, PageRefusal> {
    let Some(organisation) = person.organisation else {
        let domain = Address::new(&person.address).map(|address| address.domain().to_owned());
        return Ok(PersonPlace::Personal(domain.unwrap_or_default()));
    };
    Ok(match web.portal.db.unmanaged_domain(organisation).await? {
        Some(domain) => PersonPlace::Unmanaged(organisation, domain),
        None => PersonPlace::Organisation(organisation),
    })
}

async fn step(web: &Web, person: &Person) -> Result<AdministratorStep, PageRefusal> {
    let organisation = match place(web, person).await? {
        PersonPlace::Personal(domain) => return Ok(AdministratorStep::Join(domain)),
        PersonPlace::Unmanaged(_, domain) => return Ok(AdministratorStep::Prove(domain)),
        PersonPlace::Organisation(organisation) if person.roles.has(AdminRole::General) => organisation,
        PersonPlace::Organisation(_) => return Ok(AdministratorStep::Ask),
    };
    let db = &web.portal.db;
    let people = db.people(everybody(organisation), PEOPLE_MAX).await?;
    let standing = db.standing(organisation, web.portal.clock.now()).await?.ok_or(PageRefusal::NotFound)?;
    let mut offers = Vec::new();
    for offer in db.named_offers().await? {
        offers.push(OfferLine {
            buy: web.portal.billing_url(organisation, &offer.name),
            free: standing.pools.get(&offer.name).map_or(0, |of| of.pool.free()),
            name: offer.name,
            title: offer.title,
        });
    }
    let is_bought = !db.subscriptions(organisation).await?.is_empty();
    Ok(AdministratorStep::License { people, offers, is_bought })
}

fn everybody(organisation: OrganisationId) -> PersonFilter {
    PersonFilter { organisation, after: None, unlicensed: false, deleted: false }
}

async fn show(State(web): State<Web>, Proved(signed_in): Proved) -> Response {
    let frame = signed_in.frame();
    let done = async {
        let step = step(&web, signed_in.person()).await?;
        Ok(shown(frame.clone(), step, None, None))
    };
    answer(&web, &signed_in.frame(), done.await)
}

fn shown(frame: Frame, step: AdministratorStep, fault: Option<String>, said: Option<String>) -> Response {
    let status = if fault.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    page_with(status, &AdministratorPage { frame, step, fault, said })
}

async fn join(State(web): State<Web>, Proved(signed_in): Proved) -> Response {
    let done = async {
        let new = OrganisationId::from_bytes(rand::random());
        match web.portal.db.join_domain(signed_in.person().id, new, signed_in.now).await? {
            Ok(_) => Ok(Redirect::to(HERE).into_response()),
            Err(why) => {
                let fault = refused(&signed_in.frame(), &why)?;
                let step = step(&web, signed_in.person()).await?;
                Ok(shown(signed_in.frame(), step, Some(fault), None))
            }
        }
    };
    answer(&web, &signed_in.frame(), done.await)
}

async fn show_record(State(web): State<Web>, Proved(signed_in): Proved) -> Response {
    let done = publish(&web, &signed_in, None).await;
    answer(&web, &signed_in.frame(), done)
}

/// The record of this person. While their challenge is open, it stays the same.
async fn publish(web: &Web, signed_in: &SignedIn, said: Option<String>) -> Result<Response, PageRefusal> {
    let frame = signed_in.frame();
    let PersonPlace::Unmanaged(organisation, domain) = place(web, signed_in.person()).await? else {
        return Ok(Redirect::to(HERE).into_response());
    };
    let begun = begin(&web.portal, organisation, &domain, Scope::Name, signed_in.actor("")).await?;
    let (step, fault) = match begun {
        Ok(own) => (AdministratorStep::Publish(DomainLine::new(&frame, own)), None),
        Err(why) => (AdministratorStep::Prove(domain), Some(refused(&frame, &why)?)),
    };
    Ok(shown(frame, step, fault, said))
}

async fn look(State(web): State<Web>, Proved(signed_in): Proved) -> Response {
    let done = async {
        let PersonPlace::Unmanaged(organisation, domain) = place(&web, signed_in.person()).await? else {
            return Ok(Redirect::to(HERE).into_response());
        };
        let said = match look_now(&web.portal, organisation, &domain, signed_in.actor("")).await? {
            Ok(Looked::Noted(LookNoted::TookOver(_))) => return Ok(Redirect::to(HERE).into_response()),
            Ok(found) => looked(&signed_in.frame(), &domain, &found),
            Err(why) => refused(&signed_in.frame(), &why)?,
        };
        publish(&web, &signed_in, Some(said)).await
    };
    answer(&web, &signed_in.frame(), done.await)
}

/// Gives everybody who is there a license, as far as there are seats.
async fn license_everybody(State(web): State<Web>, signed_in: SignedIn, sent: Sent<LicenseForm>) -> Response {
    let frame = signed_in.frame();
    let done = async {
        let offer = OfferName::new(&sent?.0.offer).map_err(|_| PageRefusal::BadForm)?;
        let Some(organisation) = signed_in.person().organisation else { return Err(PageRefusal::NotFound) };
        let people = web.portal.db.people(everybody(organisation), PEOPLE_MAX).await?;
        let assignment = Assignment {
            organisation,
            people: people.into_iter().map(|person| person.id).collect(),
            change: SeatChange::Add(WantedSeats::from([(offer, BTreeSet::new())])),
            if_not_all: IfNotAll::TheFirst,
            dry_run: false,
            actor: signed_in.actor(""),
        };
        let (fault, said) = match web.portal.db.assign(assignment).await? {
            Ok(plan) => {
                let (refused, served) = (plan.refused(), plan.people.len() - plan.refused());
                (None, Some(frame.t2("become-licensed", "served", served, "refused", refused)))
            }
            Err(PeopleUnchanged::NothingBought) => (Some(frame.t("error-nothing-bought")), None),
            Err(unchanged) => return Err(unchanged.into()),
        };
        Ok(shown(frame.clone(), step(&web, signed_in.person()).await?, fault, said))
    };
    answer(&web, &signed_in.frame(), done.await)
}
