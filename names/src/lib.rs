//! Asking DNS: SRV records of the machine's domains, and addresses of names.
//!
//! Machines use it to find their host, and a host to check whether machines can find it. Service names are always asked fully
//! qualified, so no search list takes part. `shared::srv` decides what the records mean.
//!
//! | | |
//! |---|---|
//! | `settings.rs` | the settings of this machine: name servers, search list, time limits |
//! | `servers.rs` | one question to those servers |
//! | `answer.rs` | what an answer says; aliases |
//! | `authorities.rs` | TXT records, at the servers that are responsible for a name |

mod answer;
mod authorities;
mod servers;
mod settings;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::rr::{Name, RData, RecordType};
use shared::reason::{Cause, Reason};
use shared::srv::SrvRecord;
use shared::time::Length;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::answer::{ALIASES_MAX, NameAnswer};
pub use crate::authorities::{Authorities, AuthorityAnswer};
use crate::servers::Servers;
use crate::settings::ResolverSettings;

/// How long all domains together, or one name, may take, whatever the machine's settings say: somebody waits for this.
const LIMIT: Duration = Duration::from_secs(30);

/// How many domains are asked at once.
const DOMAINS_AT_ONCE: usize = 8;

/// How long the addresses of one family wait for those of the other: some servers and firewalls drop AAAA.
const OTHER_FAMILY: Duration = Duration::from_secs(1);

/// A domain that was searched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// Its name, without the dot at the end.
    pub name: String,
    /// The name that was asked, fully qualified.
    pub service: String,
}

/// The domains in which to look, and the name servers to ask.
pub struct Dns {
    servers: Arc<Servers>,
    /// In the order in which hosts are taken from them; an error says why a domain cannot be asked.
    domains: Vec<(Domain, Result<Names, Cause>)>,
    ndots: usize,
    faults: Vec<Cause>,
}

/// A domain, and the name of the service in it.
#[derive(Clone, Debug)]
struct Names {
    domain: Name,
    service: Name,
}

/// Why there are no records.
#[derive(Clone, Debug)]
enum NoRecords {
    /// This name does not exist, or has none.
    Missing(Name),
    /// No server says whether there are any; the text says why.
    Unknown(String),
}

impl Dns {
    /// This name server, or the system's; the domains given, or the machine's own and its search list. `service_label` is as in
    /// `_kms-activation._tcp`. The machine's settings are read now, and nobody is asked.
    pub fn open(name_server: Option<SocketAddr>, domains: &[String], service_label: &str) -> Dns {
        let mut settings = ResolverSettings::read();
        let servers = Arc::new(Servers::of(&settings, name_server));
        let wanted = if domains.is_empty() { std::mem::take(&mut settings.search) } else { domains.to_vec() };
        let faults = settings.faults.iter().map(|fault| Reason::DnsSettingBad.with(&[("cause", fault)]));
        let faults = faults.collect();
        Dns { servers, domains: distinct(&wanted, service_label), ndots: settings.ndots, faults }
    }

    /// What this machine says about DNS and cannot be read. It is left out, and all else is used.
    pub fn faults(&self) -> &[Cause] {
        &self.faults
    }

    /// The name servers that are asked, in this order.
    pub fn servers(&self) -> &[SocketAddr] {
        &self.servers.addresses
    }

    /// Asks every domain, those whose service is among `first` before the others, and lists them in their order, each with its
    /// records or why there are none.
    pub async fn hosts(&self, first: &[String]) -> Vec<(Domain, Result<Vec<SrvRecord>, Cause>)> {
        let mut order: Vec<usize> = (0..self.domains.len()).collect();
        order.sort_by_key(|index| !first.contains(&self.domains[*index].0.service));
        let mut waiting = order.into_iter();
        let mut running = JoinSet::new();
        let mut found: Vec<_> =
            self.domains.iter().map(|(domain, _)| Err(not_tried(&domain.service))).collect();
        let ask_all = async {
            loop {
                while running.len() < DOMAINS_AT_ONCE
                    && let Some(index) = waiting.next()
                {
                    let (servers, (domain, names)) = (Arc::clone(&self.servers), self.domains[index].clone());
                    found[index] = Err(failed(&domain.service, &format!("no answer in {}", Length(LIMIT))));
                    running.spawn(async move {
                        let records = match names {
                            Ok(names) => records_of(&servers, &names.service, &domain.service).await,
                            Err(cause) => Err(cause),
                        };
                        (index, records)
                    });
                }
                match running.join_next().await {
                    Some(Ok((index, records))) => found[index] = records,
                    Some(Err(_)) => {}
                    None => break,
                }
            }
        };
        // What has not been answered by then keeps the cause that it has.
        let _ = timeout(LIMIT, ask_all).await;
        self.domains.iter().map(|(domain, _)| domain.clone()).zip(found).collect()
    }

    /// The addresses of a host's name, AAAA and A at once. A name that does not end in a dot is looked for in the search list, too.
    ///
    /// # Errors
    /// It has none, or nobody has answered.
    pub async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, Cause> {
        // RFC 6761: "Name resolution APIs SHOULD NOT send queries for localhost names".
        let labels = name.trim_end_matches('.').to_ascii_lowercase();
        if labels == "localhost" {
            return Ok(vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()]);
        }
        // And: "Name resolution APIs and libraries SHOULD recognize "invalid" names as special and SHOULD always return immediate
        // negative responses."
        if labels.ends_with(".invalid") {
            return Err(Reason::HostNameUnknown.with(&[("name", &name)]));
        }
        let found = timeout(LIMIT, self.search(name)).await;
        found.unwrap_or_else(|_| Err(failed(&name, &format!("no answer in {}", Length(LIMIT)))))
    }

    async fn search(&self, name: &str) -> Result<Vec<IpAddr>, Cause> {
        let mut unknown = Err(shared::srv::unknown_target(name)
            .unwrap_or_else(|| Reason::HostNameUnknown.with(&[("name", &name)])));
        for candidate in self.candidates(name)? {
            match addresses_of(&self.servers, candidate).await {
                Ok(addresses) => return Ok(addresses),
                Err(NoRecords::Missing(_)) => {}
                // Unknown is not missing: another name may still be found. If none is, this is the error.
                Err(NoRecords::Unknown(cause)) => unknown = Err(failed(&name, &cause)),
            }
        }
        unknown
    }

    /// The full names that a name may stand for, in order: "names with ndots dots will first be tried as absolute".
    fn candidates(&self, name: &str) -> Result<Vec<Name>, Cause> {
        let absolute = parse(name).map_err(|error| failed(&name, &error))?;
        if name.ends_with('.') {
            return Ok(vec![absolute]);
        }
        let domains = self.domains.iter().filter_map(|(_, names)| names.as_ref().ok());
        let mut relative = absolute.clone();
        relative.set_fqdn(false);
        let searched = domains.filter_map(|names| relative.clone().append_domain(&names.domain).ok());
        let mut candidates: Vec<_> = searched.collect();
        let at = if self.ndots <= name.matches('.').count() { 0 } else { candidates.len() };
        candidates.insert(at, absolute);
        Ok(candidates)
    }
}

async fn records_of(servers: &Servers, name: &Name, service: &str) -> Result<Vec<SrvRecord>, Cause> {
    let records = look_up(servers, name, RecordType::SRV).await.map_err(|none| match none {
        NoRecords::Missing(last) if last == *name => Reason::DnsNoRecord.with(&[("name", &service)]),
        NoRecords::Missing(last) => {
            let name = format!("{}, to which the alias {service} leads,", typed(&last));
            Reason::DnsNoRecord.with(&[("name", &name)])
        }
        NoRecords::Unknown(cause) => failed(&service, &cause),
    })?;
    let records = records.into_iter().filter_map(|record| match record {
        RData::SRV(srv) => Some(SrvRecord {
            priority: srv.priority,
            weight: srv.weight,
            port: srv.port,
            target: typed(&srv.target),
        }),
        _ => None,
    });
    Ok(records.collect())
}

/// Asks for both families at once. The addresses of one are enough if the other does not answer.
async fn addresses_of(servers: &Arc<Servers>, name: Name) -> Result<Vec<IpAddr>, NoRecords> {
    let mut asked = JoinSet::new();
    for kind in [RecordType::AAAA, RecordType::A] {
        let (servers, name) = (Arc::clone(servers), name.clone());
        asked.spawn(async move { look_up(&servers, &name, kind).await });
    }
    let mut addresses: Vec<IpAddr> = Vec::new();
    let mut none = NoRecords::Missing(name);
    loop {
        let next = if addresses.is_empty() {
            asked.join_next().await
        } else {
            timeout(OTHER_FAMILY, asked.join_next()).await.ok().flatten()
        };
        match next {
            Some(Ok(Ok(records))) => addresses.extend(records.iter().filter_map(RData::ip_addr)),
            Some(Ok(Err(NoRecords::Missing(_))) | Err(_)) => {}
            Some(Ok(Err(unknown))) => none = unknown,
            None if addresses.is_empty() => return Err(none),
            None => break,
        }
    }
    addresses.sort_by_key(IpAddr::is_ipv4);
    Ok(addresses)
}

/// The records of a name, or of the name that it is an alias of.
async fn look_up(servers: &Servers, name: &Name, kind: RecordType) -> Result<Vec<RData>, NoRecords> {
    let mut name = name.clone();
    for _ in 0..ALIASES_MAX {
        let answer = servers.ask(&name, kind).await.map_err(NoRecords::Unknown)?;
        match answer::read(&answer, &name, kind) {
            NameAnswer::Records(records) => return Ok(records),
            NameAnswer::Alias(alias) => name = alias,
            NameAnswer::Missing(last) => return Err(NoRecords::Missing(last)),
            NameAnswer::Circle => break,
        }
    }
    Err(NoRecords::Unknown("its aliases lead in a circle".to_owned()))
}

fn failed(name: &dyn fmt::Display, cause: &dyn fmt::Display) -> Cause {
    Reason::DnsFailed.with(&[("name", name), ("cause", cause)])
}

fn not_tried(name: &str) -> Cause {
    Reason::NotTried.with(&[("name", &name), ("limit", &Length(LIMIT))])
}

/// A name as a person types it, with its dot at the end. Only a dot or a backslash inside a label and a byte that is no UTF-8 are
/// escaped, so that no name looks like another one.
fn typed(name: &Name) -> String {
    let mut text = String::new();
    for label in name {
        for chunk in label.utf8_chunks() {
            text += &chunk.valid().replace('\\', "\\\\").replace('.', "\\.");
            text.extend(chunk.invalid().iter().map(|byte| format!("\\{byte:03}")));
        }
        text.push('.');
    }
    if text.is_empty() { ".".to_owned() } else { text }
}

/// A name as it is meant: fully qualified, whether it ends in a dot or not. Names in use have underscores where they like.
fn parse(name: &str) -> Result<Name, impl fmt::Display> {
    let mut parsed = Name::from_str_relaxed(name)?;
    parsed.set_fqdn(true);
    Ok::<_, hickory_proto::ProtoError>(parsed)
}

/// Each domain once, and never the root: nobody publishes a host there.
fn distinct(wanted: &[String], service_label: &str) -> Vec<(Domain, Result<Names, Cause>)> {
    let mut domains: Vec<(Domain, Result<Names, Cause>)> = Vec::new();
    for text in wanted {
        let bad = |error: &dyn fmt::Display| {
            Reason::DnsSettingBad.with(&[("cause", &format!("`{text}` is no domain: {error}"))])
        };
        let (asked, names) = match parse(text) {
            Ok(domain) if domain.is_root() => continue,
            Ok(domain) => {
                let service = format!("{service_label}.{domain}");
                let name = domain.to_string().trim_end_matches('.').to_owned();
                // With the label in front it may be too long.
                let parsed = parse(&service).map_err(|error| bad(&error));
                (Domain { name, service }, parsed.map(|service| Names { domain, service }))
            }
            Err(error) => (Domain { name: text.clone(), service: text.clone() }, Err(bad(&error))),
        };
        if domains.iter().all(|(known, _)| !known.service.eq_ignore_ascii_case(&asked.service)) {
            domains.push((asked, names));
        }
    }
    domains
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The domains that are asked, or the code of why one is not.
    fn check(wanted: &[&str], expected: &[&str]) {
        let wanted: Vec<_> = wanted.iter().map(|&domain| domain.to_owned()).collect();
        let shown: Vec<_> = distinct(&wanted, "_x._tcp")
            .into_iter()
            .map(|(asked, names)| names.map_or_else(|cause| cause.code, |_| asked.service))
            .collect();
        assert_eq!(shown, expected, "{wanted:?}");
    }

    /// A space was shown as `\040` and an umlaut as `\303\274`.
    #[test]
    fn a_name_is_shown_as_it_is_typed() {
        let check = |labels: &[&[u8]], expected| {
            let name = Name::from_labels(labels.iter().copied()).unwrap();
            assert_eq!(typed(&name), expected);
        };
        check(&[b"kms1", b"corp"], "kms1.corp.");
        check(&[b"kms 1", "m\u{fc}nchen".as_bytes()], "kms 1.m\u{fc}nchen.");
        check(&[b"kms1.corp", b"a\\b"], r"kms1\.corp.a\\b.");
        check(&[b"m\xfcnchen"], r"m\252nchen.");
        check(&[], ".");
    }

    #[test]
    fn a_domain_that_cannot_be_asked_costs_no_other() {
        check(&["a.example", "b.example."], &["_x._tcp.a.example.", "_x._tcp.b.example."]);
        check(&["a.example", "A.Example.", "."], &["_x._tcp.a.example."]);
        check(&["foo..bar", "a_b_.example"], &["DNS_SETTING_BAD", "_x._tcp.a_b_.example."]);
        let label = "l".repeat(63);
        let (long, longer) = ([label.as_str(); 4].join(".")[..250].to_owned(), format!("{label}l.example"));
        check(&[&long, &longer, "b"], &["DNS_SETTING_BAD", "DNS_SETTING_BAD", "_x._tcp.b."]);
    }
}
