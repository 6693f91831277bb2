//! The vendor's TOML files: read whole, replaced whole, and refused if anything in them is unknown.
//!
//! `product` and `organisation` say what they contain.

use std::io;
use std::path::Path;

use program::toml_text;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use shared::{armour, print};

use crate::error::VendorError;
use crate::vendor::PUBLIC;

/// The first line of every such file: the only version that this release knows.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub(crate) struct Version1;

impl TryFrom<u32> for Version1 {
    type Error = String;

    fn try_from(version: u32) -> Result<Version1, String> {
        match version {
            1 => Ok(Version1),
            other => Err(format!("version {other} is not known to this release")),
        }
    }
}

impl From<Version1> for u32 {
    fn from(_: Version1) -> u32 {
        1
    }
}

/// The contents of the file, or of an empty one if there is none.
pub(crate) fn read<T: DeserializeOwned + Default>(path: &Path) -> Result<T, VendorError> {
    let text = match store::regular::read(path) {
        Ok(text) => armour::plain(&text).map_err(|error| VendorError::damaged(path, error))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(T::default()),
        Err(source) => return Err(VendorError::read(path, source)),
    };
    toml_text::read(&text).map_err(|error| VendorError::damaged(path, error))
}

/// Puts this in the file's place. The caller holds the directory's lock since it read the file.
pub(crate) fn write<T: Serialize>(path: &Path, content: &T) -> Result<(), VendorError> {
    let text = toml::to_string(content).expect("strings, numbers and tables of them are TOML");
    Ok(store::file::replace(path, text.as_bytes(), PUBLIC)?)
}

/// A name for people, of a product or an organisation: it travels in every certificate and is shown in terminals.
///
/// # Errors
/// [`VendorError::BadName`] unless it is 1 to 100 bytes, without spaces at its ends, and the printer shows it as it is. The
/// length keeps an answer that carries its chain small.
pub(crate) fn check_name(name: &str) -> Result<(), VendorError> {
    let fits = (1..=100).contains(&name.len());
    if fits && name == name.trim() && name == print::one_line(name) {
        return Ok(());
    }
    Err(VendorError::BadName(name.to_owned()))
}
