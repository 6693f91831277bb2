//! The networks whose machines may connect: all, or those that `allow` names.
//!
//! The door checks this before it gives out a place. An address is no proof of identity: the list keeps out accidental and curious
//! peers, not attackers.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// One address or one network: `192.0.2.7`, `10.0.0.0/8`, `2001:db8::/32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(IpNet);

/// Whether a machine at this address may connect. If no network is named, all may.
pub(crate) fn is_allowed(networks: &[Network], address: IpAddr) -> bool {
    // A listener on [::] sees IPv4 as ::ffff:192.0.2.7, which is the same address.
    let address = address.to_canonical();
    networks.is_empty() || networks.iter().any(|network| network.0.contains(&address))
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Network, String> {
        let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        let network = network.map_err(|_| {
            format!(
                "{text:?} is not an address or network: write it as \"192.0.2.7\", \"10.0.0.0/8\" or \"2001:db8::/32\""
            )
        })?;
        if network.addr().to_canonical() != network.addr() {
            return Err(format!("{text:?} is an IPv4 address: write it as IPv4"));
        }
        if network.trunc() == network {
            return Ok(Network(network));
        }
        // 10.1.2.3/8 may mean one of two things, and one of them lets 16 million addresses in.
        let network = network.trunc();
        Err(format!("{text:?} is an address in the network {network}: write one or the other"))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_one = self.0.prefix_len() == self.0.max_prefix_len();
        if is_one { self.0.addr().fmt(f) } else { self.0.fmt(f) }
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Network, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(networks: &[&str], inside: &[&str], outside: &[&str]) {
        let networks: Vec<Network> = networks.iter().map(|network| network.parse().unwrap()).collect();
        let is_in = |address: &&str| is_allowed(&networks, address.parse().unwrap());
        assert_eq!(inside.iter().find(|address| !is_in(address)), None, "kept out");
        assert_eq!(outside.iter().find(|address| is_in(address)), None, "let in");
    }

    #[test]
    fn a_network_ends_where_its_prefix_says() {
        check(&[], &["192.0.2.7", "2001:db8::1"], &[]);
        check(
            &["10.0.0.0/8", "192.0.2.7"],
            &["10.0.0.0", "10.255.255.255", "192.0.2.7", "::ffff:10.1.2.3"],
            &["9.255.255.255", "11.0.0.0", "192.0.2.6", "192.0.2.8", "::", "::ffff:11.0.0.0"],
        );
        check(
            &["2001:db8::/33"],
            &["2001:db8::", "2001:db8:7fff:ffff::1"],
            &["2001:db8:8000::", "2001:db7:ffff::1", "10.0.0.1"],
        );
        check(&["0.0.0.0/0"], &["255.255.255.255", "0.0.0.0"], &["::1"]);
        check(&["::/0"], &["::1", "ffff::"], &["10.0.0.1"]);
    }

    #[test]
    fn what_is_no_network_is_refused_with_what_to_write() {
        for (wrong, told) in [
            ("localhost", "write it as \"192.0.2.7\""),
            ("10.0.0.0/33", "not an address or network"),
            ("2001:db8::/129", "not an address or network"),
            ("10.0.0.0/-1", "not an address or network"),
            ("10.0.0.0/", "not an address or network"),
            ("", "not an address or network"),
            ("10.1.2.3/8", "in the network 10.0.0.0/8"),
            ("::ffff:10.0.0.1", "is an IPv4 address"),
        ] {
            let error = wrong.parse::<Network>().unwrap_err();
            assert!(error.contains(told), "{wrong}: {error}");
        }
        for right in ["192.0.2.7", "10.0.0.0/8", "2001:db8::/32", "::1", "0.0.0.0/0"] {
            assert_eq!(right.parse::<Network>().unwrap().to_string(), right);
        }
    }
}
