//! SQLite: one file, one writer, readers beside it.
//!
//! Durable means: write-ahead log, `synchronous = FULL`, so every commit is synced. Activations that wait together share a commit, and so
//! its sync. Before the file is opened, its pages are dropped from the kernel's cache: after a failed write the cache would show commits
//! that the disk does not have, and later ones would build on them. A transaction begins with the write lock (`BEGIN IMMEDIATE`): one that
//! reads first and writes later would be refused at once if another process has written in between.
//!
//! A file that is removed or replaced stays open, and everything that is written to it then is lost. So before a commit is acknowledged,
//! the portal checks that database and log are still there, as the ledger of a host does.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::pool::PoolOptions;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection};
use store::Place;

use super::DbError;
use super::group_commit::{Commit, GroupCommit};
use super::schema::{self, migrations};
use super::sql::Sql as _;
use super::work::{AnyWork, Database};

/// Connections that read. Each has a thread of its own.
const READERS: u32 = 4;

/// How long to wait for another process, such as a backup. Hosts and machines wait for an answer for twice as long.
const BUSY: Duration = Duration::from_secs(5);

/// Memory for the pages of the connection that writes, in KiB. What an activation looks up and changes lies all over the indexes, so with
/// SQLite's own 2 MiB most of it is read again and again.
const CACHE_KIB: u32 = 64 * 1024;

/// How many pages the log may have before they go into the database: 64 MiB. A page that many activations change goes there once.
const LOG_PAGES: u32 = 16 * 1024;

/// How often to look whether the files are still there. Each look asks for names that the kernel has cached.
const LOOK: Duration = Duration::from_millis(200);

/// A database in one file.
pub(super) struct SqliteFile {
    writer: GroupCommit,
    readers: SqlitePool,
    place: Place,
}

/// The connection that writes, and where its files are.
struct Writer {
    connection: SqliteConnection,
    place: Place,
}

impl SqliteFile {
    /// Makes the file, which nobody else may read. There must be none.
    pub(super) fn create(path: &Path) -> io::Result<()> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.sync_all()?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }

    /// Copies the database, as it is at one moment, into a new file. A portal may serve it meanwhile.
    pub(super) async fn copy(from: &Path, to: &Path) -> Result<(), DbError> {
        let options = SqliteConnectOptions::new().filename(from).create_if_missing(false).busy_timeout(BUSY);
        let mut connection = SqliteConnection::connect_with(&options.disable_statement_logging()).await?;
        let path = to.to_string_lossy();
        sqlx::query("VACUUM INTO $1").bind(&*path).execute(&mut connection).await?;
        Ok(Connection::close(connection).await?)
    }

    /// Opens the file, which has to exist, and brings its tables to this release.
    pub(super) async fn open(path: &Path) -> Result<SqliteFile, DbError> {
        forget_cached(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(false)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY)
            .disable_statement_logging();
        let writing = options.clone().pragma("cache_size", format!("-{CACHE_KIB}"));
        let writing = writing.pragma("wal_autocheckpoint", LOG_PAGES.to_string());
        let mut connection = SqliteConnection::connect_with(&writing).await?;
        migrations(schema::SQLITE).run(&mut connection).await?;
        let reading = options.pragma("query_only", "on");
        let readers = PoolOptions::new().max_connections(READERS).connect_with(reading).await?;
        let place = Place::of_files(store::file::parent(path), files(path));
        let writer = Writer { connection, place: place.clone() };
        Ok(SqliteFile { writer: GroupCommit::start(writer), readers, place })
    }
}

/// The mark of the pepper in the database, as far as it can be read without its log. Nobody may serve it. Nothing is written.
pub(super) async fn mark(path: &Path) -> Result<Option<Vec<u8>>, DbError> {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(false).immutable(true);
    let mut connection =
        SqliteConnection::connect_with(&options.read_only(true).disable_statement_logging()).await?;
    let mark =
        sqlx::query_scalar("SELECT mark FROM pepper WHERE one = 1").fetch_optional(&mut connection).await?;
    Connection::close(connection).await?;
    Ok(mark)
}

/// The database, and its log, which need not be there.
fn files(path: &Path) -> [PathBuf; 2] {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    [path.to_owned(), log.into()]
}

/// Has the kernel forget what it keeps of the database and of its log, if it has one.
fn forget_cached(path: &Path) -> Result<(), DbError> {
    for file in &files(path) {
        match store::file::forget_cached(file) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(DbError::unreadable(source));
            }
            _ => {}
        }
    }
    Ok(())
}

#[async_trait]
impl Database for SqliteFile {
    async fn write(&self, work: Arc<dyn AnyWork>) -> Result<(), DbError> {
        self.writer.write(work).await
    }

    async fn read(&self, work: Arc<dyn AnyWork>) -> Result<(), DbError> {
        let mut reader = self.readers.begin().await?;
        work.run(&mut *reader).await
    }

    async fn gone(&self) -> DbError {
        loop {
            if let Err(gone) = self.place.look() {
                return DbError::gone(gone);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn close(&self) {
        self.readers.close().await;
        // The last one folds the log into the database.
        self.writer.close().await;
    }
}

#[async_trait]
impl Commit for Writer {
    async fn commit(&mut self, works: &[Arc<dyn AnyWork>]) -> Result<(), DbError> {
        let writer = &mut self.connection;
        // Our own statements: SQLite ends a transaction by itself where its disk is full, and sqlx would take it for open ever after.
        writer.run("BEGIN IMMEDIATE", &[]).await?;
        let done = all(writer, works).await;
        if done.is_err()
            && let Err(error) = writer.run("ROLLBACK", &[]).await
        {
            tracing::debug!(%error, "SQLite has ended the transaction by itself");
        }
        // Nothing lasts in a file without a name. Without one, SQLite may have failed as well.
        self.place.look().map_err(DbError::gone)?;
        done
    }

    async fn close(self) {
        if let Err(error) = Connection::close(self.connection).await {
            tracing::warn!(%error, "the database was not closed in order");
        }
    }
}

async fn all(writer: &mut SqliteConnection, works: &[Arc<dyn AnyWork>]) -> Result<(), DbError> {
    for work in works {
        work.run(&mut *writer).await?;
    }
    writer.run("COMMIT", &[]).await?;
    Ok(())
}

#[cfg(test)]
mod tests;
