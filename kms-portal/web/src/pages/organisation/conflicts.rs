//! What no longer fits: subscriptions that lapsed, seats beyond what is bought, people whose services do not go together.
//!
//! Each has its cause, the ways out, and the day after which something stops. No conflict takes anything away by itself before that day.

use askama::Template;
use axum::extract::State;
use kms_portal::rules::PersonId;
use kms_portal::rules::conflicts::{TooMany, WayOut, ways_out};
use kms_portal::rules::rights::Act;

use super::admin::{OrganisationAdmin, PageAnswer, Top};
use super::titles::{self, Titles};
use crate::Web;
use crate::frame::{Frame, page};
use crate::refused::PageRefusal;

/// How many people a page has.
const PAGE: usize = 50;

/// How many of those whose seats stop first are named.
const LATEST: u32 = 50;

/// An offer of which people have more than there is.
struct OfferConflict {
    title: String,
    cause: String,
    until: String,
    ways: String,
    billing: Option<String>,
    /// Whose seats stop first, if any do: the instant of each, and the person.
    latest: Vec<(String, PersonId, String)>,
    more: u64,
}

/// A person with services that do not fit.
struct PersonLine {
    id: PersonId,
    name: String,
    address: String,
    causes: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "organisation/conflicts.html")]
struct ConflictsPage {
    frame: Frame,
    top: Top,
    offers: Vec<OfferConflict>,
    people: Vec<PersonLine>,
    next: Option<PersonId>,
    may_assign: bool,
}

pub(super) async fn list(State(web): State<Web>, admin: OrganisationAdmin) -> PageAnswer {
    let (frame, titles) = (admin.frame(), Titles::read(&web).await?);
    let after = admin.query.one("after").parse().ok();
    let found = web.portal.db.people_in_conflict(admin.organisation, after, PAGE).await?;
    let people = found.people.into_iter().map(|one| PersonLine {
        causes: one
            .misfits
            .iter()
            .map(|misfit| (titles.misfit(&frame, misfit), titles::ways_out(&frame, ways_out(misfit))))
            .collect(),
        id: one.person.id,
        name: one.person.name,
        address: one.person.address,
    });
    Ok(page(&ConflictsPage {
        people: people.collect(),
        offers: offers(&web, &admin, &titles).await?,
        next: found.next,
        may_assign: admin.may(Act::Assign),
        top: admin.top(),
        frame,
    }))
}

async fn offers(
    web: &Web,
    admin: &OrganisationAdmin,
    titles: &Titles,
) -> Result<Vec<OfferConflict>, PageRefusal> {
    let frame = admin.frame();
    let standing =
        web.portal.db.standing(admin.organisation, admin.now).await?.ok_or(PageRefusal::NotFound)?;
    let sold = web.portal.db.subscriptions(admin.organisation).await?;
    let mut conflicts = Vec::new();
    for (offer, of) in &standing.pools {
        let title = titles.offer(offer);
        let billing = web.portal.billing_url(admin.organisation, offer);
        let conflict = |cause, until, ways: &[WayOut]| OfferConflict {
            ways: titles::ways_out(&frame, ways),
            title: title.clone(),
            billing: billing.clone(),
            latest: Vec::new(),
            more: 0,
            cause,
            until,
        };
        // Paid no more: it works for a while, or has stopped.
        for sold in sold.iter().filter(|sold| sold.offer == *offer && 0 < of.pool.taken) {
            let (stage, until) = sold.life.at(admin.now);
            let is_expired = sold.life.ends_at <= admin.now && stage.works();
            let until = until.map(|until| frame.date(until)).unwrap_or_default();
            if is_expired {
                let cause = frame.t1("conflict-expired", "date", frame.date(sold.life.ends_at));
                let until = frame.t1("conflict-all-work-until", "date", until);
                conflicts.push(conflict(cause, until, &[WayOut::Renew]));
            } else if !stage.works() && of.pool.bought == 0 {
                let cause = frame.t1("conflict-lapsed", "taken", of.pool.taken);
                conflicts.push(conflict(
                    cause,
                    frame.t("conflict-stopped"),
                    &[WayOut::Renew, WayOut::Revoke],
                ));
            }
        }
        let Some(over) = of.over.filter(|_| 0 < of.pool.bought) else { continue };
        let cause = frame.t2("conflict-too-many", "bought", of.pool.bought, "taken", of.pool.taken);
        let date = frame.date(over.all_work_until);
        let until = if admin.now < over.all_work_until {
            frame.t2("conflict-newest-stop", "date", date, "over", over.over)
        } else {
            frame.t2("conflict-newest-stopped", "date", date, "over", over.over)
        };
        let mut too_many = conflict(cause, until, TooMany::WAYS_OUT);
        let shown = u32::try_from(over.over).unwrap_or(u32::MAX).min(LATEST);
        for (since, person) in web.portal.db.latest_seats(admin.organisation, offer.clone(), shown).await? {
            too_many.latest.push((frame.date(since), person.id, person.name));
        }
        too_many.more = over.over.saturating_sub(too_many.latest.len() as u64);
        conflicts.push(too_many);
    }
    Ok(conflicts)
}
