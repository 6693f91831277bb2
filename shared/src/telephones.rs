//! The telephone numbers of a vendor that activates by codes (`codes`), by country, region and kind of product key.
//!
//! A root signs them and a product carries them, so nobody can send its users to another number. [`Telephones::new`] has the rules for the
//! vendor and for readers. `docs/protocol.md` 12.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use bytes::Bytes;
use prost::Message as _;
use proto::v1;

use crate::certificate::{Roots, is_understood};
use crate::envelope::{EnvelopeError, Kind};
use crate::ids::ProductId;
use crate::print::one_line;
use crate::product_key::KeyKind;

/// How long the signed bytes may be. 200 countries with their names in four languages and two numbers each have 55,000.
pub const TELEPHONES_MAX_BYTES: usize = 64 * 1024;

/// How long a name or a region may be, in bytes.
const NAME_MAX_BYTES: usize = 100;
/// How long the opening hours may be, in bytes.
const HOURS_MAX_BYTES: usize = 200;
/// The longest number as it is shown, with spaces and an extension. E.164 allows 15 digits.
const NUMBER_MAX_BYTES: usize = 40;
/// The longest language tag that BCP 47 promises to keep.
const TAG_MAX_BYTES: usize = 35;

/// A vendor's numbers, verified or about to be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telephones {
    products: Vec<ProductId>,
    countries: Vec<TelephoneCountry>,
}

/// A country, and the numbers to call from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TelephoneCountry {
    /// Its code.
    pub code: CountryCode,
    /// Its names: a language tag, and the name in that language.
    pub names: Vec<(String, String)>,
    /// The numbers, in the order in which they are shown.
    pub numbers: Vec<TelephoneNumber>,
}

/// A number to call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TelephoneNumber {
    /// The part of the country that it is for; empty for all of it.
    pub region: String,
    /// The kinds of product keys that it is for; none means all kinds.
    pub kinds: Vec<KeyKind>,
    /// The number as it is shown: `+31 20 555 0100`.
    pub number: String,
    /// The number for text telephones (TTY); empty if there is none.
    pub text_telephone: String,
    /// When somebody answers, for people; may be empty.
    pub hours: String,
    /// The languages that are spoken there, as tags of BCP 47.
    pub languages: Vec<String>,
}

/// The code of a country in ISO 3166-1 alpha-2: two capitals. Only the vendor's tool checks that there is such a country.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CountryCode([u8; 2]);

impl CountryCode {
    /// Its two capitals.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).expect("they are two capitals")
    }

    /// The country of a locale or a language tag, if it names one: `nl_NL.UTF-8`, `zh-Hant-TW`.
    pub fn of_locale(locale: &str) -> Option<CountryCode> {
        let tag = locale.split(['.', '@']).next()?;
        tag.split(['_', '-']).skip(1).find_map(|part| part.to_ascii_uppercase().parse().ok())
    }
}

impl FromStr for CountryCode {
    type Err = TelephonesError;

    fn from_str(text: &str) -> Result<CountryCode, TelephonesError> {
        let code =
            text.as_bytes().try_into().ok().filter(|code: &[u8; 2]| code.iter().all(u8::is_ascii_uppercase));
        code.map(CountryCode).ok_or_else(|| TelephonesError::Country(one_line(text)))
    }
}

impl fmt::Display for CountryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for CountryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CountryCode({self})")
    }
}

impl Telephones {
    /// The numbers of these countries, for these products; none means all products.
    ///
    /// # Errors
    /// The first mistake.
    pub fn new(
        products: Vec<ProductId>,
        countries: Vec<TelephoneCountry>,
    ) -> Result<Telephones, TelephonesError> {
        if !countries.is_sorted_by(|one, next| one.code < next.code) {
            return Err(TelephonesError::Order);
        }
        countries.iter().try_for_each(TelephoneCountry::check)?;
        let telephones = Telephones { products, countries };
        if TELEPHONES_MAX_BYTES < telephones.encode().encoded_len() {
            return Err(TelephonesError::TooLong);
        }
        Ok(telephones)
    }

    /// Verifies those that a product carries: an encoded `Signed`.
    ///
    /// # Errors
    /// No root has signed them, they are for other products, or this release does not understand them.
    pub fn verify(signed: &[u8], roots: &Roots, product: ProductId) -> Result<Telephones, TelephonesError> {
        let signed = v1::Signed::decode(Bytes::copy_from_slice(signed));
        let signed = signed.map_err(|_| TelephonesError::Envelope(EnvelopeError::Malformed))?;
        let telephones = Telephones::decode(roots.open(&signed, Kind::Telephones)?.decode()?)?;
        if !telephones.products.is_empty() && !telephones.products.contains(&product) {
            return Err(TelephonesError::OtherProduct);
        }
        Ok(telephones)
    }

    /// The countries, in ascending order of their codes.
    pub fn countries(&self) -> &[TelephoneCountry] {
        &self.countries
    }

    /// The countries that have a number for keys of this kind.
    pub fn countries_for(&self, kind: KeyKind) -> impl Iterator<Item = &TelephoneCountry> {
        self.countries.iter().filter(move |country| country.for_kind(kind).next().is_some())
    }

    fn decode(wire: v1::Telephones) -> Result<Telephones, TelephonesError> {
        if !is_understood(wire.must_understand) {
            return Err(TelephonesError::NotUnderstood);
        }
        let products = wire.products.iter().map(|id| ProductId::from_slice(id)).collect::<Option<_>>();
        let countries = wire.countries.into_iter().map(TelephoneCountry::decode);
        let mut countries: Vec<_> = countries.collect::<Result<_, _>>()?;
        // All its numbers are for kinds of keys that this release does not know.
        countries.retain(|country| !country.numbers.is_empty());
        Telephones::new(products.ok_or(TelephonesError::Product)?, countries)
    }

    /// For the vendor, whose root signs it.
    pub fn encode(&self) -> v1::Telephones {
        v1::Telephones {
            products: self.products.iter().map(|id| Bytes::copy_from_slice(id.as_bytes())).collect(),
            countries: self.countries.iter().map(TelephoneCountry::encode).collect(),
            must_understand: 0,
        }
    }
}

impl TelephoneCountry {
    /// Its name in the language of this tag or a near one, else in English, else its code.
    pub fn name(&self, language: &str) -> &str {
        let named = |wanted: &dyn Fn(&str) -> bool| {
            self.names.iter().find(|(tag, _)| wanted(tag)).map(|(_, name)| name.as_str())
        };
        named(&|tag| tag.eq_ignore_ascii_case(language))
            .or_else(|| named(&|tag| primary(tag).eq_ignore_ascii_case(primary(language))))
            .or_else(|| named(&|tag| primary(tag).eq_ignore_ascii_case("en")))
            .unwrap_or_else(|| self.code.as_str())
    }

    /// The numbers for keys of this kind.
    pub fn for_kind(&self, kind: KeyKind) -> impl Iterator<Item = &TelephoneNumber> {
        self.numbers.iter().filter(move |number| number.kinds.is_empty() || number.kinds.contains(&kind))
    }

    /// The regions that have a number of their own for keys of this kind, each once.
    pub fn regions(&self, kind: KeyKind) -> Vec<&str> {
        let mut regions: Vec<&str> = Vec::new();
        for number in self.for_kind(kind).filter(|number| !number.region.is_empty()) {
            if !regions.contains(&number.region.as_str()) {
                regions.push(&number.region);
            }
        }
        regions
    }

    /// The numbers to call from this region with a key of this kind, and after them those for the whole country. Without a region, all.
    pub fn numbers_for(&self, kind: KeyKind, region: Option<&str>) -> Vec<&TelephoneNumber> {
        let mut numbers: Vec<_> = self.for_kind(kind).collect();
        if let Some(region) = region {
            numbers.retain(|number| number.region.is_empty() || number.region == region);
            numbers.sort_by_key(|number| number.region.is_empty());
        }
        numbers
    }

    fn check(&self) -> Result<(), TelephonesError> {
        let code = self.code;
        if self.numbers.is_empty() {
            return Err(TelephonesError::NoNumber(code));
        }
        for (tag, name) in &self.names {
            check(is_tag(tag), code, "the language of a name", tag)?;
            check(!name.is_empty() && is_text(name, NAME_MAX_BYTES), code, "a name", name)?;
        }
        for number in &self.numbers {
            check(is_number(&number.number), code, "a number", &number.number)?;
            let text_telephone = &number.text_telephone;
            check(
                text_telephone.is_empty() || is_number(text_telephone),
                code,
                "the number of a text telephone",
                text_telephone,
            )?;
            check(is_text(&number.region, NAME_MAX_BYTES), code, "a region", &number.region)?;
            check(is_text(&number.hours, HOURS_MAX_BYTES), code, "the opening hours", &number.hours)?;
            for tag in &number.languages {
                check(is_tag(tag), code, "a language", tag)?;
            }
        }
        Ok(())
    }

    fn decode(wire: v1::TelephoneCountry) -> Result<TelephoneCountry, TelephonesError> {
        let code = wire.code.parse()?;
        if wire.numbers.is_empty() {
            return Err(TelephonesError::NoNumber(code));
        }
        Ok(TelephoneCountry {
            code,
            names: wire.names.into_iter().map(|name| (name.language, name.name)).collect(),
            numbers: wire.numbers.into_iter().filter_map(TelephoneNumber::decode).collect(),
        })
    }

    fn encode(&self) -> v1::TelephoneCountry {
        let name = |(language, name): &(String, String)| v1::CountryName {
            language: language.clone(),
            name: name.clone(),
        };
        v1::TelephoneCountry {
            code: self.code.to_string(),
            names: self.names.iter().map(name).collect(),
            numbers: self.numbers.iter().map(TelephoneNumber::encode).collect(),
        }
    }
}

impl TelephoneNumber {
    /// `None` for a number that is only for kinds of keys that this release does not know.
    fn decode(wire: v1::TelephoneNumber) -> Option<TelephoneNumber> {
        let known = |kind: &u32| KeyKind::ALL.iter().copied().find(|known| *known as u32 == *kind);
        let kinds: Vec<_> = wire.kinds.iter().filter_map(known).collect();
        (wire.kinds.is_empty() || !kinds.is_empty()).then_some(TelephoneNumber {
            region: wire.region,
            kinds,
            number: wire.number,
            text_telephone: wire.text_telephone,
            hours: wire.hours,
            languages: wire.languages,
        })
    }

    fn encode(&self) -> v1::TelephoneNumber {
        v1::TelephoneNumber {
            region: self.region.clone(),
            kinds: self.kinds.iter().map(|kind| *kind as u32).collect(),
            number: self.number.clone(),
            text_telephone: self.text_telephone.clone(),
            hours: self.hours.clone(),
            languages: self.languages.clone(),
        }
    }
}

fn check(fits: bool, country: CountryCode, what: &'static str, text: &str) -> Result<(), TelephonesError> {
    if fits { Ok(()) } else { Err(TelephonesError::Field { country, what, text: one_line(text) }) }
}

/// On one line, without characters that deceive, and no longer than this.
fn is_text(text: &str, most: usize) -> bool {
    text.len() <= most && text.trim() == text && one_line(text) == text
}

/// As numbers are printed: digits, and what stands between them. A `+` begins it or is not there.
fn is_number(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let fits = |c: char| c.is_ascii_digit() || " ()-./".contains(c);
    let local = text.strip_prefix('+').unwrap_or(text);
    (3..=20).contains(&digits) && is_text(text, NUMBER_MAX_BYTES) && local.chars().all(fits)
}

/// Whether this has the form of a tag of BCP 47. No rule depends on whether there is such a language.
fn is_tag(text: &str) -> bool {
    let is_part =
        |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let language = primary(text);
    let is_language =
        (2..=8).contains(&language.len()) && language.bytes().all(|byte| byte.is_ascii_alphabetic());
    text.len() <= TAG_MAX_BYTES && is_language && text.split('-').all(is_part)
}

/// `de` for `de-AT`.
fn primary(tag: &str) -> &str {
    tag.split('-').next().unwrap_or(tag)
}

/// Why telephone numbers are not believed, or cannot be signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TelephonesError {
    /// No root has signed them, or they are no telephone numbers.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// They have a `must_understand` bit that this release does not know.
    #[error("the telephone numbers need a newer release on this side")]
    NotUnderstood,
    /// They are for other products.
    #[error("the telephone numbers are for other products")]
    OtherProduct,
    /// A product's id is not 16 bytes.
    #[error("a product of the telephone numbers has an id that is none")]
    Product,
    /// They are longer than [`TELEPHONES_MAX_BYTES`].
    #[error("the telephone numbers have more than {TELEPHONES_MAX_BYTES} bytes")]
    TooLong,
    /// The countries are not in order, or one is there twice.
    #[error("the countries are not in the order of their codes, or one of them is there twice")]
    Order,
    /// The code of a country is not two capitals.
    #[error("`{0}` is no code of a country: write two capitals, such as NL")]
    Country(String),
    /// A country without a number.
    #[error("{0} has no number")]
    NoNumber(CountryCode),
    /// A text that cannot be shown, or is longer than it may be.
    #[error("{country}: {what} cannot be `{text}`")]
    Field {
        /// The country that it is in.
        country: CountryCode,
        /// What it is.
        what: &'static str,
        /// The text.
        text: String,
    },
}
