//! Tokens for programs: which there are, a form to make one, which is shown once, and taking one back.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use kms_portal::db::NewApiToken;
use kms_portal::rules::rights::{AdminRole, AdminRoles};
use kms_portal::rules::{ApiTokenId, DAY};
use kms_portal::token::ApiToken;

use super::admin::{OrganisationAdmin, PageAnswer, Top, done, mendable};
use crate::Web;
use crate::fields::FormFields;
use crate::frame::{Frame, page_with};
use crate::refused::PageRefusal;

/// For how many days a token may be made.
const DAYS: [u32; 3] = [30, 90, 365];

/// The longest name, in characters.
const NAME_MAX_CHARS: usize = 200;

struct TokenLine {
    id: String,
    name: String,
    roles: String,
    ends_at: String,
    used_at: String,
}

#[derive(Template)]
#[template(path = "organisation/tokens.html")]
struct TokensPage {
    frame: Frame,
    top: Top,
    tokens: Vec<TokenLine>,
    roles: Vec<(&'static str, String)>,
    days: [u32; 3],
    /// The token that was just made.
    made: Option<String>,
    error: Option<String>,
}

async fn tokens_page(
    web: &Web,
    admin: &OrganisationAdmin,
    made: Option<String>,
    error: Option<String>,
) -> PageAnswer {
    let (frame, none) = (admin.frame(), admin.frame().t("frame-none"));
    let title = |role: AdminRole| frame.t(&format!("role-{}", role.name()));
    let known = web.portal.db.api_tokens(admin.organisation).await?;
    let tokens = known.into_iter().filter(|known| known.revoked_at.is_none()).map(|known| TokenLine {
        id: known.id.to_string(),
        name: known.name,
        roles: known.roles.iter().map(title).collect::<Vec<_>>().join(", "),
        ends_at: known.ends_at.map_or_else(|| none.clone(), |at| at.to_string()),
        used_at: known.used_at.map_or_else(|| none.clone(), |at| at.to_string()),
    });
    let status = if error.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let page = TokensPage {
        tokens: tokens.collect(),
        roles: AdminRole::ALL.map(|role| (role.name(), title(role))).into(),
        days: DAYS,
        top: admin.top(),
        made,
        error,
        frame: admin.frame(),
    };
    Ok(page_with(status, &page))
}

pub(super) async fn list(State(web): State<Web>, admin: OrganisationAdmin) -> PageAnswer {
    tokens_page(&web, &admin, None, None).await
}

pub(super) async fn make(State(web): State<Web>, admin: OrganisationAdmin, fields: FormFields) -> PageAnswer {
    let roles = fields.all("role").map(|name| AdminRole::from_name(name).ok_or(PageRefusal::BadForm));
    let roles = AdminRoles::of(roles.collect::<Result<Vec<_>, _>>()?);
    let days = fields.one("days").parse().ok().filter(|days| DAYS.contains(days));
    let days = days.ok_or(PageRefusal::BadForm)?;
    let name = fields.one("name").trim();
    if !(1..=NAME_MAX_CHARS).contains(&name.chars().count()) || name.chars().any(char::is_control) {
        let error = admin.frame().t("tokens-name-fault");
        return tokens_page(&web, &admin, None, Some(error)).await;
    }
    let token = ApiToken::draw();
    let new = NewApiToken {
        id: ApiTokenId::from_bytes(rand::random()),
        organisation: admin.organisation,
        name: name.to_owned(),
        digest: token.digest(),
        roles,
        ends_at: Some(admin.now + DAY * days),
    };
    match web.portal.db.make_api_token(new, admin.actor()).await? {
        Ok(()) => tokens_page(&web, &admin, Some(token.text().to_string()), None).await,
        Err(unchanged) => {
            let error = mendable(&admin.frame(), unchanged)?;
            tokens_page(&web, &admin, None, Some(error)).await
        }
    }
}

pub(super) async fn revoke(
    State(web): State<Web>,
    admin: OrganisationAdmin,
    fields: FormFields,
) -> PageAnswer {
    let id = fields.one("id").parse().map_err(|_| PageRefusal::BadForm)?;
    web.portal.db.revoke_api_token(admin.organisation, id, admin.actor()).await??;
    Ok(done("/organisation/tokens", "token-revoked"))
}
