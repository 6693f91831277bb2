//! Which domains an organisation can have: no ending under which everybody registers, and no domain where everybody gets a mailbox.
//!
//! The endings are those of the Public Suffix List, which is compiled in; each release brings a new one. Providers of mail for everybody
//! stand in `public_mail.txt`.

use crate::addresses::domain_name;

/// The domains of providers who give everybody a mailbox, one a line.
const PUBLIC_MAIL: &str = include_str!("public_mail.txt");

/// Why no organisation can have this domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotClaimable {
    /// It is no domain.
    #[error("this is no domain")]
    NotADomain,
    /// Everybody registers domains below it, as below `co.uk`.
    #[error("domains of many owners are below this one")]
    Ending,
    /// A provider gives everybody a name below it, as below `github.io`. A name below it can be claimed.
    #[error("a provider gives names below this domain to everybody; claim the name below it that is yours")]
    ProvidersEnding,
    /// Everybody can have a mailbox there.
    #[error("everybody can have a mailbox at this domain")]
    PublicMail,
}

/// A domain in its one form, if an organisation can have it.
///
/// # Errors
/// Why none can.
pub fn claimable(typed: &str) -> Result<String, NotClaimable> {
    let domain = domain_name(typed.trim()).ok_or(NotClaimable::NotADomain)?;
    if !domain.contains('.') {
        return Err(NotClaimable::Ending);
    }
    if gives_everybody_mail(&domain) {
        return Err(NotClaimable::PublicMail);
    }
    let ending = psl::suffix(domain.as_bytes()).filter(|ending| ending.as_bytes() == domain.as_bytes());
    match ending.and_then(|ending| ending.typ()) {
        Some(psl::Type::Private) => Err(NotClaimable::ProvidersEnding),
        Some(psl::Type::Icann) => Err(NotClaimable::Ending),
        None => Ok(domain),
    }
}

/// A domain in its own script, for people, where that differs from its one form. Two scripts may look alike, so it is shown beside that
/// form, never in its place.
pub fn in_words(domain: &str) -> Option<String> {
    let (words, read) = idna::domain_to_unicode(domain);
    (read.is_ok() && words != domain).then_some(words)
}

/// Whether everybody can have a mailbox at this domain, or at one above it.
fn gives_everybody_mail(domain: &str) -> bool {
    let is_at = |provider: &str| {
        domain.strip_suffix(provider).is_some_and(|front| front.is_empty() || front.ends_with('.'))
    };
    PUBLIC_MAIL.lines().any(is_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_of_ones_own_can_be_claimed_and_has_one_form() {
        for (typed, domain) in [
            ("example.com", "example.com"),
            (" Example.CO.UK. ", "example.co.uk"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("pages.example.github.io", "pages.example.github.io"),
            ("mygmail.com", "mygmail.com"),
        ] {
            assert_eq!(claimable(typed), Ok(domain.to_owned()));
        }
        assert_eq!(in_words("xn--bcher-kva.example").as_deref(), Some("bücher.example"));
        assert_eq!(in_words("example.com"), None);
    }

    #[test]
    fn a_domain_that_belongs_to_many_cannot_be_claimed() {
        for (typed, refused) in [
            ("", NotClaimable::NotADomain),
            ("a b.example", NotClaimable::NotADomain),
            ("10.0.0.1", NotClaimable::NotADomain),
            ("com", NotClaimable::Ending),
            ("intranet", NotClaimable::Ending),
            ("co.uk", NotClaimable::Ending),
            ("CO.UK.", NotClaimable::Ending),
            ("github.io", NotClaimable::ProvidersEnding),
            ("gmail.com", NotClaimable::PublicMail),
            ("mail.GMX.de", NotClaimable::PublicMail),
        ] {
            assert_eq!(claimable(typed), Err(refused), "{typed}");
        }
    }

    #[test]
    fn every_provider_is_a_domain_in_its_one_form_and_stands_there_once() {
        let lines: Vec<_> = PUBLIC_MAIL.lines().collect();
        assert!(lines.iter().all(|line| domain_name(line).as_deref() == Some(line)), "{lines:?}");
        assert!(lines.is_sorted_by(|one, next| one < next), "they are in order");
    }
}
