//! A disk that runs full: the host refuses while there is still room for it to live, loses nothing, and goes on by itself.
//!
//! The small disk is a tmpfs that the test mounts, which takes root. Without it the test says NOT RUN and passes; what the
//! host says and takes up on SIGHUP is seen without one.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kms_host::home::{HOUR_MS, Home};
use ledger::Engine;
use proto::admin::v1::{Alarm, VerifyRequest};
use shared::answer::Verdict;
use shared::reason::Reason;
use tokio::process::Command;
use world::HostProcess;
use world::asker::{Asker, wire};
use world::shop::ORGANISATION;

use crate::stage::{Stage, YEAR, an_hour_ago, answered, now, serve, until};

const MIB: u64 = 1 << 20;

/// How much the hosts of these stories keep free on the small disk, in MiB.
const KEPT_MIB: u64 = 48;

async fn alarm(host: &HostProcess) -> Option<Alarm> {
    host.status().await.unwrap().alarms.into_iter().find(|alarm| alarm.code == "DISK_FULL")
}

/// How much the alarm says is free.
fn free_mib(alarm: &Alarm) -> u64 {
    alarm.text.split(' ').next().unwrap().parse().unwrap()
}

/// What one machine is told.
async fn ask(asker: &mut Asker, host: &HostProcess) -> Verdict {
    asker.ask(&mut wire(host.address()).unwrap(), now()).await.unwrap()
}

/// That a machine is refused, signed, by this reason, and comes back in minutes.
async fn check_refused(asker: &mut Asker, host: &HostProcess) {
    let Verdict::Refused(refused) = ask(asker, host).await else {
        panic!("there is no room to count anybody")
    };
    assert_eq!(refused.cause.reason(), Some(Reason::DiskFull));
    assert_eq!(refused.ask_again, Duration::from_mins(10));
}

fn log_of(host: &HostProcess) -> String {
    fs::read_to_string(host.home().path().with_extension("log")).unwrap()
}

/// The limit is what is set above what is free, so no disk has to be filled.
#[tokio::test]
async fn with_too_little_space_at_its_start_a_host_serves_refuses_and_takes_up_another_limit_on_sighup() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    let most_mib = 1_048_576;
    if most_mib * MIB <= store::file::free_bytes(home.path()).unwrap() {
        not_run("a host with too little space: a TiB is free here");
        return;
    }
    let settings = home.path().join("kms-host.toml");
    fs::write(&settings, format!("free_space_mib = {most_mib}\n")).unwrap();
    let host = serve(&home).await;
    let mut asker = Asker::new(&stage.shop).unwrap();

    check_refused(&mut asker, &host).await;
    let alarm_now = alarm(&host).await.expect("somebody should look");
    assert!(
        alarm_now.text.contains("MiB are free") && alarm_now.remedy.contains("free_space_mib"),
        "{alarm_now:?}"
    );
    assert!(0 < alarm_now.since && alarm_now.since <= now().unix_ms());
    let status = host.status().await.unwrap();
    assert_eq!((status.products[0].count, answered(&host, "DISK_FULL").await), (0, 1));

    fs::write(&settings, "free_space_mib = 1\n").unwrap();
    let pid = host.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-HUP", &pid]).status().await.unwrap().success());
    until("roomy", async || alarm(&host).await.is_none()).await;

    assert!(matches!(ask(&mut asker, &host).await, Verdict::Leased(_)));
    let log = log_of(&host);
    assert_eq!(log.matches("ERROR too little free space").count(), 1, "told once: {log}");
    assert_eq!(log.matches("free space again").count(), 1, "{log}");
    assert!(log.contains("key=\"free_space_mib\""), "{log}");
}

#[tokio::test]
async fn a_host_on_sled_refuses_before_its_disk_is_full_and_goes_on_when_there_is_room() {
    on_a_disk_that_fills(Engine::Sled).await;
}

#[tokio::test]
async fn a_host_on_fjall_refuses_before_its_disk_is_full_and_goes_on_when_there_is_room() {
    on_a_disk_that_fills(Engine::Fjall).await;
}

async fn on_a_disk_that_fills(engine: Engine) {
    let stage = Stage::with_threshold(3);
    let disk = match SmallDisk::mount(&stage.folder.path().join("host"), 160) {
        Ok(disk) => disk,
        Err(why) => return not_run(&format!("a host on a disk that fills: {why}")),
    };
    let home = Home::at(&disk.point);
    home.init(engine, HOUR_MS, &mut rand::rng()).unwrap();
    let settings = format!("ledger = {:?}\nfree_space_mib = {KEPT_MIB}\n", engine.name());
    fs::write(home.path().join("kms-host.toml"), settings).unwrap();
    stage.shop.certify(&home, ORGANISATION, an_hour_ago(), YEAR).unwrap();
    let host = serve(&home).await;
    let mut askers: Vec<_> = (0..5).map(|_| Asker::new(&stage.shop).unwrap()).collect();
    for asker in &mut askers {
        ask(asker, &host).await;
    }
    let serials: Vec<_> = askers.iter().map(Asker::serial).collect();

    disk.fill(KEPT_MIB - 8);
    until("short", async || alarm(&host).await.is_some()).await;
    let mut newcomer = Asker::new(&stage.shop).unwrap();
    check_refused(&mut newcomer, &host).await;
    check_refused(&mut askers[0], &host).await;

    // The administrator is served inside the reserve, and a host that starts there serves and refuses as well.
    host.admin().await.unwrap().verify(VerifyRequest {}).await.unwrap();
    let home = host.kill().await.unwrap();
    let host = serve(&home).await;
    check_refused(&mut newcomer, &host).await;
    assert!(alarm(&host).await.is_some());

    // A little is not enough; an eighth more than the limit is.
    disk.fill(KEPT_MIB + 3);
    until("seen", async || KEPT_MIB <= free_mib(&alarm(&host).await.unwrap())).await;
    check_refused(&mut newcomer, &host).await;
    disk.make_room();
    until("roomy", async || alarm(&host).await.is_none()).await;

    assert!(matches!(ask(&mut newcomer, &host).await, Verdict::Leased(_)));
    for (asker, serial) in askers.iter_mut().zip(serials) {
        assert!(matches!(ask(asker, &host).await, Verdict::Leased(_)));
        assert_eq!(asker.serial(), serial + 1, "nothing was lost, and nothing counted twice");
    }
    let verified = host.admin().await.unwrap().verify(VerifyRequest {}).await.unwrap().into_inner();
    let product = &verified.products[0];
    assert_eq!((verified.damaged, [product.count, product.recounted, product.active_found]), (0, [6; 3]));
    host.stop().await.unwrap();
}

/// A file system of a few MiB, gone with the test.
pub(crate) struct SmallDisk {
    point: PathBuf,
}

impl SmallDisk {
    pub(crate) fn mount(point: &Path, size_mib: u64) -> Result<SmallDisk, String> {
        fs::create_dir_all(point).unwrap();
        let size = format!("size={size_mib}m,mode=0700");
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(point)
            .output();
        let mounted = mounted.map_err(|error| format!("mount: {error}"))?;
        if !mounted.status.success() {
            return Err(String::from_utf8_lossy(&mounted.stderr).trim_end().to_owned());
        }
        Ok(SmallDisk { point: point.to_owned() })
    }

    /// Fills it until so much is left, or takes away until so much is.
    fn fill(&self, leave_mib: u64) {
        let file = File::options().create(true).truncate(false).write(true).open(self.filler()).unwrap();
        let (has, free) = (file.metadata().unwrap().len(), store::file::free_bytes(&self.point).unwrap());
        let wanted = (has + free).saturating_sub(leave_mib * MIB);
        file.set_len(wanted).unwrap();
        let chunk = vec![1; usize::try_from(MIB).unwrap()];
        let mut at = has;
        while at < wanted {
            let length = usize::try_from((wanted - at).min(MIB)).unwrap();
            file.write_all_at(&chunk[..length], at).unwrap();
            at += u64::try_from(length).unwrap();
        }
    }

    /// Fills it to the last byte.
    pub(crate) fn fill_whole(&self) {
        self.fill(0);
        let mut file = File::options().create(true).append(true).open(self.filler()).unwrap();
        while file.write_all(&[1; 512]).is_ok() {}
    }

    /// Mounts it anew with other options.
    pub(crate) fn remount(&self, options: &str) -> std::io::Result<()> {
        let options = format!("remount,{options}");
        let status = std::process::Command::new("mount").args(["-o", &options]).arg(&self.point).status()?;
        if status.success() { Ok(()) } else { Err(std::io::Error::other(format!("mount: {status}"))) }
    }

    /// Where it is mounted.
    pub(crate) fn point(&self) -> &Path {
        &self.point
    }

    pub(crate) fn make_room(&self) {
        fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> PathBuf {
        self.point.join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // A host that a failed story has left is killed a moment later, so the mount goes with its last file.
        let _ = std::process::Command::new("umount").arg("--lazy").arg(&self.point).status();
    }
}

/// Past the test harness, which would swallow it.
pub(crate) fn not_run(what: &str) {
    std::io::stderr().write_all(format!("NOT RUN: {what}\n").as_bytes()).unwrap();
}
