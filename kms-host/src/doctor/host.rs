//! Checks the host itself: whether a process serves the directory and answers. If none does, whether its ledger opens.

use std::net::SocketAddr;
use std::time::Duration;

use ledger::Engine;
use proto::admin::v1::{Alarm, GetStatusRequest, GetStatusResponse};
use shared::reason::{Reason, Word};
use shared::record::FORMAT_VERSION;
use shared::time::Timestamp;
use tokio::time::timeout;
use tonic::Response;

use super::directory::Owner;
use super::{Finding, Known};
use crate::admin;
use crate::home::{self, Home};

/// How long a host may take to answer.
const STATUS_LIMIT: Duration = Duration::from_secs(5);

/// A small cache is enough for one look at the ledger.
const CACHE_BYTES: u64 = 8 << 20;

/// A process that serves the directory.
pub(super) struct RunningHost {
    pub(super) pid: Option<i32>,
    pub(super) uid: u32,
    /// Its status, or why it does not report one.
    pub(super) status: Result<GetStatusResponse, String>,
}

impl RunningHost {
    pub(super) async fn find(home: &Home) -> Option<RunningHost> {
        let socket = home.socket_path();
        let peer = server::admin::serving(&socket).await?;
        let ask = async {
            let mut client = admin::connect(&socket).await.map_err(|error| error.to_string())?;
            let status = client.get_status(GetStatusRequest {}).await;
            status.map(Response::into_inner).map_err(|status| status.message().to_owned())
        };
        let late = |_| Err("it does not answer in time".to_owned());
        let status = timeout(STATUS_LIMIT, ask).await.unwrap_or_else(late);
        // 0 is a process in another namespace, such as a container's.
        Some(RunningHost { pid: peer.pid().filter(|pid| 0 < *pid), uid: peer.uid(), status })
    }

    /// The status of a host that answers.
    pub(super) fn status(&self) -> Option<&GetStatusResponse> {
        self.status.as_ref().ok()
    }
}

impl Known<'_> {
    pub(super) fn status(&self) -> Option<&GetStatusResponse> {
        self.running.as_ref()?.status()
    }

    /// The addresses that the host listens on.
    pub(super) fn listening(&self) -> Vec<SocketAddr> {
        let listening = self.status().map(|status| &status.listening[..]).unwrap_or_default();
        listening.iter().filter_map(|address| address.parse().ok()).collect()
    }
}

pub(super) fn running(known: &Known) -> Finding {
    let data = known.wanted.home.path().display();
    let Some(RunningHost { pid, status, .. }) = &known.running else {
        let remedy = format!(
            "`systemctl start kms-host`, or `kms-host serve --data {data}`; `journalctl -u kms-host` has why it ended"
        );
        return Finding::fail("host", format!("nobody serves {data}"), remedy);
    };
    let process = pid.map_or("a process".to_owned(), |pid| format!("process {pid}"));
    match status {
        Ok(status) => {
            let (version, since) = (&status.version, Timestamp::from_unix_ms(status.started_at));
            Finding::ok("host", format!("{process} serves since {since}, version {version}"))
        }
        Err(why) => {
            let remedy = "read its log (`journalctl -u kms-host`) and look at its disk; then restart it";
            Finding::fail(
                "host",
                format!("{process} serves {data} but does not report its status: {why}"),
                remedy,
            )
        }
    }
}

/// The alarms of the host, without those that have checks of their own.
pub(super) fn alarms(known: &Known) -> Vec<Finding> {
    let reasons = [Reason::HostClock, Reason::CertificateEnded, Reason::DiskFull].map(Reason::code);
    let words = [
        Word::CERTIFICATE_DIFFERS,
        Word::CERTIFICATE_ENDS_SOON,
        Word::CERTIFICATE_REVOKED,
        Word::CERTIFICATE_UNUSABLE,
    ];
    let checked = [&reasons[..], &words.map(|word| word.code)].concat();
    let alarms = known.status().map(|status| &status.alarms[..]).unwrap_or_default();
    // These say why the portal has not renewed a certificate, which no check knows.
    let of_renewal = [Word::CERTIFICATE_ENDS_SOON.code, Reason::CertificateEnded.code()];
    let has_portal = known.config.as_ref().is_some_and(|config| !config.portal.is_empty());
    let is_checked = |code: &str| {
        (checked.contains(&code) || code.starts_with("TLS_CERTIFICATE_"))
            && !(has_portal && of_renewal.contains(&code))
    };
    let others = alarms.iter().filter(|alarm| !is_checked(&alarm.code));
    let finding =
        |alarm: &Alarm| Finding::warn("alarm", format!("{}: {}", alarm.code, alarm.text), &alarm.remedy);
    others.map(finding).collect()
}

/// Checks whether the ledger opens, and returns when it was last written.
pub(super) async fn ledger(known: &Known<'_>, owner: &Owner) -> (Finding, Option<Timestamp>) {
    let skipped = |why: &str| (Finding::skipped("ledger", why), None);
    match known.running.as_ref().map(RunningHost::status) {
        Some(Some(_)) => return (Finding::ok("ledger", "open, by the host that runs"), None),
        Some(None) => return skipped("the host that does not answer has it open"),
        None => {}
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
