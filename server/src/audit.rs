//! `audit.jsonl`: what administrators have changed, a line each, on the disk before the change takes effect.
//!
//! A change whose line cannot be written is refused. One that then fails gets a second line that says so. The lines and the
//! chain that binds them are in `audit/chain.rs`. [`Caller`] says who asks. Every change is made through
//! [`Audit::perform`]. No key, lease or fingerprint belongs in a line.
//!
//! The file is opened for every line, so an administrator may mend its permissions while the program runs. To archive it,
//! stop the program and move it away: the next line begins a new file.

mod chain;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shared::reason::{Cause, Reason};
use shared::time::{Clock, Timestamp};
use tokio::task::spawn_blocking;
use tonic::Status;

use self::chain::rfc3339;
use crate::admin::caller::{self, Caller};
use crate::unanswered::status;

pub use self::chain::{AuditLine, Break, Checked, Failed, LineDigest, digest, hex};

/// The longest note of a caller, in bytes: a ticket and a sentence.
pub const NOTE_BYTES: usize = 500;

/// More than any line has: notes are short, and so are parameters.
const TAIL_BYTES: u64 = 256 * 1024;

/// The audit log of one program.
#[derive(Debug)]
pub struct Audit {
    path: PathBuf,
    /// The last line; nothing while it is not known. Held while one is written or the whole log is verified, since lines have an
    /// order.
    end: Mutex<Option<Last>>,
    /// Never held during disk access, because `status` reads it.
    standing: Mutex<Standing>,
}

/// What somebody should look at.
#[derive(Debug, Default)]
struct Standing {
    /// Where the log was found broken.
    broken: Option<Break>,
    /// Why the last line was not written, or the log not read.
    unwritable: Option<String>,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    seq: u64,
    /// None in a log without lines.
    digest: Option<LineDigest>,
}

/// A change, as it is written down.
#[derive(Clone, Debug)]
pub struct AuditedChange {
    caller: Caller,
    action: &'static str,
    parameters: BTreeMap<String, String>,
    /// The reason that the caller gave, or nothing.
    pub note: String,
}

impl AuditedChange {
    /// What `caller` has asked for, in the words of the command: `machine block`. Parameters are ids and settings, never a key, a
    /// lease or a fingerprint; `note` is the caller's reason, or nothing.
    pub fn new(
        caller: Caller,
        action: &'static str,
        parameters: &[(&str, &dyn fmt::Display)],
        note: &str,
    ) -> AuditedChange {
        let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), value.to_string()));
        AuditedChange { caller, action, parameters: parameters.collect(), note: note.to_owned() }
    }
}

/// Why a change was not made, or has failed.
pub trait ChangeFailure: From<NotRecorded> {
    /// What the audit log says of a change that has failed.
    fn cause(&self) -> String;
}

/// For a change whose failures need no type of their own.
impl ChangeFailure for anyhow::Error {
    fn cause(&self) -> String {
        self.to_string()
    }
}

impl ChangeFailure for Status {
    fn cause(&self) -> String {
        self.message().to_owned()
    }
}

/// A line could not be written, so the change is not made.
#[derive(Debug, thiserror::Error)]
#[error("the audit log {} cannot be written: nothing is changed", path.display())]
pub struct NotRecorded {
    path: PathBuf,
    source: io::Error,
}

impl Audit {
    /// The log at this path, which need not exist yet. It is read once, to go on from its end and to see whether it is whole.
    ///
    /// A log that cannot be read keeps no host from starting: it refuses changes, and machines are served.
    pub fn open(path: impl Into<PathBuf>) -> Audit {
        let audit = Audit { path: path.into(), end: Mutex::default(), standing: Mutex::default() };
        match audit.verify() {
            Ok(Checked { broken: Some(Break { line, cause }), .. }) => {
                tracing::error!(path = %audit.path.display(), line, cause, "the audit log was tampered with");
            }
            Ok(_) => {}
            Err(error) => {
                let path = audit.path.display();
                tracing::error!(%path, %error, "the audit log cannot be read: no change is taken until it can");
                audit.standing().unwritable = Some(error.to_string());
            }
        }
        audit
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a change down, makes it, and writes down where it has failed. The disk may take its time.
    ///
    /// # Errors
    /// It could not be written down and was not made, or it has failed.
    pub async fn perform<T, E: ChangeFailure>(
        self: &Arc<Audit>,
        clock: &dyn Clock,
        change: AuditedChange,
        make: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let (audit, written, at) = (Arc::clone(self), change.clone(), clock.now());
        let recorded = spawn_blocking(move || audit.record(at, &written, None)).await;
        let seq = recorded.unwrap_or_else(|stopped| Err(self.not_recorded(io::Error::other(stopped))))?;
        let made = make.await;
        if let Err(error) = &made {
            let (audit, at, cause) = (Arc::clone(self), clock.now(), error.cause());
            let failed = move || {
                if let Err(error) = audit.record(at, &change, Some(Failed { seq, cause: cause.clone() })) {
                    let action = change.action;
                    tracing::error!(seq, action, cause, %error, "a change that is in the audit log has failed");
                }
            };
            let _ = spawn_blocking(failed).await;
        }
        made
    }

    /// The latest lines that are wanted, oldest first. It reads the whole file: call it where that may block.
    ///
    /// # Errors
    /// The file cannot be read. One that is not there has no lines.
    pub fn latest(&self, most: usize, is_wanted: impl Fn(&AuditLine) -> bool) -> io::Result<Vec<AuditLine>> {
        let mut latest = VecDeque::new();
        self.each_line(|bytes| {
            let line = serde_json::from_slice::<AuditLine>(bytes).ok().filter(&is_wanted);
            if let Some(line) = line.filter(|_| 0 < most) {
                latest.truncate(most - 1);
                latest.push_front(line);
            }
        })?;
        Ok(latest.into_iter().rev().collect())
    }

    /// Reads the log from its beginning and looks whether each line continues the one before, up to the one that was written
    /// last. It may block like [`latest`](Audit::latest).
    ///
    /// # Errors
    /// The file cannot be read. One that is not there is empty.
    pub fn verify(&self) -> io::Result<Checked> {
        // Held throughout, so that no line comes in between.
        let mut end = self.end();
        let mut checked = Checked::default();
        self.each_line(|bytes| checked.follow(bytes))?;
        match *end {
            Some(Last { digest: Some(digest), .. }) => checked.expect_end(&digest),
            Some(Last { digest: None, .. }) => {}
            None => *end = Some(Last { seq: checked.seq, digest: checked.last }),
        }
        self.standing().broken.clone_from(&checked.broken);
        Ok(checked)
    }

    /// Where it was found broken when it was last looked at.
    pub fn broken(&self) -> Option<Break> {
        self.standing().broken.clone()
    }

    /// Why the last line could not be written, or the log not be read; none if that worked.
    pub fn unwritable(&self) -> Option<String> {
        self.standing().unwritable.clone()
    }

    /// Writes a change down, durably, or that it has failed, and gives the number of the line back. Only then may the change be made.
    fn record(
        &self,
        at: Timestamp,
        change: &AuditedChange,
        failed: Option<Failed>,
    ) -> Result<u64, NotRecorded> {
        if self.end().is_none() {
            self.verify().map_err(|source| self.not_recorded(source))?;
        }
        let mut end = self.end();
        let before =
            end.ok_or_else(|| self.not_recorded(io::Error::other("its end is not known; try again")))?;
        let line = AuditLine {
            seq: before.seq + 1,
            at: rfc3339(at),
            at_ms: at.unix_ms(),
            uid: change.caller.uid,
            user: caller::user_name(change.caller.uid),
            pid: change.caller.pid,
            action: change.action.to_owned(),
            parameters: change.parameters.clone(),
            note: change.note.clone(),
            failed,
            previous: before.digest.as_ref().map(hex),
        };
        let text = serde_json::to_string(&line).expect("texts and numbers are JSON");
        let found = append_durably(&self.path, &text).map_err(|NotAppended { source, leaves_a_piece }| {
            if leaves_a_piece {
                *end = None;
            }
            self.not_recorded(source)
        })?;
        *end = Some(Last { seq: line.seq, digest: Some(digest(text.as_bytes())) });
        let mut standing = self.standing();
        standing.unwritable = None;
        if found != before.digest && standing.broken.is_none() {
            let cause = "the line before it was changed or taken away while the host ran";
            tracing::error!(path = %self.path.display(), seq = line.seq, cause, "the audit log was tampered with");
            standing.broken = Some(Break { line: line.seq, cause: cause.to_owned() });
        }
        Ok(line.seq)
    }

    fn not_recorded(&self, source: io::Error) -> NotRecorded {
        self.standing().unwritable = Some(source.to_string());
        NotRecorded { path: self.path.clone(), source }
    }

    fn each_line(&self, mut see: impl FnMut(&[u8])) -> io::Result<()> {
        match fs::metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            // Opening a pipe in its place could wait for ever, and so could reading a device.
            Ok(found) if !found.is_file() => return Err(io::Error::other("it is no file")),
            found => found?,
        };
        let mut file = BufReader::new(File::open(&self.path)?);
        let mut line = Vec::new();
        while 0 < file.read_until(b'\n', &mut line)? {
            see(line.strip_suffix(b"\n").unwrap_or(&line));
            line.clear();
        }
        Ok(())
    }

    /// A panic elsewhere leaves a line unwritten, and the end as it was.
    fn end(&self) -> MutexGuard<'_, Option<Last>> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl NotRecorded {
    /// As an administrator is told.
    pub fn cause(&self) -> Cause {
        Reason::AuditUnwritable.with(&[("path", &self.path.display()), ("cause", &self.source)])
    }
}

impl From<NotRecorded> for Status {
    fn from(error: NotRecorded) -> Status {
        status(error.cause().into())
    }
}

/// A line that is not on the disk.
struct NotAppended {
    source: io::Error,
    /// Whether some of it may be there all the same, as in a file that nothing can be taken from.
    leaves_a_piece: bool,
}

impl From<io::Error> for NotAppended {
    fn from(source: io::Error) -> NotAppended {
        NotAppended { source, leaves_a_piece: false }
    }
}

/// Appends a line. When this returns, it is on the disk. Gives back the digest of the line that it found at the end.
///
/// If a line is only partly written, that part is removed if possible, so that a full disk does not fill the log with pieces.
fn append_durably(path: &Path, line: &str) -> Result<Option<LineDigest>, NotAppended> {
    let mut file = OpenOptions::new().create(true).read(true).append(true).mode(0o600).open(path)?;
    let length = file.seek(SeekFrom::End(0))?;
    let (found, gap) = last_line(&mut file, length)?;
    // Sync the directory of a new file first, while there is nothing to undo.
    if length == 0 {
        store::file::sync_dir(path.parent().unwrap_or(path)).map_err(io::Error::other)?;
    }
    let written = file.write_all(format!("{gap}{line}\n").as_bytes()).and_then(|()| file.sync_data());
    match written {
        Ok(()) => Ok(found),
        Err(source) => Err(NotAppended { source, leaves_a_piece: file.set_len(length).is_err() }),
    }
}

/// The digest of the last line, and what has to come before another: a crash may have cut it, and then it stays for people to
/// read, and the next begins anew.
fn last_line(file: &mut File, length: u64) -> io::Result<(Option<LineDigest>, &'static str)> {
    if length == 0 {
        return Ok((None, ""));
    }
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut tail = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut tail)?;
    let gap = if tail.ends_with(b"\n") { "" } else { "\n" };
    let tail = tail.strip_suffix(b"\n").unwrap_or(&tail);
    let begin = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    Ok((Some(digest(&tail[begin..])), gap))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_ms(1_763_777_150_999);

    fn change(action: &'static str) -> AuditedChange {
        let caller = Caller { uid: 0, pid: Some(7) };
        AuditedChange::new(caller, action, &[("product", &"Atlas")], "ticket 7")
    }

    struct Place(tempfile::TempDir);

    impl Place {
        fn new() -> Place {
            Place(tempfile::tempdir().unwrap())
        }

        fn path(&self) -> PathBuf {
            self.0.path().join("audit.jsonl")
        }

        fn audit(&self) -> Audit {
            Audit::open(self.path())
        }

        fn text(&self) -> String {
            fs::read_to_string(self.path()).unwrap()
        }
    }

    #[test]
    fn a_line_says_who_changed_what_and_when() {
        let place = Place::new();
        assert_eq!(place.audit().record(NOW, &change("machine block"), None).unwrap(), 1);
        let text = place.text();
        let line: AuditLine = serde_json::from_str(text.trim_end()).unwrap();
        assert_eq!((line.at.as_str(), line.at_ms), ("2025-11-22T02:05:50Z", NOW.unix_ms()));
        assert_eq!((line.uid, line.pid, line.action.as_str()), (0, Some(7), "machine block"));
        assert_eq!((line.parameters["product"].as_str(), line.note.as_str()), ("Atlas", "ticket 7"));
        assert_eq!((line.previous, line.failed), (None, None));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(place.path()).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_restarted_host_goes_on_where_the_log_ended() {
        let place = Place::new();
        place.audit().record(NOW, &change("machine block"), None).unwrap();
        let audit = place.audit();
        let seq = audit.record(NOW, &change("machine forget"), None).unwrap();
        let failed = Failed { seq, cause: "the disk is full".to_owned() };
        audit.record(NOW, &change("machine forget"), Some(failed)).unwrap();
        let checked = audit.verify().unwrap();
        assert_eq!((checked.lines, checked.seq, checked.broken), (3, 3, None));
        let latest = audit.latest(1, |_| true).unwrap();
        assert_eq!(latest[0].failed, Some(Failed { seq: 2, cause: "the disk is full".to_owned() }));
        let blocks = audit.latest(9, |line| line.action == "machine block").unwrap();
        assert_eq!(blocks.iter().map(|line| line.seq).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn a_line_that_a_crash_has_cut_does_not_swallow_the_next() {
        let place = Place::new();
        place.audit().record(NOW, &change("machine block"), None).unwrap();
        let whole = place.text();
        fs::write(place.path(), format!("{whole}{{\"seq\":2,")).unwrap();
        let audit = place.audit();
        assert_eq!(audit.record(NOW, &change("machine forget"), None).unwrap(), 2);
        assert!(place.text().starts_with(&format!("{whole}{{\"seq\":2,\n{{")), "{}", place.text());
        let checked = audit.verify().unwrap();
        assert_eq!((checked.lines, checked.cut, checked.broken), (3, 1, None));
    }

    #[test]
    fn what_is_done_to_the_log_while_the_host_runs_shows_for_good() {
        let place = Place::new();
        let audit = place.audit();
        audit.record(NOW, &change("machine block"), None).unwrap();
        audit.record(NOW, &change("machine unblock"), None).unwrap();
        let first = place.text().lines().next().unwrap().to_owned() + "\n";
        fs::write(place.path(), first).unwrap();
        assert!(audit.verify().unwrap().broken.is_some(), "the end is gone");
        audit.record(NOW, &change("machine forget"), None).unwrap();
        assert!(audit.broken().is_some());
        let again = place.audit().verify().unwrap();
        assert_eq!(again.broken.unwrap().line, 2, "and a later process sees it, too");
    }

    #[test]
    fn a_log_that_cannot_be_written_refuses_and_takes_changes_again_when_it_can() {
        let place = Place::new();
        fs::create_dir(place.path()).unwrap();
        let audit = place.audit();
        let cause = audit.record(NOW, &change("machine block"), None).unwrap_err().cause();
        assert!(cause.to_string().contains(&place.path().display().to_string()), "{cause}");
        assert!(audit.unwritable().is_some());
        fs::remove_dir(place.path()).unwrap();
        assert_eq!(audit.record(NOW, &change("machine block"), None).unwrap(), 1);
        assert_eq!(audit.unwritable(), None);
    }

    /// The device would be read for ever, and the pipe waited for.
    #[cfg(target_os = "linux")]
    #[test]
    fn what_stands_in_the_place_of_a_log_and_is_no_file_is_not_read() {
        let device = |path: &Path| std::os::unix::fs::symlink("/dev/zero", path).unwrap();
        let pipe = |path: &Path| {
            assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
        };
        for make in [&device as &dyn Fn(&Path), &pipe] {
            let place = Place::new();
            make(&place.path());
            let audit = place.audit();
            assert!(audit.unwritable().is_some_and(|why| why.contains("no file")));
            audit.record(NOW, &change("machine block"), None).unwrap_err();
        }
    }

    /// The device takes no byte, as a full disk does.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_refuses_the_change() {
        let place = Place::new();
        std::os::unix::fs::symlink("/dev/full", place.path()).unwrap();
        let end = Mutex::new(Some(Last { seq: 0, digest: None }));
        let audit = Audit { path: place.path(), end, standing: Mutex::default() };
        let cause = audit.record(NOW, &change("machine block"), None).unwrap_err().cause();
        assert!(cause.to_string().contains("No space left"), "{cause}");
    }
}
