//! Checks the clock: whether the host trusts it, and whether a time server keeps it right.

use std::path::Path;
use std::time::Duration;

use shared::doubt::{ClockReading, Doubt, HostClock};
use shared::reason::Reason;
use shared::time::Timestamp;
use tokio::process::Command;
use tokio::time::timeout;

use super::{Finding, Known};

/// systemd-timesyncd creates this file when it has set the clock.
const SYNCHRONIZED: &str = "/run/systemd/timesync/synchronized";

/// How long the system may take to say whether its clock is synchronised.
const ANSWER_LIMIT: Duration = Duration::from_secs(3);

/// Whether the running host trusts the clock, or whether a stopped host would at its start.
pub(super) fn trust(known: &Known, last_time: Option<Timestamp>) -> Finding {
    let now = known.clock.now();
    if let Some(status) = known.status() {
        let doubt = Some(&status.doubt).filter(|doubt| !doubt.is_empty());
        return judged(now, doubt.map(ToString::to_string));
    }
    let Some(last_time) = last_time else {
        return Finding::skipped(
            "clock",
            format!("it says {now}, and there is nothing here to compare it with"),
        );
    };
    if known.certificates.all().next().is_none() {
        let text = format!("it says {now}; without a certificate the host cannot judge it");
        return Finding::skipped("clock", text);
    }
    let reading = ClockReading { wall: now, monotonic: known.clock.monotonic() };
    let clock = HostClock::start(reading, Some(last_time), known.certificates.longest_window());
    match clock.doubt() {
        Some(doubt @ Doubt::LongAfterLastCommit { .. }) => {
            let remedy = "nothing if the host was off for so long: known machines end the doubt, or \
                          `kms-host clock confirm` does; otherwise set the clock";
            Finding::warn(
                "clock",
                format!("it says {now}, and a host that starts now would doubt it: {doubt}"),
                remedy,
            )
        }
        doubt => judged(now, doubt.map(|doubt| doubt.to_string())),
    }
}

fn judged(now: Timestamp, doubt: Option<String>) -> Finding {
    match doubt {
        None => Finding::ok("clock", format!("it says {now}, and the host trusts it")),
        Some(doubt) => {
            let cause = Reason::HostClock.with(&[("cause", &doubt)]);
            Finding::fail("clock", format!("{cause}; it says {now}"), cause.remedy())
        }
    }
}

/// Machines whose clocks differ by four hours are refused, so a host whose clock drifts refuses all of them.
pub(super) async fn time_server() -> Finding {
    if Path::new(SYNCHRONIZED).exists() {
        return Finding::ok("time server", "systemd-timesyncd keeps the clock right");
    }
    match synchronized().await.as_deref().map(str::trim) {
        Some("yes") => Finding::ok("time server", "the system says that its clock is synchronised"),
        Some("no") => {
            let remedy = "`timedatectl set-ntp true`, or see to the time service that this machine has";
            Finding::warn("time server", "the system says that its clock is not synchronised", remedy)
        }
        _ => Finding::skipped("time server", "this system does not say whether its clock is synchronised"),
    }
}

/// Asks the kernel, by the one program that every systemd has. chrony and ntpd tell the kernel, too.
async fn synchronized() -> Option<String> {
    let mut command = Command::new("timedatectl");
    command.args(["show", "--property=NTPSynchronized", "--value"]).kill_on_drop(true);
    let output = timeout(ANSWER_LIMIT, command.output()).await.ok()?.ok()?;
    String::from_utf8(output.stdout).ok()
}
