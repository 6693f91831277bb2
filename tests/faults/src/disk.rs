//! A disk whose power can be cut at any instant, in the middle of a sync too.
//!
//! The machine's file system is in an image, and that image is a file in a file system of its own, the one below. When
//! the one below is frozen, nothing reaches the image any more: what it has then is what the disk would have had. A copy
//! of a running image, without this, would have some blocks from before a sync and some from after it, and would blame
//! the store for what no disk does.
//!
//! ```text
//! store -> page cache, journal -> ext4 in disk.img -> loop -> ext4 in below.img, frozen at the cut -> loop -> here
//! ```

use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::{Context as _, ensure};

use crate::image::{self, Mounted};
use crate::process::run;

/// Room for the stores of a few thousand batches, and for the engine's waste.
const DISK_BYTES: u64 = 1 << 30;

/// Room for a disk that is full.
const BELOW_BYTES: u64 = 2 * DISK_BYTES;

/// A disk with a file system that is mounted. Whoever has files open in it must be gone before it is dropped.
#[derive(Debug)]
pub(crate) struct Disk {
    home: PathBuf,
    /// Before `below`, so that it is unmounted first. `None` only after an error.
    mounted: Option<Mounted>,
    below: Mounted,
}

impl Disk {
    /// A new disk, empty, with everything it needs in this directory.
    pub(crate) fn new(home: &Path) -> anyhow::Result<Disk> {
        let image = home.join("below.img");
        // Neither a journal nor barriers: nobody cuts the power of this one, and syncs need not wait for it.
        image::format(&image, BELOW_BYTES, &["-O", "^has_journal"])?;
        let below = Mounted::mount(&image, &home.join("below"), "loop,nobarrier")?;
        let mut disk = Disk { home: home.to_owned(), mounted: None, below };
        disk.renew()?;
        Ok(disk)
    }

    /// Where it is mounted.
    pub(crate) fn point(&self) -> PathBuf {
        self.home.join("disk")
    }

    /// Takes another disk, an empty one.
    pub(crate) fn renew(&mut self) -> anyhow::Result<()> {
        self.unmount()?;
        // Inodes and journal have their places now and not at their first use: see `fail`.
        let in_place = ["-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard"];
        image::format(&self.image(), DISK_BYTES, &in_place)?;
        self.mount()
    }

    /// Takes the disk that a cut has left behind, as a machine would that starts again.
    pub(crate) fn restore(&mut self, copy: &Path) -> anyhow::Result<()> {
        self.unmount()?;
        image::copy(copy, &self.image())?;
        self.mount()
    }

    /// Cuts the power: copies what is on the disk at this instant. The machine itself goes on after it.
    ///
    /// `witness` is called after the instant, while nothing reaches the disk: what it sees acknowledged, the copy must
    /// have.
    pub(crate) fn cut<T>(&self, copy: &Path, witness: impl FnOnce() -> T) -> anyhow::Result<T> {
        let frozen = Frozen::freeze(self.below.point())?;
        image::copy(&self.image(), copy)?;
        let seen = witness();
        frozen.thaw()?;
        Ok(seen)
    }

    /// Has it fail every write to a place that it was not given yet: the file system below is full. The machine's own file
    /// system is brought into place before, so that it is the store's writes that fail.
    pub(crate) fn fail(&self) -> anyhow::Result<()> {
        for step in ["--freeze", "--unfreeze"] {
            run(Command::new("fsfreeze").arg(step).arg(self.point()))?;
        }
        let free = "fallocate --length \"$(($(stat --file-system --format '%f * %S' \"$1\")))\" \"$1/filler\" 2>&1; \
                    cat /dev/zero > \"$1/rest\" 2>/dev/null; true";
        run(Command::new("sh").args(["-c", free, "sh"]).arg(self.below.point()))
    }

    /// Makes it well again.
    pub(crate) fn heal(&self) -> anyhow::Result<()> {
        for name in ["filler", "rest"] {
            match fs::remove_file(self.below.point().join(name)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed.context("make room below")?,
            }
        }
        Ok(())
    }

    fn image(&self) -> PathBuf {
        self.below.point().join("disk.img")
    }

    fn unmount(&mut self) -> anyhow::Result<()> {
        self.mounted.take().map_or(Ok(()), Mounted::unmount)
    }

    fn mount(&mut self) -> anyhow::Result<()> {
        // ext4 as it comes, barriers included.
        self.mounted = Some(Mounted::mount(&self.image(), &self.point(), "loop")?);
        Ok(())
    }
}

/// Freezes, says so, and thaws when its stdin ends. Once frozen it thaws whatever fails: a reader that has died in the
/// meantime, which would end `echo` and the shell with it, does not keep it from that.
const FREEZE: &str =
    r#"trap '' PIPE; fsfreeze --freeze "$1" || exit; echo frozen; cat; fsfreeze --unfreeze "$1""#;

/// A file system that takes no writes, for as long as a second process holds it so. Dropping it thaws it.
///
/// That process hears of no Ctrl-C. When this one dies, the other thaws: whatever is frozen for good hangs everybody
/// who writes to it, the kernel included.
struct Frozen {
    holder: Child,
    stdin: Option<ChildStdin>,
}

impl Frozen {
    fn freeze(point: &Path) -> anyhow::Result<Frozen> {
        let mut holder = Command::new("sh")
            .args(["-c", FREEZE, "sh"])
            .arg(point)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("start sh")?;
        let stdin = holder.stdin.take();
        let stdout = holder.stdout.take();
        let frozen = Frozen { holder, stdin };
        let mut said = String::new();
        BufReader::new(stdout.context("sh has no stdout")?).read_line(&mut said)?;
        ensure!(said == "frozen\n", "{} was not frozen", point.display());
        Ok(frozen)
    }

    fn thaw(mut self) -> anyhow::Result<()> {
        drop(self.stdin.take());
        let status = self.holder.wait()?;
        ensure!(status.success(), "the file system stays frozen: {status}");
        Ok(())
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        drop(self.stdin.take());
        // Nobody is left to be told, and after `thaw` there is nothing to tell.
        let _ = self.holder.wait();
    }
}
