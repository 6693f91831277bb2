//! The place of a measurement: without it a figure means nothing to anybody elsewhere.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use tempfile::TempDir;
use world::cores;

/// File systems that keep nothing on a disk.
const IN_MEMORY: [&str; 2] = ["tmpfs", "ramfs"];

/// A folder of our own in this directory, or in the system's own; it goes when it is dropped.
///
/// # Errors
/// There is no such directory, or it cannot be written to.
pub(crate) fn scratch(parent: Option<&Path>) -> anyhow::Result<TempDir> {
    let parent = parent.map_or_else(std::env::temp_dir, Path::to_owned);
    let folder = tempfile::Builder::new().prefix("kms-bench-").tempdir_in(&parent);
    folder.with_context(|| parent.display().to_string())
}

/// A machine, and a directory on it.
pub(crate) struct Place {
    system: String,
    processor: String,
    directory: PathBuf,
    file_system: Option<String>,
}

impl Place {
    /// This machine, and this directory.
    pub(crate) fn of(directory: &Path) -> Place {
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let directory = fs::canonicalize(directory).unwrap_or_else(|_| directory.to_owned());
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        Place {
            system: format!("{} {}", std::env::consts::OS, release.trim_end()),
            processor: model.map_or(std::env::consts::ARCH, |(_, model)| model).to_owned(),
            file_system: file_system(&mounts, &directory),
            directory,
        }
    }

    /// Whether a sync means nothing here.
    pub(crate) fn is_in_memory(&self) -> bool {
        self.file_system.as_deref().is_some_and(|name| IN_MEMORY.contains(&name))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { system, processor, directory, file_system } = self;
        writeln!(f, "machine  {} cores, {processor}, {system}", cores::available())?;
        let file_system = file_system.as_deref().unwrap_or("unknown");
        write!(f, "ledgers  in {}, file system {file_system}", directory.display())
    }
}

/// The type of the file system that a directory is on: that of the longest mount point above it, and of the last one
/// where two are mounted on one point.
fn file_system(mounts: &str, directory: &Path) -> Option<String> {
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((Path::new(fields.next()?), fields.next()?))
    });
    let above = mounts.filter(|(point, _)| directory.starts_with(point));
    above.max_by_key(|(point, _)| point.components().count()).map(|(_, name)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_mount_point_says_what_a_directory_is_on() {
        let mounts = "/dev/a / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/b /tmp/disk xfs rw 0 0\n";
        let on = |directory| file_system(mounts, Path::new(directory)).unwrap();
        assert_eq!(on("/tmp/kms"), "tmpfs");
        assert_eq!(on("/tmp/disk/kms"), "xfs");
        assert_eq!(on("/tmpfiles"), "ext4");
        assert_eq!(file_system("", Path::new("/tmp")), None);
    }
}
