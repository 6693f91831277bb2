//! Which hosts to ask, in order: those that are configured, else those in DNS.
//!
//! The first of these places that names a host decides: the environment variable `KMS_HOSTS`, the file `hosts` beside the state, the
//! vendor's code, SRV records in the machine's domains. Configured hosts keep their order; `shared::srv` orders records. The host
//! that gave the last lease comes first among its equals, and is asked even if DNS fails. DNS is asked in every round, so that a
//! change of priorities takes effect. `docs/protocol.md` 4.

use std::fmt;
use std::net::SocketAddr;

#[cfg(feature = "dns")]
use names::{Dns, Domain};
use shared::reason::{Cause, Reason};
use shared::srv::SrvRecord;

use crate::hosts::{self, HostName, HostNameError};

/// The environment variable that names hosts, separated by commas.
pub(crate) const ENVIRONMENT: &str = "KMS_HOSTS";

/// How many faults of one place are shown. A file of another kind has one on each line.
const FAULTS_MAX: usize = 8;

/// The hosts that would be asked, in order. No host was asked to find out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discovery {
    /// The hosts, in the order in which they are tried.
    pub hosts: Vec<Candidate>,
    /// The places that gave no host, and why: a domain without a record, a name that cannot be read.
    pub problems: Vec<Problem>,
    /// What was left out of the others, and why: a setting that cannot be read, a record that names no usable host.
    pub notes: Vec<Problem>,
    /// The domains that DNS was asked about, in order.
    pub domains: Vec<LookedIn>,
    /// The DNS names that there was no time for. The next round begins with them.
    pub(crate) left_out: Vec<String>,
}

/// A domain that DNS was asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LookedIn {
    /// The name that was asked, fully qualified.
    pub service: String,
    /// The records that were found there, in the order of the answer.
    pub records: Vec<SrvRecord>,
}

/// A host that would be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Candidate {
    /// Its name and port.
    pub host: HostName,
    /// What named it.
    pub source: Source,
}

/// A place that gave no host.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The name in DNS, or the place where hosts are configured.
    pub place: String,
    /// Why it gave no host.
    pub cause: Cause,
}

/// What named a host.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// The environment variable `KMS_HOSTS`.
    Environment,
    /// The administrator's file `hosts` beside the state.
    File,
    /// The vendor's code.
    Code,
    /// The command line of a tool beside the product.
    CommandLine,
    /// An SRV record.
    Dns {
        /// The domain of the record, without a dot at the end.
        domain: String,
        /// Its priority. Lower is tried first.
        priority: u16,
        /// Its share among records of the same priority.
        weight: u16,
    },
    /// It gave the last lease, and DNS names no host now.
    Remembered,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Environment => f.write_str("environment variable KMS_HOSTS"),
            Source::File => f.write_str("hosts file"),
            Source::Code => f.write_str("named by the product"),
            Source::CommandLine => f.write_str("command line"),
            Source::Dns { domain, priority, weight } => {
                write!(f, "DNS {domain}, priority {priority}, weight {weight}")
            }
            Source::Remembered => f.write_str("gave the last lease"),
        }
    }
}

/// Where the builder said to search.
#[derive(Clone, Debug, Default)]
#[cfg_attr(not(feature = "dns"), expect(dead_code, reason = "DNS is left out"))]
pub(crate) struct Places {
    pub(crate) hosts: Vec<Candidate>,
    pub(crate) domains: Vec<String>,
    pub(crate) name_server: Option<SocketAddr>,
    pub(crate) service_label: String,
}

/// The hosts in an administrator's hosts file, and the lines that name none.
pub(crate) fn in_hosts_file(text: &str) -> Option<Discovery> {
    configured(hosts::in_file(text), &Source::File)
}

impl Places {
    /// The hosts that would be asked, in order. `hosts_file` is the content of that file, `last` the host that gave the last lease as
    /// `name:port`, `first` what the last round had no time for.
    pub(crate) async fn discover(
        &self,
        hosts_file: Option<&str>,
        last: Option<&str>,
        first: &[String],
    ) -> Discovery {
        let environment = std::env::var(ENVIRONMENT).unwrap_or_default();
        let mut found = configured(hosts::in_list(&environment), &Source::Environment)
            .or_else(|| in_hosts_file(hosts_file.unwrap_or_default()))
            .or_else(|| {
                let hosts = Some(self.hosts.clone()).filter(|hosts| !hosts.is_empty())?;
                Some(Discovery { hosts, ..Discovery::default() })
            });
        if found.is_none() {
            found = self.in_dns(last, first).await;
        }
        let mut found = found.unwrap_or_default();
        put_first(&mut found.hosts, last);
        // The sort is stable, so the others keep their order.
        found.hosts.sort_by_key(|candidate| !first.contains(&candidate.host.to_string()));
        if found.hosts.is_empty() && found.problems.is_empty() {
            found.problems.push(Problem { place: "hosts".to_owned(), cause: Reason::NoHostKnown.into() });
        }
        found
    }

    #[cfg(feature = "dns")]
    async fn in_dns(&self, last: Option<&str>, first: &[String]) -> Option<Discovery> {
        let mut found = Discovery::default();
        let dns = Dns::open(self.name_server, &self.domains, &self.service_label);
        for (domain, records) in dns.hosts(first).await {
            match records {
                Err(cause) => {
                    found.domains.push(LookedIn { service: domain.service.clone(), records: Vec::new() });
                    found.give(domain.service, cause);
                }
                Ok(records) => found.add(records, &domain),
            }
        }
        dns.faults().iter().for_each(|cause| found.give("DNS".to_owned(), cause.clone()));
        // DNS fails more often than hosts do.
        if found.hosts.is_empty()
            && let Some(host) = last.and_then(|last| last.parse().ok())
        {
            let source = Source::Remembered;
            found.hosts.push(Candidate { host, source });
        }
        Some(found)
    }

    #[cfg(not(feature = "dns"))]
    #[expect(clippy::unused_async, reason = "with DNS it waits")]
    async fn in_dns(&self, _last: Option<&str>, _first: &[String]) -> Option<Discovery> {
        None
    }
}

#[cfg(feature = "dns")]
impl Discovery {
    /// Notes a place that gave no host. A setting that cannot be read does not affect the others, so it comes after them.
    fn give(&mut self, place: String, cause: Cause) {
        if cause.reason() == Some(Reason::NotTried) {
            self.left_out.push(place.clone());
        }
        let is_setting = cause.reason() == Some(Reason::DnsSettingBad);
        let problems = if is_setting { &mut self.notes } else { &mut self.problems };
        problems.push(Problem { place, cause });
    }

    /// Adds the records of one domain, each host once.
    fn add(&mut self, records: Vec<SrvRecord>, domain: &Domain) {
        let faults: Vec<_> = records.iter().filter_map(|record| record.fault(&domain.service)).collect();
        self.domains.push(LookedIn { service: domain.service.clone(), records: records.clone() });
        let ordered = shared::srv::order(records, crate::random::up_to);
        let noted = if ordered.is_empty() { &mut self.problems } else { &mut self.notes };
        noted.extend(problems(&domain.service, faults));
        for record in &ordered {
            let source =
                Source::Dns { domain: domain.name.clone(), priority: record.priority, weight: record.weight };
            let host = HostName::from_dns(record);
            if self.hosts.iter().all(|known| known.host != host) {
                self.hosts.push(Candidate { host, source });
            }
        }
    }
}

/// The hosts of one place. `None` if it is empty, so that the next place is searched.
fn configured(parsed: Vec<Result<HostName, HostNameError>>, source: &Source) -> Option<Discovery> {
    if parsed.is_empty() {
        return None;
    }
    let (mut hosts, mut faults) = (Vec::new(), Vec::new());
    for host in parsed {
        match host {
            Ok(host) => hosts.push(Candidate { host, source: source.clone() }),
            Err(error) => faults.push(Reason::HostNameBad.with(&[("cause", &error)])),
        }
    }
    Some(Discovery { hosts, problems: problems(&source.to_string(), faults), ..Discovery::default() })
}

/// The faults of one place. Of very many only some are shown, and the last of those says how many more there are.
fn problems(place: &str, mut faults: Vec<Cause>) -> Vec<Problem> {
    let more = faults.len().saturating_sub(FAULTS_MAX);
    faults.truncate(FAULTS_MAX);
    let problem = |cause| Problem { place: place.to_owned(), cause };
    let mut problems: Vec<_> = faults.into_iter().map(problem).collect();
    if let Some(last) = problems.last_mut().filter(|_| more != 0) {
        last.place = format!("{place} (and {more} more)");
    }
    problems
}

fn put_first(hosts: &mut [Candidate], last: Option<&str>) {
    let is_last = |known: &Candidate| last.is_some_and(|last| known.host.to_string() == last);
    shared::srv::put_first(hosts, is_last, |one, other| one.source.is_equal_to(&other.source));
}

impl Source {
    /// Whether hosts from both are tried in any order: they were configured in one place, or have one priority.
    fn is_equal_to(&self, other: &Source) -> bool {
        match (self, other) {
            (
                Source::Dns { domain, priority, .. },
                Source::Dns { domain: other_domain, priority: other_priority, .. },
            ) => domain == other_domain && priority == other_priority,
            (one, other) => one == other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(hosts: &[(&str, Source)], last: &str, expected: Expect) {
        let mut hosts: Vec<_> = hosts
            .iter()
            .map(|(host, source)| Candidate { host: host.parse().unwrap(), source: source.clone() })
            .collect();
        put_first(&mut hosts, Some(last));
        let names: Vec<_> = hosts.iter().map(|known| known.host.to_string()).collect();
        expected.assert_eq(&names.join(" "));
    }

    #[test]
    fn the_host_that_gave_the_last_lease_comes_first_among_its_equals() {
        let dns = |priority| Source::Dns { domain: "corp.example".into(), priority, weight: 0 };
        let records = [("a:1", dns(10)), ("b:1", dns(10)), ("c:1", dns(20)), ("d:1", dns(20))];
        check(&records, "b:1", expect!["b:1 a:1 c:1 d:1"]);
        check(&records, "d:1", expect!["a:1 b:1 d:1 c:1"]);
        check(&records, "e:1", expect!["a:1 b:1 c:1 d:1"]);
        let configured = [("a:1", Source::File), ("b:1", Source::File), ("c:1", Source::File)];
        check(&configured, "c:1", expect!["c:1 a:1 b:1"]);
    }

    #[tokio::test]
    async fn what_is_configured_goes_before_dns_and_the_file_before_the_code() {
        let code = Candidate { host: "code".parse().unwrap(), source: Source::Code };
        let places = Places { hosts: vec![code], ..Places::default() };
        let found = places.discover(Some("file # ours\n"), None, &[]).await;
        assert_eq!(found.hosts[0].source, Source::File);
        assert_eq!(found.hosts[0].host.to_string(), "file:21688");
        let found = places.discover(None, None, &[]).await;
        assert_eq!(found.hosts[0].source, Source::Code);
    }

    #[tokio::test]
    async fn a_line_that_cannot_be_read_is_reported_and_the_others_are_used() {
        let found = Places::default().discover(Some("::1\nkms1\n"), None, &[]).await;
        assert_eq!(found.hosts.len(), 1);
        expect!["HOST_NAME_BAD: a host is named in a way that cannot be read: `::1` names no host: write an IPv6 address in brackets: [::1]"]
            .assert_eq(&found.problems[0].cause.to_string());
    }

    /// A file of another kind in the place of the hosts file printed a fault for each of its lines, thousands of them.
    #[tokio::test]
    async fn of_very_many_faults_some_are_shown_and_the_others_are_counted() {
        for (lines, last) in
            [(8, "hosts file"), (9, "hosts file (and 1 more)"), (5_000, "hosts file (and 4992 more)")]
        {
            let found = Places::default().discover(Some(&"!\n".repeat(lines)), None, &[]).await;
            let places: Vec<_> = found.problems.iter().map(|problem| problem.place.as_str()).collect();
            assert_eq!(places, [&["hosts file"; 7][..], &[last]].concat(), "{lines}");
        }
    }
}
