//! `load`: asks a host as a fleet would, at a pace that a slow host cannot slow down, and reports the answers.
//!
//! A run goes one way: `options` and `scenario` say what is played, `played` against which host, `site` or `target`; `play` paces
//! the phases and `turn` is one machine's part in them, over `wire`; `tally` takes notes. Once the clock has stopped
//! `verify` looks at the answers, `expect` compares with what the scenario promised, and the result is printed, kept as
//! JSON and drawn. Read next: `play.rs`.

mod options;
mod scenario;

mod played;
#[doc(hidden)]
pub mod site;
mod target;

mod ground;
mod pace;
mod play;
mod seat;
mod turn;
mod turns;

mod chains;
mod machine;
mod sources;
mod wire;

mod outcome;
mod tally;
mod verify;

mod expect;
mod result;

mod files;
mod merge;
mod page;
mod progress;
mod table;

#[cfg(test)]
mod testing;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use kms_client::{Clock, SystemClock};
use program::exit::{EX_CANTCREAT, EX_DATAERR, EX_IOERR, EX_UNAVAILABLE, EX_USAGE};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use world::Program;

use self::ground::Ground;
use self::machine::Machine;
use self::played::Played;
use self::progress::Progress;
use self::result::LoadResult;
use self::scenario::{HostIs, Scenario};
use self::seat::{Retry, Seat};
use self::sources::Addresses;
use self::verify::Keeper;
use self::wire::{Limits, Wire};

pub(crate) use self::options::{Options, ReportOptions};
use crate::exit::{Failure, OrExit};

/// Plays a scenario, prints its result, and returns whether all is as the scenario expects.
///
/// # Errors
/// It could not be played: nothing was measured.
pub(crate) async fn run(options: Options, program: Program) -> Result<bool, Failure> {
    if options.show {
        crate::print(&Scenario::text(&options.scenario).or_exit(EX_DATAERR)?).or_exit(EX_IOERR)?;
        return Ok(true);
    }
    let scenario = options.scenario().or_exit(EX_DATAERR)?;
    // A run of minutes is not to end in a folder that cannot be written.
    options.out.as_deref().map(files::prepare).transpose().or_exit(EX_CANTCREAT)?;
    let mut played = Played::find(&scenario, &options.whom, program).await.or_exit(EX_UNAVAILABLE)?;
    let ground = Arc::new(set_up(&scenario, &options, &played).or_exit(EX_USAGE)?);

    let stop = end_when_told().or_exit(EX_IOERR)?;
    let played_out = CancellationToken::new();
    let aways = scenario.phases.iter().filter(|phase| phase.host != HostIs::There);
    let aways = aways.map(|phase| phase.name.clone()).collect();
    let watching =
        tokio::spawn(watch(ground.clone(), options.quiet, aways, stop.clone(), played_out.clone()));
    let (before, seed) = (options.signed_before, options.seed);
    let ended = play::play(&ground, &scenario, played.site.as_mut(), before, seed, &stop).await;
    played_out.cancel();
    let gone = watching.await.context("the progress").or_exit(EX_IOERR)?;

    let mut result = conclude(&scenario, &options, &ground, &played).await;
    // An error of the host is part of the result, and no reason to lose the result.
    let stopped = match &mut played.site {
        Some(site) => site.stop().await.context("the throwaway host"),
        None => Ok(()),
    };
    let of_host = ended.err().into_iter().chain(stopped.err()).map(|error| format!("{error:#}"));
    // What follows the first line is the host's log.
    result.errors.extend(of_host.filter_map(|error| error.lines().next().map(str::to_owned)));
    match gone {
        Some(gone) => result.errors.push(gone),
        None if stop.is_cancelled() => result.errors.push("the run was ended before its time".to_owned()),
        None => {}
    }
    show(&result, options.out.as_deref()).or_exit(EX_IOERR)?;
    Ok(result.errors.is_empty())
}

/// Reads results, adds them up, and prints, keeps and draws the sum as a run does.
///
/// # Errors
/// A file cannot be read, or they do not belong together.
pub(crate) fn report(options: &ReportOptions) -> Result<bool, Failure> {
    options.out.as_deref().map(files::prepare).transpose().or_exit(EX_CANTCREAT)?;
    let merged = files::read_merged(&options.files).or_exit(EX_DATAERR)?;
    show(&merged, options.out.as_deref()).or_exit(EX_IOERR)?;
    Ok(merged.errors.is_empty())
}

/// Writes the files if a folder is named, which has been prepared, and prints the table.
fn show(result: &LoadResult, out: Option<&Path>) -> anyhow::Result<()> {
    let mut text = format!("{}\n{}\n", table::heading(result), table::text(result));
    if let Some(folder) = out {
        let (json, html) = (folder.join("load.json"), folder.join("load.html"));
        files::write_result(&json, result)?;
        files::replace(&html, report::html::render(&page::page(result)).as_bytes())?;
        text.extend(
            ["", &json.display().to_string(), &html.display().to_string()].map(|line| format!("{line}\n")),
        );
    }
    crate::print(&text)
}

fn set_up(scenario: &Scenario, options: &Options, played: &Played) -> anyhow::Result<Ground> {
    let (addresses, sources) = (played.target.addresses(), Addresses::new(options.sources));
    let mut wire = Wire::new(usize::from(options.connections), addresses, sources, Limits::default());
    if let Some(tls) = options.whom.tls() {
        ensure!(
            played.site.is_none(),
            "a throwaway host speaks no TLS: name one with --host, or leave --tls-ca out"
        );
        wire = wire.by_tls(tls.read(Arc::new(SystemClock::new()))?, played.target.names());
    }
    let retry_max_s = scenario.retry_max_s.unwrap_or(scenario.retry_s);
    let retry = Retry {
        wait: Duration::from_secs_f64(scenario.retry_s),
        max: Duration::from_secs_f64(retry_max_s),
        leases_have_ended: scenario.leases_have_ended,
    };
    let made = scenario.identities.unwrap_or(scenario.machines);
    let mut drawn = Xoshiro256PlusPlus::seed_from_u64(options.seed);
    let seats = (0..made).map(|_| {
        // Keys are never drawn from a seed that somebody may know: a real host may be asked.
        let machine = Machine::new(played.product, &mut rand::rng());
        Seat::new(machine, played.target.order(|most| drawn.random_range(0..=most)))
    });
    Ok(Ground::new(
        wire,
        played.target.hosts.iter().map(|host| host.srv.map(|(priority, _)| priority)).collect(),
        retry,
        seats.collect(),
        usize::try_from(scenario.machines - made)?,
        usize::from(options.in_flight_max),
        Keeper::new(options.verify),
    ))
}

/// Ctrl-C and SIGTERM end the run, and what was measured until then is shown.
fn end_when_told() -> anyhow::Result<CancellationToken> {
    let (stop, mut terminate) = (CancellationToken::new(), signal(SignalKind::terminate())?);
    let stopped = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        stopped.cancel();
    });
    Ok(stop)
}

/// A host is gone if it has not answered for this long while asks failed.
const GONE: Duration = Duration::from_secs(5);

/// And if this many asks failed: one machine that cannot reach a host says nothing about the others.
const GONE_FAILURES: u64 = 10;

/// Says once a second how the run goes, and ends it when the host is gone: what would follow are failures. Says so in one
/// sentence. `aways` are the phases in which the scenario itself takes the host away.
async fn watch(
    ground: Arc<Ground>,
    quiet: bool,
    aways: Vec<String>,
    stop: CancellationToken,
    played_out: CancellationToken,
) -> Option<String> {
    let mut progress = Progress::to_stderr();
    let mut gone = None;
    while tokio::time::timeout(Duration::from_secs(1), played_out.cancelled()).await.is_err() {
        let snapshot = ground.tally().snapshot(ground.clock.monotonic());
        if !quiet {
            progress.show(&snapshot);
        }
        let is_away = snapshot.phase.as_ref().is_some_and(|phase| aways.contains(phase));
        if gone.is_none()
            && !is_away
            && GONE <= snapshot.unanswered
            && GONE_FAILURES <= snapshot.failed_in_a_row
        {
            gone = Some(format!(
                "the host is gone: nobody was answered for {} s, and {} asks failed; the run was ended",
                snapshot.unanswered.as_secs(),
                snapshot.failed_in_a_row
            ));
            stop.cancel();
        }
    }
    progress.end();
    gone
}

/// What the run has found, once the clock has stopped.
async fn conclude(scenario: &Scenario, options: &Options, ground: &Ground, played: &Played) -> LoadResult {
    let counted = ground.take_counted();
    let standing = ground.standing().await;
    // Only its own host shows a stranger the count itself.
    let of_host = match &played.site {
        Some(site) => site.counted().await.ok(),
        None => None,
    };
    let (verified, told) = verify::judge(ground.take_kept(), &played.roots);
    let mut result = LoadResult {
        format: result::FORMAT,
        scenario: scenario.name.clone(),
        about: scenario.about.clone(),
        host: played.host.clone(),
        connections: match options.connections {
            0 => "fresh for every ask".to_owned(),
            kept => format!("{kept} kept"),
        },
        sources: options.sources,
        signed_before: options.signed_before,
        seed: options.seed,
        processes: 1,
        runs: vec![format!("{:016x}", rand::rng().random::<u64>())],
        machines: u64::from(scenario.machines),
        counted: of_host.or(counted.counted),
        standing,
        verified,
        remarks: ground.remarks(),
        ..counted
    };
    result.errors = expect::errors(scenario, &result, &told, &ground.failures());
    result
}
