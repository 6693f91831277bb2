//! A product that is built without keys or codes, on a machine where another program has entered both. It deletes nothing of these.
//!
//! The state is `kms-client`'s vector of a machine by a code. The product carries no code key, so it is not licensed here, whatever
//! is built into it.

#![expect(clippy::unwrap_used, reason = "all of this is a test; clippy sees only the functions marked so")]

use std::fs;
use std::path::{Path, PathBuf};

use kms_client::{Client, Product};
use prost::Message as _;
use proto::state::v1::Saved;
use tempfile::TempDir;

const VECTOR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../kms-client/tests/vectors/v1-by-code");

/// The public halves of the seeds of ones and of twos, which the vectors' vendor has for roots.
const ROOTS: [[u8; 32]; 2] = [
    [
        0x8a, 0x88, 0xe3, 0xdd, 0x74, 0x09, 0xf1, 0x95, 0xfd, 0x52, 0xdb, 0x2d, 0x3c, 0xba, 0x5d, 0x72, 0xca,
        0x67, 0x09, 0xbf, 0x1d, 0x94, 0x12, 0x1b, 0xf3, 0x74, 0x88, 0x01, 0xb4, 0x0f, 0x6f, 0x5c,
    ],
    [
        0x81, 0x39, 0x77, 0x0e, 0xa8, 0x7d, 0x17, 0x5f, 0x56, 0xa3, 0x54, 0x66, 0xc3, 0x4c, 0x7e, 0xcc, 0xcb,
        0x8d, 0x8a, 0x91, 0xb4, 0xee, 0x37, 0xa2, 0x5d, 0xf6, 0x0f, 0x5b, 0x8f, 0xc9, 0xb3, 0x94,
    ],
];

struct Machine {
    folder: TempDir,
}

impl Machine {
    fn new() -> Machine {
        let machine = Machine { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(machine.file("")).unwrap();
        for name in ["identity", "saved", "key"] {
            fs::copy(Path::new(VECTOR).join(name), machine.file(name)).unwrap();
        }
        machine
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("0b".repeat(16)).join(name)
    }

    fn product(&self) -> Client {
        let product = Product::new([0x0b; 16], "Editor", ROOTS);
        Client::builder(product)
            .state_dir(self.folder.path())
            .fingerprint_source("this machine")
            .build()
            .unwrap()
    }

    /// Magic, a version byte, the message, a checksum of eight bytes.
    fn saved(&self) -> Saved {
        let bytes = fs::read(self.file("saved")).unwrap();
        Saved::decode(&bytes[5..bytes.len() - 8]).unwrap()
    }

    /// Has the product ask, which fails here and is saved, and checks what others have entered.
    async fn asks_and_keeps(&self, has_key: bool) {
        let before = self.saved();
        assert!(before.key_number.len() == 5 && before.confirmation_by_code.is_some());
        let product = self.product();
        assert!(!product.state().is_licensed());
        assert_eq!(product.snapshot().troubles, []);
        let round = product.activate().await.unwrap();
        let after = self.saved();
        assert_eq!(after.last_reason, round.outcome.cause().unwrap().code, "it was written");
        assert_eq!(after.key_number, before.key_number);
        assert_eq!(after.confirmation_by_code, before.confirmation_by_code);
        assert_eq!(after.hardware_changed_at, before.hardware_changed_at);
        if has_key {
            let key = |path: &Path| fs::read(path).unwrap()[..18].to_vec();
            assert_eq!(key(&self.file("key")), key(&Path::new(VECTOR).join("key")));
        }
    }
}

#[tokio::test(flavor = "current_thread")]
async fn what_another_program_has_entered_stays() {
    Machine::new().asks_and_keeps(true).await;
}

/// A confirmation needs no key file. Only who reads codes may find that one confirms nothing.
#[cfg(feature = "keys")]
#[tokio::test(flavor = "current_thread")]
async fn a_code_that_this_build_does_not_read_stays_without_its_key() {
    let machine = Machine::new();
    fs::remove_file(machine.file("key")).unwrap();
    machine.asks_and_keeps(false).await;
}
