//! The file `key`: the product key that was entered, and the ask with it that has no answer yet.
//!
//! Magic `KMSK` | version 1 | key (13) | the encoded signed ask, or nothing | checksum (8). A key is a secret, and an ask contains it,
//! so only the owner of the state reads this. The ask is kept until an answer came: a portal gives the same answer to the same bytes,
//! so a lost answer costs no place. `docs/protocol.md` 7.

use prost::Message as _;
use proto::v1::Signed;
use shared::ids::ProductId;
use shared::product_key::{KeyError, KeyKind, ProductKey};
use shared::reason::Cause;
use zeroize::Zeroizing;

use crate::frame::{self, Damage};

const MAGIC: &[u8; 4] = b"KMSK";
const VERSION: u8 = 1;

/// A product key that was entered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HeldKey {
    pub(crate) key: ProductKey,
    /// Asks with it, or gives its place back, and has no answer yet.
    pub(crate) ask: Option<Signed>,
}

impl HeldKey {
    pub(crate) fn new(key: ProductKey) -> HeldKey {
        HeldKey { key, ask: None }
    }

    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let ask = Zeroizing::new(self.ask.as_ref().map(Signed::encode_to_vec).unwrap_or_default());
        let mut body = Zeroizing::new(Vec::with_capacity(ProductKey::BYTES + ask.len()));
        body.extend_from_slice(self.key.as_bytes());
        body.extend_from_slice(&ask);
        Zeroizing::new(frame::seal(*MAGIC, VERSION, &body))
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<HeldKey, Damage> {
        let body = frame::open(*MAGIC, VERSION, bytes)?;
        let (key, ask) = body.split_at_checked(ProductKey::BYTES).ok_or(Damage::Length)?;
        let key = ProductKey::from_slice(key).map_err(|error| match error {
            // A later release knows the kind.
            KeyError::Newer => Damage::Newer(VERSION),
            _ => Damage::Content,
        })?;
        let ask = Some(ask).filter(|ask| !ask.is_empty()).map(Signed::decode).transpose();
        Ok(HeldKey { key, ask: ask.map_err(|_| Damage::Content)? })
    }
}

/// The key of this product that somebody has typed.
pub(crate) fn read_key(text: &str, product: ProductId) -> Result<ProductKey, Cause> {
    let key: ProductKey = text.parse()?;
    key.check(KeyKind::MultipleActivation, product)?;
    Ok(key)
}
