//! What can go wrong with the database, by what to do about it.

use std::error::Error;
use std::sync::Arc;

use sqlx::migrate::MigrateError;
use sqlx::postgres::PgDatabaseError;
use sqlx::sqlite::SqliteError;

/// Why the database did not do what it was asked. Nothing may be acknowledged then. Cheap to clone: all who wait are told.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DbError {
    /// It cannot be reached, or is too busy. Asking again is safe: whatever was written is found by its nonce.
    #[error("the database cannot be reached at the moment")]
    Unavailable {
        /// What it said.
        source: Arc<dyn Error + Send + Sync>,
    },
    /// Its disk is full. It goes on by itself once there is room.
    #[error("no space is left for the database")]
    Full {
        /// What it said.
        source: Arc<dyn Error + Send + Sync>,
    },
    /// It holds what nobody has written. What needs other rows is served.
    #[error("the database is damaged")]
    Damaged {
        /// What it said.
        source: Arc<dyn Error + Send + Sync>,
    },
    /// A newer release has written it, or it is the database of another program.
    #[error("this release cannot use the database")]
    Foreign {
        /// What is not as it should be.
        source: Arc<dyn Error + Send + Sync>,
    },
    /// It refused a statement: a defect of this release. What else is asked is done.
    #[error("the database refused a statement")]
    Refused {
        /// What it said.
        source: Arc<dyn Error + Send + Sync>,
    },
    /// Its file was removed or replaced while the portal served.
    #[error("the database is gone")]
    Gone {
        /// What happened.
        source: Arc<dyn Error + Send + Sync>,
    },
    /// The server does not keep what it has acknowledged.
    #[error("the database is not set up to last")]
    NotDurable {
        /// The setting.
        source: Arc<dyn Error + Send + Sync>,
    },
    /// It could not read or write its files. Nothing more is written until the portal is started again.
    #[error("the database has failed")]
    Fatal {
        /// What it said.
        source: Arc<dyn Error + Send + Sync>,
    },
}

impl DbError {
    /// Whether the portal has to exit.
    pub fn is_fatal(&self) -> bool {
        match self {
            DbError::Unavailable { .. }
            | DbError::Full { .. }
            | DbError::Damaged { .. }
            | DbError::Refused { .. } => false,
            DbError::Foreign { .. }
            | DbError::Gone { .. }
            | DbError::NotDurable { .. }
            | DbError::Fatal { .. } => true,
        }
    }

    /// What to do.
    pub fn remedy(&self) -> &'static str {
        match self {
            DbError::Unavailable { .. } => {
                "see to the connection to the database; the portal tries again by itself"
            }
            DbError::Full { .. } => "free space on the disk of the database; the portal goes on by itself",
            DbError::Damaged { .. } => {
                "stop the portal and restore a backup into another directory: `kms-portal restore BACKUP --data NEWDIR`"
            }
            DbError::Foreign { .. } => {
                "run the release that has written the database, or a newer one; or name the portal's own database"
            }
            DbError::Gone { .. } => {
                "put it back and start the portal again, or restore a backup: `kms-portal restore BACKUP --data NEWDIR`"
            }
            DbError::NotDurable { .. } => {
                "turn the setting on in postgresql.conf, reload the server, and start the portal again"
            }
            DbError::Refused { .. } => "report it to the developers with the log; an update may mend it",
            DbError::Fatal { .. } => {
                "see to the disk and the rights of the database, and start the portal again"
            }
        }
    }

    /// Whether it concerns only whoever has asked for this.
    pub(super) fn concerns_one(&self) -> bool {
        match self {
            DbError::Damaged { .. } | DbError::Refused { .. } => true,
            DbError::Unavailable { .. }
            | DbError::Full { .. }
            | DbError::Foreign { .. }
            | DbError::Gone { .. }
            | DbError::NotDurable { .. }
            | DbError::Fatal { .. } => false,
        }
    }

    /// A row that does not say what rows say.
    pub(super) fn damaged(what: &'static str) -> DbError {
        DbError::Damaged { source: Arc::from(Box::<dyn Error + Send + Sync>::from(what)) }
    }

    /// Its files cannot be opened.
    pub(super) fn unreadable(source: std::io::Error) -> DbError {
        DbError::Fatal { source: Arc::new(source) }
    }

    /// Its file is not the one that was opened any more.
    pub(super) fn gone(gone: store::Gone) -> DbError {
        DbError::Gone { source: Arc::new(gone) }
    }

    /// The side that serves has gone.
    pub(super) fn stopped() -> DbError {
        DbError::Fatal { source: Arc::from(Box::<dyn Error + Send + Sync>::from("the writer has stopped")) }
    }

    /// The database is not set up so that it keeps what it acknowledges.
    pub(super) fn not_durable(what: String) -> DbError {
        DbError::NotDurable { source: Arc::from(Box::<dyn Error + Send + Sync>::from(what)) }
    }
}

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> DbError {
        let fate = fate_of(&error);
        let source: Arc<dyn Error + Send + Sync> = Arc::new(error);
        match fate {
            Fate::Unavailable => DbError::Unavailable { source },
            Fate::Full => DbError::Full { source },
            Fate::Damaged => DbError::Damaged { source },
            Fate::Foreign => DbError::Foreign { source },
            Fate::Refused => DbError::Refused { source },
            Fate::Fatal => DbError::Fatal { source },
        }
    }
}

impl From<MigrateError> for DbError {
    fn from(error: MigrateError) -> DbError {
        match error {
            MigrateError::Execute(error) => error.into(),
            // A migration that this release does not know, or knows otherwise.
            other => DbError::Foreign { source: Arc::new(other) },
        }
    }
}

enum Fate {
    Unavailable,
    Full,
    Damaged,
    Foreign,
    Refused,
    Fatal,
}

fn fate_of(error: &sqlx::Error) -> Fate {
    match error {
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            if error.try_downcast_ref::<SqliteError>().is_some() {
                of_sqlite(&code)
            } else if error.try_downcast_ref::<PgDatabaseError>().is_some() {
                of_postgres(&code)
            } else {
                Fate::Refused
            }
        }
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed => Fate::Unavailable,
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Fate::Damaged,
        sqlx::Error::WorkerCrashed => Fate::Fatal,
        _ => Fate::Refused,
    }
}

/// By SQLite's result code, of which the lower byte says what it is and the rest where.
fn of_sqlite(code: &str) -> Fate {
    match code.parse::<u32>().unwrap_or(0) & 0xff {
        // BUSY, LOCKED.
        5 | 6 => Fate::Unavailable,
        // FULL.
        13 => Fate::Full,
        // CORRUPT.
        11 => Fate::Damaged,
        // NOTADB.
        26 => Fate::Foreign,
        // READONLY, IOERR, CANTOPEN: after a write or a sync that failed, the kernel may have dropped what it could not write.
        8 | 10 | 14 => Fate::Fatal,
        _ => Fate::Refused,
    }
}

/// By PostgreSQL's SQLSTATE, whose first two characters are its class.
fn of_postgres(code: &str) -> Fate {
    match code {
        "53100" => Fate::Full,
        // A standby that has not been promoted; a lock that somebody else has.
        "25006" | "55P03" => Fate::Unavailable,
        "XX001" | "XX002" => Fate::Damaged,
        // A table or column that should be there.
        "42P01" | "42703" | "3D000" => Fate::Foreign,
        // Connection, resources, an administrator's intervention, its own system; a transaction that others were in the way of.
        _ if ["08", "53", "57", "58", "40"].iter().any(|class| code.starts_with(class)) => Fate::Unavailable,
        _ => Fate::Refused,
    }
}

/// Whether PostgreSQL has undone a transaction because of others, and it may succeed now.
pub(super) fn is_to_be_repeated(error: &DbError) -> bool {
    let DbError::Unavailable { source } = error else { return false };
    let Some(sqlx::Error::Database(error)) = source.downcast_ref::<sqlx::Error>() else { return false };
    matches!(error.code().as_deref(), Some("40001" | "40P01"))
}
