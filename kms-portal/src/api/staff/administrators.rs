//! Invites an organisation's first administrator, or one more.

use kms_portal_rules::PersonId;
use kms_portal_rules::addresses::Address;
use kms_portal_rules::rights::{AdminRole, AdminRoles};
use kms_portal_texts::Language;
use proto::portal::v1 as w;
use tonic::Status;

use super::{Staff, names};
use crate::act::{invitation, link_path};
use crate::db::{Actor, By, NewPerson, Organisation};
use crate::token::LinkToken;

pub(super) async fn invite(
    staff: &Staff,
    organisation: Organisation,
    wanted: w::InviteAdministratorRequest,
    by: By,
) -> Result<w::InviteAdministratorResponse, Status> {
    let portal = &staff.portal;
    if !portal.has_pages() {
        let remedy = "this portal has no pages on which anybody could accept; set web_listen and web_url, and start it again";
        return Err(Status::failed_precondition(remedy));
    }
    let address = Address::new(&wanted.address);
    let address = address.ok_or_else(|| Status::invalid_argument("this is no e-mail address"))?;
    let language = match wanted.language.as_str() {
        "" => Language::English,
        tag => Language::from_tag(tag)
            .ok_or_else(|| Status::invalid_argument("the languages are en, nl, de and fr"))?,
    };
    let (id, token) = (PersonId::from_bytes(rand::random()), LinkToken::draw());
    let (link, who) = (portal.page(&link_path(&token)), by.who.clone());
    let mail = invitation((&token, &link), (id, address), language, &organisation.name, by.at);
    let name = names::new_name(&wanted.name)?.to_owned();
    let (address, location) = (wanted.address, None);
    let person = NewPerson { id, organisation: Some(organisation.id), name, address, location };
    let roles = AdminRoles::of([AdminRole::General]);
    let added = portal.db.invite_person(person, roles, mail, Actor::staff(by));
    let added = staff.ask(added).await?;
    added.map_err(|unchanged| Status::failed_precondition(unchanged.to_string()))?;
    tracing::info!(person = %id, organisation = %organisation.id, who, "invited an administrator");
    Ok(w::InviteAdministratorResponse { link })
}
