//! What a vendor sells to people: an offer, which is a set of services.
//!
//! A service is what can be switched on and off for each person. It may exclude another, need another, and not be offered in some
//! countries. Whoever has seats of several offers has the services of all of them.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use shared::features::is_feature;

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// This name.
            ///
            /// # Errors
            /// [`NotAName`].
            pub fn new(name: impl Into<String>) -> Result<$name, NotAName> {
                let name = name.into();
                if is_feature(&name) { Ok($name(name)) } else { Err(NotAName) }
            }

            /// As the vendor has written it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    )*};
}

names! {
    /// An offer, as the vendor names it: 1 to 32 characters of a-z, 0-9, `.`, `_` and `-`.
    OfferName;
    /// A service, as the vendor names it: 1 to 32 characters of a-z, 0-9, `.`, `_` and `-`.
    ServiceName;
}

/// This is no name of an offer or a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to 32 characters of a-z, 0-9, `.`, `_` and `-`")]
pub struct NotAName;

/// A country where somebody uses a licence: two letters, as in ISO 3166-1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

impl Country {
    /// The country of this code, in either case. Whether there is such a country is not looked up.
    pub fn from_code(code: &str) -> Option<Country> {
        let code: [u8; 2] = code.as_bytes().try_into().ok()?;
        code.iter()
            .all(u8::is_ascii_alphabetic)
            .then(|| Country(code.map(|letter| letter.to_ascii_uppercase())))
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|letter| write!(f, "{}", char::from(*letter)))
    }
}

/// A part of a product that can be switched for each person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OfferedService {
    /// Services that nobody may have beside it. Either of the two may say so.
    pub excludes: BTreeSet<ServiceName>,
    /// Services without which nobody may have it.
    pub requires: BTreeSet<ServiceName>,
    /// Countries where it is not offered.
    pub not_in: BTreeSet<Country>,
}

/// What is sold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// Its services.
    pub services: BTreeMap<ServiceName, OfferedService>,
}

/// What the vendor sells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offers(pub BTreeMap<OfferName, Offer>);

/// Why services do not fit together, or not to a person.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Misfit {
    /// It is not known where the person uses the service.
    #[error("a usage location is needed")]
    NoLocation,
    /// It is not offered there.
    #[error("{service} is not offered in {country}")]
    NotOfferedThere {
        /// The service.
        service: ServiceName,
        /// Where the person is.
        country: Country,
    },
    /// Two services exclude each other.
    #[error("nobody can have both {one} and {other}")]
    Excludes {
        /// The one that comes first in the alphabet.
        one: ServiceName,
        /// The other.
        other: ServiceName,
    },
    /// One service needs another.
    #[error("{service} needs {missing}")]
    Requires {
        /// The service.
        service: ServiceName,
        /// What it needs.
        missing: ServiceName,
    },
}

impl Offers {
    /// The services of seats: of each of these offers, without those that are switched off. An offer that is sold no more has none.
    pub fn services<'a>(
        &'a self,
        seats: impl IntoIterator<Item = (&'a OfferName, &'a BTreeSet<ServiceName>)>,
    ) -> BTreeMap<&'a ServiceName, &'a OfferedService> {
        let mut on = BTreeMap::new();
        for (offer, off) in seats {
            let services = self.0.get(offer).into_iter().flat_map(|offer| &offer.services);
            on.extend(services.filter(|(name, _)| !off.contains(*name)));
        }
        on
    }
}

/// What keeps a person who is there from having these services at once; nothing if they fit.
pub fn misfits(on: &BTreeMap<&ServiceName, &OfferedService>, location: Option<Country>) -> BTreeSet<Misfit> {
    let mut misfits = BTreeSet::new();
    if location.is_none() && !on.is_empty() {
        misfits.insert(Misfit::NoLocation);
    }
    for (&name, service) in on {
        if let Some(country) = location.filter(|country| service.not_in.contains(country)) {
            misfits.insert(Misfit::NotOfferedThere { service: name.clone(), country });
        }
        for excluded in service.excludes.iter().filter(|excluded| on.contains_key(excluded)) {
            let (one, other) = if name < excluded { (name, excluded) } else { (excluded, name) };
            misfits.insert(Misfit::Excludes { one: one.clone(), other: other.clone() });
        }
        for missing in service.requires.iter().filter(|required| !on.contains_key(required)) {
            misfits.insert(Misfit::Requires { service: name.clone(), missing: missing.clone() });
        }
    }
    misfits
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn service(name: &str) -> ServiceName {
        ServiceName::new(name).unwrap()
    }

    pub(crate) fn offer(name: &str) -> OfferName {
        OfferName::new(name).unwrap()
    }

    pub(crate) fn country(code: &str) -> Country {
        Country::from_code(code).unwrap()
    }

    /// Basic has mail and files. Plus has mail-plus, which excludes mail, and archive, which needs mail-plus. Voice is not sold in Aruba.
    pub(crate) fn shop() -> Offers {
        let plain = OfferedService::default;
        let mail_plus = OfferedService { excludes: [service("mail")].into(), ..plain() };
        let archive = OfferedService { requires: [service("mail-plus")].into(), ..plain() };
        let voice = OfferedService { not_in: [country("AW")].into(), ..plain() };
        let of = |services: Vec<(&str, OfferedService)>| Offer {
            services: services.into_iter().map(|(name, is)| (service(name), is)).collect(),
        };
        Offers(BTreeMap::from([
            (offer("basic"), of(vec![("mail", plain()), ("files", plain())])),
            (offer("plus"), of(vec![("mail-plus", mail_plus), ("archive", archive)])),
            (offer("voice"), of(vec![("voice", voice)])),
        ]))
    }

    fn check(seats: &[(&str, &[&str])], location: Option<&str>) -> Vec<String> {
        let seats: Vec<(OfferName, BTreeSet<ServiceName>)> = seats
            .iter()
            .map(|(name, off)| (offer(name), off.iter().map(|name| service(name)).collect()))
            .collect();
        let shop = shop();
        let on = shop.services(seats.iter().map(|(name, off)| (name, off)));
        misfits(&on, location.map(country)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn services_that_exclude_each_other_are_told_whichever_of_them_says_so() {
        assert_eq!(check(&[("basic", &[])], Some("NL")), [""; 0]);
        assert_eq!(
            check(&[("basic", &[]), ("plus", &[])], Some("NL")),
            ["nobody can have both mail and mail-plus"]
        );
        assert_eq!(check(&[("basic", &["mail"]), ("plus", &[])], Some("NL")), [""; 0]);
    }

    #[test]
    fn a_service_that_is_needed_cannot_be_switched_off_first() {
        assert_eq!(check(&[("plus", &["mail-plus"])], Some("NL")), ["archive needs mail-plus"]);
        assert_eq!(check(&[("plus", &["mail-plus", "archive"])], Some("NL")), [""; 0]);
    }

    #[test]
    fn a_location_is_needed_and_has_to_be_one_where_the_service_is_offered() {
        assert_eq!(check(&[("voice", &[])], None), ["a usage location is needed"]);
        assert_eq!(check(&[("voice", &[])], Some("aw")), ["voice is not offered in AW"]);
        assert_eq!(check(&[("voice", &["voice"])], None), [""; 0], "who has no service needs none");
    }

    #[test]
    fn names_and_countries_have_one_form() {
        for name in ["", "Mail", "a b", "é", &"a".repeat(33)] {
            assert_eq!(ServiceName::new(name), Err(NotAName), "{name:?}");
        }
        assert_eq!(ServiceName::new("mail.v2_x-1").unwrap().to_string(), "mail.v2_x-1");
        assert_eq!(Country::from_code("nl").unwrap().to_string(), "NL");
        for code in ["", "N", "NLD", "N1", "ñl"] {
            assert_eq!(Country::from_code(code), None, "{code:?}");
        }
    }
}
