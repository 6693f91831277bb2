//! `load`: asks a host as a fleet would, at a pace that a slow host cannot slow down, and says what came of it.
//!
//! A run goes one way: `options` and `scenario` say what is played, `site` or `target` whom it is played to; `play` paces
//! the phases and `turn` is one machine's part in them, over `wire`; `tally` takes notes. Once the clock has stopped
//! `verify` looks at the answers, `expect` compares with what the scenario promised, and the result is printed, kept as
//! JSON and drawn. Read next: `play.rs`.

mod options;
mod scenario;

#[doc(hidden)]
pub mod site;
mod target;

mod ground;
mod pace;
mod play;
mod turn;
mod turns;

mod chains;
mod cores;
mod machine;
mod sources;
mod wire;

mod outcome;
mod tally;
mod verify;

mod expect;
mod result;

mod figures;
mod files;
mod merge;
mod page;
mod progress;
mod table;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod stage;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use kms_client::{Product, SystemClock};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use shared::certificate::Roots;
use shared::ids::ProductId;
use tokio_util::sync::CancellationToken;
use world::Program;

use self::ground::Ground;
use self::machine::Machine;
use self::options::{Connections, Whom};
use self::progress::Progress;
use self::result::{LoadResult, Verified};
use self::scenario::Scenario;
use self::site::{Numbers, Site};
use self::sources::Sources;
use self::target::{Target, Wanted};
use self::turn::{Retry, Seat};
use self::verify::Keeper;
use self::wire::{Limits, Wire};

pub(crate) use self::options::{Options, ReportOptions};

/// The threshold of the throwaway host where the scenario names none: that of a client product.
const THRESHOLD: u32 = 25;

/// Plays a scenario, prints what came of it, and says whether all is as the scenario expects.
///
/// # Errors
/// It could not be played: nothing was measured.
pub(crate) async fn run(options: Options, program: Program) -> anyhow::Result<bool> {
    if options.show {
        print!("{}", Scenario::text(&options.scenario)?);
        return Ok(true);
    }
    let scenario = options.scenario()?;
    let mut played = Played::find(&scenario, &options.whom, program).await?;
    let ground = Arc::new(set_up(&scenario, &options, &played)?);

    let stop = end_at_ctrl_c();
    let played_out = CancellationToken::new();
    let told = tokio::spawn(tell(ground.clone(), options.quiet, played_out.clone()));
    let remarks =
        play::play(&ground, &scenario, played.site.as_mut(), options.signed_before, options.seed, &stop)
            .await;
    played_out.cancel();
    told.await.context("the progress")?;
    let remarks = remarks?;
    let host = played.host.clone();
    let roots = played.roots.clone();
    played.end().await?;

    let result = conclude(&scenario, &options, &ground, host, &roots, remarks).await;
    show(&result, options.out.as_deref())?;
    Ok(result.errors.is_empty())
}

/// Reads results, adds them up, and prints, keeps and draws the sum as a run does.
///
/// # Errors
/// A file cannot be read, or they do not belong together.
pub(crate) fn report(options: &ReportOptions) -> anyhow::Result<bool> {
    let merged = files::read_merged(&options.files)?;
    show(&merged, options.out.as_deref())?;
    Ok(merged.errors.is_empty())
}

/// Prints the table, and writes the files if a folder is named.
fn show(result: &LoadResult, out: Option<&Path>) -> anyhow::Result<()> {
    println!("{}", table::heading(result));
    println!("{}", table::text(result));
    let Some(folder) = out else { return Ok(()) };
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let (json, html) = (folder.join("load.json"), folder.join("load.html"));
    files::write_result(&json, result)?;
    files::write_report(&html, &crate::report::html::render(&page::page(result)))?;
    println!("\n{}\n{}", json.display(), html.display());
    Ok(())
}

/// Who the scenario is played to.
struct Played {
    site: Option<Site>,
    target: Option<Target>,
    product: ProductId,
    roots: Roots,
    /// For people.
    host: String,
}

impl Played {
    /// A throwaway host, or those that are named.
    async fn find(scenario: &Scenario, whom: &Whom, program: Program) -> anyhow::Result<Played> {
        if whom.hosts.is_empty() && whom.domain.is_none() {
            let site = Site::start(program, numbers(scenario)).await.context("a throwaway host")?;
            let host = format!("a throwaway host on {}", site.address());
            let product = site.product();
            return Ok(Played {
                target: None,
                product: ProductId::from_bytes(product.id),
                roots: roots(&product)?,
                host,
                site: Some(site),
            });
        }
        if let Some(why) = scenario.needs_own_host() {
            bail!(
                "the scenario {} is for a throwaway host alone, since {why}: leave --host and --domain out",
                scenario.name
            );
        }
        let path = whom.product.as_deref().context("no product is named: give its file with --product")?;
        let product = kms_client_cli::product_file::read(path)?;
        let (id, roots) = (ProductId::from_bytes(product.id), roots(&product)?);
        let wanted = Wanted {
            hosts: whom.hosts.clone(),
            domain: whom.domain.clone(),
            name_server: whom.dns,
            allow: whom.allow.clone(),
        };
        let target = Target::find(&wanted, product).await?;
        let names: Vec<_> = target.hosts.iter().map(|host| host.name.as_str()).collect();
        let host = format!("{}, {}", names.join(", "), target.how);
        Ok(Played { site: None, product: id, roots, host, target: Some(target) })
    }

    fn addresses(&self) -> Vec<std::net::SocketAddr> {
        match (&self.target, &self.site) {
            (Some(target), _) => target.addresses(),
            (None, Some(site)) => vec![site.address()],
            (None, None) => Vec::new(),
        }
    }

    /// The hosts of one machine, in its order.
    fn order(&self, random: &mut Xoshiro256PlusPlus) -> Vec<usize> {
        match &self.target {
            Some(target) => target.order(|most| random.random_range(0..=most)),
            None => vec![0],
        }
    }

    async fn end(self) -> anyhow::Result<()> {
        match self.site {
            Some(mut site) => site.stop().await.context("the throwaway host"),
            None => Ok(()),
        }
    }
}

fn numbers(scenario: &Scenario) -> Numbers {
    let threshold = scenario.host.threshold.map_or(THRESHOLD, |threshold| threshold.of(scenario.machines));
    match scenario.host.count_window_s {
        None => Numbers::real(threshold),
        Some(window_s) => Numbers::compressed(threshold, Duration::from_secs_f64(window_s)),
    }
}

fn roots(product: &Product) -> anyhow::Result<Roots> {
    let roots = Roots::new(product.roots.iter().map(<[u8; 32]>::as_slice));
    roots.map_err(|error| anyhow::anyhow!("the product's roots: {error}"))
}

fn set_up(scenario: &Scenario, options: &Options, played: &Played) -> anyhow::Result<Ground> {
    let (addresses, sources) = (played.addresses(), Sources::new(options.sources)?);
    let limits = Limits::default();
    let wire = match options.connections {
        Connections::Fresh => Wire::fresh(addresses, sources, limits),
        Connections::Kept(count) => Wire::kept(usize::from(count), addresses, sources, limits),
    };
    let retry_max_s = scenario.retry_max_s.unwrap_or(scenario.retry_s);
    let retry =
        Retry { wait: Duration::from_secs_f64(scenario.retry_s), max: Duration::from_secs_f64(retry_max_s) };
    let made = scenario.identities.unwrap_or(scenario.machines);
    let mut drawn = Xoshiro256PlusPlus::seed_from_u64(options.seed);
    let seats = (0..made).map(|_| {
        // Keys are never drawn from a seed that somebody may know: a real host may be asked.
        let machine = Machine::new(played.product, &mut rand::rng());
        Seat::new(machine, played.order(&mut drawn))
    });
    Ok(Ground::new(
        SystemClock::new(),
        wire,
        retry,
        seats.collect(),
        usize::try_from(scenario.machines - made)?,
        usize::from(options.in_flight_max),
        Keeper::new(options.verify.keep_max()),
    ))
}

/// Ctrl-C ends the run, and what was measured until then is shown. A second one ends the program.
fn end_at_ctrl_c() -> CancellationToken {
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            stopped.cancel();
        }
        if tokio::signal::ctrl_c().await.is_ok() {
            std::process::exit(130);
        }
    });
    stop
}

/// Says once a second how the run goes.
async fn tell(ground: Arc<Ground>, quiet: bool, end: CancellationToken) {
    if quiet {
        return;
    }
    let mut progress = Progress::to_stderr();
    while tokio::time::timeout(Duration::from_secs(1), end.cancelled()).await.is_err() {
        progress.show(&ground.snapshot());
    }
    progress.end();
}

/// What the run has found, once the clock has stopped.
async fn conclude(
    scenario: &Scenario,
    options: &Options,
    ground: &Ground,
    host: String,
    roots: &Roots,
    mut remarks: Vec<String>,
) -> LoadResult {
    let kept = ground.take_kept();
    let answers = u64::try_from(kept.offered()).unwrap_or(u64::MAX);
    let judged = verify::judge(kept.into_kept(), roots);
    remarks.extend(ground.lateness_remark());
    let (began_at, counted) = ground.take_counted();
    let mut result = LoadResult {
        format: result::FORMAT,
        scenario: scenario.name.clone(),
        about: scenario.about.clone(),
        host,
        connections: match options.connections {
            Connections::Fresh => "fresh for every ask".to_owned(),
            Connections::Kept(count) => format!("{count} kept"),
        },
        sources: options.sources,
        signed_before: options.signed_before,
        seed: options.seed,
        processes: 1,
        machines: u64::from(scenario.machines),
        began_at_ms: began_at.unix_ms(),
        phases: counted.phases,
        seconds: counted.seconds,
        standing: ground.standing().await,
        verified: Verified {
            answers,
            looked_at: judged.looked_at,
            leases: judged.leases,
            wrong: judged.wrong,
        },
        errors: Vec::new(),
        remarks,
    };
    result.errors = expect::errors(scenario, &result, &judged.told);
    result
}
