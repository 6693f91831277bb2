//! A place in a list of a ledger's. Only the ledger that gave it out knows what it means.

use shared::ids::{ID_BYTES, MachineId, ProductId};
use shared::record::key;

/// Where a page ended, and the next one begins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor(pub(crate) Vec<u8>);

impl Cursor {
    /// As it left this process. Whatever the bytes are, no page is harmed by them.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Cursor {
        Cursor(bytes.into())
    }

    /// To leave this process with.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Right behind a machine, in a list of machines.
    pub fn behind(product: ProductId, machine: MachineId) -> Cursor {
        Cursor(key::record(product, machine))
    }

    /// Right before the first machine of a product whose id begins with these bytes, or is greater.
    pub fn before(product: ProductId, id: &[u8]) -> Cursor {
        // Shorter than every id, so it is before the one that it begins.
        let id = &id[..id.len().min(ID_BYTES - 1)];
        Cursor([&[key::RECORDS], product.as_bytes().as_slice(), id].concat())
    }
}
