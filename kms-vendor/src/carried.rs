//! The file that says what a product carries: its id, its name, both roots. The tool `kms-client` takes it with
//! `--product`, and so tries a product that nobody has built yet.
//!
//! A product compiles the same values in (`kms_client::Product`). Its numbers are not among them: they travel in every
//! host certificate, all but those that hold before one has been seen.

use data_encoding::HEXLOWER_PERMISSIVE;
use shared::license::Setup;

use crate::error::VendorError;
use crate::product::Product;
use crate::text::length_text;
use crate::vendor::Vendor;

impl Vendor {
    /// What the product of this name carries, as TOML. Nothing in it is secret.
    ///
    /// `retry_interval` is given if the product's own is not the default; all other defaults stand in comments.
    ///
    /// # Errors
    /// [`VendorError::UnknownProduct`].
    pub fn product_file(&self, name: &str) -> Result<String, VendorError> {
        Ok(text(&self.product(name)?, &self.roots()))
    }
}

fn text(product: &Product, roots: &[[u8; 32]; 2]) -> String {
    let [root_1, root_2] = roots.map(|root| HEXLOWER_PERMISSIVE.encode(&root));
    let name = toml::Value::String(product.name.clone());
    let grace = length_text(Setup::DEFAULT.grace);
    let retry_interval = product.policy.retry_interval;
    let mark = if retry_interval == Setup::DEFAULT.retry_interval { "# " } else { "" };
    let retry_interval = length_text(retry_interval);
    format!(
        "# What this product carries, as it is compiled in. Nothing here is secret, but whoever changes the roots\n\
         # changes whom the product trusts.\n\
         id = \"{id}\"\n\
         name = {name}\n\
         roots = [\n    \"{root_1}\",\n    \"{root_2}\",\n]\n\
         \n\
         # What holds until a host has been met.\n\
         # grace = \"{grace}\"\n\
         {mark}retry_interval = \"{retry_interval}\"\n\
         \n\
         # For the host's inventory only.\n\
         # edition = \"\"\n",
        id = product.id,
    )
}
