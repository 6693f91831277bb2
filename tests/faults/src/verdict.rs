//! What a check found in a store, and what a run adds up to.
//!
//! It only counts and prints. The finding itself is made in `load.rs`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::subject::Subject;

/// What is left in a store. A second process finds it and tells it in one line, as `Display` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// Exactly the records of the batches 1 to `last`.
    Whole { last: u64 },
    /// Other records than those of the batches 1 to `last`, which the store says was its last.
    Halved { last: u64 },
    /// It could not be opened, or not be read.
    Closed { reason: String },
}

impl fmt::Display for Found {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Found::Whole { last } => write!(formatter, "whole {last}"),
            Found::Halved { last } => write!(formatter, "halved {last}"),
            Found::Closed { reason } => write!(formatter, "closed {reason}"),
        }
    }
}

impl FromStr for Found {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> anyhow::Result<Found> {
        let (found, rest) = line.split_once(' ').context("a finding has two parts")?;
        match found {
            "whole" => Ok(Found::Whole { last: rest.parse()? }),
            "halved" => Ok(Found::Halved { last: rest.parse()? }),
            "closed" => Ok(Found::Closed { reason: rest.to_owned() }),
            _ => bail!("{line:?} is not a finding"),
        }
    }
}

/// The sum of a run; its `Display` is the run's last line.
#[derive(Debug)]
pub(crate) struct Tally {
    /// How long the run took.
    pub(crate) took: Duration,
    fault: Fault,
    subject: Subject,
    seed: u64,
    faults: u32,
    acknowledged: u64,
    lost: u64,
    halved: u64,
    closed: u64,
}

/// What is done to a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Its disk loses power.
    PowerCut,
    /// Its process loses its life.
    Kill,
}

impl Fault {
    /// The name of the driver, and of several of its faults.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Fault::PowerCut => ("power-cut", "cuts"),
            Fault::Kill => ("kill", "kills"),
        }
    }
}

impl Tally {
    /// Nothing done yet.
    pub(crate) fn new(fault: Fault, subject: Subject, seed: u64) -> Tally {
        let took = Duration::ZERO;
        Tally { took, fault, subject, seed, faults: 0, acknowledged: 0, lost: 0, halved: 0, closed: 0 }
    }

    /// Adds one fault to a store that began at batch `before` and acknowledged the batches up to `acknowledged`. Returns
    /// its last batch.
    ///
    /// # Errors
    /// What is wrong with the store, in words.
    pub(crate) fn add(&mut self, before: u64, acknowledged: u64, found: &Found) -> Result<u64, String> {
        self.faults += 1;
        self.acknowledged += acknowledged.saturating_sub(before);
        match found {
            Found::Whole { last } if *last < acknowledged => {
                self.lost += acknowledged - last;
                Err(format!("batch {acknowledged} was acknowledged, the store ends at {last}"))
            }
            Found::Whole { last } => Ok(*last),
            Found::Halved { last } => {
                self.halved += 1;
                Err(format!("the store says that it ends at batch {last}, and has other records"))
            }
            Found::Closed { reason } => {
                self.closed += 1;
                Err(format!("with batch {acknowledged} acknowledged, the store would not open: {reason}"))
            }
        }
    }

    /// How many faults there were.
    pub(crate) fn faults(&self) -> u32 {
        self.faults
    }

    /// A line of progress towards so many faults.
    pub(crate) fn progress(&self, cycles: u32) -> String {
        let (_, faults) = self.fault.words();
        let [faults_done, cycles] = [self.faults, cycles].map(|number| in_threes(number.into()));
        format!("  {faults_done} of {cycles} {faults}, {} acknowledged batches", in_threes(self.acknowledged))
    }

    /// How many batches were acknowledged. A run in which none was has shown nothing.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Whether every store had all that it had acknowledged, and nothing else.
    pub(crate) fn is_clean(&self) -> bool {
        self.lost == 0 && self.halved == 0 && self.closed == 0
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, faults) = self.fault.words();
        let place = match self.fault {
            Fault::PowerCut => "ext4 on a loop image, ",
            Fault::Kill => "",
        };
        let Tally { subject, seed, took, faults: number, acknowledged, lost, halved, closed, .. } = self;
        let [number, acknowledged, lost] = [u64::from(*number), *acknowledged, *lost].map(in_threes);
        write!(
            formatter,
            "{name} {}: {number} {faults}, {acknowledged} acknowledged batches, {lost} lost, {halved} halved, \
             {closed} that would not open (seed {seed}, {place}{:.0} s)",
            subject.name(),
            took.as_secs_f64(),
        )
    }
}

/// A number with commas between its thousands.
fn in_threes(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use store::Engine;

    use super::*;

    fn tally(acknowledged: u64, found: Found) -> Tally {
        let mut tally = Tally::new(Fault::PowerCut, Subject::Engine(Engine::Sled), 42);
        let _ = tally.add(0, acknowledged, &found);
        tally
    }

    #[test]
    fn the_batch_after_the_last_acknowledged_one_may_be_there_and_the_last_itself_must() {
        assert!(tally(9, Found::Whole { last: 10 }).is_clean());
        assert!(tally(9, Found::Whole { last: 9 }).is_clean());
        assert!(!tally(9, Found::Whole { last: 8 }).is_clean());
    }

    #[test]
    fn each_kind_of_damage_is_counted_as_itself() {
        let text = |found| tally(1_234_567, found).to_string();
        assert_eq!(
            text(Found::Whole { last: 1_234_560 }),
            "power-cut sled: 1 cuts, 1,234,567 acknowledged batches, 7 lost, 0 halved, 0 that would not open \
             (seed 42, ext4 on a loop image, 0 s)"
        );
        assert!(text(Found::Halved { last: 1_234_567 }).contains("0 lost, 1 halved, 0 that"));
        assert!(text(Found::Closed { reason: "damaged".into() }).contains("0 lost, 0 halved, 1 that"));
    }

    #[test]
    fn a_finding_survives_being_told() {
        let reason = "the store is damaged (its log ends)".to_owned();
        for found in [Found::Whole { last: 3 }, Found::Halved { last: 4 }, Found::Closed { reason }] {
            assert_eq!(found.to_string().parse::<Found>().unwrap(), found);
        }
    }
}
