//! What can be wrong with a data directory, each with the file that it is about and the command that mends it.

use std::io;
use std::path::PathBuf;

use ledger::{Engine, OpenError};
use server::fixable::FixableError;
use shared::ids::HostId;
use store::file::FileError;

use super::Home;
use crate::export::{ExportError, shown};

/// The data directory is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// There is no signing key.
    #[error("{} is missing", .0.key_path().display())]
    NoKey(Home),
    /// The signing key is not what was written.
    #[error("the signing key {} is damaged", .0.key_path().display())]
    DamagedKey(Home),
    /// There is no request, or it is not what was written.
    #[error("{} is missing or damaged", .0.request_path().display())]
    NoRequest(Home),
    /// There is no ledger.
    #[error("the ledger {} is missing or empty", .0.ledger_path().display())]
    NoLedger(Home),
    /// Another process is activating the host.
    #[error("another command is activating the host in {} at this moment", .0.display())]
    Activating(PathBuf),
    /// The ledger is in use.
    #[error("another process serves the directory {}", .0.display())]
    Served(PathBuf),
    /// The configuration names another engine than the ledger was made on.
    #[error(
        "the ledger {} is kept by {}, and the configuration asks for {}", path.display(), found.name(), asked.name()
    )]
    OtherEngine {
        /// The ledger.
        path: PathBuf,
        /// What keeps it.
        found: Engine,
        /// What was asked for.
        asked: Engine,
    },
    /// The ledger is not what was written.
    #[error("the ledger {} is damaged ({found}), and was left as it is", .0.ledger_path().display(), found = .1)]
    DamagedLedger(Home, String),
    /// There is a ledger already.
    #[error("there is a ledger in {} already, and nothing was changed", .0.ledger_path().display())]
    LedgerThere(Home),
    /// The directory for a restore is not empty.
    #[error("there is something in {} already, and nothing was changed", .0.display())]
    NotEmpty(PathBuf),
    /// A restore was interrupted.
    #[error("a restore into {} was interrupted", .0.display())]
    Unfinished(PathBuf),
    /// The file is an export and not a backup.
    #[error("{} is an export: it has a ledger, but neither key nor certificates", shown(path))]
    NoBackup {
        /// The file.
        path: PathBuf,
        /// The data directory.
        data: PathBuf,
    },
    /// An export or a backup cannot be used.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// Nothing is missing.
    #[error("there is a host in {} already, and nothing was changed", .0.display())]
    AlreadyMade(PathBuf),
    /// A certificate is for another host.
    #[error("the certificate {} is for host {named}, and this one is {own}", path.display())]
    OtherHost {
        /// The file.
        path: PathBuf,
        /// The request that the vendor needs.
        request: PathBuf,
        /// The host that it names.
        named: HostId,
        /// This host.
        own: HostId,
    },
    /// Something else is wrong with a key, a certificate or the ledger.
    #[error(transparent)]
    FixableError(#[from] FixableError),
    /// A file or a directory cannot be read.
    #[error("{} cannot be read", .0.display())]
    Unreadable(PathBuf, #[source] io::Error),
    /// A directory cannot be made or moved.
    #[error("{} cannot be made", .0.display())]
    Unwritable(PathBuf, #[source] io::Error),
    /// A file cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The ledger cannot be made or opened.
    #[error(transparent)]
    Ledger(OpenError),
}

impl HomeError {
    /// What to do.
    pub fn remedy(&self) -> String {
        match self {
            HomeError::NoKey(home) => format!(
                "`kms-host init --data {}` makes a host. Where there was one, `kms-host restore BACKUP --data NEWDIR` has its key: \
                 without it this becomes another host, which needs a new certificate",
                home.path().display()
            ),
            HomeError::DamagedKey(home) => format!(
                "restore the host from a backup with `kms-host restore BACKUP --data NEWDIR`. Without one, move the key away and \
                 run `kms-host init --data {}`: that makes another host, which needs a new certificate",
                home.path().display()
            ),
            HomeError::NoRequest(home) => {
                let data = home.path().display();
                format!("`kms-host init --data {data}` writes it again, while the host is stopped")
            }
            HomeError::NoLedger(home) => format!(
                "see that its disk is mounted, or put it back from a backup or an export with `kms-host import FILE --data {}`. \
                 `kms-host init --data {}` makes a new one: no license is lost, the count begins at zero",
                home.path().display(),
                home.path().display()
            ),
            HomeError::Activating(_) => "wait until it has ended; then run this again if it is still needed".to_owned(),
            HomeError::Served(_) => "stop it, or name another directory with --data".to_owned(),
            HomeError::OtherEngine { found, asked, .. } => format!(
                "write `ledger = \"{}\"` in kms-host.toml. To have it kept by {}: `kms-host export FILE`, move it away, \
                 `kms-host import FILE`",
                found.name(),
                asked.name()
            ),
            HomeError::DamagedLedger(home, _) => {
                let (path, data) = (home.ledger_path(), home.path().display());
                let path = path.display();
                format!(
                    "save all of it that is whole: `kms-host export --salvage FILE --data {data}`, move {path} away, `kms-host \
                     import FILE --data {data}`. Where that finds nothing, restore a backup with `kms-host restore BACKUP --data \
                     NEWDIR`; or move {path} away and run `kms-host init --data {data}` for a new ledger. No license is lost"
                )
            }
            HomeError::LedgerThere(home) => format!(
                "stop the host, move it away, such as to {}.old, and run the same command again. For another host, name its \
                 directory with --data",
                home.ledger_path().display()
            ),
            HomeError::NotEmpty(_) => {
                "name a directory that is empty or not there yet with --data. To put only the ledger back into a host that is \
                 there, `kms-host import BACKUP`"
                    .to_owned()
            }
            HomeError::Unfinished(data) => {
                format!("run it again: `kms-host restore BACKUP --data {}`", data.display())
            }
            HomeError::NoBackup { path, data } => {
                format!("`kms-host import {} --data {}` puts it in", path.display(), data.display())
            }
            HomeError::Export(error) => error.remedy().to_owned(),
            HomeError::AlreadyMade(data) => {
                format!(
                    "serve it with `kms-host serve --data {}`, or name another directory with --data",
                    data.display()
                )
            }
            HomeError::FixableError(problem) => problem.remedy().to_owned(),
            HomeError::OtherHost { request, .. } => {
                format!("send this host's own {} to the vendor", request.display())
            }
            HomeError::Unreadable(_, error) if error.kind() == io::ErrorKind::NotFound => {
                "see that its disk is mounted, or name the host's directory with --data".to_owned()
            }
            HomeError::Unreadable(..) => {
                "run the command as root or as the owner of the directory, and see what stands there".to_owned()
            }
            HomeError::Unwritable(..) => {
                "see that this user may write there, or name another directory with --data".to_owned()
            }
            HomeError::File(_) => "see to the permissions and the space there, and try again".to_owned(),
            HomeError::Ledger(error) => error.remedy(),
        }
    }
}
