//! What happens to a fleet: days on which hosts are down, and a day on which machines leave.

use std::fmt;

use shared::time::Timestamp;

use super::calendar::day;
use super::week::parse_percent;

/// A stretch of days on which hosts are down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outage {
    /// Its first day.
    pub(crate) from: u32,
    /// The day on which the host is back, if it ever is.
    pub(crate) to: Option<u32>,
    /// The host, counted from 1; all of them if none is named.
    pub(crate) host: Option<u8>,
}

impl Outage {
    /// Of `200-210`, `200-` or `200-210@1`.
    pub(crate) fn parse(text: &str) -> Result<Outage, String> {
        let wrong =
            || format!("`{text}` is no outage: write 200-210, 200- for good, or 200-210@1 for host 1");
        let (days, host) = match text.split_once('@') {
            None => (text, None),
            Some((days, host)) => (days, Some(host.parse().map_err(|_| wrong())?)),
        };
        let (from, to) = days.split_once('-').ok_or_else(wrong)?;
        let from = from.parse().map_err(|_| wrong())?;
        let to = if to.is_empty() { None } else { Some(to.parse().map_err(|_| wrong())?) };
        if to.is_some_and(|to| to <= from) {
            return Err(format!("`{text}` ends before it begins: the second day is the one of the return"));
        }
        Ok(Outage { from, to, host })
    }

    pub(crate) fn begins_at(&self) -> Timestamp {
        day(self.from)
    }

    pub(crate) fn ends_at(&self) -> Timestamp {
        self.to.map_or(Timestamp::from_unix_ms(i64::MAX), day)
    }

    /// Whether it strikes this host, counted from 0.
    pub(crate) fn strikes(&self, host: u8) -> bool {
        self.host.is_none_or(|struck| struck == host + 1)
    }
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-", self.from)?;
        self.to.iter().try_for_each(|to| write!(f, "{to}"))?;
        self.host.iter().try_for_each(|host| write!(f, "@{host}"))
    }
}

/// Machines that are switched off for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leave {
    /// How many of a hundred.
    pub(crate) percent: u32,
    /// The first day on which they are gone.
    pub(crate) on: u32,
}

impl Leave {
    /// Of `50%@200`.
    pub(crate) fn parse(text: &str) -> Result<Leave, String> {
        let wrong =
            || format!("`{text}` says not who leaves when: write 50%@200 for half of them on day 200");
        let (percent, on) = text.split_once('@').ok_or_else(wrong)?;
        Ok(Leave { percent: parse_percent(percent)?, on: on.parse().map_err(|_| wrong())? })
    }
}

impl fmt::Display for Leave {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} % on day {}", self.percent, self.on)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outages_are_days_and_may_name_a_host_or_have_no_end() {
        let parse = Outage::parse;
        assert_eq!(parse("200-210"), Ok(Outage { from: 200, to: Some(210), host: None }));
        assert_eq!(parse("200-@2"), Ok(Outage { from: 200, to: None, host: Some(2) }));
        assert_eq!(parse("200-@2").unwrap().to_string(), "200-@2");
        for wrong in ["200", "a-b", "210-200", "1-1", "1-2@", "-5"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_share_leaves_on_a_day() {
        assert_eq!(Leave::parse("50%@200"), Ok(Leave { percent: 50, on: 200 }));
        for wrong in ["50%", "@200", "101%@3", "50%@x"] {
            assert!(Leave::parse(wrong).is_err(), "{wrong}");
        }
    }
}
