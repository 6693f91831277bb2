//! PostgreSQL: for several replicas of the portal on one database.
//!
//! Durable means: the server has `fsync` on, and each of our sessions has `synchronous_commit` on; otherwise it is not opened. A
//! transaction that changes a key locks its row first, so two replicas decide one after the other. Every statement then sees what was
//! committed before it (READ COMMITTED), and so what the other one has decided.

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use shared::time::Timestamp;
use sqlx::pool::PoolOptions;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool};
use sqlx::{ConnectOptions as _, Connection as _};

use super::DbError;
use super::error::is_to_be_repeated;
use super::group_commit::{Commit, GroupCommit};
use super::schema::{self, migrations};
use super::work::{AnyWork, Database};

/// Connections of one replica. More would only wait for the same rows.
const CONNECTIONS: u32 = 16;

/// Activations that show a key are shared out by it, so that those of one key share a commit and others need not wait for it.
const WRITERS: u8 = 4;

/// How long to wait for a connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often a transaction is tried that others were in the way of.
const ATTEMPTS: u32 = 5;

/// A database on a server.
pub(super) struct PostgresServer {
    connections: Connections,
    writers: Vec<GroupCommit>,
}

/// Runs transactions on any connection that is free.
#[derive(Clone)]
struct Connections(PgPool);

impl PostgresServer {
    /// Connects to the database of this URL, and brings its tables to this release.
    pub(super) async fn open(url: &str) -> Result<PostgresServer, DbError> {
        let options = options(url)?;
        // A pool that reaches no server says only that it took too long.
        connect(&options).await?.close().await?;
        let pool = PoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(PATIENCE);
        let pool = pool.connect_with(options).await?;
        migrations(schema::POSTGRES).run(&pool).await?;
        let connections = Connections(pool);
        let writers = (0..WRITERS).map(|_| GroupCommit::start(connections.clone())).collect();
        Ok(PostgresServer { connections, writers })
    }
}

/// The mark of the pepper in the database of this URL, once a portal could use that database; none if no portal has used it yet. Nothing
/// is written.
pub(super) async fn mark(url: &str) -> Result<Option<Vec<u8>>, DbError> {
    let mut connection = connect(&options(url)?).await?;
    let is_known: bool =
        sqlx::query_scalar("SELECT to_regclass('pepper') IS NOT NULL").fetch_one(&mut connection).await?;
    let mark = if is_known {
        sqlx::query_scalar("SELECT mark FROM pepper WHERE one = 1").fetch_optional(&mut connection).await?
    } else {
        None
    };
    connection.close().await?;
    Ok(mark)
}

/// The server's clock.
pub(super) async fn time(url: &str) -> Result<Timestamp, DbError> {
    let mut connection = connect(&options(url)?).await?;
    let now = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
    let unix_ms = sqlx::query_scalar(now).fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(Timestamp::from_unix_ms(unix_ms))
}

fn options(url: &str) -> Result<PgConnectOptions, DbError> {
    let options = PgConnectOptions::from_str(url)?.application_name("kms-portal");
    Ok(options.options([("synchronous_commit", "on")]).disable_statement_logging())
}

/// Connects to a server that keeps what it acknowledges.
async fn connect(options: &PgConnectOptions) -> Result<PgConnection, DbError> {
    let connected = tokio::time::timeout(PATIENCE, PgConnection::connect_with(options)).await;
    let mut connection = connected.map_err(|_| sqlx::Error::PoolTimedOut)??;
    for setting in ["fsync", "full_page_writes"] {
        let value: String =
            sqlx::query_scalar("SELECT current_setting($1)").bind(setting).fetch_one(&mut connection).await?;
        if value != "on" {
            return Err(DbError::not_durable(format!("the server has {setting} = {value}")));
        }
    }
    Ok(connection)
}

#[async_trait]
impl Database for PostgresServer {
    async fn write(&self, work: Arc<dyn AnyWork>) -> Result<(), DbError> {
        match work.lock_order() {
            Some(key) => self.writers[usize::from(key[0] % WRITERS)].write(work).await,
            None => self.connections.clone().commit(&[work]).await,
        }
    }

    async fn read(&self, work: Arc<dyn AnyWork>) -> Result<(), DbError> {
        self.connections.run("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", &[work]).await
    }

    async fn close(&self) {
        for writer in &self.writers {
            writer.close().await;
        }
        self.connections.0.close().await;
    }
}

#[async_trait]
impl Commit for Connections {
    async fn commit(&mut self, works: &[Arc<dyn AnyWork>]) -> Result<(), DbError> {
        let mut done = Ok(());
        for _ in 0..ATTEMPTS {
            done = self.run("BEGIN", works).await;
            if !done.as_ref().is_err_and(is_to_be_repeated) {
                break;
            }
        }
        done
    }

    /// The pool is closed by whoever has it.
    async fn close(self) {}
}

impl Connections {
    async fn run(&self, begin: &'static str, works: &[Arc<dyn AnyWork>]) -> Result<(), DbError> {
        let mut transaction = self.0.begin_with(begin).await?;
        for work in works {
            work.run(&mut *transaction).await?;
        }
        Ok(transaction.commit().await?)
    }
}
