//! The texts of an error: what happened, every cause below it, and what to do.

use std::error::Error;

use server::fixable::FixableError;
use server::listen::ListenError;

use crate::config::FILE_NAME;
use crate::db::DbError;
use crate::home::PortalHomeError;

/// The error and its causes, in one line.
pub fn cause(error: &(dyn Error + 'static)) -> String {
    chain(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// The remedy, from the first error of the chain that has one.
pub fn remedy(error: &(dyn Error + 'static)) -> Option<String> {
    chain(error).find_map(|error| {
        let found = error.downcast_ref().map(PortalHomeError::remedy);
        let found = found.or_else(|| error.downcast_ref().map(FixableError::remedy));
        let found = found.or_else(|| error.downcast_ref().map(DbError::remedy));
        let found = found.map(str::to_owned);
        found.or_else(|| error.downcast_ref().map(|error: &ListenError| error.remedy(FILE_NAME)))
    })
}

/// Cause and remedy, for a command line or a field of the log.
pub fn message(error: &(dyn Error + 'static)) -> String {
    match remedy(error) {
        Some(remedy) => format!("{}; {remedy}", cause(error)),
        None => cause(error),
    }
}

fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}
