//! The hosts to ask: named ones, or those of a domain's SRV records. Hosts beyond this machine have to be allowed by name.
//!
//! A host counts every simulated machine as a real one, so an address that is not loopback is refused until its name is
//! repeated by hand. Names are looked up first and all their addresses looked at, since a name says nothing about where it
//! leads. SRV records are found by the client library itself; names are looked up in `target/names.rs`.

mod names;

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, bail};
use kms_client::{Candidate, Client, HostName, Product, Source};
use shared::srv::SrvRecord;

use self::names::addresses;
use super::options::Whom;

/// The hosts, each with an address that may be asked.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// At least one.
    pub(crate) hosts: Vec<Host>,
    /// How they were found, for people.
    pub(crate) how: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Host {
    /// As it was named, with its port.
    pub(crate) name: HostName,
    /// Where it is asked: the first address of the name.
    pub(crate) address: SocketAddr,
    /// Priority and weight of its SRV record, if it was found by one.
    pub(crate) srv: Option<(u16, u16)>,
}

impl Target {
    /// Finds the hosts. No host has been asked when this returns, and none was connected to.
    ///
    /// # Errors
    /// Nobody is named, a name leads nowhere, or one leads beyond this machine and is not allowed by name.
    pub(crate) async fn find(whom: &Whom, product: Product) -> anyhow::Result<Target> {
        let (candidates, how) = match &whom.domain {
            _ if !whom.hosts.is_empty() => (named(&whom.hosts)?, "named".to_owned()),
            Some(domain) => (in_domain(domain, whom.dns, product).await?, format!("by SRV in {domain}")),
            None => bail!("nobody is named to ask; name a host, or a domain in which hosts are published"),
        };
        let mut hosts = Vec::new();
        for (host, srv) in candidates {
            let (name, port) = (plain(&host), host.port());
            let addresses = addresses(&name, whom.dns).await?;
            check_allowed(&name, &addresses, &whom.allow)?;
            let first = *addresses.first().with_context(|| format!("the name {name} has no address"))?;
            hosts.push(Host { name: host, address: SocketAddr::new(first, port), srv });
        }
        Ok(Target { hosts, how })
    }

    /// The addresses, as `Wire` wants them.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.hosts.iter().map(|host| host.address).collect()
    }

    /// The names, for which their TLS certificates have to be.
    pub(crate) fn names(&self) -> Vec<HostName> {
        self.hosts.iter().map(|host| host.name.clone()).collect()
    }

    /// The order in which one machine tries the hosts, as numbers of them: as they were named, or drawn by priority and
    /// weight. `draw(n)` gives a number from 0 to `n` inclusive.
    pub(crate) fn order(&self, draw: impl FnMut(u32) -> u32) -> Vec<usize> {
        let record = |(number, host): (usize, &Host)| {
            let (priority, weight) = host.srv?;
            // The order does not depend on names, so the number can stand in for the name.
            Some(SrvRecord { priority, weight, port: host.address.port(), target: number.to_string() })
        };
        let records: Option<Vec<_>> = self.hosts.iter().enumerate().map(record).collect();
        match records {
            None => (0..self.hosts.len()).collect(),
            Some(records) => {
                let ordered = shared::srv::order(records, draw);
                ordered.iter().filter_map(|record| record.target.parse().ok()).collect()
            }
        }
    }
}

/// A host, with priority and weight if a record names it.
type Found = (HostName, Option<(u16, u16)>);

fn named(hosts: &[String]) -> anyhow::Result<Vec<Found>> {
    hosts.iter().map(|host| Ok((host.parse()?, None))).collect()
}

/// What a machine with this product would find there. Its state goes into a folder that is thrown away.
async fn in_domain(
    domain: &str,
    name_server: Option<SocketAddr>,
    product: Product,
) -> anyhow::Result<Vec<Found>> {
    let state = tempfile::Builder::new().prefix("kms-load-discovery-").tempdir()?;
    let mut builder = Client::builder(product).state_dir(state.path()).domains([domain]);
    if let Some(name_server) = name_server {
        builder = builder.name_server(name_server);
    }
    let found = builder.build()?.discover().await;
    let srv = |candidate: Candidate| match candidate.source {
        Source::Dns { priority, weight, .. } => Some((candidate.host, Some((priority, weight)))),
        _ => None,
    };
    let hosts: Option<Vec<_>> = found.hosts.into_iter().map(srv).collect();
    let hosts = hosts.with_context(|| {
        format!("hosts are named in the environment variable KMS_HOSTS, which goes before DNS; unset it to ask in {domain}")
    })?;
    if hosts.is_empty() {
        let problems: Vec<_> = found.problems.iter().map(|problem| problem.cause.to_string()).collect();
        bail!("no host is published in {domain}: {}", problems.join("; "));
    }
    Ok(hosts)
}

/// The name or address alone.
fn plain(host: &HostName) -> String {
    let text = host.to_string();
    let name = text.rsplit_once(':').map_or(text.as_str(), |(name, _)| name);
    name.trim_start_matches('[').trim_end_matches(']').to_owned()
}

/// One address beyond this machine is enough: which of them is asked is not the name's to promise.
fn check_allowed(name: &str, addresses: &[IpAddr], allow: &[String]) -> anyhow::Result<()> {
    let is_here = |address: &IpAddr| address.to_canonical().is_loopback();
    let Some(beyond) = addresses.iter().find(|address| !is_here(address)) else { return Ok(()) };
    let same =
        |allowed: &String| allowed.trim_end_matches('.').eq_ignore_ascii_case(name.trim_end_matches('.'));
    if allow.iter().any(same) {
        return Ok(());
    }
    let leads_to =
        if beyond.to_string() == name { String::new() } else { format!(" leads to {beyond}, which") };
    bail!(
        "{name}{leads_to} is not this machine. A real host counts every simulated machine as a real one: they stay in its \
         count for a whole count window, may carry it over a threshold that its organisation does not meet, and stay in its \
         inventory after that. If it is yours to fill, say so by its name: --allow {name}"
    )
}

#[cfg(test)]
mod tests;
