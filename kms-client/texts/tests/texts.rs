//! Every state and every reason has a text in every language, with every value in it.

use std::fmt::Write as _;
use std::time::Duration;

use expect_test::expect;
use kms_client_texts::{Language, Texts};
use shared::license::LicenseState;
use shared::reason::{Cause, Fault, Reason};
use shared::time::Timestamp;

const NEW_YEAR: Timestamp = Timestamp::from_unix_ms(1_798_761_600_000);
const DAY: Duration = Duration::from_hours(24);

fn states() -> Vec<LicenseState> {
    let (until, since) = (NEW_YEAR, NEW_YEAR - 40 * DAY);
    let clock = |ahead, licensed_until| LicenseState::ClockWrong {
        by: Duration::from_hours(5),
        ahead,
        licensed_until,
        notices: true,
    };
    vec![
        LicenseState::InGrace { until },
        LicenseState::Licensed { until },
        LicenseState::RenewalOverdue { until, since },
        LicenseState::ExpiringSoon { until },
        LicenseState::Lapsed { since },
        LicenseState::NeverActivated { since },
        clock(true, None),
        clock(false, Some(until)),
        LicenseState::LicensedWithoutEnd,
        LicenseState::KeyEntered { notices: true },
        LicenseState::LicensedByKey { until },
        LicenseState::KeyEndsSoon { until },
        LicenseState::KeyEnded { since },
        LicenseState::KeyRevoked { since },
        LicenseState::LicensedByAccount { until },
        LicenseState::AccountEndsSoon { until },
        LicenseState::AccountEnded { since },
        LicenseState::HardwareChanged { since, notices: true },
    ]
}

/// Braces that are left were not filled in. Each text is a sentence.
#[track_caller]
fn check(language: Language, what: &str, text: &str) {
    assert!(
        !text.contains(['{', '}']) && text.ends_with('.') && 10 < text.len(),
        "{language:?} {what}: {text}"
    );
}

#[test]
fn every_state_reason_and_fault_has_a_text_in_every_language() {
    for &language in Language::ALL {
        let texts = Texts::new(language);
        for state in states() {
            check(language, state.text_key(), &texts.state(&state));
            assert_ne!(texts.state(&state), state.to_string(), "{language:?} has no {}", state.text_key());
        }
        for reason in Reason::ALL {
            let values: Vec<_> = reason.parameters().map(|name| (name, format!("<{name}>"))).collect();
            let values: Vec<_> =
                values.iter().map(|(name, value)| (*name, value as &dyn std::fmt::Display)).collect();
            let cause = reason.with(&values);
            let (text, remedy) = (texts.cause(&cause), texts.remedy(&cause));
            check(language, reason.code(), &text);
            check(language, reason.code(), &remedy);
            let is_english =
                |text: &str, line: &str| text.chars().skip(1).eq(format!("{line}.").chars().skip(1));
            assert_eq!(
                is_english(&text, &cause.what()),
                language == Language::English,
                "{language:?} {text}"
            );
            assert_eq!(
                is_english(&remedy, reason.remedy()),
                language == Language::English,
                "{language:?} {remedy}"
            );
            // `direction` chooses among words.
            for name in
                reason.parameters().filter(|name| *name != "direction" || language == Language::English)
            {
                assert!(
                    text.contains(&format!("<{name}>")),
                    "{language:?} {} leaves out {name}",
                    reason.code()
                );
            }
        }
        for fault in [Fault::Nobody, Fault::Machine, Fault::Host, Fault::Network, Fault::Vendor] {
            check(language, "fault", &texts.fault(fault));
        }
    }
}

/// A user of a product key read about a server that nobody has.
#[test]
fn what_the_portal_says_speaks_of_it_in_every_language() {
    let english = Texts::new(Language::English);
    for &language in Language::ALL {
        let texts = Texts::new(language);
        for reason in Reason::ALL {
            let values: Vec<_> = reason.parameters().map(|name| (name, format!("<{name}>"))).collect();
            let values: Vec<_> =
                values.iter().map(|(name, value)| (*name, value as &dyn std::fmt::Display)).collect();
            let cause = reason.with(&values).of_portal();
            if !cause.is_of_portal() {
                continue;
            }
            let [text, remedy] = [texts.cause(&cause), texts.remedy(&cause)];
            for text in [&text, &remedy] {
                check(language, reason.code(), text);
                let host =
                    [" host", " server", " Server", "serveur"].iter().find(|word| text.contains(**word));
                assert_eq!(host, None, "{language:?} speaks of a host where the portal is meant: {text}");
            }
            assert_eq!(text == english.cause(&cause), language == Language::English, "{language:?} {text}");
            assert_eq!(
                remedy == english.remedy(&cause),
                language == Language::English,
                "{language:?} {remedy}"
            );
            let needed = |name: &&str| cause.what().contains(&format!("<{name}>"));
            for name in reason.parameters().filter(needed) {
                assert!(
                    text.contains(&format!("<{name}>")),
                    "{language:?} {reason} leaves out {name}: {text}"
                );
            }
        }
    }
}

/// The first machine of a site read "1 machines are counted".
#[test]
fn a_text_with_a_one_in_it_has_no_plural_behind_it() {
    const NUMBERS: &[&str] =
        &["count", "threshold", "used", "granted", "hosts", "activations", "releases", "limit"];
    // Words that follow a number and are the same for one and for several.
    const SAME: &[&str] = &[
        "of", "a", "in", "that", "van", "die", "per", "op", "keer", "von", "pro", "an", "mal", "sur", "par",
        "en", "fois", "il",
    ];
    // A length and a size that are never one.
    let is_counted = |reason: &&Reason| !matches!(reason, Reason::NotTried | Reason::TooLarge);
    for &language in Language::ALL {
        let texts = Texts::new(language);
        for reason in Reason::ALL.iter().filter(is_counted) {
            let behind = |number: u32| {
                let values: Vec<_> = reason.parameters().filter(|name| NUMBERS.contains(name)).collect();
                let values: Vec<_> =
                    values.iter().map(|name| (*name, &number as &dyn std::fmt::Display)).collect();
                let text = texts.cause(&reason.with(&values));
                let words = text.split(|letter: char| !letter.is_alphanumeric());
                let mut words = words.filter(|word| !word.is_empty());
                let mut behind = Vec::new();
                while words.any(|word| word == number.to_string()) {
                    behind.extend(words.next().map(str::to_owned));
                }
                (behind, text)
            };
            let ((one, text), (two, _)) = (behind(1), behind(2));
            let plural = one.iter().zip(&two).find(|(one, two)| one == two && !SAME.contains(&one.as_str()));
            assert_eq!(plural, None, "{language:?} {reason}: {text}");
        }
    }
}

#[test]
fn a_user_reads_in_their_own_language() {
    let mut shown = String::new();
    for &language in Language::ALL {
        let texts = Texts::new(language);
        let clock = Reason::ClockSkew.with(&[
            ("by", &"5 h"),
            ("direction", &"behind"),
            ("tolerance", &"4 h"),
            ("host_time", &NEW_YEAR),
        ]);
        for state in [&states()[4], &states()[7]] {
            let _ = writeln!(shown, "{}", texts.state(state));
        }
        let _ = writeln!(shown, "{}\n{}", texts.cause(&clock), texts.length(DAY));
    }
    expect![[r"
        The license ended on 22 November 2026. The software keeps working. Connect this computer to your organisation’s network to renew it.
        This computer’s clock is 5 hours slow. Set the clock; then the license can be renewed. The software is licensed until 1 January 2027.
        This machine's clock is 5 h behind, more than 4 h: the host says 2027-01-01 00:00:00Z.
        1 day
        De licentie is op 22 november 2026 afgelopen. De software blijft werken. Verbind deze computer met het netwerk van uw organisatie om de licentie te verlengen.
        De klok van deze computer loopt 5 uur achter. Zet de klok gelijk; daarna kan de licentie worden verlengd. De software is gelicentieerd tot 1 januari 2027.
        De klok van deze computer loopt 5 h achter op die van de server, meer dan 4 h: volgens de server is het 2027-01-01 00:00:00Z.
        1 dag
        Die Lizenz ist am 22. November 2026 abgelaufen. Die Software funktioniert weiterhin. Verbinden Sie diesen Computer mit dem Netzwerk Ihrer Organisation, um die Lizenz zu verlängern.
        Die Uhr dieses Computers geht 5 Stunden nach. Stellen Sie die Uhr; danach kann die Lizenz verlängert werden. Die Software ist bis zum 1. Januar 2027 lizenziert.
        Die Uhr dieses Computers geht gegenüber der des Servers 5 h nach, mehr als 4 h: Laut Server ist es 2027-01-01 00:00:00Z.
        1 Tag
        La licence a expiré le 22 novembre 2026. Le logiciel continue de fonctionner. Connectez cet ordinateur au réseau de votre organisation pour la renouveler.
        L’horloge de cet ordinateur retarde de 5 heures. Mettez-la à l’heure ; la licence pourra alors être renouvelée. Le logiciel est sous licence jusqu’au 1er janvier 2027.
        L’horloge de cet ordinateur retarde de 5 h sur celle du serveur, plus de 4 h : pour le serveur, il est 2027-01-01 00:00:00Z.
        1 jour
    "]].assert_eq(&shown);
}

#[test]
fn what_is_not_known_or_not_signed_says_so() {
    let texts = Texts::new(Language::German);
    let later = Cause::unsigned("SEATS_TAKEN".to_owned(), [], &"kms1:21688").unwrap();
    expect![[r"
        Die Aktivierung ist aus einem Grund fehlgeschlagen, den diese Version nicht kennt: SEATS_TAKEN (ohne Signatur, von kms1:21688)
        Aktualisieren Sie diese Software."]].assert_eq(&format!("{}\n{}", texts.cause(&later), texts.remedy(&later)));
    expect!["? hat nicht rechtzeitig geantwortet."].assert_eq(&texts.cause(&Reason::HostSilent.into()));
}

#[test]
fn dates_are_those_of_the_users_time_zone() {
    let date = |language, offset| Texts::new(language).with_utc_offset(offset).date(NEW_YEAR);
    assert_eq!(date(Language::French, 0), "1er janvier 2027");
    assert_eq!(date(Language::German, 3600), "1. Januar 2027");
    assert_eq!(date(Language::Dutch, -1), "31 december 2026");
    assert_eq!(date(Language::English, 86_400), "2 January 2027");
}

#[test]
fn a_locale_names_its_language_however_it_is_written() {
    for (tag, language) in [
        ("de", Some(Language::German)),
        ("de-AT", Some(Language::German)),
        ("nl_NL.UTF-8", Some(Language::Dutch)),
        ("FR@euro", Some(Language::French)),
        ("C", None),
        ("", None),
        ("den", None),
    ] {
        assert_eq!(Language::from_tag(tag), language, "{tag}");
    }
}

/// The texts of the wizard in English: each key, and the values in it.
fn of_wizard() -> Vec<(&'static str, Vec<&'static str>)> {
    let lines = include_str!("../texts/en.ftl").lines().filter_map(|line| line.split_once(" = "));
    let values = |text: &'static str| {
        let values = text.split("{ $").skip(1).filter_map(|rest| rest.split(' ').next());
        values.collect::<Vec<_>>()
    };
    lines.filter(|(key, _)| key.starts_with("wizard-")).map(|(key, text)| (key, values(text))).collect()
}

#[test]
fn every_text_of_the_wizard_is_in_every_language_with_every_value() {
    let texts = of_wizard();
    assert!(30 < texts.len(), "{}", texts.len());
    for &language in Language::ALL {
        for (key, names) in &texts {
            let values: Vec<_> = names.iter().map(|name| (*name, format!("<{name}>"))).collect();
            let values: Vec<_> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let text = Texts::new(language).wizard(&key.replacen('-', ".", 1), &values);
            let text = text.unwrap_or_else(|| panic!("{language:?} has no {key}"));
            for (name, value) in &values {
                assert!(text.contains(value), "{language:?} {key} leaves out {name}: {text}");
            }
            let english = Texts::new(Language::English).wizard(key, &values).unwrap();
            // Germans say `Region`, too.
            let is_english = text == english && *key != "wizard-region-of-number";
            assert!(!is_english || language == Language::English, "{language:?} {key}: {text}");
            if names.is_empty() {
                assert_eq!(Texts::new(language).wizard(key, &[("key", "x")]).unwrap(), text);
            } else {
                assert_eq!(Texts::new(language).wizard(key, &[]), None, "{key} without its values");
            }
        }
    }
    assert_eq!(Texts::new(Language::Dutch).wizard("wizard.cheers", &[]), None);
}
