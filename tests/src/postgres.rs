//! A PostgreSQL server of the test's own: made in a temporary folder, heard on a Unix socket only, gone with this process.
//!
//! The server must not run as root. So root starts it as `nobody`, by setpriv. A shell between the two ends it and removes the folder
//! as soon as its standard input ends, which happens however this process ends.

use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};

/// Who runs the server if this is root: `nobody` and its group, on every Linux.
const NOBODY: u32 = 65_534;

/// How often the server is asked whether it answers, and how long apart.
const TRIES: u32 = 600;
const APART: Duration = Duration::from_millis(50);

/// Runs the server until standard input ends, then ends it at once and removes the folder. Each line of standard input is an order.
const WATCH: &str = r#"
start() { "$@" >>"$FOLDER/log" 2>&1 & server=$!; }
start "$@"
while read -r order; do
    case $order in
        crash) kill -KILL $server; { wait $server; } 2>/dev/null ;;
        start) kill -0 $server 2>/dev/null || start "$@" ;;
    esac
done
kill -QUIT $server; wait $server
rm -rf "$FOLDER"
"#;

/// A server.
pub struct Postgres {
    programs: PathBuf,
    folder: PathBuf,
    databases: AtomicU32,
    // Its end is the server's.
    watch: Child,
}

impl Postgres {
    /// What this machine lacks for one, if anything.
    pub fn missing() -> Option<String> {
        let missing = |why: &str| Some(format!("{why} (apt-get install postgresql)"));
        if programs().is_none() {
            return missing("PostgreSQL is not installed");
        }
        (is_root() && !finds("setpriv"))
            .then(|| "setpriv is not installed (apt-get install util-linux)".into())
    }

    /// Makes and starts one, with these settings (`fsync=off`).
    ///
    /// # Errors
    /// A program is missing, or the server did not start: the error has its log.
    pub fn start(settings: &[&str]) -> anyhow::Result<Postgres> {
        let programs = programs().context("PostgreSQL is not installed")?;
        let folder = tempfile::Builder::new().prefix("kms-postgres-").tempdir()?.keep();
        if is_root() {
            chown(&folder, Some(NOBODY), Some(NOBODY))?;
        }
        std::fs::set_permissions(&folder, Permissions::from_mode(0o700))?;
        let data = folder.join("data");
        // `--no-sync`: nothing of value is in there before the server starts. The server itself syncs, as a real one does.
        let made = as_nobody(&programs.join("initdb"), &folder)
            .arg("--pgdata")
            .arg(&data)
            .args(["--username", "kms", "--auth", "trust", "--encoding", "UTF8", "--no-locale", "--no-sync"])
            .output()?;
        if !made.status.success() {
            bail!("initdb: {}", String::from_utf8_lossy(&made.stderr));
        }
        let mut server = as_nobody(&programs.join("postgres"), &folder);
        server.arg("-D").arg(&data).arg("-k").arg(&folder).args(["-c", "listen_addresses="]);
        for setting in settings {
            server.args(["-c", setting]);
        }
        let mut watch = Command::new("sh");
        watch.args(["-c", WATCH, "sh"]).arg(server.get_program()).args(server.get_args());
        let watch = watch.current_dir("/").env("FOLDER", &folder).stdin(Stdio::piped()).spawn()?;
        let postgres = Postgres { programs, folder, databases: AtomicU32::new(0), watch };
        postgres.wait()?;
        Ok(postgres)
    }

    /// Makes a database and returns its URL.
    ///
    /// # Errors
    /// The server refuses.
    pub fn database(&self) -> anyhow::Result<String> {
        let name = format!("portal_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let made = self.client("createdb").arg(&name).output()?;
        if !made.status.success() {
            bail!("createdb: {}", String::from_utf8_lossy(&made.stderr));
        }
        Ok(format!("postgres:///{name}?host={}&user=kms", self.folder.display()))
    }

    /// Kills the server, as a crash of its machine's processes would.
    ///
    /// # Errors
    /// The shell in between is gone.
    pub fn crash(&mut self) -> anyhow::Result<()> {
        self.order("crash")
    }

    /// Starts it again, and waits until it has recovered.
    ///
    /// # Errors
    /// It does not recover.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        for _ in 0..10 {
            // While a child of the former one still runs, it does not start.
            self.order("start")?;
            if self.answers_within(TRIES / 10)? {
                return Ok(());
            }
        }
        bail!("it does not start again: {}", std::fs::read_to_string(self.folder.join("log"))?)
    }

    /// Runs a statement in this database.
    ///
    /// # Errors
    /// The server refuses it.
    pub fn run(&self, url: &str, statement: &str) -> anyhow::Result<()> {
        let psql = Command::new(self.programs.join("psql"));
        let done = { psql }.args(["--quiet", "--command", statement]).arg(url).output()?;
        if !done.status.success() {
            bail!("psql: {}", String::from_utf8_lossy(&done.stderr));
        }
        Ok(())
    }

    fn order(&mut self, order: &str) -> anyhow::Result<()> {
        let input = self.watch.stdin.as_mut().context("the shell has no input")?;
        Ok(writeln!(input, "{order}")?)
    }

    fn wait(&self) -> anyhow::Result<()> {
        if self.answers_within(TRIES)? {
            return Ok(());
        }
        bail!("it does not answer: {}", std::fs::read_to_string(self.folder.join("log"))?)
    }

    fn answers_within(&self, tries: u32) -> anyhow::Result<bool> {
        for _ in 0..tries {
            if self.client("pg_isready").stdout(Stdio::null()).status()?.success() {
                return Ok(true);
            }
            std::thread::sleep(APART);
        }
        Ok(false)
    }

    fn client(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.arg("--host").arg(&self.folder).args(["--username", "kms"]);
        command
    }
}

/// Where PostgreSQL's programs are: on the path, or where Debian puts the newest.
fn programs() -> Option<PathBuf> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<_> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|version| Some(version.ok()?.path().join("bin")))
        .collect();
    folders.sort();
    folders.extend(std::env::split_paths(&paths));
    let is_whole = |folder: &PathBuf| ["initdb", "postgres"].iter().all(|name| folder.join(name).exists());
    folders.into_iter().find(is_whole)
}

fn finds(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|folder| folder.join(program).exists())
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|myself| myself.uid() == 0)
}

/// Starts a program within this folder, but never as root.
fn as_nobody(program: &Path, folder: &Path) -> Command {
    let mut command = if is_root() {
        let id = NOBODY.to_string();
        let mut command = Command::new("setpriv");
        command.args(["--reuid", &id, "--regid", &id, "--clear-groups", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir(folder).stdin(Stdio::null());
    command
}
