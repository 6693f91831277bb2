//! SQLite: one file, one writer, readers beside it.
//!
//! Durable means: write-ahead log, `synchronous = FULL`, so every commit is synced. Activations that wait together share a commit, and so
//! its sync. A transaction begins with the write lock (`BEGIN IMMEDIATE`): one that reads first and writes later would be refused at once
//! if another process has written in between.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::pool::PoolOptions;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::{mpsc, oneshot};

use super::DbError;
use super::schema::{self, migrations};
use super::work::{AnyWork, Database};

/// How many transactions share a commit. One activation takes a tenth of a millisecond, and a sync some milliseconds: beyond this, more
/// of them would gain little, and the first would wait for the last.
const BATCH: usize = 128;

/// How many may wait for the writer. Whoever comes later waits for room.
const QUEUE: usize = 1024;

/// Connections that read. Each has a thread of its own.
const READERS: u32 = 4;

/// How long to wait for another process, such as a backup.
const BUSY: Duration = Duration::from_secs(10);

/// A database in one file.
pub(super) struct SqliteFile {
    queue: mpsc::Sender<Job>,
    readers: SqlitePool,
}

/// A transaction that waits for the writer.
struct Job {
    work: Arc<dyn AnyWork>,
    done: oneshot::Sender<Result<(), DbError>>,
}

impl SqliteFile {
    /// Makes the file, which nobody else may read. There must be none.
    pub(super) fn create(path: &Path) -> io::Result<()> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.sync_all()?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }

    /// Opens the file, which has to exist, and brings its tables to this release.
    pub(super) async fn open(path: &Path) -> Result<SqliteFile, DbError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(false)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY)
            .disable_statement_logging();
        let mut writer = SqliteConnection::connect_with(&options).await?;
        migrations(schema::SQLITE).run(&mut writer).await?;
        let reading = options.pragma("query_only", "on");
        let readers = PoolOptions::new().max_connections(READERS).connect_with(reading).await?;
        let (queue, jobs) = mpsc::channel(QUEUE);
        tokio::spawn(write_all(writer, jobs));
        Ok(SqliteFile { queue, readers })
    }
}

#[async_trait]
impl Database for SqliteFile {
    async fn write(&self, work: Arc<dyn AnyWork>) -> Result<(), DbError> {
        let (done, waits) = oneshot::channel();
        self.queue.send(Job { work, done }).await.map_err(|_| DbError::stopped())?;
        waits.await.unwrap_or_else(|_| Err(DbError::stopped()))
    }

    async fn read(&self, work: Arc<dyn AnyWork>) -> Result<(), DbError> {
        let mut reader = self.readers.begin().await?;
        work.run(&mut *reader).await
    }

    async fn close(&self) {
        self.readers.close().await;
    }
}

/// Runs what waits, many in one transaction, until nobody is left who could send more.
async fn write_all(mut writer: SqliteConnection, mut jobs: mpsc::Receiver<Job>) {
    let mut batch = Vec::with_capacity(BATCH);
    // The first error that is fatal. It stays: nothing more is acknowledged.
    let mut failed = None;
    while jobs.recv_many(&mut batch, BATCH).await != 0 {
        let works: Vec<_> = batch.iter().map(|job| Arc::clone(&job.work)).collect();
        let mut together = transaction(&mut writer, &works, &mut failed).await;
        // One that fails undoes the others, so each is run by itself.
        let is_one_of_several = works.len() != 1 && failed.is_none() && together.is_err();
        for job in batch.drain(..) {
            if is_one_of_several {
                together = transaction(&mut writer, std::slice::from_ref(&job.work), &mut failed).await;
            }
            // Whoever has asked may have left.
            let _ = job.done.send(together.clone());
        }
    }
    if let Err(error) = writer.close().await {
        tracing::warn!(%error, "the database was not closed in order");
    }
}

/// Runs all of this in one transaction, or nothing.
async fn transaction(
    writer: &mut SqliteConnection,
    works: &[Arc<dyn AnyWork>],
    failed: &mut Option<DbError>,
) -> Result<(), DbError> {
    if let Some(failed) = failed {
        return Err(failed.clone());
    }
    let done = committed(writer, works).await;
    if let Err(error) = &done
        && error.is_fatal()
    {
        tracing::error!(%error, "nothing more is written");
        *failed = Some(error.clone());
    }
    done
}

async fn committed(writer: &mut SqliteConnection, works: &[Arc<dyn AnyWork>]) -> Result<(), DbError> {
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
    for work in works {
        work.run(&mut *transaction).await?;
    }
    Ok(transaction.commit().await?)
}
