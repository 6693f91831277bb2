//! Reads the lines of an export from a running host or from its directory, and writes them to a file or standard output.

use std::error::Error;
use std::io::{self, ErrorKind, Write as _};
use std::path::{self, Path, PathBuf};
use std::thread;

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use kms_host::admin;
use kms_host::clock::SystemClock;
use kms_host::config::SettingSources;
use kms_host::export::{self, CheckedLine, Checker, End, ExportFile, ExportKind, Head, Summary};
use kms_host::home::{Home, HomeError, USUAL_PATH};
use ledger::{Engine, LedgerError, OpenError};
use program::exit::{EX_CANTCREAT, EX_CONFIG, EX_DATAERR, EX_IOERR, EX_NOPERM, EX_UNAVAILABLE};
use proto::admin::v1::{ExportLedgerRequest, ExportLedgerResponse};
use rustix::fs::{FileType, Mode};
use serde_json::json;
use server::admin::is_silence;
use shared::record::Meta;
use shared::time::Clock as _;
use store::file::{self, Draft};
use tokio::sync::{mpsc, oneshot};
use tonic::Streaming;

use super::owner::{self, become_owner};
use super::{Failure, OrExit, online, runtime, say};

/// Size of one write.
pub(super) const WRITE_BYTES: usize = 256 * 1024;

/// Lines between two progress messages.
const SIGN_OF_LIFE: u64 = 500_000;

/// A small cache is enough, because the ledger is read once from start to end.
const READING_CACHE_BYTES: u64 = 16 << 20;

/// A ledger as lines.
pub(super) enum LedgerLines {
    /// From the host that serves it.
    Served { lines: Box<Streaming<ExportLedgerResponse>>, home: Home },
    /// From the ledger itself, opened here because no host serves it.
    Opened(OpenedLines),
}

/// Lines that a thread reads. Dropping it waits until that thread has closed the ledger and removed its copy.
pub(super) struct OpenedLines {
    lines: mpsc::Receiver<Result<Bytes, LedgerError>>,
    /// `None` only while it is dropped.
    thread: Option<thread::JoinHandle<()>>,
}

impl Drop for OpenedLines {
    fn drop(&mut self) {
        // The thread stops reading at its next line.
        self.lines.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl LedgerLines {
    /// Asks the host that serves this directory. If none does, opens the ledger.
    pub(super) async fn of(home: &Home, purpose: ExportKind) -> Result<LedgerLines, Failure> {
        let mut host = match admin::connect(&home.socket_path()).await {
            Ok(host) => host,
            Err(error) if is_nobody(&error) => return LedgerLines::open(home).await,
            Err(error) => return Err(online::unreachable(home, &error)),
        };
        let request = ExportLedgerRequest { purpose: purpose.name().to_owned() };
        let lines = host.export_ledger(request).await.map_err(|status| online::not_answered(home, status))?;
        Ok(LedgerLines::Served { lines: Box::new(lines.into_inner()), home: home.clone() })
    }

    async fn open(home: &Home) -> Result<LedgerLines, Failure> {
        LedgerLines::apart(home, |home| {
            become_owner(home)?;
            // The engine of the existing ledger, not the one in the settings: this is how a ledger moves to another engine.
            let engine = home.engine()?.unwrap_or(Engine::Sled);
            let (ledger, _format) = home.look_at_ledger(engine, READING_CACHE_BYTES)?;
            let (head, runtime) = (LedgerLines::head(home, *ledger.meta()), runtime()?);
            Ok(move |to| runtime.block_on(export::send(ledger, head, to)))
        })
        .await
    }

    /// Reads what is left of a damaged ledger. No host may be serving it.
    pub(super) async fn salvaged(home: &Home) -> Result<LedgerLines, Failure> {
        LedgerLines::apart(home, |home| {
            become_owner(home)?;
            let (meta, salvaged) = home.salvage(&mut rand::rng())?;
            let head = LedgerLines::head(home, meta);
            Ok(move |to| export::send_salvaged(&salvaged, &head, &to))
        })
        .await
    }

    /// Reads on a thread of its own that works as the owner of the directory, because root would read what the service cannot. The
    /// calling thread keeps its user, for the file that it writes.
    async fn apart<S: FnOnce(mpsc::Sender<Result<Bytes, LedgerError>>)>(
        home: &Home,
        read: impl FnOnce(&Home) -> Result<S, Failure> + Send + 'static,
    ) -> Result<LedgerLines, Failure> {
        let (to, lines) = mpsc::channel(2);
        let (say, opened) = oneshot::channel();
        let home = home.clone();
        let work = move || {
            // The receiver exists: the caller waits for this message.
            match read(&home) {
                Ok(send) => {
                    let _ = say.send(Ok(()));
                    send(to);
                }
                Err(failure) => {
                    let _ = say.send(Err(failure));
                }
            }
        };
        let thread = thread::Builder::new().name("export".to_owned()).spawn(work).or_exit(EX_IOERR)?;
        let reader = OpenedLines { lines, thread: Some(thread) };
        opened.await.or_exit(EX_IOERR)??;
        Ok(LedgerLines::Opened(reader))
    }

    fn head(home: &Home, meta: Meta) -> Head {
        let host = home.signing_key().ok().map(|key| key.public().host());
        Head::new(ExportKind::Export, SystemClock::new().now(), host, meta)
    }

    /// The next whole lines, or none after the last.
    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        match self {
            LedgerLines::Served { lines, home } => match lines.message().await {
                Ok(part) => Ok(part.map(|part| part.lines)),
                Err(status) if is_silence(&status) => Err(online::not_answered(home, status)),
                Err(status) => {
                    Err(anyhow!("the host broke off: {}", status.message())).or_exit(EX_UNAVAILABLE)
                }
            },
            LedgerLines::Opened(opened) => opened.lines.recv().await.transpose().or_exit(EX_IOERR),
        }
    }

    /// Passes on every line with its content, and checks that the last line has arrived and matches.
    pub(super) async fn each(
        &mut self,
        mut take: impl FnMut(&[u8], CheckedLine) -> Result<(), Failure>,
    ) -> Result<End, Failure> {
        let (mut checker, mut end, mut signs) = (Checker::default(), None, signs_of_life());
        while let Some(lines) = self.next().await? {
            for line in lines.split_inclusive(|byte| *byte == b'\n') {
                let checked = checker.take(line).or_exit(EX_IOERR)?;
                if let CheckedLine::End(last) = checked {
                    end = Some(last);
                }
                take(line, checked)?;
                signs(checker.line());
            }
        }
        checker.finish().or_exit(EX_IOERR)?;
        end.ok_or_else(|| anyhow!("the ledger has come without an end")).or_exit(EX_IOERR)
    }
}

const UNWRITTEN: &str = "standard output could not be written";

/// The destination of the lines.
pub(super) enum Output {
    File { draft: Draft, path: PathBuf, force: bool },
    Stdout(io::Stdout),
}

impl Output {
    /// A file, which gets this name once it is complete; `-` is standard output.
    pub(super) fn to(path: &Path, force: bool) -> Result<Output, Failure> {
        if path == Path::new("-") {
            return Ok(Output::Stdout(io::stdout()));
        }
        // Checked again at the end. Checked here, too, so that nobody waits for minutes to learn it.
        if !force && path.symlink_metadata().is_ok() {
            return Err(exists(path)).or_exit(EX_CANTCREAT);
        }
        // Drafts that killed commands have left may contain a signing key.
        file::sweep(file::parent(path));
        let draft = Draft::begin(path, 0o600).or_exit(EX_CANTCREAT)?;
        Ok(Output::File { draft, path: path.to_owned(), force })
    }

    /// Like [`to`](Output::to), for a secret: a file that the shell has created becomes readable for its owner only.
    pub(super) fn private_to(path: &Path, force: bool) -> Result<Output, Failure> {
        let output = Output::to(path, force)?;
        if let Output::Stdout(stdout) = &output {
            keep_private(stdout);
        }
        Ok(output)
    }

    pub(super) fn write(&mut self, lines: &[u8]) -> Result<(), Failure> {
        match self {
            Output::File { draft, .. } => draft.write(lines).or_exit(EX_IOERR),
            Output::Stdout(stdout) => stdout.write_all(lines).context(UNWRITTEN).or_exit(EX_IOERR),
        }
    }

    /// A file is durable on return.
    pub(super) fn finish(self) -> Result<(), Failure> {
        let done = match self {
            Output::File { draft, force: true, .. } => draft.replace(),
            Output::File { draft, path, force: false } => match draft.create_new() {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    return Err(exists(&path)).or_exit(EX_CANTCREAT);
                }
                done => done,
            },
            Output::Stdout(mut stdout) => return stdout.flush().context(UNWRITTEN).or_exit(EX_IOERR),
        };
        done.or_exit(EX_IOERR)
    }
}

/// Takes a file's permissions away from everyone but its owner. Pipes and terminals are left alone.
fn keep_private(stdout: &io::Stdout) {
    let Ok(found) = rustix::fs::fstat(stdout) else { return };
    let (kind, mode) = (FileType::from_raw_mode(found.st_mode), Mode::from_raw_mode(found.st_mode));
    let others = Mode::RWXG | Mode::RWXO;
    if kind != FileType::RegularFile || !mode.intersects(others) {
        return;
    }
    if let Err(error) = rustix::fs::fchmod(stdout, mode.difference(others)) {
        say(format_args!("warning: others may read this file, which has the signing key in it: {error}"));
    }
}

fn exists(path: &Path) -> anyhow::Error {
    anyhow!("{} is there already, and was left as it is; take another name, or --force", path.display())
}

/// What a file that was written is called in a sentence.
pub(super) fn written(path: &Path) -> path::Display<'_> {
    if path == Path::new("-") { Path::new("standard output").display() } else { path.display() }
}

/// The report about a file; it goes to standard error if the file itself is standard output.
pub(super) fn beside(file: &Path, said: String) -> String {
    if file != Path::new("-") {
        return said;
    }
    say(said.trim_end());
    String::new()
}

/// A sentence about damaged rows that are missing, if there are any.
pub(super) fn left_out(rows: u64) -> String {
    match rows {
        0 => String::new(),
        _ => format!(
            "{} of the ledger could not be read and is not in it: its disk has damaged it.\n",
            online::number(rows, "row")
        ),
    }
}

/// An export or a backup, for scripts.
pub(super) fn summary_json(summary: &Summary) -> serde_json::Value {
    let Summary { head, files, machines, products, left_out, size_bytes } = summary;
    json!({
        "kind": head.kind.name(),
        "made_at_ms": head.made_at.unix_ms(),
        "host": head.host.map(|host| host.to_string()),
        "version": head.version,
        "ledger": head.meta.ledger.to_string(),
        "machines": machines,
        "products": products,
        "files": files,
        "left_out": left_out,
        "size_bytes": size_bytes,
    })
}

/// Prints the number of lines on standard error from time to time, because a large ledger takes minutes.
pub(super) fn signs_of_life() -> impl FnMut(u64) {
    |lines| {
        if lines % SIGN_OF_LIFE == 0 {
            say(format_args!("{lines} lines so far"));
        }
    }
}

/// The engine that the settings name for a new ledger.
pub(super) fn wanted_engine(home: &Home, config: Option<&Path>) -> Result<Engine, Failure> {
    Ok(owner::settings(home, &SettingSources::new(config, home.path()))?.config.ledger)
}

/// How to serve the host.
pub(super) fn to_serve(home: &Home) -> String {
    if home.path() == Path::new(USUAL_PATH) {
        return "To serve:\n  systemctl start kms-host    (under systemd)\n  kms-host serve\n".to_owned();
    }
    format!("To serve:\n  kms-host serve --data {}\n", home.path().display())
}

/// The exit code for an error of a data directory, an export or a backup. After 74 the same command may succeed later. Damage and a
/// wrong user need an administrator first.
impl From<HomeError> for Failure {
    fn from(error: HomeError) -> Failure {
        let code = match &error {
            HomeError::Served(_) => EX_UNAVAILABLE,
            HomeError::NoLedger(_) | HomeError::OtherEngine { .. } | HomeError::NoKey(_) => EX_CONFIG,
            HomeError::Export(export::ExportError::Faulty { .. })
            | HomeError::NoBackup { .. }
            | HomeError::DamagedLedger(..)
            | HomeError::Ledger(OpenError::Newer { .. } | OpenError::Damaged { .. }) => EX_DATAERR,
            HomeError::Ledger(error) if is_below(error, &[ErrorKind::PermissionDenied]) => EX_NOPERM,
            HomeError::Ledger(error) if is_below(error, &SOMETHING_ELSE) => EX_DATAERR,
            HomeError::LedgerThere(_) | HomeError::NotEmpty(_) | HomeError::Unfinished(_) => EX_CANTCREAT,
            _ => EX_IOERR,
        };
        Failure { code, error: error.into(), shown: String::new() }
    }
}

/// A file in the place of a directory, or a pipe in the place of a file.
const SOMETHING_ELSE: [ErrorKind; 3] =
    [ErrorKind::NotADirectory, ErrorKind::IsADirectory, ErrorKind::InvalidInput];

/// Whether an I/O error of one of these kinds is among the causes.
fn is_below(error: &OpenError, kinds: &[ErrorKind]) -> bool {
    let mut causes = std::iter::successors(Some(error as &(dyn Error + 'static)), |&error| error.source());
    causes.any(|error| error.downcast_ref::<io::Error>().is_some_and(|error| kinds.contains(&error.kind())))
}

/// Whether no host serves the directory: there is no socket, or one that a dead host has left.
fn is_nobody(error: &tonic::transport::Error) -> bool {
    let cause = online::root_cause(error).downcast_ref::<io::Error>();
    cause.is_some_and(|cause| {
        matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
    })
}

/// Opens an export for reading; `-` is standard input.
pub(super) fn open(path: &Path) -> Result<ExportFile, Failure> {
    let opened = if path == Path::new("-") {
        ExportFile::spool(&mut io::stdin().lock())
    } else {
        ExportFile::open(path)
    };
    Ok(opened.map_err(HomeError::from)?)
}
