//! People at the portal, what is sold to them, and who has what.
//!
//! `kms_portal_rules` decides; here rows are read and its decisions written. Whoever changes something in an organisation is an [`Actor`],
//! whose roles are read in the transaction that writes: a role that was taken away a second ago is of no use. Locks are taken in one order:
//! the organisation, then what `changes` locks.

mod accounts;
mod api_calls;
mod api_tokens;
pub(super) mod devices;
mod directory;
pub(super) mod domains;
mod groups;
mod households;
mod links;
mod offers;
pub(super) mod outbox;
mod own_data;
pub(super) mod passkeys;
mod persons;
mod retention;
mod seats;
mod sessions;
mod standing;
mod subscription_keys;
mod subscriptions;
mod webhooks;

use std::collections::BTreeMap;

use kms_portal_rules::addresses::Address;
use kms_portal_rules::life::{NotCancelled, NotRenewed};
use kms_portal_rules::offers::{OfferName, Offers};
use kms_portal_rules::rights::{Act, AdminRole, AdminRoles, Forbidden, LastGeneral, check};
use kms_portal_rules::seats::{Plan, SeatChange};
use kms_portal_rules::{ApiTokenId, PersonId};
use shared::ids::OrganisationId;
use shared::time::Timestamp;

use super::changes::{By, ListOwnChanges, StaffChange};
use super::sql::Sql;
use super::work::or_refuse;
use super::{Db, DbError};
use crate::token::TokenDigest;

use groups::{Concerned, ThenServe};

pub use accounts::{Account, NewAccount, SetsPassword};
pub use api_calls::{CallKey, CallStart, GivenAnswer};
pub use api_tokens::{KnownApiToken, NewApiToken, TokenRefused};
pub use directory::{HeldSeat, ListedPerson, PeopleKind, PeopleSearch};
pub use groups::{GroupChange, PeopleGroup};
pub use households::SharedSubscription;
pub use links::{KnownLink, Letter, LinkPurpose, NewLink};
pub use offers::{NamedOffer, NamedService};
pub use persons::{NewPerson, Person, PersonEdit, PersonFilter};
pub use seats::Assignment;
pub use sessions::{NewSession, SESSION_LASTS, Session};
pub use standing::{OrganisationStanding, PeopleInConflict, PersonConflict, PoolStanding};
pub use subscription_keys::{KeysNotIssued, NewSubscriptionKey, RedeemedKey, Redeemer};
pub use subscriptions::{SoldSubscription, SubscriptionChange};
pub use webhooks::WebhookTarget;

/// Who changes something in an organisation.
#[derive(Clone, Debug)]
pub struct Actor {
    /// By whose right it is done.
    pub principal: Principal,
    /// As the change is noted.
    pub by: By,
}

/// By whose right something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Principal {
    /// The vendor's staff, who may do everything.
    Staff,
    /// A person, by the roles that they have at that moment.
    Person(PersonId),
    /// A token, by its roles, and never by more than those of the person who made it.
    Token(ApiTokenId),
}

impl Actor {
    /// Somebody of the vendor's staff.
    pub const fn staff(by: By) -> Actor {
        Actor { principal: Principal::Staff, by }
    }

    /// A person.
    pub const fn person(person: PersonId, by: By) -> Actor {
        Actor { principal: Principal::Person(person), by }
    }

    /// A program with a token.
    pub const fn token(token: ApiTokenId, by: By) -> Actor {
        Actor { principal: Principal::Token(token), by }
    }
}

/// Why nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeopleUnchanged {
    /// The actor may not do this.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// Nobody could administrate the organisation any more.
    #[error(transparent)]
    LastGeneral(#[from] LastGeneral),
    /// There is no such organisation, or it is not the actor's: both look the same.
    #[error("no such organisation is known")]
    UnknownOrganisation,
    /// There is no such person in the organisation, or they are deleted.
    #[error("no such person is known")]
    UnknownPerson,
    /// There is no such offer.
    #[error("no such offer is known")]
    UnknownOffer,
    /// There is no such subscription in the organisation.
    #[error("no such subscription is known")]
    UnknownSubscription,
    /// There is no such group in the organisation.
    #[error("no such group is known")]
    UnknownGroup,
    /// Another group of the organisation has this name.
    #[error("another group has this name")]
    GroupNameTaken,
    /// There is no such token in the organisation.
    #[error("no such token is known")]
    UnknownToken,
    /// Somebody in the organisation has this address.
    #[error("another account has this address")]
    AddressTaken,
    /// This is no address.
    #[error("this is no e-mail address")]
    NotAnAddress,
    /// A person who was deleted is restored within 30 days.
    #[error("the person was deleted more than 30 days ago")]
    TooLate,
    /// The link was used, has ended, or was mailed to an address that is not the person's any more.
    #[error("this link was used before, or has ended; ask for another one")]
    LinkEnded,
    /// An address gets few links an hour.
    #[error("this address got enough links for now; try again in an hour")]
    TooManyLinks,
    /// Only personal accounts share what people have bought for themselves.
    #[error("this is for personal accounts")]
    ForPersonalAccounts,
    /// The person has this offer.
    #[error("the person has this already")]
    HasItAlready,
    /// There is no seat left, or it is not offered where the person is.
    #[error("no seat is free, or it is not offered where the person is")]
    NoSeat,
    /// No subscription begins with this key.
    #[error("no such key is known")]
    UnknownKey,
    /// The vendor has blocked the key.
    #[error("the vendor has blocked this key")]
    KeyBlocked,
    /// Somebody else has redeemed the key.
    #[error("somebody else has redeemed this key")]
    KeyRedeemed,
    /// A role is for the people of an organisation.
    #[error("a personal account has no roles")]
    PersonalAccount,
    /// Whoever has become administrator by a domain manages people once there is something to manage.
    #[error("nothing was bought yet; buy licenses first, then manage people")]
    NothingBought,
    /// The subscription cannot be renewed.
    #[error(transparent)]
    NotRenewed(#[from] NotRenewed),
    /// The subscription cannot be cancelled.
    #[error(transparent)]
    NotCancelled(#[from] NotCancelled),
}

/// People, offers, subscriptions and seats.
impl Db {
    /// Adds an offer, or changes all of it but its name.
    pub async fn set_offer(&self, offer: NamedOffer, by: By) -> Result<(), DbError> {
        self.write(offers::SetOffer { offer, by }).await
    }

    /// What is sold, with what people read of it, by name.
    pub async fn named_offers(&self) -> Result<Vec<NamedOffer>, DbError> {
        self.read(offers::ListOffers).await
    }

    /// What is sold, as the rules see it.
    pub async fn offers(&self) -> Result<Offers, DbError> {
        self.read(offers::ReadOffers).await
    }

    /// Adds a person.
    pub async fn add_person(
        &self,
        person: NewPerson,
        actor: Actor,
    ) -> Result<Result<(), PeopleUnchanged>, DbError> {
        self.write(persons::AddPerson { person, actor }).await
    }

    /// Gives a person these roles and no others.
    pub async fn set_roles(
        &self,
        person: PersonId,
        roles: AdminRoles,
        actor: Actor,
    ) -> Result<Result<(), PeopleUnchanged>, DbError> {
        self.write(persons::SetRoles { person, roles, actor }).await
    }

    /// Changes what is known of a person.
    pub async fn edit_person(
        &self,
        person: PersonId,
        edit: PersonEdit,
        actor: Actor,
    ) -> Result<Result<(), PeopleUnchanged>, DbError> {
        let at = actor.by.at;
        let work = persons::EditPerson { person, edit, actor };
        self.write(ThenServe { work, concerned: Concerned::Person(person), at }).await
    }

    /// Blocks a person, or lets them in again.
    pub async fn block_person(
        &self,
        person: PersonId,
        blocked: bool,
        actor: Actor,
    ) -> Result<Result<(), PeopleUnchanged>, DbError> {
        self.write(persons::BlockPerson { person, blocked, actor }).await
    }

    /// Deletes a person: their seats are free at once, and their data is kept for 30 days.
    pub async fn delete_person(
        &self,
        person: PersonId,
        actor: Actor,
    ) -> Result<Result<(), PeopleUnchanged>, DbError> {
        let (at, work) = (actor.by.at, persons::DeletePerson { person, actor });
        self.write(ThenServe { work, concerned: Concerned::Person(person), at }).await
    }

    /// Restores a person who was deleted, without seats. Another address is needed where theirs was given to somebody else.
    pub async fn restore_person(
        &self,
        person: PersonId,
        address: Option<String>,
        actor: Actor,
    ) -> Result<Result<(), PeopleUnchanged>, DbError> {
        let at = actor.by.at;
        let work = persons::RestorePerson { person, address, actor };
        self.write(ThenServe { work, concerned: Concerned::Person(person), at }).await
    }

    /// One person.
    pub async fn person(&self, person: PersonId) -> Result<Option<Person>, DbError> {
        self.read(persons::ShowPerson(person)).await
    }

    /// The people of an organisation, by id; at most `limit`.
    pub async fn people(&self, filter: PersonFilter, limit: u32) -> Result<Vec<Person>, DbError> {
        self.read(persons::ListPeople { filter, limit }).await
    }

    /// People of an organisation, by name; at most `limit`.
    pub async fn search_people(
        &self,
        search: PeopleSearch,
        limit: u32,
    ) -> Result<Vec<ListedPerson>, DbError> {
        self.read(directory::SearchPeople { search, limit }).await
    }

    /// The administrators of an organisation, by name.
    pub async fn admins(&self, organisation: OrganisationId) -> Result<Vec<Person>, DbError> {
        self.read(directory::ListAdmins(organisation)).await
    }

    /// What a person has.
    pub async fn seats(&self, person: PersonId) -> Result<BTreeMap<OfferName, HeldSeat>, DbError> {
        self.read(directory::ListSeats(person)).await
    }

    /// The people who have these addresses in an organisation; none for an address that nobody has.
    pub async fn people_by_address(
        &self,
        organisation: OrganisationId,
        addresses: Vec<Address>,
    ) -> Result<Vec<Option<PersonId>>, DbError> {
        self.read(directory::FindByAddress { organisation, addresses }).await
    }

    /// How an organisation stands; none if there is no such organisation.
    pub async fn standing(
        &self,
        organisation: OrganisationId,
        now: Timestamp,
    ) -> Result<Option<OrganisationStanding>, DbError> {
        self.read(standing::ShowStanding { organisation, now }).await
    }

    /// The people who got a seat of an offer last, the latest first; at most `limit`.
    pub async fn latest_seats(
        &self,
        organisation: OrganisationId,
        offer: OfferName,
        limit: u32,
    ) -> Result<Vec<(Timestamp, Person)>, DbError> {
        self.read(standing::LatestSeats { organisation, offer, limit }).await
    }

    /// People of an organisation who have what does not fit, by id; at most `limit` behind `after`.
    pub async fn people_in_conflict(
        &self,
        organisation: OrganisationId,
        after: Option<PersonId>,
        limit: usize,
    ) -> Result<PeopleInConflict, DbError> {
        self.read(standing::FindConflicts { organisation, after, limit }).await
    }

    /// What was changed in an organisation, the latest first; at most `limit` before the one of this number.
    pub async fn changes_in(
        &self,
        organisation: OrganisationId,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<StaffChange>, DbError> {
        self.read(ListOwnChanges { organisation, before, limit }).await
    }

    /// Adds a subscription.
    pub async fn subscribe(
        &self,
        subscription: SoldSubscription,
        actor: Actor,
    ) -> Result<Result<(), PeopleUnchanged>, DbError> {
        let (at, concerned) = (actor.by.at, Concerned::People(subscription.organisation, Vec::new()));
        let work = subscriptions::Subscribe { subscription, actor };
        self.write(ThenServe { work, concerned, at }).await
    }

    /// Changes a subscription; returns it as it is afterwards.
    pub async fn change_subscription(
        &self,
        organisation: OrganisationId,
        id: kms_portal_rules::SubscriptionId,
        change: SubscriptionChange,
        actor: Actor,
    ) -> Result<Result<SoldSubscription, PeopleUnchanged>, DbError> {
        let (at, concerned) = (actor.by.at, Concerned::People(organisation, Vec::new()));
        let work = subscriptions::ChangeSubscription { organisation, id, change, actor };
        self.write(ThenServe { work, concerned, at }).await
    }

    /// The subscriptions of an organisation, in the order of their ends.
    pub async fn subscriptions(
        &self,
        organisation: OrganisationId,
    ) -> Result<Vec<SoldSubscription>, DbError> {
        self.read(subscriptions::ListSubscriptions(organisation)).await
    }

    /// Makes a token for a program of an organisation.
    pub async fn make_api_token(
        &self,
        token: NewApiToken,
        actor: Actor,
    ) -> Result<Result<(), PeopleUnchanged>, DbError> {
        self.write(api_tokens::MakeApiToken { token, actor }).await
    }

    /// Takes a token of an organisation back. It is of no use from the next call on.
    pub async fn revoke_api_token(
        &self,
        organisation: OrganisationId,
        id: ApiTokenId,
        actor: Actor,
    ) -> Result<Result<(), PeopleUnchanged>, DbError> {
        self.write(api_tokens::RevokeApiToken { organisation, id, actor }).await
    }

    /// The tokens of an organisation, the latest first.
    pub async fn api_tokens(&self, organisation: OrganisationId) -> Result<Vec<KnownApiToken>, DbError> {
        self.read(api_tokens::ListApiTokens(organisation)).await
    }

    /// The token with this digest, and whether it may do this now.
    pub async fn admit_token(
        &self,
        digest: TokenDigest,
        act: Act,
        now: Timestamp,
    ) -> Result<Option<(KnownApiToken, Result<(), TokenRefused>)>, DbError> {
        self.read(api_tokens::AdmitToken { digest, act, now }).await
    }

    /// Notes when a token was used.
    pub async fn use_api_token(&self, id: ApiTokenId, at: Timestamp) -> Result<(), DbError> {
        self.write(api_tokens::UseApiToken { id, at }).await
    }

    /// Begins a call that is to be carried out once.
    pub async fn start_call(&self, call: CallKey, now: Timestamp) -> Result<CallStart, DbError> {
        self.write(api_calls::StartCall { call, now }).await
    }

    /// Keeps the answer of a call that was carried out; without one, the call may be tried again.
    pub async fn end_call(&self, call: CallKey, answer: Option<GivenAnswer>) -> Result<(), DbError> {
        self.write(api_calls::EndCall { call, answer }).await
    }

    /// Changes the seats of many people at once, or says what that would do.
    pub async fn assign(&self, assignment: Assignment) -> Result<Result<Plan, PeopleUnchanged>, DbError> {
        if assignment.dry_run {
            return self.read(assignment).await;
        }
        let concerned = Concerned::People(assignment.organisation, assignment.people.clone());
        let at = assignment.actor.by.at;
        self.write(ThenServe { work: assignment, concerned, at }).await
    }
}

/// Whether the actor may do this in the organisation, to a person with these roles if it is done to one.
async fn allow(
    sql: &mut dyn Sql,
    actor: &Actor,
    organisation: OrganisationId,
    act: Act,
    to: Option<AdminRoles>,
) -> Result<Result<(), PeopleUnchanged>, DbError> {
    // Whoever acts, and the person by whose right a token does.
    let rights = match actor.principal {
        Principal::Staff => return Ok(Ok(())),
        Principal::Person(person) => [roles_here(sql, person, organisation).await?, Some(AdminRoles::ALL)],
        Principal::Token(token) => api_tokens::rights(sql, token, organisation, actor.by.at).await?,
    };
    for own in rights {
        let Some(own) = own else { return Ok(Err(PeopleUnchanged::UnknownOrganisation)) };
        or_refuse!(check(own, act, to));
    }
    if act.is_management() {
        let kind = "SELECT id FROM organisations WHERE id = $1 AND kind = 'unpaid'";
        if sql.row(kind, &[organisation.as_bytes().into()]).await?.is_some() {
            return Ok(Err(PeopleUnchanged::NothingBought));
        }
    }
    Ok(Ok(()))
}

/// The roles of somebody who is in the organisation and can sign in.
async fn roles_here(
    sql: &mut dyn Sql,
    person: PersonId,
    organisation: OrganisationId,
) -> Result<Option<AdminRoles>, DbError> {
    let here = "SELECT id FROM people WHERE id = $1 AND organisation = $2 AND blocked_at IS NULL AND deleted_at IS NULL";
    if sql.row(here, &[person.as_bytes().into(), organisation.as_bytes().into()]).await?.is_some() {
        return persons::roles(sql, person).await.map(Some);
    }
    Ok(is_owner(sql, person, organisation).await?.then(|| AdminRoles::of([AdminRole::General])))
}

/// Whether this is the household of a person who is neither blocked nor deleted.
async fn is_owner(sql: &mut dyn Sql, person: PersonId, household: OrganisationId) -> Result<bool, DbError> {
    let owner = "SELECT p.id FROM household_members m JOIN people p ON p.id = m.person WHERE m.household = $1 AND m.person = $2 \
                 AND m.owner = 1 AND p.blocked_at IS NULL AND p.deleted_at IS NULL";
    Ok(sql.row(owner, &[household.as_bytes().into(), person.as_bytes().into()]).await?.is_some())
}

/// Takes the lock of an organisation. What follows is true until the transaction ends.
async fn lock(sql: &mut dyn Sql, organisation: OrganisationId) -> Result<bool, DbError> {
    let found =
        sql.locked("SELECT id FROM organisations WHERE id = $1", &[organisation.as_bytes().into()]).await?;
    Ok(!found.is_empty())
}

/// The name of an assignment in the record of changes.
const fn change_name(change: &SeatChange) -> &'static str {
    match change {
        SeatChange::Add(_) => "assign",
        SeatChange::Replace(_) => "replace",
        SeatChange::Revoke(_) => "take back",
    }
}
