//! Backup and restore of a host: which of its files a backup has, how a ledger is imported, and how a host is restored.
//!
//! Nothing is written before the whole file was read and verified. Until the result is complete, it has another name, or a note beside
//! it, so that a crash leaves nothing that looks like a host. The format of the file is in `export`.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use ledger::{Engine, Kept, OpenError, OutOfOrder};
use server::admin::socket;
use store::{file, regular};

use super::{Home, HomeError, make_private_dir};
use crate::export::{
    CheckedLine, ExportError, ExportFile, ExportKind, ExportReader, FilePart, PART_BYTES, Summary,
};

/// The note in a directory while a host is restored into it.
const UNFINISHED: &str = "restore-unfinished";

/// The name of a ledger while it is made from an export.
const LEDGER_DRAFT: &str = "ledger.new";

/// The prefix of the names of ledgers, including old ones that somebody has moved away.
const LEDGERS: &str = "ledger";

/// With this much, an import makes a ledger of a million machines in a minute.
const IMPORT_CACHE_BYTES: u64 = 64 << 20;

/// A file of a host in a backup. It is opened when it is found, with the rights of the caller.
#[derive(Debug)]
pub struct Carried {
    /// Its path in the data directory, with `/` between folder and file.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    file: File,
}

impl Home {
    /// The engine of the ledger, whatever the configuration says, or none without a ledger.
    ///
    /// # Errors
    /// The operating system refused to look.
    pub fn engine(&self) -> Result<Option<Engine>, HomeError> {
        let path = self.ledger_path();
        Engine::of(&path).map_err(|source| HomeError::Unreadable(path, source))
    }

    /// Every file of this host, in the order of their names: all regular files but the ledger and hidden files. Exports and backups
    /// in this directory are left out, too.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn files(&self) -> Result<Vec<Carried>, HomeError> {
        let mut files = Vec::new();
        collect(&self.0, "", &mut files)?;
        files.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(files)
    }

    /// Makes a ledger from an export, or from the one in a backup, on this engine. `progress` gets the number of lines read.
    ///
    /// 1. read the whole file
    /// 2. make the ledger under another name
    /// 3. rename it
    ///
    /// What this order buys: a file that is not whole changes nothing, and a kill leaves no ledger at all.
    ///
    /// # Errors
    /// There is a ledger already, a host serves the directory, the file is not whole, or the disk fails.
    pub fn import(
        &self,
        file: &ExportFile,
        engine: Engine,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Summary, HomeError> {
        self.check_finished()?;
        self.check_not_served()?;
        if holds_anything(&self.ledger_path())? {
            return Err(HomeError::LedgerThere(self.clone()));
        }
        // 1
        let summary = file.check(progress)?;
        make_private_dir(&self.0)?;
        // 2
        let (_, mut reader) = file.read()?;
        let first = loop {
            match reader.read()? {
                Some(CheckedLine::File(_)) => {}
                other => break other,
            }
        };
        self.fill_ledger(engine, &summary, first, &mut reader, progress)?;
        Ok(summary)
    }

    /// Restores a host from its backup into a directory that is empty or missing. `engine` is called once the files are back, and
    /// chooses the engine of the ledger.
    ///
    /// 1. read the whole file
    /// 2. note in the directory that it is not finished
    /// 3. put back the files, all but the signing key
    /// 4. make the ledger, as [`import`](Home::import) does
    /// 5. put back the key
    /// 6. take away the note
    ///
    /// What this order buys: an interrupted restore has no key or still has the note, so no host serves it, and the same command
    /// begins again.
    ///
    /// # Errors
    /// The directory is not empty, the file is not a whole backup, or the disk fails.
    pub fn restore<E: From<HomeError>>(
        &self,
        file: &ExportFile,
        engine: impl FnOnce() -> Result<Engine, E>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Summary, E> {
        self.check_not_served()?;
        file::sweep_private(&self.0);
        self.check_empty()?;
        // 1
        let summary = file.check(progress).map_err(HomeError::from)?;
        if summary.head.kind != ExportKind::Backup {
            return Err(HomeError::NoBackup { path: file.path().to_owned(), data: self.0.clone() }.into());
        }
        // 2
        make_private_dir(&self.0)?;
        clear(&self.0)?;
        file::replace(&self.0.join(UNFINISHED), b"", 0o600).map_err(HomeError::from)?;
        // 3
        let (_, mut reader) = file.read().map_err(HomeError::from)?;
        let mut putting = PuttingBack { home: self, current: None, key: None };
        let first = loop {
            match reader.read().map_err(HomeError::from)? {
                Some(CheckedLine::File(part)) => putting.take(part)?,
                other => break other,
            }
        };
        let key = putting.finish()?;
        // 4
        self.fill_ledger(engine()?, &summary, first, &mut reader, progress)?;
        // 5
        if let Some((mode, key)) = key {
            file::create_new(&self.key_path(), &key, mode).map_err(HomeError::from)?;
        }
        // 6
        fs::remove_file(self.0.join(UNFINISHED))
            .map_err(|source| HomeError::Unwritable(self.0.join(UNFINISHED), source))?;
        file::sync_dir(&self.0).map_err(HomeError::from)?;
        Ok(summary)
    }

    /// Makes a ledger from `first` and the rows that follow.
    fn fill_ledger(
        &self,
        engine: Engine,
        summary: &Summary,
        first: Option<CheckedLine>,
        reader: &mut ExportReader,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), HomeError> {
        let draft = self.0.join(LEDGER_DRAFT);
        remove_dir(&draft)?;
        let (mut first, mut read) = (first, 0);
        let rows = || loop {
            read += 1;
            progress(read);
            match first
                .take()
                .map_or_else(|| reader.read(), |first| Ok(Some(first)))
                .map_err(HomeError::from)?
            {
                Some(CheckedLine::Row(kept)) => return Ok::<Option<Kept>, Unfilled>(Some(kept)),
                Some(CheckedLine::Head(_) | CheckedLine::File(_) | CheckedLine::End(_)) => {}
                None => return Ok(None),
            }
        };
        let filled = ledger::rebuild(&draft, engine, IMPORT_CACHE_BYTES, &summary.head.meta, rows);
        if let Err(error) = filled {
            // What is left of it does no harm, and the next import removes it.
            let _ = remove_dir(&draft);
            return Err(match error {
                Unfilled::Disordered => reader.damaged_here().into(),
                Unfilled::Home(error) => error,
            });
        }
        let path = self.ledger_path();
        fs::rename(&draft, &path).map_err(|source| HomeError::Unwritable(path, source))?;
        Ok(file::sync_dir(&self.0)?)
    }

    /// Fails if a restore into this directory was interrupted.
    pub(super) fn check_finished(&self) -> Result<(), HomeError> {
        if self.0.join(UNFINISHED).exists() { Err(HomeError::Unfinished(self.0.clone())) } else { Ok(()) }
    }

    /// Fails if a host serves this directory. It holds its ledger even if somebody has moved that away.
    pub(super) fn check_not_served(&self) -> Result<(), HomeError> {
        if socket::is_served(&self.socket_path()) { Err(HomeError::Served(self.0.clone())) } else { Ok(()) }
    }

    fn check_empty(&self) -> Result<(), HomeError> {
        if self.0.join(UNFINISHED).exists() || !holds_anything(&self.0)? {
            return Ok(());
        }
        Err(HomeError::NotEmpty(self.0.clone()))
    }
}

impl Carried {
    /// Opens the file at `path` for a backup, under this name.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn open(name: String, path: PathBuf) -> Result<Carried, HomeError> {
        match regular::open(&path, File::options().read(true)) {
            Ok(file) => Ok(Carried { name, path, file }),
            Err(source) => Err(HomeError::Unreadable(path, source)),
        }
    }

    /// Reads its parts in order, once. If a file grows meanwhile, as a log does, only its length at the start is read.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(&self, mut part: impl FnMut(FilePart)) -> Result<(), HomeError> {
        let unreadable = |source| HomeError::Unreadable(self.path.clone(), source);
        let metadata = self.file.metadata().map_err(unreadable)?;
        let (mode, mut left) = (metadata.permissions().mode() & 0o777, (&self.file).take(metadata.len()));
        for number in 0.. {
            let mut bytes = Vec::new();
            left.by_ref().take(PART_BYTES as u64).read_to_end(&mut bytes).map_err(unreadable)?;
            // An empty file is one part without anything in it.
            if bytes.is_empty() && 0 < number {
                break;
            }
            part(FilePart { name: self.name.clone(), mode, part: number, bytes });
        }
        Ok(())
    }
}

/// Writes the files of a backup during a restore.
struct PuttingBack<'a> {
    home: &'a Home,
    current: Option<(PathBuf, File)>,
    /// The signing key, which is written last, and its mode.
    key: Option<(u32, Vec<u8>)>,
}

impl PuttingBack<'_> {
    fn take(&mut self, part: FilePart) -> Result<(), HomeError> {
        let path = self.home.0.join(&part.name);
        let (folder, name) = part.name.rsplit_once('/').unwrap_or(("", &part.name));
        // The checker has made sure that the path stays inside. Here we check that it is no ledger and no socket.
        if !is_carried(part.name.split('/').next().unwrap_or_default(), "") || !is_carried(name, folder) {
            return Err(HomeError::Unwritable(path, ErrorKind::InvalidFilename.into()));
        }
        if path == self.home.key_path() {
            self.key.get_or_insert((part.mode, Vec::new())).1.extend_from_slice(&part.bytes);
            return Ok(());
        }
        if part.part == 0 {
            self.close()?;
            self.current = Some((path.clone(), create(&path, part.mode)?));
        }
        let unwritable = |source| HomeError::Unwritable(path.clone(), source);
        match &mut self.current {
            Some((current, file)) if *current == path => file.write_all(&part.bytes).map_err(unwritable),
            _ => Err(unwritable(ErrorKind::InvalidData.into())),
        }
    }

    fn close(&mut self) -> Result<(), HomeError> {
        let Some((path, file)) = self.current.take() else { return Ok(()) };
        let closed = file.sync_all();
        closed.map_err(|source| HomeError::Unwritable(path.clone(), source))?;
        Ok(file::sync_dir(path.parent().unwrap_or(&path))?)
    }

    fn finish(mut self) -> Result<Option<(u32, Vec<u8>)>, HomeError> {
        self.close()?;
        Ok(self.key)
    }
}

enum Unfilled {
    /// Every line is correct, but they are in the wrong order: somebody has edited the file.
    Disordered,
    Home(HomeError),
}

impl From<OutOfOrder> for Unfilled {
    fn from(OutOfOrder: OutOfOrder) -> Unfilled {
        Unfilled::Disordered
    }
}

impl From<OpenError> for Unfilled {
    fn from(error: OpenError) -> Unfilled {
        Unfilled::Home(HomeError::Ledger(error))
    }
}

impl From<HomeError> for Unfilled {
    fn from(error: HomeError) -> Unfilled {
        Unfilled::Home(error)
    }
}

/// The files of a folder and of those below it.
fn collect(folder: &Path, prefix: &str, files: &mut Vec<Carried>) -> Result<(), HomeError> {
    let unreadable = |source| HomeError::Unreadable(folder.to_owned(), source);
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if !is_carried(&name, prefix) {
            continue;
        }
        let (name, path) = (format!("{prefix}{name}"), entry.path());
        // A file may be a link, for example to where another program renews it. A linked folder may lead anywhere.
        let is_folder = entry.file_type().map_err(unreadable)?.is_dir();
        if is_folder {
            collect(&path, &format!("{name}/"), files)?;
        } else if path.is_file() && !is_export(&path)? {
            files.push(Carried::open(name, path)?);
        }
    }
    Ok(())
}

/// Whether a file of this name belongs to the host: not a ledger, a draft, or something that only exists now.
fn is_carried(name: &str, prefix: &str) -> bool {
    let first = prefix.is_empty();
    !name.starts_with('.')
        && !(first && (name.starts_with(LEDGERS) || name == UNFINISHED || name == OF_THE_FILE_SYSTEM))
}

/// Whether a file is an export or a backup. If a backup contained the one before, its size would double each time.
fn is_export(path: &Path) -> Result<bool, HomeError> {
    match ExportFile::open(path).and_then(|file| file.read()) {
        Ok(_) => Ok(true),
        Err(ExportError::Faulty { .. }) => Ok(false),
        Err(error @ (ExportError::Unreadable(..) | ExportError::NotSpooled(..))) => Err(error.into()),
    }
}

fn create(path: &Path, mode: u32) -> Result<File, HomeError> {
    let unwritable = |source| HomeError::Unwritable(path.to_owned(), source);
    if let Some(folder) = path.parent() {
        file::make_private_dir(folder).map_err(unwritable)?;
    }
    OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(unwritable)
}

/// A folder that a new file system has of its own.
const OF_THE_FILE_SYSTEM: &str = "lost+found";

fn holds_anything(directory: &Path) -> Result<bool, HomeError> {
    match fs::read_dir(directory) {
        Ok(entries) => Ok(entries.flatten().any(|entry| entry.file_name() != OF_THE_FILE_SYSTEM)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(source) => Err(HomeError::Unreadable(directory.to_owned(), source)),
    }
}

/// Removes what an earlier restore has left. There is nothing else, because `check_empty` has passed.
fn clear(directory: &Path) -> Result<(), HomeError> {
    let unwritable = |source| HomeError::Unwritable(directory.to_owned(), source);
    for entry in fs::read_dir(directory).map_err(unwritable)? {
        let entry = entry.map_err(unwritable)?;
        if entry.file_name() == UNFINISHED || entry.file_name() == OF_THE_FILE_SYSTEM {
            continue;
        }
        let is_dir = entry.file_type().map_err(unwritable)?.is_dir();
        let removed = if is_dir { fs::remove_dir_all(entry.path()) } else { fs::remove_file(entry.path()) };
        removed.map_err(unwritable)?;
    }
    Ok(())
}

fn remove_dir(directory: &Path) -> Result<(), HomeError> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(HomeError::Unwritable(directory.to_owned(), error))
        }
        _ => Ok(()),
    }
}
