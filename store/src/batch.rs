//! A batch: writes that happen together or not at all, and the limits that keep the engines healthy.
//!
//! Applying it is `store.rs`.

use std::collections::BTreeMap;

/// The most operations in one batch, on every engine. sled's memory grows with the size of a batch and not only with the data:
/// two million records loaded 5,000 at a time took 5.8 GB, 256 at a time 0.4 GB.
pub const MAX_BATCH: usize = 256;

/// The longest key. sled's inner pages hold up to 256 keys and must stay as small as its leaves, for the
/// reason of [`MAX_VALUE_BYTES`].
pub const MAX_KEY_BYTES: usize = 256;

/// The longest value. sled writes any page above a quarter of a segment (128 KiB) to a file of its own and
/// never syncs that file, so a page must stay below: a leaf holds about 20 records at most.
pub const MAX_VALUE_BYTES: usize = 4096;

/// Puts and removals to apply together. A later operation on a key replaces an earlier one.
///
/// It is only a list: [`Store::write`](crate::Store::write) checks its limits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    operations: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

impl Batch {
    /// A batch that does nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the value of `key`, whether or not it has one.
    pub fn put(&mut self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.operations.insert(key.into(), Some(value.into()));
    }

    /// Removes `key`; no error when there is none.
    pub fn remove(&mut self, key: impl Into<Vec<u8>>) {
        self.operations.insert(key.into(), None);
    }

    /// The number of different keys that it writes or removes.
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether it does nothing.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Its operations, in the order of their keys: values to put, or `None` to remove.
    pub fn into_operations(self) -> impl Iterator<Item = (Vec<u8>, Option<Vec<u8>>)> {
        self.operations.into_iter()
    }

    /// Holds it to every limit.
    pub(crate) fn check(&self) -> Result<(), TooLarge> {
        let limit = |what, found, most| {
            if found <= most { Ok(()) } else { Err(TooLarge { found, what, most }) }
        };
        limit("operations in a batch", self.len(), MAX_BATCH)?;
        for (key, value) in &self.operations {
            limit("bytes of a key", key.len(), MAX_KEY_BYTES)?;
            limit("bytes of a value", value.as_ref().map_or(0, Vec::len), MAX_VALUE_BYTES)?;
        }
        Ok(())
    }
}

impl From<BTreeMap<Vec<u8>, Option<Vec<u8>>>> for Batch {
    fn from(operations: BTreeMap<Vec<u8>, Option<Vec<u8>>>) -> Self {
        Self { operations }
    }
}

/// A batch is beyond a limit. Split it; what is too long belongs into a file of its own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found} {what} are refused; the most is {most}")]
pub struct TooLarge {
    found: usize,
    what: &'static str,
    most: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_operation_on_a_key_counts_once() {
        let mut batch = Batch::new();
        batch.put("machine", "first");
        batch.remove("machine");
        batch.put("machine", "second");
        let mut expected = Batch::new();
        expected.put("machine", "second");
        assert_eq!((batch.len(), batch), (1, expected));
    }

    #[test]
    fn the_longest_key_and_value_pass_and_one_byte_more_does_not() {
        let check = |key_bytes: usize, value_bytes: usize| {
            let mut batch = Batch::new();
            batch.put(vec![b'k'; key_bytes], vec![b'v'; value_bytes]);
            batch.check()
        };
        let refused = |key_bytes, value_bytes| check(key_bytes, value_bytes).unwrap_err().to_string();
        assert_eq!(check(MAX_KEY_BYTES, MAX_VALUE_BYTES), Ok(()));
        assert_eq!(refused(MAX_KEY_BYTES + 1, 1), "257 bytes of a key are refused; the most is 256");
        assert_eq!(refused(1, MAX_VALUE_BYTES + 1), "4097 bytes of a value are refused; the most is 4096");
    }
}
