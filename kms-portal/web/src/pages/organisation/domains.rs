//! The domains of an organisation: what to publish for each, whether it was found, and what is begun or given up.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use kms_portal::act::domains::{begin, look_now};
use kms_portal::db::DomainRefused;
use kms_portal::rules::domains::Scope;

use super::admin::{OrganisationAdmin, PageAnswer, Top, done};
use crate::Web;
use crate::domain_words::{DomainLine, looked, refused};
use crate::fields::FormFields;
use crate::frame::{Frame, page_with};
use crate::refused::PageRefusal;

const LIST: &str = "/organisation/domains";

#[derive(Template)]
#[template(path = "organisation/domains.html")]
struct DomainsPage {
    frame: Frame,
    top: Top,
    domains: Vec<DomainLine>,
    /// What was typed, if it was refused.
    typed: String,
    tree: bool,
    fault: Option<String>,
    /// What a look has found.
    found: Option<String>,
}

/// What a form has led to.
#[derive(Default)]
struct Said {
    typed: String,
    tree: bool,
    fault: Option<String>,
    found: Option<String>,
}

async fn shown(web: &Web, admin: &OrganisationAdmin, said: Said) -> Result<Response, PageRefusal> {
    let frame = admin.frame();
    let domains = web.portal.db.domains(admin.organisation, admin.now).await?;
    let domains = domains.into_iter().map(|domain| DomainLine::new(&frame, domain)).collect();
    let status = if said.fault.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let Said { typed, tree, fault, found } = said;
    Ok(page_with(status, &DomainsPage { frame, top: admin.top(), domains, typed, tree, fault, found }))
}

pub(super) async fn list(State(web): State<Web>, admin: OrganisationAdmin) -> PageAnswer {
    shown(&web, &admin, Said::default()).await
}

pub(super) async fn add(State(web): State<Web>, admin: OrganisationAdmin, fields: FormFields) -> PageAnswer {
    let tree = fields.has("scope", Scope::Tree.name());
    let scope = if tree { Scope::Tree } else { Scope::Name };
    let typed = fields.one("domain").to_owned();
    match begin(&web.portal, admin.organisation, &typed, scope, admin.actor()).await? {
        Ok(_) => Ok(done(LIST, "domain-begun")),
        Err(why) => {
            let fault = Some(refused(&admin.frame(), &why)?);
            shown(&web, &admin, Said { typed, tree, fault, found: None }).await
        }
    }
}

pub(super) async fn look(State(web): State<Web>, admin: OrganisationAdmin, fields: FormFields) -> PageAnswer {
    let domain = fields.one("domain");
    let found = match look_now(&web.portal, admin.organisation, domain, admin.actor()).await? {
        Ok(found) => looked(&admin.frame(), domain, &found),
        Err(why) => refused(&admin.frame(), &why)?,
    };
    shown(&web, &admin, Said { found: Some(found), ..Said::default() }).await
}

pub(super) async fn remove(
    State(web): State<Web>,
    admin: OrganisationAdmin,
    fields: FormFields,
) -> PageAnswer {
    let domain = fields.one("domain").to_owned();
    match web.portal.db.remove_domain(admin.organisation, domain, admin.actor()).await? {
        // A button that was pressed twice has removed it.
        Ok(()) | Err(DomainRefused::UnknownDomain) => Ok(done(LIST, "domain-removed")),
        Err(DomainRefused::Unchanged(unchanged)) => Err(unchanged.into()),
        Err(_) => Err(PageRefusal::BadForm),
    }
}
