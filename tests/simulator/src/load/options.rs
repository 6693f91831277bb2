//! The command line of `load`.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{bail, ensure};
use clap::Args;
use kms_client::Tls;
use program::arguments::name_server;

use super::scenario::{Changes, MACHINES_EVER, Scenario};
use super::sources::SOURCES_MAX;

/// The bounds that `--beyond-bounds` lifts.
const MACHINES_MAX: u32 = 100_000;
const SECONDS_MAX: f64 = 600.0;
const ASKS_MAX: f64 = 2_000_000.0;

#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Scenario to play: steady, monday, rollout, outage, storm, clones, or the path of a scenario file.
    ///
    /// steady: renewals spread evenly over the interval. monday: power-on morning. rollout: all machines are new, and
    /// below the threshold at first. outage: the host is away, then the whole fleet returns. storm: the threshold is
    /// lost. clones: machines that share identities.
    #[arg(long, default_value = "steady", value_name = "NAME|FILE")]
    pub(crate) scenario: String,
    /// Print the scenario's file and do nothing else. A scenario of your own begins with it.
    #[arg(long)]
    pub(crate) show: bool,
    #[command(flatten)]
    pub(crate) changes: Changes,
    /// A `fresh` connection for every ask, as in the field, or the number of connections to keep open.
    #[arg(long, default_value = "fresh", value_name = "fresh|N", value_parser = parse_connections)]
    pub(crate) connections: u16,
    /// Number of addresses of 127.0.0.0/8 from which a host on IPv4 loopback is asked.
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(SOURCES_MAX)))]
    pub(crate) sources: u32,
    /// The most asks in flight. An ask that waits for its place is counted from when it was due.
    #[arg(long, default_value_t = 1024, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) in_flight_max: u16,
    /// Sign the asks of each phase before it begins, so that signing takes no processor time from the run.
    #[arg(long)]
    pub(crate) signed_before: bool,
    /// Answers to verify after the run: `all`, or a random sample of this many.
    #[arg(long, default_value = "all", value_name = "all|N", value_parser = parse_verify)]
    pub(crate) verify: usize,
    /// Seed of the arrivals.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Folder to write load.json and load.html to; made if it does not exist.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Show no progress.
    #[arg(long)]
    pub(crate) quiet: bool,
    /// Lift the bounds of 100,000 machines, 10 minutes and 2 million asks.
    #[arg(long)]
    pub(crate) beyond_bounds: bool,
    #[command(flatten)]
    pub(crate) whom: Whom,
}

/// The hosts to ask. Without any of these, a throwaway host is started.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "The host")]
pub(crate) struct Whom {
    /// Host to ask, by name or address and port; repeat it for several. Without it and --domain, a throwaway host is started.
    #[arg(long = "host", value_name = "HOST[:PORT]", requires = "product")]
    pub(crate) hosts: Vec<String>,
    /// Find the hosts by SRV records in this DNS domain.
    #[arg(long, value_name = "DOMAIN", requires = "product", conflicts_with = "hosts")]
    pub(crate) domain: Option<String>,
    /// Ask this name server instead of the system's.
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = name_server, requires = "domain")]
    pub(crate) dns: Option<SocketAddr>,
    /// File of the product that the host serves, as `kms-vendor product file` writes it.
    #[arg(long, value_name = "FILE", env = "KMS_PRODUCT")]
    pub(crate) product: Option<PathBuf>,
    /// Allow a host that is not on loopback: repeat its name as it was given. Its ledger will count every simulated machine.
    #[arg(long, value_name = "HOST")]
    pub(crate) allow: Vec<String>,
    /// Speak TLS with the hosts. A CA in this PEM file must have signed their certificates, for the names given here.
    #[arg(long, value_name = "FILE", requires = "product")]
    pub(crate) tls_ca: Option<PathBuf>,
    /// Certificate (PEM) that every machine shows to hosts that demand one.
    #[arg(long, value_name = "FILE", requires_all = ["tls_ca", "tls_key"])]
    pub(crate) tls_certificate: Option<PathBuf>,
    /// Private key (PEM) of that certificate.
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub(crate) tls_key: Option<PathBuf>,
}

impl Whom {
    /// TLS, if the hosts are asked by it.
    pub(crate) fn tls(&self) -> Option<Tls> {
        let tls = Tls::from_file(self.tls_ca.as_ref()?);
        Some(match (&self.tls_certificate, &self.tls_key) {
            (Some(certificate), Some(key)) => tls.with_certificate_file(certificate, key),
            _ => tls,
        })
    }
}

/// The command line of `report`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ReportOptions {
    /// Results of `load`: the `load.json` of each process.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Folder to write the sum to, as load.json and load.html.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

/// How many connections are kept: none if each ask has a `fresh` one.
fn parse_connections(text: &str) -> Result<u16, String> {
    match (text, text.parse()) {
        ("fresh", _) => Ok(0),
        (_, Ok(kept @ 1..=1024)) => Ok(kept),
        _ => Err("`fresh`, or from 1 to 1024 kept connections".to_owned()),
    }
}

/// Up to this number all answers are kept, at about a kilobyte each; beyond it, a sample of this size.
const KEPT_MAX: usize = 1_000_000;

/// `all`, or the size of the sample: how many answers are kept at most.
fn parse_verify(text: &str) -> Result<usize, String> {
    match (text, text.parse()) {
        ("all", _) => Ok(KEPT_MAX),
        (_, Ok(some @ 1..=KEPT_MAX)) => Ok(some),
        _ => Err(format!("`all`, or from 1 to {KEPT_MAX} answers")),
    }
}

impl Options {
    /// The scenario with what this command line changes, within the bounds.
    ///
    /// # Errors
    /// There is no such scenario, it cannot be played so, or it is beyond the bounds.
    pub(crate) fn scenario(&self) -> anyhow::Result<Scenario> {
        let scenario = Scenario::load(&self.scenario)?.changed(&self.changes)?;
        ensure!(
            scenario.machines <= MACHINES_EVER,
            "more than {MACHINES_EVER} machines: use several processes"
        );
        if !self.beyond_bounds {
            within_bounds(&scenario)?;
        }
        Ok(scenario)
    }
}

fn within_bounds(scenario: &Scenario) -> anyhow::Result<()> {
    let (machines, seconds, asks) =
        (scenario.machines, scenario.length().as_secs_f64(), scenario.planned_asks());
    let beyond = if MACHINES_MAX < machines {
        format!("{machines} machines, of at most {MACHINES_MAX}")
    } else if SECONDS_MAX < seconds {
        format!("{seconds:.0} s, of at most {SECONDS_MAX} s")
    } else if ASKS_MAX < asks {
        format!("{asks:.0} asks, of at most {ASKS_MAX}")
    } else {
        return Ok(());
    };
    bail!("this is more than is played without being told to: {beyond}; --beyond-bounds lifts the bounds")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn no_source_and_more_than_the_network_has_are_refused() {
        let sources = |number: u32| {
            let parsed = Line::try_parse_from(["load", "--sources", &number.to_string()]);
            parsed.ok().map(|line| line.options.sources)
        };
        assert_eq!(
            [0, 1, SOURCES_MAX, SOURCES_MAX + 1].map(sources),
            [None, Some(1), Some(SOURCES_MAX), None]
        );
    }
}
