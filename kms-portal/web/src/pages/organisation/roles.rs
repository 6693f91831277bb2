//! Who has which role, what each role may do, and a form to give them.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use kms_portal::db::Person;
use kms_portal::rules::rights::{Act, AdminRole, AdminRoles};

use super::admin::{OrganisationAdmin, PageAnswer, Top, done, mendable};
use super::people::roles_line;
use crate::Web;
use crate::fields::FormFields;
use crate::frame::{Frame, page, page_with};
use crate::refused::PageRefusal;

/// What the table of roles shows, in its order.
const SHOWN: [(Act, &str); 9] = [
    (Act::Assign, "act-assign"),
    (Act::Revoke, "act-revoke"),
    (Act::Buy, "act-buy"),
    (Act::DeletePerson, "act-delete"),
    (Act::ResetPassword, "act-reset"),
    (Act::SeeHealth, "act-health"),
    (Act::GiveRoles, "act-roles"),
    (Act::ManageDomains, "act-domains"),
    (Act::SeeKeys, "act-keys"),
];

/// A role, and for each act of the table whether it includes it.
struct RoleLine {
    name: &'static str,
    title: String,
    may: Vec<bool>,
    is_given: bool,
}

fn role_lines(frame: &Frame, given: AdminRoles) -> Vec<RoleLine> {
    let lines = AdminRole::ALL.into_iter().map(|role| RoleLine {
        name: role.name(),
        title: frame.t(&format!("role-{}", role.name())),
        may: SHOWN.iter().map(|(act, _)| act.allowed().contains(&role)).collect(),
        is_given: given.has(role),
    });
    lines.collect()
}

fn acts(frame: &Frame) -> Vec<String> {
    SHOWN.iter().map(|(_, text)| frame.t(text)).collect()
}

struct AdminLine {
    person: Person,
    roles: String,
}

#[derive(Template)]
#[template(path = "organisation/roles.html")]
struct RolesPage {
    frame: Frame,
    top: Top,
    admins: Vec<AdminLine>,
    roles: Vec<RoleLine>,
    acts: Vec<String>,
    /// The only general administrator.
    last: Option<String>,
    may_give: bool,
}

/// The general administrators who are not blocked.
async fn generals(web: &Web, admin: &OrganisationAdmin) -> Result<(Vec<Person>, Vec<Person>), PageRefusal> {
    let admins = web.portal.db.admins(admin.organisation).await?;
    let is_general = |person: &&Person| person.roles.has(AdminRole::General) && person.blocked_at.is_none();
    let generals = admins.iter().filter(is_general).cloned().collect();
    Ok((admins, generals))
}

pub(super) async fn list(State(web): State<Web>, admin: OrganisationAdmin) -> PageAnswer {
    let frame = admin.frame();
    let (admins, generals) = generals(&web, &admin).await?;
    let admins =
        admins.into_iter().map(|person| AdminLine { roles: roles_line(&frame, person.roles), person });
    Ok(page(&RolesPage {
        admins: admins.collect(),
        roles: role_lines(&frame, AdminRoles::NONE),
        acts: acts(&frame),
        last: if let [last] = &generals[..] { Some(last.name.clone()) } else { None },
        may_give: admin.may(Act::GiveRoles),
        top: admin.top(),
        frame,
    }))
}

#[derive(Template)]
#[template(path = "organisation/give-roles.html")]
struct GiveRolesPage {
    frame: Frame,
    top: Top,
    person: Person,
    roles: Vec<RoleLine>,
    acts: Vec<String>,
    is_last: bool,
    error: Option<String>,
}

async fn give_page(
    web: &Web,
    admin: &OrganisationAdmin,
    person: Person,
    given: AdminRoles,
    error: Option<String>,
) -> Result<GiveRolesPage, PageRefusal> {
    let frame = admin.frame();
    let (_, generals) = generals(web, admin).await?;
    Ok(GiveRolesPage {
        roles: role_lines(&frame, given),
        acts: acts(&frame),
        is_last: matches!(&generals[..], [last] if last.id == person.id),
        top: admin.top(),
        frame,
        person,
        error,
    })
}

pub(super) async fn of_person(
    State(web): State<Web>,
    admin: OrganisationAdmin,
    Path(id): Path<String>,
) -> PageAnswer {
    let person = admin.person_of(&web, &id).await?;
    let given = person.roles;
    Ok(page(&give_page(&web, &admin, person, given, None).await?))
}

pub(super) async fn give(
    State(web): State<Web>,
    admin: OrganisationAdmin,
    Path(id): Path<String>,
    fields: FormFields,
) -> PageAnswer {
    let person = admin.person_of(&web, &id).await?;
    let given = fields.all("role").map(|name| AdminRole::from_name(name).ok_or(PageRefusal::BadForm));
    let given = AdminRoles::of(given.collect::<Result<Vec<_>, _>>()?);
    match web.portal.db.set_roles(person.id, given, admin.actor()).await? {
        Ok(()) => Ok(done(&format!("/organisation/people/{}", person.id), "roles")),
        Err(unchanged) => {
            let error = Some(mendable(&admin.frame(), unchanged)?);
            let again = give_page(&web, &admin, person, given, error).await?;
            Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &again))
        }
    }
}
