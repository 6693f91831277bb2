//! A scenario: what a fleet does, phase after phase, as a small TOML file says it.
//!
//! The built-in ones are files too, in `scenarios/`; copy one to begin another. The simulator's README explains a file line by
//! line. This file reads, changes and checks a scenario, `phase` has its phases, `pace` turns a shape into instants, `play` plays.

mod phase;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use serde::Deserialize;

pub(crate) use self::phase::{HostIs, Pace, Phase, Who};

/// The scenarios that come with the simulator: name and file.
pub(crate) const BUILT_IN: [(&str, &str); 6] = [
    ("steady", include_str!("../../scenarios/steady.toml")),
    ("monday", include_str!("../../scenarios/monday.toml")),
    ("rollout", include_str!("../../scenarios/rollout.toml")),
    ("outage", include_str!("../../scenarios/outage.toml")),
    ("storm", include_str!("../../scenarios/storm.toml")),
    ("clones", include_str!("../../scenarios/clones.toml")),
];

/// A scenario file is about a kilobyte; what is larger is some other file.
const FILE_MAX_BYTES: u64 = 64 * 1024;

/// The most machines that are played: they are kept in memory.
pub(crate) const MACHINES_EVER: u32 = 2_000_000;

/// The longest phase, in seconds.
const SECONDS_MAX: f64 = 86_400.0;

/// What a fleet does.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    /// The name: a built-in one's, or the file's.
    #[serde(skip)]
    pub(crate) name: String,
    /// What is played, in one sentence.
    pub(crate) about: String,
    pub(crate) machines: u32,
    /// How many of them are activated first; the others are copies of these. Without it there are no copies.
    pub(crate) identities: Option<u32>,
    /// How many seconds a machine without a lease waits before it asks again; 0 is never.
    #[serde(default)]
    pub(crate) retry_s: f64,
    /// Whether machines that are told to wait hold a lease that has ended. Then they do not back off.
    #[serde(default)]
    pub(crate) leases_have_ended: bool,
    /// The longest wait to which a licensed machine doubles it, as the client library does.
    pub(crate) retry_max_s: Option<f64>,
    /// The numbers of the throwaway host. A host that is named has its own.
    #[serde(default)]
    pub(crate) host: HostNumbers,
    #[serde(rename = "phase")]
    pub(crate) phases: Vec<Phase>,
    /// What has to be so at the end.
    #[serde(default)]
    pub(crate) expect: Expectation,
}

/// The numbers of the throwaway host.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HostNumbers {
    /// Machines needed before leases are issued; 25 without it.
    pub(crate) threshold: Option<Amount>,
    /// A machine that is silent for longer leaves the count; 30 days by default.
    pub(crate) count_window_s: Option<f64>,
}

/// A number of machines, or all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Amount {
    Machines(u32),
    All(All),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum All {
    All,
}

impl Amount {
    /// As a number, in a fleet of this size.
    pub(crate) fn of(self, machines: u32) -> u32 {
        match self {
            Amount::Machines(machines) => machines,
            Amount::All(All::All) => machines,
        }
    }
}

/// What has to be so at the end.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expectation {
    /// How many machines hold a lease.
    pub(crate) licensed: Option<Amount>,
}

/// What the command line changes in a scenario.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Changes {
    /// Machines, each with a key of its own [default: the scenario's].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MACHINES_EVER)))]
    pub(crate) machines: Option<u32>,
    /// Identities that the machines of a scenario with copies share at first.
    #[arg(long, value_name = "K")]
    pub(crate) identities: Option<u32>,
    /// The highest rate of what is measured, in asks a second, whatever the host does [default: the scenario's].
    #[arg(long, value_name = "PER_S", value_parser = above_zero)]
    pub(crate) rate: Option<f64>,
    /// How long is measured, in seconds [default: the scenario's].
    #[arg(long, value_name = "S", value_parser = above_zero)]
    pub(crate) seconds: Option<f64>,
    /// Measure with this many asks in flight instead of a rate; each is sent when one is answered. A slow host then slows the
    /// load, and the figures flatter it.
    #[arg(long, value_name = "IN_FLIGHT", conflicts_with = "rate", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) closed: Option<u16>,
}

impl Scenario {
    /// The built-in scenario of this name, or the file at this path.
    ///
    /// # Errors
    /// There is no such scenario, or the file says something that cannot be played: which line or key, and why.
    pub(crate) fn load(name: &str) -> anyhow::Result<Scenario> {
        let text = Scenario::text(name)?;
        let mut scenario = parse(&text).with_context(|| format!("the scenario {name} cannot be played"))?;
        scenario.name = stem(name);
        scenario.check().with_context(|| format!("the scenario {name} cannot be played"))?;
        Ok(scenario)
    }

    /// The file of the built-in scenario of this name, or the file at this path.
    ///
    /// # Errors
    /// There is no such scenario.
    pub(crate) fn text(name: &str) -> anyhow::Result<String> {
        match BUILT_IN.iter().find(|(built_in, _)| *built_in == name) {
            Some((_, text)) => Ok((*text).to_owned()),
            None => read(name),
        }
    }

    /// Applies the changes of the command line.
    ///
    /// # Errors
    /// The changed scenario cannot be played.
    pub(crate) fn changed(mut self, changes: &Changes) -> anyhow::Result<Scenario> {
        self.machines = changes.machines.unwrap_or(self.machines);
        if let Some(identities) = changes.identities {
            ensure!(
                self.identities.is_some(),
                "--identities is for scenarios with copies, as `clones` is one"
            );
            self.identities = Some(identities);
        }
        if let Some(seconds) = changes.seconds {
            // The length of a phase in which machines only ask again is given by their wait.
            let paced = |phase: &Phase| phase.measured && phase.who != Who::Nobody;
            let together: f64 =
                self.phases.iter().filter(|phase| paced(phase)).map(|phase| phase.seconds).sum();
            let factor = seconds / together;
            self.phases.iter_mut().filter(|phase| paced(phase)).for_each(|phase| phase.seconds *= factor);
        }
        if let Some(rate) = changes.rate {
            let factor = rate / self.highest_rate();
            let machines = self.machines;
            self.measured_mut().for_each(|phase| phase.scale_rate(factor, machines));
        }
        if changes.closed.is_some() {
            let open = |phase: &&mut Phase| matches!(phase.pace(1), Pace::Open(_));
            self.measured_mut().filter(open).for_each(|phase| {
                (phase.rate, phase.asks_each, phase.in_flight) = (None, None, changes.closed);
            });
        }
        self.check()?;
        Ok(self)
    }

    /// How long all phases take at the most.
    pub(crate) fn length(&self) -> Duration {
        Duration::from_secs_f64(self.phases.iter().map(|phase| phase.seconds).sum())
    }

    /// How many asks are planned; closed phases have no plan.
    pub(crate) fn planned_asks(&self) -> f64 {
        let planned = self.phases.iter().map(|phase| match phase.pace(phase.of(self.machines)) {
            Pace::Open(per_s) => per_s * phase.seconds,
            Pace::Closed(_) | Pace::Silent => 0.0,
        });
        planned.sum()
    }

    /// Why it needs a throwaway host, if it does: the first reason.
    pub(crate) fn needs_own_host(&self) -> Option<&'static str> {
        if self.host.count_window_s.is_some() || matches!(self.host.threshold, Some(Amount::All(_))) {
            return Some("it plays with the host's threshold and count window");
        }
        let disturbed = self.phases.iter().any(|phase| phase.host != HostIs::There);
        disturbed.then_some("it stops the host and starts it again")
    }

    fn measured(&self) -> impl Iterator<Item = &Phase> {
        self.phases.iter().filter(|phase| phase.measured)
    }

    fn measured_mut(&mut self) -> impl Iterator<Item = &mut Phase> {
        self.phases.iter_mut().filter(|phase| phase.measured)
    }

    /// The highest rate of the measured phases, asks a second.
    fn highest_rate(&self) -> f64 {
        let peaks = self.measured().filter_map(|phase| match phase.pace(phase.of(self.machines)) {
            Pace::Open(per_s) => Some(per_s * phase.peak()),
            Pace::Closed(_) | Pace::Silent => None,
        });
        peaks.fold(f64::MIN_POSITIVE, f64::max)
    }

    fn check(&self) -> anyhow::Result<()> {
        ensure!(0 < self.machines, "`machines` is 0: at least one is needed");
        ensure!(!self.phases.is_empty(), "it has no [[phase]]");
        ensure!(self.measured().next().is_some(), "no phase is `measured = true`, so there is no result");
        if let Some(identities) = self.identities {
            ensure!(
                0 < identities && identities <= self.machines,
                "`identities` is {identities}: from 1 to the number of machines, {}, is possible",
                self.machines
            );
        }
        let clones = self.phases.iter().filter(|phase| phase.clone).count();
        ensure!(
            clones == usize::from(self.identities.is_some()),
            "`identities` and one phase with `clone = true` belong together"
        );
        if let Some(max_s) = self.retry_max_s {
            ensure!(self.retry_s <= max_s, "`retry_max_s` is below `retry_s`");
        }
        let waits = [("retry_s", Some(self.retry_s)), ("retry_max_s", self.retry_max_s)];
        for (key, wait_s) in waits.into_iter().chain([("count_window_s", self.host.count_window_s)]) {
            let fits = wait_s.is_none_or(|wait_s| (0.0..=SECONDS_MAX).contains(&wait_s));
            ensure!(fits, "`{key}` has to be a number of seconds from 0 to {SECONDS_MAX}");
        }
        self.phases
            .iter()
            .try_for_each(|phase| phase.check().with_context(|| format!("the phase {:?}", phase.name)))
    }
}

fn stem(path: &str) -> String {
    Path::new(path).file_stem().map_or_else(|| path.to_owned(), |stem| stem.to_string_lossy().into_owned())
}

fn read(path: &str) -> anyhow::Result<String> {
    let built_in = BUILT_IN.map(|(name, _)| name).join(", ");
    let metadata = std::fs::metadata(path).with_context(|| {
        format!("there is no scenario {path}: name one of {built_in}, or the path of a scenario file")
    })?;
    ensure!(metadata.len() <= FILE_MAX_BYTES, "{path} is larger than a scenario can be");
    std::fs::read_to_string(path).with_context(|| format!("could not read {path}"))
}

/// What the file says, or one line that says what is wrong with it and where.
fn parse(text: &str) -> anyhow::Result<Scenario> {
    program::toml_text::read(text).map_err(anyhow::Error::msg)
}

fn above_zero(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if 0.0 < number && number.is_finite() => Ok(number),
        _ => Err("a number above 0".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(line: &str) -> anyhow::Result<Scenario> {
        let text = format!("about = \"x\"\nmachines = 10\n[[phase]]\nname = \"p\"\nseconds = 2\n{line}\n");
        let scenario = parse(&text)?;
        scenario.check()?;
        Ok(scenario)
    }

    fn says(line: &str) -> String {
        format!("{:#}", with(line).unwrap_err())
    }

    #[test]
    fn every_built_in_scenario_can_be_played() {
        for (name, _) in BUILT_IN {
            let scenario = Scenario::load(name).unwrap();
            assert_eq!(scenario.name, name);
            assert!(scenario.length() < Duration::from_mins(2), "{name}");
        }
    }

    #[test]
    fn a_wrong_key_or_value_is_named_with_its_line() {
        let wrong_key = says("who = \"known\"\nmeasured = true\nrtae = 5");
        assert!(wrong_key.starts_with("line 8: unknown field `rtae`"), "{wrong_key}");
        let two_paces = says("who = \"known\"\nmeasured = true\nrate = 5\nin_flight = 5");
        assert!(two_paces.contains("exactly one of"), "{two_paces}");
        assert!(says("who = \"known\"\nrate = 5").contains("no phase is `measured = true`"));
        assert!(says("who = \"known\"\nmeasured = true\nrate = -1").contains("`rate` has to be above 0"));
        let unknown = format!("{:#}", Scenario::load("tuesday").unwrap_err());
        assert!(unknown.contains("name one of steady, monday,"), "{unknown}");
    }

    #[test]
    fn the_command_line_sets_the_peak_and_the_length_of_what_is_measured() {
        let changes = Changes { rate: Some(500.0), seconds: Some(30.0), ..Changes::default() };
        let monday = Scenario::load("monday").unwrap().changed(&changes).unwrap();
        assert!((monday.highest_rate() - 500.0).abs() < 1e-6);
        assert!((monday.phases[1].seconds - 30.0).abs() < 1e-6);
        assert!((monday.phases[0].seconds - 60.0).abs() < 1e-6, "the preparation is left as it is");
        let closed = Changes { closed: Some(8), ..Changes::default() };
        let monday = Scenario::load("monday").unwrap().changed(&closed).unwrap();
        assert_eq!(monday.phases[1].pace(2000), Pace::Closed(8));
    }

    #[test]
    fn each_machine_once_makes_the_rate() {
        let scenario = with("who = \"known\"\nmeasured = true\nasks_each = 3\nshare = 0.5").unwrap();
        assert_eq!(scenario.phases[0].pace(10), Pace::Open(15.0), "30 asks in 2 seconds");
    }
}
