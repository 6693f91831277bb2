//! What is sent and read as JSON, and what it stands for.

use std::collections::BTreeMap;
use std::str::FromStr;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use kms_portal::db::{KnownApiToken, Person, SoldSubscription};
use kms_portal::rules::life::{DisabledBy, LifeStage};
use kms_portal::rules::offers::{Misfit, Offers};
use kms_portal::rules::rights::{AdminRole, AdminRoles};
use kms_portal::rules::seats::{NotAssigned, Plan, Seat, SeatOutcome};
use serde::Serialize;
use serde::de::DeserializeOwned;
use shared::time::Timestamp;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};

use super::problem::{ApiProblem, ProblemKind};

/// The longest name, in characters.
const NAME_MAX_CHARS: usize = 200;

/// A body.
pub(super) struct JsonBody<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiProblem;

    async fn from_request(request: Request, state: &S) -> Result<JsonBody<T>, ApiProblem> {
        let axum::Json(body) = axum::Json::from_request(request, state).await?;
        Ok(JsonBody(body))
    }
}

/// Parameters behind the path.
pub(super) struct QueryOf<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for QueryOf<T> {
    type Rejection = ApiProblem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<QueryOf<T>, ApiProblem> {
        let axum::extract::Query(query) = axum::extract::Query::from_request_parts(parts, state).await?;
        Ok(QueryOf(query))
    }
}

/// The id in a path or a body. What is none names nothing that exists.
pub(super) fn id<T: FromStr>(text: &str) -> Result<T, ApiProblem> {
    let fault = || ApiProblem::new(ProblemKind::NotFound, "an id has 32 hexadecimal digits");
    text.parse().map_err(|_| fault())
}

/// A name for people: one line.
pub(super) fn name(text: &str) -> Result<String, ApiProblem> {
    let text = text.trim();
    if text.is_empty() || NAME_MAX_CHARS < text.chars().count() || text.chars().any(char::is_control) {
        let fault = format!("a name has 1 to {NAME_MAX_CHARS} characters and no control characters");
        return Err(ApiProblem::invalid(fault));
    }
    Ok(text.to_owned())
}

/// An instant as RFC 3339 has it.
pub(super) fn instant(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.unix_ms()).map_or_else(|_| at.to_string(), |at| at.to_string())
}

/// Reads an instant.
pub(super) fn read_instant(text: &str) -> Result<Timestamp, ApiProblem> {
    let at: jiff::Timestamp = text
        .parse()
        .map_err(|_| ApiProblem::invalid("a time is written as in RFC 3339: 2030-01-31T12:00:00Z"))?;
    Ok(Timestamp::from_unix_ms(at.as_millisecond()))
}

/// Reads roles.
pub(super) fn read_roles(names: &[String]) -> Result<AdminRoles, ApiProblem> {
    let known = |name: &String| {
        let unknown =
            || ApiProblem::invalid(format!("there is no role {name:?}; they are {}", all_roles().join(", ")));
        AdminRole::from_name(name).ok_or_else(unknown)
    };
    Ok(AdminRoles::of(names.iter().map(known).collect::<Result<Vec<_>, _>>()?))
}

fn all_roles() -> Vec<&'static str> {
    AdminRole::ALL.into_iter().map(AdminRole::name).collect()
}

/// A list of roles.
pub(super) fn roles_schema() -> ArrayBuilder {
    let role = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(all_roles()));
    ArrayBuilder::new().items(role)
}

/// A list of ids.
pub(super) fn ids_schema() -> ArrayBuilder {
    ArrayBuilder::new()
        .items(super::openapi::id_schema())
        .min_items(Some(1))
        .max_items(Some(super::licences::PEOPLE_MAX))
}

/// A person.
#[derive(Serialize, ToSchema)]
pub(super) struct ApiPerson {
    id: String,
    name: String,
    address: String,
    /// Where they use what they have: two letters, as in ISO 3166-1.
    location: Option<String>,
    #[schema(schema_with = roles_schema)]
    roles: Vec<&'static str>,
    #[schema(format = DateTime)]
    added_at: String,
    /// Since when they cannot sign in.
    #[schema(format = DateTime)]
    blocked_at: Option<String>,
    /// When they were deleted.
    #[schema(format = DateTime)]
    deleted_at: Option<String>,
}

impl From<Person> for ApiPerson {
    fn from(person: Person) -> ApiPerson {
        ApiPerson {
            id: person.id.to_string(),
            name: person.name,
            address: person.address,
            location: person.location.map(|country| country.to_string()),
            roles: person.roles.iter().map(AdminRole::name).collect(),
            added_at: instant(person.added_at),
            blocked_at: person.blocked_at.map(instant),
            deleted_at: person.deleted_at.map(instant),
        }
    }
}

/// Some people.
#[derive(Serialize, ToSchema)]
pub(super) struct ApiPeople {
    pub(super) people: Vec<ApiPerson>,
    /// Ask again with this as `after` for those that follow; null at the end.
    pub(super) next: Option<String>,
}

/// What the vendor sells.
#[derive(Serialize, ToSchema)]
pub(super) struct ApiOffers {
    offers: BTreeMap<String, ApiOffer>,
}

/// An offer: a set of services.
#[derive(Serialize, ToSchema)]
struct ApiOffer {
    services: BTreeMap<String, ApiService>,
}

/// A part of a product that can be switched for each person.
#[derive(Serialize, ToSchema)]
struct ApiService {
    /// Services that nobody may have beside it.
    excludes: Vec<String>,
    /// Services without which nobody may have it.
    requires: Vec<String>,
    /// Countries where it is not offered.
    not_in: Vec<String>,
}

fn texts<T: ToString>(set: &std::collections::BTreeSet<T>) -> Vec<String> {
    set.iter().map(ToString::to_string).collect()
}

impl From<Offers> for ApiOffers {
    fn from(Offers(offers): Offers) -> ApiOffers {
        let offers = offers.into_iter().map(|(name, offer)| {
            let services = offer.services.iter().map(|(name, service)| {
                let (excludes, requires) = (texts(&service.excludes), texts(&service.requires));
                (name.to_string(), ApiService { excludes, requires, not_in: texts(&service.not_in) })
            });
            (name.to_string(), ApiOffer { services: services.collect() })
        });
        ApiOffers { offers: offers.collect() }
    }
}

/// What an organisation has bought.
#[derive(Serialize, ToSchema)]
pub(super) struct ApiSubscriptions {
    pub(super) subscriptions: Vec<ApiSubscription>,
}

/// A subscription.
#[derive(Serialize, ToSchema)]
pub(super) struct ApiSubscription {
    id: String,
    offer: String,
    seats: u32,
    /// `ahead`, `active`, `expired` (everything works as before), `disabled` or `ended`.
    stage: &'static str,
    /// What has disabled it: `term`, `cancellation` or `vendor`.
    disabled_by: Option<&'static str>,
    /// When the stage changes by itself.
    #[schema(format = DateTime)]
    stage_until: Option<String>,
    #[schema(format = DateTime)]
    starts_at: String,
    /// The first instant after its term.
    #[schema(format = DateTime)]
    ends_at: String,
    /// Whether the vendor's billing is to renew it.
    renews: bool,
}

impl ApiSubscription {
    pub(super) fn new(sold: &SoldSubscription, now: Timestamp) -> ApiSubscription {
        let (stage, until) = sold.life.at(now);
        let (stage, disabled_by) = match stage {
            LifeStage::Ahead => ("ahead", None),
            LifeStage::Active => ("active", None),
            LifeStage::Expired => ("expired", None),
            LifeStage::Disabled(DisabledBy::Term) => ("disabled", Some("term")),
            LifeStage::Disabled(DisabledBy::Cancellation) => ("disabled", Some("cancellation")),
            LifeStage::Disabled(DisabledBy::Vendor) => ("disabled", Some("vendor")),
            LifeStage::Ended => ("ended", None),
        };
        ApiSubscription {
            id: sold.id.to_string(),
            offer: sold.offer.to_string(),
            seats: sold.seats.get(),
            stage,
            disabled_by,
            stage_until: until.map(instant),
            starts_at: instant(sold.life.starts_at),
            ends_at: instant(sold.life.ends_at),
            renews: sold.renews,
        }
    }
}

/// What a change of licences does, or would do.
#[derive(Serialize, ToSchema)]
pub(super) struct ApiPlan {
    /// Whether it was only asked what it would do.
    dry_run: bool,
    /// How many people are served.
    served: usize,
    /// How many are not.
    refused: usize,
    /// Everybody on the list, in its order.
    pub(super) people: Vec<ApiOutcome>,
    /// The seats afterwards, of every offer of which anybody gains or loses one.
    seats: BTreeMap<String, ApiSeats>,
    /// How many more seats of each offer it would take to serve everybody.
    pub(super) short: BTreeMap<String, u64>,
}

/// Seats of an offer.
#[derive(Serialize, ToSchema)]
struct ApiSeats {
    bought: u64,
    taken: u64,
}

/// What a change does to a person.
#[derive(Serialize, ToSchema)]
pub(super) struct ApiOutcome {
    person: String,
    /// The licences that they have afterwards; absent where they are refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    licences: Option<BTreeMap<String, ApiLicence>>,
    /// Why everything stays as it was; absent where they are served.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<Vec<ApiRefused>>,
}

/// A licence that a person has.
#[derive(Serialize, ToSchema)]
pub(super) struct ApiLicence {
    /// Whether somebody assigned it to the person by hand.
    by_hand: bool,
    /// The groups that give it.
    groups: Vec<String>,
    /// The services that are switched off for the person.
    off: Vec<String>,
}

impl From<&Seat> for ApiLicence {
    fn from(seat: &Seat) -> ApiLicence {
        ApiLicence { by_hand: seat.by_hand, groups: texts(&seat.groups), off: texts(&seat.off) }
    }
}

/// Why a person does not get a licence.
#[derive(Default, Serialize, ToSchema)]
pub(super) struct ApiRefused {
    /// `not-bought`, `no-seat`, `not-for-all`, `no-location`, `not-offered-there`, `excludes` or `requires`.
    reason: &'static str,
    /// The reason as a sentence.
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    offer: Option<String>,
    /// The services that do not fit.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    services: Vec<String>,
}

impl From<&NotAssigned> for ApiRefused {
    fn from(cause: &NotAssigned) -> ApiRefused {
        let (reason, offer, services) = match cause {
            NotAssigned::NotBought(offer) => ("not-bought", Some(offer), Vec::new()),
            NotAssigned::NoSeat(offer) => ("no-seat", Some(offer), Vec::new()),
            NotAssigned::NotForAll => ("not-for-all", None, Vec::new()),
            NotAssigned::Misfit(Misfit::NoLocation) => ("no-location", None, Vec::new()),
            NotAssigned::Misfit(Misfit::NotOfferedThere { service, .. }) => {
                ("not-offered-there", None, vec![service])
            }
            NotAssigned::Misfit(Misfit::Excludes { one, other }) => ("excludes", None, vec![one, other]),
            NotAssigned::Misfit(Misfit::Requires { service, missing }) => {
                ("requires", None, vec![service, missing])
            }
        };
        ApiRefused {
            reason,
            detail: cause.to_string(),
            offer: offer.map(ToString::to_string),
            services: services.into_iter().map(ToString::to_string).collect(),
        }
    }
}

impl ApiPlan {
    pub(super) fn new(plan: &Plan, dry_run: bool) -> ApiPlan {
        let people = plan.people.iter().map(|(person, outcome)| {
            let (licences, refused) = match outcome {
                SeatOutcome::Has(seats) => {
                    let licences = seats.iter().map(|(offer, seat)| (offer.to_string(), seat.into()));
                    (Some(licences.collect()), None)
                }
                SeatOutcome::Refused(causes) => (None, Some(causes.iter().map(ApiRefused::from).collect())),
            };
            ApiOutcome { person: person.to_string(), licences, refused }
        });
        let seats = plan
            .pools
            .iter()
            .map(|(offer, pool)| (offer.to_string(), ApiSeats { bought: pool.bought, taken: pool.taken }));
        ApiPlan {
            dry_run,
            served: plan.people.len() - plan.refused(),
            refused: plan.refused(),
            people: people.collect(),
            seats: seats.collect(),
            short: plan.short.iter().map(|(offer, seats)| (offer.to_string(), *seats)).collect(),
        }
    }
}

/// The tokens of an organisation.
#[derive(Serialize, ToSchema)]
pub(super) struct ApiTokens {
    pub(super) tokens: Vec<ApiTokenInfo>,
}

/// What is known of a token.
#[derive(Serialize, ToSchema)]
pub(super) struct ApiTokenInfo {
    id: String,
    name: String,
    #[schema(schema_with = roles_schema)]
    roles: Vec<&'static str>,
    /// The person who made it; null for the vendor's staff.
    made_by: Option<String>,
    #[schema(format = DateTime)]
    made_at: String,
    #[schema(format = DateTime)]
    ends_at: Option<String>,
    #[schema(format = DateTime)]
    revoked_at: Option<String>,
    /// When it was used, to the hour.
    #[schema(format = DateTime)]
    used_at: Option<String>,
}

impl From<KnownApiToken> for ApiTokenInfo {
    fn from(known: KnownApiToken) -> ApiTokenInfo {
        ApiTokenInfo {
            id: known.id.to_string(),
            name: known.name,
            roles: known.roles.iter().map(AdminRole::name).collect(),
            made_by: known.made_by.map(|person| person.to_string()),
            made_at: instant(known.made_at),
            ends_at: known.ends_at.map(instant),
            revoked_at: known.revoked_at.map(instant),
            used_at: known.used_at.map(instant),
        }
    }
}

/// A token that was made.
#[derive(Serialize, ToSchema)]
pub(super) struct MadeToken {
    pub(super) id: String,
    /// The token. It is shown this once.
    pub(super) token: String,
}
