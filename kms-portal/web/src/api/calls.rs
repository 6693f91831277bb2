//! The table of calls: method, path, and what a token needs to be allowed to do. Nothing else says which calls there are.

use axum::http::Method;
use axum::routing::{MethodRouter, delete, get, post, put};
use kms_portal::rules::rights::Act;

use super::openapi::Shape;
use super::wire::{
    ApiOffers, ApiPeople, ApiPerson, ApiPlan, ApiSubscription, ApiSubscriptions, ApiTokens, MadeToken,
};
use super::{licences, people, subscriptions, tokens};
use crate::Web;

/// A call.
pub struct ApiCall {
    /// Its method.
    pub method: Method,
    /// Its path below [`BASE`](super::BASE), with names of ids in braces.
    pub path: &'static str,
    /// What the token, and the person who made it, have to be allowed to do.
    pub act: Act,
    /// Its name for programs.
    pub(super) name: &'static str,
    /// What it does.
    pub(super) about: &'static str,
    pub(super) route: fn() -> MethodRouter<Web>,
    pub(super) shape: fn(Shape) -> Shape,
}

macro_rules! calls {
    ($($method:ident $path:literal, $act:ident, $name:literal, $about:literal, $route:expr, $shape:expr;)*) => {
        /// Every call.
        pub static API_CALLS: &[ApiCall] = &[$(ApiCall {
            method: Method::$method,
            path: $path,
            act: Act::$act,
            name: $name,
            about: $about,
            route: || $route,
            shape: $shape,
        }),*];
    };
}

calls! {
    GET "/people", SeePeople, "listPeople", "List the people of the organisation, by id",
        get(people::list), |shape| shape.query::<people::WhichPeople>().answers::<ApiPeople>(200);
    POST "/people", EditPerson, "addPerson", "Add a person",
        post(people::add), |shape| shape.takes::<people::PersonToAdd>().answers::<ApiPerson>(201);
    GET "/people/{person}", SeePeople, "getPerson", "Show a person, deleted or not",
        get(people::show), |shape| shape.answers::<ApiPerson>(200);
    DELETE "/people/{person}", DeletePerson, "deletePerson",
        "Delete a person: their seats are free at once, and they can be restored for 30 days",
        delete(people::delete), Shape::done;
    POST "/people/{person}/restore", DeletePerson, "restorePerson",
        "Restore a person who was deleted, without licences and roles",
        post(people::restore), |shape| shape.takes::<people::RestoreRequest>().answers::<ApiPerson>(200);
    POST "/people/{person}/block", EditPerson, "blockPerson", "Keep a person from signing in",
        post(people::block), Shape::done;
    POST "/people/{person}/unblock", EditPerson, "unblockPerson", "Let a person sign in again",
        post(people::unblock), Shape::done;
    PUT "/people/{person}/roles", GiveRoles, "setRoles", "Give a person these roles and no others",
        put(people::set_roles), |shape| shape.takes::<people::RolesToGive>().answers::<ApiPerson>(200);
    GET "/offers", SeeAll, "listOffers", "List what the vendor sells",
        get(subscriptions::offers), |shape| shape.answers::<ApiOffers>(200);
    GET "/subscriptions", SeeAll, "listSubscriptions", "List the subscriptions of the organisation, by their ends",
        get(subscriptions::list), |shape| shape.answers::<ApiSubscriptions>(200);
    PUT "/subscriptions/{subscription}/renewal", Buy, "setRenewal", "Have a subscription renewed by the vendor's billing, or not",
        put(subscriptions::set_renewal),
        |shape| shape.takes::<subscriptions::RenewalWish>().answers::<ApiSubscription>(200);
    POST "/subscriptions/{subscription}/cancel", Buy, "cancelSubscription", "Cancel a subscription in the middle of its term",
        post(subscriptions::cancel), |shape| shape.answers::<ApiSubscription>(200);
    POST "/subscriptions/{subscription}/reactivate", Buy, "reactivateSubscription",
        "Take a cancellation back, while the term that was paid runs",
        post(subscriptions::reactivate), |shape| shape.answers::<ApiSubscription>(200);
    POST "/licences/assign", Assign, "assignLicences", "Give licences to people, and leave what they have",
        post(licences::assign), |shape| shape.takes::<licences::LicencesToGive>().answers::<ApiPlan>(200);
    POST "/licences/replace", Assign, "replaceLicences",
        "Give licences to people, and take every other that was assigned by hand",
        post(licences::replace), |shape| shape.takes::<licences::LicencesToGive>().answers::<ApiPlan>(200);
    POST "/licences/revoke", Revoke, "revokeLicences", "Take licences that were assigned by hand",
        post(licences::revoke), |shape| shape.takes::<licences::LicencesToTake>().answers::<ApiPlan>(200);
    GET "/tokens", GiveRoles, "listTokens", "List the tokens of the organisation, the latest first",
        get(tokens::list), |shape| shape.answers::<ApiTokens>(200);
    POST "/tokens", GiveRoles, "makeToken", "Make a token. It is shown once",
        post(tokens::make), |shape| shape.takes::<tokens::TokenToMake>().answers::<MadeToken>(201);
    DELETE "/tokens/{token}", GiveRoles, "revokeToken", "Take a token back. It is of no use from the next call on",
        delete(tokens::revoke), Shape::done;
}
