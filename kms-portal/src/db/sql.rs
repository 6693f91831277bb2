//! One way to speak SQL with both databases: statements with `$1`, values in, rows out.
//!
//! Whatever reads or writes rows does it through [`Sql`], so each statement and each decision stands once. Both databases understand the
//! same text; where they differ, this file knows it.

use async_trait::async_trait;
use shared::time::Timestamp;
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Decode, Postgres, Row as _, Sqlite, Type};

use super::DbError;

/// A connection within a transaction.
#[async_trait]
pub(super) trait Sql: Send {
    /// The rows that a statement finds.
    async fn rows(&mut self, statement: &'static str, values: &[Value<'_>]) -> Result<Vec<SqlRow>, DbError>;

    /// The rows that it finds, which nobody else changes before this transaction has ended.
    async fn locked(&mut self, statement: &'static str, values: &[Value<'_>])
    -> Result<Vec<SqlRow>, DbError>;

    /// Keeps these rows from everybody else until this transaction has ended.
    async fn lock(&mut self, statement: &'static str, values: &[Value<'_>]) -> Result<(), DbError>;

    /// Runs a statement that finds none; returns how many it has changed.
    async fn run(&mut self, statement: &'static str, values: &[Value<'_>]) -> Result<u64, DbError>;
}

impl dyn Sql + '_ {
    /// The one row that a statement finds, if any.
    pub(super) async fn row(
        &mut self,
        statement: &'static str,
        values: &[Value<'_>],
    ) -> Result<Option<SqlRow>, DbError> {
        Ok(self.rows(statement, values).await?.pop())
    }
}

/// SQLite has one writer, so nobody else changes anything.
#[async_trait]
impl Sql for SqliteConnection {
    async fn rows(&mut self, statement: &'static str, values: &[Value<'_>]) -> Result<Vec<SqlRow>, DbError> {
        let rows = on_sqlite(sqlx::query(statement), values).fetch_all(self).await?;
        Ok(rows.into_iter().map(SqlRow::Sqlite).collect())
    }

    async fn locked(
        &mut self,
        statement: &'static str,
        values: &[Value<'_>],
    ) -> Result<Vec<SqlRow>, DbError> {
        self.rows(statement, values).await
    }

    async fn lock(&mut self, _: &'static str, _: &[Value<'_>]) -> Result<(), DbError> {
        Ok(())
    }

    async fn run(&mut self, statement: &'static str, values: &[Value<'_>]) -> Result<u64, DbError> {
        Ok(on_sqlite(sqlx::query(statement), values).execute(self).await?.rows_affected())
    }
}

#[async_trait]
impl Sql for PgConnection {
    async fn rows(&mut self, statement: &'static str, values: &[Value<'_>]) -> Result<Vec<SqlRow>, DbError> {
        let rows = on_postgres(sqlx::query(statement), values).fetch_all(self).await?;
        Ok(rows.into_iter().map(SqlRow::Postgres).collect())
    }

    async fn locked(
        &mut self,
        statement: &'static str,
        values: &[Value<'_>],
    ) -> Result<Vec<SqlRow>, DbError> {
        let locking = AssertSqlSafe(format!("{statement} FOR UPDATE"));
        let rows = on_postgres(sqlx::query(locking), values).fetch_all(self).await?;
        Ok(rows.into_iter().map(SqlRow::Postgres).collect())
    }

    async fn lock(&mut self, statement: &'static str, values: &[Value<'_>]) -> Result<(), DbError> {
        self.locked(statement, values).await.map(drop)
    }

    async fn run(&mut self, statement: &'static str, values: &[Value<'_>]) -> Result<u64, DbError> {
        Ok(on_postgres(sqlx::query(statement), values).execute(self).await?.rows_affected())
    }
}

macro_rules! bind {
    ($query:expr, $values:expr) => {
        $values.iter().fold($query, |query, value| match *value {
            Value::Number(number) => query.bind(number),
            Value::Bytes(bytes) => query.bind(bytes.map(<[u8]>::to_vec)),
            Value::Text(text) => query.bind(text.to_owned()),
        })
    };
}

fn on_sqlite<'q>(
    query: Query<'q, Sqlite, SqliteArguments>,
    values: &[Value<'_>],
) -> Query<'q, Sqlite, SqliteArguments> {
    bind!(query, values)
}

fn on_postgres<'q>(
    query: Query<'q, Postgres, PgArguments>,
    values: &[Value<'_>],
) -> Query<'q, Postgres, PgArguments> {
    bind!(query, values)
}

/// A value for a statement. PostgreSQL wants to know the type of one that is absent, too.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    Number(Option<i64>),
    Bytes(Option<&'a [u8]>),
    Text(&'a str),
}

impl From<u64> for Value<'_> {
    fn from(number: u64) -> Self {
        Value::Number(Some(i64::try_from(number).unwrap_or(i64::MAX)))
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Value::Number(Some(number))
    }
}

impl From<bool> for Value<'_> {
    fn from(flag: bool) -> Self {
        Value::Number(Some(i64::from(flag)))
    }
}

impl From<Timestamp> for Value<'_> {
    fn from(at: Timestamp) -> Self {
        Value::Number(Some(at.unix_ms()))
    }
}

impl From<Option<Timestamp>> for Value<'_> {
    fn from(at: Option<Timestamp>) -> Self {
        Value::Number(at.map(Timestamp::unix_ms))
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Value::Bytes(Some(bytes))
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Value<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Value::Bytes(Some(bytes))
    }
}

impl<'a> From<Option<&'a [u8]>> for Value<'a> {
    fn from(bytes: Option<&'a [u8]>) -> Self {
        Value::Bytes(bytes)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::Text(text)
    }
}

/// A row that was found.
pub(super) enum SqlRow {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl SqlRow {
    /// What stands in this column.
    pub(super) fn get<T>(&self, column: &'static str) -> Result<T, DbError>
    where
        T: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres>,
    {
        Ok(match self {
            SqlRow::Sqlite(row) => row.try_get(column)?,
            SqlRow::Postgres(row) => row.try_get(column)?,
        })
    }

    /// A number that is never negative.
    pub(super) fn count(&self, column: &'static str) -> Result<u64, DbError> {
        u64::try_from(self.get::<i64>(column)?).map_err(|_| DbError::damaged(column))
    }

    /// An instant.
    pub(super) fn time(&self, column: &'static str) -> Result<Timestamp, DbError> {
        Ok(Timestamp::from_unix_ms(self.get(column)?))
    }

    /// An instant that may be absent.
    pub(super) fn time_if_any(&self, column: &'static str) -> Result<Option<Timestamp>, DbError> {
        Ok(self.get::<Option<i64>>(column)?.map(Timestamp::from_unix_ms))
    }

    /// What these bytes mean.
    pub(super) fn bytes<T>(
        &self,
        column: &'static str,
        read: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<T, DbError> {
        read(&self.get::<Vec<u8>>(column)?).ok_or_else(|| DbError::damaged(column))
    }

    /// What this text means.
    pub(super) fn text<T>(
        &self,
        column: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, DbError> {
        read(&self.get::<String>(column)?).ok_or_else(|| DbError::damaged(column))
    }
}
