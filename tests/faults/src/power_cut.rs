//! Power cuts: at a random instant the disk is copied as it is, and the store on the copy must have all that was
//! acknowledged.
//!
//! What the page cache and the journal had not given to the disk is gone with the cut. What comes after a cut is drawn:
//! the same loader goes on to the next, or the store that came through it is loaded on, or a new store begins, because
//! young ones are the most exposed. With `--failed-writes` the disk fails a write before each cut, and a loader starts again
//! on what the kernel shows then. How the disk is cut is `disk.rs`.

use std::convert::Infallible;
use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::Plan;
use crate::clock::Stopwatch;
use crate::disk::Disk;
use crate::image::Mounted;
use crate::process::{Loaded, Loader, run as run_command};
use crate::subject::Subject;
use crate::verdict::{Fault, Found, Tally};

/// The most acknowledgements after a failed write: the next large batch of fjall's may rewrite what is missing.
const FEW: u32 = 5;

/// A line of progress after so many cuts.
const PROGRESS: u32 = 10;

/// The commands of the system that a cut needs.
const COMMANDS: [&str; 9] =
    ["cp", "fallocate", "fsfreeze", "losetup", "mkfs.ext4", "mount", "sh", "umount", "unshare"];

/// Starts this program again with mounts of its own, which nobody else sees and which go with it, however it ends.
///
/// # Errors
/// Power cuts cannot run here; the error names what is missing.
pub(crate) fn run_apart() -> anyhow::Result<Infallible> {
    if let Some(missing) = missing() {
        bail!("power cuts cannot run here: {missing}");
    }
    let program = env::current_exe().context("this program does not find itself")?;
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private"]).arg(program);
    let error = command.args(env::args_os().skip(1)).arg("--apart").exec();
    Err(error).context("start unshare")
}

/// The first thing that this machine has not, with its remedy.
fn missing() -> Option<String> {
    // The owner of /proc/self is the effective user of this process.
    if fs::metadata("/proc/self").map_or(true, |process| process.uid() != 0) {
        return Some("they mount file systems; start this as root on Linux".to_owned());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let has = |command: &&str| env::split_paths(&path).any(|directory| directory.join(command).is_file());
    if let Some(command) = COMMANDS.iter().find(|command| !has(command)) {
        return Some(format!("there is no {command}; install coreutils, util-linux and e2fsprogs"));
    }
    if let Err(error) = run_command(Command::new("losetup").arg("--find")) {
        return Some(format!("there is no loop device; load the module `loop` ({error:#})"));
    }
    if let Err(error) = run_command(Command::new("unshare").args(["--mount", "true"])) {
        return Some(format!("mounts are not allowed; a container has to be privileged ({error:#})"));
    }
    None
}

/// Runs the plan to its end, however bad the findings are.
///
/// # Errors
/// The run could not be made, and has shown nothing.
pub(crate) fn run(plan: &Plan, failed_writes: bool) -> anyhow::Result<Tally> {
    ensure!(
        plan.store != Subject::Postgres,
        "what PostgreSQL keeps through a power cut is its own doing; use `kill`"
    );
    let seed = plan.seed.unwrap_or_else(rand::random);
    println!("power-cut {}: {} cuts, seed {seed}", plan.store.name(), plan.cycles);
    let watch = Stopwatch::start();
    let home = tempfile::Builder::new().prefix("kms-faults-").tempdir().context("make a directory")?;
    let mut random = StdRng::seed_from_u64(seed);
    let mut tally = Tally::new(Fault::PowerCut, plan.store, seed);
    // The kernel tells the places of mounts without links in them.
    let mut machine = Machine::new(plan, fs::canonicalize(home.path())?, random.random())?;
    let (mut unshown, mut stood_still) = (0, 0);
    while tally.faults() < plan.cycles {
        match machine.work(&mut random) {
            // The engine met files that no synced store leaves behind, and stands still. Nothing is learnt from it.
            Err(error) if plan.no_sync && stood_still < plan.cycles => {
                println!("  {error}; a new store takes its place");
                stood_still += 1;
                machine.begin_anew(&mut random)?;
                continue;
            }
            worked => worked?,
        }
        if failed_writes && !machine.fail_a_write(&mut random)? {
            unshown += 1;
            ensure!(unshown <= 10 * plan.cycles, "nearly every failed write ended the file system");
            machine.begin_anew(&mut random)?;
            continue;
        }
        machine.cut(&mut tally, &mut random)?;
        if tally.faults().is_multiple_of(PROGRESS) {
            println!("{}", tally.progress(plan.cycles));
        }
    }
    ensure!(tally.acknowledged() > 0, "no batch was acknowledged, so nothing could be lost");
    tally.took = watch.elapsed();
    Ok(tally)
}

/// A machine that loads a store on its disk.
struct Machine<'a> {
    plan: &'a Plan,
    home: PathBuf,
    /// Before the disk, so that it is gone when that is unmounted. `None` only between two loaders.
    loader: Option<Loader>,
    disk: Disk,
    seed: u64,
    /// The last batch that is known to be durable, and was counted.
    before: u64,
    /// Whether the loader has only just been started.
    is_young: bool,
}

impl Machine<'_> {
    fn new(plan: &Plan, home: PathBuf, seed: u64) -> anyhow::Result<Machine<'_>> {
        let disk = Disk::new(&home)?;
        let mut machine = Machine { plan, home, loader: None, disk, seed, before: 0, is_young: false };
        machine.start()?;
        // The first cut waits for an acknowledgement, so that no run is without one.
        machine.is_young = false;
        Ok(machine)
    }

    /// Lets the loader work until the instant of the next cut.
    fn work(&mut self, random: &mut StdRng) -> anyhow::Result<()> {
        // Half of the young ones are cut while they are still being made or opened, or with their first batches.
        let is_early = self.is_young && random.random();
        let acknowledgements = if is_early { 0 } else { random.random_range(1..=self.plan.store.patience()) };
        self.is_young = false;
        let loader = self.loader.as_mut().context("nobody loads the store")?;
        loader.so_far();
        for _ in 0..acknowledgements {
            loader.next()?;
        }
        thread::sleep(Duration::from_micros(random.random_range(0..3_000)));
        Ok(())
    }

    /// Has the disk fail a write, at which the loader ends. Another one goes on with what it finds, on a disk that is well
    /// again: the kernel may show it what the disk never got. Says whether it could: ext4 may take no more writes at all.
    fn fail_a_write(&mut self, random: &mut StdRng) -> anyhow::Result<bool> {
        let loader = self.loader.take().context("nobody loads the store")?;
        self.disk.fail()?;
        let last = loader.ended()?;
        self.disk.heal()?;
        self.before = self.before.max(last);
        self.start()?;
        self.is_young = false;
        let loader = self.loader.as_mut().context("nobody loads the store")?;
        for nth in 0..random.random_range(1..=FEW) {
            match loader.next() {
                Err(_) => return Ok(false),
                // The kernel has called the write synced that failed first. SQLite has no mark that would show it.
                Ok(number) if nth == 0 && number == last => return Ok(false),
                Ok(_) => {}
            }
        }
        Ok(true)
    }

    /// Cuts the power, adds up what is left, and draws how it goes on.
    fn cut(&mut self, tally: &mut Tally, random: &mut StdRng) -> anyhow::Result<()> {
        let copy = self.home.join("cut.img");
        let loader = self.loader.as_mut().context("nobody loads the store")?;
        // A loader on a store that was there before need not have said anything yet.
        let acknowledged = self.disk.cut(&copy, || loader.so_far())?.max(self.before);
        let found = self.check(&copy)?;
        match tally.add(self.before, acknowledged, &found) {
            Ok(_) if random.random_bool(0.4) => self.before = acknowledged,
            Ok(last) if random.random() => self.load_on(&copy, last)?,
            Ok(_) => self.begin_anew(random)?,
            Err(wrong) => {
                println!("  cut {}: {wrong}", tally.faults());
                self.begin_anew(random)?;
            }
        }
        Ok(())
    }

    /// What is in the store on a copy of the disk, which this changes as any start of the machine would.
    fn check(&self, copy: &Path) -> anyhow::Result<Found> {
        let mounted = Mounted::mount(copy, &self.home.join("cut"), "loop")?;
        let found = self.loaded(&store_in(mounted.point())).check()?;
        mounted.unmount()?;
        Ok(found)
    }

    /// The store that came through the cut is opened and loaded on.
    fn load_on(&mut self, copy: &Path, last: u64) -> anyhow::Result<()> {
        self.loader = None;
        self.disk.restore(copy)?;
        self.before = last;
        self.start()
    }

    /// A new store on a new disk, with a load of its own.
    fn begin_anew(&mut self, random: &mut StdRng) -> anyhow::Result<()> {
        self.loader = None;
        self.disk.renew()?;
        self.seed = random.random();
        self.before = 0;
        self.start()
    }

    fn start(&mut self) -> anyhow::Result<()> {
        let directory = store_in(&self.disk.point());
        self.loader = Some(Loader::start(self.loaded(&directory), self.plan.no_sync)?);
        self.is_young = true;
        Ok(())
    }

    fn loaded<'a>(&self, directory: &'a Path) -> Loaded<'a> {
        Loaded { subject: self.plan.store, directory, seed: self.seed }
    }
}

fn store_in(disk: &Path) -> PathBuf {
    disk.join("store")
}
