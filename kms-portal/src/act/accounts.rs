//! What people do to their accounts: register, sign in, change, give up; and what an administrator does for them.
//!
//! Whoever asks learns nothing of others: each answer is the same, in its text and in its time, whether there is an account or not. What
//! there is to tell goes to the mailbox. Wrong passwords are limited by `kms_portal_rules::guesses` for each account, and by source for all.

use std::time::Duration;

use kms_portal_rules::PersonId;
use kms_portal_rules::addresses::Address;
use kms_portal_rules::offers::Country;
use kms_portal_rules::passwords::{WeakPassword, check};
use kms_portal_rules::rights::AdminRoles;
use kms_portal_texts::Language;
use server::Source;
use shared::ids::OrganisationId;
use shared::time::Timestamp;

use super::letters::{invitation, letter, link_path};
use crate::api::PortalCore;
use crate::db::{
    Account, Actor, DbError, KnownLink, Letter, LinkPurpose, NewAccount, NewLink, NewPerson, NewSession,
    PeopleUnchanged, Session, SetsPassword,
};
use crate::token::{LinkToken, SessionToken};

/// Links that nobody else waits for end soon.
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// How long somebody may think about which of several accounts they want.
const CHOICE_LASTS: Duration = Duration::from_mins(10);

/// How many accounts of one address get a mail.
const ACCOUNTS_MAX: usize = 8;

/// The longest name of a person, in characters.
const NAME_MAX: usize = 200;

/// Why nothing came of it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccountRefusal {
    /// Name and password do not fit, or there were too many tries: both look the same.
    #[error("address or password is wrong, or there were too many tries")]
    Wrong,
    /// Too much came from there.
    #[error("too many tries; wait {} s", .0.as_secs())]
    Busy(Duration),
    /// The password is not taken.
    #[error(transparent)]
    WeakPassword(#[from] WeakPassword),
    /// A person has a name.
    #[error("a name has 1 to {NAME_MAX} characters")]
    NotAName,
    /// It is no country.
    #[error("a country has two letters")]
    NotALocation,
    /// It is no product key, or a sign in it is wrong.
    #[error("this is no key; look for a sign that was mistyped")]
    NotAKey,
    /// The key is for machines or hosts.
    #[error("this key is for machines or hosts, which need no account")]
    VolumeKey,
    /// The organisation decides about the address of a work account.
    #[error("the administrators of your organisation change the address of a work account")]
    WorkAccount,
    /// The database has refused it.
    #[error(transparent)]
    Unchanged(#[from] PeopleUnchanged),
    /// The database has failed.
    #[error(transparent)]
    Failed(#[from] DbError),
}

/// Mails a link to register. If there is a personal account already, its owner is told instead.
///
/// # Errors
/// It is no address, or too many mails were asked for.
pub async fn register(
    portal: &PortalCore,
    address: &str,
    language: Language,
    source: Source,
) -> Result<(), AccountRefusal> {
    let address = asked(portal, address, source)?;
    let known = portal.db.accounts_with(address.clone()).await?;
    let personal = known.iter().find(|account| account.person.organisation.is_none());
    let mail = match personal {
        Some(account) => reset(portal, account, "registered", language),
        None => Some(mailed(portal, LinkPurpose::Register, None, address, DAY, language, "register", &[])),
    };
    Ok(portal.db.send_links(mail.into_iter().collect(), portal.clock.now()).await?)
}

/// Mails to an address which accounts it has, with a link for each to set a new password.
///
/// # Errors
/// It is no address, or too many mails were asked for.
pub async fn forgotten(
    portal: &PortalCore,
    address: &str,
    language: Language,
    source: Source,
) -> Result<(), AccountRefusal> {
    let address = asked(portal, address, source)?;
    let known = portal.db.accounts_with(address.clone()).await?;
    let links = known.iter().take(ACCOUNTS_MAX);
    let mut links: Vec<_> = links.filter_map(|one| reset(portal, one, "forgotten", language)).collect();
    if links.is_empty() {
        let purpose = LinkPurpose::Register;
        links.push(mailed(portal, purpose, None, address, DAY, language, "no-account", &[]));
    }
    Ok(portal.db.send_links(links, portal.clock.now()).await?)
}

/// The address that somebody has typed, who may ask for a mail to it.
pub(super) fn asked(portal: &PortalCore, address: &str, source: Source) -> Result<Address, AccountRefusal> {
    let now = portal.clock.monotonic();
    portal.asked_mails.look(source, now).map_err(AccountRefusal::Busy)?;
    let address = Address::new(address).ok_or(PeopleUnchanged::NotAnAddress)?;
    portal.asked_mails.note(source, now);
    Ok(address)
}

/// A link to set a new password, and its mail.
fn reset(
    portal: &PortalCore,
    account: &Account,
    mail: &str,
    asked_in: Language,
) -> Option<(NewLink, Letter)> {
    let person = &account.person;
    let address = Address::new(&person.address)?;
    let language = person.language.unwrap_or(asked_in);
    // The two sentences differ in more than a name.
    let organisation = account.organisation.as_deref();
    let mail = if organisation.is_some() { format!("{mail}-work") } else { mail.to_owned() };
    let values = [("organisation", organisation.unwrap_or_default())];
    let id = Some(person.id);
    Some(mailed(portal, LinkPurpose::Reset, id, address, HOUR, language, &mail, &values))
}

/// A link and the mail that it is in.
#[expect(clippy::too_many_arguments, reason = "each is one thing that a link or its mail has")]
pub(super) fn mailed(
    portal: &PortalCore,
    purpose: LinkPurpose,
    person: Option<PersonId>,
    address: Address,
    lasts: Duration,
    language: Language,
    mail: &str,
    values: &[(&str, &str)],
) -> (NewLink, Letter) {
    let secret = LinkToken::draw();
    let link = portal.page(&link_path(&secret));
    let values = [values, &[("link", &link), ("address", address.typed())]].concat();
    let letter = letter(language, mail, &values);
    let ends_at = portal.clock.now() + lasts;
    (NewLink { digest: secret.digest(), purpose, person, address, ends_at }, letter)
}

/// What a link is for, if it can be used. Looking changes nothing.
///
/// # Errors
/// The database has failed.
pub async fn look_at_link(portal: &PortalCore, secret: &LinkToken) -> Result<Option<KnownLink>, DbError> {
    portal.db.link(secret.digest(), portal.clock.now()).await
}

/// Makes a personal account with a link to register.
///
/// # Errors
/// The name or the password is not taken, the link has ended, or there is such an account by now.
pub async fn finish_registration(
    portal: &PortalCore,
    secret: &LinkToken,
    name: &str,
    password: &str,
    location: Option<Country>,
    language: Language,
) -> Result<(), AccountRefusal> {
    let link = open(portal, secret, &[LinkPurpose::Register]).await?;
    let name = name_of(name)?;
    check(password, &link.address)?;
    let account = NewAccount {
        link: secret.digest(),
        id: PersonId::from_bytes(rand::random()),
        name,
        location,
        language,
        password: portal.passwords.hash(password).await,
        at: portal.clock.now(),
    };
    Ok(portal.db.register(account).await??)
}

/// Sets a password with a link that was mailed because it was forgotten, or as an invitation. Every session ends.
///
/// # Errors
/// The password is not taken, or the link has ended.
pub async fn set_password(
    portal: &PortalCore,
    secret: &LinkToken,
    password: &str,
    language: Language,
) -> Result<(), AccountRefusal> {
    let link = open(portal, secret, &[LinkPurpose::Invite, LinkPurpose::Reset]).await?;
    check(password, &link.address)?;
    let hash = portal.passwords.hash(password).await;
    let language = link.person.and_then(|person| person.language).unwrap_or(language);
    let letter = letter(language, "password-set", &[("address", &link.address)]);
    let (who, now) = (SetsPassword::Link(secret.digest()), portal.clock.now());
    Ok(portal.db.set_password(who, hash, language, letter, now).await??)
}

/// A link that can be used for one of these purposes.
async fn open(
    portal: &PortalCore,
    secret: &LinkToken,
    purposes: &[LinkPurpose],
) -> Result<KnownLink, AccountRefusal> {
    let link = look_at_link(portal, secret).await?;
    let link = link.filter(|link| purposes.contains(&link.purpose));
    Ok(link.ok_or(PeopleUnchanged::LinkEnded)?)
}

/// A name without blanks around it.
fn name_of(typed: &str) -> Result<String, AccountRefusal> {
    let name = typed.trim();
    let fits = (1..=NAME_MAX).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if fits { Ok(name.to_owned()) } else { Err(AccountRefusal::NotAName) }
}

/// What comes of a right password.
#[derive(Clone, Debug)]
pub enum RightPassword {
    /// It is that of one account, whose session has begun: this is its cookie.
    SignedIn(SessionToken),
    /// It is that of several. A secret of each signs in to it.
    Choose(Vec<AccountChoice>),
}

/// One of several accounts with one address and one password.
#[derive(Clone, Debug)]
pub struct AccountChoice {
    /// What signs in to it, for ten minutes.
    pub secret: LinkToken,
    /// The name of the organisation whose work account it is; none for a personal account.
    pub organisation: Option<String>,
}

/// Signs in by address and password.
///
/// # Errors
/// They do not fit, or there were too many tries.
pub async fn sign_in(
    portal: &PortalCore,
    address: &str,
    password: &str,
    source: Source,
) -> Result<RightPassword, AccountRefusal> {
    let accounts = match Address::new(address) {
        Some(address) => portal.db.accounts_with(address).await?,
        None => Vec::new(),
    };
    let right = with_right_password(portal, accounts, password, source).await?;
    let now = portal.clock.now();
    if let [account] = right.as_slice() {
        let (id, cookie) = (account.person.id, SessionToken::draw());
        let begun = portal.db.begin_session(id, new_session(&cookie, source, now)).await?;
        return if begun { Ok(RightPassword::SignedIn(cookie)) } else { Err(AccountRefusal::Wrong) };
    }
    let (mut choices, mut links) = (Vec::new(), Vec::new());
    for Account { person, organisation, .. } in right {
        let Some(address) = Address::new(&person.address) else { continue };
        let secret = LinkToken::draw();
        let (digest, purpose, ends_at) = (secret.digest(), LinkPurpose::Choose, now + CHOICE_LASTS);
        links.push(NewLink { digest, purpose, person: Some(person.id), address, ends_at });
        choices.push(AccountChoice { secret, organisation });
    }
    portal.db.make_links(links, now).await?;
    Ok(RightPassword::Choose(choices))
}

/// Signs in to the account that was chosen; returns the cookie of its session.
///
/// # Errors
/// It took too long.
pub async fn choose(
    portal: &PortalCore,
    choice: &LinkToken,
    source: Source,
) -> Result<SessionToken, AccountRefusal> {
    let cookie = SessionToken::draw();
    let session = new_session(&cookie, source, portal.clock.now());
    portal.db.begin_chosen_session(choice.digest(), session).await??;
    Ok(cookie)
}

pub(super) fn new_session(cookie: &SessionToken, source: Source, at: Timestamp) -> NewSession {
    NewSession { digest: cookie.digest(), source: source.to_string(), at }
}

/// Those of these accounts whose password this is: at least one.
async fn with_right_password(
    portal: &PortalCore,
    accounts: Vec<Account>,
    password: &str,
    source: Source,
) -> Result<Vec<Account>, AccountRefusal> {
    let tried_at = portal.clock.monotonic();
    portal.wrong_passwords.look(source, tried_at).map_err(AccountRefusal::Busy)?;
    let people: Vec<_> = accounts.iter().map(|account| account.person.id).collect();
    let looked_at = portal.db.count_guess(people.clone(), source.to_string(), portal.clock.now()).await?;
    let hash =
        |account: &Account| account.password.clone().filter(|_| looked_at.contains(&account.person.id));
    let right = portal.passwords.compare(password, accounts.iter().map(hash).collect()).await;
    let right: Vec<_> = accounts
        .into_iter()
        .zip(right)
        .filter_map(|(account, is_right)| is_right.then_some(account))
        .collect();
    if right.is_empty() {
        portal.wrong_passwords.note(source, tried_at);
        return Err(AccountRefusal::Wrong);
    }
    portal.db.forget_guess(people, source.to_string()).await?;
    Ok(right)
}

/// Whether this is the password of whoever is signed in. Gives the session another cookie.
///
/// # Errors
/// It is not, or there were too many tries.
pub async fn prove(
    portal: &PortalCore,
    session: &Session,
    password: &str,
    source: Source,
) -> Result<SessionToken, AccountRefusal> {
    let account = portal.db.account(session.person.id).await?;
    with_right_password(portal, account.into_iter().collect(), password, source).await?;
    let cookie = SessionToken::draw();
    let proved = portal.db.prove_session(session.digest, cookie.digest(), portal.clock.now()).await?;
    if proved { Ok(cookie) } else { Err(AccountRefusal::Wrong) }
}

/// Changes the password of whoever is signed in. Their other sessions end.
///
/// # Errors
/// The old one is wrong, or the new one is not taken.
pub async fn change_password(
    portal: &PortalCore,
    session: &Session,
    old: &str,
    new: &str,
    source: Source,
) -> Result<(), AccountRefusal> {
    let person = &session.person;
    check(new, &person.address)?;
    let account = portal.db.account(person.id).await?;
    with_right_password(portal, account.into_iter().collect(), old, source).await?;
    let hash = portal.passwords.hash(new).await;
    let language = person.language.unwrap_or_default();
    let letter = letter(language, "password-set", &[("address", &person.address)]);
    let (who, now) = (SetsPassword::Session(person.id, session.digest), portal.clock.now());
    Ok(portal.db.set_password(who, hash, language, letter, now).await??)
}

/// Mails a link to the address that a person wants to have from now on.
///
/// # Errors
/// It is no address, the account is a work account, or too many mails were asked for.
pub async fn change_address(
    portal: &PortalCore,
    session: &Session,
    address: &str,
    source: Source,
) -> Result<(), AccountRefusal> {
    let person = &session.person;
    if person.organisation.is_some() {
        return Err(AccountRefusal::WorkAccount);
    }
    let address = asked(portal, address, source)?;
    let (id, language) = (Some(person.id), person.language.unwrap_or_default());
    let link = mailed(portal, LinkPurpose::Address, id, address, DAY, language, "address", &[]);
    Ok(portal.db.send_links(vec![link], portal.clock.now()).await?)
}

/// Gives a person the address that a link was mailed to. The old one is told.
///
/// # Errors
/// The link has ended, or another account has the address.
pub async fn confirm_address(portal: &PortalCore, secret: &LinkToken) -> Result<(), AccountRefusal> {
    let link = open(portal, secret, &[LinkPurpose::Address]).await?;
    let language = link.person.and_then(|person| person.language).unwrap_or_default();
    let letter = letter(language, "address-changed", &[("address", &link.address)]);
    Ok(portal.db.confirm_address(secret.digest(), letter, portal.clock.now()).await??)
}

/// Changes the name and the language of whoever is signed in.
///
/// # Errors
/// It is no name.
pub async fn edit(
    portal: &PortalCore,
    session: &Session,
    name: &str,
    language: Language,
) -> Result<(), AccountRefusal> {
    let (id, name) = (session.person.id, name_of(name)?);
    Ok(portal.db.edit_oneself(id, name, language, portal.clock.now()).await??)
}

/// Deletes the account of whoever is signed in.
///
/// # Errors
/// They are the last general administrator of their organisation.
pub async fn deactivate(portal: &PortalCore, session: &Session) -> Result<(), AccountRefusal> {
    let person = &session.person;
    let values = [("address", person.address.as_str())];
    let letter = letter(person.language.unwrap_or_default(), "deactivated", &values);
    Ok(portal.db.deactivate(person.id, letter, portal.clock.now()).await??)
}

/// Adds a person of an organisation with these roles, and mails them an invitation. Returns its secret, whose page is [`link_path`]: only
/// staff may be shown it.
///
/// # Errors
/// The actor may not, somebody has the address, or it is none.
pub async fn invite(
    portal: &PortalCore,
    person: NewPerson,
    roles: AdminRoles,
    language: Language,
    actor: Actor,
) -> Result<LinkToken, AccountRefusal> {
    let organisation = name_of_organisation(portal, person.organisation).await?;
    let address = Address::new(&person.address).ok_or(PeopleUnchanged::NotAnAddress)?;
    let person = NewPerson { name: name_of(&person.name)?, ..person };
    let (secret, link) = invited(portal, person.id, address, language, &organisation);
    portal.db.invite_person(person, roles, link, actor).await??;
    Ok(secret)
}

/// Mails a person a link to set a password, because an administrator wants it: another invitation, if they have none yet.
///
/// # Errors
/// The actor may not, or there is no such person.
pub async fn reset_password(
    portal: &PortalCore,
    person: PersonId,
    actor: Actor,
) -> Result<(), AccountRefusal> {
    let account = portal.db.account(person).await?.ok_or(PeopleUnchanged::UnknownPerson)?;
    let organisation = account.organisation.clone().unwrap_or_default();
    let language = account.person.language.unwrap_or_default();
    let address = Address::new(&account.person.address).ok_or(PeopleUnchanged::NotAnAddress)?;
    let link = if account.password.is_none() {
        invited(portal, person, address, language, &organisation).1
    } else {
        let values = [("organisation", organisation.as_str())];
        mailed(portal, LinkPurpose::Reset, Some(person), address, DAY, language, "reset", &values)
    };
    Ok(portal.db.reset_password(person, link, actor).await??)
}

fn invited(
    portal: &PortalCore,
    person: PersonId,
    address: Address,
    language: Language,
    organisation: &str,
) -> (LinkToken, (NewLink, Letter)) {
    let token = LinkToken::draw();
    let link = portal.page(&link_path(&token));
    let mail = invitation((&token, &link), (person, address), language, organisation, portal.clock.now());
    (token, mail)
}

async fn name_of_organisation(
    portal: &PortalCore,
    organisation: Option<OrganisationId>,
) -> Result<String, AccountRefusal> {
    let Some(organisation) = organisation else { return Err(PeopleUnchanged::PersonalAccount.into()) };
    let found = portal.db.organisation(organisation).await?;
    Ok(found.ok_or(PeopleUnchanged::UnknownOrganisation)?.name)
}
