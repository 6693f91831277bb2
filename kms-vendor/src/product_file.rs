//! What a product carries: id, name and both roots. As the product file in TOML, which `kms-client --product` reads, so that a product
//! can be tried before it is built; and as the constant (`kms_client::Product`) that a product compiles in.
//!
//! Its numbers travel in host certificates instead, except those that hold before the first certificate.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use data_encoding::HEXLOWER_PERMISSIVE;
use shared::SERVICE_LABEL;
use shared::armour::{self, ArmourError};
use shared::ids::OrganisationId;
use shared::license::Setup;
use shared::portal_address::PortalAddress;
use shared::print::one_line;
use shared::srv::is_service_label;
use store::regular;

use crate::error::VendorError;
use crate::organisation;
use crate::product::Product;
use crate::text::length_text;
use crate::vendor::Vendor;

/// Optional values in a product file. By default it has none.
#[derive(Clone, Debug, Default, Args)]
pub struct Extras {
    /// Name or id of the only organisation that may license this copy (`organisation list`).
    #[arg(long, value_name = "NAME|ID")]
    pub organisation: Option<String>,
    /// DNS service label of the product's hosts [default: _kms-activation._tcp].
    #[arg(long, value_name = "LABEL")]
    pub service_label: Option<String>,
    /// File of a code certificate for the product, as `code-key sign` writes it. Repeat it for several [default: no codes].
    #[arg(long = "code-key", value_name = "FILE")]
    pub code_keys: Vec<PathBuf>,
    /// File of telephone numbers for the product, as `telephones sign` writes it [default: none].
    #[arg(long, value_name = "FILE")]
    pub telephones: Option<PathBuf>,
    /// Address of the portal where product keys are activated, such as `https://activation.example.com` [default: no product keys].
    #[arg(long, value_name = "URL")]
    pub portal: Option<PortalAddress>,
    /// PEM file of the CA that has signed the portal's TLS certificate [default: those that each machine trusts].
    #[arg(long, value_name = "FILE", requires = "portal")]
    pub portal_ca: Option<PathBuf>,
}

impl Vendor {
    /// The product file of the product with this name, as TOML. It contains no secret.
    ///
    /// It sets `retry_interval` if the product's differs from the default. All other defaults are comments.
    ///
    /// # Errors
    /// [`VendorError::UnknownProduct`], [`VendorError::UnknownOrganisation`], [`VendorError::BadServiceLabel`],
    /// [`VendorError::CodeKey`], [`VendorError::Telephones`], [`VendorError::PortalCa`].
    pub fn product_file(&self, name: &str, extras: &Extras) -> Result<String, VendorError> {
        let (product, organisation) = self.carried(name, extras)?;
        let code_keys = self.code_keys(&product, &extras.code_keys)?;
        let mut text = text(&product, &self.roots());
        text += &organisation_text(organisation);
        text += &label_text(extras.service_label.as_deref());
        text += &code_keys_text(&code_keys);
        if let Some(telephones) = self.carried_telephones(&product, extras)? {
            let hex = HEXLOWER_PERMISSIVE.encode(&telephones);
            let _ = write!(text, "\n# The numbers to call.\ntelephones = \"{hex}\"\n");
        }
        if let Some(portal) = &extras.portal {
            let _ = write!(text, "\n# Where product keys are activated.\nportal = \"{portal}\"\n");
        }
        if let Some(pem) = extras.portal_authority()? {
            // Each line is TOML by itself: readers leave out what mail has put around a file.
            let lines: Vec<_> = pem.lines().map(|line| format!("    \"{line}\",\n")).collect();
            let _ = write!(text, "portal_ca = [\n{}]\n", lines.concat());
        }
        Ok(text)
    }

    fn carried(
        &self,
        name: &str,
        extras: &Extras,
    ) -> Result<(Product, Option<(String, OrganisationId)>), VendorError> {
        if let Some(label) = extras.service_label.as_ref().filter(|label| !is_service_label(label)) {
            return Err(VendorError::BadServiceLabel(label.clone()));
        }
        let organisation = extras.organisation.as_ref().map(|name| organisation::known(self, name));
        Ok((self.product(name)?, organisation.transpose()?))
    }

    fn carried_telephones(&self, product: &Product, extras: &Extras) -> Result<Option<Vec<u8>>, VendorError> {
        extras.telephones.as_ref().map(|path| self.telephones(product, path)).transpose()
    }

    /// The same as a constant in Rust, to paste into the product.
    ///
    /// # Errors
    /// As [`Vendor::product_file`].
    pub fn product_rust(&self, name: &str, extras: &Extras) -> Result<String, VendorError> {
        let (product, organisation) = self.carried(name, extras)?;
        let [root_1, root_2] = self.roots().map(|root| rust_bytes(&root));
        let mut text = format!(
            "/// Nothing here is secret, but whoever changes the roots changes whom the product trusts.\n\
             const {constant}: kms_client::Product = kms_client::Product::new(\n    {id},\n    {name:?},\n    \
             [\n        {root_1},\n        {root_2},\n    ],\n)",
            constant = constant_name(name),
            id = rust_bytes(product.id.as_bytes()),
            name = product.name,
        );
        if product.policy.retry_interval != Setup::DEFAULT.retry_interval {
            let ms = product.policy.retry_interval.as_millis();
            let _ = write!(text, "\n.with_retry_interval(std::time::Duration::from_millis({ms}))");
        }
        if let Some((_, id)) = organisation {
            let _ = write!(text, "\n.with_organisation({})", rust_bytes(id.as_bytes()));
        }
        if let Some(label) = &extras.service_label {
            let _ = write!(text, "\n.with_service_label({label:?})");
        }
        let code_keys = self.code_keys(&product, &extras.code_keys)?;
        if !code_keys.is_empty() {
            let code_keys: Vec<_> = code_keys.iter().map(|key| format!("&{}", rust_bytes(key))).collect();
            let _ = write!(text, "\n.with_code_keys(&[{}])", code_keys.join(", "));
        }
        if let Some(telephones) = self.carried_telephones(&product, extras)? {
            let _ = write!(text, "\n.with_telephones(&{})", rust_bytes(&telephones));
        }
        if let Some(portal) = &extras.portal {
            let _ = write!(text, "\n.with_portal(\"{portal}\")");
        }
        if let Some(pem) = extras.portal_authority()? {
            let _ = write!(text, "\n.with_portal_ca({pem:?})");
        }
        Ok(text + ";\n")
    }
}

impl Extras {
    /// The portal's CA in PEM, without what stands around it.
    fn portal_authority(&self) -> Result<Option<String>, VendorError> {
        let Some(path) = &self.portal_ca else { return Ok(None) };
        let file = regular::read(path).map_err(|source| VendorError::read(path, source))?;
        let unusable = |cause: ArmourError| VendorError::PortalCa { path: path.clone(), cause };
        let blocks = armour::find(&file, "CERTIFICATE").map_err(unusable)?;
        let pem: Vec<_> = blocks.iter().map(|block| block.as_str()).collect();
        Ok(Some(pem.concat()))
    }
}

fn rust_bytes(bytes: &[u8]) -> String {
    let bytes: Vec<_> = bytes.iter().map(|byte| format!("{byte:#04x}")).collect();
    format!("[{}]", bytes.join(", "))
}

/// `EXAMPLE_CAD` for "Example CAD".
fn constant_name(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let joined = words.map(str::to_ascii_uppercase).collect::<Vec<_>>().join("_");
    if joined.starts_with(|c: char| c.is_ascii_alphabetic()) { joined } else { format!("PRODUCT_{joined}") }
}

fn text(product: &Product, roots: &[[u8; 32]; 2]) -> String {
    let [root_1, root_2] = roots.map(|root| HEXLOWER_PERMISSIVE.encode(&root));
    let name = toml::Value::String(one_line(&product.name));
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

fn organisation_text(pinned: Option<(String, OrganisationId)>) -> String {
    match pinned {
        // On one line the name stays in its comment.
        Some((name, id)) => {
            format!("\n# Only {} may license this copy.\norganisation = \"{id}\"\n", one_line(name))
        }
        None => {
            "\n# The only organisation that may license this copy; without it the first lease names one.\n\
                 # organisation = \"32 hexadecimal digits\"\n"
                .to_owned()
        }
    }
}

fn label_text(label: Option<&str>) -> String {
    let mark = if label.is_some() { "" } else { "# " };
    let label = label.unwrap_or(SERVICE_LABEL);
    format!("\n# Where in DNS its hosts are found.\n{mark}service_label = \"{label}\"\n")
}

fn code_keys_text(code_keys: &[Vec<u8>]) -> String {
    if code_keys.is_empty() {
        return String::new();
    }
    let code_keys: Vec<_> =
        code_keys.iter().map(|key| format!("    \"{}\",\n", HEXLOWER_PERMISSIVE.encode(key))).collect();
    format!("\n# Certificates of the keys that confirm codes.\ncode_keys = [\n{}]\n", code_keys.concat())
}
