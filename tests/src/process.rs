//! A host as a process of its own: started as an administrator would, asked over its socket, killed when a story says so.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use kms_host::admin::{self, Client};
use kms_host::home::Home;
use proto::admin::v1::{GetStatusRequest, GetStatusResponse};
use tokio::process::{Child, Command};

/// How long a host may take to answer its first question.
const START_LIMIT: Duration = Duration::from_secs(20);

/// How long a host may take to stop in order.
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// How to start `kms-host`: a program, and what comes before the command.
#[derive(Clone, Debug)]
pub struct Program {
    /// The program.
    pub path: PathBuf,
    /// Its first arguments.
    pub arguments: Vec<OsString>,
}

impl Program {
    /// The program of this process, which has to be `kms-host` under the word `host`.
    ///
    /// # Errors
    /// The operating system does not say which it is.
    pub fn this_one() -> anyhow::Result<Program> {
        Ok(Program { path: std::env::current_exe()?, arguments: vec!["host".into()] })
    }
}

/// A running host process. Dropping it kills it.
pub struct HostProcess {
    child: Child,
    home: Home,
    address: SocketAddr,
    log: Log,
}

/// The log of one run: a file that earlier runs have written to, and where this run begins in it.
struct Log {
    path: PathBuf,
    begins: u64,
}

impl HostProcess {
    /// Starts the host of this directory, and waits until it answers. Its log goes beside the directory.
    ///
    /// # Errors
    /// It did not start, another host on the same directory included; the error has what it said.
    pub async fn start(program: &Program, home: &Home, listen: SocketAddr) -> anyhow::Result<HostProcess> {
        let path = home.path().with_extension("log");
        let file = File::options().create(true).append(true).open(&path)?;
        let log = Log { path, begins: file.metadata()?.len() };
        let mut child = Command::new(&program.path)
            .args(&program.arguments)
            .args(["serve", "--listen", &listen.to_string(), "--data"])
            .arg(home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| program.path.display().to_string())?;
        let pid = child.id();
        let status = tokio::select! {
            status = tokio::time::timeout(START_LIMIT, first_status(home, pid)) => status,
            exit = child.wait() => bail!("the host ended with {}: {}", exit?, log.tail()),
        };
        let status = status.with_context(|| format!("the host does not answer: {}", log.tail()))?;
        let address = status.listening.first().context("the host listens nowhere")?.parse()?;
        Ok(HostProcess { child, home: home.clone(), address, log })
    }

    /// Where it serves.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its directory.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// Asks it over its socket.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn admin(&self) -> anyhow::Result<Client> {
        Ok(admin::connect(&self.home.socket_path()).await?)
    }

    /// Its status, over its socket.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn status(&self) -> anyhow::Result<GetStatusResponse> {
        Ok(self.admin().await?.get_status(GetStatusRequest {}).await?.into_inner())
    }

    /// The running count of its only product, over its socket.
    ///
    /// # Errors
    /// It does not answer, or has no product.
    pub async fn count(&self) -> anyhow::Result<u64> {
        Ok(self.status().await?.products.first().context("the host has no product")?.count)
    }

    /// SIGKILL, and waits until it is gone.
    ///
    /// # Errors
    /// It is gone already.
    pub async fn kill(mut self) -> anyhow::Result<Home> {
        self.child.kill().await?;
        Ok(self.home)
    }

    /// SIGTERM, and waits until it has stopped in order.
    ///
    /// # Errors
    /// It did not, or not with success.
    pub async fn stop(mut self) -> anyhow::Result<Home> {
        let pid = self.child.id().context("the host is gone already")?;
        let sent = Command::new("kill").args(["-TERM", &pid.to_string()]).status().await?;
        if !sent.success() {
            bail!("SIGTERM could not be sent");
        }
        let exit =
            tokio::time::timeout(STOP_LIMIT, self.child.wait()).await.context("the host does not stop")??;
        if !exit.success() {
            bail!("the host stopped with {exit}: {}", self.log.tail());
        }
        Ok(self.home)
    }

    /// Waits until it ends by itself, and says how, with the last lines of its log.
    ///
    /// # Errors
    /// The operating system cannot tell.
    pub async fn ended(&mut self) -> anyhow::Result<(ExitStatus, String)> {
        Ok((self.child.wait().await?, self.log.tail()))
    }

    /// Its process id.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }
}

/// Asks until this very process answers; the caller bounds it in time.
async fn first_status(home: &Home, pid: Option<u32>) -> GetStatusResponse {
    loop {
        if is_served_by(home, pid).await
            && let Ok(mut client) = admin::connect(&home.socket_path()).await
            && let Ok(status) = client.get_status(GetStatusRequest {}).await
        {
            return status.into_inner();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Whether the admin socket is this process's. A host that was on the directory before answers there, too, while the new
/// one finds out that it is one too many.
async fn is_served_by(home: &Home, pid: Option<u32>) -> bool {
    let Ok(socket) = server::admin::socket::connect(&home.socket_path()).await else { return false };
    let peer = socket.peer_cred().ok().and_then(|peer| peer.pid());
    peer.is_some() && peer == pid.and_then(|pid| i32::try_from(pid).ok())
}

impl Log {
    /// The last lines of this run.
    fn tail(&self) -> String {
        let mut text = String::new();
        let read = File::open(&self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.begins))?;
            file.read_to_string(&mut text)
        });
        if let Err(error) = read {
            return format!("{}: {error}", self.path.display());
        }
        let lines: Vec<_> = text.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}
