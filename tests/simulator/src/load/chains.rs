//! The chains that hosts have sent, each kept once.
//!
//! A hundred thousand machines get the same few hundred bytes, and each has to name them in its next ask and bring them
//! along if a host asks for them. They are unverified here: `verify` verifies each once, when the clock has stopped.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use proto::v1;
use shared::exchange::Digest;

/// Hosts have a handful of chains. More than this are made up, and no longer remembered.
const CHAINS_MAX: usize = 256;

/// A chain as a host has sent it, unverified.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SeenChain {
    /// SHA-256 of the bytes, as an ask names the chain.
    pub(crate) digest: [u8; 32],
    /// The encoded chain.
    pub(crate) encoded: Bytes,
}

impl Digest for SeenChain {
    fn digest(&self) -> [u8; 32] {
        self.digest
    }
}

/// Every chain that was seen. A clone shares them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chains(Arc<Mutex<HashMap<[u8; 32], Arc<SeenChain>>>>);

impl Chains {
    /// The chain of an answer, or `known` if the answer leaves it out.
    pub(crate) fn of(&self, answer: &v1::Answer, known: Option<Arc<SeenChain>>) -> Option<Arc<SeenChain>> {
        if answer.chain.is_empty() { known } else { Some(self.keep(&answer.chain)) }
    }

    /// The one copy of this chain. Its bytes are copied, because those of the answer are a slice of a connection's buffer.
    pub(crate) fn keep(&self, encoded: &[u8]) -> Arc<SeenChain> {
        let digest = shared::envelope::digest(encoded);
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = seen.get(&digest) {
            return Arc::clone(known);
        }
        let chain = Arc::new(SeenChain { digest, encoded: Bytes::copy_from_slice(encoded) });
        if seen.len() < CHAINS_MAX {
            seen.insert(digest, Arc::clone(&chain));
        }
        chain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_kept_once_however_often_it_comes() {
        let chains = Chains::default();
        let (first, again, other) = (chains.keep(b"one"), chains.keep(b"one"), chains.keep(b"two"));
        assert!(Arc::ptr_eq(&first, &again) && first != other);
        for number in 0..2 * CHAINS_MAX {
            chains.keep(&number.to_be_bytes());
        }
        assert_eq!(chains.0.lock().unwrap().len(), CHAINS_MAX, "invented chains do not fill the memory");
    }
}
