//! What the organisation has bought: seats and ends, and what is done about them.
//!
//! Paying is the vendor's: there is a link to its billing, and where a subscription cannot be reactivated here, the page says whom to ask.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use kms_portal::db::{OrganisationStanding, SoldSubscription, SubscriptionChange};
use kms_portal::rules::SubscriptionId;
use kms_portal::rules::life::{DisabledBy, LifeStage, NotRenewed, Renewal};
use kms_portal::rules::rights::Act;
use shared::time::Timestamp;

use super::admin::{OrganisationAdmin, PageAnswer, Top, done, mendable};
use super::titles::Titles;
use crate::Web;
use crate::fields::FormFields;
use crate::frame::{Frame, page, page_with};
use crate::refused::PageRefusal;

const LIST: &str = "/organisation/subscriptions";

/// A subscription, as a page shows it.
pub(super) struct SubscriptionLine {
    id: SubscriptionId,
    pub(super) title: String,
    seats: u32,
    taken: u64,
    pub(super) stage: String,
    works: bool,
    starts_at: String,
    ends_at: String,
    renews: bool,
    may_cancel: bool,
    /// What can be done again.
    is_reactivable: bool,
    has_ended: bool,
    billing: Option<String>,
}

pub(super) fn lines<'a>(
    frame: &Frame,
    titles: &Titles,
    sold: impl IntoIterator<Item = &'a SoldSubscription>,
    standing: &OrganisationStanding,
    now: Timestamp,
) -> Vec<SubscriptionLine> {
    let lines = sold.into_iter().map(|sold| {
        let (stage, until) = sold.life.at(now);
        SubscriptionLine {
            id: sold.id,
            title: titles.offer(&sold.offer),
            seats: sold.seats.get(),
            taken: standing.pools.get(&sold.offer).map_or(0, |of| of.pool.taken),
            stage: told(frame, stage, until),
            works: stage.works(),
            starts_at: frame.date(sold.life.starts_at),
            ends_at: frame.date(sold.life.ends_at),
            renews: sold.renews,
            may_cancel: matches!(stage, LifeStage::Ahead | LifeStage::Active),
            is_reactivable: matches!(stage, LifeStage::Disabled(_) | LifeStage::Expired),
            has_ended: stage == LifeStage::Ended,
            billing: None,
        }
    });
    lines.collect()
}

/// Where a subscription stands, and until when.
fn told(frame: &Frame, stage: LifeStage, until: Option<Timestamp>) -> String {
    let key = match stage {
        LifeStage::Ahead => "stage-ahead",
        LifeStage::Active => "stage-active",
        LifeStage::Expired => "stage-expired",
        LifeStage::Disabled(DisabledBy::Term) => "stage-disabled-term",
        LifeStage::Disabled(DisabledBy::Cancellation) => "stage-disabled-cancelled",
        LifeStage::Disabled(DisabledBy::Vendor) => "stage-disabled-vendor",
        LifeStage::Ended => "stage-ended",
    };
    frame.t1(key, "date", until.map(|until| frame.date(until)).unwrap_or_default())
}

#[derive(Template)]
#[template(path = "organisation/subscriptions.html")]
struct SubscriptionsPage {
    frame: Frame,
    top: Top,
    sold: Vec<SubscriptionLine>,
    may_buy: bool,
    billing: Option<String>,
}

pub(super) async fn list(State(web): State<Web>, admin: OrganisationAdmin) -> PageAnswer {
    let (frame, titles) = (admin.frame(), Titles::read(&web).await?);
    let standing = web.portal.db.standing(admin.organisation, admin.now).await?;
    let standing = standing.ok_or(PageRefusal::NotFound)?;
    let sold = web.portal.db.subscriptions(admin.organisation).await?;
    let mut shown = lines(&frame, &titles, &sold, &standing, admin.now);
    for (line, sold) in shown.iter_mut().zip(&sold) {
        line.billing = web.portal.billing_url(admin.organisation, &sold.offer);
    }
    Ok(page(&SubscriptionsPage {
        sold: shown,
        may_buy: admin.may(Act::Buy),
        billing: titles
            .offers
            .first()
            .and_then(|offer| web.portal.billing_url(admin.organisation, &offer.name)),
        top: admin.top(),
        frame,
    }))
}

/// A subscription of the organisation. Everything else looks like nothing.
async fn sold(web: &Web, admin: &OrganisationAdmin, id: &str) -> Result<SoldSubscription, PageRefusal> {
    let id: SubscriptionId = id.parse().map_err(|_| PageRefusal::NotFound)?;
    let sold = web.portal.db.subscriptions(admin.organisation).await?;
    sold.into_iter().find(|sold| sold.id == id).ok_or(PageRefusal::NotFound)
}

pub(super) async fn renews(
    State(web): State<Web>,
    admin: OrganisationAdmin,
    Path(id): Path<String>,
    fields: FormFields,
) -> PageAnswer {
    let sold = sold(&web, &admin, &id).await?;
    let renews = fields.has("renews", "yes");
    let change = SubscriptionChange::Renews(renews);
    web.portal.db.change_subscription(admin.organisation, sold.id, change, admin.actor()).await??;
    Ok(done(LIST, if renews { "renews" } else { "renews-not" }))
}

#[derive(Template)]
#[template(path = "organisation/change-subscription.html")]
struct ChangePage {
    frame: Frame,
    top: Top,
    title: String,
    /// What it does, or why it cannot be done here.
    effects: Vec<String>,
    error: Option<String>,
    /// The text of the button; none where it cannot be done here.
    button: Option<String>,
    billing: Option<String>,
}

async fn cancel_page(
    web: &Web,
    admin: &OrganisationAdmin,
    sold: &SoldSubscription,
    error: Option<String>,
) -> Result<ChangePage, PageRefusal> {
    let (frame, titles) = (admin.frame(), Titles::read(web).await?);
    let standing =
        web.portal.db.standing(admin.organisation, admin.now).await?.ok_or(PageRefusal::NotFound)?;
    let taken = standing.pools.get(&sold.offer).map_or(0, |of| of.pool.taken);
    let can = sold.life.cancel(admin.now).is_ok();
    let held = frame.date(admin.now + sold.life.held);
    Ok(ChangePage {
        title: frame.t1("cancel-title", "offer", titles.offer(&sold.offer)),
        effects: if can {
            vec![
                frame.t2("cancel-stops", "seats", sold.seats, "taken", taken),
                frame.t1("cancel-back", "date", held),
            ]
        } else {
            vec![frame.t("unchanged-not-cancelled")]
        },
        button: can.then(|| frame.t("cancel-button")),
        billing: None,
        top: admin.top(),
        frame,
        error,
    })
}

pub(super) async fn ask_cancel(
    State(web): State<Web>,
    admin: OrganisationAdmin,
    Path(id): Path<String>,
) -> PageAnswer {
    let sold = sold(&web, &admin, &id).await?;
    Ok(page(&cancel_page(&web, &admin, &sold, None).await?))
}

pub(super) async fn cancel(
    State(web): State<Web>,
    admin: OrganisationAdmin,
    Path(id): Path<String>,
) -> PageAnswer {
    let sold = sold(&web, &admin, &id).await?;
    match changed(&web, &admin, &sold, SubscriptionChange::Cancel, "cancelled").await? {
        Ok(done) => Ok(done),
        Err(error) => {
            let again = cancel_page(&web, &admin, &sold, Some(error)).await?;
            Ok(page_with(StatusCode::CONFLICT, &again))
        }
    }
}

/// Changes it and goes back to the list, or says why not.
async fn changed(
    web: &Web,
    admin: &OrganisationAdmin,
    sold: &SoldSubscription,
    change: SubscriptionChange,
    name: &str,
) -> Result<Result<Response, String>, PageRefusal> {
    match web.portal.db.change_subscription(admin.organisation, sold.id, change, admin.actor()).await? {
        Ok(_) => Ok(Ok(done(LIST, name))),
        Err(unchanged) => Ok(Err(mendable(&admin.frame(), unchanged)?)),
    }
}

async fn reactivate_page(
    web: &Web,
    admin: &OrganisationAdmin,
    sold: &SoldSubscription,
    error: Option<String>,
) -> Result<ChangePage, PageRefusal> {
    let (frame, titles) = (admin.frame(), Titles::read(web).await?);
    let billing = web.portal.billing_url(admin.organisation, &sold.offer);
    let renewal = sold.life.renewal(admin.now);
    let (effect, can) = match renewal {
        Ok(Renewal::KeepsItsEnd(end)) => (frame.t1("reactivate-same-end", "date", frame.date(end)), true),
        Ok(Renewal::RunsFrom(from)) => (frame.t1("reactivate-from", "date", frame.date(from)), false),
        Err(NotRenewed::Ended) => (frame.t("unchanged-ended"), false),
        Err(NotRenewed::AskTheVendor) => (frame.t("unchanged-ask-vendor"), false),
    };
    let is_the_vendors = renewal == Err(NotRenewed::AskTheVendor);
    let mut effects = vec![effect];
    if !can && !is_the_vendors {
        effects.push(frame.t(if billing.is_some() { "reactivate-at-billing" } else { "reactivate-ask" }));
    }
    Ok(ChangePage {
        title: frame.t1("reactivate-title", "offer", titles.offer(&sold.offer)),
        button: can.then(|| frame.t("reactivate-button")),
        billing: billing.filter(|_| !can && !is_the_vendors),
        top: admin.top(),
        effects,
        frame,
        error,
    })
}

pub(super) async fn ask_reactivate(
    State(web): State<Web>,
    admin: OrganisationAdmin,
    Path(id): Path<String>,
) -> PageAnswer {
    let sold = sold(&web, &admin, &id).await?;
    Ok(page(&reactivate_page(&web, &admin, &sold, None).await?))
}

pub(super) async fn reactivate(
    State(web): State<Web>,
    admin: OrganisationAdmin,
    Path(id): Path<String>,
) -> PageAnswer {
    let sold = sold(&web, &admin, &id).await?;
    match changed(&web, &admin, &sold, SubscriptionChange::TakeCancellationBack, "reactivated").await? {
        Ok(done) => Ok(done),
        Err(error) => {
            let again = reactivate_page(&web, &admin, &sold, Some(error)).await?;
            Ok(page_with(StatusCode::CONFLICT, &again))
        }
    }
}
