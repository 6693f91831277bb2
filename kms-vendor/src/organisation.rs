//! The organisations that were certified, in `organisations.toml`: an id for each name.
//!
//! A host of one organisation is passed over by another's machines, so a second host has to get the id of the first.

use std::collections::BTreeMap;

use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use shared::ids::OrganisationId;

use crate::error::VendorError;
use crate::product::random;
use crate::registry::{self, Version1};
use crate::vendor::Vendor;

const ORGANISATIONS_FILE: &str = "organisations.toml";

/// An organisation and whether this is the first that is heard of it.
pub(crate) struct Organisation {
    pub(crate) id: OrganisationId,
    pub(crate) is_new: bool,
}

/// The organisation of this name, or a new one that is not remembered yet.
pub(crate) fn find(
    vendor: &Vendor,
    name: &str,
    rng: &mut impl CryptoRng,
) -> Result<Organisation, VendorError> {
    match known(vendor, name) {
        Ok(id) => Ok(Organisation { id, is_new: false }),
        Err(VendorError::UnknownOrganisation { .. }) => {
            Ok(Organisation { id: OrganisationId::from_bytes(random(rng)), is_new: true })
        }
        Err(error) => Err(error),
    }
}

/// The organisation of this name, which was certified before.
pub(crate) fn known(vendor: &Vendor, name: &str) -> Result<OrganisationId, VendorError> {
    registry::check_name(name)?;
    let path = vendor.path(ORGANISATIONS_FILE);
    let file: OrganisationsFile = registry::read(&path)?;
    match file.organisations.get(name) {
        Some(id) => id.parse().map_err(|error| VendorError::damaged(&path, format!("{name}: {error}"))),
        None => Err(VendorError::UnknownOrganisation {
            name: name.to_owned(),
            known: file.organisations.into_keys().collect(),
        }),
    }
}

/// Remembers a new organisation. The caller holds the directory's lock since [`find`].
pub(crate) fn remember(vendor: &Vendor, name: &str, id: OrganisationId) -> Result<(), VendorError> {
    let path = vendor.path(ORGANISATIONS_FILE);
    let mut file: OrganisationsFile = registry::read(&path)?;
    file.organisations.insert(name.to_owned(), id.to_string());
    registry::write(&path, &file)
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OrganisationsFile {
    version: Version1,
    #[serde(default)]
    organisations: BTreeMap<String, String>,
}
