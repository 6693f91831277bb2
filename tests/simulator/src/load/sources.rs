//! Where asks come from: addresses spread over 127.0.0.0/8.
//!
//! A connection that was closed keeps its pair of addresses and ports for a minute (TIME_WAIT), and Linux has 28,000
//! ports for one pair of addresses: fresh connections from one address use them up in seconds. All of 127.0.0.0/8 is this
//! machine on Linux, so each machine, or each kept connection, has a source of its own.

use std::net::{IpAddr, Ipv4Addr};

/// As many as fit between 127.0.0.1 and 127.255.255.254, rounded down.
pub(crate) const SOURCES_MAX: u32 = 16_000_000;

/// The last octet runs from 1 to 254: 0 and 255 read as a network and as everybody in it.
const LAST_OCTETS: u32 = 254;

/// How many addresses asks come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Addresses(u32);

impl Addresses {
    /// This many addresses, from 1 to [`SOURCES_MAX`]: the command line takes no other number. If it is one, the system chooses it.
    pub(crate) fn new(count: u32) -> Addresses {
        Addresses(count)
    }

    /// The source for this number, if one is to be bound: to reach anything but IPv4 loopback the system knows best.
    pub(crate) fn to_reach(self, target: IpAddr, number: usize) -> Option<Ipv4Addr> {
        let reaches = matches!(target, IpAddr::V4(target) if target.is_loopback());
        (1 < self.0 && reaches).then(|| self.address(number))
    }

    /// 127.0.0.1 for number 0, then upwards, and from the beginning again when all are used.
    fn address(self, number: usize) -> Ipv4Addr {
        let count = usize::try_from(self.0).expect("16 million fit");
        let number = u32::try_from(number % count).expect("it is below a count that fits");
        let (rest, last) = (number / LAST_OCTETS, number % LAST_OCTETS + 1);
        let network = u32::from(Ipv4Addr::new(127, 0, 0, 0));
        Ipv4Addr::from(network + (rest << 8) + last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_run_through_the_network_without_its_ends() {
        let all = Addresses::new(SOURCES_MAX);
        for (number, address) in [
            (0, [127, 0, 0, 1]),
            (253, [127, 0, 0, 254]),
            (254, [127, 0, 1, 1]),
            (254 * 256, [127, 1, 0, 1]),
            (15_999_999, [127, 246, 16, 32]),
            (16_000_000, [127, 0, 0, 1]),
        ] {
            assert_eq!(all.address(number), Ipv4Addr::from(address), "{number}");
        }
        let few = Addresses::new(300);
        let distinct: std::collections::BTreeSet<_> = (0..1000).map(|number| few.address(number)).collect();
        assert_eq!(distinct.len(), 300);
        assert!(distinct.iter().all(|address| !matches!(address.octets()[3], 0 | 255)));
    }

    #[test]
    fn a_source_is_bound_only_for_ipv4_loopback_and_only_if_there_are_several() {
        let several = Addresses::new(9);
        assert_eq!(several.to_reach([127, 0, 0, 9].into(), 1), Some(Ipv4Addr::new(127, 0, 0, 2)));
        assert_eq!(several.to_reach("::1".parse().unwrap(), 1), None);
        assert_eq!(several.to_reach([10, 0, 0, 1].into(), 1), None);
        assert_eq!(Addresses::new(1).to_reach([127, 0, 0, 1].into(), 1), None);
    }
}
