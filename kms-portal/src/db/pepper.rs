//! Which portal a database belongs to: it has a mark of the pepper that it was first opened with.

use async_trait::async_trait;

use super::DbError;
use super::sql::Sql;
use super::work::Work;
use crate::issue::KeyMac;

/// Writes this mark into a database that has none. Returns whether the database has this mark.
pub(super) struct MarkPepper(pub(super) KeyMac);

#[async_trait]
impl Work for MarkPepper {
    type Done = bool;

    async fn run(&self, sql: &mut dyn Sql) -> Result<bool, DbError> {
        let mark = self.0.as_bytes();
        let insert = "INSERT INTO pepper (one, mark) VALUES (1, $1) ON CONFLICT (one) DO NOTHING";
        sql.run(insert, &[mark.into()]).await?;
        let found = sql.row("SELECT mark FROM pepper WHERE one = 1", &[]).await?;
        found.map_or(Ok(false), |row| Ok(row.get::<Vec<u8>>("mark")? == mark))
    }
}
