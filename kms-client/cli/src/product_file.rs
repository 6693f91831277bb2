//! The file that `kms-vendor product file` writes: the constants of a product, for tools that serve every product.
//!
//! It is read only here. `kms_client::Product` defines what a product is, and the library checks its numbers.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use data_encoding::HEXLOWER_PERMISSIVE;
use kms_client::{Product, Setup};
use program::toml_text;
use serde::Deserialize;
use shared::armour;
use shared::srv::{SERVICE_LABEL_FORM, is_service_label};
use thiserror::Error;

/// Telephone numbers of all countries take most of it, in two digits a byte. A larger file is another one.
const FILE_MAX_BYTES: u64 = 256 * 1024;

pub(crate) const REMEDY: &str = "take the file that `kms-vendor product file` writes";

/// Reads a product file. Its texts stay in memory for the life of the process, like the constants of a real product.
///
/// # Errors
/// The file cannot be read, or `kms-vendor` has not written it. One line says which, and what to do.
pub fn read(path: &Path) -> Result<Product, ProductFileError> {
    let read = |from: &mut dyn io::Read| {
        let mut text = Vec::new();
        from.take(FILE_MAX_BYTES).read_to_end(&mut text).map(|_| text)
    };
    let text = match path.as_os_str().as_encoded_bytes() {
        b"-" => read(&mut io::stdin().lock()),
        _ => File::open(path).and_then(|mut file| read(&mut file)),
    };
    let text = text.map_err(|error| ProductFileError::Unreadable { path: path.to_owned(), error })?;
    let unusable = |cause| ProductFileError::Unusable { path: path.to_owned(), cause };
    let text = armour::plain(&text).map_err(|error| unusable(error.to_string()))?;
    parse(&armour::settings(&text)).map_err(unusable)
}

/// Why no product was read. It is the fault of whoever named the file.
#[derive(Debug, Error)]
pub enum ProductFileError {
    /// There is no such file, or this user may not read it.
    #[error("could not read the product file {}: {error}; {REMEDY}", path.display())]
    Unreadable {
        /// The file that was named.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It is another kind of file, or has a setting that no product has.
    #[error("the product file {} cannot be used: {cause}; {REMEDY}", path.display())]
    Unusable {
        /// The file that was named.
        path: PathBuf,
        /// What is wrong with it, with the line.
        cause: String,
    },
}

/// The product, or one line that says what is wrong with the file, and where.
fn parse(text: &str) -> Result<Product, String> {
    let file: ProductFile = toml_text::read(text)?;
    // The library borrows the texts for the life of the process, because a real product has them compiled in.
    let mut product = Product::new(file.id.0, file.name.leak(), file.roots.map(|root| root.0))
        .with_edition(file.edition.leak());
    product.organisation = file.organisation.map(|id| id.0);
    if let Some(label) = file.service_label {
        product = product.with_service_label(label.0.leak());
    }
    let code_keys: Vec<&'static [u8]> = file.code_keys.into_iter().map(|key| &*key.0.leak()).collect();
    product = product.with_code_keys(code_keys.leak());
    product.telephones = file.telephones.map(|signed| &*signed.0.leak());
    product.portal = file.portal.map(|address| &*address.leak());
    product.portal_ca = file.portal_ca.map(|lines| &*(lines.join("\n") + "\n").leak());
    product.setup = Setup {
        grace: file.grace.map_or(product.setup.grace, |grace| grace.0),
        retry_interval: file.retry_interval.map_or(product.setup.retry_interval, |interval| interval.0),
    };
    Ok(product)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProductFile {
    id: Hex<16>,
    name: String,
    roots: [Hex<32>; 2],
    grace: Option<LengthText>,
    retry_interval: Option<LengthText>,
    #[serde(default)]
    edition: String,
    organisation: Option<Hex<16>>,
    service_label: Option<Label>,
    #[serde(default)]
    code_keys: Vec<HexBytes>,
    telephones: Option<HexBytes>,
    portal: Option<String>,
    /// The lines of its PEM.
    portal_ca: Option<Vec<String>>,
}

/// Any number of bytes in hexadecimal digits.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct HexBytes(Vec<u8>);

impl TryFrom<String> for HexBytes {
    type Error = &'static str;

    fn try_from(text: String) -> Result<HexBytes, &'static str> {
        let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes());
        bytes.map(HexBytes).map_err(|_| "hexadecimal digits are needed here")
    }
}

/// N bytes in hexadecimal digits.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Hex<const N: usize>([u8; N]);

impl<const N: usize> TryFrom<String> for Hex<N> {
    type Error = String;

    fn try_from(text: String) -> Result<Hex<N>, String> {
        let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok();
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes.map(Hex).ok_or_else(|| format!("{} hexadecimal digits are needed here", 2 * N))
    }
}

/// A service label, by the rule of `kms-vendor`.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Label(String);

impl TryFrom<String> for Label {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Label, &'static str> {
        if is_service_label(&text) { Ok(Label(text)) } else { Err(SERVICE_LABEL_FORM) }
    }
}

/// A length of time as people write it: `25d`, `2h`.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct LengthText(Duration);

impl TryFrom<String> for LengthText {
    type Error = String;

    fn try_from(text: String) -> Result<LengthText, String> {
        let length = humantime::parse_duration(&text);
        length.map(LengthText).map_err(|error| format!("{error}; write a length of time such as 25d or 2h"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    /// What `kms-vendor` wrote in its first release.
    const FIRST: &str = include_str!("../../../kms-vendor/tests/vectors/product.toml");
    /// What it writes now: all that may be added stands in comments.
    const WRITTEN: &str = include_str!("../../../kms-vendor/tests/vectors/product-2.toml");
    /// The same with an organisation and a label.
    const PINNED: &str = include_str!("../../../kms-vendor/tests/vectors/product-pinned.toml");

    /// The same with two code keys.
    const WITH_CODES: &str = include_str!("../../../kms-vendor/tests/vectors/product-codes.toml");

    /// What `kms-vendor product rust` prints of the same.
    mod pasted {
        include!("../../../kms-vendor/tests/vectors/product.rs.txt");
        pub(super) const PRODUCT: kms_client::Product = EXAMPLE_CAD;
    }
    mod pasted_pinned {
        include!("../../../kms-vendor/tests/vectors/product-pinned.rs.txt");
        pub(super) const PRODUCT: kms_client::Product = EXAMPLE_CAD;
    }

    mod pasted_with_codes {
        include!("../../../kms-vendor/tests/vectors/product-codes.rs.txt");
        pub(super) const PRODUCT: kms_client::Product = EXAMPLE_CAD;
    }

    #[test]
    fn a_product_that_was_pasted_is_the_one_in_the_file() {
        assert_eq!(parse(WRITTEN).unwrap(), pasted::PRODUCT);
        assert_eq!(parse(PINNED).unwrap(), pasted_pinned::PRODUCT);
    }

    #[test]
    fn a_product_carries_the_code_keys_that_the_file_has() {
        assert!(parse(WRITTEN).unwrap().code_keys.is_empty());
        let with_codes = parse(WITH_CODES).unwrap();
        assert_eq!(with_codes, pasted_with_codes::PRODUCT);
        assert_eq!(with_codes.code_keys.len(), 2);
        check(
            &format!("{WRITTEN}code_keys = [\n    \"0a\",\n    \"0\",\n]\n"),
            expect!["line 22: hexadecimal digits are needed here"],
        );
    }

    mod pasted_portal {
        include!("../../../kms-vendor/tests/vectors/product-portal.rs.txt");
        pub(super) const PRODUCT: kms_client::Product = EXAMPLE_CAD;
    }

    #[test]
    fn a_product_carries_the_portal_that_the_file_names() {
        let text = include_str!("../../../kms-vendor/tests/vectors/product-portal.toml");
        let product = parse(text).unwrap();
        assert_eq!(product, pasted_portal::PRODUCT);
        assert_eq!(product.portal, Some("https://activation.example.com:443"));
        assert!(product.portal_ca.unwrap().starts_with("-----BEGIN CERTIFICATE-----\n"));
        // As every tool reads it, with what mail puts around a file.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("product.toml");
        std::fs::write(&path, format!("Here is the file.\n\n{text}\n-- \nThe vendor\n")).unwrap();
        assert_eq!(read(&path).unwrap(), product);
    }

    mod pasted_telephones {
        include!("../../../kms-vendor/tests/vectors/product-telephones.rs.txt");
        pub(super) const PRODUCT: kms_client::Product = EXAMPLE_CAD;
    }

    #[test]
    fn a_product_carries_the_numbers_to_call_that_the_file_has() {
        let product =
            parse(include_str!("../../../kms-vendor/tests/vectors/product-telephones.toml")).unwrap();
        assert_eq!(product, pasted_telephones::PRODUCT);
        assert!(product.telephones.is_some());
    }

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&match parse(text) {
            Ok(Product { name, setup, edition, .. }) => format!("{name:?} {setup:?} {edition:?}"),
            Err(error) => error,
        });
    }

    #[test]
    fn a_product_carries_its_own_organisation_and_label_if_the_file_names_them() {
        for text in [FIRST, WRITTEN] {
            let product = parse(text).unwrap();
            assert_eq!((product.organisation, product.service_label), (None, "_kms-activation._tcp"));
        }
        let pinned = parse(PINNED).unwrap();
        assert_eq!(pinned.organisation, Some(*b"QRSTUVWXYZ[\\]^_`"));
        assert_eq!(pinned.service_label, "_example-cad._tcp");
        let label = WRITTEN.replace("# service_label", "service_label");
        assert_eq!(parse(&label).unwrap().service_label, "_kms-activation._tcp");
        check(
            &WRITTEN.replace("# organisation", "organisation"),
            expect!["line 18: 32 hexadecimal digits are needed here"],
        );
    }

    #[test]
    fn what_the_vendor_writes_is_read_and_its_comments_are_the_defaults() {
        check(WRITTEN, expect![[r#""Example CAD" Setup { grace: 2160000s, retry_interval: 7200s } """#]]);
        assert_eq!(parse(WRITTEN).unwrap().setup, Setup::DEFAULT);
        let uncommented =
            WRITTEN.replace("# grace", "grace").replace("# retry", "retry").replace("# ed", "ed");
        assert_eq!(parse(&uncommented).unwrap().setup, Setup::DEFAULT);
        check(
            &uncommented.replace("25d", "14d").replace("2h", "250ms").replace("\"\"", "\"pro\""),
            expect![[r#""Example CAD" Setup { grace: 1209600s, retry_interval: 250ms } "pro""#]],
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        check(
            &format!("{WRITTEN}gracee = \"1d\"\n"),
            expect![
                "line 22: unknown field `gracee`, expected one of `id`, `name`, `roots`, `grace`, `retry_interval`, `edition`, `organisation`, `service_label`, `code_keys`, `telephones`, `portal`, `portal_ca`"
            ],
        );
        check(
            &format!("{WRITTEN}service_label = \"_Kms._tcp\"\n"),
            expect![
                "line 22: write it as _example-cad._tcp, with at most 15 characters (a-z, 0-9, -) between _ and ._tcp"
            ],
        );
        check(&WRITTEN.replace("\"41", "\"4"), expect!["line 3: 32 hexadecimal digits are needed here"]);
        check(&WRITTEN.replace("\"79", "\"zz"), expect!["line 5: 64 hexadecimal digits are needed here"]);
        check(
            &WRITTEN.replace("# grace = \"25d\"", "grace = \"soon\""),
            expect!["line 11: expected number at 0; write a length of time such as 25d or 2h"],
        );
        check("id = ", expect!["line 1: string values must be quoted, expected literal string"]);
        check("", expect!["line 1: missing field `id`"]);
    }
}
