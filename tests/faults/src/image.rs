//! A file with an ext4 file system in it, mounted through a loop device.
//!
//! Every step is checked, because a mount that silently did not happen makes all that follows worthless. How two images
//! become a disk whose power can be cut is `disk.rs`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::process::run;

/// Puts a new, empty file system into a file, which takes space only as it fills.
pub(crate) fn format(image: &Path, size_bytes: u64, options: &[&str]) -> anyhow::Result<()> {
    let file = File::create(image).with_context(|| format!("create {}", image.display()))?;
    file.set_len(size_bytes).with_context(|| format!("size {}", image.display()))?;
    run(Command::new("mkfs.ext4").args(["-q", "-F"]).args(options).arg(image))
}

/// Copies an image; empty space stays empty. It reads what the loop device was given, synced to the real disk or not.
pub(crate) fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    run(Command::new("cp").arg("--sparse=always").args([from, to]))
}

/// An image that is mounted. Dropping it unmounts it.
#[derive(Debug)]
pub(crate) struct Mounted {
    point: PathBuf,
    mounted: bool,
}

impl Mounted {
    /// Mounts an image at a directory, which is made if it is missing. ext4 replays its journal meanwhile.
    ///
    /// # Errors
    /// It did not, or what is mounted there now is not ext4 on a loop device on this very file.
    pub(crate) fn mount(image: &Path, point: &Path, options: &str) -> anyhow::Result<Mounted> {
        fs::create_dir_all(point).with_context(|| format!("make {}", point.display()))?;
        run(Command::new("mount").args(["-t", "ext4", "-o", options]).args([image, point]))?;
        let mounted = Mounted { point: point.to_owned(), mounted: true };
        let mounts = fs::read_to_string("/proc/self/mountinfo").context("read what is mounted")?;
        let (kind, device) = kind_and_device(&mounts, point)
            .with_context(|| format!("{} is not mounted, though mount says so", point.display()))?;
        ensure!(kind == "ext4", "{} is {kind}, not ext4", point.display());
        let backing = backing_file(device)?;
        ensure!(backing == image, "{device} is on {}, not on {}", backing.display(), image.display());
        Ok(mounted)
    }

    /// Where it is mounted.
    pub(crate) fn point(&self) -> &Path {
        &self.point
    }

    /// Unmounts it.
    ///
    /// # Errors
    /// It is busy: somebody still has a file open in it, and the image is not what a machine would find.
    pub(crate) fn unmount(mut self) -> anyhow::Result<()> {
        self.mounted = false;
        run(Command::new("umount").arg(&self.point))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if !self.mounted {
            return;
        }
        if let Err(error) = run(Command::new("umount").arg(&self.point)) {
            // Its namespace goes with the last process in it, and the mount with that.
            eprintln!(
                "{} is mounted until the last process of this run ends: {error:#}",
                self.point.display()
            );
        }
    }
}

/// The file system and the device of what was mounted last at this point. A line of `/proc/self/mountinfo` is
/// `42 27 7:0 / POINT rw,relatime - ext4 /dev/loop0 rw`, with any number of fields before the dash.
fn kind_and_device<'a>(mounts: &'a str, point: &Path) -> Option<(&'a str, &'a str)> {
    let at_point = |line: &&str| line.split(' ').nth(4).is_some_and(|field| Path::new(field) == point);
    let (_, source) = mounts.lines().rfind(at_point)?.split_once(" - ")?;
    let mut fields = source.split(' ');
    Some((fields.next()?, fields.next()?))
}

/// The file behind a loop device such as `/dev/loop0`. Any other device has none.
fn backing_file(device: &str) -> anyhow::Result<PathBuf> {
    let name = device.strip_prefix("/dev/").unwrap_or(device);
    let path = format!("/sys/block/{name}/loop/backing_file");
    let backing = fs::read_to_string(&path).with_context(|| format!("{device} is not a loop device"))?;
    Ok(PathBuf::from(backing.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
        27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n\
        41 27 0:38 / /tmp/disk rw - tmpfs tmpfs rw,size=1024k\n\
        42 27 7:0 / /tmp/disk rw,relatime - ext4 /dev/loop0 rw,nobarrier\n";

    #[test]
    fn the_last_mount_at_a_point_is_what_is_seen_there() {
        let at = |point| kind_and_device(MOUNTS, Path::new(point));
        assert_eq!(at("/tmp/disk"), Some(("ext4", "/dev/loop0")));
        assert_eq!(at("/"), Some(("ext4", "/dev/vda")));
        assert_eq!(at("/tmp"), None);
    }

    #[test]
    fn a_disk_is_not_taken_for_a_loop_device() {
        assert!(backing_file("/dev/vda").unwrap_err().to_string().contains("is not a loop device"));
    }
}
