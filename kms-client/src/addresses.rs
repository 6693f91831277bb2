//! The addresses that this machine finds for a host's name.
//!
//! The system is asked first, by getaddrinfo like every program, because it knows more than DNS: its hosts file, the local network,
//! what an administrator has plugged in. If it is slow or finds nothing, DNS is asked as well: some servers and firewalls drop
//! questions for IPv6 addresses, and then the system waits long for an answer that it does not need. If the builder was given a name
//! server, only that one is asked. Which hosts there are is decided in `discovery`.

use std::net::SocketAddr;
#[cfg(feature = "dns")]
use std::pin::pin;
use std::time::Duration;

#[cfg(feature = "dns")]
use names::Dns;
use shared::reason::{Cause, Reason};
use tokio::time::timeout;

use crate::discovery::Places;
use crate::hosts::HostName;

/// Time limit for one name. The system's own time-outs can be longer.
const LIMIT: Duration = Duration::from_secs(20);

/// How long the system may take before DNS is asked as well.
#[cfg(feature = "dns")]
const HEAD_START: Duration = Duration::from_secs(3);

/// The names of this machine and its neighbours. They go before DNS.
const HOSTS_FILE: &str = "/etc/hosts";

impl Places {
    /// The addresses of a host, in the order in which they were given.
    pub(crate) async fn addresses(&self, host: &HostName) -> Result<Vec<SocketAddr>, Cause> {
        if let Some(address) = host.address() {
            return Ok(vec![SocketAddr::new(address, host.port())]);
        }
        match timeout(LIMIT, self.look_up(host)).await {
            Ok(found) => found,
            Err(_) => Err(Reason::DnsFailed.with(&[("name", &host.name()), ("cause", &"no answer in time")])),
        }
    }

    #[cfg(feature = "dns")]
    async fn look_up(&self, host: &HostName) -> Result<Vec<SocketAddr>, Cause> {
        let mut dns = pin!(async {
            let dns = Dns::open(self.name_server, &self.domains, &self.service_label);
            let found = dns.addresses(host.name()).await?;
            Ok(found.into_iter().map(|address| SocketAddr::new(address, host.port())).collect())
        });
        if self.name_server.is_some() && !host.names_an_interface() {
            return dns.await;
        }
        let mut system = pin!(of_the_system(host));
        match timeout(HEAD_START, &mut system).await {
            Ok(Ok(found)) => Ok(found),
            // DNS can tell a missing name from a server that does not answer.
            Ok(Err(_)) => dns.await,
            Err(_) => tokio::select! {
                found = &mut system => match found {
                    Ok(found) => Ok(found),
                    Err(_) => dns.await,
                },
                found = &mut dns => match found {
                    Ok(found) => Ok(found),
                    Err(cause) => system.await.map_err(|_| cause),
                },
            },
        }
    }

    #[cfg(not(feature = "dns"))]
    async fn look_up(&self, host: &HostName) -> Result<Vec<SocketAddr>, Cause> {
        of_the_system(host).await
    }
}

async fn of_the_system(host: &HostName) -> Result<Vec<SocketAddr>, Cause> {
    let mut found: Vec<SocketAddr> = Vec::new();
    for name in near(host.name()).unwrap_or_else(|| vec![host.name().to_owned()]) {
        let addresses = tokio::net::lookup_host((name.as_str(), host.port())).await;
        for address in addresses.into_iter().flatten() {
            if !found.contains(&address) {
                found.push(address);
            }
        }
    }
    if found.is_empty() {
        return Err(Reason::HostNameUnknown.with(&[("name", &host.name())]));
    }
    Ok(found)
}

/// The addresses in the hosts file for a name from DNS. Such a name ends in a dot, names in that file do not, and so the system
/// does not find it there.
fn near(name: &str) -> Option<Vec<String>> {
    let name = name.strip_suffix('.')?;
    let addresses = in_hosts_file(&std::fs::read_to_string(HOSTS_FILE).ok()?, name);
    (!addresses.is_empty()).then_some(addresses)
}

/// Each line has an address and its names.
fn in_hosts_file(text: &str, name: &str) -> Vec<String> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    let found = lines.filter_map(|line| {
        let mut words = line.split_whitespace();
        let address = words.next()?;
        words.any(|word| word.eq_ignore_ascii_case(name)).then(|| address.to_owned())
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_file_has_addresses_before_their_names() {
        let text = "127.0.0.1 localhost\n# 10.0.0.9 kms1\n10.0.0.1\tkms1.corp.example kms1 # ours\n\nfe80::1%eth0 KMS1\n";
        assert_eq!(in_hosts_file(text, "kms1"), ["10.0.0.1", "fe80::1%eth0"]);
        assert_eq!(in_hosts_file(text, "kms1.corp.example"), ["10.0.0.1"]);
        assert!(in_hosts_file(text, "ours").is_empty() && in_hosts_file(text, "10.0.0.1").is_empty());
    }
}
