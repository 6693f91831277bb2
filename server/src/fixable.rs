//! An error that an administrator can correct, for callers that show it and tell nothing apart.

use std::error::Error;

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
