//! Backups: a folder with everything that a portal is, and a portal made from it.
//!
//! The database is copied as it is at one moment, while a portal may serve it. A PostgreSQL database is not in a backup: its own tools
//! back it up.

use std::io::ErrorKind;
use std::path::Path;

use server::admin::socket;
use server::fixable::FixableError;
use store::{file, regular};
use zeroize::Zeroizing;

use super::error::{PortalHomeError, Trouble};
use super::{PRIVATE, PUBLIC, PortalHome, create, exists};
use crate::config::{FILE_NAME, PortalConfig, TLS_CERTIFICATE, TLS_KEY};
use crate::db::Db;

/// The files of a backup beside the database. The first two are in every one.
const FILES: [(&str, u32); 13] = [
    ("issuing.key", PRIVATE),
    ("pepper", PRIVATE),
    ("issuing.certificate", PUBLIC),
    ("issuing-request.pem", PUBLIC),
    ("code.key", PRIVATE),
    ("code.certificates", PUBLIC),
    ("code-request.pem", PUBLIC),
    ("roots.pub", PUBLIC),
    ("portal-ca.pem", PUBLIC),
    ("portal-ca.key", PRIVATE),
    (TLS_CERTIFICATE, PUBLIC),
    (TLS_KEY, PRIVATE),
    (FILE_NAME, PRIVATE),
];

const DATABASE: &str = "portal.db";

impl PortalHome {
    /// Copies the portal into a new folder. Returns whether the database is in it.
    ///
    /// # Errors
    /// The folder exists, a file is missing, or the disk refuses.
    pub async fn backup(&self, config: &PortalConfig, folder: &Path) -> Result<bool, PortalHomeError> {
        new_folder(folder)?;
        for (index, (name, mode)) in FILES.into_iter().enumerate() {
            self.copy(&self.0.join(name), &folder.join(name), mode, index < 2)?;
        }
        if !config.database.is_empty() {
            return Ok(false);
        }
        let (from, to) = (self.database_path(), folder.join(DATABASE));
        if !exists(&from) {
            return Err(PortalHomeError::missing(&from, &self.0));
        }
        Db::copy_sqlite(&from, &to).await?;
        file::sync_dir(folder).map_err(|source| PortalHomeError::unwritable(folder, source))?;
        Ok(true)
    }

    /// Makes a portal from a backup, in a directory that is empty or does not exist.
    ///
    /// # Errors
    /// The directory is not empty, the folder is no backup, or the disk refuses.
    pub fn restore(&self, folder: &Path) -> Result<(), PortalHomeError> {
        if socket::is_served(&self.socket_path()) {
            return Err(not_empty(&self.0));
        }
        for (name, _) in FILES.into_iter().take(2) {
            if !exists(&folder.join(name)) {
                let text = format!("{} is no backup of a portal: it has no {name}", folder.display());
                let error = FixableError::new(text, "name the folder that `kms-portal backup` has made");
                return Err(PortalHomeError::new(Trouble::Data, error));
            }
        }
        new_folder(&self.0)?;
        // The key comes last but for the database, so a portal that is not whole cannot be served.
        let database = [(DATABASE, PRIVATE)];
        for (name, mode) in FILES.into_iter().rev().chain(database) {
            self.copy(&folder.join(name), &self.0.join(name), mode, false)?;
        }
        Ok(())
    }

    fn copy(&self, from: &Path, to: &Path, mode: u32, is_required: bool) -> Result<(), PortalHomeError> {
        if from.file_name().is_some_and(|name| name == DATABASE) {
            return if exists(from) { copy_large(from, to) } else { Ok(()) };
        }
        match regular::read(from).map(Zeroizing::new) {
            Ok(bytes) => create(to, &bytes, mode),
            Err(error) if error.kind() == ErrorKind::NotFound && !is_required => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(PortalHomeError::missing(from, &self.0)),
            Err(error) => Err(PortalHomeError::unreadable(from, error)),
        }
    }
}

/// A folder for its owner alone, with nothing in it.
fn new_folder(path: &Path) -> Result<(), PortalHomeError> {
    let is_empty = std::fs::read_dir(path).map(|mut entries| entries.next().is_none());
    match is_empty {
        Ok(false) => return Err(not_empty(path)),
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(PortalHomeError::unreadable(path, error));
        }
        _ => {}
    }
    file::make_private_dir(path).map_err(|source| PortalHomeError::unwritable(path, source))
}

fn not_empty(path: &Path) -> PortalHomeError {
    let text = format!("there is something in {} already, and nothing was changed", path.display());
    PortalHomeError::new(
        Trouble::Exists,
        FixableError::new(text, "name a folder that is empty or does not exist"),
    )
}

/// Copies a database that nobody serves.
fn copy_large(from: &Path, to: &Path) -> Result<(), PortalHomeError> {
    Db::create_sqlite(to).map_err(|source| PortalHomeError::unwritable(to, source))?;
    let copied = std::fs::copy(from, to).and_then(|_| std::fs::File::open(to)?.sync_all());
    copied.map_err(|source| PortalHomeError::unwritable(to, source))
}
