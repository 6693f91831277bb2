//! What can be wrong with a portal's directory, and what to do about it.

use std::error::Error;
use std::ffi::OsStr;
use std::fmt;
use std::path::Path;

use server::fixable::FixableError;

use super::DATABASE;
use crate::db::DbError;

/// The portal's directory is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum PortalHomeError {
    /// A file, or what is missing.
    #[error(transparent)]
    File(Box<FileTrouble>),
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// What is wrong with a file, of which kind, and what to do.
#[derive(Debug)]
pub struct FileTrouble {
    trouble: Trouble,
    error: FixableError,
}

impl fmt::Display for FileTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Error for FileTrouble {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

/// Kinds of trouble, as scripts tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Something has to be installed or set first.
    Missing,
    /// There is something already that must stay.
    Exists,
    /// A file holds something else than it should.
    Data,
    /// A file cannot be read or written.
    Disk,
}

impl PortalHomeError {
    pub(super) fn new(trouble: Trouble, error: FixableError) -> PortalHomeError {
        PortalHomeError::File(Box::new(FileTrouble { trouble, error }))
    }

    pub(super) fn missing(path: &Path, data: &Path) -> PortalHomeError {
        let text = format!("{} is missing", path.display());
        let remedy = if path.starts_with(data) {
            let init = format!("`kms-portal init --data {}`", data.display());
            format!("if there was never a portal, run {init}; otherwise {}", how_to_bring_back(path, data))
        } else {
            "the setting `secrets` names its directory; what systemd decrypts for the service is there only while the service runs"
                .to_owned()
        };
        PortalHomeError::new(Trouble::Missing, FixableError::new(text, remedy))
    }

    pub(super) fn damaged(path: &Path, data: &Path) -> PortalHomeError {
        let text = format!("{} is damaged", path.display());
        PortalHomeError::new(Trouble::Data, FixableError::new(text, how_to_bring_back(path, data)))
    }

    pub(super) fn roots(path: &Path) -> PortalHomeError {
        let text =
            format!("these are not the root public keys of a vendor, as {} has to have them", path.display());
        let remedy = "take `roots.pub` from the directory of `kms-vendor`: two public keys in hex";
        PortalHomeError::new(Trouble::Data, FixableError::new(text, remedy))
    }

    pub(super) fn unreadable(path: &Path, source: impl Error + Send + Sync + 'static) -> PortalHomeError {
        let text = format!("{} cannot be read", path.display());
        let remedy = "run the command as root or as the owner of the directory, and see what stands there";
        PortalHomeError::new(Trouble::Disk, FixableError::new(text, remedy).because(source))
    }

    pub(super) fn unwritable(path: &Path, source: impl Error + Send + Sync + 'static) -> PortalHomeError {
        let text = format!("{} cannot be written", path.display());
        let remedy = "see that the directory belongs to this user, and that the disk has room";
        PortalHomeError::new(Trouble::Disk, FixableError::new(text, remedy).because(source))
    }

    /// Of which kind it is.
    pub fn trouble(&self) -> Trouble {
        match self {
            PortalHomeError::File(found) => found.trouble,
            PortalHomeError::Database(
                DbError::Foreign { .. } | DbError::Damaged { .. } | DbError::NotDurable { .. },
            ) => Trouble::Data,
            PortalHomeError::Database(_) => Trouble::Disk,
        }
    }

    /// What to do.
    pub fn remedy(&self) -> &str {
        match self {
            PortalHomeError::File(found) => found.error.remedy(),
            PortalHomeError::Database(error) => error.remedy(),
        }
    }
}

/// How to bring something of a portal back. Whoever restores a whole backup for one file loses what was sold since.
pub(super) fn how_to_bring_back(path: &Path, data: &Path) -> String {
    match path.file_name().and_then(OsStr::to_str) {
        Some(name) if path != data && name != DATABASE => {
            format!("put the `{name}` of a backup in its place, for the owner of {} to read", data.display())
        }
        _ => "restore a backup into another directory: `kms-portal restore BACKUP --data NEWDIR`".to_owned(),
    }
}
