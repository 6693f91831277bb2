//! Single files that must survive: keys, certificates, state. Written whole, named last.
//!
//! Records that change by the thousand belong in a [`Store`](crate::Store).

use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, PersistError};
use walkdir::WalkDir;

/// More than an engine asks for at once while it opens.
const PROBE_BYTES: usize = 1 << 20;

/// Puts `bytes` in the place of the file at `path`, which need not exist. After a crash there is the old file
/// or the new one, whole, never a mixture and never neither.
///
/// `mode` is the new file's permissions from the moment that it exists, so a 0600 file is at no instant readable
/// by others; the process's umask may take more away. Elsewhere than on Unix it is ignored.
///
/// A crash may leave a draft beside it, with the same mode; [`sweep`] removes it.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    let mut draft = Draft::begin(path, mode)?;
    draft.write(bytes)?;
    draft.replace()
}

/// As [`replace`], for a file that must not exist yet: one that does, even an empty one, is left as it is.
///
/// # Errors
///
/// [`FileError::kind`] is [`io::ErrorKind::AlreadyExists`] when there is a file. Of two processes that create
/// the same file at once, one gets that error.
pub fn create_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    let mut draft = Draft::begin(path, mode)?;
    draft.write(bytes)?;
    draft.create_new()
}

/// A file that is written piece by piece under a name of its own, as [`replace`] and [`create_new`] do it at once.
/// Dropping it removes that name, if it is still there.
#[derive(Debug)]
pub struct Draft {
    file: NamedTempFile,
    target: PathBuf,
}

impl Draft {
    /// Begins one, beside `path`, which is not touched before the end.
    pub fn begin(path: &Path, mode: u32) -> Result<Self, FileError> {
        let create = |error| FileError::new("create", path, error);
        let name = path.file_name().ok_or_else(|| create(io::ErrorKind::InvalidFilename.into()))?;
        loop {
            // Different at every call, so that two writers never share a draft.
            let different = RandomState::new().hash_one(std::process::id());
            let name = format!(".{}.{different:016x}{DRAFT_ENDING}", name.to_string_lossy());
            let mut draft = tempfile::Builder::new();
            draft.prefix(&name).rand_bytes(0);
            #[cfg(unix)]
            draft.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
            #[cfg(not(unix))]
            let _ = mode;
            let file = draft.tempfile_in(parent(path)).map_err(create)?;
            // Tells a sweep that somebody still writes it. Where there are no locks, no sweep removes anything.
            let _ = file.as_file().lock();
            // A sweep that came before the lock has taken it for a leftover.
            if file.path().symlink_metadata().is_ok() {
                return Ok(Self { file, target: path.to_owned() });
            }
        }
    }

    /// Where it is until it has its name.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Writes behind what it has.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.file.as_file_mut().write_all(bytes).map_err(|error| FileError::new("write", self.path(), error))
    }

    /// Puts it in the place of the file at its path, durably.
    pub fn replace(self) -> Result<(), FileError> {
        self.sync()?;
        Self::rename(self.file, &self.target)
    }

    /// As [`replace`](Self::replace), unless there is a file at its path, which is left as it is.
    ///
    /// # Errors
    ///
    /// As [`create_new`].
    pub fn create_new(self) -> Result<(), FileError> {
        self.sync()?;
        match self.file.persist_noclobber(&self.target) {
            Ok(_) => sync_dir(parent(&self.target)),
            // Some file systems cannot do this. There, whoever comes in between is overwritten.
            Err(PersistError { error, file })
                if error.kind() != io::ErrorKind::AlreadyExists && !self.target.exists() =>
            {
                Self::rename(file, &self.target)
            }
            Err(refused) => Err(FileError::new("create", &self.target, refused.error)),
        }
    }

    fn sync(&self) -> Result<(), FileError> {
        self.file.as_file().sync_all().map_err(|error| FileError::new("sync", self.path(), error))
    }

    fn rename(file: NamedTempFile, target: &Path) -> Result<(), FileError> {
        file.persist(target).map_err(|refused| FileError::new("replace", target, refused.error))?;
        sync_dir(parent(target))
    }
}

/// Removes the drafts in a directory that writers which were killed have left: they may hold keys. A draft that is still
/// written is left alone, and so is what cannot be removed. Returns how many it has removed.
pub fn sweep(directory: &Path) -> usize {
    sweep_named(directory, |name| is_draft(name, DRAFT_ENDING))
}

/// Like [`sweep`], and removes drafts of earlier releases as well. Their names are less telling, so this is for a directory in
/// which nobody else writes.
pub fn sweep_private(directory: &Path) -> usize {
    sweep_named(directory, |name| is_draft(name, DRAFT_ENDING) || is_draft(name, EARLIER_DRAFT_ENDING))
}

fn sweep_named(directory: &Path, is_ours: impl Fn(&str) -> bool) -> usize {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let ours = entries.filter(|entry| entry.file_name().to_str().is_some_and(&is_ours));
    let is_file = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_file());
    ours.filter(is_file).filter(|entry| remove_unless_locked(&entry.path()).is_ok()).count()
}

fn remove_unless_locked(path: &Path) -> io::Result<()> {
    // Some file servers lock only what is open for writing.
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    file.try_lock()?;
    fs::remove_file(path)
}

/// Makes the names in a directory durable: created, renamed and deleted entries. The files' bytes are not
/// included. An empty path, which is what a bare name has for its parent, is the current directory.
///
/// Nothing is done elsewhere than on Unix, where directories cannot be opened for this.
pub fn sync_dir(directory: &Path) -> Result<(), FileError> {
    #[cfg(unix)]
    File::open(if directory.as_os_str().is_empty() { Path::new(".") } else { directory })
        .and_then(|opened| opened.sync_all())
        .map_err(|error| FileError::new("sync", directory, error))?;
    #[cfg(not(unix))]
    let _ = directory;
    Ok(())
}

/// Creates a directory for its owner alone, and any above it that are missing, each durable before the next.
pub fn make_private_dir(directory: &Path) -> io::Result<()> {
    let parent = parent(directory);
    if directory.is_dir() || parent == directory {
        return Ok(());
    }
    make_private_dir(parent)?;
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(directory) {
        // Another process was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && directory.is_dir() => Ok(()),
        Err(error) => Err(error),
        Ok(()) => Ok(sync_dir(parent)?),
    }
}

/// Makes everything below a directory durable: the bytes of files, and the names.
pub(crate) fn sync_all_below(directory: &Path) -> io::Result<()> {
    for entry in WalkDir::new(directory).contents_first(true) {
        let entry = entry?;
        if entry.file_type().is_dir() {
            sync_dir(entry.path())?;
        } else {
            File::open(entry.path())?.sync_all()?;
        }
    }
    Ok(())
}

/// Has the kernel forget what it keeps of the files below a directory, so that the next read shows what the disk has.
pub(crate) fn forget_cached_below(directory: &Path) -> io::Result<()> {
    for entry in WalkDir::new(directory) {
        let entry = entry?;
        if entry.file_type().is_file() {
            forget_cached(entry.path())?;
        }
    }
    Ok(())
}

/// Has the kernel forget what it keeps of a file, so that the next read shows what the disk has. Nobody may have the file open.
///
/// After a write has failed, Linux keeps the pages that it could not write and takes them for written: every process sees
/// them, no sync writes them, and a power cut takes them away.
///
/// # Errors
/// There is no such file, or it cannot be opened.
pub fn forget_cached(path: &Path) -> io::Result<()> {
    let file = File::open(path)?;
    // Only what is written can be forgotten. Pages that this sync cannot write are forgotten, too: nobody was told of them.
    if let Err(error) = file.sync_all() {
        tracing::warn!(%error, "the disk did not take what was left to write");
    }
    #[cfg(target_os = "linux")]
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
    Ok(())
}

/// Whether the disk takes anything at all; asked with a file that has no name any more, so that nothing stays.
pub(crate) fn probe(directory: &Path) -> io::Result<()> {
    let path = directory.join(".probe");
    let mut file = File::create(&path)?;
    fs::remove_file(path)?;
    file.write_all(&vec![0; PROBE_BYTES])?;
    file.sync_all()
}

/// What was found; nothing where there is no such file.
pub(crate) fn if_there<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}

/// What a process without privileges may still write to the file system of this directory. A user's quota is not in it.
///
/// # Errors
/// The operating system cannot tell.
#[cfg(unix)]
pub fn free_bytes(directory: &Path) -> io::Result<u64> {
    let found = rustix::fs::statvfs(directory)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Whether an error says that the disk, or the user's quota, is full.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// A step of writing a file that failed. The file at the final path is as it was before.
///
/// One exception: when the step is "sync" on a directory, the new file is in its place but may be gone after
/// a power cut.
#[derive(Debug, thiserror::Error)]
#[error("could not {step} {}", .path.display())]
pub struct FileError {
    step: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl FileError {
    fn new(step: &'static str, path: &Path, source: io::Error) -> Self {
        Self { step, path: path.to_owned(), source }
    }

    /// What kind of failure it was, to tell "already exists" from "no space".
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }
}

impl From<FileError> for io::Error {
    fn from(error: FileError) -> io::Error {
        io::Error::new(error.kind(), error)
    }
}

/// The directory that holds `path`; a bare name is in the current one.
pub fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        Some(_) => Path::new("."),
        None => path,
    }
}

/// Whether a file of this name is a draft of ours: `.NAME.` and 16 hexadecimal digits before this ending.
fn is_draft(name: &str, ending: &str) -> bool {
    let stem = name.strip_suffix(ending).filter(|stem| stem.starts_with('.'));
    let digits = stem.and_then(|stem| stem.rsplit_once('.')).map(|(_, digits)| digits);
    digits.is_some_and(|digits| digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// What the names of drafts end with.
const DRAFT_ENDING: &str = ".kms-draft";

/// What they ended with before 0.2.
const EARLIER_DRAFT_ENDING: &str = ".new";
