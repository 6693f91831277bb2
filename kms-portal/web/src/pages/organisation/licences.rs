//! Licences for many people at once: chosen in a list, typed, or in a CSV file; added, replaced or taken back.
//!
//! A preview says for everybody what would happen, and how many seats are missing. Only the next form writes, and it has the same list in
//! it: what was previewed is what is done.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::IntoResponse as _;
use kms_portal::db::Assignment;
use kms_portal::rules::PersonId;
use kms_portal::rules::addresses::Address;
use kms_portal::rules::seats::{IfNotAll, Plan, SeatChange, SeatOutcome, WantedSeats};

use super::admin::{OrganisationAdmin, PageAnswer, Top};
use super::lists::{ListedAddress, PEOPLE_MAX, csv, of_csv, of_text};
use super::overview::{PoolLine, pools};
use super::person::{OfferChoice, choices, wanted};
use super::titles::Titles;
use crate::Web;
use crate::fields::FormFields;
use crate::frame::{Frame, page, page_with};
use crate::refused::PageRefusal;

/// How many rows a page shows; a CSV file has all of them.
const ROWS_SHOWN: usize = 500;

/// What is done for everybody on the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum How {
    #[default]
    Add,
    Replace,
    Revoke,
}

impl How {
    const ALL: [How; 3] = [How::Add, How::Replace, How::Revoke];

    const fn name(self) -> &'static str {
        match self {
            How::Add => "add",
            How::Replace => "replace",
            How::Revoke => "revoke",
        }
    }

    fn change(self, wanted: WantedSeats) -> SeatChange {
        match self {
            How::Add => SeatChange::Add(wanted),
            How::Replace => SeatChange::Replace(wanted),
            How::Revoke => SeatChange::Revoke(wanted.into_keys().collect()),
        }
    }
}

/// A form for many people, as it was sent.
struct ForMany {
    how: How,
    wanted: WantedSeats,
    listed: Vec<ListedAddress>,
}

impl ForMany {
    /// Reads it. The addresses are those of the list and those of the file.
    fn read(fields: &FormFields, titles: &Titles) -> Result<ForMany, PageRefusal> {
        let how = How::ALL.into_iter().find(|how| how.name() == fields.one("how"));
        let mut listed = of_text(fields.one("list"));
        listed.extend(of_csv(fields.one("file")));
        Ok(ForMany { how: how.ok_or(PageRefusal::BadForm)?, wanted: wanted(fields, titles)?, listed })
    }

    /// What is wrong with it, if anything.
    fn fault(&self, frame: &Frame) -> Option<(Field, String)> {
        if self.listed.is_empty() {
            return Some((Field::List, frame.t("error-no-people")));
        }
        if PEOPLE_MAX < self.listed.len() {
            return Some((Field::List, frame.t1("error-too-many-people", "most", PEOPLE_MAX)));
        }
        // To replace by nothing takes everything: the preview shows it.
        let needs_offer = self.how != How::Replace && self.wanted.is_empty();
        needs_offer.then(|| (Field::Offers, frame.t("error-no-offer")))
    }
}

/// A field of the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    List,
    Offers,
}

#[derive(Template)]
#[template(path = "organisation/licences.html")]
struct LicencesPage {
    frame: Frame,
    top: Top,
    pools: Vec<PoolLine>,
    offers: Vec<OfferChoice>,
    list: String,
    how: How,
    list_error: Option<String>,
    offers_error: Option<String>,
}

async fn form_page(
    web: &Web,
    admin: &OrganisationAdmin,
    list: String,
    how: How,
    fault: Option<(Field, String)>,
) -> Result<LicencesPage, PageRefusal> {
    let titles = Titles::read(web).await?;
    let standing = web.portal.db.standing(admin.organisation, admin.now).await?;
    let error_of = |field| fault.as_ref().filter(|(of, _)| *of == field).map(|(_, error)| error.clone());
    Ok(LicencesPage {
        pools: pools(&standing.ok_or(PageRefusal::NotFound)?, &titles),
        offers: choices(web, admin, &titles, &BTreeMap::new()).await?,
        list_error: error_of(Field::List),
        offers_error: error_of(Field::Offers),
        top: admin.top(),
        frame: admin.frame(),
        list,
        how,
    })
}

pub(super) async fn form(State(web): State<Web>, admin: OrganisationAdmin) -> PageAnswer {
    Ok(page(&form_page(&web, &admin, String::new(), How::Add, None).await?))
}

/// The form for the people who were checked in a list.
pub(super) async fn form_for(
    State(web): State<Web>,
    admin: OrganisationAdmin,
    fields: FormFields,
) -> PageAnswer {
    let list = fields.all("person").collect::<Vec<_>>().join("\n");
    Ok(page(&form_page(&web, &admin, list, How::Add, None).await?))
}

/// What happens to one line of the list.
struct PlannedLine {
    typed: String,
    is_served: bool,
    told: String,
}

/// What happens to everybody.
struct Planned {
    lines: Vec<PlannedLine>,
    served: usize,
    /// How many seats of which offer are missing, and where they are bought.
    short: Vec<(String, u64, Option<String>)>,
}

/// Plans the change, or makes it.
async fn planned(
    web: &Web,
    admin: &OrganisationAdmin,
    titles: &Titles,
    many: &ForMany,
    if_not_all: IfNotAll,
    dry_run: bool,
) -> Result<Result<Planned, PageRefusal>, PageRefusal> {
    let addresses: Vec<Address> = many.listed.iter().filter_map(|one| one.address.clone()).collect();
    let mut ids = web.portal.db.people_by_address(admin.organisation, addresses).await?.into_iter();
    let found: Vec<Option<PersonId>> =
        many.listed.iter().map(|one| one.address.as_ref().and_then(|_| ids.next().flatten())).collect();
    let all_are_known = found.iter().all(Option::is_some);
    let nobody = if_not_all == IfNotAll::Nobody && !all_are_known && !dry_run;
    let assignment = Assignment {
        organisation: admin.organisation,
        people: found.iter().flatten().copied().collect(),
        change: many.how.change(many.wanted.clone()),
        if_not_all,
        dry_run: dry_run || nobody,
        actor: admin.actor(),
    };
    let plan = match web.portal.db.assign(assignment).await? {
        Ok(plan) => plan,
        Err(unchanged) => return Ok(Err(unchanged.into())),
    };
    Ok(Ok(told(web, admin, titles, many, &found, &plan)))
}

fn told(
    web: &Web,
    admin: &OrganisationAdmin,
    titles: &Titles,
    many: &ForMany,
    found: &[Option<PersonId>],
    plan: &Plan,
) -> Planned {
    let (frame, mut outcomes) = (admin.frame(), plan.people.iter());
    let lines = many.listed.iter().zip(found).map(|(one, id)| {
        let typed = one.typed.clone();
        let outcome = id.and_then(|_| outcomes.next()).map(|(_, outcome)| outcome);
        let (is_served, told) = match outcome {
            None if one.address.is_none() => (false, frame.t("row-no-address")),
            None => (false, frame.t("row-unknown")),
            Some(SeatOutcome::Has(seats)) if seats.is_empty() => (true, frame.t("row-has-nothing")),
            Some(SeatOutcome::Has(seats)) => (true, frame.t1("row-has", "offers", titles.line(seats.keys()))),
            Some(SeatOutcome::Refused(causes)) => {
                let causes: Vec<_> = causes.iter().map(|cause| titles.not_assigned(&frame, cause)).collect();
                (false, causes.join(" "))
            }
        };
        PlannedLine { typed, is_served, told }
    });
    let lines: Vec<_> = lines.collect();
    let short = plan.short.iter().map(|(offer, missing)| {
        (titles.offer(offer), *missing, web.portal.billing_url(admin.organisation, offer))
    });
    Planned { served: lines.iter().filter(|line| line.is_served).count(), short: short.collect(), lines }
}

#[derive(Template)]
#[template(path = "organisation/preview.html")]
struct PreviewPage {
    frame: Frame,
    top: Top,
    how: &'static str,
    offers: String,
    planned: Planned,
    /// It was done, and is no preview.
    is_done: bool,
    /// Those who were refused, and then the others, as far as they are shown.
    shown: Vec<usize>,
    /// The form once more, for the next step.
    list: String,
    offer_fields: Vec<String>,
    on_fields: Vec<String>,
}

fn preview_page(
    admin: &OrganisationAdmin,
    titles: &Titles,
    many: &ForMany,
    planned: Planned,
    is_done: bool,
) -> PreviewPage {
    let mut shown: Vec<usize> = (0..planned.lines.len()).collect();
    shown.sort_by_key(|line| planned.lines[*line].is_served);
    shown.truncate(ROWS_SHOWN);
    let on = many.wanted.iter().flat_map(|(name, off)| {
        let services = titles.named(name.as_str()).into_iter().flat_map(|offer| offer.services.keys());
        services.filter(|service| !off.contains(*service)).map(move |service| format!("{name}/{service}"))
    });
    PreviewPage {
        frame: admin.frame(),
        top: admin.top(),
        how: many.how.name(),
        offers: titles.line(many.wanted.keys()),
        list: many.listed.iter().map(|one| one.typed.as_str()).collect::<Vec<_>>().join("\n"),
        offer_fields: many.wanted.keys().map(ToString::to_string).collect(),
        on_fields: on.collect(),
        planned,
        is_done,
        shown,
    }
}

pub(super) async fn preview(
    State(web): State<Web>,
    admin: OrganisationAdmin,
    fields: FormFields,
) -> PageAnswer {
    let titles = Titles::read(&web).await?;
    let many = ForMany::read(&fields, &titles)?;
    let frame = admin.frame();
    if let Some(fault) = many.fault(&frame) {
        let again = form_page(&web, &admin, fields.one("list").to_owned(), many.how, Some(fault)).await?;
        return Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &again));
    }
    let planned = planned(&web, &admin, &titles, &many, IfNotAll::TheFirst, true).await??;
    if fields.has("as", "csv") {
        let head = [frame.t("column-address"), frame.t("column-served"), frame.t("column-result")];
        let (yes, no) = (frame.t("frame-yes"), frame.t("frame-no"));
        let rows = planned.lines.iter().map(|line| {
            vec![line.typed.as_str(), if line.is_served { &yes } else { &no }, line.told.as_str()]
        });
        let table = csv(std::iter::once(head.iter().map(String::as_str).collect()).chain(rows));
        let headers = [
            (CONTENT_TYPE, "text/csv; charset=utf-8"),
            (CONTENT_DISPOSITION, "attachment; filename=\"licences.csv\""),
        ];
        return Ok((headers, table).into_response());
    }
    Ok(page(&preview_page(&admin, &titles, &many, planned, false)))
}

pub(super) async fn assign(
    State(web): State<Web>,
    admin: OrganisationAdmin,
    fields: FormFields,
) -> PageAnswer {
    let titles = Titles::read(&web).await?;
    let many = ForMany::read(&fields, &titles)?;
    if let Some(fault) = many.fault(&admin.frame()) {
        let again = form_page(&web, &admin, fields.one("list").to_owned(), many.how, Some(fault)).await?;
        return Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &again));
    }
    let if_not_all = if fields.has("for", "some") { IfNotAll::TheFirst } else { IfNotAll::Nobody };
    let planned = planned(&web, &admin, &titles, &many, if_not_all, false).await??;
    // What has changed since the preview may leave nobody served: then it is a preview again.
    let is_done =
        0 < planned.served && (if_not_all == IfNotAll::TheFirst || planned.served == planned.lines.len());
    Ok(page(&preview_page(&admin, &titles, &many, planned, is_done)))
}
