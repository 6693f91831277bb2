//! A vendor with one product, in a folder: what signs every certificate of a story.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use kms_host::certificates::Allowed;
use kms_host::home::{HOUR_MS, Home};
use kms_vendor::{Allow, Contract, Custody, IssueRequest, NewProduct, Product, Signer, Vendor};
use ledger::Engine;
use shared::policy::Policy;
use shared::time::Timestamp;

/// The organisation of most stories.
pub const ORGANISATION: &str = "Example Works";

/// The settings of a host that takes a whole load of new machines from one address.
pub const WITHOUT_LIMITS: &str = "\
new_machines_per_source = 0
new_machines_per_site = 0
bad_asks_per_source = 0
bad_asks_per_site = 0
";

/// A vendor, its product, and the folder in which hosts are made.
pub struct Shop {
    folder: PathBuf,
    vendor: Vendor,
    product: Product,
}

impl Shop {
    /// Opens a shop in this folder: a new vendor with a new product. `test` lifts the lower bounds of the numbers.
    ///
    /// # Errors
    /// The folder has one already, the numbers do not hold, or the disk refuses.
    pub fn open(folder: &Path, product: &str, policy: Policy, test: bool) -> anyhow::Result<Shop> {
        let vendor = Vendor::init(&folder.join("vendor"), &mut rand::rng())?;
        let product =
            NewProduct { name: product.to_owned(), id: None, policy, test, contract: Contract::default() };
        let product = vendor.add_product(product, &mut rand::rng())?;
        Ok(Shop { folder: folder.to_owned(), vendor, product })
    }

    /// Another product of this vendor.
    ///
    /// # Errors
    /// The vendor has a product of that name already, or the disk refuses.
    pub fn another_product(&self, product: &str, policy: Policy) -> anyhow::Result<Shop> {
        let vendor = Vendor::open(self.vendor.dir())?;
        let product = NewProduct {
            name: product.to_owned(),
            id: None,
            policy,
            test: self.product.test,
            contract: Contract::default(),
        };
        let product = vendor.add_product(product, &mut rand::rng())?;
        Ok(Shop { folder: self.folder.clone(), vendor, product })
    }

    /// A forger: sells this shop's product, by its true id, under other root keys.
    ///
    /// # Errors
    /// The folder has a vendor already, or the disk refuses.
    pub fn forge(&self, folder: &Path) -> anyhow::Result<Shop> {
        let vendor = Vendor::init(&folder.join("vendor"), &mut rand::rng())?;
        let Product { name, id, policy, test, contract } = self.product.clone();
        let product = vendor
            .add_product(NewProduct { name, id: Some(id), policy, test, contract }, &mut rand::rng())?;
        Ok(Shop { folder: folder.to_owned(), vendor, product })
    }

    /// The product.
    pub fn product(&self) -> &Product {
        &self.product
    }

    /// The vendor.
    pub fn vendor(&self) -> &Vendor {
        &self.vendor
    }

    /// What the vendor compiles into the product.
    pub fn compiled(&self) -> kms_client::Product {
        kms_client::Product::new(*self.product.id.as_bytes(), "Atlas", self.vendor.roots())
    }

    /// The vendor replaces a root key. Products that were compiled before know the old pair.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn replace_root(&mut self, root: Signer, now: Timestamp) -> anyhow::Result<()> {
        self.vendor.replace_root(root, &Custody::Plain, now, &mut rand::rng())?;
        self.vendor = Vendor::open(self.vendor.dir())?;
        Ok(())
    }

    /// Makes a host of the usual organisation, certified from `now` on for a year.
    ///
    /// # Errors
    /// There is a host of that name already, or the disk refuses.
    pub fn make_host(&self, name: &str, now: Timestamp) -> anyhow::Result<Home> {
        let home = self.make_bare_host(name, HOUR_MS)?;
        self.certify(&home, ORGANISATION, now, Duration::from_hours(365 * 24))?;
        Ok(home)
    }

    /// Like [`Shop::make_host`], with its ledger on this engine and a configuration that says so.
    ///
    /// # Errors
    /// As [`Shop::make_host`].
    pub fn make_host_on(&self, engine: Engine, name: &str, now: Timestamp) -> anyhow::Result<Home> {
        let home = self.make(engine, name, HOUR_MS)?;
        std::fs::write(home.path().join("kms-host.toml"), format!("ledger = {:?}\n", engine.name()))?;
        self.certify(&home, ORGANISATION, now, Duration::from_hours(365 * 24))?;
        Ok(home)
    }

    /// Makes a host that has no certificate, with hours of this width.
    ///
    /// # Errors
    /// There is a host of that name already, or the disk refuses.
    pub fn make_bare_host(&self, name: &str, hour_width_ms: u64) -> anyhow::Result<Home> {
        self.make(Engine::Sled, name, hour_width_ms)
    }

    fn make(&self, engine: Engine, name: &str, hour_width_ms: u64) -> anyhow::Result<Home> {
        let home = Home::at(self.folder.join(name));
        home.init(engine, hour_width_ms, &mut rand::rng())?;
        Ok(home)
    }

    /// Has the host's request certified, and installs the certificate.
    ///
    /// # Errors
    /// The vendor refuses the request, or the host refuses the certificate.
    pub fn certify(
        &self,
        home: &Home,
        organisation: &str,
        not_before: Timestamp,
        valid_for: Duration,
    ) -> anyhow::Result<()> {
        self.certify_by(Signer::Root1, home, organisation, not_before, valid_for)
    }

    /// Like [`Shop::certify`], with this key of the vendor.
    ///
    /// # Errors
    /// As [`Shop::certify`].
    pub fn certify_by(
        &self,
        signer: Signer,
        home: &Home,
        organisation: &str,
        not_before: Timestamp,
        valid_for: Duration,
    ) -> anyhow::Result<()> {
        let request_pem = std::fs::read_to_string(home.request_path()).context("the host's request")?;
        let request = IssueRequest {
            request_pem: &request_pem,
            product: &self.product.name,
            organisation,
            allow: Allow::default(),
            not_before,
            valid_for,
            signer,
            test: self.product.test,
            now: not_before,
            contract: Contract::default(),
        };
        let issued = self.vendor.issue(&request, &mut rand::rng())?;
        let file = home.path().with_extension("certificate.pem");
        std::fs::write(&file, &issued.pem)?;
        home.install_certificate(&file, issued.pem.as_bytes(), Allowed::default(), not_before)?;
        Ok(())
    }
}
