//! Names of hosts: `name`, `name:port`, `10.0.0.1:21688`, `[2001:db8::1]:21688`, `[fe80::1%eth0]:21688`; and lists of them.
//!
//! `discovery` knows where the names come from.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use shared::print::OneLine;
#[cfg(feature = "dns")]
use shared::srv::SrvRecord;
use shared::srv::{HOST_NAME_RULE, is_host_name};
use shared::{DEFAULT_PORT, armour};

/// A host by name or address, and its port. Shown as it was given, and always with the port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostName {
    name: String,
    port: u16,
}

impl HostName {
    /// The host that an SRV record names. The name is fully qualified and ends in a dot; `shared::srv` has checked it.
    #[cfg(feature = "dns")]
    pub(crate) fn from_dns(record: &SrvRecord) -> HostName {
        HostName { name: record.target.clone(), port: record.port }
    }

    /// The name to look up. One that ends in a dot is fully qualified.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address, if no name has to be looked up.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.name.parse().ok()
    }

    /// Whether it is an address that is valid on one interface of this machine only.
    #[cfg(feature = "dns")]
    pub(crate) fn names_an_interface(&self) -> bool {
        self.name.contains('%')
    }

    /// The host as HTTP names it, without an interface, whose name means nothing to others.
    pub(crate) fn authority(&self) -> String {
        match self.name.split_once('%') {
            Some((address, _)) => format!("[{address}]:{}", self.port),
            None => self.to_string(),
        }
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

const BRACKETS: &str = "write an IPv6 address as [2001:db8::1]:PORT";
const PORT: &str = "a port is a number from 1 to 65535; write NAME:PORT";

impl FromStr for HostName {
    type Err = HostNameError;

    fn from_str(text: &str) -> Result<HostName, HostNameError> {
        let text = text.trim();
        let error = |remedy: &str| HostNameError(format!("`{}` names no host: {remedy}", OneLine(text)));
        if let Some(rest) = text.strip_prefix('[') {
            let (address, rest) = rest.split_once(']').ok_or_else(|| error(BRACKETS))?;
            let (address, interface) =
                address.split_once('%').map_or((address, None), |(address, name)| (address, Some(name)));
            let address: Ipv6Addr = address.parse().map_err(|_| error(BRACKETS))?;
            let port = match rest {
                "" => DEFAULT_PORT,
                rest => parse_port(rest.strip_prefix(':').unwrap_or(rest)).ok_or_else(|| error(PORT))?,
            };
            let name = match interface {
                Some(interface) if is_interface(interface) => format!("{address}%{interface}"),
                Some(_) => return Err(error(BRACKETS)),
                None => address.to_string(),
            };
            return Ok(HostName { name, port });
        }
        if text.split('%').next().is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()) {
            return Err(error(&format!("write an IPv6 address in brackets: [{text}]")));
        }
        if text.contains([' ', '\t', ';', ',']) {
            return Err(error(
                "to name several, write them with a comma between them in KMS_HOSTS, one a line in the file `hosts`, or each \
                 as an argument of its own on the command line",
            ));
        }
        let (name, port) = match text.split_once(':') {
            None => (text, DEFAULT_PORT),
            Some((name, port)) => (name, parse_port(port).ok_or_else(|| error(PORT))?),
        };
        if !is_host_name(name) {
            return Err(error(&format!("{HOST_NAME_RULE}; write NAME or NAME:PORT")));
        }
        Ok(HostName { name: name.to_owned(), port })
    }
}

/// `name:port`, without the dot of a fully qualified name; an IPv6 address in brackets.
impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.contains(':') {
            return write!(f, "[{}]:{}", self.name, self.port);
        }
        write!(f, "{}:{}", self.name.trim_end_matches('.'), self.port)
    }
}

/// Only digits: `u16::from_str` would take a sign.
fn parse_port(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|digit| digit.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port != 0)
}

/// The name of an interface, or its number.
fn is_interface(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// The names in a list from the environment, separated by commas. Blanks and empty parts are skipped.
pub(crate) fn in_list(list: &str) -> Vec<Result<HostName, HostNameError>> {
    let parts = list.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(str::parse).collect()
}

/// The names in a file, one a line. `#` begins a comment.
pub(crate) fn in_file(text: &str) -> Vec<Result<HostName, HostNameError>> {
    let text = armour::plain(text.as_bytes()).unwrap_or_default();
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    // A mail may have quoted some of the lines. No host's name begins like this.
    let lines = lines.map(|line| line.trim_start_matches(['>', ' ', '\t']).trim_end());
    lines.filter(|line| !line.is_empty()).map(str::parse).collect()
}

/// A host is named in a way that cannot be read. It is the fault of whoever wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostNameError(String);

impl fmt::Display for HostNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for HostNameError {}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&match text.parse::<HostName>() {
            Ok(host) => host.to_string(),
            Err(error) => error.to_string(),
        });
    }

    #[test]
    fn a_host_is_named_with_or_without_a_port() {
        check("kms1", expect!["kms1:21688"]);
        check(" kms1.corp.example.:9 ", expect!["kms1.corp.example:9"]);
        check("10.0.0.1:21688", expect!["10.0.0.1:21688"]);
        check("[::1]:21689", expect!["[::1]:21689"]);
        check("[2001:DB8::1]", expect!["[2001:db8::1]:21688"]);
        check("[fe80::1%eth0]:9", expect!["[fe80::1%eth0]:9"]);
        let host: HostName = "[fe80::1%eth0]:9".parse().unwrap();
        assert_eq!(host.authority(), "[fe80::1]:9");
    }

    #[test]
    fn what_cannot_be_read_says_how_to_write_it() {
        check("::1", expect!["`::1` names no host: write an IPv6 address in brackets: [::1]"]);
        check(
            "fe80::1%lo",
            expect!["`fe80::1%lo` names no host: write an IPv6 address in brackets: [fe80::1%lo]"],
        );
        for address in ["[::1", "[fe80::1%]", "[fe80::1%a b]"] {
            let error = address.parse::<HostName>().unwrap_err();
            assert!(error.0.contains(BRACKETS), "{error}");
        }
        for port in ["", "0", "65536", "+80", "http", "80:81"] {
            let error = format!("kms1:{port}").parse::<HostName>().unwrap_err();
            assert!(error.0.contains(PORT), "{error}");
        }
        for name in [
            "", ":80", ".", "..", "kms/1", "kms1\n", "a@kms1", "kmß", "-x", "-kms1:80", "a.-b", "a..b", ".a",
            "a..",
        ] {
            let error = name.replace('\n', "\u{7}").parse::<HostName>().unwrap_err();
            assert!(error.0.contains(HOST_NAME_RULE), "{error}");
        }
    }

    #[test]
    fn a_list_that_is_written_in_another_way_is_told_how() {
        for list in ["kms1 kms2", "kms1;kms2", "kms1:1; kms2"] {
            let [Err(error)] = &in_list(list)[..] else { panic!("{list}") };
            assert!(error.to_string().contains("with a comma between them in KMS_HOSTS"), "{error}");
        }
        assert!("kms1,kms2".parse::<HostName>().unwrap_err().0.contains("to name several"));
    }

    #[test]
    fn lists_and_files_skip_what_says_nothing() {
        let names = |parsed: Vec<Result<HostName, _>>| {
            let names: Vec<_> = parsed.into_iter().map(|host| host.unwrap().to_string()).collect();
            names.join(" ")
        };
        assert_eq!(names(in_list(" a, b:2 ,,")), "a:21688 b:2");
        assert_eq!(names(in_file("# ours\na # near\n\n  b:2\n")), "a:21688 b:2");
        assert_eq!(names(in_file("\u{feff}a\r\nb\rc\n")), "a:21688 b:21688 c:21688");
        assert_eq!(names(in_file("# nothing\n")), "");
        // What an editor of another system, or a mail, makes of it.
        assert_eq!(names(in_file("\u{FEFF}a\r\n\r\n  b:2 \r\n")), "a:21688 b:2");
        assert_eq!(names(in_file("a\rb:2\r")), "a:21688 b:2");
        assert_eq!(names(in_file("> a\n>\n>> b:2\n\tc\n")), "a:21688 b:2 c:21688");
    }
}
