//! Reads TOML. An error is one line that says where in the text the mistake is.

use serde::de::DeserializeOwned;

/// The value that this text describes.
///
/// # Errors
/// `line 3: ..`, on one line.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map_or(1, |before| 1 + before.matches('\n').count());
        format!("line {line}: {}", error.message().lines().collect::<Vec<_>>().join(" "))
    })
}
