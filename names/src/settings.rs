//! What this machine says about DNS: its name servers, its search list, and how long to wait.
//!
//! On Linux that is /etc/resolv.conf, read as the C library reads it (resolv.conf(5)): line by line, so that one entry that cannot
//! be read costs only itself, and is reported. Elsewhere Hickory asks the system. `servers.rs` asks the servers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

/// Where DNS servers listen.
pub(crate) const PORT: u16 = 53;

/// What the C library makes of larger numbers, and of 0.
const TIMEOUT_S: (u64, u64) = (1, 30);
const ATTEMPTS: (u32, u32) = (1, 5);
const NDOTS_MAX: usize = 15;

/// The settings of one machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResolverSettings {
    /// The name servers, in the order in which they are asked.
    pub(crate) servers: Vec<SocketAddr>,
    /// The domains of this machine, as they are written.
    pub(crate) search: Vec<String>,
    /// How long to wait before a server is asked again.
    pub(crate) timeout: Duration,
    /// How often a server is asked.
    pub(crate) attempts: u32,
    /// A name with at least this many dots is looked up as it is before the search list is tried.
    pub(crate) ndots: usize,
    /// UDP is not used.
    pub(crate) tcp_only: bool,
    /// The servers share the load.
    pub(crate) rotate: bool,
    /// What could not be read. It is left out, and all else holds.
    pub(crate) faults: Vec<String>,
}

impl Default for ResolverSettings {
    /// What the C library does where nothing is said.
    fn default() -> ResolverSettings {
        ResolverSettings {
            servers: Vec::new(),
            search: Vec::new(),
            timeout: Duration::from_secs(5),
            attempts: 2,
            ndots: 1,
            tcp_only: false,
            rotate: false,
            faults: Vec::new(),
        }
    }
}

impl ResolverSettings {
    /// The settings of this machine, as of now: laptops and VPNs change them.
    #[cfg(target_os = "linux")]
    pub(crate) fn read() -> ResolverSettings {
        let mut settings = ResolverSettings::default();
        match std::fs::read(linux::FILE) {
            Ok(text) => settings.take(&String::from_utf8_lossy(&text), linux::FILE),
            // Without the file, the C library asks the server of this machine.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => settings.faults.push(format!("{}: {error}", linux::FILE)),
        }
        if settings.search.is_empty() {
            settings.search.extend(linux::domain_of_host());
        }
        for (variable, keyword) in [("LOCALDOMAIN", "search"), ("RES_OPTIONS", "options")] {
            let value = std::env::var(variable).unwrap_or_default();
            settings.take(&format!("{keyword} {value}"), variable);
        }
        settings.or_this_machine()
    }

    /// As the system says.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn read() -> ResolverSettings {
        let mut settings = ResolverSettings::default();
        match hickory_resolver::system_conf::read_system_conf() {
            Ok((config, options)) => {
                let (domain, search, servers) = config.into_parts();
                settings.servers = servers.iter().map(|server| SocketAddr::new(server.ip, PORT)).collect();
                settings.search = domain.iter().chain(&search).map(ToString::to_string).collect();
                (settings.timeout, settings.ndots) = (options.timeout, options.ndots);
                settings.attempts = u32::try_from(options.attempts).unwrap_or(ATTEMPTS.1);
            }
            Err(error) => settings.faults.push(error.to_string()),
        }
        settings.or_this_machine()
    }

    /// "If no nameserver entries are present, the default is to use the name server on the local machine."
    fn or_this_machine(mut self) -> ResolverSettings {
        if self.servers.is_empty() {
            self.servers.push(SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)));
        }
        self
    }

    /// Takes what these lines say; `place` is where they stand.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "the system is asked"))]
    fn take(&mut self, text: &str, place: &str) {
        for line in text.lines() {
            let words = line.split_whitespace().take_while(|word| !word.starts_with(['#', ';']));
            let mut words = words.peekable();
            let Some(keyword) = words.next() else { continue };
            match keyword {
                "nameserver" => match words.next().map(|word| (word, server(word))) {
                    Some((_, Some(server))) => self.servers.push(server),
                    Some((word, None)) => {
                        self.faults.push(format!("{place}: `nameserver {word}` is no address"));
                    }
                    None => self.faults.push(format!("{place}: `nameserver` without an address")),
                },
                // The last of these lines decides; an empty one says nothing.
                "domain" if words.peek().is_some() => {
                    self.search = words.take(1).map(str::to_owned).collect();
                }
                "search" if words.peek().is_some() => self.search = words.map(str::to_owned).collect(),
                "options" => words.for_each(|option| self.take_option(option, place)),
                // Words of other systems, and of later releases.
                _ => {}
            }
        }
    }

    fn take_option(&mut self, option: &str, place: &str) {
        let (name, value) = option.split_once(':').unwrap_or((option, ""));
        let number: Option<u32> = value.parse().ok();
        match (name, number) {
            ("timeout", Some(seconds)) => {
                self.timeout = Duration::from_secs(u64::from(seconds).clamp(TIMEOUT_S.0, TIMEOUT_S.1));
            }
            ("attempts", Some(attempts)) => self.attempts = attempts.clamp(ATTEMPTS.0, ATTEMPTS.1),
            ("ndots", Some(dots)) => self.ndots = usize::try_from(dots).unwrap_or(NDOTS_MAX).min(NDOTS_MAX),
            ("timeout" | "attempts" | "ndots", None) => {
                self.faults.push(format!("{place}: the option `{option}` has no number"));
            }
            ("use-vc" | "usevc", _) => self.tcp_only = true,
            ("rotate", _) => self.rotate = true,
            // The others concern what is never asked here, or EDNS, which is never used.
            _ => {}
        }
    }
}

/// The address of a name server. One that is local to a link names its interface: `fe80::1%eth0`.
fn server(text: &str) -> Option<SocketAddr> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        // "0.0.0.0" is this machine, and so it answers from another address.
        let ip = match ip {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        return Some(SocketAddr::new(ip, PORT));
    }
    let (address, _) = text.split_once('%')?;
    address.parse::<Ipv6Addr>().ok()?;
    // The system knows the numbers of its interfaces. It looks up no name for this.
    (text, PORT).to_socket_addrs().ok()?.next()
}

#[cfg(target_os = "linux")]
mod linux {
    pub(super) const FILE: &str = "/etc/resolv.conf";

    /// "If no domain entry is present, the domain is determined from the local hostname returned by gethostname(2); the domain
    /// part is taken to be everything after the first '.'."
    pub(super) fn domain_of_host() -> Option<String> {
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
        let (_, domain) = name.trim().split_once('.')?;
        (!domain.is_empty()).then(|| domain.to_owned())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        let mut settings = ResolverSettings::default();
        settings.take(text, "resolv.conf");
        let ResolverSettings { servers, search, timeout, attempts, ndots, tcp_only, rotate, faults } =
            settings.or_this_machine();
        let servers: Vec<_> = servers.iter().map(ToString::to_string).collect();
        let mut shown = vec![format!("{} | {}\n", servers.join(" "), search.join(" "))];
        if (timeout.as_secs(), attempts, ndots, tcp_only, rotate) != (5, 2, 1, false, false) {
            shown.push(format!("{timeout:?} {attempts} {ndots} tcp {tcp_only} rotate {rotate}\n"));
        }
        shown.extend(faults.iter().map(|fault| format!("{fault}\n")));
        expected.assert_eq(&shown.concat());
    }

    #[test]
    fn each_line_says_what_the_c_library_hears() {
        check(
            "nameserver 10.0.0.1\nnameserver\t2001:db8::1  # ours\n# no\n;no\n\nsearch corp.example lab.example.\n",
            expect![[r"
                10.0.0.1:53 [2001:db8::1]:53 | corp.example lab.example.
            "]],
        );
        check("search a b\ndomain c d\n", expect!["127.0.0.1:53 | c\n"]);
        check("domain c\n  search\ta b \r\nsearch\n", expect!["127.0.0.1:53 | a b\n"]);
        check("", expect!["127.0.0.1:53 | \n"]);
        check("nameserver 0.0.0.0\nnameserver ::", expect!["127.0.0.1:53 [::1]:53 | \n"]);
        check("nameserver fe80::1%lo", expect!["[fe80::1%1]:53 | \n"]);
    }

    #[test]
    fn more_servers_and_domains_than_the_c_library_takes_are_taken() {
        let servers: Vec<_> = (1..=5).map(|n| format!("nameserver 10.0.0.{n}\n")).collect();
        let servers = servers.concat();
        check(
            &(servers + "search a b c d e f g h i"),
            expect!["10.0.0.1:53 10.0.0.2:53 10.0.0.3:53 10.0.0.4:53 10.0.0.5:53 | a b c d e f g h i\n"],
        );
    }

    #[test]
    fn options_hold_within_bounds() {
        check(
            "options timeout:1 attempts:3 ndots:5 use-vc rotate edns0 of-next-year:1",
            expect![[r"
                127.0.0.1:53 | 
                1s 3 5 tcp true rotate true
            "]],
        );
        check(
            "options timeout:0 attempts:99 ndots:99",
            expect![[r"
            127.0.0.1:53 | 
            1s 5 15 tcp false rotate false
        "]],
        );
    }

    #[test]
    fn what_cannot_be_read_is_told_and_costs_nothing_else() {
        check(
            "nameserver dns1\nnameserver 10.0.0.1\nnameserver\nnameserver fe80::1%none0\noptions timeout:soon\nsearch x..y a",
            expect![[r"
                10.0.0.1:53 | x..y a
                resolv.conf: `nameserver dns1` is no address
                resolv.conf: `nameserver` without an address
                resolv.conf: `nameserver fe80::1%none0` is no address
                resolv.conf: the option `timeout:soon` has no number
            "]],
        );
    }
}
