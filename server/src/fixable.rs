//! An error that an administrator can correct, for callers that show it and tell nothing apart; and how any error is shown.

use std::error::Error;

use crate::listen::ListenError;

/// What is wrong, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct FixableError {
    text: String,
    remedy: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl FixableError {
    /// A problem with its remedy.
    pub fn new(text: impl Into<String>, remedy: impl Into<String>) -> FixableError {
        FixableError { text: text.into(), remedy: remedy.into(), source: None }
    }

    /// The same, with the error below it.
    #[must_use]
    pub fn because(self, source: impl Into<Box<dyn Error + Send + Sync>>) -> FixableError {
        FixableError { source: Some(source.into()), ..self }
    }

    /// What to do.
    pub fn remedy(&self) -> &str {
        &self.remedy
    }
}

/// The error and its causes, in one line. Some errors repeat their source, which is shown once.
pub fn cause(error: &(dyn Error + 'static)) -> String {
    let mut told = error.to_string();
    for cause in causes(error).skip(1).map(ToString::to_string) {
        if !told.ends_with(&cause) {
            told.push_str(": ");
            told.push_str(&cause);
        }
    }
    told
}

/// The error and everything below it.
pub fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// The remedy of this error, if it is one of this crate. The settings are in a file of this name.
pub fn remedy(error: &(dyn Error + 'static), settings_file: &str) -> Option<String> {
    let fixed = error.downcast_ref().map(|error: &FixableError| error.remedy().to_owned());
    fixed.or_else(|| Some(error.downcast_ref::<ListenError>()?.remedy(settings_file)))
}
