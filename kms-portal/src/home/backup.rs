//! Backups: a folder with everything that a portal is, and a portal made from it.
//!
//! The database is copied as it is at one moment, while a portal may serve it. A PostgreSQL database is not in a backup: its own tools
//! back it up.
//!
//! The last file of a backup is the list of the others with their digests, as `sha256sum` writes it. What has no such list is no backup:
//! one that was cut short, or a portal's own directory, whose database has a log beside it.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Seek as _};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use server::admin::socket;
use server::fixable::FixableError;
use sha2::{Digest as _, Sha256};
use store::{file, regular};
use zeroize::Zeroizing;

use super::error::{PortalHomeError, Trouble};
use super::{DATABASE, PRIVATE, PUBLIC, PortalHome, create, exists, replace};
use crate::config::{FILE_NAME, PortalConfig, TLS_CERTIFICATE, TLS_KEY};
use crate::db::Db;

/// The files of a portal beside the database. The first three are in every backup.
const FILES: [(&str, u32); 13] = [
    (KEY, PRIVATE),
    ("pepper", PRIVATE),
    ("roots.pub", PUBLIC),
    ("issuing.certificate", PUBLIC),
    ("issuing-request.pem", PUBLIC),
    ("code.key", PRIVATE),
    ("code.certificates", PUBLIC),
    ("code-request.pem", PUBLIC),
    ("portal-ca.pem", PUBLIC),
    ("portal-ca.key", PRIVATE),
    (TLS_CERTIFICATE, PUBLIC),
    (TLS_KEY, PRIVATE),
    (FILE_NAME, PRIVATE),
];

const KEY: &str = "issuing.key";

/// Those that the setting `secrets` puts elsewhere. A restore puts them into the data directory.
const SECRETS: [&str; 3] = [KEY, "pepper", "code.key"];

/// The list of a backup. Until everything is there, it says only that.
const LIST: &str = "portal-backup.sha256";

const NOT_FINISHED: &[u8] = b"This backup is not finished.\n";

/// The note in a directory while a portal is restored into it.
const UNFINISHED: &str = "restore-unfinished";

/// A folder that a new file system has of its own.
const OF_THE_FILE_SYSTEM: &str = "lost+found";

/// How much of a database is copied at once.
const PIECE_BYTES: usize = 1 << 16;

/// The small files of a portal, read and checked: name, mode, content.
pub struct PortalFiles(Vec<(&'static str, u32, Zeroizing<Vec<u8>>)>);

impl PortalHome {
    /// Reads what a backup has beside the database. `settings` are those in use, where they are in no file of the directory.
    ///
    /// # Errors
    /// Something is missing or damaged.
    pub fn files_for_backup(&self, settings: Option<Vec<u8>>) -> Result<PortalFiles, PortalHomeError> {
        // What is damaged would make a backup that is no use.
        self.pepper()?;
        self.roots()?;
        self.key()?.ok_or_else(|| PortalHomeError::missing(&self.key_path(), &self.data))?;
        let mut files = Vec::new();
        for (name, mode) in FILES {
            let directory = if SECRETS.contains(&name) { &self.secrets } else { &self.data };
            let path = directory.join(name);
            match regular::read(&path).map(Zeroizing::new) {
                Ok(bytes) => files.push((name, mode, bytes)),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(PortalHomeError::unreadable(&path, error)),
            }
        }
        if let Some(settings) = settings {
            files.retain(|(name, ..)| *name != FILE_NAME);
            files.push((FILE_NAME, PRIVATE, Zeroizing::new(settings)));
        }
        Ok(PortalFiles(files))
    }

    /// A copy of the database as it is at this moment, in a file without a name. While it is made, it has one in `place`. None where the
    /// database is on a server.
    ///
    /// # Errors
    /// It cannot be read, or there is no room.
    pub async fn database_for_backup(
        &self,
        config: &PortalConfig,
        place: &Path,
    ) -> Result<Option<File>, PortalHomeError> {
        if !config.database.is_empty() {
            return Ok(None);
        }
        self.check_database()?;
        let draft = place.join(format!(".{DATABASE}.backup-{}", std::process::id()));
        let copied = Db::copy_sqlite(&self.database_path(), &draft).await;
        let opened = File::open(&draft);
        let _ = fs::remove_file(&draft);
        copied?;
        opened.map(Some).map_err(|source| PortalHomeError::unreadable(&draft, source))
    }

    /// Makes a portal from a backup, in a directory that is empty or does not exist.
    ///
    /// 1. read the whole backup
    /// 2. note in the directory that it is not finished
    /// 3. put back the files, all but the issuing key
    /// 4. put back the database, under another name until it is whole
    /// 5. put back the key
    /// 6. take away the note
    ///
    /// What this order buys: an interrupted restore has no key or still has the note, so no portal serves it, and the same command
    /// begins again.
    ///
    /// # Errors
    /// The directory is not empty, the backup is not whole, or the disk refuses.
    pub fn restore(&self, mut backup: OpenedBackup) -> Result<(), PortalHomeError> {
        if socket::is_served(&self.socket_path()) {
            return Err(not_empty(&self.data));
        }
        file::sweep_private(&self.data);
        let note = self.data.join(UNFINISHED);
        if !exists(&note) && holds_anything(&self.data)? {
            return Err(not_empty(&self.data));
        }
        // 1
        backup.check()?;
        // 2
        file::make_private_dir(&self.data)
            .map_err(|source| PortalHomeError::unwritable(&self.data, source))?;
        clear(&self.data)?;
        replace(&note, b"", PRIVATE)?;
        // 3, 4, 5
        backup.files.sort_by_key(|file| match file.name {
            KEY => 2,
            DATABASE => 1,
            _ => 0,
        });
        for file in &mut backup.files {
            put(&self.data.join(file.name), file.mode, &mut file.file)?;
        }
        // 6
        fs::remove_file(&note).map_err(|source| PortalHomeError::unwritable(&note, source))?;
        file::sync_dir(&self.data).map_err(|source| PortalHomeError::unwritable(&self.data, source))
    }

    /// Fails if a restore into this directory was interrupted.
    pub(super) fn check_finished(&self) -> Result<(), PortalHomeError> {
        if !exists(&self.data.join(UNFINISHED)) {
            return Ok(());
        }
        let data = self.data.display();
        let text = format!("the restore into {data} was not finished");
        let remedy = format!("run it again: `kms-portal restore BACKUP --data {data}`");
        Err(PortalHomeError::new(Trouble::Missing, FixableError::new(text, remedy)))
    }
}

/// A backup that is being made.
pub struct NewBackup {
    folder: PathBuf,
    list: String,
}

impl NewBackup {
    /// Begins one in a folder that is empty, does not exist, or has one that was cut short.
    ///
    /// # Errors
    /// There is something else in the folder, or the disk refuses.
    pub fn begin(folder: &Path) -> Result<NewBackup, PortalHomeError> {
        let list = folder.join(LIST);
        let is_cut_short = regular::read(&list).is_ok_and(|text| text == NOT_FINISHED);
        if !is_cut_short && holds_anything(folder)? {
            return Err(not_empty(folder));
        }
        file::make_private_dir(folder).map_err(|source| PortalHomeError::unwritable(folder, source))?;
        clear(folder)?;
        replace(&list, NOT_FINISHED, PRIVATE)?;
        Ok(NewBackup { folder: folder.to_owned(), list: String::new() })
    }

    /// Adds the small files.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn add_files(&mut self, files: &PortalFiles) -> Result<(), PortalHomeError> {
        for (name, mode, bytes) in &files.0 {
            create(&self.folder.join(name), bytes, *mode)?;
            self.note(name, &Sha256::digest(bytes));
        }
        Ok(())
    }

    /// Adds the database.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn add_database(&mut self, mut database: File) -> Result<(), PortalHomeError> {
        let path = self.folder.join(DATABASE);
        let digest = digest_of(&mut database).map_err(|source| PortalHomeError::unreadable(&path, source))?;
        put(&path, PRIVATE, &mut database)?;
        self.note(DATABASE, &digest);
        Ok(())
    }

    /// Writes the list, and with that the backup is one.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn finish(self) -> Result<(), PortalHomeError> {
        replace(&self.folder.join(LIST), self.list.as_bytes(), PRIVATE)
    }

    fn note(&mut self, name: &str, digest: &[u8]) {
        self.list.extend([&HEXLOWER.encode(digest), "  ", name, "\n"]);
    }
}

/// The files of a backup, opened with the rights of the caller.
pub struct OpenedBackup {
    folder: PathBuf,
    files: Vec<BackedUp>,
}

struct BackedUp {
    name: &'static str,
    mode: u32,
    file: File,
    digest: Vec<u8>,
}

impl OpenedBackup {
    /// Opens the files that a backup lists.
    ///
    /// # Errors
    /// The folder has no backup, or one that is not finished; or a file cannot be opened.
    pub fn open(folder: &Path) -> Result<OpenedBackup, PortalHomeError> {
        let path = folder.join(LIST);
        let list = match regular::read(&path) {
            Ok(list) if list == NOT_FINISHED => {
                return Err(no_backup(folder, "it was cut short while it was made"));
            }
            Ok(list) => list,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(no_backup(folder, "it has no list of its files"));
            }
            Err(error) => return Err(PortalHomeError::unreadable(&path, error)),
        };
        let list = String::from_utf8_lossy(&list);
        let mut files = Vec::new();
        for line in list.lines().filter(|line| !line.is_empty()) {
            let known = FILES.into_iter().chain([(DATABASE, PRIVATE)]);
            let listed = line.split_once("  ").and_then(|(digest, name)| {
                let (name, mode) = known.into_iter().find(|known| known.0 == name)?;
                Some((name, mode, HEXLOWER.decode(digest.as_bytes()).ok()?))
            });
            let (name, mode, digest) = listed
                .ok_or_else(|| no_backup(folder, "its list names files that this release does not know"))?;
            let path = folder.join(name);
            let file = regular::open(&path, OpenOptions::new().read(true));
            let file = file.map_err(|source| PortalHomeError::unreadable(&path, source))?;
            files.push(BackedUp { name, mode, file, digest });
        }
        let is_listed = |name: &str| files.iter().any(|file| file.name == name);
        if FILES.iter().take(3).any(|(name, _)| !is_listed(name)) {
            return Err(no_backup(folder, "its list is not whole"));
        }
        Ok(OpenedBackup { folder: folder.to_owned(), files })
    }

    /// Whether the database is in it.
    pub fn has_database(&self) -> bool {
        self.files.iter().any(|file| file.name == DATABASE)
    }

    fn check(&mut self) -> Result<(), PortalHomeError> {
        for one in &mut self.files {
            let path = self.folder.join(one.name);
            let digest = digest_of(&mut one.file);
            if digest.map_err(|source| PortalHomeError::unreadable(&path, source))? != one.digest {
                let text = format!("{} is not what was backed up", path.display());
                let error = FixableError::new(text, "restore another backup; nothing was changed");
                return Err(PortalHomeError::new(Trouble::Data, error));
            }
        }
        Ok(())
    }
}

/// The digest of a file, which is at its beginning again afterwards.
fn digest_of(file: &mut File) -> std::io::Result<Vec<u8>> {
    let (mut digest, mut piece) = (Sha256::new(), Zeroizing::new(vec![0; PIECE_BYTES]));
    file.rewind()?;
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            break;
        }
        digest.update(&piece[..read]);
    }
    file.rewind()?;
    Ok(digest.finalize().to_vec())
}

/// Writes a file under another name, and gives it its own once it is whole.
fn put(path: &Path, mode: u32, from: &mut impl Read) -> Result<(), PortalHomeError> {
    let unwritable = |source: std::io::Error| PortalHomeError::unwritable(path, source);
    let mut draft = file::Draft::begin(path, mode).map_err(|source| unwritable(source.into()))?;
    let mut piece = Zeroizing::new(vec![0; PIECE_BYTES]);
    loop {
        let read = from.read(&mut piece).map_err(unwritable)?;
        if read == 0 {
            break;
        }
        draft.write(&piece[..read]).map_err(|source| unwritable(source.into()))?;
    }
    draft.create_new().map_err(|source| unwritable(source.into()))
}

fn holds_anything(folder: &Path) -> Result<bool, PortalHomeError> {
    match fs::read_dir(folder) {
        Ok(entries) => Ok(entries.flatten().any(|entry| entry.file_name() != OF_THE_FILE_SYSTEM)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(PortalHomeError::unreadable(folder, error)),
    }
}

/// Removes what an interrupted command has left beside its note. Whatever is no file of a portal stays.
fn clear(folder: &Path) -> Result<(), PortalHomeError> {
    file::sweep_private(folder);
    for (name, _) in FILES.into_iter().chain([(DATABASE, PRIVATE)]) {
        let path = folder.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(PortalHomeError::unwritable(&path, error));
            }
            _ => {}
        }
    }
    Ok(())
}

fn no_backup(folder: &Path, why: &str) -> PortalHomeError {
    let text = format!("{} is no whole backup of a portal: {why}", folder.display());
    let remedy = "name a folder that `kms-portal backup` has made and that is as it left it; a portal's own directory is no backup, and \
                  `kms-portal backup FOLDER --data DIRECTORY` makes one of it";
    PortalHomeError::new(Trouble::Data, FixableError::new(text, remedy))
}

fn not_empty(path: &Path) -> PortalHomeError {
    let text = format!("there is something in {} already, and nothing was changed", path.display());
    PortalHomeError::new(
        Trouble::Exists,
        FixableError::new(text, "name a folder that is empty or does not exist"),
    )
}
