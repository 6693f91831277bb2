//! Checks the host itself: whether a process serves the directory and answers. If none does, whether its ledger opens.

use std::net::SocketAddr;
use std::time::Duration;

use ledger::Engine;
use proto::admin::v1::{Alarm, GetStatusRequest, GetStatusResponse};
use shared::reason::{Reason, Word};
use shared::record::FORMAT_VERSION;
use shared::time::Timestamp;
use tokio::time::timeout;

use super::directory::Owner;
use super::{Finding, Known};
use crate::admin;
use crate::home::{self, Home};

/// How long a host may take to answer.
const STATUS_LIMIT: Duration = Duration::from_secs(5);

/// A small cache is enough for one look at the ledger.
const CACHE_BYTES: u64 = 8 << 20;

/// Whether a process serves the directory.
pub(super) enum RunningHost {
    /// No process serves it.
    No,
    /// A process holds the socket and does not report its status.
    Silent { pid: Option<i32>, uid: u32, why: String },
    /// A process serves it, with this status.
    Yes { pid: Option<i32>, uid: u32, status: Box<GetStatusResponse> },
}

impl RunningHost {
    pub(super) async fn find(home: &Home) -> RunningHost {
        let socket = home.socket_path();
        let Some(peer) = admin::serving(&socket).await else { return RunningHost::No };
        // 0 is a process in another namespace, such as a container's.
        let (pid, uid) = (peer.pid().filter(|pid| 0 < *pid), peer.uid());
        let ask = async {
            let mut client = admin::connect(&socket).await.map_err(|error| error.to_string())?;
            let status = client.get_status(GetStatusRequest {}).await;
            status.map_err(|status| status.message().to_owned())
        };
        match timeout(STATUS_LIMIT, ask).await {
            Ok(Ok(status)) => RunningHost::Yes { pid, uid, status: Box::new(status.into_inner()) },
            Ok(Err(why)) => RunningHost::Silent { pid, uid, why },
            Err(_) => RunningHost::Silent { pid, uid, why: "it does not answer in time".to_owned() },
        }
    }

    /// The status of a host that answers.
    pub(super) fn status(&self) -> Option<&GetStatusResponse> {
        match self {
            RunningHost::Yes { status, .. } => Some(status),
            RunningHost::No | RunningHost::Silent { .. } => None,
        }
    }

    pub(super) fn pid(&self) -> Option<i32> {
        match self {
            RunningHost::No => None,
            RunningHost::Silent { pid, .. } | RunningHost::Yes { pid, .. } => *pid,
        }
    }

    pub(super) fn uid(&self) -> Option<u32> {
        match self {
            RunningHost::No => None,
            RunningHost::Silent { uid, .. } | RunningHost::Yes { uid, .. } => Some(*uid),
        }
    }

    /// The addresses that it listens on.
    pub(super) fn listening(&self) -> Vec<SocketAddr> {
        let listening = self.status().map(|status| &status.listening[..]).unwrap_or_default();
        listening.iter().filter_map(|address| address.parse().ok()).collect()
    }
}

pub(super) fn running(known: &Known) -> Finding {
    let data = known.wanted.home.path().display();
    let process = known.running.pid().map_or("a process".to_owned(), |pid| format!("process {pid}"));
    match &known.running {
        RunningHost::Yes { status, .. } => {
            let (version, since) = (&status.version, Timestamp::from_unix_ms(status.started_at));
            Finding::ok("host", format!("{process} serves since {since}, version {version}"))
        }
        RunningHost::Silent { why, .. } => {
            let remedy = "read its log (`journalctl -u kms-host`) and look at its disk; then restart it";
            Finding::fail(
                "host",
                format!("{process} serves {data} but does not report its status: {why}"),
                remedy,
            )
        }
        RunningHost::No => {
            let remedy = format!(
                "`systemctl start kms-host`, or `kms-host serve --data {data}`; `journalctl -u kms-host` has why it ended"
            );
            Finding::fail("host", format!("nobody serves {data}"), remedy)
        }
    }
}

/// The alarms of the host, without those that have checks of their own.
pub(super) fn alarms(known: &Known) -> Vec<Finding> {
    let reasons = [Reason::HostClock, Reason::CertificateEnded, Reason::DiskFull].map(Reason::code);
    let words = [Word::CERTIFICATE_DIFFERS, Word::CERTIFICATE_ENDS_SOON, Word::CERTIFICATE_UNUSABLE];
    let checked = [reasons, words.map(|word| word.code)].concat();
    let alarms = known.running.status().map(|status| &status.alarms[..]).unwrap_or_default();
    let is_checked = |code: &str| checked.contains(&code) || code.starts_with("TLS_CERTIFICATE_");
    let others = alarms.iter().filter(|alarm| !is_checked(&alarm.code));
    let finding =
        |alarm: &Alarm| Finding::warn("alarm", format!("{}: {}", alarm.code, alarm.text), &alarm.remedy);
    others.map(finding).collect()
}

/// Checks whether the ledger opens, and returns when it was last written.
pub(super) async fn ledger(known: &Known<'_>, owner: &Owner) -> (Finding, Option<Timestamp>) {
    let skipped = |why: &str| (Finding::skipped("ledger", why), None);
    match &known.running {
        RunningHost::Yes { .. } => return (Finding::ok("ledger", "open, by the host that runs"), None),
        RunningHost::Silent { .. } => return skipped("the host that does not answer has it open"),
        RunningHost::No => {}
    }
    let Some(config) = &known.config else { return skipped("the settings are not valid") };
    // Another user may be able to read more than the host, or less.
    if rustix::process::geteuid().as_raw() != owner.uid {
        return skipped("only the host's user may open it");
    }
    match open(known, config.ledger).await {
        Ok((format, last_time)) => {
            let upgrade = if format < FORMAT_VERSION { ", which the host upgrades at its start" } else { "" };
            let last =
                last_time.map_or("it is new".to_owned(), |last| format!("its last entry is of {last}"));
            let text = format!("opens on {}, format {format}{upgrade}; {last}", config.ledger.name());
            (Finding::ok("ledger", text), last_time)
        }
        Err(finding) => (finding, None),
    }
}

async fn open(known: &Known<'_>, engine: Engine) -> Result<(u8, Option<Timestamp>), Finding> {
    let looked = known.wanted.home.look_at_ledger(engine, CACHE_BYTES);
    let (ledger, format) = looked.map_err(|error| Finding::of("ledger", &error))?;
    home::check_hour_width(&known.certificates, ledger.meta().hour_width_ms)
        .map_err(|error| Finding::of("ledger", &error))?;
    let last_time = ledger.last_time().await.map_err(|error| Finding::of("ledger", &error))?;
    Ok((format, last_time))
}
