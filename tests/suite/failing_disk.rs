//! A disk that takes no sync any more: nothing is acknowledged, the host ends with 74 and says why, and the next start has every
//! machine that was answered.
//!
//! The disk is a library that is loaded before the C library and refuses every sync once a file is there. It takes a C compiler;
//! without one the test says NOT RUN. What a power cut makes of a failed write is `kms-faults power-cut --failed-writes`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use kms_host::home::{HOUR_MS, Home};
use ledger::Engine;
use world::asker::{Asker, wire};
use world::shop::ORGANISATION;
use world::{HostProcess, Program};

use crate::space::not_run;
use crate::stage::{LOOPBACK, Stage, YEAR, an_hour_ago, now, program, serve};

/// The library, or why there is none.
pub(crate) fn library(folder: &Path) -> Result<PathBuf, String> {
    let library = folder.join("failing_disk.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/suite/failing_disk.c");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(&library).args([source, "-ldl"]);
    let output = compiler.output().map_err(|error| format!("cc: {error}"))?;
    if output.status.success() {
        Ok(library)
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// `kms-host` with the library loaded. The disk fails once there is a file at `switch`.
fn on_the_disk(library: &Path, switch: &Path) -> Program {
    let program = program();
    let arguments = [
        format!("LD_PRELOAD={}", library.display()).into(),
        format!("KMS_DISK_FAILS={}", switch.display()).into(),
        program.path.into(),
    ];
    Program { path: "env".into(), arguments: arguments.into_iter().chain(program.arguments).collect() }
}

/// sled panicked when it was closed over a disk that had failed, and the host ended with 101: nothing to restart for.
async fn on(engine: Engine) {
    let stage = Stage::with_threshold(1);
    let library = match library(stage.folder.path()) {
        Ok(library) => library,
        Err(why) => return not_run(&format!("a host whose disk fails: {why}")),
    };
    let home = Home::at(stage.folder.path().join("host"));
    home.init(engine, HOUR_MS, &mut rand::rng()).unwrap();
    fs::write(home.path().join("kms-host.toml"), format!("ledger = {:?}\n", engine.name())).unwrap();
    stage.shop.certify(&home, ORGANISATION, an_hour_ago(), YEAR).unwrap();
    let switch = stage.folder.path().join("switch");
    let mut answered = 0;
    for fails_at in [1, 4, 9] {
        let mut host = HostProcess::start(&on_the_disk(&library, &switch), &home, LOOPBACK).await.unwrap();
        assert!(answered <= host.count().await.unwrap());
        for number in 0..=fails_at {
            if number == fails_at {
                fs::write(&switch, "").unwrap();
            }
            let mut asker = Asker::new(&stage.shop).unwrap();
            let told = asker.ask(&mut wire(host.address()).unwrap(), now()).await;
            assert_eq!(told.is_ok(), number < fails_at, "{told:?}");
            answered += u64::from(told.is_ok());
        }
        let (status, said) = host.ended().await.unwrap();
        assert_eq!(status.code(), Some(74), "{said}");
        assert!(said.contains("see to its disk") && !said.contains("panicked"), "{said}");
        fs::remove_file(&switch).unwrap();
    }
    // The sighting that was refused may be there or not: nobody was told.
    let count = serve(&home).await.count().await.unwrap();
    assert!((answered..=answered + 3).contains(&count), "{answered} were answered, {count} are counted");
}

#[tokio::test]
async fn a_host_on_sled_whose_disk_fails_ends_with_74_and_has_whoever_was_answered() {
    on(Engine::Sled).await;
}

#[tokio::test]
async fn a_host_on_fjall_whose_disk_fails_ends_with_74_and_has_whoever_was_answered() {
    on(Engine::Fjall).await;
}
