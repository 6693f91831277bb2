//! Checks whether machines find this host in DNS: for each domain, where its records lead, and how they share the load.
//!
//! Every address behind a record is asked as a machine would ask, so a host is identified by its signature and not by its name.
//! Names are looked up in DNS only, because this machine's own hosts file helps no other machine.

use std::fmt::Write as _;
use std::net::{SocketAddr, UdpSocket};

use names::{Dns, Domain};
use shared::ids::HostId;
use shared::reason::{Cause, Reason};
use shared::srv::{self, SrvRecord};

use super::{Finding, Known, asking};

/// Largest number of records to check in one domain, because each may take seconds to time out.
const RECORDS_MAX: usize = 16;

/// Records with equal smaller weights are not drawn equally often: RFC 2782 draws "between 0 and the sum computed (inclusive)", and the
/// 0 goes to the first. With 10 and 10, the first gets 11 of 21 draws.
const WEIGHT_ENOUGH: u16 = 10;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Leads {
    /// To this host, or to this machine if the host does not run.
    Here,
    ToSibling(HostId),
    /// To a host that cannot be identified without a certificate here.
    ToAHost,
    /// To a program whose answer a machine does not accept, or to an unknown place.
    Astray(Cause),
    Nowhere(Cause),
}

/// The findings of every domain.
pub(super) async fn findings(known: &Known<'_>) -> Vec<Finding> {
    let Some(config) = &known.config else {
        return vec![Finding::skipped("dns", "the settings are not valid")];
    };
    let dns = Dns::open(known.wanted.name_server, &known.wanted.domains, &config.service_label);
    let warn = |cause: &Cause| Finding::warn("dns", cause.to_string(), cause.remedy());
    let mut findings: Vec<_> = dns.faults().iter().map(warn).collect();
    for (domain, records) in dns.hosts(&[]).await {
        match records {
            Ok(records) => findings.extend(in_domain(known, &dns, &domain, records).await),
            Err(cause) => findings.push(unpublished(known, &domain, &cause.to_string(), Some(&cause))),
        }
    }
    if findings.is_empty() {
        let why = "this machine has no DNS domain; name the one of the machines with --domain";
        findings.push(Finding::skipped("dns", why));
    }
    findings
}

async fn in_domain(known: &Known<'_>, dns: &Dns, domain: &Domain, records: Vec<SrvRecord>) -> Vec<Finding> {
    let faults: Vec<_> = records.iter().filter_map(|record| record.fault(&domain.service)).collect();
    // The order of a machine that draws low numbers.
    let records = srv::order(records, |_| 0);
    let mut seen = Vec::new();
    for record in records.iter().take(RECORDS_MAX) {
        seen.push((record, leads(known, dns, record).await));
    }
    let mut findings = vec![summary(known, domain, &seen)];
    let shown = faults.iter().take(RECORDS_MAX);
    findings.extend(shown.map(|cause| Finding::warn("dns", cause.to_string(), cause.remedy())));
    findings.extend(seen.iter().filter_map(|(record, leads)| aside(domain, record, leads)));
    let more = records.len().saturating_sub(RECORDS_MAX) + faults.len().saturating_sub(RECORDS_MAX);
    if more != 0 {
        let text = format!("{}: {more} more records were not looked at", domain.name);
        findings.push(Finding::skipped("dns", text));
    }
    findings.extend(weights(domain, &records));
    findings
}

/// Whether a record leads to this host, and where the others lead.
fn summary(known: &Known, domain: &Domain, seen: &[(&SrvRecord, Leads)]) -> Finding {
    if seen.iter().all(|(_, leads)| *leads != Leads::Here) {
        let of = if seen.is_empty() { "offers no host" } else { "has no record that leads to this host" };
        return unpublished(known, domain, &format!("{} {of}", domain.service), None);
    }
    let mut text = domain.name.clone();
    for (record, leads) in seen {
        let _ = match leads {
            Leads::Here => write!(text, "; {} is this host", place(record)),
            Leads::ToSibling(host) => write!(text, "; {} is its sibling {host}", place(record)),
            Leads::ToAHost => write!(text, "; an unidentified host answers at {}", place(record)),
            Leads::Astray(_) | Leads::Nowhere(_) => Ok(()),
        };
    }
    Finding::ok("dns", text)
}

/// A missing record is a failure only in a named domain: machines may be configured with the host's name instead.
fn unpublished(known: &Known, domain: &Domain, text: &str, cause: Option<&Cause>) -> Finding {
    let remedy = match cause.and_then(Cause::reason) {
        Some(reason @ (Reason::DnsFailed | Reason::DnsSettingBad | Reason::NotTried)) => {
            reason.remedy().to_owned()
        }
        _ => format!(
            "publish `{}`, or configure the machines with this host's name",
            record_to_publish(known, domain)
        ),
    };
    if known.wanted.domains.is_empty() {
        Finding::warn("dns", text, remedy)
    } else {
        Finding::fail("dns", text, remedy)
    }
}

fn record_to_publish(known: &Known, domain: &Domain) -> String {
    let name = rustix::system::uname();
    let name = name.nodename().to_string_lossy();
    let name = if name.contains('.') { name.into_owned() } else { format!("{name}.{}", domain.name) };
    let port = ports(known).first().copied().unwrap_or(shared::DEFAULT_PORT);
    format!("{} 3600 IN SRV 10 100 {port} {name}.", domain.service)
}

/// A finding about a record that serves no machine.
fn aside(domain: &Domain, record: &SrvRecord, leads: &Leads) -> Option<Finding> {
    let (place, domain) = (place(record), &domain.name);
    match leads {
        Leads::Here | Leads::ToSibling(_) | Leads::ToAHost => None,
        Leads::Nowhere(cause) => {
            let text = format!("{domain}: the record for {place} is stale: {cause}");
            Some(Finding::warn("dns", text, "take the record out of DNS, unless that host comes back"))
        }
        Leads::Astray(cause) => {
            Some(Finding::warn("dns", format!("{domain}: the record for {place}: {cause}"), cause.remedy()))
        }
    }
}

/// A finding about records of one priority that are not chosen equally often.
fn weights(domain: &Domain, records: &[SrvRecord]) -> Vec<Finding> {
    let of_priority = records.chunk_by(|one, other| one.priority == other.priority);
    let uneven = of_priority.filter(|equals| {
        let first = equals[0].weight;
        let is_alike = equals.iter().all(|record| record.weight == first);
        1 < equals.len()
            && (is_alike && first < WEIGHT_ENOUGH || equals.iter().any(|record| record.weight == 0))
    });
    let told = uneven.map(|equals| {
        let weights: Vec<_> = equals.iter().map(|record| record.weight.to_string()).collect();
        let (domain, priority, weights) = (&domain.name, equals[0].priority, weights.join(", "));
        let text = format!(
            "{domain}: the records of priority {priority} have the weights {weights}, and are not drawn equally often"
        );
        Finding::warn("dns", text, "give records of one priority the same large weight, such as 100")
    });
    told.collect()
}

/// The host behind a record, at any of its addresses.
async fn leads(known: &Known<'_>, dns: &Dns, record: &SrvRecord) -> Leads {
    let addresses = match dns.addresses(&record.target).await {
        Ok(addresses) => addresses,
        Err(cause) => {
            let is_unknown = cause.reason() == Some(Reason::HostNameUnknown);
            return if is_unknown { Leads::Nowhere(cause) } else { Leads::Astray(cause) };
        }
    };
    let mut found = Leads::Nowhere(Reason::HostNameUnknown.with(&[("name", &record.target)]));
    for address in addresses {
        let leads = behind(known, SocketAddr::new(address, record.port)).await;
        let is_first = matches!(found, Leads::Nowhere(_));
        if leads == Leads::Here || is_first {
            found = leads;
        }
    }
    found
}

async fn behind(known: &Known<'_>, address: SocketAddr) -> Leads {
    // A socket can bind only to an address of its own machine.
    let is_own = ports(known).contains(&address.port()) && UdpSocket::bind((address.ip(), 0)).is_ok();
    let installed = known.certificates.products(known.clock.now()).next();
    let Some((_, installed)) = installed else {
        return match asking::health(address, &known.way).await {
            _ if is_own => Leads::Here,
            Ok(()) => Leads::ToAHost,
            Err(cause) => Leads::Nowhere(cause),
        };
    };
    let own = installed.chain.host().host();
    match asking::ask(address, installed, known).await {
        Ok((host, _)) if host == own => Leads::Here,
        Ok((host, _)) => Leads::ToSibling(host),
        // It has signed nothing, or does not run, but the address is this host's.
        Err(_) if is_own => Leads::Here,
        Err(cause) => match cause.reason() {
            Some(Reason::HostUnreachable | Reason::HostSilent) => Leads::Nowhere(cause),
            _ => Leads::Astray(cause),
        },
    }
}

/// The ports that the host listens on, or would.
fn ports(known: &Known) -> Vec<u16> {
    let configured = || known.config.iter().flat_map(|config| config.listen.clone()).collect();
    let listening = known.listening();
    let listening = if listening.is_empty() { configured() } else { listening };
    listening.iter().map(SocketAddr::port).collect()
}

fn place(record: &SrvRecord) -> String {
    format!("{}:{}", record.target.trim_end_matches('.'), record.port)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Priority and weight of each record; the priorities that are warned of.
    #[track_caller]
    fn check(records: &[(u16, u16)], expected: &[&str]) {
        let record = |(priority, weight): &(u16, u16)| SrvRecord {
            priority: *priority,
            weight: *weight,
            port: 1,
            target: "host.".to_owned(),
        };
        let domain = Domain { name: "corp.example".to_owned(), service: String::new() };
        let found = weights(&domain, &records.iter().map(record).collect::<Vec<_>>());
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (finding, priority) in found.iter().zip(expected) {
            assert!(finding.text.contains(&format!("priority {priority} ")), "{finding:?}");
        }
    }

    #[test]
    fn equals_that_are_not_drawn_alike_are_warned_of() {
        check(&[(10, 100), (10, 100)], &[]);
        check(&[(10, 10), (10, 10)], &[]);
        check(&[(10, 9), (10, 9)], &["10"]);
        check(&[(10, 0), (10, 0), (20, 0)], &["10"]);
        check(&[(10, 0), (10, 100)], &["10"]);
        // A single one is always drawn, and different ones are meant to be.
        check(&[(10, 0), (20, 1)], &[]);
        check(&[(10, 60), (10, 5)], &[]);
        check(&[], &[]);
    }
}
