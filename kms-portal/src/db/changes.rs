//! What staff has changed: a row in the transaction of each change, so that no change is without one.

use async_trait::async_trait;
use shared::time::Timestamp;

use super::DbError;
use super::sql::{Sql, SqlRow};
use super::work::Work;

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
}

/// Notes a change.
pub(super) async fn note(sql: &mut dyn Sql, by: &By, what: &str, subject: &str) -> Result<(), DbError> {
    let values = [by.at.into(), by.who.as_str().into(), what.into(), subject.into(), by.why.as_str().into()];
    sql.run("INSERT INTO changes (at, who, what, subject, why) VALUES ($1, $2, $3, $4, $5)", &values).await?;
    Ok(())
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

fn change(row: &SqlRow) -> Result<StaffChange, DbError> {
    Ok(StaffChange {
        number: row.count("number")?,
        by: By { who: row.get("who")?, at: row.time("at")?, why: row.get("why")? },
        what: row.get("what")?,
        subject: row.get("subject")?,
    })
}
