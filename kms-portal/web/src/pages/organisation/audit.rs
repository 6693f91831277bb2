//! What was changed in the organisation, by whom and when, the latest first.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use kms_portal::rules::PersonId;

use super::admin::{OrganisationAdmin, PageAnswer, Top};
use super::titles::Titles;
use crate::Web;
use crate::frame::{Frame, page};
use crate::refused::PageRefusal;

/// How many changes a page has.
const PAGE: u32 = 50;

struct ChangeRow {
    number: u64,
    at: String,
    who: String,
    what: String,
    subject: String,
    why: String,
}

#[derive(Template)]
#[template(path = "organisation/audit.html")]
struct AuditPage {
    frame: Frame,
    top: Top,
    changes: Vec<ChangeRow>,
    next: Option<u64>,
}

pub(super) async fn list(State(web): State<Web>, admin: OrganisationAdmin) -> PageAnswer {
    let before = admin.query.one("before").parse().ok();
    let changes = web.portal.db.changes_in(admin.organisation, before, PAGE).await?;
    let next = changes.last().filter(|_| changes.len() == PAGE as usize).map(|last| last.number);
    let mut names = Names { web: &web, admin: &admin, known: BTreeMap::new() };
    let titles = Titles::read(&web).await?;
    let (frame, mut rows) = (admin.frame(), Vec::new());
    for change in changes {
        let key = format!("change-{}", change.what.replace(' ', "-"));
        let what = frame.t(&key);
        rows.push(ChangeRow {
            number: change.number,
            at: change.by.at.to_string(),
            who: names.in_text(&change.by.who, &titles).await?,
            // What this release has no words for is shown as it was noted.
            what: if what == key { change.what } else { what },
            subject: names.in_text(&change.subject, &titles).await?,
            why: change.by.why,
        });
    }
    Ok(page(&AuditPage { changes: rows, next, top: admin.top(), frame }))
}

/// The names of people, each looked up once.
struct Names<'a> {
    web: &'a Web,
    admin: &'a OrganisationAdmin,
    known: BTreeMap<PersonId, Option<String>>,
}

impl Names<'_> {
    /// A text with names in the place of ids.
    async fn in_text(&mut self, text: &str, titles: &Titles) -> Result<String, PageRefusal> {
        let mut words = Vec::new();
        for word in text.split(' ') {
            let name = match word.parse::<PersonId>() {
                Ok(id) => self.name(id).await?,
                Err(_) => titles.named(word.trim_matches(['(', ')', ','])).map(|offer| offer.title.clone()),
            };
            words.push(name.unwrap_or_else(|| word.to_owned()));
        }
        Ok(words.join(" "))
    }

    async fn name(&mut self, id: PersonId) -> Result<Option<String>, PageRefusal> {
        if let Some(known) = self.known.get(&id) {
            return Ok(known.clone());
        }
        let person = self.web.portal.db.person(id).await?;
        let here = person.filter(|person| person.organisation == Some(self.admin.organisation));
        let name = here.map(|person| format!("{} <{}>", person.name, person.address));
        self.known.insert(id, name.clone());
        Ok(name)
    }
}
