//! What is asked on the command line: each flag a what-if question, with the product's own number as the default.
//!
//! [`Options::plan`] checks the numbers against each other, by the same rule that the vendor's tool uses. What a plan
//! then plays like is told in `play`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use shared::license::Setup;
use shared::policy::{self, Policy};
use shared::time::{Length, Timestamp, to_ms};

use super::outage::{Leave, Outage};
use super::week::{Away, DAY, Hours};

/// Day 0 of every play, 00:00 UTC: Monday, 5 January 2026. A fixed day, so that a seed gives the same result for ever.
pub(crate) const DAY_ZERO: Timestamp = Timestamp::from_unix_ms(1_767_571_200_000);

/// The fleet to be played, and what befalls it.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How many machines.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    machines: u32,
    /// How many days are played. Day 0 is a Monday.
    #[arg(long, default_value_t = 730, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// How many hosts, each with a ledger of its own; machines choose among them by DNS SRV, all of one priority.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=8))]
    hosts: u8,
    /// Days on which the hosts are down: from day A until day B, `A-` for good; `A-B@1` for host 1 alone. May be repeated.
    #[arg(long, value_name = "A-B[@HOST]")]
    outage: Vec<Outage>,
    /// So many machines, each as likely as the other, are switched off for good on that day: how a threshold is lost.
    #[arg(long, value_name = "PERCENT@DAY")]
    leave: Option<Leave>,
    /// Do not answer how long the hosts may be down before they come back, nor what is seen if they never do.
    #[arg(long)]
    no_downtime: bool,

    /// The same seed gives the same fleet, to the byte.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write fleet.json and fleet.html into this folder; made if it is not there.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,

    // Last, because a heading holds for whatever follows it.
    #[command(flatten)]
    numbers: Numbers,
    #[command(flatten)]
    used: Use,
}

/// What the vendor signs into the host's certificate, and compiles into the product.
#[derive(Debug, Args)]
#[command(next_help_heading = "The product's numbers")]
struct Numbers {
    /// Machines needed before leases are issued.
    #[arg(long, default_value_t = Policy::CLIENT.threshold)]
    threshold: u32,
    /// Life of a lease.
    #[arg(long, value_name = "LENGTH", default_value_t = Span(Policy::CLIENT.validity))]
    validity: Span,
    /// When a licensed machine asks again.
    #[arg(long, value_name = "LENGTH", default_value_t = Span(Policy::CLIENT.renew_interval))]
    renew_interval: Span,
    /// When an unlicensed machine asks again.
    #[arg(long, value_name = "LENGTH", default_value_t = Span(Policy::CLIENT.retry_interval))]
    retry_interval: Span,
    /// When a licensed machine first asks again after a failed renewal; it doubles from here.
    #[arg(long, value_name = "LENGTH", default_value_t = Span(Policy::CLIENT.renew_retry))]
    renew_retry: Span,
    /// Where the doubling ends.
    #[arg(long, value_name = "LENGTH", default_value_t = Span(Policy::CLIENT.renew_retry_max))]
    renew_retry_max: Span,
    /// How long a machine that is not seen stays in the count.
    #[arg(long, value_name = "LENGTH", default_value_t = Span(Policy::CLIENT.count_window))]
    count_window: Span,
    /// How long before its end a lease is said to expire soon.
    #[arg(long, value_name = "LENGTH", default_value_t = Span(Policy::CLIENT.expiry_warning))]
    expiry_warning: Span,
    /// From the first start until notices begin.
    #[arg(long, value_name = "LENGTH", default_value_t = Span(Setup::DEFAULT.grace))]
    grace: Span,
}

/// How people use the machines.
#[derive(Debug, Args)]
#[command(next_help_heading = "How the machines are used")]
struct Use {
    /// The machines are installed evenly over so many first days.
    #[arg(long, value_name = "DAYS", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=3650))]
    rollout: u32,
    /// When an office machine is switched on, Monday to Friday; each begins and ends up to an hour later, by itself.
    #[arg(long, value_name = "FROM-TO", default_value = "8-18")]
    hours: Hours,
    /// The share of machines that are never switched off: servers.
    #[arg(long, value_name = "PERCENT", default_value = "10%", value_parser = parse_percent)]
    always_on: u32,
    /// The share of machines that leave the network from time to time: laptops. The others stay in the office.
    #[arg(long, value_name = "PERCENT", default_value = "30%", value_parser = parse_percent)]
    laptops: u32,
    /// How long a laptop is off the network, and once in how long; each at its own time. It is used meanwhile.
    #[arg(long, value_name = "LENGTH/LENGTH", default_value = "14d/56d")]
    away: Away,
}

/// What is played, checked.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) machines: u32,
    pub(crate) days: u32,
    pub(crate) hosts: u8,
    pub(crate) policy: Policy,
    pub(crate) setup: Setup,
    pub(crate) rollout_days: u32,
    pub(crate) hours: Hours,
    /// Percent.
    pub(crate) always_on: u32,
    /// Percent.
    pub(crate) laptops: u32,
    pub(crate) away: Away,
    pub(crate) outages: Vec<Outage>,
    pub(crate) leave: Option<Leave>,
    pub(crate) downtime: bool,
    pub(crate) seed: u64,
}

impl Options {
    /// Where the files go, if any are wanted.
    pub(crate) fn out(&self) -> Option<&PathBuf> {
        self.out.as_ref()
    }

    /// Checks the numbers against each other.
    ///
    /// # Errors
    /// The first that does not hold, and what to do.
    pub(crate) fn plan(&self) -> anyhow::Result<Plan> {
        let plan = Plan {
            machines: self.machines,
            days: self.days,
            hosts: self.hosts,
            policy: self.numbers.policy()?,
            setup: Setup { grace: self.numbers.grace.0, retry_interval: self.numbers.retry_interval.0 },
            rollout_days: self.used.rollout,
            hours: self.used.hours,
            always_on: self.used.always_on,
            laptops: self.used.laptops,
            away: self.used.away,
            outages: self.outage.clone(),
            leave: self.leave,
            downtime: !self.no_downtime,
            seed: self.seed,
        };
        policy::check_grace(plan.setup.grace).context("--grace does not hold")?;
        plan.check()?;
        Ok(plan)
    }
}

impl Numbers {
    fn policy(&self) -> anyhow::Result<Policy> {
        let policy = Policy {
            validity: self.validity.0,
            renew_interval: self.renew_interval.0,
            retry_interval: self.retry_interval.0,
            renew_retry: self.renew_retry.0,
            renew_retry_max: self.renew_retry_max.0,
            count_window: self.count_window.0,
            threshold: self.threshold,
            expiry_warning: self.expiry_warning.0,
            clock_tolerance: Policy::CLIENT.clock_tolerance,
        };
        let checked = policy.checked().and_then(|policy| policy.check_lower_bounds().map(|()| policy));
        checked.context("these numbers make no product: change the flag that is named here")
    }
}

impl Plan {
    /// When the play ends.
    pub(crate) fn ends_at(&self) -> Timestamp {
        day(self.days)
    }

    fn check(&self) -> anyhow::Result<()> {
        ensure!(
            self.always_on + self.laptops <= 100,
            "--always-on and --laptops are {} % together: lower one, to 100 % at the most",
            self.always_on + self.laptops
        );
        ensure!(
            self.rollout_days <= self.days,
            "--rollout {} is longer than the play: raise --days to {} at least",
            self.rollout_days,
            self.rollout_days
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

/// 00:00 UTC of this day of the play.
pub(crate) fn day(number: u32) -> Timestamp {
    DAY_ZERO + DAY * number
}

/// A day of the play with its date: `day 122 (2026-05-07)`.
pub(crate) fn dated(day: f64) -> String {
    format!("day {} ({})", day.floor(), date(day))
}

/// The date of a day of the play.
pub(crate) fn date(day: f64) -> String {
    let mut text = (DAY_ZERO + DAY.mul_f64(day.max(0.0))).to_string();
    text.truncate("2026-01-05".len());
    text
}

/// A length of time as it is written on the command line: `7d`, `4h`, `1d12h`.
#[derive(Clone, Copy, Debug)]
struct Span(Duration);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Span, String> {
        parse_length(text).map(Span)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Length(self.0).to_string().replace(' ', ""))
    }
}

/// A length of time, to the millisecond.
pub(super) fn parse_length(text: &str) -> Result<Duration, String> {
    let length =
        humantime::parse_duration(text).map_err(|error| format!("{error}: write 7d, 4h or 1d12h"))?;
    Ok(Duration::from_millis(u64::try_from(to_ms(length)).unwrap_or(0)))
}

pub(super) fn parse_percent(text: &str) -> Result<u32, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim_end().parse().ok();
    let wrong = || format!("`{text}` is no share: write a whole number from 0 to 100, as in 30%");
    number.filter(|percent| *percent <= 100).ok_or_else(wrong)
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
        options: Options,
    }

    fn check(line: &str) -> Result<Plan, String> {
        let words = std::iter::once("fleet").chain(line.split_whitespace());
        let parsed = Line::try_parse_from(words).map_err(|error| error.to_string())?;
        parsed.options.plan().map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn without_flags_the_numbers_are_those_of_the_product() {
        let plan = check("").unwrap();
        assert_eq!((plan.policy, plan.setup), (Policy::CLIENT, Setup::DEFAULT));
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
