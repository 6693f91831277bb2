//! The file in which the asks of machines travel to the vendor's portal, and its confirmations back.
//!
//! It has a PEM block for each machine: the signed ask, and later the confirmation in its place. Hundreds of machines may depend on it, so
//! nothing in it is lost. A command that changes it holds its lock and replaces it as a whole, keeps a damaged block as it is, and does not
//! touch a file of another kind.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use shared::armour::{self, ArmourError};
use shared::files::{CONFIRMATION, MACHINE_ACTIVATION, from_pem, to_pem};
use zeroize::Zeroizing;

/// Tens of thousands of machines.
const FILE_MAX_BYTES: u64 = 64 << 20;

/// How often to try again, and how long to wait between, while another command holds the file: ten seconds in all.
const LOCK_TRIES: u32 = 500;
const LOCK_RETRY: Duration = Duration::from_millis(20);

const BEGIN: &str = "-----BEGIN";

/// The body of a block. A product key may be in it.
pub type Body = Zeroizing<Vec<u8>>;

/// What the file has of one machine.
enum Piece {
    Ask(Body),
    Confirmation(Body),
    /// Its text, and what is wrong with it.
    Damaged(Zeroizing<String>, ArmourError),
}

/// The file, as it was read.
pub struct CarriedFile {
    /// The path, with links followed.
    path: PathBuf,
    pieces: Vec<Piece>,
    /// Holds the lock, if the file was opened for a change.
    _lock: Option<File>,
}

/// Why the file is left as it is.
#[derive(Debug, thiserror::Error)]
pub enum NotCarried {
    /// It cannot be read or written.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// It is another file.
    #[error("{} has no asks of machines in it, and is left as it is; name the file from `kms-client proxy collect`, or a new one", .0.display())]
    Other(PathBuf),
    /// Another command holds it.
    #[error("another command is using {}; try again once it has ended", .0.display())]
    Busy(PathBuf),
}

impl CarriedFile {
    /// Opens a file to change it, and creates it if it does not exist.
    ///
    /// # Errors
    /// It is of another kind, in use, or cannot be opened.
    pub fn collect(path: &Path) -> Result<CarriedFile, NotCarried> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        // Its owner alone may read it, because product keys are in it.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        CarriedFile::locked(path, &options, true)
    }

    /// Opens a file to change it.
    ///
    /// # Errors
    /// As [`CarriedFile::collect`], or it does not exist.
    pub fn change(path: &Path) -> Result<CarriedFile, NotCarried> {
        CarriedFile::locked(path, OpenOptions::new().read(true).write(true), false)
    }

    /// Opens a file to look at it, which may be on a medium that cannot be written.
    ///
    /// # Errors
    /// It is of another kind, or cannot be opened.
    pub fn look(path: &Path) -> Result<CarriedFile, NotCarried> {
        let opened = check_regular(path).and_then(|()| File::open(path)).and_then(|mut file| read(&mut file));
        let text = opened.map_err(|error| NotCarried::Io { path: path.to_owned(), error })?;
        CarriedFile::of(path.to_owned(), &text, None, false)
    }

    fn locked(path: &Path, options: &OpenOptions, may_be_empty: bool) -> Result<CarriedFile, NotCarried> {
        let failed = |error| NotCarried::Io { path: path.to_owned(), error };
        for _ in 0..LOCK_TRIES {
            check_regular(path).map_err(failed)?;
            let mut file = options.open(path).map_err(failed)?;
            match file.try_lock() {
                // Whoever had it may have put another file in its place.
                Ok(()) if is_at(&file, path) => {
                    let text = read(&mut file).map_err(failed)?;
                    let path = fs::canonicalize(path).map_err(failed)?;
                    return CarriedFile::of(path, &text, Some(file), may_be_empty);
                }
                Err(TryLockError::Error(error)) => return Err(failed(error)),
                Ok(()) | Err(TryLockError::WouldBlock) => thread::sleep(LOCK_RETRY),
            }
        }
        Err(NotCarried::Busy(path.to_owned()))
    }

    fn of(
        path: PathBuf,
        text: &[u8],
        lock: Option<File>,
        may_be_empty: bool,
    ) -> Result<CarriedFile, NotCarried> {
        let text = Zeroizing::new(armour::text(text));
        let pieces: Vec<_> = text.split(BEGIN).skip(1).filter_map(piece).collect();
        let is_empty = text.trim_matches(['\u{feff}', ' ', '\n', '\r']).is_empty();
        if pieces.is_empty() && !(is_empty && may_be_empty) {
            return Err(NotCarried::Other(path));
        }
        Ok(CarriedFile { path, pieces, _lock: lock })
    }

    /// The asks that have no confirmation yet.
    pub fn asks(&self) -> impl Iterator<Item = &Body> {
        self.numbered_asks().map(|(_, ask)| ask)
    }

    /// The asks that have no confirmation yet, each with the number of its block, from 1.
    pub fn numbered_asks(&self) -> impl Iterator<Item = (usize, &Body)> {
        self.pieces.iter().zip(1..).filter_map(|(piece, number)| match piece {
            Piece::Ask(ask) => Some((number, ask)),
            _ => None,
        })
    }

    /// The confirmations.
    pub fn confirmations(&self) -> impl Iterator<Item = &Body> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Confirmation(confirmation) => Some(confirmation),
            _ => None,
        })
    }

    /// Which blocks cannot be read, counted from 1, and what is wrong with each.
    pub fn damaged(&self) -> impl Iterator<Item = (usize, &ArmourError)> {
        self.pieces.iter().zip(1..).filter_map(|(piece, number)| match piece {
            Piece::Damaged(_, error) => Some((number, error)),
            _ => None,
        })
    }

    /// Adds an ask, unless it is there.
    pub fn add(&mut self, ask: Body) {
        if !self.asks().any(|there| *there == ask) {
            self.pieces.push(Piece::Ask(ask));
        }
    }

    /// Puts a confirmation in the place of this ask.
    pub fn confirm(&mut self, ask: &Body, confirmation: Vec<u8>) {
        let is_it = |piece: &&mut Piece| matches!(piece, Piece::Ask(there) if there == ask);
        if let Some(piece) = self.pieces.iter_mut().find(is_it) {
            *piece = Piece::Confirmation(Zeroizing::new(confirmation));
        }
    }

    /// Replaces the file. It is durable when this returns.
    ///
    /// # Errors
    /// It cannot be written. The file is as it was.
    pub fn save(&self) -> Result<(), NotCarried> {
        let mut text = Zeroizing::new(String::new());
        for piece in &self.pieces {
            match piece {
                Piece::Ask(ask) => text.push_str(&Zeroizing::new(to_pem(MACHINE_ACTIVATION, ask))),
                Piece::Confirmation(confirmation) => text.push_str(&to_pem(CONFIRMATION, confirmation)),
                Piece::Damaged(as_it_is, _) => text.push_str(as_it_is),
            }
        }
        self.replace(text.as_bytes()).map_err(|error| NotCarried::Io { path: self.path.clone(), error })
    }

    fn replace(&self, text: &[u8]) -> io::Result<()> {
        let mut draft = self.path.clone().into_os_string();
        draft.push(".new");
        // A crash may have left one. Nobody else makes one: the lock is ours.
        match fs::remove_file(&draft) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&draft)?;
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(&draft, &self.path)?;
        #[cfg(unix)]
        File::open(self.path.parent().unwrap_or(Path::new("/")))?.sync_all()?;
        Ok(())
    }
}

/// What begins here, if it is ours.
fn piece(behind_begin: &str) -> Option<Piece> {
    let text = Zeroizing::new(format!("{BEGIN}{behind_begin}"));
    let read = |label| {
        let whole = armour::find_one(text.as_bytes(), label)?;
        from_pem(label, whole.as_bytes()).map_err(|_| ArmourError::Damaged)
    };
    match (read(MACHINE_ACTIVATION), read(CONFIRMATION)) {
        (Ok(ask), _) => Some(Piece::Ask(ask)),
        (_, Ok(confirmation)) => Some(Piece::Confirmation(confirmation)),
        (
            Err(ArmourError::Missing | ArmourError::Other(_)),
            Err(ArmourError::Missing | ArmourError::Other(_)),
        ) => None,
        (Err(ArmourError::Missing | ArmourError::Other(_)), Err(error)) | (Err(error), _) => {
            let end = if text.ends_with('\n') { "" } else { "\n" };
            Some(Piece::Damaged(Zeroizing::new(format!("{}{end}", *text)), error))
        }
    }
}

fn read(file: &mut File) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(FILE_MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if FILE_MAX_BYTES < bytes.len() as u64 {
        return Err(io::Error::new(
            ErrorKind::FileTooLarge,
            "it is larger than 64 MiB; collect the other asks in another file",
        ));
    }
    Ok(bytes)
}

/// Opening a pipe would wait for its other end, and a device may never end.
fn check_regular(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(found) if !found.is_file() => Err(io::Error::other("it is not a regular file")),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let id = |found: fs::Metadata| (found.dev(), found.ino());
    file.metadata().map(id).ok() == fs::metadata(path).map(id).ok()
}

#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(number: u8) -> Body {
        Zeroizing::new(vec![number; 200])
    }

    fn collected(path: &Path, numbers: std::ops::Range<u8>) {
        for number in numbers {
            let mut file = CarriedFile::collect(path).unwrap();
            file.add(body(number));
            file.save().unwrap();
        }
    }

    #[test]
    fn what_many_collect_at_once_is_all_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("asks");
        thread::scope(|scope| {
            for from in 0..8 {
                let path = &path;
                scope.spawn(move || collected(path, from * 5..from * 5 + 5));
            }
        });
        let file = CarriedFile::look(&path).unwrap();
        let mut asks: Vec<_> = file.asks().map(|ask| ask[0]).collect();
        asks.sort_unstable();
        assert!(asks.into_iter().eq(0..40));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn a_damaged_block_is_told_and_kept_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("asks");
        collected(&path, 0..3);
        let text = fs::read_to_string(&path).unwrap();
        let second = text.match_indices(BEGIN).nth(1).unwrap().0 + 60;
        for (damaged, wanted) in [
            (format!("{}{}", &text[..second], &text[second + 10..]), 1),
            (format!("{}{}", &text[..second], &text[text.rfind(BEGIN).unwrap()..]), 1),
            (text[..text.len() - 40].to_owned(), 1),
        ] {
            fs::write(&path, &damaged).unwrap();
            let mut file = CarriedFile::change(&path).unwrap();
            assert_eq!((file.asks().count(), file.damaged().count()), (2, wanted), "{damaged}");
            let asks: Vec<_> = file.asks().cloned().collect();
            for ask in &asks {
                file.confirm(ask, b"confirmed".to_vec());
            }
            file.save().unwrap();
            let kept = fs::read_to_string(&path).unwrap();
            let begin = damaged.match_indices(BEGIN).map(|(at, _)| &damaged[at..]);
            let of_the_damaged = begin.map(|from| from[BEGIN.len()..].split(BEGIN).next().unwrap());
            assert!(of_the_damaged.into_iter().any(|piece| kept.contains(piece.trim_end())), "{kept}");
            let file = CarriedFile::look(&path).unwrap();
            assert_eq!(
                (file.asks().count(), file.confirmations().count(), file.damaged().count()),
                (0, 2, 1)
            );
        }
    }

    #[test]
    fn another_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("diary");
        for other in [
            &b"Dear diary"[..],
            b"\0\x01\xff",
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ] {
            fs::write(&path, other).unwrap();
            for opened in [CarriedFile::collect(&path), CarriedFile::change(&path), CarriedFile::look(&path)]
            {
                assert!(matches!(opened, Err(NotCarried::Other(_))));
            }
            assert_eq!(fs::read(&path).unwrap(), other);
        }
        // An empty file was perhaps made to be filled.
        fs::write(&path, "\n").unwrap();
        collected(&path, 0..1);
        assert_eq!(CarriedFile::look(&path).unwrap().asks().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_and_what_never_ends_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let [file, link] = ["file", "link"].map(|name| folder.path().join(name));
        fs::write(&file, "").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        collected(&link, 0..2);
        assert!(link.is_symlink());
        assert_eq!(CarriedFile::look(&file).unwrap().asks().count(), 2);
        for odd in ["/dev/zero", "/"] {
            assert!(matches!(CarriedFile::collect(odd.as_ref()), Err(NotCarried::Io { .. })), "{odd}");
        }
    }
}
