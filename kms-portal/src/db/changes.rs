//! What staff and administrators have changed: a row in the transaction of each change, so that no change is without one.
//!
//! Each row has the digest of the one before, as the lines of a host's audit log have. So whatever is edited or taken out afterwards
//! shows at the next row, and the row `last_change` shows what is missing at the end. Its lock gives all portals on one database one
//! order.

use async_trait::async_trait;
use serde::Serialize;
use server::audit::{Checked, LineDigest, digest, hex};
use shared::ids::OrganisationId;
use shared::time::Timestamp;

use super::DbError;
use super::sql::{Sql, SqlRow};
use super::work::Work;

/// How many changes are read at once to be verified.
const PAGE: u64 = 1_000;

/// Who changes something, when, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct By {
    /// Who.
    pub who: String,
    /// When.
    pub at: Timestamp,
    /// Why; may be empty.
    pub why: String,
}

/// A change that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaffChange {
    /// The number of the change, from 1. A later one has a larger number.
    pub number: u64,
    /// Who made it.
    pub by: By,
    /// What was done, such as `block`.
    pub what: String,
    /// To what it was done, such as the number of a key.
    pub subject: String,
    /// Whose change it is; none where it concerns the vendor alone.
    pub organisation: Option<OrganisationId>,
    /// The digest of the change before.
    pub previous: Option<LineDigest>,
}

/// Whether the changes are those that were recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckedChanges {
    /// How many there are.
    pub changes: u64,
    /// The digest of the last.
    pub last: Option<LineDigest>,
    /// The number of the change at which they are broken first, and what is wrong there.
    pub broken: Option<(u64, String)>,
}

/// A change as its digest covers it: JSON without blanks, in this order.
#[derive(Serialize)]
struct ChangeLine<'a> {
    seq: u64,
    at_ms: i64,
    who: &'a str,
    what: &'a str,
    subject: &'a str,
    why: &'a str,
    // Absent where there is none, as in changes from before it was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    organisation: Option<&'a str>,
    previous: Option<&'a str>,
}

impl ChangeLine<'_> {
    fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("numbers and texts are JSON")
    }
}

/// Notes a change that concerns the vendor alone. The row that it locks is the last that a transaction takes.
pub(super) async fn note(sql: &mut dyn Sql, by: &By, what: &str, subject: &str) -> Result<(), DbError> {
    note_in(sql, None, by, what, subject).await
}

/// Notes a change in an organisation, whose administrators see it.
pub(super) async fn note_in(
    sql: &mut dyn Sql,
    organisation: Option<OrganisationId>,
    by: &By,
    what: &str,
    subject: &str,
) -> Result<(), DbError> {
    let head = sql.locked("SELECT number, digest FROM last_change", &[]).await?.pop();
    let head = head.ok_or_else(|| DbError::damaged("last_change"))?;
    let (seq, previous) = (head.count("number")? + 1, digest_in(&head, "digest")?);
    let (hex, at_ms) = (previous.as_ref().map(hex), by.at.unix_ms());
    let (who, why) = (by.who.as_str(), by.why.as_str());
    let whose = organisation.map(|organisation| organisation.to_string());
    let (organisation_id, previous_hex) = (whose.as_deref(), hex.as_deref());
    let line = ChangeLine {
        seq,
        at_ms,
        who,
        what,
        subject,
        why,
        organisation: organisation_id,
        previous: previous_hex,
    };
    let values = [
        seq.into(),
        by.at.into(),
        who.into(),
        what.into(),
        subject.into(),
        why.into(),
        previous.as_ref().map(LineDigest::as_slice).into(),
        organisation.as_ref().map(|organisation| &organisation.as_bytes()[..]).into(),
    ];
    sql.run(
        "INSERT INTO changes (number, at, who, what, subject, why, previous, organisation) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        &values,
    )
    .await?;
    let last = digest(&line.bytes());
    sql.run("UPDATE last_change SET number = $1, digest = $2", &[seq.into(), (&last).into()]).await?;
    Ok(())
}

/// Changes in an organisation, the latest first.
pub(super) struct ListOwnChanges {
    pub(super) organisation: OrganisationId,
    pub(super) before: Option<u64>,
    pub(super) limit: u32,
}

#[async_trait]
impl Work for ListOwnChanges {
    type Done = Vec<StaffChange>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Vec<StaffChange>, DbError> {
        let before = self.before.unwrap_or(u64::MAX).into();
        let values = [self.organisation.as_bytes().into(), before, u64::from(self.limit).into()];
        let list =
            "SELECT * FROM changes WHERE organisation = $1 AND number < $2 ORDER BY number DESC LIMIT $3";
        sql.rows(list, &values).await?.iter().map(change).collect()
    }
}

/// Changes, the latest first.
pub(super) struct ListChanges {
    pub(super) before: Option<u64>,
    pub(super) limit: u32,
}

#[async_trait]
impl Work for ListChanges {
    type Done = Vec<StaffChange>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Vec<StaffChange>, DbError> {
        let values = [self.before.unwrap_or(u64::MAX).into(), u64::from(self.limit).into()];
        let list = "SELECT * FROM changes WHERE number < $1 ORDER BY number DESC LIMIT $2";
        sql.rows(list, &values).await?.iter().map(change).collect()
    }
}

/// Reads all changes, and whether each continues the one before.
pub(super) struct VerifyChanges;

#[async_trait]
impl Work for VerifyChanges {
    type Done = CheckedChanges;

    async fn run(&self, sql: &mut dyn Sql) -> Result<CheckedChanges, DbError> {
        let (mut checked, mut broken) = (Checked::default(), None);
        let mut after = i64::MIN;
        loop {
            let list = "SELECT * FROM changes WHERE $1 < number ORDER BY number LIMIT $2";
            let rows = sql.rows(list, &[after.into(), PAGE.into()]).await?;
            let Some(last) = rows.last() else { break };
            after = last.get("number")?;
            for row in &rows {
                follow(&mut checked, row)?;
                broken = broken.or_else(|| Some((checked.seq, checked.broken.as_ref()?.cause.clone())));
            }
        }
        let head = sql.row("SELECT number, digest FROM last_change", &[]).await?;
        let head = head.ok_or_else(|| DbError::damaged("last_change"))?;
        match digest_in(&head, "digest")? {
            Some(end) => checked.expect_end(&end),
            None if checked.lines == 0 => {}
            // Nothing has this digest, so it is not the end of what is there.
            None => checked.expect_end(&LineDigest::default()),
        }
        let at_end = checked.broken.map(|broken| (checked.seq.max(1), broken.cause));
        Ok(CheckedChanges { changes: checked.lines, last: checked.last, broken: broken.or(at_end) })
    }
}

fn follow(checked: &mut Checked, row: &SqlRow) -> Result<(), DbError> {
    let StaffChange { number: seq, by, what, subject, organisation, previous } = change(row)?;
    let organisation = organisation.map(|organisation| organisation.to_string());
    let organisation = organisation.as_deref();
    let previous = previous.as_ref().map(hex);
    let previous = previous.as_deref();
    let (at_ms, who, why) = (by.at.unix_ms(), by.who.as_str(), by.why.as_str());
    let (what, subject) = (what.as_str(), subject.as_str());
    let line = ChangeLine { seq, at_ms, who, what, subject, why, organisation, previous };
    checked.follow_link(&line.bytes(), seq, previous);
    Ok(())
}

fn change(row: &SqlRow) -> Result<StaffChange, DbError> {
    let organisation: Option<Vec<u8>> = row.get("organisation")?;
    let organisation = organisation.map(|bytes| OrganisationId::from_slice(&bytes));
    let damaged = || DbError::damaged("organisation");
    Ok(StaffChange {
        number: row.count("number")?,
        by: By { who: row.get("who")?, at: row.time("at")?, why: row.get("why")? },
        what: row.get("what")?,
        subject: row.get("subject")?,
        organisation: organisation.map(|read| read.ok_or_else(damaged)).transpose()?,
        previous: digest_in(row, "previous")?,
    })
}

fn digest_in(row: &SqlRow, column: &'static str) -> Result<Option<LineDigest>, DbError> {
    let bytes: Option<Vec<u8>> = row.get(column)?;
    bytes.map(|bytes| LineDigest::try_from(bytes).map_err(|_| DbError::damaged(column))).transpose()
}
