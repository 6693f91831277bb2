//! The numbers to call: which a user sees, and which texts nobody may sign.

use shared::ids::ProductId;
use shared::product_key::KeyKind;
use shared::telephones::{
    CountryCode, TELEPHONES_MAX_BYTES, TelephoneCountry, TelephoneNumber, Telephones, TelephonesError,
};

use crate::kit::{OTHER_PRODUCT, PRODUCT};

fn number(number: &str) -> TelephoneNumber {
    TelephoneNumber {
        region: String::new(),
        kinds: vec![],
        number: number.to_owned(),
        text_telephone: String::new(),
        hours: String::new(),
        languages: vec![],
    }
}

fn country(code: &str, numbers: Vec<TelephoneNumber>) -> TelephoneCountry {
    TelephoneCountry { code: code.parse().unwrap(), names: vec![], numbers }
}

/// Belgium has a number for each half and one for hosts; the Netherlands have one for all, with a text telephone.
pub(crate) fn countries() -> Vec<TelephoneCountry> {
    let name = |language: &str, name: &str| (language.to_owned(), name.to_owned());
    let languages = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect();
    let region = |region: &str, shown: &str| TelephoneNumber { region: region.to_owned(), ..number(shown) };
    vec![
        TelephoneCountry {
            names: vec![name("nl", "België"), name("fr", "Belgique"), name("en", "Belgium")],
            ..country(
                "BE",
                vec![
                    TelephoneNumber { kinds: vec![KeyKind::Host], ..number("+32 2 555 0199") },
                    TelephoneNumber {
                        languages: languages(&["nl"]),
                        ..region("Vlaanderen", "+32 2 555 0100")
                    },
                    TelephoneNumber { languages: languages(&["fr"]), ..region("Wallonie", "+32 2 555 0101") },
                ],
            )
        },
        TelephoneCountry {
            names: vec![name("nl", "Nederland"), name("de", "Niederlande"), name("en", "Netherlands")],
            ..country(
                "NL",
                vec![TelephoneNumber {
                    text_telephone: "+31 20 555 0101".to_owned(),
                    hours: "Mon-Fri 8:00-18:00".to_owned(),
                    languages: languages(&["nl", "en"]),
                    ..number("+31 (0)20 555 0100")
                }],
            )
        },
        country("US", vec![TelephoneNumber { kinds: vec![KeyKind::Host], ..number("1-800-555-0100") }]),
    ]
}

pub(crate) fn telephones(products: Vec<ProductId>) -> Telephones {
    Telephones::new(products, countries()).unwrap()
}

#[test]
fn a_user_sees_the_numbers_of_their_country_region_and_kind_of_key() {
    let telephones = telephones(vec![PRODUCT, OTHER_PRODUCT]);
    let codes =
        |kind| telephones.countries_for(kind).map(|country| country.code.to_string()).collect::<Vec<_>>();
    assert_eq!(codes(KeyKind::Host), ["BE", "NL", "US"]);
    assert_eq!(codes(KeyKind::MultipleActivation), ["BE", "NL"]);
    let [belgium, netherlands, _] = telephones.countries() else { panic!() };
    let shown = |kind, region| {
        belgium.numbers_for(kind, region).iter().map(|number| number.number.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(belgium.regions(KeyKind::Host), ["Vlaanderen", "Wallonie"]);
    assert_eq!(shown(KeyKind::MultipleActivation, Some("Wallonie")), ["+32 2 555 0101"]);
    assert_eq!(shown(KeyKind::Host, Some("Wallonie")), ["+32 2 555 0101", "+32 2 555 0199"]);
    assert_eq!(shown(KeyKind::Host, None).len(), 3);
    assert!(netherlands.regions(KeyKind::Host).is_empty());
}

#[test]
fn a_country_is_called_by_the_name_in_the_users_language() {
    let telephones = telephones(vec![]);
    let [belgium, _, states] = telephones.countries() else { panic!() };
    for (language, name) in [("nl", "België"), ("fr-CA", "Belgique"), ("de", "Belgium"), ("", "Belgium")] {
        assert_eq!(belgium.name(language), name, "{language}");
    }
    assert_eq!(states.name("nl"), "US");
}

#[test]
fn a_locale_names_a_country_or_none() {
    for (locale, country) in [
        ("nl_NL.UTF-8", Some("NL")),
        ("de-AT", Some("AT")),
        ("zh-Hant-TW", Some("TW")),
        ("fr_be@euro", Some("BE")),
        ("C.UTF-8", None),
        ("de", None),
        ("", None),
        ("_", None),
    ] {
        assert_eq!(CountryCode::of_locale(locale), country.map(|code| code.parse().unwrap()), "{locale}");
    }
}

#[test]
fn what_would_deceive_or_cannot_be_called_is_not_signed() {
    let with = |change: &dyn Fn(&mut TelephoneCountry)| {
        let mut country = countries().swap_remove(1);
        change(&mut country);
        Telephones::new(vec![], vec![country]).map(|_| ())
    };
    assert_eq!(with(&|_| ()), Ok(()));
    for wrong in [
        "",
        "12",
        "+",
        "0900-CALL-US",
        "++31205550100",
        "31+205550100",
        " 112233",
        "1\u{202e}234",
        "０１２３",
    ] {
        assert!(with(&|country| country.numbers[0].number = wrong.to_owned()).is_err(), "{wrong:?}");
    }
    for right in ["112", "+31205550100", "0800/555 01.00", "(020) 555-0100"] {
        assert_eq!(with(&|country| country.numbers[0].number = right.to_owned()), Ok(()), "{right:?}");
        assert_eq!(
            with(&|country| country.numbers[0].text_telephone = right.to_owned()),
            Ok(()),
            "{right:?}"
        );
    }
    for wrong in ["a\nb", "\u{1b}[2J", " a", &"a".repeat(201)] {
        assert!(with(&|country| country.numbers[0].hours = wrong.to_owned()).is_err(), "{wrong:?}");
        assert!(with(&|country| country.numbers[0].region = wrong.to_owned()).is_err(), "{wrong:?}");
        assert!(with(&|country| country.names[0].1 = wrong.to_owned()).is_err(), "{wrong:?}");
    }
    for wrong in ["", "d", "de_AT", "de-", "deutschland", "12"] {
        assert!(with(&|country| country.names[0].0 = wrong.to_owned()).is_err(), "{wrong:?}");
        assert!(with(&|country| country.numbers[0].languages = vec![wrong.to_owned()]).is_err(), "{wrong:?}");
    }
    assert_eq!(
        with(&|country| country.numbers.clear()),
        Err(TelephonesError::NoNumber("NL".parse().unwrap()))
    );
    for wrong in ["nl", "N", "NLD", "N1", "ÄÖ", ""] {
        assert!(wrong.parse::<CountryCode>().is_err(), "{wrong}");
    }
    for order in [["NL", "BE"], ["NL", "NL"]] {
        let countries = order.map(|code| country(code, vec![number("112")])).to_vec();
        assert_eq!(Telephones::new(vec![], countries), Err(TelephonesError::Order));
    }
}

#[test]
fn a_list_that_no_product_would_carry_is_refused() {
    let long =
        |numbers| Telephones::new(vec![], vec![country("NL", vec![number("+31 20 555 0100"); numbers])]);
    // Each number has 19 bytes with what stands before it.
    let most = (TELEPHONES_MAX_BYTES - 100) / 19;
    assert!(long(most).is_ok());
    assert_eq!(long(most + 10), Err(TelephonesError::TooLong));
}
