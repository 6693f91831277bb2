//! Asking DNS: SRV records of the machine's domains, and addresses of names.
//!
//! The one place that knows Hickory. A machine looks for its host with it, and a host looks whether machines can find it. Names
//! of services are always asked fully qualified, so that no search list takes part. What the records mean is decided by
//! `shared::srv`.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData};
use hickory_resolver::system_conf::read_system_conf;
use shared::reason::{Cause, Reason};
use shared::srv::SrvRecord;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long a name server may take to answer one question.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// How long all of a system's name servers together may take for one domain.
const DOMAIN_LIMIT: Duration = Duration::from_secs(8);

/// Hickory counts the repeats: one repeat makes two attempts.
const REPEATS: usize = 1;

/// Longer search lists exist; nobody publishes a host in the ninth.
const DOMAINS_MAX: usize = 8;

/// A domain in which was looked.
pub struct Domain {
    /// Its name, without the dot at the end.
    pub name: String,
    /// The name that was asked, fully qualified.
    pub service: String,
}

/// The domains in which to look, and the resolver that looks.
pub struct Dns {
    resolver: TokioResolver,
    domains: Vec<Name>,
    /// As in `_kms-activation._tcp`.
    service_label: String,
}

impl Dns {
    /// A resolver at this name server, or at the system's; the domains given, or the machine's own and its search list.
    /// `service_label` is as in `_kms-activation._tcp`.
    ///
    /// # Errors
    /// A domain that is no name, or a machine that does not say what its name servers are.
    pub fn open(
        name_server: Option<SocketAddr>,
        domains: &[String],
        service_label: &str,
    ) -> Result<Dns, Cause> {
        let system = read_system_conf().map(|(config, _)| config.into_parts());
        let (own, servers) = match system {
            Ok((domain, search, servers)) => (domain.into_iter().chain(search).collect(), servers),
            // A machine without a resolver configuration has no domain, and may be given both by hand.
            Err(error) if name_server.is_none() => return Err(failed(&"this machine's domain", &error)),
            Err(_) => (Vec::new(), Vec::new()),
        };
        let wanted = match domains {
            [] => own,
            given => given.iter().map(|domain| parse(domain)).collect::<Result<_, _>>()?,
        };
        let servers = name_server.map_or(servers, |address| vec![server_at(address)]);
        let (resolver, service_label) = (resolver_of(servers)?, service_label.to_owned());
        Ok(Dns { resolver, domains: distinct(wanted), service_label })
    }

    /// Asks every domain at once, and lists them in their order, each with its records or why there are none.
    pub async fn hosts(&self) -> Vec<(Domain, Result<Vec<SrvRecord>, Cause>)> {
        let mut asked = JoinSet::new();
        for (index, domain) in self.domains.iter().cloned().enumerate() {
            let resolver = self.resolver.clone();
            let service = format!("{}.{domain}", self.service_label);
            asked.spawn(async move {
                let records = timeout(DOMAIN_LIMIT, records_of(&resolver, &service)).await;
                let records = records.unwrap_or_else(|_| Err(failed(&service, &"no answer in time")));
                let name = domain.to_string().trim_end_matches('.').to_owned();
                (index, (Domain { name, service }, records))
            });
        }
        let mut answers = Vec::new();
        while let Some(answer) = asked.join_next().await {
            answers.extend(answer.ok());
        }
        answers.sort_by_key(|(index, _)| *index);
        answers.into_iter().map(|(_, domain)| domain).collect()
    }

    /// The addresses of a host's name, AAAA and A at once.
    ///
    /// # Errors
    /// It has none, or nobody has answered.
    pub async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, Cause> {
        let lookup = self.resolver.lookup_ip(parse(name)?).await;
        match lookup {
            Ok(found) => Ok(found.iter().collect()),
            Err(error) if error.is_no_records_found() => {
                Err(Reason::HostNameUnknown.with(&[("name", &name)]))
            }
            Err(error) => Err(failed(&name, &error)),
        }
    }
}

async fn records_of(resolver: &TokioResolver, service: &str) -> Result<Vec<SrvRecord>, Cause> {
    let lookup = resolver.srv_lookup(parse(service)?).await.map_err(|error| explain(service, &error))?;
    // A CNAME on the way is among the answers, too.
    let records = lookup.answers().iter().filter_map(|record| match &record.data {
        RData::SRV(srv) => Some(SrvRecord {
            priority: srv.priority,
            weight: srv.weight,
            port: srv.port,
            target: srv.target.to_ascii(),
        }),
        _ => None,
    });
    let records: Vec<_> = records.collect();
    if records.is_empty() {
        return Err(Reason::DnsNoRecord.with(&[("name", &service)]));
    }
    Ok(records)
}

fn explain(name: &str, error: &NetError) -> Cause {
    let no_record = || Reason::DnsNoRecord.with(&[("name", &name)]);
    match error {
        error if error.is_nx_domain() => no_record(),
        NetError::Dns(DnsError::NoRecordsFound(none)) if none.response_code == ResponseCode::NoError => {
            no_record()
        }
        NetError::Dns(DnsError::NoRecordsFound(none)) => failed(&name, &none.response_code),
        NetError::Dns(DnsError::ResponseCode(code)) => failed(&name, code),
        NetError::Timeout => failed(&name, &"no answer in time"),
        error => failed(&name, error),
    }
}

fn failed(name: &dyn fmt::Display, cause: &dyn fmt::Display) -> Cause {
    Reason::DnsFailed.with(&[("name", name), ("cause", cause)])
}

/// A name as it is meant: fully qualified, whether it ends in a dot or not.
fn parse(name: &str) -> Result<Name, Cause> {
    let mut parsed = Name::from_utf8(name).map_err(|error| failed(&name, &error))?;
    parsed.set_fqdn(true);
    Ok(parsed)
}

/// Each domain once, and never the root, which a Windows machine without a domain gives: nobody publishes a host there.
fn distinct(names: Vec<Name>) -> Vec<Name> {
    let mut domains: Vec<Name> = Vec::new();
    for mut name in names {
        name.set_fqdn(true);
        if !name.is_root() && !domains.contains(&name) {
            domains.push(name);
        }
    }
    domains.truncate(DOMAINS_MAX);
    domains
}

/// One name server, over UDP and, where an answer is truncated, TCP.
fn server_at(address: SocketAddr) -> NameServerConfig {
    let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
    for connection in &mut connections {
        connection.port = address.port();
    }
    NameServerConfig::new(address.ip(), true, connections)
}

fn resolver_of(servers: Vec<NameServerConfig>) -> Result<TokioResolver, Cause> {
    let config = ResolverConfig::from_name_servers(servers);
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    let options = builder.options_mut();
    options.timeout = ANSWER_LIMIT;
    options.attempts = REPEATS;
    // What this machine's own file says of names, no other machine is told.
    options.use_hosts_file = ResolveHosts::Never;
    builder.build().map_err(|error| failed(&"this machine's name servers", &error))
}
