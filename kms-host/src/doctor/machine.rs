//! The machine under the host: its disk, its descriptors, and the connections that its kernel holds before they are accepted.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use shared::time::Length;
use store::file;

use super::{Finding, Known};
use crate::accept::Limits;

/// Less than this, and a busy day or somebody's log fills the disk.
const FREE_ENOUGH: u64 = 1 << 30;

/// Less than this is as good as full: an engine needs some of it even to open its files.
const FREE_LEAST: u64 = 64 << 20;

/// A sync that takes longer is felt: a host makes one for each batch of answers.
const SYNC_SLOW: Duration = Duration::from_millis(200);

/// Fewer connections than this are felt when a site of thousands is switched on in the morning.
const CONNECTIONS_ENOUGH: usize = 4096;

/// Space, and a small file that is written, synced and removed.
pub(super) fn disk(known: &Known) -> Finding {
    let data = known.wanted.home.path();
    let at = data.display();
    let space = match rustix::fs::statvfs(data) {
        Ok(space) => space,
        Err(error) => {
            return Finding::fail(
                "disk",
                format!("the disk of {at} cannot be asked: {error}"),
                "see that it is mounted",
            );
        }
    };
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    let has_no_inodes = 0 < space.f_files && space.f_favail == 0;
    if free < FREE_LEAST || has_no_inodes {
        let what = if has_no_inodes { "no file can be made any more".to_owned() } else { mib(free) };
        return Finding::fail(
            "disk",
            format!("{at}: {what}"),
            "free some space, or move the directory to a larger disk",
        );
    }
    let before = known.clock.monotonic();
    if let Err(error) = write_a_file(data) {
        let error = format!("{:#}", anyhow::Error::from(error));
        let remedy = "see that the disk is mounted for writing and that the host's user may write there";
        return Finding::fail("disk", format!("{at} takes no file: {error}"), remedy);
    }
    let took = known.clock.monotonic().saturating_sub(before);
    let text = format!(
        "{at}: {}, and a file is synced in {}",
        mib(free),
        Length(took.max(Duration::from_millis(1)))
    );
    if free < FREE_ENOUGH {
        return Finding::warn("disk", text, "free some space before the disk is full");
    }
    if SYNC_SLOW < took {
        return Finding::warn(
            "disk",
            text,
            "see what else uses this disk: machines wait as long for an answer",
        );
    }
    Finding::ok("disk", text)
}

/// Whole and durable under its name, and gone again.
fn write_a_file(data: &Path) -> Result<(), file::FileError> {
    let path = data.join(".doctor");
    let written = file::replace(&path, &[0; 4096], 0o600);
    // What could not be written is not there.
    let _ = fs::remove_file(&path);
    written
}

fn mib(bytes: u64) -> String {
    format!("{} MiB free", bytes >> 20)
}

/// Whether they suffice for the connections that are configured.
pub(super) fn descriptors(known: &Known) -> Finding {
    let Some(config) = &known.config else {
        return Finding::skipped("descriptors", "the settings do not hold");
    };
    let (limit, text) = known.running.pid().and_then(of_process).unwrap_or_else(of_this_shell);
    let limits = Limits::within(
        usize::try_from(limit).unwrap_or(usize::MAX),
        config.connections,
        config.connections_per_address,
    );
    let wanted = if config.connections == 0 { CONNECTIONS_ENOUGH } else { config.connections };
    let text = format!("{text}: {} connections", limits.in_all);
    if limits.in_all < wanted {
        let remedy = format!(
            "raise the hard limit for {wanted} connections and 384 more: LimitNOFILE= in a systemd unit"
        );
        return Finding::warn("descriptors", text, remedy);
    }
    Finding::ok("descriptors", text)
}

/// As /proc has it: "Max open files  1024  524288  files". The host has raised the first to the second.
fn of_process(pid: i32) -> Option<(u64, String)> {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let limit = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let limit = limit.split_whitespace().next()?.parse().ok()?;
    let open = fs::read_dir(format!("/proc/{pid}/fd")).map(Iterator::count);
    let open = open.map_or_else(|_| String::new(), |open| format!(", and has {open} open"));
    Some((limit, format!("the host may open {limit}{open}")))
}

fn of_this_shell() -> (u64, String) {
    let limit = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    (limit, format!("a host that is started from here may open {limit}"))
}

/// Nothing where the kernel does not say.
pub(super) fn backlog() -> Option<Finding> {
    const ENOUGH: u64 = 4096;
    let text = fs::read_to_string("/proc/sys/net/core/somaxconn").ok()?;
    let held: u64 = text.trim().parse().ok()?;
    let text = format!("the kernel holds {held} connections until they are accepted");
    Some(if held < ENOUGH {
        Finding::warn("backlog", text, "`sysctl -w net.core.somaxconn=4096`, and the same in /etc/sysctl.d")
    } else {
        Finding::ok("backlog", text)
    })
}
