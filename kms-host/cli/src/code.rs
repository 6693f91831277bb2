//! `activate --terms`: a host without any way to the portal, by codes that are read aloud or typed.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::anyhow;
use kms_host::certificates::Allowed;
use kms_host::clock::SystemClock;
use kms_host::codes::{NotConfirmed, telephones_from_pem, terms_from_pem};
use kms_host::home::Home;
use program::code::{qr, rows, typed_confirmation};
use program::exit::{EX_DATAERR, EX_IOERR, EX_NOINPUT, EX_USAGE};
use program::output::json_text;
use program::table;
use shared::codes::{CodeForm, HostTerms, InstallationId};
use shared::product_key::{KeyKind, ProductKey};
use shared::telephones::{CountryCode, TelephoneCountry, TelephoneNumber, Telephones};
use shared::time::Clock as _;

use super::owner::become_owner;
use super::{Failure, OrExit, offline, say};

/// A code has some 300 characters with everything between its groups.
const CODE_MAX_BYTES: u64 = 4096;

/// What to do by codes.
pub(super) struct ByCode<'a> {
    /// The file of the terms.
    pub(super) terms: &'a Path,
    /// What the vendor has read back, once it has.
    pub(super) confirm: Option<&'a str>,
    /// The key, if it was given too.
    pub(super) key: Option<ProductKey>,
    /// What is installed although it differs.
    pub(super) allowed: Allowed,
    /// Whether to print JSON.
    pub(super) json: bool,
}

pub(super) fn activate(home: &Home, wanted: &ByCode<'_>) -> Result<String, Failure> {
    let text = offline::read_input(wanted.terms).or_exit(EX_NOINPUT)?;
    let terms = terms_from_pem(&text).or_exit(EX_DATAERR)?;
    // A call is possible without them.
    let telephones = telephones_from_pem(&text, &terms).unwrap_or_else(|error| {
        say(format_args!("warning: {error}"));
        None
    });
    become_owner(home)?;
    let id = home.installation_id(&terms)?;
    if let Some(key) = wanted.key.as_ref().filter(|key| key.number() != id.key) {
        let other = anyhow!(
            "the terms are those of key {}, and this is key {}; take the file that came with it",
            id.key,
            key.number()
        );
        return Err(Failure { code: EX_USAGE, error: other, shown: String::new() });
    }
    match wanted.confirm {
        None => Ok(to_read_out(home, wanted, &id, telephones.as_ref())),
        Some(typed) => confirmed(home, wanted, &terms, typed),
    }
}

fn to_read_out(
    home: &Home,
    wanted: &ByCode<'_>,
    id: &InstallationId,
    telephones: Option<&Telephones>,
) -> String {
    let [digits, letters] = [CodeForm::Digits, CodeForm::Letters].map(|form| id.text(form));
    if wanted.json {
        return json_text(&serde_json::json!({
            "key_number": id.key.to_string(),
            "digits": digits,
            "letters": letters,
            "telephones": telephones.into_iter().flat_map(to_call).map(number_json).collect::<Vec<_>>(),
        }));
    }
    let mut text = format!(
        "Installation id of this host, for key {}. Read it to the vendor:\n{}\n{}\nOr type it, or send it:\n\n{}",
        id.key,
        telephones.map(shown_numbers).unwrap_or_default(),
        rows(&digits),
        rows(&letters),
    );
    let columns = table::columns().map_or(0, usize::from);
    if let Some((qr, _)) = qr(&letters).filter(|(_, wide)| *wide <= columns) {
        text += "\nOr show it to a camera:\n\n";
        text += &qr;
    }
    let (terms, data) = (wanted.terms.display(), home.path().display());
    let _ = write!(
        text,
        "\nThen enter the confirmation id, in digits or letters:\n  \
         kms-host activate --terms {terms} --confirm - --data {data}\n"
    );
    text
}

/// The numbers for host keys, those of the country of this machine first.
fn to_call(telephones: &Telephones) -> Vec<(&TelephoneCountry, &TelephoneNumber)> {
    let locale = ["LC_ALL", "LC_TELEPHONE", "LANG"].into_iter();
    let locale = locale.filter_map(|name| std::env::var(name).ok()).find(|value| !value.is_empty());
    let own = locale.and_then(|locale| CountryCode::of_locale(&locale));
    let mut countries: Vec<_> = telephones.countries_for(KeyKind::Host).collect();
    countries.sort_by_key(|country| Some(country.code) != own);
    let mut numbers = Vec::new();
    for country in countries {
        numbers.extend(country.for_kind(KeyKind::Host).map(|number| (country, number)));
    }
    numbers
}

fn number_json((country, number): (&TelephoneCountry, &TelephoneNumber)) -> serde_json::Value {
    serde_json::json!({
        "country": country.code.as_str(),
        "region": number.region,
        "number": number.number,
        "text_telephone": number.text_telephone,
        "hours": number.hours,
        "languages": number.languages,
    })
}

fn shown_numbers(telephones: &Telephones) -> String {
    let mut text = String::new();
    for (country, number) in to_call(telephones) {
        let place = [country.name("en"), &number.region].into_iter().filter(|part| !part.is_empty());
        let text_telephone = match number.text_telephone.as_str() {
            "" => String::new(),
            other => format!("text telephone {other}"),
        };
        let more = [text_telephone, number.hours.clone(), number.languages.join(", ")];
        let more: Vec<_> = more.into_iter().filter(|part| !part.is_empty()).collect();
        let place = place.collect::<Vec<_>>().join(", ");
        let _ = writeln!(text, "  {place}: {}  {}", number.number, more.join("; "));
    }
    text
}

fn confirmed(home: &Home, wanted: &ByCode<'_>, terms: &HostTerms, typed: &str) -> Result<String, Failure> {
    let read =
        if typed == "-" { typed_confirmation(CODE_MAX_BYTES).or_exit(EX_IOERR)? } else { typed.to_owned() };
    let typed = read.as_str();
    let now = SystemClock::new().now();
    let put = home.confirm(terms, typed, wanted.allowed, now).map_err(|error| match error {
        NotConfirmed::Home(error) => offline::not_installed(error),
        other => Failure { code: EX_DATAERR, error: other.into(), shown: String::new() },
    })?;
    let (mut told, shown) = offline::told(home, &put, now)?;
    let next = offline::taken_up(home, format!("confirmed for key {}", terms.key()), &told)?;
    if wanted.json {
        return Ok(json_text(&shown));
    }
    told.push(next);
    Ok(told.join("\n"))
}
