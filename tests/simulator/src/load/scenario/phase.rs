//! One phase of a scenario: which machines ask, at what pace, and what happens to the host.

use std::collections::BTreeSet;

use anyhow::{bail, ensure};
use serde::Deserialize;

use super::SECONDS_MAX;
use crate::load::outcome::is_known;
use crate::load::pace::mean;

/// The shortest phase, in seconds.
const SECONDS_MIN: f64 = 0.01;

/// The highest rate in asks a second, and the most asks of each machine. No host comes near it.
const RATE_MAX: f64 = 1_000_000.0;

/// The highest height of a shape.
const HEIGHT_MAX: f64 = 1_000_000.0;

/// A stretch of time in which machines ask in one way.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Phase {
    pub(crate) name: String,
    /// Which machines have their turn.
    pub(crate) who: Who,
    /// Only this share of them, always the same machines; 1 by default.
    #[serde(default = "whole")]
    pub(crate) share: f64,
    /// How long. A closed phase of new machines ends before when all have asked.
    pub(crate) seconds: f64,
    /// Closed: the number of asks in flight; the next is sent when one is answered.
    pub(crate) in_flight: Option<u16>,
    /// Open: asks a second on average, whatever the host does.
    pub(crate) rate: Option<f64>,
    /// Open: asks that each machine makes in this phase, on average.
    pub(crate) asks_each: Option<f64>,
    /// How the rate runs over the phase: heights at equal distances, joined by straight lines. Even without it.
    #[serde(default = "even")]
    pub(crate) shape: Vec<f64>,
    /// What happens to the throwaway host during the phase.
    #[serde(default)]
    pub(crate) host: HostIs,
    /// Makes the copies before the phase begins.
    #[serde(default)]
    pub(crate) clone: bool,
    /// Expected outcomes: `LEASE`, `WAITING`, or the codes of reasons. Any other is an error of the run.
    #[serde(default = "lease_or_waiting")]
    pub(crate) outcomes: BTreeSet<String>,
    /// Whether this phase is what the run is about: `--rate`, `--seconds` and `--closed` change these.
    #[serde(default)]
    pub(crate) measured: bool,
}

/// Which machines have their turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Who {
    /// Machines that have not asked yet, each once.
    New,
    /// Machines that have asked before, again and again in a random order.
    Known,
    /// None, apart from machines that ask again by themselves.
    Nobody,
}

/// What happens to the throwaway host during a phase. A host that is named is left alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum HostIs {
    #[default]
    There,
    /// Killed when the phase begins, and started again when it ends.
    Away,
    /// Held still (SIGSTOP), and released when the phase ends.
    Stalled,
}

/// How a phase is paced.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pace {
    /// Asks in flight.
    Closed(u16),
    /// Asks a second, on average.
    Open(f64),
    /// Only machines that ask again by themselves.
    Silent,
}

impl Phase {
    /// Its pace, if this many machines have their turn.
    pub(crate) fn pace(&self, machines: u32) -> Pace {
        match (self.in_flight, self.rate, self.asks_each) {
            (Some(in_flight), _, _) => Pace::Closed(in_flight),
            (None, Some(rate), _) => Pace::Open(rate),
            (None, None, Some(each)) => Pace::Open(each * f64::from(machines) / self.seconds),
            (None, None, None) => Pace::Silent,
        }
    }

    /// How many machines of a fleet may have their turn.
    pub(crate) fn of(&self, machines: u32) -> u32 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a u32 is one"
        )]
        let some = (f64::from(machines) * self.share).ceil() as u32;
        some.min(machines)
    }

    /// How far the highest point of its shape is above the mean.
    pub(super) fn peak(&self) -> f64 {
        let highest = self.shape.iter().copied().fold(0.0, f64::max);
        highest / mean(&self.shape)
    }

    /// Multiplies the rate of an open phase by this factor; `machines` is the size of the fleet.
    pub(super) fn scale_rate(&mut self, factor: f64, machines: u32) {
        if let Pace::Open(per_s) = self.pace(self.of(machines)) {
            (self.rate, self.asks_each) = (Some(per_s * factor), None);
        }
    }

    /// Checks that the phase can be played.
    ///
    /// # Errors
    /// The key that is wrong, and why.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        ensure!(
            (SECONDS_MIN..=SECONDS_MAX).contains(&self.seconds),
            "`seconds` has to be from {SECONDS_MIN} to {SECONDS_MAX}"
        );
        ensure!(0.0 < self.share && self.share <= 1.0, "`share` has to be above 0, and at most 1");
        self.check_pace()?;
        self.check_shape()?;
        self.check_outcomes()
    }

    fn check_pace(&self) -> anyhow::Result<()> {
        let paces = [self.in_flight.is_some(), self.rate.is_some(), self.asks_each.is_some()];
        let given = paces.into_iter().filter(|given| *given).count();
        match self.who {
            Who::Nobody => ensure!(given == 0, "nobody has a turn, so there is nothing to pace"),
            Who::New | Who::Known => {
                ensure!(
                    given == 1,
                    "exactly one of `in_flight`, `rate` and `asks_each` says how it is paced"
                );
            }
        }
        ensure!(self.in_flight != Some(0), "`in_flight` has to be at least 1");
        for (key, value) in [("rate", self.rate), ("asks_each", self.asks_each)] {
            let fits = value.is_none_or(|value| 0.0 < value && value <= RATE_MAX);
            ensure!(fits, "`{key}` has to be above 0, and at most {RATE_MAX}");
        }
        Ok(())
    }

    fn check_outcomes(&self) -> anyhow::Result<()> {
        ensure!(
            !self.outcomes.is_empty(),
            "`outcomes` is empty: name what may come of an ask, such as LEASE"
        );
        match self.outcomes.iter().find(|name| !is_known(name)) {
            Some(name) => {
                bail!("no ask comes to {name}: `outcomes` takes LEASE, WAITING and the codes of reasons")
            }
            None => Ok(()),
        }
    }

    fn check_shape(&self) -> anyhow::Result<()> {
        let heights_fit = self.shape.iter().all(|height| (0.0..=HEIGHT_MAX).contains(height));
        if self.shape.is_empty() || !heights_fit || self.shape.iter().all(|height| *height == 0.0) {
            bail!("`shape` has to be heights from 0 upwards, of which one is above 0");
        }
        Ok(())
    }
}

fn whole() -> f64 {
    1.0
}

fn even() -> Vec<f64> {
    vec![1.0]
}

fn lease_or_waiting() -> BTreeSet<String> {
    ["LEASE", "WAITING"].map(str::to_owned).into()
}
