//! A machine's identity: its key pair, and when the installation began.
//!
//! The file is 53 bytes: magic `KMSI` | version 1 | seed (32) | installed_at (i64, big-endian) | checksum (8). It is
//! written once. The beginning is in this file too, so that a damaged `saved` restarts no grace. `docs/protocol.md` 7.

use std::io;

use shared::envelope::SecretKey;
use shared::ids::MachineId;
use shared::time::Timestamp;
use zeroize::Zeroizing;

use crate::frame::{self, Damage};
use crate::random;

const MAGIC: &[u8; 4] = b"KMSI";
const VERSION: u8 = 1;
const SEED_BYTES: usize = 32;
const BODY_BYTES: usize = SEED_BYTES + 8;

/// Who this machine is.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) key: SecretKey,
    /// When the installation began. Later keys of the same installation keep it, because grace belongs to the installation.
    pub(crate) installed_at: Timestamp,
}

impl Identity {
    /// A new key.
    pub(crate) fn make(installed_at: Timestamp) -> io::Result<Identity> {
        let seed = Zeroizing::new(random::bytes::<SEED_BYTES>()?);
        let key = SecretKey::from_seed(&seed);
        Ok(Identity { key, installed_at })
    }

    pub(crate) fn machine(&self) -> MachineId {
        self.key.public().machine()
    }

    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut body = Zeroizing::new(Vec::with_capacity(BODY_BYTES));
        body.extend_from_slice(self.key.seed().as_slice());
        body.extend_from_slice(&self.installed_at.unix_ms().to_be_bytes());
        Zeroizing::new(frame::seal(*MAGIC, VERSION, &body))
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Identity, Damage> {
        let body = frame::open(*MAGIC, VERSION, bytes)?;
        let (seed, installed_at) = body.split_first_chunk::<SEED_BYTES>().ok_or(Damage::Length)?;
        let installed_at = installed_at.try_into().map_err(|_| Damage::Length)?;
        let installed_at = Timestamp::from_unix_ms(i64::from_be_bytes(installed_at));
        Ok(Identity { key: SecretKey::from_seed(seed), installed_at })
    }
}
