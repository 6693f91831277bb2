//! Features: what the vendor has sold beside the product, as short words that only the vendor gives a meaning.
//!
//! They are signed in a host certificate, from which a lease has them, and in a confirmation. `docs/protocol.md` 2.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// How many features there may be at most.
const FEATURES_MAX: usize = 32;

/// How long a feature may be, in bytes.
const FEATURE_MAX_BYTES: usize = 32;

/// A set of features: each of 1 to 32 bytes of a-z, 0-9, `.`, `_` and `-`, at most 32 of them, in the order of their bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features(Vec<String>);

impl Features {
    /// No features.
    pub const NONE: Features = Features(Vec::new());

    /// These features, in any order and however often each is named.
    ///
    /// # Errors
    /// One is not written as features are, or there are too many.
    pub fn new<T: Into<String>>(features: impl IntoIterator<Item = T>) -> Result<Features, FeaturesError> {
        let mut features: Vec<String> = features.into_iter().map(Into::into).collect();
        features.sort();
        features.dedup();
        Features::decode(features)
    }

    /// As the wire carries them.
    ///
    /// # Errors
    /// As for [`Features::new`], and [`FeaturesError::Order`]: one set has one form.
    pub fn decode(wire: Vec<String>) -> Result<Features, FeaturesError> {
        if FEATURES_MAX < wire.len() {
            return Err(FeaturesError::TooMany);
        }
        if !wire.iter().all(|feature| is_feature(feature)) {
            return Err(FeaturesError::Form);
        }
        if !wire.is_sorted_by(|one, next| one < next) {
            return Err(FeaturesError::Order);
        }
        Ok(Features(wire))
    }

    /// As the wire carries them.
    pub fn encode(&self) -> Vec<String> {
        self.0.clone()
    }

    /// Whether this feature is among them.
    pub fn has(&self, feature: &str) -> bool {
        self.0.binary_search_by(|known| known.as_str().cmp(feature)).is_ok()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// With a comma between them; nothing for none.
impl fmt::Display for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

/// Whether this is a name as vendors give them to features, and to what else they sell: 1 to 32 characters of a-z, 0-9, `.`, `_` and `-`.
pub fn is_feature(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    (1..=FEATURE_MAX_BYTES).contains(&text.len()) && text.bytes().all(fits)
}

/// Why these are no features.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeaturesError {
    /// More than 32.
    #[error("there are more than {FEATURES_MAX} features")]
    TooMany,
    /// One is not written as features are.
    #[error("a feature has 1 to {FEATURE_MAX_BYTES} characters of a-z, 0-9, `.`, `_` and `-`")]
    Form,
    /// They are not in order, or one is there twice.
    #[error("its features are not in order, or one of them is there twice")]
    Order,
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::borrow::ToOwned;
    use alloc::format;
    use alloc::string::ToString;

    #[test]
    fn features_in_any_order_are_one_set() {
        let features = Features::new(["export", "3d", "export", "cloud.sync_v2-beta"]).unwrap();
        assert_eq!(features.to_string(), "3d, cloud.sync_v2-beta, export");
        assert!(features.has("3d") && features.has("export") && !features.has("expor") && !features.has(""));
        assert_eq!(Features::decode(features.encode()), Ok(features));
        assert_eq!(Features::NONE.to_string(), "");
    }

    #[test]
    fn what_is_no_feature_or_no_set_is_refused() {
        for other in ["", "Export", "ex port", "é", "a/b", "a\n", &"a".repeat(33)] {
            assert_eq!(Features::new([other]), Err(FeaturesError::Form), "{other:?}");
        }
        assert!(Features::new(["a".repeat(32)]).is_ok());
        let many = |count: usize| Features::new((0..count).map(|index| format!("f{index}")));
        assert!(many(32).is_ok());
        assert_eq!(many(33), Err(FeaturesError::TooMany));
        for wrong in [["b", "a"], ["a", "a"]] {
            let wrong = wrong.map(ToOwned::to_owned).to_vec();
            assert_eq!(Features::decode(wrong), Err(FeaturesError::Order));
        }
    }
}
