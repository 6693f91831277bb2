//! The vendor's products: their ids and numbers, in `products.toml`.
//!
//! `shared::policy` decides which numbers are valid. Only the vendor checks the lower bounds, and marks a product that is below
//! them as test.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use rand::CryptoRng;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use shared::ids::ProductId;
use shared::policy::Policy;
use shared::print::OneLine;

use crate::contract::Contract;
use crate::error::VendorError;
use crate::registry::{self, Version1};
use crate::text::{length_text, parse_length};
use crate::vendor::Vendor;

const PRODUCTS_FILE: &str = "products.toml";

/// A product that machines are activated for. Editions that are counted together are one product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// Its name, for people and for the vendor's commands. Unique in a vendor's directory.
    pub name: String,
    /// Its id in every message. It is compiled into the product.
    pub id: ProductId,
    /// Its numbers, which travel in every certificate.
    pub policy: Policy,
    /// Whether its numbers may be below their lower bounds. Every certificate for it is then marked as test.
    pub test: bool,
    /// What every customer gets.
    pub contract: Contract,
}

/// Arguments of [`Vendor::add_product`].
#[derive(Clone, Debug)]
pub struct NewProduct {
    /// Its name: 1 to 100 bytes, unique.
    pub name: String,
    /// Its id, or a random one.
    pub id: Option<ProductId>,
    /// Its numbers.
    pub policy: Policy,
    /// Allows numbers below their lower bounds, and marks every certificate for it as test.
    pub test: bool,
    /// What every customer gets.
    pub contract: Contract,
}

impl Vendor {
    /// Adds a product.
    ///
    /// # Errors
    /// Numbers that are out of bounds or contradict each other ([`VendorError::Numbers`], [`VendorError::BelowBounds`]), or a
    /// name or id that another product has.
    pub fn add_product(&self, new: NewProduct, rng: &mut impl CryptoRng) -> Result<Product, VendorError> {
        registry::check_name(&new.name)?;
        let _lock = self.lock()?;
        let path = self.path(PRODUCTS_FILE);
        let mut file: ProductsFile = registry::read(&path)?;
        let id = new.id.unwrap_or_else(|| ProductId::from_bytes(random(rng)));
        let policy = check_numbers(new.policy, new.test)?;
        new.contract.features()?;
        let product = Product { name: new.name, id, policy, test: new.test, contract: new.contract };
        if let Some((name, _)) =
            file.products.iter().find(|(name, entry)| **name == product.name || entry.id == id)
        {
            return Err(VendorError::Taken(name.clone()));
        }
        file.products.insert(product.name.clone(), ProductEntry::from(&product));
        registry::write(&path, &file)?;
        Ok(product)
    }

    /// Every product, by name.
    ///
    /// # Errors
    /// [`VendorError::Damaged`] for a file with an unknown key or invalid numbers.
    pub fn products(&self) -> Result<Vec<Product>, VendorError> {
        let path = self.path(PRODUCTS_FILE);
        let file: ProductsFile = registry::read(&path)?;
        let products = file.products.into_iter().map(|(name, entry)| {
            // Somebody may have edited the file.
            let contract = Contract { seats: entry.seats, features: entry.features.clone() };
            let checked = contract.features().and_then(|_| check_numbers(entry.policy(), entry.test));
            let policy = checked
                .map_err(|error| VendorError::damaged(&path, format!("{}: {error}", OneLine(&name))))?;
            Ok(Product { name, id: entry.id, policy, test: entry.test, contract })
        });
        products.collect()
    }

    /// The product of this name.
    ///
    /// # Errors
    /// [`VendorError::UnknownProduct`], with the names that are known.
    pub fn product(&self, name: &str) -> Result<Product, VendorError> {
        let mut products = self.products()?;
        match products.iter().position(|product| product.name == name) {
            Some(index) => Ok(products.swap_remove(index)),
            None => Err(VendorError::UnknownProduct {
                name: name.to_owned(),
                known: products.into_iter().map(|product| product.name).collect(),
            }),
        }
    }
}

/// The bounds that hold for this vendor: the lower ones too, unless this is a test.
fn check_numbers(policy: Policy, test: bool) -> Result<Policy, VendorError> {
    let policy = policy.checked().map_err(VendorError::Numbers)?;
    if !test {
        policy.check_lower_bounds().map_err(VendorError::BelowBounds)?;
    }
    Ok(policy)
}

/// 16 random bytes: an id.
pub(crate) fn random(rng: &mut impl CryptoRng) -> [u8; 16] {
    let mut bytes = [0; 16];
    rng.fill_bytes(&mut bytes);
    bytes
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProductsFile {
    version: Version1,
    #[serde(default)]
    products: BTreeMap<String, ProductEntry>,
}

macro_rules! product_entry {
    ($($length:ident)*) => {
        /// A product as the file has it, under its name.
        #[derive(Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct ProductEntry {
            #[serde(serialize_with = "write_id", deserialize_with = "read_id")]
            id: ProductId,
            #[serde(default)]
            test: bool,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            seats: Option<NonZeroU32>,
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            features: Vec<String>,
            threshold: u32,
            $($length: LengthEntry,)*
        }

        impl ProductEntry {
            fn policy(&self) -> Policy {
                Policy { threshold: self.threshold, $($length: self.$length.0,)* }
            }
        }

        impl From<&Product> for ProductEntry {
            fn from(product: &Product) -> ProductEntry {
                // Every number is named, so that a new one cannot be forgotten here.
                let Policy { threshold, $($length,)* } = product.policy;
                let (id, test) = (product.id, product.test);
                let Contract { seats, features } = product.contract.clone();
                ProductEntry { id, test, seats, features, threshold, $($length: LengthEntry($length),)* }
            }
        }
    };
}

product_entry! {
    validity renew_interval retry_interval renew_retry renew_retry_max count_window expiry_warning clock_tolerance
}

/// A length of time as text: `180d`.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct LengthEntry(Duration);

impl TryFrom<String> for LengthEntry {
    type Error = String;

    fn try_from(text: String) -> Result<LengthEntry, String> {
        parse_length(&text).map(LengthEntry)
    }
}

impl From<LengthEntry> for String {
    fn from(entry: LengthEntry) -> String {
        length_text(entry.0)
    }
}

fn write_id<S: Serializer>(id: &ProductId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

fn read_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ProductId, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
}
