//! What the portal keeps: products, organisations, keys, and the hosts and machines that they have activated.
//!
//! [`Db`] is a database, SQLite or PostgreSQL. Each of its methods is one transaction, and what it returns is durable: it may be sent. The
//! rows are read, the `rules` decide, and the decision is written. A refusal writes nothing. Neither keys nor the pepper are ever here.
//!
//! Read next: `migrations/001-keys.sql`, the tables; `places` and `hosts`, the two that count; `keys` and `catalogue`, what staff changes;
//! `revocations`, what it takes back. All of them speak to either database through `sql`, as `work` that `sqlite` or `postgres` runs.

mod catalogue;
mod changes;
mod error;
mod group_commit;
mod hosts;
mod keys;
mod people;
mod pepper;
mod places;
mod postgres;
mod revocations;
mod schema;
mod sql;
mod sqlite;
mod tokens;
mod work;

use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use kms_portal_rules::keys::KeyRefusal;
use kms_portal_rules::keys::granted::Granted;
use proto::v1::KnownRevocations;
use shared::ids::{CertificateId, OrganisationId, ProductId};
use shared::policy::Policy;
use shared::product_key::KeyNumber;
use shared::revocation::SignedList;
use shared::time::Timestamp;

use crate::issue::{Issue, Pepper, Unconfirmed};
use crate::token::TokenDigest;

pub use catalogue::{NotCatalogued, Organisation, Product};
pub use changes::{By, CheckedChanges, StaffChange};
pub use error::DbError;
pub use hosts::{
    ActivateHost, CertifiedHost, CodeHost, ConfirmHost, HostAsk, ListedHost, OfferedTerms, RenewHost,
    SoldTerms,
};
pub use keys::{IssuedKey, KeyFilter, KeyUnchanged, KeyUse, NewKey, Raise};
pub use people::devices::{
    BeginSignIn, CodeDigest, DeviceAsk, ListedDevice, PollSignIn, ShownSignIn, SignInAnswer,
};
pub use people::domains::{DomainRefused, DueLook, JoinedDomain, LookNoted, OwnDomain, OwnDomainState};
pub use people::outbox::{MessageFilter, MessageState, Outgoing, PostedMessage};
pub use people::passkeys::{Ceremony, StoredPasskey};
pub use people::{
    Account, Actor, Assignment, CallKey, CallStart, GivenAnswer, GroupChange, HeldSeat, KeysNotIssued,
    KnownApiToken, KnownLink, Letter, LinkPurpose, ListedPerson, NamedOffer, NamedService, NewAccount,
    NewApiToken, NewLink, NewPerson, NewSession, NewSubscriptionKey, OrganisationStanding, PeopleGroup,
    PeopleInConflict, PeopleKind, PeopleSearch, PeopleUnchanged, Person, PersonConflict, PersonEdit,
    PersonFilter, PoolStanding, Principal, RedeemedKey, Redeemer, SESSION_LASTS, Session, SetsPassword,
    SharedSubscription, SoldSubscription, SubscriptionChange, TokenRefused, WebhookTarget,
};
pub use places::{
    ActivateMachine, CodeMachine, ConfirmMachine, ConfirmedMachine, ListedPlace, PlaceHolder, PlaceName,
    ReleaseMachine, ReleasedMachine,
};
use postgres::PostgresServer;
pub use revocations::{
    AllRevocations, InstalledList, KeptList, NotRevoked, RevocationSubject, RevokedEntry, RevokedKind,
    TakenBack, WithdrawnIds,
};
use sqlite::SqliteFile;
pub use tokens::{KnownToken, NewToken, TokenLike};
use work::{Database, Doing, Work};

/// The portal's database.
///
/// # Errors
/// Every method: see [`DbError`]. Nothing may be acknowledged then. Where a method returns a result within, that is a refusal: the
/// database is well, and nothing was changed.
#[derive(Clone)]
pub struct Db(Arc<dyn Database>);

/// How it is opened.
impl Db {
    /// Makes the file of a new SQLite database, with nothing in it; only its owner may read it.
    ///
    /// # Errors
    /// There is one already, or the operating system refuses.
    pub fn create_sqlite(path: &Path) -> io::Result<()> {
        SqliteFile::create(path)
    }

    /// Copies a SQLite database, as it is at one moment, into a new file that only its owner may read. A portal may serve it meanwhile.
    pub async fn copy_sqlite(from: &Path, to: &Path) -> Result<(), DbError> {
        // SQLite writes into an empty file, and keeps its mode.
        SqliteFile::create(to).map_err(|source| DbError::Fatal { source: Arc::new(source) })?;
        SqliteFile::copy(from, to).await
    }

    /// Opens the SQLite database in this file, which has to exist, and brings its tables to this release. One process at a time
    /// serves it.
    pub async fn open_sqlite(path: &Path) -> Result<Db, DbError> {
        Ok(Db(Arc::new(SqliteFile::open(path).await?)))
    }

    /// Connects to the PostgreSQL database of this URL, and brings its tables to this release. Several portals may serve it.
    pub async fn open_postgres(url: &str) -> Result<Db, DbError> {
        Ok(Db(Arc::new(PostgresServer::open(url).await?)))
    }

    /// Marks a new database as one for this pepper. Returns whether it is: another pepper finds none of its keys.
    pub async fn is_for(&self, pepper: &Pepper) -> Result<bool, DbError> {
        self.write(pepper::MarkPepper(pepper.mark())).await
    }

    /// Whether the SQLite database in this file is for this pepper, or `None` if that cannot be seen. No process may be serving the file.
    /// Nothing is written.
    pub async fn sqlite_is_for(path: &Path, pepper: &Pepper) -> Option<bool> {
        // After a crash, what is in the file may be no whole state without its log.
        let mark = sqlite::mark(path).await.ok().flatten();
        mark.map(|mark| mark == pepper.mark().as_bytes())
    }

    /// Whether the PostgreSQL database of this URL is for this pepper; none if no portal has used it yet. Nothing is written.
    pub async fn postgres_is_for(url: &str, pepper: &Pepper) -> Result<Option<bool>, DbError> {
        Ok(postgres::mark(url).await?.map(|mark| mark == pepper.mark().as_bytes()))
    }

    /// The clock of the PostgreSQL server of this URL.
    pub async fn postgres_time(url: &str) -> Result<Timestamp, DbError> {
        postgres::time(url).await
    }

    /// Returns once the database is gone: somebody has removed or replaced its file, and whatever is written is lost with it.
    pub async fn gone(&self) -> DbError {
        self.0.gone().await
    }

    /// Ends it in order, once nobody asks any more.
    pub async fn close(self) {
        self.0.close().await;
    }
}

/// What hosts and machines ask for.
impl Db {
    /// Gives a machine a place of its key, with a confirmation.
    pub async fn activate_machine(
        &self,
        ask: ActivateMachine,
    ) -> Result<Result<ConfirmedMachine, KeyRefusal>, DbError> {
        self.write(ask).await
    }

    /// Takes the place of a machine back.
    pub async fn release_machine(
        &self,
        ask: ReleaseMachine,
    ) -> Result<Result<ReleasedMachine, KeyRefusal>, DbError> {
        self.write(ask).await
    }

    /// Activates a host by a host key.
    pub async fn activate_host(
        &self,
        ask: ActivateHost,
    ) -> Result<Result<CertifiedHost, KeyRefusal>, DbError> {
        self.write(ask).await
    }

    /// Renews the certificate of a host that was activated before.
    pub async fn renew_host(&self, ask: RenewHost) -> Result<Result<CertifiedHost, KeyRefusal>, DbError> {
        self.write(ask).await
    }
}

/// What staff changes.
impl Db {
    /// Adds a product, or changes all of it but its id.
    pub async fn set_product(&self, product: Product, by: By) -> Result<Result<(), NotCatalogued>, DbError> {
        self.write(catalogue::SetProduct { product, by }).await
    }

    /// Adds an organisation, or gives it another name.
    pub async fn set_organisation(
        &self,
        organisation: Organisation,
        by: By,
    ) -> Result<Result<(), NotCatalogued>, DbError> {
        self.write(catalogue::SetOrganisation { organisation, by }).await
    }

    /// Gives one organisation numbers of its own for a product; with none, the product's own again. Its hosts learn of them when
    /// they renew.
    pub async fn set_numbers(
        &self,
        product: ProductId,
        organisation: OrganisationId,
        policy: Option<Policy>,
        by: By,
    ) -> Result<Result<(), NotCatalogued>, DbError> {
        self.write(catalogue::SetNumbers { product, organisation, policy, by }).await
    }

    /// Adds keys, all of them or none, and their organisation if it is a new one. [`KeyUnchanged::NumberTaken`] says to draw others.
    /// `order` is the order that they are for, or empty. Keys are issued once for an order.
    pub async fn issue_keys(
        &self,
        keys: Vec<NewKey>,
        organisation: Option<Organisation>,
        order: String,
        by: By,
    ) -> Result<Result<(), KeyUnchanged>, DbError> {
        self.write(keys::IssueKeys { keys, organisation, order, by }).await
    }

    /// Blocks a key. Who has a place keeps the confirmation.
    pub async fn block_key(&self, number: KeyNumber, by: By) -> Result<Result<(), KeyUnchanged>, DbError> {
        self.write(keys::BlockKey { number, blocked: true, by }).await
    }

    /// Takes a block back.
    pub async fn unblock_key(&self, number: KeyNumber, by: By) -> Result<Result<(), KeyUnchanged>, DbError> {
        self.write(keys::BlockKey { number, blocked: false, by }).await
    }

    /// Grants more of a key, or less; returns what it grants now. Nobody loses a place.
    pub async fn raise_key(
        &self,
        number: KeyNumber,
        raise: Raise,
    ) -> Result<Result<Granted, KeyUnchanged>, DbError> {
        self.write(keys::RaiseKey { number, raise }).await
    }

    /// Frees a place of a key, without a limit; returns whether somebody had it.
    pub async fn free_place(&self, key: KeyNumber, place: PlaceName, by: By) -> Result<bool, DbError> {
        self.write(places::FreePlace { key, place, by }).await
    }

    /// Gives a machine a place of its key, as its installation id was read aloud.
    pub async fn confirm_machine(
        &self,
        call: ConfirmMachine,
    ) -> Result<Result<CodeMachine, Unconfirmed>, DbError> {
        if call.dry_run { self.read(call).await } else { self.write(call).await }
    }

    /// Activates a host by a host key, as its installation id was read aloud.
    pub async fn confirm_host(&self, call: ConfirmHost) -> Result<Result<CodeHost, Unconfirmed>, DbError> {
        if call.dry_run { self.read(call).await } else { self.write(call).await }
    }

    /// The terms of a host key as it is sold now. If those that were made last still say so, it makes no new ones.
    pub async fn make_terms(
        &self,
        key: KeyNumber,
        issuer: Arc<dyn Issue>,
        by: By,
    ) -> Result<Result<OfferedTerms, Unconfirmed>, DbError> {
        self.write(hosts::MakeTerms { key, issuer, by }).await
    }

    /// Adds a token, or returns the known name that the new one looks like.
    pub async fn issue_token(&self, token: NewToken, by: By) -> Result<Result<(), TokenLike>, DbError> {
        self.write(tokens::IssueToken { token, by }).await
    }

    /// Takes a token back; whether there is one of this name.
    pub async fn revoke_token(&self, name: String, by: By) -> Result<bool, DbError> {
        self.write(tokens::RevokeToken { name, by }).await
    }

    /// Notes when a token was used.
    pub async fn use_token(&self, name: String, at: Timestamp) -> Result<(), DbError> {
        self.write(tokens::UseToken { name, at }).await
    }
}

/// Revocations.
impl Db {
    /// Takes something back, for the reason that `by` gives, and signs the list that says so. `unlisted` allows an id that is not known.
    pub async fn revoke(
        &self,
        subject: RevocationSubject,
        unlisted: bool,
        issuer: Arc<dyn Issue>,
        by: By,
    ) -> Result<Result<TakenBack, NotRevoked>, DbError> {
        self.write(revocations::TakeBack { subject, unlisted, issuer, by }).await
    }

    /// Withdraws a revocation, and signs the list without it.
    pub async fn withdraw_revocation(
        &self,
        subject: RevocationSubject,
        issuer: Arc<dyn Issue>,
        by: By,
    ) -> Result<Result<WithdrawnIds, NotRevoked>, DbError> {
        self.write(revocations::Withdraw { subject, issuer, by }).await
    }

    /// Takes up a list that is believed: of a root, or one of an issuing key that this database has lost.
    pub async fn install_revocations(
        &self,
        list: SignedList,
        issuer: Arc<dyn Issue>,
        by: By,
    ) -> Result<Result<InstalledList, NotRevoked>, DbError> {
        self.write(revocations::InstallList { list, issuer, by }).await
    }

    /// Signs the list again if it was signed under another issuing certificate than that of this issuer. Returns its new number then.
    pub async fn sign_revocations_again(
        &self,
        issuer: Arc<dyn Issue>,
        now: Timestamp,
    ) -> Result<Result<Option<u64>, NotRevoked>, DbError> {
        self.write(revocations::SignAgain { issuer, now }).await
    }

    /// The lists that are newer than these, encoded: first that of an issuing key, then that of a root. Nothing is signed.
    pub async fn newer_revocations(&self, known: KnownRevocations) -> Result<[Option<Bytes>; 2], DbError> {
        self.read(revocations::NewerLists(known)).await
    }

    /// All that was taken back, and both lists.
    pub async fn revocations(&self) -> Result<AllRevocations, DbError> {
        self.read(revocations::ListRevoked).await
    }
}

/// What staff looks at. Nothing is written.
impl Db {
    /// Every product, by name.
    pub async fn products(&self) -> Result<Vec<Product>, DbError> {
        self.read(catalogue::ListProducts).await
    }

    /// Every organisation, by name.
    pub async fn organisations(&self) -> Result<Vec<Organisation>, DbError> {
        self.read(catalogue::ListOrganisations).await
    }

    /// One organisation.
    pub async fn organisation(&self, id: OrganisationId) -> Result<Option<Organisation>, DbError> {
        self.read(catalogue::ShowOrganisation(id)).await
    }

    /// The organisations that have numbers of their own for a product, by name, with these numbers.
    pub async fn numbers(&self, product: ProductId) -> Result<Vec<(Organisation, Policy)>, DbError> {
        self.read(catalogue::ListNumbers(product)).await
    }

    /// One key.
    pub async fn key(&self, number: KeyNumber, now: Timestamp) -> Result<Option<IssuedKey>, DbError> {
        self.read(keys::ShowKey { number, now }).await
    }

    /// Keys, by number; at most `limit`.
    pub async fn keys(
        &self,
        filter: KeyFilter,
        limit: u32,
        now: Timestamp,
    ) -> Result<Vec<IssuedKey>, DbError> {
        self.read(keys::ListKeys { filter, limit, now }).await
    }

    /// All that was ever granted by a key, the first first.
    pub async fn raises(&self, key: KeyNumber) -> Result<Vec<Raise>, DbError> {
        self.read(keys::ListRaises(key)).await
    }

    /// The hosts of a key, in the order in which they came.
    pub async fn hosts(&self, key: KeyNumber) -> Result<Vec<ListedHost>, DbError> {
        self.read(hosts::ListHosts(key)).await
    }

    /// Every terms that were made for a host key, the first first.
    pub async fn terms(&self, key: KeyNumber) -> Result<Vec<SoldTerms>, DbError> {
        self.read(hosts::ListTerms(key)).await
    }

    /// The places of a key, by id, those that were freed included; at most `limit` behind `after`.
    pub async fn places(
        &self,
        key: KeyNumber,
        after: Option<CertificateId>,
        limit: u32,
    ) -> Result<Vec<ListedPlace>, DbError> {
        self.read(places::ListPlaces { key, after, limit }).await
    }

    /// Counts the places of every key anew; the keys of which another number is kept. It takes seconds on a large database.
    pub async fn miscounted(&self) -> Result<Vec<KeyNumber>, DbError> {
        self.read(keys::ListMiscounted).await
    }

    /// What staff has changed, the latest first; at most `limit` before the one of this number.
    pub async fn changes(&self, before: Option<u64>, limit: u32) -> Result<Vec<StaffChange>, DbError> {
        self.read(changes::ListChanges { before, limit }).await
    }

    /// Reads all changes, and whether they are those that were recorded.
    pub async fn verify_changes(&self) -> Result<CheckedChanges, DbError> {
        self.read(changes::VerifyChanges).await
    }

    /// The token with this digest.
    pub async fn token(&self, digest: TokenDigest) -> Result<Option<KnownToken>, DbError> {
        self.read(tokens::FindToken(digest)).await
    }

    /// Every token, by name.
    pub async fn tokens(&self) -> Result<Vec<KnownToken>, DbError> {
        self.read(tokens::ListTokens).await
    }
}

impl Db {
    async fn write<W: Work>(&self, work: W) -> Result<W::Done, DbError> {
        let doing = Doing::new(work);
        self.0.write(doing.clone()).await?;
        Ok(doing.done())
    }

    async fn read<W: Work>(&self, work: W) -> Result<W::Done, DbError> {
        let doing = Doing::new(work);
        self.0.read(doing.clone()).await?;
        Ok(doing.done())
    }
}
