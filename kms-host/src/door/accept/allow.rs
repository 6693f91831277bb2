//! Whose connections are taken at all: everybody's, or those of some networks.
//!
//! It is looked at before a place is given out. An address is no proof of who somebody is: what a list keeps out is the
//! rest of a network, by accident or by curiosity.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// One address, or all that begin as one does: `192.0.2.7`, `10.0.0.0/8`, `2001:db8::/32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    /// How many bits of it count.
    prefix: u8,
}

/// Whether somebody at this address may connect. Nobody is named where everybody may.
pub(super) fn is_allowed(networks: &[Network], address: IpAddr) -> bool {
    networks.is_empty() || networks.iter().any(|network| network.has(address))
}

impl Network {
    /// A listener on [::] sees IPv4 as ::ffff:192.0.2.7, which is the same address.
    fn has(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && masked(address, self.prefix) == self.address
    }
}

/// The first address of its network.
fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    let beyond = |bits: u8| u32::from(bits.saturating_sub(prefix));
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(beyond(32)).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(beyond(128)).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Network, String> {
        let no_network = || {
            format!(
                "{text:?} is no address or network: write it as \"192.0.2.7\", \"10.0.0.0/8\" or \"2001:db8::/32\""
            )
        };
        let (address, prefix) = match text.split_once('/') {
            None => (text, None),
            Some((address, prefix)) => (address, Some(prefix)),
        };
        let address: IpAddr = address.parse().map_err(|_| no_network())?;
        if address.to_canonical() != address {
            return Err(format!("{text:?} is IPv4: write it as such, which is what it is compared with"));
        }
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Some(most), |prefix| prefix.parse().ok());
        let prefix = prefix.filter(|prefix| *prefix <= most).ok_or_else(no_network)?;
        let network = Network { address: masked(address, prefix), prefix };
        if network.address == address {
            return Ok(network);
        }
        // Whoever writes 10.1.2.3/8 means one of two things, and one of them lets 16 million addresses in.
        Err(format!("{text:?} is an address in the network {network}: write the one or the other"))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Network { address, prefix } = self;
        let is_one = *prefix == if address.is_ipv4() { 32 } else { 128 };
        if is_one { address.fmt(f) } else { write!(f, "{address}/{prefix}") }
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
            ("10.0.0.0/33", "no address or network"),
            ("2001:db8::/129", "no address or network"),
            ("10.0.0.0/-1", "no address or network"),
            ("10.0.0.0/", "no address or network"),
            ("", "no address or network"),
            ("10.1.2.3/8", "in the network 10.0.0.0/8"),
            ("::ffff:10.0.0.1", "is IPv4"),
        ] {
            let error = wrong.parse::<Network>().unwrap_err();
            assert!(error.contains(told), "{wrong}: {error}");
        }
        for right in ["192.0.2.7", "10.0.0.0/8", "2001:db8::/32", "::1", "0.0.0.0/0"] {
            assert_eq!(right.parse::<Network>().unwrap().to_string(), right);
        }
    }
}
