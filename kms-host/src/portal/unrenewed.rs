//! The products whose certificate the vendor's portal has not renewed, and why. An alarm shows it when the end is near.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use shared::ids::ProductId;

/// Why renewals have failed, by product.
#[derive(Debug, Default)]
pub(crate) struct Unrenewed(Mutex<BTreeMap<ProductId, String>>);

impl Unrenewed {
    /// Notes why the last renewal has failed, or `None` if it succeeded.
    pub(crate) fn note(&self, product: ProductId, why: Option<String>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match why {
            Some(why) => known.insert(product, why),
            None => known.remove(&product),
        };
    }

    /// Why the last renewal has failed, if it has.
    pub(crate) fn why(&self, product: ProductId) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&product).cloned()
    }
}
