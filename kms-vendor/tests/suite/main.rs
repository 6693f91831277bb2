//! The vendor's stories: what the library does, what the binary says, and the bytes that outlive a release.

#![expect(clippy::unwrap_used, reason = "all of this is a test; clippy sees only the functions marked so")]

mod code_key;
#[cfg(unix)]
mod custody;
mod interrupted;
mod issuing;
mod portal_key;
mod products;
mod revoking;
mod rotation;
mod starting;
mod telephones;
#[cfg(unix)]
mod token;

mod binary;
#[cfg(unix)]
mod odd_files;

mod vectors;

use std::convert::Infallible;
use std::path::PathBuf;
use std::time::Duration;

use kms_vendor::{Allow, Contract, IssueRequest, Issued, NewProduct, Product, Signer, Vendor, VendorError};
use shared::certificate::{Chain, ChainError, Roots};
use shared::envelope::SecretKey;
use shared::files::{self, HostRequest};
use shared::policy::Policy;
use shared::time::{Timestamp, from_ms};
use tempfile::TempDir;

const DAY: Duration = Duration::from_hours(24);
const YEAR: Duration = Duration::from_hours(365 * 24);
const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);

/// A vendor in a directory of its own, made from fixed randomness.
struct World {
    home: TempDir,
    vendor: Vendor,
    rng: Counting,
}

impl World {
    fn new() -> World {
        let home = tempfile::tempdir().unwrap();
        let mut rng = Counting(0);
        let vendor = Vendor::init(&home.path().join("vendor"), &mut rng).unwrap();
        World { home, vendor, rng }
    }

    /// One with the product "Example CAD".
    fn with_product() -> World {
        let mut world = World::new();
        world.add("Example CAD", Policy::CLIENT, false).unwrap();
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.vendor.dir().join(name)
    }

    fn add(&mut self, name: &str, policy: Policy, test: bool) -> Result<Product, VendorError> {
        let name = name.to_owned();
        self.vendor.add_product(
            NewProduct { name, id: None, policy, test, contract: Contract::default() },
            &mut self.rng,
        )
    }

    /// Issues a certificate to the usual host, with the request changed as the story wants it.
    fn issue(&mut self, change: impl FnOnce(&mut IssueRequest<'_>)) -> Result<Issued, VendorError> {
        self.issue_to(&request_pem(7, HOUR_MS), change)
    }

    /// As [`World::issue`], to whoever has sent this.
    fn issue_to(
        &mut self,
        request_pem: &str,
        change: impl FnOnce(&mut IssueRequest<'_>),
    ) -> Result<Issued, VendorError> {
        let mut request = IssueRequest {
            request_pem,
            product: "Example CAD",
            organisation: "Example University",
            allow: Allow::default(),
            not_before: NOW,
            valid_for: YEAR,
            signer: Signer::Root1,
            test: false,
            now: NOW,
            contract: Contract::default(),
        };
        change(&mut request);
        self.vendor.issue(&request, &mut self.rng)
    }

    fn journal(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(self.path("issued.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

const HOUR_MS: i64 = 3_600_000;

/// What `kms-host init` writes, for the host whose key is made from this byte.
fn request_pem(host: u8, hour_width_ms: i64) -> String {
    HostRequest::to_pem(&SecretKey::from_seed(&[host; 32]), from_ms(hour_width_ms).unwrap())
}

/// What `kms-host install-certificate` does with the file, under these roots.
fn verify(pem: &str, roots: [[u8; 32]; 2]) -> Result<Chain, ChainError> {
    let (chain, _) = files::certificates_from_pem(pem.as_bytes()).unwrap().remove(0);
    Chain::verify(&chain, &Roots::new(roots.iter().map(<[u8; 32]>::as_slice)).unwrap())
}

/// Randomness for stories and vectors: counts up, so that the same calls give the same bytes in every release.
struct Counting(u8);

impl rand::TryRng for Counting {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for byte in bytes {
            self.0 = self.0.wrapping_add(1);
            *byte = self.0;
        }
        Ok(())
    }
}

impl rand::TryCryptoRng for Counting {}
