//! What the vendor compiles into the product: its id, the pinned roots, the grace.
//!
//! Everything else comes signed from a host. `builder` checks it and turns it into [`Terms`], which the rest of this crate uses.

use core::time::Duration;
#[cfg(feature = "codes")]
use std::sync::Arc;

use shared::certificate::Roots;
#[cfg(feature = "codes")]
use shared::codes::CodeKey;
use shared::ids::{Fingerprint, OrganisationId, ProductId};
use shared::license::Setup;
#[cfg(feature = "codes")]
use shared::telephones::Telephones;
#[cfg(feature = "keys")]
use shared::{parts::HardwareParts, product_key::ProductKey};
#[cfg(feature = "keys")]
use wire::{Tls, portal::PortalAddress};

#[cfg(feature = "keys")]
use crate::hardware;

/// What the vendor compiles in. `kms-vendor product rust` prints it.
///
/// The roots are all that the client trusts: a product with somebody else's roots accepts somebody else's leases.
///
/// ```
/// use kms_client::Product;
///
/// const EDITOR: Product = Product::new([0x0b; 16], "Editor", [[0x1c; 32], [0x2d; 32]])
///     .with_edition("professional")
///     .with_grace(std::time::Duration::from_secs(14 * 24 * 3600));
/// assert_eq!(EDITOR.name, "Editor");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Product {
    /// The product's id, 16 random bytes. Editions that are counted together share it.
    pub id: [u8; 16],
    /// Its name, for people and logs. No rule reads it.
    pub name: &'static str,
    /// The vendor's two root public keys (Ed25519). There are two so that one can be replaced.
    pub roots: [[u8; 32]; 2],
    /// Grace and the first retry interval, which hold until a certificate has been seen.
    pub setup: Setup,
    /// The edition, at most 64 bytes, for the host's inventory only.
    pub edition: &'static str,
    /// The organisation that may license this copy, if it was sold to one. Without it the first lease names the organisation.
    pub organisation: Option<[u8; 16]>,
    /// The label under which hosts are found in DNS. Administrators publish it, so change it before the first customer or
    /// never.
    pub service_label: &'static str,
    /// Certificates of the keys that confirm codes for it. Without one, no code is accepted.
    pub code_keys: &'static [&'static [u8]],
    /// The numbers to call for such codes, as a root has signed them.
    pub telephones: Option<&'static [u8]>,
    /// The address of the vendor's portal, where product keys are activated.
    #[cfg(feature = "keys")]
    pub portal: Option<&'static str>,
    /// The CA of the portal's TLS certificate, in PEM, if it is none that machines trust anyway.
    #[cfg(feature = "keys")]
    pub portal_ca: Option<&'static str>,
}

impl Product {
    /// A product with 25 days of grace and no edition, for any organisation.
    pub const fn new(id: [u8; 16], name: &'static str, roots: [[u8; 32]; 2]) -> Product {
        Product {
            id,
            name,
            roots,
            setup: Setup::DEFAULT,
            edition: "",
            organisation: None,
            service_label: shared::SERVICE_LABEL,
            code_keys: &[],
            telephones: None,
            #[cfg(feature = "keys")]
            portal: None,
            #[cfg(feature = "keys")]
            portal_ca: None,
        }
    }

    /// The time from the first start until notices begin, at most 60 days.
    pub const fn with_grace(mut self, grace: Duration) -> Product {
        self.setup.grace = grace;
        self
    }

    /// How long an unlicensed machine waits between asks, until a certificate says otherwise.
    pub const fn with_retry_interval(mut self, retry_interval: Duration) -> Product {
        self.setup.retry_interval = retry_interval;
        self
    }

    /// The edition, at most 64 bytes, for the host's inventory only.
    pub const fn with_edition(mut self, edition: &'static str) -> Product {
        self.edition = edition;
        self
    }

    /// The organisation that may license this copy. Hosts of others are passed over (`OTHER_ORGANISATION`).
    pub const fn with_organisation(mut self, organisation: [u8; 16]) -> Product {
        self.organisation = Some(organisation);
        self
    }

    pub(crate) const fn product_id(&self) -> ProductId {
        ProductId::from_bytes(self.id)
    }

    /// The label under which hosts are found in DNS, instead of `_kms-activation._tcp`.
    pub const fn with_service_label(mut self, service_label: &'static str) -> Product {
        self.service_label = service_label;
        self
    }

    /// Certificates of the keys that confirm codes, which are read aloud where there is no network. Carry those of all keys that
    /// may still be in use. Only with feature `codes` does the library read them.
    pub const fn with_code_keys(mut self, certificates: &'static [&'static [u8]]) -> Product {
        self.code_keys = certificates;
        self
    }

    /// The numbers that users call for codes, as `kms-vendor telephones sign` has signed them. Only with feature `codes` does the
    /// library read them.
    pub const fn with_telephones(mut self, signed: &'static [u8]) -> Product {
        self.telephones = Some(signed);
        self
    }

    /// The vendor's portal, where product keys are activated: `https://activation.example.com`, or with a port at its end.
    #[cfg(feature = "keys")]
    pub const fn with_portal(mut self, address: &'static str) -> Product {
        self.portal = Some(address);
        self
    }

    /// The CA of the portal's TLS certificate, in PEM. Without it, that certificate has to be from a CA that the machine trusts.
    #[cfg(feature = "keys")]
    pub const fn with_portal_ca(mut self, pem: &'static str) -> Product {
        self.portal_ca = Some(pem);
        self
    }
}

/// What holds for a product on this machine, in the types of `shared`.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) id: ProductId,
    pub(crate) roots: Roots,
    pub(crate) setup: Setup,
    pub(crate) edition: &'static str,
    pub(crate) organisation: Option<OrganisationId>,
    pub(crate) fingerprint: Fingerprint,
    /// What concerns product keys.
    #[cfg(feature = "keys")]
    pub(crate) keys: KeyTerms,
    /// The keys that confirm codes for the product.
    #[cfg(feature = "codes")]
    pub(crate) code_keys: Vec<CodeKey>,
    /// The numbers to call for codes.
    #[cfg(feature = "codes")]
    pub(crate) telephones: Option<Arc<Telephones>>,
}

/// What holds for product keys on this machine.
#[cfg(feature = "keys")]
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyTerms {
    /// The vendor's portal, and the CAs that its certificate may be from.
    pub(crate) portal: Option<(PortalAddress, Tls)>,
    /// The key that the product's code gives.
    pub(crate) key: Option<ProductKey>,
    /// The hardware that the product's code gives.
    pub(crate) hardware: Option<HardwareParts>,
}

#[cfg(feature = "keys")]
impl Terms {
    /// The hardware of this machine. It is read only where a key was entered.
    pub(crate) fn hardware(&self) -> HardwareParts {
        self.keys.hardware.unwrap_or_else(|| hardware::of_this_machine(self.id))
    }
}
