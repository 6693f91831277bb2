//! The label under which hosts are found by DNS SRV, and the order in which they are tried: RFC 2782.
//!
//! [`order`] takes the records and a source of randomness and gives a permutation of what is offered; [`put_first`] then moves the
//! host that gave the last lease. Nothing here asks a name server: `kms-client` does, and remembers that host.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};

use crate::reason::{Cause, Reason};

/// How a service label is written. Errors end with it.
pub const SERVICE_LABEL_FORM: &str =
    "write it as _example-cad._tcp, with at most 15 characters (a-z, 0-9, -) between _ and ._tcp";

/// Whether DNS can carry this service label: `_name._tcp`. RFC 6335 5.1: a service name has at most 15 characters, at least one
/// of them a letter, and hyphens stand neither at its ends nor side by side.
pub fn is_service_label(label: &str) -> bool {
    let name = label.strip_prefix('_').and_then(|rest| rest.strip_suffix("._tcp"));
    name.is_some_and(|name| {
        let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        name.len() <= 15
            && name.split('-').all(|part| !part.is_empty() && part.chars().all(known))
            && name.contains(|c: char| c.is_ascii_lowercase())
    })
}

/// One SRV record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SrvRecord {
    /// Lower is tried first.
    pub priority: u16,
    /// The share among records of the same priority.
    pub weight: u16,
    /// The port.
    pub port: u16,
    /// The target's name, fully qualified, with or without its trailing dot.
    pub target: String,
}

impl SrvRecord {
    /// Why nobody can be asked at this record, which stands under the name `service`.
    pub fn fault(&self, service: &str) -> Option<Cause> {
        match (self.target.as_str(), self.port) {
            // "A Target of "." means that the service is decidedly not available at this domain."
            ("" | ".", _) => Some(Reason::DnsNotOffered.with(&[("name", &service)])),
            (target, port) => bad_target(target).or_else(|| {
                (port == 0).then(|| Reason::DnsPortZero.with(&[("name", &service), ("target", &target)]))
            }),
        }
    }
}

/// Why a target names no host, whatever DNS says about it.
fn bad_target(target: &str) -> Option<Cause> {
    // Panels for DNS escape what they take for special, and then the whole name is one label.
    let written = target.replace('\\', "");
    let cause = match written.trim_end_matches('.') {
        address if address.parse::<IpAddr>().is_ok() => "it is an address",
        _ if target.contains("\\.") => "its dots are escaped, and separate nothing",
        _ if !is_host_name(target) => HOST_NAME_RULE,
        _ => return None,
    };
    Some(Reason::DnsTargetBad.with(&[("target", &target), ("cause", &cause)]))
}

/// Why the name of a host has no address, if it came from an SRV record. An address without a dot at its end gets the name of its
/// zone: `10.0.0.1.corp.example.`. Such a name may exist, so it is looked up first.
pub fn unknown_target(name: &str) -> Option<Cause> {
    let mut labels = name.strip_suffix('.')?.splitn(5, '.');
    let address: [&str; 4] = core::array::from_fn(|_| labels.next().unwrap_or_default());
    labels.next()?;
    address.join(".").parse::<Ipv4Addr>().ok()?;
    let cause = "it is an address, and the zone's name was put behind it";
    Some(Reason::DnsTargetBad.with(&[("target", &name), ("cause", &cause)]))
}

/// What a host's name may be made of.
pub const HOST_NAME_RULE: &str = "a name has the letters a to z, digits, hyphens and dots; what stands between two dots has 1 to 63 \
                                  characters, and begins with no hyphen";

/// Whether this can be the name of a host, and can be looked up in DNS. It ends up in an HTTP header and in logs.
pub fn is_host_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let is_label =
        |label: &str| (1..=63).contains(&label.len()) && !label.starts_with('-') && label.chars().all(fits);
    name.len() <= 254 && name.strip_suffix('.').unwrap_or(name).split('.').all(is_label)
}

/// Orders the records: by priority, and within one priority by a weighted draw without replacement. Those at which nobody can be
/// asked are left out; [`SrvRecord::fault`] says why.
///
/// `draw(n)` gives a number from 0 to `n` inclusive, each as likely as the other.
pub fn order(records: Vec<SrvRecord>, mut draw: impl FnMut(u32) -> u32) -> Vec<SrvRecord> {
    let mut remaining: Vec<SrvRecord> =
        records.into_iter().filter(|record| record.fault("").is_none()).collect();
    // "all those with weight 0 are placed at the beginning of the list": so they have a very small chance, not none.
    remaining.sort_by_key(|record| (record.priority, record.weight != 0));
    let mut ordered = Vec::with_capacity(remaining.len());
    while let Some(first) = remaining.first() {
        let rivals = remaining.iter().take_while(|record| record.priority == first.priority).count();
        let chosen = choose(&remaining[..rivals], &mut draw);
        ordered.push(remaining.remove(chosen));
    }
    ordered
}

/// "choose a uniform random number between 0 and the sum computed (inclusive), and select the RR whose running sum
/// value is the first in the selected order which is greater than or equal to the random number selected."
fn choose(rivals: &[SrvRecord], draw: &mut impl FnMut(u32) -> u32) -> usize {
    let sum: u32 = rivals.iter().map(|record| u32::from(record.weight)).sum();
    let drawn = draw(sum);
    let mut running = 0;
    let chosen = rivals.iter().position(|record| {
        running += u32::from(record.weight);
        drawn <= running
    });
    chosen.unwrap_or(rivals.len() - 1)
}

/// Puts the host that gave the last lease first among its equals: the hosts side by side with it that nothing else puts in an
/// order, such as those of one priority.
pub fn put_first<H>(hosts: &mut [H], is_last: impl FnMut(&H) -> bool, are_equals: impl Fn(&H, &H) -> bool) {
    let Some(at) = hosts.iter().position(is_last) else { return };
    let equals = hosts[..at].iter().rev().take_while(|before| are_equals(before, &hosts[at])).count();
    hosts[at - equals..=at].rotate_right(1);
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString;
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    /// `priority/weight` for each record; the draw is the given share of the sum, in hundredths.
    fn check(records: &[(u16, u16, &str)], share: u32, expected: Expect) {
        let records = records.iter().map(|(priority, weight, target)| SrvRecord {
            priority: *priority,
            weight: *weight,
            port: 1,
            target: (*target).to_string(),
        });
        let ordered = order(records.collect(), |sum| sum * share / 100);
        let targets: Vec<_> = ordered.iter().map(|record| record.target.as_str()).collect();
        expected.assert_eq(&targets.join(" "));
    }

    #[test]
    fn a_label_is_one_that_dns_can_carry() {
        for good in [crate::SERVICE_LABEL, "_a._tcp", "_abcdefghijklmno._tcp", "_2-a-1._tcp"] {
            assert!(is_service_label(good), "{good}");
        }
        for bad in [
            "",
            "_._tcp",
            "kms._tcp",
            "_kms.tcp",
            "_kms._udp",
            "_kms",
            "_kms._tcp.",
            "_kms._tcp.example.com",
            "_Kms._tcp",
            "_abcdefghijklmnop._tcp",
            "_-kms._tcp",
            "_kms-._tcp",
            "_k--ms._tcp",
            "_123._tcp",
            "_a.b._tcp",
            "_k\"\nms._tcp",
        ] {
            assert!(!is_service_label(bad), "{bad:?}");
        }
    }

    #[test]
    fn priority_comes_first_and_weight_decides_within_it() {
        let records = [(20, 0, "backup"), (10, 60, "large"), (10, 40, "small")];
        check(&records, 0, expect!["large small backup"]);
        check(&records, 60, expect!["large small backup"]);
        check(&records, 61, expect!["small large backup"]);
        check(&records, 100, expect!["small large backup"]);
    }

    #[test]
    fn weight_zero_has_a_very_small_chance_and_not_none() {
        let records = [(10, 100, "heavy"), (10, 0, "light")];
        check(&records, 0, expect!["light heavy"]);
        check(&records, 1, expect!["heavy light"]);
    }

    #[test]
    fn the_host_that_gave_the_last_lease_comes_first_among_its_equals() {
        let check = |last, expected: &[(u8, char)]| {
            let mut hosts = [(1, 'a'), (1, 'b'), (2, 'c'), (2, 'd'), (2, 'e')];
            put_first(&mut hosts, |host| host.1 == last, |one, other| one.0 == other.0);
            assert_eq!(hosts, expected, "{last}");
        };
        check('a', &[(1, 'a'), (1, 'b'), (2, 'c'), (2, 'd'), (2, 'e')]);
        check('b', &[(1, 'b'), (1, 'a'), (2, 'c'), (2, 'd'), (2, 'e')]);
        check('e', &[(1, 'a'), (1, 'b'), (2, 'e'), (2, 'c'), (2, 'd')]);
        check('f', &[(1, 'a'), (1, 'b'), (2, 'c'), (2, 'd'), (2, 'e')]);
    }

    #[test]
    fn a_lone_dot_means_that_nothing_is_offered() {
        check(&[(0, 0, ".")], 0, expect![""]);
        check(&[(0, 0, "."), (0, 0, "host.")], 0, expect!["host."]);
        check(&[], 0, expect![""]);
    }

    #[test]
    fn a_record_at_which_nobody_can_be_asked_says_why() {
        let record =
            |target: &str, port| SrvRecord { priority: 0, weight: 0, port, target: target.to_string() };
        let code = |record: SrvRecord| record.fault("_x.").map(|cause| cause.code);
        assert_eq!(code(record(".", 1)).as_deref(), Some("DNS_NOT_OFFERED"));
        assert_eq!(code(record(".", 0)).as_deref(), Some("DNS_NOT_OFFERED"));
        assert_eq!(code(record("a.", 0)).as_deref(), Some("DNS_PORT_ZERO"));
        assert_eq!(code(record("a.", 1)), None);
        let long = "k".repeat(64);
        for target in [
            "10.0.0.1.",
            "10\\.0\\.0\\.1.",
            "2001:db8::1.",
            "kms1\\.corp.",
            "kms\\0321.",
            ".a.",
            "-kms1.corp.",
            "kms1..corp.",
            &long,
        ] {
            assert_eq!(code(record(target, 0)).as_deref(), Some("DNS_TARGET_BAD"), "{target}");
        }
        assert_eq!(code(record("10.0.0.1.corp.example.", 1)), None, "there may be such a name");
        assert_eq!(order(alloc::vec![record("a.", 0), record("b.", 1)], |_| 0), [record("b.", 1)]);
    }

    #[test]
    fn an_address_to_which_the_name_of_its_zone_was_added_is_told_once_it_is_not_found() {
        let cause = unknown_target("10.0.0.1.corp.example.").unwrap();
        expect!["DNS_TARGET_BAD: an SRV record has the target 10.0.0.1.corp.example., which names no host: it is an address, and the zone's name was put behind it"]
            .assert_eq(&cause.to_string());
        for name in ["kms1.corp.example.", "10.0.0.1.corp.example", "10.0.0.", "10.0.0.1.", "256.0.0.1.corp."]
        {
            assert_eq!(unknown_target(name), None, "{name}");
        }
    }

    #[test]
    fn over_many_draws_the_shares_follow_the_weights() {
        let records =
            |target: &str, weight| SrvRecord { priority: 0, weight, port: 1, target: target.to_string() };
        let mut first_of_large = 0;
        for drawn in 0..=100 {
            let mut draws = [drawn, 0].into_iter();
            let ordered =
                order(alloc::vec![records("large", 75), records("small", 25)], |_| draws.next().unwrap());
            first_of_large += u32::from(ordered[0].target == "large");
        }
        assert_eq!(first_of_large, 76, "75 of 100 draws and the 0, which goes to whoever stands first");
    }

    proptest! {
        #[test]
        fn the_order_is_a_permutation_sorted_by_priority(
            records in prop::collection::vec((0_u16..4, any::<u16>()), 0..40),
            seed in any::<u64>(),
        ) {
            let records: Vec<_> = records
                .into_iter()
                .enumerate()
                .map(|(index, (priority, weight))| {
                    SrvRecord { priority, weight, port: 1, target: format!("host-{index}.") }
                })
                .collect();
            let mut state = seed;
            let ordered = order(records.clone(), |sum| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                u32::try_from((state >> 33) % (u64::from(sum) + 1)).unwrap()
            });
            prop_assert!(ordered.is_sorted_by_key(|record| record.priority));
            let sorted = |mut records: Vec<SrvRecord>| {
                records.sort_by(|a, b| a.target.cmp(&b.target));
                records
            };
            prop_assert_eq!(sorted(ordered), sorted(records));
        }
    }
}
