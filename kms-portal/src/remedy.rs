//! The texts of an error: what happened, every cause below it, and what to do.

use std::error::Error;

use server::fixable::{self, causes};

use crate::config::FILE_NAME;
use crate::db::DbError;
use crate::home::PortalHomeError;

pub use server::fixable::cause;

/// The remedy, from the first error of the chain that has one.
pub fn remedy(error: &(dyn Error + 'static)) -> Option<String> {
    causes(error).find_map(|error| {
        let found = error.downcast_ref().map(PortalHomeError::remedy);
        let found = found.or_else(|| error.downcast_ref().map(DbError::remedy)).map(str::to_owned);
        found.or_else(|| fixable::remedy(error, FILE_NAME))
    })
}

/// Cause and remedy, for a command line or a field of the log.
pub fn message(error: &(dyn Error + 'static)) -> String {
    match remedy(error) {
        Some(remedy) => format!("{}; {remedy}", cause(error)),
        None => cause(error),
    }
}
