//! What is done in one transaction, and who runs it.
//!
//! A [`Work`] reads rows, lets the rules decide, and writes. It draws nothing and reads no clock, so it can be run again if its
//! transaction was undone. [`Database`] is all that differs between SQLite and PostgreSQL.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::DbError;
use super::sql::Sql;

/// What one transaction does.
#[async_trait]
pub(super) trait Work: Send + Sync + 'static {
    /// What comes of it.
    type Done: Send + 'static;

    /// The key that it takes first, in an order that all works have; none if it may take any.
    fn lock_order(&self) -> Option<[u8; 32]> {
        None
    }

    /// Does it. It may be run several times; of all but the last nothing stays.
    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError>;
}

/// The value of a decision. A refusal is what comes of the whole work.
macro_rules! or_refuse {
    ($decided:expr) => {
        match $decided {
            Ok(value) => value,
            Err(refused) => return Ok(Err(refused.into())),
        }
    };
}
pub(super) use or_refuse;

/// A database that runs transactions.
#[async_trait]
pub(super) trait Database: Send + Sync + 'static {
    /// Runs it where it may write. It is durable on return.
    async fn write(&self, work: Arc<dyn AnyWork>) -> Result<(), DbError>;

    /// Runs it on one state of all rows. It writes nothing.
    async fn read(&self, work: Arc<dyn AnyWork>) -> Result<(), DbError>;

    /// Returns once its files are gone. A database on a server is looked after there.
    async fn gone(&self) -> DbError {
        std::future::pending().await
    }

    /// Ends it in order.
    async fn close(&self);
}

/// Work that keeps what has come of it.
#[async_trait]
pub(super) trait AnyWork: Send + Sync + 'static {
    fn lock_order(&self) -> Option<[u8; 32]>;

    async fn run(&self, sql: &mut dyn Sql) -> Result<(), DbError>;
}

/// Work, and a place for what comes of it.
pub(super) struct Doing<W: Work> {
    work: W,
    done: Mutex<Option<W::Done>>,
}

impl<W: Work> Doing<W> {
    pub(super) fn new(work: W) -> Arc<Doing<W>> {
        Arc::new(Doing { work, done: Mutex::new(None) })
    }

    /// What has come of it, once it was run.
    pub(super) fn done(&self) -> W::Done {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner).take();
        done.expect("work that was run has left what has come of it")
    }
}

#[async_trait]
impl<W: Work> AnyWork for Doing<W> {
    fn lock_order(&self) -> Option<[u8; 32]> {
        self.work.lock_order()
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<(), DbError> {
        let done = self.work.run(sql).await?;
        *self.done.lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
        Ok(())
    }
}
