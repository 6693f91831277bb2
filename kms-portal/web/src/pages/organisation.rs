//! What administrators see and do in their organisation. [`table`] says which right each page and each form needs.
//!
//! [`guard`] stands before every one of them: it asks who is signed in, and whether their roles include it. What a form changes is decided
//! once more in the transaction that writes. Read next: `people`, then `licences`.

mod admin;
mod audit;
mod conflicts;
mod domains;
mod licences;
mod lists;
mod overview;
mod people;
mod person;
mod roles;
mod subscriptions;
mod titles;
mod tokens;
mod volume;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get, post};
use kms_portal::rules::rights::Act;

use crate::Web;
use admin::guard;

/// The largest list of people that a form takes, in bytes: 100,000 addresses of 40 characters.
const LIST_MAX_BYTES: usize = 4 * 1024 * 1024;

/// A page or a form, and the right that it needs.
pub struct AdminPage {
    /// How it is asked for.
    pub method: Method,
    /// Its path. `{id}` is a person, or a subscription.
    pub path: &'static str,
    /// What it needs.
    pub act: Act,
    answers: MethodRouter<Web>,
}

fn shows<H, T>(path: &'static str, act: Act, handler: H) -> AdminPage
where
    H: axum::handler::Handler<T, Web>,
    T: 'static,
{
    AdminPage { method: Method::GET, path, act, answers: get(handler) }
}

fn does<H, T>(path: &'static str, act: Act, handler: H) -> AdminPage
where
    H: axum::handler::Handler<T, Web>,
    T: 'static,
{
    AdminPage { method: Method::POST, path, act, answers: post(handler) }
}

/// Every page and form, and what it needs. Nothing else says so.
pub fn table() -> Vec<AdminPage> {
    vec![
        shows("/organisation", Act::SeePeople, overview::overview),
        shows("/organisation/people", Act::SeePeople, people::list),
        shows("/organisation/people/new", Act::EditPerson, people::new),
        does("/organisation/people/new", Act::EditPerson, people::add),
        shows("/organisation/people/{id}", Act::SeePeople, person::show),
        does("/organisation/people/{id}", Act::EditPerson, person::edit),
        does("/organisation/people/{id}/block", Act::EditPerson, person::block),
        does("/organisation/people/{id}/password", Act::ResetPassword, person::reset_password),
        does("/organisation/people/{id}/licences", Act::Assign, person::license),
        shows("/organisation/people/{id}/delete", Act::DeletePerson, person::ask_delete),
        does("/organisation/people/{id}/delete", Act::DeletePerson, person::delete),
        shows("/organisation/people/{id}/restore", Act::DeletePerson, person::ask_restore),
        does("/organisation/people/{id}/restore", Act::DeletePerson, person::restore),
        shows("/organisation/people/{id}/roles", Act::GiveRoles, roles::of_person),
        does("/organisation/people/{id}/roles", Act::GiveRoles, roles::give),
        shows("/organisation/roles", Act::SeePeople, roles::list),
        shows("/organisation/licences", Act::Assign, licences::form),
        does("/organisation/licences", Act::Assign, licences::form_for),
        does("/organisation/licences/preview", Act::Assign, licences::preview),
        does("/organisation/licences/assign", Act::Assign, licences::assign),
        shows("/organisation/subscriptions", Act::SeeAll, subscriptions::list),
        does("/organisation/subscriptions/{id}/renews", Act::Buy, subscriptions::renews),
        shows("/organisation/subscriptions/{id}/cancel", Act::Buy, subscriptions::ask_cancel),
        does("/organisation/subscriptions/{id}/cancel", Act::Buy, subscriptions::cancel),
        shows("/organisation/subscriptions/{id}/reactivate", Act::Buy, subscriptions::ask_reactivate),
        does("/organisation/subscriptions/{id}/reactivate", Act::Buy, subscriptions::reactivate),
        shows("/organisation/conflicts", Act::SeeHealth, conflicts::list),
        shows("/organisation/domains", Act::ManageDomains, domains::list),
        does("/organisation/domains", Act::ManageDomains, domains::add),
        does("/organisation/domains/look", Act::ManageDomains, domains::look),
        does("/organisation/domains/remove", Act::ManageDomains, domains::remove),
        shows("/organisation/keys", Act::SeeKeys, volume::list),
        shows("/organisation/tokens", Act::GiveRoles, tokens::list),
        does("/organisation/tokens", Act::GiveRoles, tokens::make),
        does("/organisation/tokens/revoke", Act::GiveRoles, tokens::revoke),
        shows("/organisation/audit", Act::SeeAll, audit::list),
    ]
}

pub(super) fn routes(web: &Web) -> Router<Web> {
    table().into_iter().fold(Router::new(), |site, page| {
        let answers = page.answers.layer(DefaultBodyLimit::max(LIST_MAX_BYTES));
        site.route(page.path, answers.layer(from_fn_with_state((web.clone(), page.act), guard)))
    })
}
