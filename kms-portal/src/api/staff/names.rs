//! What people write in place of an id: the name of a product or an organisation, or its id in hex.

use shared::print::one_line;
use shared::product_key::ProductKey;
use shared::spelling::is_near;
use tonic::Status;

use super::text;
use crate::db::{Organisation, Product};

pub(super) fn product(known: &[Product], name: &str) -> Result<Product, Status> {
    let found = known.iter().find(|known| known.name == name || known.id.to_string() == name);
    found.cloned().ok_or_else(|| {
        let names: Vec<_> = known.iter().map(|known| known.name.as_str()).collect();
        Status::not_found(if names.is_empty() {
            "no product is known yet; `kms-portal product add` adds one".to_owned()
        } else {
            format!("no product {name:?} is known; there are: {}", names.join(", "))
        })
    })
}

pub(super) fn organisation(known: &[Organisation], name: &str) -> Option<Organisation> {
    known.iter().find(|known| known.name == name || known.id.to_string() == name).cloned()
}

pub(super) fn unknown_organisation(name: &str) -> Status {
    Status::not_found(format!(
        "no organisation {name:?} is known; `kms-portal organisation list` lists those that are, and \
         `kms-portal organisation add` adds one"
    ))
}

/// A name that is nearly one that is known was probably mistyped, and would be another organisation.
pub(super) fn refuse_near(known: &[Organisation], name: &str) -> Result<(), Status> {
    match known.iter().find(|known| is_near(&known.name, name)) {
        None => Ok(()),
        Some(near) => Err(Status::failed_precondition(format!(
            "{name:?} is not known, but {:?} is: write that name, or add --new-organisation if this is another one",
            near.name
        ))),
    }
}

/// A name to give.
pub(super) fn new_name(name: &str) -> Result<&str, Status> {
    if name.is_empty() || name.trim() != name || name != one_line(name) {
        let text = "a name is one line without spaces at its ends, and without characters that are not seen or that turn text around";
        return Err(Status::invalid_argument(text));
    }
    text("name", name)
}

/// The last five characters of a key, by which its owner knows it.
pub(super) fn last_group(key: &ProductKey) -> String {
    let text = zeroize::Zeroizing::new(key.to_string());
    text.rsplit('-').next().unwrap_or_default().to_owned()
}
