//! What can go wrong with a ledger, by whose fault it is, and what to do.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use shared::ids::{MachineId, ProductId};
use store::file::is_full;

/// Why a ledger did not do what it was asked. It is told to everybody who waits, hence cheap to clone.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LedgerError {
    /// One row is not what was written. Whoever needs it is not served; everybody else is.
    #[error("{row} is damaged")]
    Damaged {
        /// The row.
        row: Row,
    },
    /// A part of the store's files cannot be read. Whoever needs a row in it is not served; everybody else is.
    #[error("a part of the ledger cannot be read")]
    Unreadable {
        /// What the store said.
        source: Arc<dyn Error + Send + Sync>,
    },
    /// The ledger cannot be reached at the moment, or another host keeps house. Nothing is lost; asking again is safe.
    #[error("the ledger cannot be reached at the moment, and nothing is lost")]
    Unavailable {
        /// What was said.
        source: Arc<dyn Error + Send + Sync>,
    },
    /// The disk, or the user's quota, is full. Fatal.
    #[error("no space is left for the ledger")]
    Full {
        /// What the store said.
        source: Arc<dyn Error + Send + Sync>,
    },
    /// The ledger could not read or write, now or earlier, and stays so. Fatal.
    #[error("the ledger has failed, and what was not acknowledged may be lost")]
    Fatal {
        /// What the store said.
        source: Arc<dyn Error + Send + Sync>,
    },
}

impl LedgerError {
    /// Whether the host has to exit.
    pub fn is_fatal(&self) -> bool {
        match self {
            LedgerError::Damaged { .. }
            | LedgerError::Unreadable { .. }
            | LedgerError::Unavailable { .. } => false,
            LedgerError::Full { .. } | LedgerError::Fatal { .. } => true,
        }
    }

    /// What to do.
    pub fn remedy(&self) -> &'static str {
        match self {
            LedgerError::Damaged { .. } | LedgerError::Unreadable { .. } => {
                "make a ledger of all that is whole: stop the host, `kms-host export --salvage FILE`, move the ledger away, \
                 `kms-host import FILE`. That loses no license"
            }
            LedgerError::Unavailable { .. } => "see to the connection to it; the host tries again by itself",
            LedgerError::Full { .. } => "free space on its disk and start the host again",
            LedgerError::Fatal { .. } => "see to its disk and start the host again",
        }
    }

    /// Whether it concerns some rows only: others are read and written.
    pub fn is_damage(&self) -> bool {
        matches!(self, LedgerError::Damaged { .. } | LedgerError::Unreadable { .. })
    }

    /// A row was not fetched yet. Nobody is told: it is fetched, and the rule runs again.
    pub(crate) fn missing() -> LedgerError {
        LedgerError::Unavailable { source: Arc::new(io::Error::from(io::ErrorKind::WouldBlock)) }
    }

    /// A fatal error with this cause.
    pub fn fatal(source: impl Error + Send + Sync + 'static) -> LedgerError {
        LedgerError::Fatal { source: Arc::new(source) }
    }
}

/// A page of the store that is damaged, or a bad sector under it, hides more than one row, and all others can be served.
impl From<store::ReadError> for LedgerError {
    fn from(error: store::ReadError) -> LedgerError {
        LedgerError::Unreadable { source: Arc::new(error) }
    }
}

impl From<store::WriteError> for LedgerError {
    fn from(error: store::WriteError) -> LedgerError {
        match error {
            store::WriteError::Stopped(stopped) => stopped.into(),
            refused => LedgerError::fatal(refused),
        }
    }
}

impl From<store::SyncError> for LedgerError {
    fn from(error: store::SyncError) -> LedgerError {
        if is_full(error.cause()) {
            LedgerError::Full { source: Arc::new(error) }
        } else {
            LedgerError::fatal(error)
        }
    }
}

/// A row of a ledger, as errors name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// The ledger's last time.
    LastTime,
    /// What says that the ledger was restored.
    Restored,
    /// What is known of a machine.
    Record(ProductId, MachineId),
    /// The running count of a product.
    Tally(ProductId),
    /// How many records of a product are not active.
    Inactive(ProductId),
    /// The counter of an hour.
    Hour(ProductId, i64),
    /// How many asks a day has had from machines without state.
    Unkept(ProductId, i64),
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Row::LastTime => f.write_str("the ledger's last time"),
            Row::Restored => f.write_str("the ledger's note of having been restored"),
            Row::Record(product, machine) => write!(f, "the record of machine {machine}, product {product},"),
            Row::Tally(product) => write!(f, "the count of product {product}"),
            Row::Inactive(product) => {
                write!(f, "the number of product {product}'s records that are not active")
            }
            Row::Hour(product, hour) => write!(f, "the counter of hour {hour}, product {product},"),
            Row::Unkept(product, day) => write!(f, "the number of day {day}, product {product},"),
        }
    }
}

/// Why a ledger was not made or opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is none.
    #[error("there is no ledger in {}", .directory.display())]
    Missing {
        /// Where it was looked for.
        directory: PathBuf,
    },
    /// A new one was to be made where one is.
    #[error("there is a ledger in {} already, and it was left as it is", .directory.display())]
    Exists {
        /// Where it is.
        directory: PathBuf,
    },
    /// A newer release has written it.
    #[error("the ledger in {} has format {found} and this release reads {known}", .directory.display())]
    Newer {
        /// Where it is.
        directory: PathBuf,
        /// The format that it has.
        found: u8,
        /// The format that this release writes.
        known: u8,
    },
    /// What it says of itself is not what was written.
    #[error("the ledger in {} does not say which one it is: it is damaged", .directory.display())]
    Damaged {
        /// Where it is.
        directory: PathBuf,
    },
    /// The store under it was not opened.
    #[error(transparent)]
    Store(#[from] store::OpenError),
    /// The operating system refused to look.
    #[error("{} could not be read", .directory.display())]
    Io {
        /// Where it was looked for.
        directory: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The store was opened, and then failed.
    #[error(transparent)]
    Failed(#[from] LedgerError),
}

impl OpenError {
    /// What to do.
    pub fn remedy(&self) -> String {
        let remedy = match self {
            OpenError::Missing { .. } => "make one with `kms-host init`, or name the directory that has it",
            OpenError::Exists { .. } => "run it with `kms-host serve`, or name another directory",
            OpenError::Newer { .. } => {
                "run the release that wrote it, or a newer one. `kms-host restore BACKUP --data NEWDIR` goes back to a backup that \
                 this release has made"
            }
            OpenError::Damaged { .. } => {
                "restore a backup with `kms-host restore BACKUP --data NEWDIR`, or move it away and begin a new one with \
                 `kms-host init`: that loses no license"
            }
            OpenError::Store(error) => return error.remedy(),
            OpenError::Io { .. } => "see that it is a directory and belongs to this user",
            OpenError::Failed(error) => error.remedy(),
        };
        remedy.to_owned()
    }
}
