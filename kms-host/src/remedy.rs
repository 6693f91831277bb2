//! The texts of an error: what happened, every cause below it, and what to do.
//!
//! The remedy is a value of its own, so `doctor`, alarms, the log and the command line can each print it in its place.

use std::error::Error;

use ledger::{LedgerError, OpenError};
use server::fixable::{self, causes};

use crate::config::FILE_NAME;
use crate::export::{ExportError, ExportFault};
use crate::home::HomeError;
use crate::portal::NotCertified;
use crate::queue::NotChanged;

pub use server::fixable::cause;

/// The remedy, from the first error of the chain that has one.
pub fn remedy(error: &(dyn Error + 'static)) -> Option<String> {
    causes(error).find_map(|error| {
        let of_home = error.downcast_ref().map(HomeError::remedy);
        let of_home = of_home.or_else(|| error.downcast_ref().map(OpenError::remedy));
        let of_home = of_home.or_else(|| error.downcast_ref().map(NotCertified::remedy));
        of_home.or_else(|| fixable::remedy(error, FILE_NAME)).or_else(|| {
            let fixed = error.downcast_ref().map(LedgerError::remedy);
            let fixed = fixed.or_else(|| error.downcast_ref().map(NotChanged::remedy));
            let fixed = fixed.or_else(|| error.downcast_ref().map(ExportError::remedy));
            fixed.or_else(|| error.downcast_ref().copied().map(ExportFault::remedy)).map(str::to_owned)
        })
    })
}

/// Cause and remedy, for a command line or a field of the log.
pub fn message(error: &(dyn Error + 'static)) -> String {
    match remedy(error) {
        Some(remedy) => format!("{}; {remedy}", cause(error)),
        None => cause(error),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    /// The remedy was once whatever followed the first semicolon. In a path with a semicolon that was half of the path.
    #[test]
    fn what_to_do_is_told_behind_all_causes_whatever_is_in_a_path() {
        let denied = || io::Error::from(io::ErrorKind::PermissionDenied);
        let error = HomeError::Unreadable("/data; rm/signing.key".into(), denied());
        let remedy_of_it =
            "run the command as root or as the owner of the directory, and see what stands there";
        assert_eq!(cause(&error), "/data; rm/signing.key cannot be read: permission denied");
        assert_eq!(remedy(&error).as_deref(), Some(remedy_of_it));
        assert_eq!(
            message(&error),
            format!("/data; rm/signing.key cannot be read: permission denied; {remedy_of_it}")
        );
        let below = anyhow::Error::from(error).context("the signer");
        assert_eq!(remedy(&*below).as_deref(), Some(remedy_of_it), "an error further down knows it, too");
        assert_eq!(remedy(&denied()), None);
    }
}
