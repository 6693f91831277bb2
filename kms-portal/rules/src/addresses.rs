//! E-mail addresses: by which form two are the same, and where mail goes.
//!
//! Mail always goes to the address as its owner typed it when it was confirmed, never to one that somebody else typed and that compares
//! equal. Only letters of ASCII lose their case: the Kelvin sign is no `k` and the dotless i no `i`, or a stranger could ask for mail to an
//! address that looks like somebody's. What stands behind a plus sign is part of the address.

use std::fmt;

/// The longest address, in bytes (RFC 5321, 4.5.3.1).
const ADDRESS_MAX_BYTES: usize = 254;

/// The longest part in front of the `@`, in bytes.
const LOCAL_MAX_BYTES: usize = 64;

/// An e-mail address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    typed: String,
    local: String,
    domain: String,
}

impl Address {
    /// Reads an address. Quoted parts, comments and addresses of numbers are none here.
    pub fn new(typed: &str) -> Option<Address> {
        let typed = typed.trim();
        let (local, domain) = typed.rsplit_once('@')?;
        let is_plain =
            |sign: char| sign.is_alphanumeric() || !sign.is_ascii() || "!#$%&'*+-/=?^_`{|}~.".contains(sign);
        let has_dots_inside = !local.starts_with('.') && !local.ends_with('.') && !local.contains("..");
        let hidden = |sign: char| sign.is_control() || sign.is_whitespace() || sign == '\u{feff}';
        let local_fits = (1..=LOCAL_MAX_BYTES).contains(&local.len())
            && has_dots_inside
            && local.chars().all(is_plain)
            && !local.chars().any(hidden);
        let domain = domain_name(domain)?;
        let fits = local_fits && domain.contains('.') && local.len() + 1 + domain.len() <= ADDRESS_MAX_BYTES;
        fits.then(|| Address { typed: typed.to_owned(), local: local.to_ascii_lowercase(), domain })
    }

    /// As its owner typed it. Mail goes here.
    pub fn typed(&self) -> &str {
        &self.typed
    }

    /// Its domain, in the one form that domains have.
    pub fn domain(&self) -> &str {
        &self.domain
    }
}

/// In the form by which two are compared.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

/// The one form of a domain: lower case, A-labels (UTS 46), without a dot at the end. None if it is no host name.
pub fn domain_name(typed: &str) -> Option<String> {
    let domain = idna::domain_to_ascii_strict(typed.strip_suffix('.').unwrap_or(typed)).ok()?;
    let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    let fits = !domain.is_empty() && domain.split('.').all(|label| !label.is_empty());
    (fits && !domain.rsplit('.').next().is_some_and(is_number)).then_some(domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(one: &str, other: &str) -> bool {
        Address::new(one).unwrap().to_string() == Address::new(other).unwrap().to_string()
    }

    #[test]
    fn case_and_a_dot_at_the_end_make_no_other_address_and_a_plus_sign_does() {
        assert!(same("Ann@Example.COM", "ann@example.com."));
        assert!(same("ann@bücher.example", "ANN@xn--bcher-kva.example"));
        assert!(!same("ann+shop@example.com", "ann@example.com"));
        assert_eq!(Address::new(" Ann@Example.com ").unwrap().typed(), "Ann@Example.com");
    }

    /// Kelvin sign, dotless i, long s: each becomes an ASCII letter when a program is careless about case.
    #[test]
    fn signs_that_only_look_like_letters_are_not_those_letters() {
        for (sign, letter) in [('\u{212a}', 'k'), ('\u{131}', 'i'), ('\u{17f}', 's')] {
            assert!(!same(&format!("{sign}im@example.com"), &format!("{letter}im@example.com")), "{sign}");
        }
    }

    #[test]
    fn a_text_that_is_not_an_address_is_refused() {
        let long = format!("{}@example.com", "a".repeat(65));
        for typed in [
            "",
            "@",
            "ann",
            "ann@",
            "@example.com",
            "ann@localhost",
            "ann@10.0.0.1",
            "a b@example.com",
            ".ann@example.com",
            "ann.@example.com",
            "an..n@example.com",
            "ann@example..com",
            "ann@-example.com",
            "ann@exa mple.com",
            "\"ann\"@example.com",
            "ann@example.com\n",
            "ann\u{0}@example.com",
            "ann@bob@example.com",
            &long,
        ] {
            let typed_is_trimmed = typed.trim() != typed;
            assert_eq!(Address::new(typed).is_some(), typed_is_trimmed, "{typed:?}");
        }
    }
}
