//! Checks the machine under the host: its disk, its descriptors, and how many connections its kernel holds before they are accepted.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{Access, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};
use server::accept::Limits;
use shared::reason::Reason;
use shared::time::Length;

use super::{Finding, Known};

/// With less than this, a busy day or another program's log fills the disk.
const FREE_ENOUGH: u64 = 1 << 30;

/// With less than this the disk counts as full: an engine needs space even to open its files.
const FREE_LEAST: u64 = 64 << 20;

/// A slower sync is noticeable, because a host syncs for each batch of answers.
const SYNC_SLOW: Duration = Duration::from_millis(200);

/// A smaller backlog is noticeable when a site of thousands is switched on in the morning.
const CONNECTIONS_ENOUGH: usize = 4096;

/// Checks the free space, and writes and syncs a small file.
pub(super) fn disk(known: &Known) -> Finding {
    let data = known.wanted.home.path();
    let at = data.display();
    let free = match store::file::free_bytes(data) {
        Ok(free) => free,
        Err(error) => {
            let text = format!("the file system of {at} cannot be read: {error}");
            return Finding::fail("disk", text, "see that it is mounted");
        }
    };
    let needed = known.config.as_ref().map_or(0, |config| config.free_space_mib << 20);
    if free < FREE_LEAST.max(needed) {
        let text = format!("{at}: {}; {}", mib(free), Reason::DiskFull.summary());
        return Finding::fail("disk", text, Reason::DiskFull.remedy());
    }
    let before = known.clock.monotonic();
    if let Err(error) = write_a_file(data) {
        let remedy = "see that the disk is mounted for writing and that the host's user may write there";
        return Finding::fail("disk", format!("no file can be written in {at}: {error}"), remedy);
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
            "find out what else uses this disk: machines wait for it with every answer",
        );
    }
    Finding::ok("disk", text)
}

/// Writes and syncs a file without a name, so nothing in the directory changes. On a file system without such files, it only checks
/// whether one could be written.
fn write_a_file(data: &Path) -> io::Result<()> {
    let Some(mut file) = unnamed_file(data)? else { return Ok(rustix::fs::access(data, Access::WRITE_OK)?) };
    file.write_all(&[0; 4096])?;
    file.sync_all()
}

fn unnamed_file(directory: &Path) -> io::Result<Option<File>> {
    match rustix::fs::open(directory, OFlags::TMPFILE | OFlags::WRONLY, Mode::RUSR | Mode::WUSR) {
        Err(Errno::OPNOTSUPP | Errno::ISDIR) => Ok(None),
        opened => Ok(Some(opened?.into())),
    }
}

fn mib(bytes: u64) -> String {
    format!("{} MiB free", bytes >> 20)
}

/// Checks whether there are enough descriptors for the configured connections.
pub(super) fn descriptors(known: &Known) -> Finding {
    let Some(config) = &known.config else {
        return Finding::skipped("descriptors", "the settings are not valid");
    };
    let (limit, text) =
        known.running.as_ref().and_then(|running| of_process(running.pid?)).unwrap_or_else(of_this_shell);
    let limits = Limits::within(
        usize::try_from(limit).unwrap_or(usize::MAX),
        config.connections,
        config.connections_per_address,
    );
    let wanted = if config.connections == 0 { CONNECTIONS_ENOUGH } else { config.connections };
    let text = format!("{text}: {} connections", limits.in_all);
    if limits.in_all < wanted {
        let remedy = format!(
            "raise the hard limit to {}: LimitNOFILE= in a systemd unit, `ulimit -Hn` in a shell",
            Limits::descriptors_for(wanted)
        );
        return Finding::warn("descriptors", text, remedy);
    }
    Finding::ok("descriptors", text)
}

/// Parses /proc: "Max open files  1024  524288  files". The host raises the first number to the second.
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
    (limit, format!("a host started from here may open {limit}"))
}

/// Checks the kernel's limit, if it can be read.
pub(super) fn backlog() -> Option<Finding> {
    const ENOUGH: u64 = 4096;
    let text = fs::read_to_string("/proc/sys/net/core/somaxconn").ok()?;
    let held: u64 = text.trim().parse().ok()?;
    let text = format!("the kernel queues {held} connections before the host accepts them");
    Some(if held < ENOUGH {
        Finding::warn("backlog", text, "`sysctl -w net.core.somaxconn=4096`, and the same in /etc/sysctl.d")
    } else {
        Finding::ok("backlog", text)
    })
}
