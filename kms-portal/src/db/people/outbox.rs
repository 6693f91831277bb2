//! The outbox: what leaves the portal, posted in the transaction of the change that it tells of.
//!
//! [`post`] writes a message; `crate::outbox` sends it later. Whoever takes a message puts its next try off in the same transaction, so two
//! portals on one database never send it at once. After a crash between sending and noting it, it is sent once more, with the same number.

use async_trait::async_trait;
use kms_portal_rules::deliveries::{is_given_up, next_try};
use kms_portal_rules::offers::ServiceName;
use kms_portal_rules::{DAY, PersonId};
use kms_portal_texts::Language;
use shared::time::Timestamp;

use super::offers::service_name;
use crate::db::sql::{Sql, SqlRow, Value};
use crate::db::work::Work;
use crate::db::{Db, DbError};

/// How long messages are kept, for staff to look at.
const KEPT_DAYS: u32 = 30;

/// What is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// A mail, as final text.
    Mail {
        /// The address, as its owner typed it: it has to be the one that is stored.
        to: String,
        /// The language of the text.
        language: Language,
        /// The subject; whatever would begin a new line becomes a space.
        subject: String,
        /// The text.
        body: String,
    },
    /// An event for a service of the vendor.
    Webhook {
        /// Which service is told.
        service: ServiceName,
        /// Of whom: what concerns one person is told in order.
        person: PersonId,
        /// The event, as JSON.
        event: String,
    },
}

/// A message that was posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostedMessage {
    /// Its number. A later one has a larger number.
    pub number: u64,
    /// What it says. The text is empty once it was sent.
    pub what: Outgoing,
    /// When it was posted.
    pub posted_at: Timestamp,
    /// How often it was tried.
    pub tries: u64,
    /// How it is.
    pub state: MessageState,
    /// What the last try met; may be empty.
    pub fault: String,
}

/// How a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageState {
    /// It waits for this instant.
    Waits(Timestamp),
    /// It was sent then.
    Sent(Timestamp),
    /// It is tried no more.
    GivenUp,
}

/// Which messages are listed, the latest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageFilter {
    /// Only those with smaller numbers.
    pub before: Option<u64>,
    /// Only those that were given up.
    pub given_up: bool,
}

/// What leaves the portal.
impl Db {
    /// Posts a message that belongs to no other change.
    pub async fn post(&self, what: Outgoing, at: Timestamp) -> Result<(), DbError> {
        self.write(Post { what, at }).await
    }

    /// Whether any message is due. Nothing is written.
    pub async fn is_due(&self, now: Timestamp, mails: bool) -> Result<bool, DbError> {
        self.read(IsDue { now, mails }).await
    }

    /// Takes messages that are due; each of them is put off until somebody says how it went. Without `mails`, only events.
    pub async fn take_due(
        &self,
        now: Timestamp,
        mails: bool,
        limit: u32,
    ) -> Result<Vec<PostedMessage>, DbError> {
        self.write(TakeDue { now, mails, limit }).await
    }

    /// Notes that a message was sent. Its text is forgotten.
    pub async fn note_sent(&self, number: u64, at: Timestamp) -> Result<(), DbError> {
        self.write(NoteSent { number, at }).await
    }

    /// Notes that a message was not sent: it is tried again, unless that would be too late or is `useless`. Returns whether it was given up.
    pub async fn note_not_sent(&self, number: u64, fault: String, useless: bool) -> Result<bool, DbError> {
        self.write(NoteNotSent { number, fault, useless }).await
    }

    /// Messages, the latest first.
    pub async fn messages(&self, filter: MessageFilter, limit: u32) -> Result<Vec<PostedMessage>, DbError> {
        self.read(ListMessages { filter, limit }).await
    }

    /// One message.
    pub async fn message(&self, number: u64) -> Result<Option<PostedMessage>, DbError> {
        self.read(ShowMessage(number)).await
    }

    /// Tries a message that was not sent at once, or every one that was given up, as if it were new. Returns how many there are.
    pub async fn retry(&self, number: Option<u64>, now: Timestamp) -> Result<u64, DbError> {
        self.write(Retry { number, now }).await
    }

    /// Forgets messages that were sent, given up or could not be sent for thirty days.
    pub async fn forget_messages(&self, now: Timestamp) -> Result<u64, DbError> {
        self.write(Forget(now)).await
    }
}

/// Posts a message, in the transaction of what it tells of.
pub(in crate::db) async fn post(sql: &mut dyn Sql, what: &Outgoing, at: Timestamp) -> Result<(), DbError> {
    let queue;
    let (kind, recipient, language, subject, body, queue) = match what {
        Outgoing::Mail { to, language, subject, body } => {
            let subject = subject.replace(char::is_control, " ");
            ("mail", to.as_str(), language.tag(), subject, body, "")
        }
        Outgoing::Webhook { service, person, event } => {
            queue = format!("{service} {person}");
            ("webhook", service.as_str(), "", String::new(), event, queue.as_str())
        }
    };
    let values: [Value<'_>; 7] = [
        kind.into(),
        recipient.into(),
        language.into(),
        subject.as_str().into(),
        body.as_str().into(),
        queue.into(),
        at.into(),
    ];
    sql.run(
        "INSERT INTO outbox (kind, recipient, language, subject, body, queue, posted_at, tries, next_try_at, fault) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $7, '')",
        &values,
    )
    .await?;
    Ok(())
}

struct Post {
    what: Outgoing,
    at: Timestamp,
}

#[async_trait]
impl Work for Post {
    type Done = ();

    async fn run(&self, sql: &mut dyn Sql) -> Result<(), DbError> {
        post(sql, &self.what, self.at).await
    }
}

struct IsDue {
    now: Timestamp,
    mails: bool,
}

#[async_trait]
impl Work for IsDue {
    type Done = bool;

    async fn run(&self, sql: &mut dyn Sql) -> Result<bool, DbError> {
        let any = "SELECT number FROM outbox WHERE next_try_at <= $1 AND ($2 = 1 OR kind <> 'mail') LIMIT 1";
        Ok(sql.row(any, &[self.now.into(), self.mails.into()]).await?.is_some())
    }
}

struct TakeDue {
    now: Timestamp,
    mails: bool,
    limit: u32,
}

#[async_trait]
impl Work for TakeDue {
    type Done = Vec<PostedMessage>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        // A portal that waits here for another one's transaction looks at its rows again afterwards, and finds them put off.
        let due = "SELECT * FROM outbox o WHERE next_try_at <= $1 AND ($2 = 1 OR kind <> 'mail') AND (queue = '' OR NOT EXISTS \
                   (SELECT 1 FROM outbox e WHERE e.queue = o.queue AND e.number < o.number AND e.next_try_at IS NOT NULL)) \
                   ORDER BY next_try_at, number LIMIT $3";
        let values = [self.now.into(), self.mails.into(), u64::from(self.limit).into()];
        let mut taken = Vec::new();
        for row in sql.locked(due, &values).await? {
            let mut message = read(&row)?;
            message.tries += 1;
            let next = next_try(message.tries, self.now);
            let values = [message.number.into(), message.tries.into(), next.into()];
            sql.run("UPDATE outbox SET tries = $2, next_try_at = $3 WHERE number = $1", &values).await?;
            message.state = MessageState::Waits(next);
            taken.push(message);
        }
        Ok(taken)
    }
}

struct NoteSent {
    number: u64,
    at: Timestamp,
}

#[async_trait]
impl Work for NoteSent {
    type Done = ();

    async fn run(&self, sql: &mut dyn Sql) -> Result<(), DbError> {
        // A mail may have a link in it that lets its reader in.
        let sent =
            "UPDATE outbox SET sent_at = $2, next_try_at = NULL, body = '', fault = '' WHERE number = $1";
        sql.run(sent, &[self.number.into(), self.at.into()]).await?;
        Ok(())
    }
}

struct NoteNotSent {
    number: u64,
    fault: String,
    useless: bool,
}

#[async_trait]
impl Work for NoteNotSent {
    type Done = bool;

    async fn run(&self, sql: &mut dyn Sql) -> Result<bool, DbError> {
        let Some(message) = find(sql, self.number).await? else { return Ok(false) };
        let MessageState::Waits(next) = message.state else { return Ok(false) };
        let given_up = self.useless || is_given_up(message.tries);
        let next = (!given_up).then_some(next);
        let values = [self.number.into(), self.fault.as_str().into(), next.into()];
        sql.run("UPDATE outbox SET fault = $2, next_try_at = $3 WHERE number = $1", &values).await?;
        Ok(given_up)
    }
}

struct ListMessages {
    filter: MessageFilter,
    limit: u32,
}

#[async_trait]
impl Work for ListMessages {
    type Done = Vec<PostedMessage>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let MessageFilter { before, given_up } = self.filter;
        let values = [before.unwrap_or(u64::MAX).into(), given_up.into(), u64::from(self.limit).into()];
        let list = "SELECT * FROM outbox WHERE number < $1 AND ($2 = 0 OR (next_try_at IS NULL AND sent_at IS NULL)) \
                    ORDER BY number DESC LIMIT $3";
        sql.rows(list, &values).await?.iter().map(read).collect()
    }
}

struct ShowMessage(u64);

#[async_trait]
impl Work for ShowMessage {
    type Done = Option<PostedMessage>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        find(sql, self.0).await
    }
}

struct Retry {
    number: Option<u64>,
    now: Timestamp,
}

#[async_trait]
impl Work for Retry {
    type Done = u64;

    async fn run(&self, sql: &mut dyn Sql) -> Result<u64, DbError> {
        if let Some(number) = self.number {
            let one = "UPDATE outbox SET next_try_at = $2, tries = 0 WHERE number = $1 AND sent_at IS NULL";
            return sql.run(one, &[number.into(), self.now.into()]).await;
        }
        let all =
            "UPDATE outbox SET next_try_at = $1, tries = 0 WHERE next_try_at IS NULL AND sent_at IS NULL";
        sql.run(all, &[self.now.into()]).await
    }
}

struct Forget(Timestamp);

#[async_trait]
impl Work for Forget {
    type Done = u64;

    async fn run(&self, sql: &mut dyn Sql) -> Result<u64, DbError> {
        let before = self.0 - DAY * KEPT_DAYS;
        sql.run("DELETE FROM outbox WHERE posted_at <= $1", &[before.into()]).await
    }
}

async fn find(sql: &mut dyn Sql, number: u64) -> Result<Option<PostedMessage>, DbError> {
    let found = sql.row("SELECT * FROM outbox WHERE number = $1", &[number.into()]).await?;
    found.as_ref().map(read).transpose()
}

fn read(row: &SqlRow) -> Result<PostedMessage, DbError> {
    let (kind, body): (String, String) = (row.get("kind")?, row.get("body")?);
    let what = if kind == "mail" {
        let (to, language) = (row.get("recipient")?, row.text("language", Language::from_tag)?);
        Outgoing::Mail { to, language, subject: row.get("subject")?, body }
    } else {
        let person = |queue: &str| queue.split_once(' ')?.1.parse().ok();
        let (service, person) = (row.text("recipient", service_name)?, row.text("queue", person)?);
        Outgoing::Webhook { service, person, event: body }
    };
    let state = match (row.time_if_any("sent_at")?, row.time_if_any("next_try_at")?) {
        (Some(at), _) => MessageState::Sent(at),
        (None, Some(at)) => MessageState::Waits(at),
        (None, None) => MessageState::GivenUp,
    };
    Ok(PostedMessage {
        number: row.count("number")?,
        what,
        posted_at: row.time("posted_at")?,
        tries: row.count("tries")?,
        state,
        fault: row.get("fault")?,
    })
}
