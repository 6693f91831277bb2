//! `organisations.toml`: the id of each organisation that was certified.
//!
//! Machines ignore hosts of another organisation, so every host of an organisation must get the same id.

use std::collections::BTreeMap;

use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use shared::ids::OrganisationId;
use shared::print::OneLine;
use shared::spelling::is_near;

use crate::error::VendorError;
use crate::product::random;
use crate::registry::{self, Version1};
use crate::vendor::Vendor;

const ORGANISATIONS_FILE: &str = "organisations.toml";

/// An organisation to issue a certificate for.
pub(crate) struct Organisation {
    pub(crate) id: OrganisationId,
    /// As in its first certificate.
    pub(crate) name: String,
    pub(crate) is_new: bool,
}

/// The organisation with this name or id, or a new one that is not recorded yet. `may_be_near` allows a new one whose name is
/// similar to that of another.
pub(crate) fn find(
    vendor: &Vendor,
    name: &str,
    may_be_near: bool,
    rng: &mut impl CryptoRng,
) -> Result<Organisation, VendorError> {
    let organisations = read(vendor)?;
    if let Some((known, id)) = exact(&organisations, name) {
        return Ok(Organisation { id: *id, name: known.to_owned(), is_new: false });
    }
    registry::check_name(name)?;
    let near = organisations.iter().find(|(known, _)| is_near(name, known));
    match near {
        Some((known, id)) if !may_be_near => {
            Err(VendorError::NearOrganisation { name: name.to_owned(), known: known.clone(), id: *id })
        }
        _ => Ok(Organisation {
            id: OrganisationId::from_bytes(random(rng)),
            name: name.to_owned(),
            is_new: true,
        }),
    }
}

/// The organisation with this name or id, if it was certified before.
pub(crate) fn known(vendor: &Vendor, name: &str) -> Result<(String, OrganisationId), VendorError> {
    let organisations = read(vendor)?;
    match exact(&organisations, name) {
        Some((known, id)) => Ok((known.to_owned(), *id)),
        None => Err(VendorError::UnknownOrganisation {
            name: name.to_owned(),
            known: organisations.into_keys().collect(),
        }),
    }
}

fn exact<'a>(
    organisations: &'a BTreeMap<String, OrganisationId>,
    name: &str,
) -> Option<(&'a str, &'a OrganisationId)> {
    let id = name.parse::<OrganisationId>().ok();
    let mut all = organisations.iter().map(|(known, known_id)| (known.as_str(), known_id));
    all.find(|(known, known_id)| *known == name || id == Some(**known_id))
}

fn read(vendor: &Vendor) -> Result<BTreeMap<String, OrganisationId>, VendorError> {
    let path = vendor.path(ORGANISATIONS_FILE);
    let file: OrganisationsFile = registry::read(&path)?;
    let parsed = file.organisations.into_iter().map(|(name, id)| match id.parse() {
        Ok(id) => Ok((name, id)),
        Err(error) => Err(VendorError::damaged(&path, format!("{}: {error}", OneLine(&name)))),
    });
    parsed.collect()
}

/// Records a new organisation. The caller has held the directory's lock since [`find`].
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
