//! The address of a vendor's portal, as people write it. `wire` connects to it.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use core::fmt;
use core::net::Ipv6Addr;
use core::str::FromStr;

use crate::srv::is_host_name;

/// The default port of a portal for hosts and machines, and so the port of an address that names none. Elsewhere, a URL without a port
/// means 443; here both ends have the same default.
pub const PORTAL_PORT: u16 = 21690;

/// Where a portal is: `https://activation.example.com`, or with a port at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortalAddress {
    /// A name or an IP address, without brackets.
    name: String,
    port: u16,
}

/// The text is no address of a portal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadPortalAddress;

impl fmt::Display for BadPortalAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("write the address of a portal as https://NAME or https://NAME:PORT")
    }
}

impl core::error::Error for BadPortalAddress {}

impl FromStr for PortalAddress {
    type Err = BadPortalAddress;

    /// A URL without a path. The scheme may be left out, and is `https` then.
    fn from_str(text: &str) -> Result<PortalAddress, BadPortalAddress> {
        PortalAddress::parse(text, PORTAL_PORT)
    }
}

impl PortalAddress {
    /// As [`PortalAddress::from_str`], with another port for a text that names none.
    ///
    /// # Errors
    /// The text is no such address.
    pub fn parse(text: &str, default_port: u16) -> Result<PortalAddress, BadPortalAddress> {
        let text = text.trim();
        let text = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => rest,
            Some(_) => return Err(BadPortalAddress),
            None => text,
        };
        let text = text.strip_suffix('/').unwrap_or(text);
        let (name, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']').ok_or(BadPortalAddress)?;
                address.parse::<Ipv6Addr>().map_err(|_| BadPortalAddress)?;
                (address, port.strip_prefix(':').or_else(|| port.is_empty().then_some("")))
            }
            None => match text.split_once(':') {
                Some((name, port)) => (name, Some(port)),
                None => (text, Some("")),
            },
        };
        let port = match port.ok_or(BadPortalAddress)? {
            "" if text.ends_with(':') => return Err(BadPortalAddress),
            "" => default_port,
            port => port.parse().ok().filter(|port| *port != 0).ok_or(BadPortalAddress)?,
        };
        if !name.contains(':') && !is_host_name(name) {
            return Err(BadPortalAddress);
        }
        Ok(PortalAddress { name: name.to_owned(), port })
    }

    /// The name or IP address, without brackets.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// As it stands in a URL, always with the port.
    pub fn authority(&self) -> String {
        if self.name.contains(':') {
            format!("[{}]:{}", self.name, self.port)
        } else {
            format!("{}:{}", self.name, self.port)
        }
    }
}

/// As a URL, always with the port.
impl fmt::Display for PortalAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}", self.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn an_address_is_a_url_without_a_path() {
        let shown = |text: &str| text.parse::<PortalAddress>().map(|address| address.to_string());
        assert_eq!(shown("https://activation.example.com").unwrap(), "https://activation.example.com:21690");
        assert_eq!(
            shown(" HTTPS://activation.example.com:21690/ ").unwrap(),
            "https://activation.example.com:21690"
        );
        assert_eq!(shown("localhost:21690").unwrap(), "https://localhost:21690");
        assert_eq!(shown("10.0.0.1").unwrap(), "https://10.0.0.1:21690");
        assert_eq!(shown("https://[2001:db8::1]:21690").unwrap(), "https://[2001:db8::1]:21690");
        assert_eq!(shown("[::1]").unwrap(), "https://[::1]:21690");
        assert_eq!(
            shown("https://activation.example.com:443").unwrap(),
            "https://activation.example.com:443"
        );
        assert_eq!(PortalAddress::parse("localhost", 21691).unwrap().port(), 21691);
        for wrong in [
            "",
            "http://a.example",
            "https://a.example/path",
            "a:0",
            "a:65536",
            "a:",
            "a:b",
            "[::1",
            "[::1]x",
            "[a]",
            "::1",
            "a b",
            "https://",
        ] {
            assert_eq!(shown(wrong), Err(BadPortalAddress), "{wrong:?}");
        }
    }
}
