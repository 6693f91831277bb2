//! The telephone numbers of a vendor that activates by codes: a TOML file that people write, signed by a root, and carried by products.
//!
//! `shared::telephones` has the rules. Only this tool has the list of countries.

use std::collections::BTreeMap;
use std::path::Path;

use program::toml_text;
use serde::Deserialize;
use shared::armour;
use shared::envelope::Kind;
use shared::files;
use shared::product_key::KeyKind;
use shared::telephones::{CountryCode, TelephoneCountry, TelephoneNumber, Telephones, TelephonesError};
use store::regular;

use crate::error::VendorError;
use crate::product::Product;
use crate::signer::Signer;
use crate::vendor::Vendor;

/// ISO 3166-1 of 2026, and XK, by which Kosovo is known.
const COUNTRIES: &str = "\
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ \
    CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR \
    GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP \
    KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT \
    MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW \
    SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ \
    UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW";

/// Telephone numbers that a root key has signed.
#[derive(Clone, Debug)]
pub struct SignedTelephones {
    /// Their file: PEM `KMS TELEPHONES`.
    pub pem: String,
    /// The numbers in it.
    pub telephones: Telephones,
}

impl Vendor {
    /// Signs the numbers in this TOML file, for the products with these names; for all products if there are none.
    ///
    /// # Errors
    /// [`VendorError::TelephonesFile`] says what is wrong with the file; an unknown product, or a root key that is missing.
    pub fn sign_telephones(
        &self,
        path: &Path,
        products: &[&str],
        root: Signer,
    ) -> Result<SignedTelephones, VendorError> {
        let text = regular::read(path).map_err(|source| VendorError::read(path, source))?;
        let unusable = |cause: String| VendorError::TelephonesFile { path: path.to_owned(), cause };
        let text = armour::plain(&text).map_err(|error| unusable(error.to_string()))?;
        let countries = countries(&text).map_err(unusable)?;
        let products = products.iter().map(|name| self.product(name).map(|product| product.id));
        let telephones = Telephones::new(products.collect::<Result<_, _>>()?, countries)
            .map_err(|error| unusable(error.to_string()))?;
        let signed = self.root_of(root)?.sign(Kind::Telephones, &telephones.encode())?;
        Ok(SignedTelephones { pem: files::telephones_to_pem(&signed), telephones })
    }

    /// The encoded numbers in this file, if they are for this product.
    pub(crate) fn telephones(&self, product: &Product, path: &Path) -> Result<Vec<u8>, VendorError> {
        let unusable = |cause: String| VendorError::Telephones { path: path.to_owned(), cause };
        let pem = regular::read(path).map_err(|source| VendorError::read(path, source))?;
        let body = files::from_pem(files::TELEPHONES, &pem).map_err(|error| unusable(error.to_string()))?;
        Telephones::verify(&body, self.verifying(), product.id)
            .map_err(|error| unusable(error.to_string()))?;
        Ok(body.to_vec())
    }
}

/// The countries in this text, in the order of their codes.
fn countries(text: &str) -> Result<Vec<TelephoneCountry>, String> {
    let file: TelephonesFile = toml_text::read(text)?;
    let countries = file.countries.into_iter().map(|(code, country)| {
        let code = known(&code)?;
        let names = country.names.into_iter().collect();
        let numbers = country.numbers.into_iter().map(|entry| entry.number(code));
        Ok(TelephoneCountry { code, names, numbers: numbers.collect::<Result<_, String>>()? })
    });
    countries.collect()
}

/// Parses the code of a country, which must be in the list.
fn known(text: &str) -> Result<CountryCode, String> {
    let code: CountryCode = text.parse().map_err(|error: TelephonesError| error.to_string())?;
    if !COUNTRIES.split(' ').any(|known| known == text) {
        let hint = if text == "UK" { "; the United Kingdom is GB" } else { "" };
        return Err(format!("there is no country {code} in ISO 3166-1{hint}"));
    }
    Ok(code)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TelephonesFile {
    /// By their codes.
    #[serde(rename = "country")]
    countries: BTreeMap<String, CountryEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CountryEntry {
    /// By their languages.
    #[serde(default)]
    names: BTreeMap<String, String>,
    #[serde(rename = "number")]
    numbers: Vec<NumberEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NumberEntry {
    number: String,
    #[serde(default)]
    text_telephone: String,
    #[serde(default)]
    region: String,
    #[serde(default)]
    hours: String,
    #[serde(default)]
    languages: Vec<String>,
    #[serde(default)]
    kinds: Vec<String>,
}

impl NumberEntry {
    fn number(self, country: CountryCode) -> Result<TelephoneNumber, String> {
        let kind = |name: &String| {
            let kinds = KeyKind::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ");
            KeyKind::from_name(name)
                .ok_or_else(|| format!("{country}: there is no kind {name:?}; there is {kinds}"))
        };
        Ok(TelephoneNumber {
            kinds: self.kinds.iter().map(kind).collect::<Result<_, _>>()?,
            region: self.region,
            number: self.number,
            text_telephone: self.text_telephone,
            hours: self.hours,
            languages: self.languages,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_countries_are_249_and_kosovo_in_order() {
        let codes: Vec<_> = COUNTRIES.split(' ').collect();
        assert_eq!(codes.len(), 250);
        assert!(codes.is_sorted_by(|one, next| one < next));
        assert!(codes.iter().all(|code| code.parse::<CountryCode>().is_ok()));
        assert_eq!(
            known("UK").unwrap_err(),
            "there is no country UK in ISO 3166-1; the United Kingdom is GB"
        );
    }
}
