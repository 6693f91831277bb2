//! The first page of an organisation: what it has, and what needs somebody.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use kms_portal::db::OrganisationStanding;
use kms_portal::rules::rights::Act;

use super::admin::{OrganisationAdmin, PageAnswer, Top};
use super::subscriptions::{SubscriptionLine, lines};
use super::titles::Titles;
use crate::Web;
use crate::frame::{Frame, page};
use crate::refused::PageRefusal;

/// What ends within this time is said to end soon.
const SOON: Duration = Duration::from_hours(60 * 24);

/// The seats of an offer in a table.
pub(super) struct PoolLine {
    pub(super) title: String,
    pub(super) bought: u64,
    pub(super) taken: u64,
    pub(super) free: u64,
    pub(super) is_over: bool,
}

#[derive(Template)]
#[template(path = "organisation/overview.html")]
struct OverviewPage {
    frame: Frame,
    top: Top,
    standing: OrganisationStanding,
    pools: Vec<PoolLine>,
    /// What ends soon, or has stopped.
    soon: Vec<SubscriptionLine>,
    over: usize,
    sees_all: bool,
    sees_health: bool,
}

/// The seats of each offer.
pub(super) fn pools(standing: &OrganisationStanding, titles: &Titles) -> Vec<PoolLine> {
    let lines = standing.pools.iter().map(|(offer, of)| PoolLine {
        title: titles.offer(offer),
        bought: of.pool.bought,
        taken: of.pool.taken,
        free: of.pool.free(),
        is_over: of.over.is_some(),
    });
    lines.collect()
}

pub(super) async fn overview(State(web): State<Web>, admin: OrganisationAdmin) -> PageAnswer {
    let standing = web.portal.db.standing(admin.organisation, admin.now).await?;
    let standing = standing.ok_or(PageRefusal::NotFound)?;
    let titles = Titles::read(&web).await?;
    let sold = web.portal.db.subscriptions(admin.organisation).await?;
    let frame = admin.frame();
    let soon = sold.iter().filter(|sold| {
        let (stage, until) = sold.life.at(admin.now);
        !stage.works() || until.is_some_and(|until| until <= admin.now + SOON)
    });
    let soon = lines(&frame, &titles, soon, &standing, admin.now);
    Ok(page(&OverviewPage {
        pools: pools(&standing, &titles),
        over: standing.pools.values().filter(|of| of.over.is_some()).count(),
        sees_all: admin.may(Act::SeeAll),
        sees_health: admin.may(Act::SeeHealth),
        top: admin.top(),
        soon,
        standing,
        frame,
    }))
}
