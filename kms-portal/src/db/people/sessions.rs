//! Who is signed in, and how often somebody was wrong about a password.
//!
//! A session is the digest of a cookie. It ends 12 hours after the sign-in, and with whatever changes who may do what: another password,
//! other roles, a block, a deletion. The rule of wrong guesses is `kms_portal_rules::guesses`; a guess is counted before the password is
//! compared, so many at once are not one.

use std::time::Duration;

use async_trait::async_trait;
use kms_portal_rules::guesses::{Wrong, waits_until};
use kms_portal_rules::{DAY, PersonId};
use sha2::{Digest as _, Sha256};
use shared::time::Timestamp;

use super::links::{self, LinkPurpose};
use super::persons::{end_sessions, find};
use super::{PeopleUnchanged, Person};
use crate::db::sql::{Sql, SqlRow, Value};
use crate::db::work::{Work, or_refuse};
use crate::db::{Db, DbError};
use crate::token::TokenDigest;

/// How long somebody stays signed in.
pub const SESSION_LASTS: Duration = Duration::from_hours(12);

/// How often it is noted that a session is in use.
const NOTED_EVERY: Duration = Duration::from_mins(5);

/// How long after the last sign-in a source is still a known one.
const KNOWN_FOR: Duration = Duration::from_hours(180 * 24);

/// How long after showing who they are a person may change what others could misuse: roles, keys, domains.
const PROVED_FOR: Duration = Duration::from_mins(15);

/// A session that is to begin.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Its digest.
    pub digest: TokenDigest,
    /// Where the person is.
    pub source: String,
    /// Now.
    pub at: Timestamp,
}

/// Somebody who is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its digest.
    pub digest: TokenDigest,
    /// Who it is, as of now.
    pub person: Person,
    /// When they signed in.
    pub made_at: Timestamp,
    /// When they were last here, to five minutes.
    pub seen_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// When they last showed who they are.
    pub proved_at: Timestamp,
    /// Where they signed in from.
    pub source: String,
}

impl Session {
    /// Whether the person has just shown who they are, so that what others could misuse may be changed.
    pub fn is_proved(&self, now: Timestamp) -> bool {
        now < self.proved_at + PROVED_FOR
    }
}

/// Sessions.
impl Db {
    /// Signs a person in. Returns whether they may sign in.
    pub async fn begin_session(&self, person: PersonId, session: NewSession) -> Result<bool, DbError> {
        self.write(BeginSession { person, session }).await
    }

    /// Signs in to the account that was chosen among several.
    pub async fn begin_chosen_session(
        &self,
        choice: TokenDigest,
        session: NewSession,
    ) -> Result<Result<(), PeopleUnchanged>, DbError> {
        self.write(BeginChosen { choice, session }).await
    }

    /// Counts a guess at each of these accounts before it is looked at. Returns those at which it may be looked at.
    pub async fn count_guess(
        &self,
        people: Vec<PersonId>,
        source: String,
        at: Timestamp,
    ) -> Result<Vec<PersonId>, DbError> {
        self.write(CountGuess { people, source, at }).await
    }

    /// A guess that was counted at these accounts was right at one of them: its source starts from nothing again.
    pub async fn forget_guess(&self, people: Vec<PersonId>, source: String) -> Result<(), DbError> {
        self.write(ForgetGuess { people, source }).await
    }

    /// The session of a cookie. Now and then it is noted that it is in use.
    pub async fn session(&self, digest: TokenDigest, at: Timestamp) -> Result<Option<Session>, DbError> {
        let found = self.read(FindSession { digest, at }).await?;
        if found.as_ref().is_some_and(|session| session.seen_at + NOTED_EVERY <= at) {
            self.write(NoteSession { digest, at }).await?;
        }
        Ok(found)
    }

    /// Gives a session another cookie: the person has just shown again who they are. Returns whether there is such a session.
    pub async fn prove_session(
        &self,
        old: TokenDigest,
        new: TokenDigest,
        at: Timestamp,
    ) -> Result<bool, DbError> {
        self.write(ProveSession { old, new, at }).await
    }

    /// Ends a session.
    pub async fn end_session(&self, digest: TokenDigest) -> Result<(), DbError> {
        self.write(EndSession(digest)).await
    }

    /// Ends every session of a person but this one.
    pub async fn end_other_sessions(&self, person: PersonId, kept: TokenDigest) -> Result<(), DbError> {
        self.write(EndOthers { person, kept }).await
    }

    /// The sessions of a person, the latest first.
    pub async fn sessions(&self, person: PersonId, at: Timestamp) -> Result<Vec<Session>, DbError> {
        self.read(ListSessions { person, at }).await
    }
}

struct BeginSession {
    person: PersonId,
    session: NewSession,
}

#[async_trait]
impl Work for BeginSession {
    type Done = bool;

    async fn run(&self, sql: &mut dyn Sql) -> Result<bool, DbError> {
        begin(sql, self.person, &self.session).await
    }
}

struct BeginChosen {
    choice: TokenDigest,
    session: NewSession,
}

#[async_trait]
impl Work for BeginChosen {
    type Done = Result<(), PeopleUnchanged>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let link = links::take(sql, self.choice, [LinkPurpose::Choose; 2], self.session.at).await?;
        let link = or_refuse!(link);
        let Some(person) = link.person else { return Ok(Err(PeopleUnchanged::LinkEnded)) };
        let begun = begin(sql, person.id, &self.session).await?;
        Ok(if begun { Ok(()) } else { Err(PeopleUnchanged::UnknownPerson) })
    }
}

/// Begins a session. Returns whether the person may sign in.
async fn begin(sql: &mut dyn Sql, person: PersonId, session: &NewSession) -> Result<bool, DbError> {
    let NewSession { digest, source, at } = session;
    if !find(sql, person).await?.is_some_and(|person| person.may_sign_in()) {
        return Ok(false);
    }
    let values: [Value<'_>; 5] = [
        digest.as_bytes().into(),
        person.as_bytes().into(),
        (*at).into(),
        (*at + SESSION_LASTS).into(),
        source.as_str().into(),
    ];
    let insert = "INSERT INTO sessions (digest, person, made_at, seen_at, ends_at, proved_at, source) \
                  VALUES ($1, $2, $3, $3, $4, $3, $5)";
    sql.run(insert, &values).await?;
    sql.run("DELETE FROM sessions WHERE ends_at <= $1", &[(*at).into()]).await?;
    let place = digest_of(person, source);
    let known: [Value<'_>; 4] =
        [person.as_bytes().into(), (&place).into(), (*at).into(), (*at - KNOWN_FOR).into()];
    let remember = "INSERT INTO known_sources (person, source, seen_at) VALUES ($1, $2, $3) \
                    ON CONFLICT (person, source) DO UPDATE SET seen_at = excluded.seen_at";
    sql.run(remember, &known[..3]).await?;
    let forget = "DELETE FROM known_sources WHERE person = $1 AND seen_at < $2";
    sql.run(forget, &[known[0], known[3]]).await?;
    Ok(true)
}

struct CountGuess {
    people: Vec<PersonId>,
    source: String,
    at: Timestamp,
}

#[async_trait]
impl Work for CountGuess {
    type Done = Vec<PersonId>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let mut looked_at = Vec::new();
        for person in &self.people {
            // One guess after the other.
            sql.lock("SELECT id FROM people WHERE id = $1", &[person.as_bytes().into()]).await?;
            if self.counted(sql, *person).await? {
                looked_at.push(*person);
            }
        }
        Ok(looked_at)
    }
}

impl CountGuess {
    async fn counted(&self, sql: &mut dyn Sql, person: PersonId) -> Result<bool, DbError> {
        let (id, place) = (person.as_bytes(), digest_of(person, &self.source));
        let forget = "DELETE FROM wrong_guesses WHERE person = $1 AND last_at <= $2";
        sql.run(forget, &[id.into(), (self.at - DAY).into()]).await?;
        let of_source = wrong(sql, person, &place).await?;
        let of_all = wrong(sql, person, &[]).await?;
        let known = "SELECT seen_at FROM known_sources WHERE person = $1 AND source = $2";
        let is_known = sql.row(known, &[id.into(), (&place).into()]).await?.is_some();
        if waits_until(of_source, of_all, is_known, self.at).is_some() {
            return Ok(false);
        }
        for (source, wrong) in [(&place[..], of_source), (&[], of_all)] {
            let times = u64::from(wrong.again(self.at).times);
            let values = [id.into(), source.into(), times.into(), self.at.into()];
            let count = "INSERT INTO wrong_guesses (person, source, times, last_at) VALUES ($1, $2, $3, $4) \
                         ON CONFLICT (person, source) DO UPDATE SET times = excluded.times, last_at = excluded.last_at";
            sql.run(count, &values).await?;
        }
        Ok(true)
    }
}

struct ForgetGuess {
    people: Vec<PersonId>,
    source: String,
}

#[async_trait]
impl Work for ForgetGuess {
    type Done = ();

    async fn run(&self, sql: &mut dyn Sql) -> Result<(), DbError> {
        for person in &self.people {
            let (id, place) = (person.as_bytes(), digest_of(*person, &self.source));
            let right = "DELETE FROM wrong_guesses WHERE person = $1 AND source = $2";
            sql.run(right, &[id.into(), (&place).into()]).await?;
            // It was counted among those of all sources, too.
            let of_all =
                "UPDATE wrong_guesses SET times = times - 1 WHERE person = $1 AND source = $2 AND 0 < times";
            sql.run(of_all, &[id.into(), Value::Bytes(Some(&[]))]).await?;
        }
        Ok(())
    }
}

async fn wrong(sql: &mut dyn Sql, person: PersonId, source: &[u8]) -> Result<Wrong, DbError> {
    let find = "SELECT times, last_at FROM wrong_guesses WHERE person = $1 AND source = $2";
    let Some(row) = sql.row(find, &[person.as_bytes().into(), source.into()]).await? else {
        return Ok(Wrong::default());
    };
    let times = u32::try_from(row.count("times")?).unwrap_or(u32::MAX);
    Ok(Wrong { times, last_at: Some(row.time("last_at")?) })
}

struct FindSession {
    digest: TokenDigest,
    at: Timestamp,
}

#[async_trait]
impl Work for FindSession {
    type Done = Option<Session>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let find = "SELECT * FROM sessions WHERE digest = $1 AND $2 < ends_at";
        match sql.row(find, &[self.digest.as_bytes().into(), self.at.into()]).await? {
            Some(row) => read(sql, &row).await,
            None => Ok(None),
        }
    }
}

struct NoteSession {
    digest: TokenDigest,
    at: Timestamp,
}

#[async_trait]
impl Work for NoteSession {
    type Done = ();

    async fn run(&self, sql: &mut dyn Sql) -> Result<(), DbError> {
        let values = [self.digest.as_bytes().into(), self.at.into()];
        sql.run("UPDATE sessions SET seen_at = $2 WHERE digest = $1", &values).await?;
        Ok(())
    }
}

struct ProveSession {
    old: TokenDigest,
    new: TokenDigest,
    at: Timestamp,
}

#[async_trait]
impl Work for ProveSession {
    type Done = bool;

    async fn run(&self, sql: &mut dyn Sql) -> Result<bool, DbError> {
        let values = [self.old.as_bytes().into(), self.new.as_bytes().into(), self.at.into()];
        let prove = "UPDATE sessions SET digest = $2, proved_at = $3, seen_at = $3 WHERE digest = $1 AND $3 < ends_at";
        Ok(sql.run(prove, &values).await? == 1)
    }
}

struct EndSession(TokenDigest);

#[async_trait]
impl Work for EndSession {
    type Done = ();

    async fn run(&self, sql: &mut dyn Sql) -> Result<(), DbError> {
        sql.run("DELETE FROM sessions WHERE digest = $1", &[self.0.as_bytes().into()]).await?;
        Ok(())
    }
}

struct EndOthers {
    person: PersonId,
    kept: TokenDigest,
}

#[async_trait]
impl Work for EndOthers {
    type Done = ();

    async fn run(&self, sql: &mut dyn Sql) -> Result<(), DbError> {
        end_sessions(sql, self.person, Some(self.kept)).await
    }
}

struct ListSessions {
    person: PersonId,
    at: Timestamp,
}

#[async_trait]
impl Work for ListSessions {
    type Done = Vec<Session>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let list = "SELECT * FROM sessions WHERE person = $1 AND $2 < ends_at ORDER BY seen_at DESC, digest";
        let mut sessions = Vec::new();
        for row in sql.rows(list, &[self.person.as_bytes().into(), self.at.into()]).await? {
            sessions.extend(read(sql, &row).await?);
        }
        Ok(sessions)
    }
}

async fn read(sql: &mut dyn Sql, row: &SqlRow) -> Result<Option<Session>, DbError> {
    let person = find(sql, row.bytes("person", PersonId::from_slice)?).await?;
    let Some(person) = person.filter(Person::may_sign_in) else { return Ok(None) };
    Ok(Some(Session {
        digest: row.bytes("digest", TokenDigest::from_slice)?,
        person,
        made_at: row.time("made_at")?,
        seen_at: row.time("seen_at")?,
        ends_at: row.time("ends_at")?,
        proved_at: row.time("proved_at")?,
        source: row.get("source")?,
    }))
}

/// A source as it is kept: nobody learns from it where a person has been.
fn digest_of(person: PersonId, source: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"kms v1 source of a person");
    hash.update(person.as_bytes());
    hash.update(source.as_bytes());
    hash.finalize().into()
}
