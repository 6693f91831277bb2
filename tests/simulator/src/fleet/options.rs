//! A play as the command line describes it. Each flag is a what-if question; its default is the product's own number.
//!
//! [`Plan::check`] checks the numbers against each other, by the rule that the vendor's tool uses too. `play` plays the plan.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use kms_vendor::{Numbers, parse_length};
use shared::license::Setup;
use shared::policy::{self, Policy};
use shared::time::Timestamp;

use super::calendar::day;
use super::outage::{Leave, Outage};
use super::week::Use;

/// The fleet to be played, and what happens to it.
#[derive(Clone, Debug, Args)]
pub(crate) struct Plan {
    /// Number of machines.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) machines: u32,
    /// Number of days to play. Day 0 is a Monday.
    #[arg(long, default_value_t = 730, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub(crate) days: u32,
    /// Number of hosts, each with a ledger of its own. Machines choose among them by DNS SRV; all have one priority.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=8))]
    pub(crate) hosts: u8,
    /// Days on which the hosts are down: from day A until day B; `A-` for good; `A-B@1` for host 1 alone. May be repeated.
    #[arg(long = "outage", value_name = "A-B[@HOST]", value_parser = Outage::parse)]
    pub(crate) outages: Vec<Outage>,
    /// Switch this share of the machines off for good on that day, chosen at random: how a threshold is lost.
    #[arg(long, value_name = "PERCENT@DAY", value_parser = Leave::parse)]
    pub(crate) leave: Option<Leave>,
    /// Leave out how long the hosts may be down, and what users see if they never come back.
    #[arg(long)]
    pub(crate) no_downtime: bool,

    /// Seed of everything random; the same seed gives the same result, to the byte.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Folder to write fleet.json and fleet.html to; made if it does not exist.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,

    // Last, because a heading holds for whatever follows it.
    #[command(flatten)]
    numbers: Numbers,
    /// How long after its first start a product without a lease stays silent [default: 25d].
    #[arg(long, value_name = "LENGTH", value_parser = parse_length)]
    grace: Option<Duration>,
    #[command(flatten)]
    pub(crate) used: Use,
}

impl Plan {
    /// What the host's certificate says.
    pub(crate) fn policy(&self) -> Policy {
        self.numbers.over(Policy::CLIENT)
    }

    /// What is compiled into the product.
    pub(crate) fn setup(&self) -> Setup {
        Setup {
            grace: self.grace.unwrap_or(Setup::DEFAULT.grace),
            retry_interval: self.policy().retry_interval,
        }
    }

    /// When the play ends.
    pub(crate) fn ends_at(&self) -> Timestamp {
        day(self.days)
    }

    /// Checks the numbers against each other.
    ///
    /// # Errors
    /// The first that does not hold, and what to do.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let checked = self.policy().checked().and_then(|policy| policy.check_lower_bounds());
        checked.context("these numbers make no product: change the flag that is named here")?;
        policy::check_grace(self.setup().grace).context("--grace does not hold")?;
        ensure!(
            self.used.always_on + self.used.laptops <= 100,
            "--always-on and --laptops are {} % together: lower one, to 100 % at the most",
            self.used.always_on + self.used.laptops
        );
        ensure!(
            self.used.rollout <= self.days,
            "--rollout {} is longer than the play: raise --days to {} at least",
            self.used.rollout,
            self.used.rollout
        );
        if let Some(leave) = self.leave {
            ensure!(
                leave.on < self.days,
                "--leave is for day {}, after the last one, {}: raise --days, or let them leave earlier",
                leave.on,
                self.days - 1
            );
        }
        for outage in &self.outages {
            ensure!(
                outage.from < self.days,
                "--outage {outage} begins after the last day, {}: raise --days, or let it begin earlier",
                self.days - 1
            );
            ensure!(
                outage.host.is_none_or(|host| (1..=self.hosts).contains(&host)),
                "--outage {outage} names a host that is not there: hosts are numbered from 1 to {}",
                self.hosts
            );
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use clap::Parser;

    /// The plan of this command line.
    pub(crate) fn plan(line: &str) -> Plan {
        check(line).unwrap()
    }

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        plan: Plan,
    }

    fn check(line: &str) -> Result<Plan, String> {
        let words = std::iter::once("fleet").chain(line.split_whitespace());
        let parsed = Line::try_parse_from(words).map_err(|error| error.to_string())?;
        parsed.plan.check().map_err(|error| format!("{error:#}"))?;
        Ok(parsed.plan)
    }

    #[test]
    fn without_flags_the_numbers_are_those_of_the_product() {
        let plan = check("").unwrap();
        assert_eq!((plan.policy(), plan.setup()), (Policy::CLIENT, Setup::DEFAULT));
    }

    #[test]
    fn what_contradicts_itself_is_refused_and_told_what_to_do() {
        for (line, said) in [
            ("--renew-interval 60d", "renew_interval is 60 d, and may not be above 30 d"),
            ("--validity 28d", "expiry_warning is 30 d"),
            ("--renew-interval 1min", "renew_retry"),
            ("--retry-interval 1min", "may not be below 15 min"),
            ("--grace 90d", "grace is 90 d, and may not be above 60 d"),
            ("--laptops 60% --always-on 50", "to 100 % at the most"),
            ("--days 3", "raise --days to 5"),
            ("--outage 900-910", "begins after the last day, 729"),
            ("--leave 10%@900", "after the last one, 729"),
            ("--outage 9-10@2", "numbered from 1 to 1"),
            ("--machines 0", "1..=1000000"),
            ("--hours 18-8", "--hours"),
            ("--away 60d/56d", "--away"),
        ] {
            let error = check(line).unwrap_err();
            assert!(error.contains(said), "{line}: {error}");
        }
    }
}
