//! Issues and revokes tokens.

use proto::portal::v1 as w;
use tonic::Status;

use super::{Staff, time};
use crate::db::{By, NewToken, TokenLike};
use crate::roles::Role;
use crate::token::StaffToken;

/// The longest name of a token, in bytes.
const NAME_MAX: usize = 64;

pub(super) async fn issue(
    staff: &Staff,
    wanted: w::IssueTokenRequest,
    by: By,
) -> Result<w::IssueTokenResponse, Status> {
    let name = checked_name(&wanted.name)?.to_owned();
    let role = Role::from_name(&wanted.role).ok_or_else(|| {
        let roles = Role::ALL.map(Role::name).join(", ");
        Status::invalid_argument(format!("there is no role {:?}; the roles are {roles}", wanted.role))
    })?;
    let ends_at = time(wanted.ends_at);
    if ends_at.is_some_and(|ends_at| ends_at <= by.at) {
        return Err(Status::invalid_argument("the token would have ended already"));
    }
    let token = StaffToken::draw();
    let who = by.who.clone();
    let new = NewToken { name: name.clone(), digest: token.digest(), role, ends_at };
    if let Err(TokenLike(known)) = staff.ask(staff.portal.db.issue_token(new, by)).await? {
        let like = if known == name { String::new() } else { format!(", which looks like {name:?}") };
        return Err(Status::failed_precondition(format!(
            "a token {known:?} was issued before{like}, and the changes name people by their tokens; choose another name"
        )));
    }
    tracing::info!(token = name, role = role.name(), who, "issued a token");
    Ok(w::IssueTokenResponse { token: token.text().to_string() })
}

pub(super) async fn revoke(staff: &Staff, name: String, by: By) -> Result<(), Status> {
    let who = by.who.clone();
    if !staff.ask(staff.portal.db.revoke_token(name.clone(), by)).await? {
        return Err(Status::not_found(format!(
            "there is no token {name:?}; `kms-portal token list` lists those that there are"
        )));
    }
    tracing::info!(token = name, who, "took a token back");
    Ok(())
}

/// Checks that a name is one word, because the record of changes shows it.
fn checked_name(name: &str) -> Result<&str, Status> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@');
    if (1..=NAME_MAX).contains(&name.len()) && name.chars().all(is_part) {
        return Ok(name);
    }
    let form = format!("a name for a token has 1 to {NAME_MAX} letters, digits and . _ - @");
    Err(Status::invalid_argument(form))
}
