//! The address of the portal's pages, as people type it and as mails name it.

use std::fmt;

use tonic::codegen::http::Uri;

/// The address of the portal's pages: `https://licenses.example.com`. In the clear, browsers trust `http://localhost` alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebAddress {
    is_secure: bool,
    /// Name and port.
    authority: String,
    host: String,
}

impl WebAddress {
    /// Reads an address, which has no path. None if browsers would not trust it.
    pub fn new(typed: &str) -> Option<WebAddress> {
        let address: Uri = typed.strip_suffix('/').unwrap_or(typed).parse().ok()?;
        let is_secure = match address.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let host = address.host()?.to_ascii_lowercase();
        let has_rest = !matches!(address.path(), "" | "/") || address.query().is_some();
        let authority = address.authority().filter(|authority| !authority.as_str().contains('@'))?;
        let fits = !has_rest && (is_secure || host == "localhost");
        fits.then(|| WebAddress { is_secure, authority: authority.as_str().to_ascii_lowercase(), host })
    }

    /// Whether people come by TLS.
    pub const fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// The name of the host, without a port.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The address of a page: this one, with a path that begins with a slash.
    pub fn page(&self, path: &str) -> String {
        format!("{self}{path}")
    }
}

/// As an origin: without a slash at the end.
impl fmt::Display for WebAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_secure { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_form() {
        let address = WebAddress::new("https://Licenses.Example.com:8443/").unwrap();
        assert_eq!(address.page("/device"), "https://licenses.example.com:8443/device");
        assert_eq!(address.host(), "licenses.example.com");
    }

    #[test]
    fn what_is_no_address_for_people_is_refused() {
        for typed in
            ["", "localhost", "ftp://x.example", "https://", "https://a@b.example", "https://x.example/a?b"]
        {
            assert_eq!(WebAddress::new(typed), None, "{typed}");
        }
    }
}
