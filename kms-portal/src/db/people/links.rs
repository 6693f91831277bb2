//! Links that are mailed: to register, to accept an invitation, to set a password, to confirm an address.
//!
//! Whoever has one has the mailbox. A link is used once, before its end, and only while the person still has the address to which it was
//! mailed. An address gets few of them an hour, whoever asks, so nobody's mailbox is flooded through the portal.

use std::time::Duration;

use async_trait::async_trait;
use kms_portal_rules::addresses::Address;
use kms_portal_rules::{DAY, PersonId};
use kms_portal_texts::Language;
use shared::time::Timestamp;

use super::outbox::{self, Outgoing};
use super::persons::{find, person_id};
use super::{PeopleUnchanged, Person};
use crate::db::sql::{Sql, SqlRow, Value};
use crate::db::work::Work;
use crate::db::{Db, DbError};
use crate::token::TokenDigest;

/// How many links an address gets in an hour.
const AN_HOUR: u64 = 5;

const HOUR: Duration = Duration::from_hours(1);

/// What a link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkPurpose {
    /// It makes a personal account.
    Register,
    /// It lets a person in whom an administrator has added, who then sets a password.
    Invite,
    /// It sets a new password.
    Reset,
    /// It makes this the address of a person.
    Address,
    /// It gives a seat of what somebody has bought for themselves.
    Share,
    /// It signs in to one of several accounts whose password was right. It is never mailed.
    Choose,
}

impl LinkPurpose {
    const ALL: [LinkPurpose; 6] = [
        LinkPurpose::Register,
        LinkPurpose::Invite,
        LinkPurpose::Reset,
        LinkPurpose::Address,
        LinkPurpose::Share,
        LinkPurpose::Choose,
    ];

    /// Its name in the database.
    pub const fn name(self) -> &'static str {
        match self {
            LinkPurpose::Register => "register",
            LinkPurpose::Invite => "invite",
            LinkPurpose::Reset => "reset",
            LinkPurpose::Address => "address",
            LinkPurpose::Share => "share",
            LinkPurpose::Choose => "choose",
        }
    }

    fn from_name(name: &str) -> Option<LinkPurpose> {
        LinkPurpose::ALL.into_iter().find(|purpose| purpose.name() == name)
    }
}

/// A link that is to be made.
#[derive(Clone, Debug)]
pub struct NewLink {
    /// Its digest.
    pub digest: TokenDigest,
    /// What it is for.
    pub purpose: LinkPurpose,
    /// Whose it is; none where it makes a new account.
    pub person: Option<PersonId>,
    /// The address that it is mailed to.
    pub address: Address,
    /// The first instant at which it is of no use.
    pub ends_at: Timestamp,
}

/// A mail, in the words that are sent.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Its language.
    pub language: Language,
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub body: String,
}

impl Letter {
    /// Puts it into the outbox.
    pub(super) async fn post(&self, sql: &mut dyn Sql, to: &str, at: Timestamp) -> Result<(), DbError> {
        let Letter { language, subject, body } = self.clone();
        let mail = Outgoing::Mail { to: to.to_owned(), language, subject, body };
        outbox::post(sql, &mail, at).await
    }
}

/// A link that somebody has, and that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownLink {
    /// What it is for.
    pub purpose: LinkPurpose,
    /// Whose it is; none where it makes a new account.
    pub person: Option<Person>,
    /// The address that it was mailed to, as it was typed.
    pub address: String,
}

/// Links.
impl Db {
    /// Mails links. An address that has had its share gets nothing.
    pub async fn send_links(&self, links: Vec<(NewLink, Letter)>, at: Timestamp) -> Result<(), DbError> {
        self.write(SendLinks { links, at }).await
    }

    /// Makes links that are not mailed.
    pub async fn make_links(&self, links: Vec<NewLink>, at: Timestamp) -> Result<(), DbError> {
        self.write(MakeLinks { links, at }).await
    }

    /// What a link is for, if it can be used. That it was looked at changes nothing: programs that check mail open every link.
    pub async fn link(&self, digest: TokenDigest, at: Timestamp) -> Result<Option<KnownLink>, DbError> {
        self.read(ShowLink { digest, at }).await
    }
}

struct SendLinks {
    links: Vec<(NewLink, Letter)>,
    at: Timestamp,
}

#[async_trait]
impl Work for SendLinks {
    type Done = ();

    async fn run(&self, sql: &mut dyn Sql) -> Result<(), DbError> {
        for link in &self.links {
            send_one(sql, link, self.at).await?;
        }
        // A link of the last hour still counts.
        let ended = self.at - DAY;
        let shares = "DELETE FROM shares WHERE link IN (SELECT digest FROM links WHERE ends_at < $1)";
        sql.run(shares, &[ended.into()]).await?;
        sql.run("DELETE FROM links WHERE ends_at < $1", &[ended.into()]).await?;
        Ok(())
    }
}

struct MakeLinks {
    links: Vec<NewLink>,
    at: Timestamp,
}

#[async_trait]
impl Work for MakeLinks {
    type Done = ();

    async fn run(&self, sql: &mut dyn Sql) -> Result<(), DbError> {
        for link in &self.links {
            add(sql, link, self.at).await?;
        }
        Ok(())
    }
}

/// Makes a link and mails it, unless its address has had its share. Returns whether it did.
pub(super) async fn send_one(
    sql: &mut dyn Sql,
    link: &(NewLink, Letter),
    at: Timestamp,
) -> Result<bool, DbError> {
    let has_room = has_room(sql, &link.0.address, at).await?;
    if has_room {
        send(sql, link, at).await?;
    }
    Ok(has_room)
}

/// Whether a link can be used.
pub(super) async fn is_open(sql: &mut dyn Sql, digest: TokenDigest, at: Timestamp) -> Result<bool, DbError> {
    let find = "SELECT digest FROM links WHERE digest = $1 AND used_at IS NULL AND $2 < ends_at";
    Ok(sql.row(find, &[digest.as_bytes().into(), at.into()]).await?.is_some())
}

async fn has_room(sql: &mut dyn Sql, address: &Address, at: Timestamp) -> Result<bool, DbError> {
    let canonical = address.to_string();
    let since = at - HOUR;
    let count =
        "SELECT COUNT(*) AS sent FROM links WHERE canonical = $1 AND $2 < made_at AND purpose <> 'choose'";
    let found = sql.row(count, &[canonical.as_str().into(), since.into()]).await?;
    Ok(found.map_or(Ok(0), |row| row.count("sent"))? < AN_HOUR)
}

/// Makes a link and mails it.
pub(super) async fn send(
    sql: &mut dyn Sql,
    (link, letter): &(NewLink, Letter),
    at: Timestamp,
) -> Result<(), DbError> {
    add(sql, link, at).await?;
    letter.post(sql, link.address.typed(), at).await
}

async fn add(sql: &mut dyn Sql, link: &NewLink, at: Timestamp) -> Result<(), DbError> {
    let NewLink { digest, purpose, person, address, ends_at } = link;
    let canonical = address.to_string();
    let values: [Value<'_>; 7] = [
        digest.as_bytes().into(),
        purpose.name().into(),
        person.as_ref().map(|person| &person.as_bytes()[..]).into(),
        address.typed().into(),
        canonical.as_str().into(),
        at.into(),
        (*ends_at).into(),
    ];
    let insert = "INSERT INTO links (digest, purpose, person, address, canonical, made_at, ends_at) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7)";
    sql.run(insert, &values).await?;
    Ok(())
}

struct ShowLink {
    digest: TokenDigest,
    at: Timestamp,
}

#[async_trait]
impl Work for ShowLink {
    type Done = Option<KnownLink>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let find = "SELECT * FROM links WHERE digest = $1 AND used_at IS NULL AND $2 < ends_at";
        let found = sql.row(find, &[self.digest.as_bytes().into(), self.at.into()]).await?;
        match found {
            Some(row) => read(sql, &row).await,
            None => Ok(None),
        }
    }
}

/// Uses up a link for one of these purposes. The statement decides who is first.
pub(super) async fn take(
    sql: &mut dyn Sql,
    digest: TokenDigest,
    purposes: [LinkPurpose; 2],
    at: Timestamp,
) -> Result<Result<KnownLink, PeopleUnchanged>, DbError> {
    let [one, other] = purposes.map(LinkPurpose::name);
    let values: [Value<'_>; 4] = [digest.as_bytes().into(), at.into(), one.into(), other.into()];
    let used = "UPDATE links SET used_at = $2 WHERE digest = $1 AND used_at IS NULL AND $2 < ends_at \
                AND purpose IN ($3, $4)";
    if sql.run(used, &values).await? == 0 {
        return Ok(Err(PeopleUnchanged::LinkEnded));
    }
    let row = sql.row("SELECT * FROM links WHERE digest = $1", &values[..1]).await?;
    let row = row.ok_or_else(|| DbError::damaged("links"))?;
    Ok(read(sql, &row).await?.ok_or(PeopleUnchanged::LinkEnded))
}

/// None where the person is not there any more, or has another address by now.
async fn read(sql: &mut dyn Sql, row: &SqlRow) -> Result<Option<KnownLink>, DbError> {
    let purpose = row.text("purpose", LinkPurpose::from_name)?;
    let address: String = row.get("address")?;
    let Some(id) = person_id(row)? else { return Ok(Some(KnownLink { purpose, person: None, address })) };
    let is_theirs = |person: &Person| {
        let own = Address::new(&person.address).map(|address| address.to_string());
        purpose == LinkPurpose::Address || own == Address::new(&address).map(|address| address.to_string())
    };
    let person = find(sql, id).await?.filter(Person::may_sign_in).filter(is_theirs);
    Ok(person.map(|person| KnownLink { purpose, person: Some(person), address }))
}
