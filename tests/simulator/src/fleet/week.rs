//! When a machine is switched on, and when it is off the network. Pure: an instant goes in.
//!
//! A server is always on. An office machine is on from Monday to Friday in its hours. A laptop is an office machine that is off
//! the network at times. It is used then too, so its user sees notices and its asks fail. `sure` says when a machine has
//! certainly asked.

mod sure;

use clap::Args;
use kms_vendor::parse_length;
use shared::time::{Timestamp, to_ms};

use super::calendar::{DAY_MS, DAY_ZERO, HOUR_MS};
use super::chance::Chance;

/// How much later than the office hours a machine may begin, and end.
const JITTER_MS: u64 = 3_600_000;

/// How people use the machines.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "How the machines are used")]
pub(crate) struct Use {
    /// Install the machines evenly over the first days.
    #[arg(long, value_name = "DAYS", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub(crate) rollout: u32,
    /// Hours in which office machines are switched on, Monday to Friday. Each begins and ends up to an hour later.
    #[arg(long, value_name = "FROM-TO", default_value = "8-18", value_parser = Hours::parse)]
    pub(crate) hours: Hours,
    /// Share of machines that are never switched off: servers.
    #[arg(long, value_name = "PERCENT", default_value = "10%", value_parser = parse_percent)]
    pub(crate) always_on: u32,
    /// Share of machines that leave the network from time to time: laptops. The others stay in the office.
    #[arg(long, value_name = "PERCENT", default_value = "30%", value_parser = parse_percent)]
    pub(crate) laptops: u32,
    /// How long a laptop is off the network, and how often: 14d/56d is 14 days in every 56. It is used off the network too.
    #[arg(long, value_name = "LENGTH/LENGTH", default_value = "14d/56d", value_parser = Away::parse)]
    pub(crate) away: Away,
}

/// When one machine is used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Week {
    on: On,
    absence: Option<Absence>,
}

#[derive(Clone, Copy, Debug)]
enum On {
    Always,
    /// Monday to Friday; counted from midnight.
    Office {
        begins_ms: i64,
        length_ms: i64,
    },
}

#[derive(Clone, Copy, Debug)]
struct Absence {
    away: Away,
    phase_ms: i64,
}

impl Week {
    /// Draws what kind of machine this is. The number of draws is always the same, so that a flag changes nothing else.
    pub(crate) fn draw(used: &Use, chance: &mut Chance) -> Week {
        let (kind, jitter_ms) = (chance.below(100), chance.below(JITTER_MS).cast_signed());
        let phase_ms = chance.below(used.away.cycle_ms.cast_unsigned()).cast_signed();
        let office = On::Office {
            begins_ms: i64::from(used.hours.from) * HOUR_MS + jitter_ms,
            length_ms: i64::from(used.hours.to - used.hours.from) * HOUR_MS,
        };
        if kind < u64::from(used.always_on) {
            return Week { on: On::Always, absence: None };
        }
        let is_laptop = kind < u64::from(used.always_on + used.laptops);
        Week { on: office, absence: is_laptop.then_some(Absence { away: used.away, phase_ms }) }
    }

    /// Whether it is off the network.
    pub(crate) fn is_away(&self, at: Timestamp) -> bool {
        let Some(Absence { away, phase_ms }) = self.absence else { return false };
        (since_zero_ms(at) + phase_ms).rem_euclid(away.cycle_ms) < away.length_ms
    }

    /// The first instant from this one on at which it is switched on.
    pub(crate) fn next_on(&self, at: Timestamp) -> Timestamp {
        let On::Office { begins_ms, length_ms } = self.on else { return at };
        let at_ms = since_zero_ms(at);
        // The day whose hours began last; the jitter may have carried them past midnight.
        let mut day = (at_ms - begins_ms).div_euclid(DAY_MS);
        if is_workday(day) && at_ms < day * DAY_MS + begins_ms + length_ms {
            return at;
        }
        day += 1;
        while !is_workday(day) {
            day += 1;
        }
        Timestamp::from_unix_ms(DAY_ZERO.unix_ms() + day * DAY_MS + begins_ms)
    }
}

/// Day 0 is a Monday.
fn is_workday(day: i64) -> bool {
    day.rem_euclid(7) < 5
}

fn since_zero_ms(at: Timestamp) -> i64 {
    at.unix_ms() - DAY_ZERO.unix_ms()
}

/// A whole number of hundredths, with or without its sign.
pub(crate) fn parse_percent(text: &str) -> Result<u32, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim_end().parse().ok();
    let wrong = || format!("`{text}` is no share: write a whole number from 0 to 100, as in 30%");
    number.filter(|percent| *percent <= 100).ok_or_else(wrong)
}

/// The hours of an office: `8-18`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hours {
    pub(crate) from: u8,
    pub(crate) to: u8,
}

impl Hours {
    fn parse(text: &str) -> Result<Hours, String> {
        let hours = text.split_once('-').and_then(|(from, to)| {
            let (from, to) = (from.parse().ok()?, to.parse().ok()?);
            (from < to && to <= 24).then_some(Hours { from, to })
        });
        hours.ok_or_else(|| {
            format!("`{text}` are no hours: write two of 0 to 24, the earlier first, as in 8-18")
        })
    }
}

/// How long a laptop is off the network, and once in how long: `14d/56d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Away {
    pub(crate) length_ms: i64,
    pub(crate) cycle_ms: i64,
}

impl Away {
    fn parse(text: &str) -> Result<Away, String> {
        let wrong = "write how long, a slash, and once in how long, as in 14d/56d".to_owned();
        let (length, cycle) = text.split_once('/').ok_or_else(|| wrong.clone())?;
        let (length_ms, cycle_ms) = (to_ms(parse_length(length)?), to_ms(parse_length(cycle)?));
        let longest_ms = 3650 * DAY_MS;
        if length_ms < cycle_ms && cycle_ms <= longest_ms {
            return Ok(Away { length_ms, cycle_ms });
        }
        Err(format!("the first has to be shorter than the second, and that ten years at the most: {wrong}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn at(day: i64, hour: i64) -> Timestamp {
        Timestamp::from_unix_ms(DAY_ZERO.unix_ms() + day * DAY_MS + hour * HOUR_MS)
    }

    pub(super) fn office(from: i64, to: i64) -> Week {
        let on = On::Office { begins_ms: from * HOUR_MS, length_ms: (to - from) * HOUR_MS };
        Week { on, absence: None }
    }

    #[test]
    fn an_office_machine_is_on_in_its_hours_from_monday_to_friday() {
        let week = office(8, 18);
        for (asked, on) in [
            (at(0, 3), at(0, 8)),
            (at(0, 8), at(0, 8)),
            (at(0, 17), at(0, 17)),
            (at(0, 18), at(1, 8)),
            (at(4, 18), at(7, 8)),
            (at(5, 12), at(7, 8)),
            (at(6, 23), at(7, 8)),
        ] {
            assert_eq!(week.next_on(asked), on, "{asked}");
        }
    }

    #[test]
    fn hours_that_end_after_midnight_belong_to_the_day_before() {
        let week = office(23, 25);
        assert_eq!(week.next_on(at(5, 0)), at(5, 0), "Saturday, the last hour of Friday");
        assert_eq!(week.next_on(at(5, 1)), at(7, 23));
        assert_eq!(week.next_on(at(0, 0)), at(0, 23), "Sunday's hours are none");
    }

    #[test]
    fn a_laptop_is_away_for_so_long_once_in_so_long() {
        let away = Away::parse("14d/56d").unwrap();
        let week = Week { absence: Some(Absence { away, phase_ms: 0 }), ..office(8, 18) };
        assert!(week.is_away(at(0, 0)) && week.is_away(at(13, 23)) && !week.is_away(at(14, 0)));
        assert!(!week.is_away(at(55, 23)) && week.is_away(at(56, 0)));
        assert!(!office(8, 18).is_away(at(0, 0)));
    }

    #[test]
    fn a_server_is_never_off() {
        let week = Week { on: On::Always, absence: None };
        assert_eq!(week.next_on(at(5, 3)), at(5, 3));
    }
}
