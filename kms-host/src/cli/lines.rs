//! Where the lines of an export come from, and where they go: a running host or its directory, a file or standard output.

use std::error::Error;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use anyhow::anyhow;
use bytes::Bytes;
use ledger::{Engine, Ledger, LedgerError, OpenError};
use proto::admin::v1::{ExportLedgerRequest, ExportLedgerResponse};
use rustix::fs::{FileType, Mode};
use serde_json::json;
use shared::record::Meta;
use shared::time::Clock as _;
use store::file::{self, Draft};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};
use tonic::Streaming;

use super::owner::{self, become_owner};
use super::{
    EX_CANTCREAT, EX_CONFIG, EX_DATAERR, EX_IOERR, EX_NOPERM, EX_UNAVAILABLE, Failure, OrExit, online, say,
};
use crate::admin;
use crate::clock::SystemClock;
use crate::config::Sources;
use crate::export::{self, Checked, Checker, End, ExportFile, Head, Kind, Summary};
use crate::home::{Home, HomeError, USUAL_PATH};

/// How much is written at a time.
pub(super) const WRITE_BYTES: usize = 256 * 1024;

/// How many lines pass between two signs of life.
const SIGN_OF_LIFE: u64 = 500_000;

/// A ledger is only read through once.
const READING_CACHE_BYTES: u64 = 16 << 20;

/// A ledger as lines.
pub(super) enum Lines {
    /// A host serves it, and is asked.
    Served { lines: Box<Streaming<ExportLedgerResponse>>, home: Home },
    /// Nobody does: it was opened here.
    Opened(Opened),
}

/// What a thread reads. Dropping it waits until that thread has closed the ledger, and its copy of it is gone.
pub(super) struct Opened {
    /// `None` only while it is dropped.
    lines: Option<mpsc::Receiver<Result<Bytes, LedgerError>>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Opened {
    async fn next(&mut self) -> Option<Result<Bytes, LedgerError>> {
        self.lines.as_mut()?.recv().await
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        // Whom nobody hears reads no further.
        drop(self.lines.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Lines {
    /// Asks the host that serves this directory, or opens the ledger where nobody does.
    pub(super) async fn of(home: &Home, purpose: Kind) -> Result<Lines, Failure> {
        let mut host = match admin::connect(&home.socket_path()).await {
            Ok(host) => host,
            Err(error) if is_nobody(&error) => return Lines::open(home).await,
            Err(error) => return Err(online::unreachable(home, &error)),
        };
        let request = ExportLedgerRequest { purpose: purpose.name().to_owned() };
        let lines = host.export_ledger(request).await.map_err(|status| online::not_answered(home, status))?;
        Ok(Lines::Served { lines: Box::new(lines.into_inner()), home: home.clone() })
    }

    async fn open(home: &Home) -> Result<Lines, Failure> {
        Lines::apart(home, |home| {
            let (ledger, head, runtime) = Lines::open_as_owner(home)?;
            Ok(move |to| runtime.block_on(export::send(ledger, head, to)))
        })
        .await
    }

    /// What is left of a damaged ledger. Nobody may serve it.
    pub(super) async fn salvaged(home: &Home) -> Result<Lines, Failure> {
        Lines::apart(home, |home| {
            become_owner(home)?;
            let (meta, salvaged) = home.salvage(&mut rand::rng())?;
            let head = Lines::head(home, meta);
            Ok(move |to| export::send_salvaged(&salvaged, &head, &to))
        })
        .await
    }

    /// Reads on a thread of its own, which works as the owner of the directory: root would read what the service cannot. This
    /// thread stays who it is, for the file that it writes.
    async fn apart<S: FnOnce(mpsc::Sender<Result<Bytes, LedgerError>>)>(
        home: &Home,
        read: impl FnOnce(&Home) -> Result<S, Failure> + Send + 'static,
    ) -> Result<Lines, Failure> {
        let (to, lines) = mpsc::channel(2);
        let (say, opened) = oneshot::channel();
        let home = home.clone();
        let work = move || {
            // Whoever asked is there: it waits for this.
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
        let reader = Opened { lines: Some(lines), thread: Some(thread) };
        opened.await.or_exit(EX_IOERR)??;
        Ok(Lines::Opened(reader))
    }

    fn open_as_owner(home: &Home) -> Result<(Arc<dyn Ledger>, Head, Runtime), Failure> {
        become_owner(home)?;
        // What it was made on holds, whatever the configuration says by now: this is how a ledger gets onto another engine.
        let engine = home.engine()?.unwrap_or(Engine::Sled);
        let (ledger, _format) = home.look_at_ledger(engine, READING_CACHE_BYTES)?;
        let head = Lines::head(home, *ledger.meta());
        Ok((ledger, head, runtime()?))
    }

    fn head(home: &Home, meta: Meta) -> Head {
        let host = home.signing_key().ok().map(|key| key.public().host());
        Head::new(Kind::Export, SystemClock::new().now(), host, meta)
    }

    /// The next whole lines; none after the last.
    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        match self {
            Lines::Served { lines, home } => match lines.message().await {
                Ok(part) => Ok(part.map(|part| part.lines)),
                Err(status) if admin::is_silence(&status) => Err(online::not_answered(home, status)),
                Err(status) => {
                    Err(anyhow!("the host broke off: {}", status.message())).or_exit(EX_UNAVAILABLE)
                }
            },
            Lines::Opened(opened) => opened.next().await.transpose().or_exit(EX_IOERR),
        }
    }

    /// Hands over every line with what it says, and checks that the last one has come and fits.
    pub(super) async fn each(
        &mut self,
        mut take: impl FnMut(&[u8], Checked) -> Result<(), Failure>,
    ) -> Result<End, Failure> {
        let (mut checker, mut end, mut signs) = (Checker::new(), None, signs_of_life());
        while let Some(lines) = self.next().await? {
            for line in lines.split_inclusive(|byte| *byte == b'\n') {
                let checked = checker.take(line).or_exit(EX_IOERR)?;
                if let Checked::End(last) = checked {
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

/// Where lines go.
pub(super) enum Output {
    File { draft: Draft, path: PathBuf, force: bool },
    Stdout(io::Stdout),
}

impl Output {
    /// A file of this name, which gets it when it is whole; `-` is standard output.
    pub(super) fn to(path: &Path, force: bool) -> Result<Output, Failure> {
        if path == Path::new("-") {
            return Ok(Output::Stdout(io::stdout()));
        }
        // Looked at again at the end; here so that nobody waits for minutes to be told.
        if !force && path.symlink_metadata().is_ok() {
            return Err(exists(path)).or_exit(EX_CANTCREAT);
        }
        // What earlier ones that were killed have left may hold a signing key.
        file::sweep(file::parent(path));
        let draft = Draft::begin(path, 0o600).or_exit(EX_CANTCREAT)?;
        Ok(Output::File { draft, path: path.to_owned(), force })
    }

    /// Like [`to`](Output::to), for a secret: a file that a shell has made for it becomes its owner's alone.
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
            Output::Stdout(stdout) => stdout.write_all(lines).or_exit(EX_IOERR),
        }
    }

    /// Durable on return, where it is a file.
    pub(super) fn finish(self) -> Result<(), Failure> {
        let done = match self {
            Output::File { draft, force: true, .. } => draft.replace(),
            Output::File { draft, path, force: false } => match draft.create_new() {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    return Err(exists(&path)).or_exit(EX_CANTCREAT);
                }
                done => done,
            },
            Output::Stdout(mut stdout) => return stdout.flush().or_exit(EX_IOERR),
        };
        done.or_exit(EX_IOERR)
    }
}

/// A pipe has no mode to speak of, and a terminal is its user's.
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

/// What a command says of a file: on standard error where the file itself is standard output.
pub(super) fn beside(file: &Path, said: String) -> String {
    if file != Path::new("-") {
        return said;
    }
    say(said.trim_end());
    String::new()
}

/// That damaged rows are missing, if any are.
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

/// Something that says on standard error, from time to time, how many lines there were: a large ledger takes minutes.
pub(super) fn signs_of_life() -> impl FnMut(u64) {
    |lines| {
        if lines % SIGN_OF_LIFE == 0 {
            say(format_args!("{lines} lines so far"));
        }
    }
}

/// The engine on which the configuration wants ledgers to be made.
pub(super) fn wanted_engine(home: &Home, config: Option<&Path>) -> Result<Engine, Failure> {
    Ok(owner::settings(home, &Sources::new(config, home.path()))?.config.ledger)
}

/// What root has made in a directory that was not there is root's; a service that runs as somebody else could not open it.
pub(super) fn hint_at_owner(home: &Home) -> Option<String> {
    let text = || {
        format!(
            "What was made is root's. A service that runs as another user needs it: chown -R USER: {}\n",
            home.path().display()
        )
    };
    rustix::process::geteuid().is_root().then(text)
}

/// What comes next.
pub(super) fn to_serve(home: &Home) -> String {
    if home.path() == Path::new(USUAL_PATH) {
        return "To serve:\n  systemctl start kms-host    (under systemd)\n  kms-host serve\n".to_owned();
    }
    format!("To serve:\n  kms-host serve --data {}\n", home.path().display())
}

/// The code that scripts and service managers see for what can be wrong with a directory or a file that is carried. With 74, the
/// same command may succeed later; damage and a wrong user stay until somebody sees to them.
pub(super) fn failure(error: HomeError) -> Failure {
    let code = match &error {
        HomeError::Served(_) => EX_UNAVAILABLE,
        HomeError::NoLedger { .. } | HomeError::OtherEngine { .. } | HomeError::NoKey { .. } => EX_CONFIG,
        HomeError::Export(export::ExportError::Faulty { .. })
        | HomeError::NoBackup { .. }
        | HomeError::DamagedLedger { .. }
        | HomeError::Ledger(OpenError::Newer { .. } | OpenError::Damaged { .. }) => EX_DATAERR,
        HomeError::Ledger(error) if is_below(error, &[ErrorKind::PermissionDenied]) => EX_NOPERM,
        HomeError::Ledger(error) if is_below(error, &SOMETHING_ELSE) => EX_DATAERR,
        HomeError::LedgerThere { .. } | HomeError::NotEmpty(_) | HomeError::Unfinished(_) => EX_CANTCREAT,
        _ => EX_IOERR,
    };
    Failure { code, error: error.into(), shown: String::new() }
}

/// A file stands where a directory belongs, a pipe where a file does.
const SOMETHING_ELSE: [ErrorKind; 3] =
    [ErrorKind::NotADirectory, ErrorKind::IsADirectory, ErrorKind::InvalidInput];

/// Whether an error of one of these kinds is at the bottom of it.
fn is_below(error: &OpenError, kinds: &[ErrorKind]) -> bool {
    let mut causes = std::iter::successors(Some(error as &(dyn Error + 'static)), |&error| error.source());
    causes.any(|error| error.downcast_ref::<io::Error>().is_some_and(|error| kinds.contains(&error.kind())))
}

/// So that what a restore asks for on its way can end it.
impl From<HomeError> for Failure {
    fn from(error: HomeError) -> Failure {
        failure(error)
    }
}

/// Whether there is no socket, or one that a dead host has left: nobody serves the directory.
fn is_nobody(error: &tonic::transport::Error) -> bool {
    let cause = online::root_cause(error).downcast_ref::<io::Error>();
    cause.is_some_and(|cause| {
        matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
    })
}

/// Runs what waits for a host, or reads a ledger on threads of its own.
pub(super) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    runtime()?.block_on(work)
}

fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().or_exit(EX_IOERR)
}

/// Opens an export that is to be read; `-` is standard input.
pub(super) fn open(path: &Path) -> Result<ExportFile, Failure> {
    let opened = if path == Path::new("-") {
        ExportFile::spool(&mut io::stdin().lock())
    } else {
        ExportFile::open(path)
    };
    Ok(opened.map_err(HomeError::from)?)
}
