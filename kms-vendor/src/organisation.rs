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
    // An id is never a name: this one is a portal's, or mistyped.
    if name.parse::<OrganisationId>().is_ok() {
        return Err(unknown(name, organisations));
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
        None => Err(unknown(name, organisations)),
    }
}

fn unknown(name: &str, organisations: BTreeMap<String, OrganisationId>) -> VendorError {
    VendorError::UnknownOrganisation { name: name.to_owned(), known: organisations.into_keys().collect() }
}

impl Vendor {
    /// Every organisation, by name.
    ///
    /// # Errors
    /// [`VendorError::Damaged`].
    pub fn organisations(&self) -> Result<BTreeMap<String, OrganisationId>, VendorError> {
        read(self)
    }

    /// Adds an organisation, with the id that a portal has given it or with a random one. Returns its id. One that is known under both
    /// name and id stays as it is.
    ///
    /// # Errors
    /// [`VendorError::OrganisationTaken`] if name or id belongs to another one, [`VendorError::NearOrganisation`] for a similar name
    /// unless `may_be_near`.
    pub fn add_organisation(
        &self,
        name: &str,
        id: Option<OrganisationId>,
        may_be_near: bool,
        rng: &mut impl CryptoRng,
    ) -> Result<OrganisationId, VendorError> {
        let _lock = self.lock()?;
        let taken = |(known, known_id): (&String, &OrganisationId)| {
            (known == name || id == Some(*known_id)).then(|| (known.clone(), *known_id))
        };
        match read(self)?.iter().find_map(taken) {
            Some((known, known_id)) if known == name && id.is_none_or(|id| id == known_id) => {
                return Ok(known_id);
            }
            Some((name, id)) => return Err(VendorError::OrganisationTaken { name, id }),
            None => {}
        }
        let new = find(self, name, may_be_near, rng)?;
        let id = id.unwrap_or(new.id);
        remember(self, &new.name, id)?;
        Ok(id)
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
