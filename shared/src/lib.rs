//! The rules of activation: what is counted, who is licensed, what is believed, and why somebody is refused.
//!
//! Everything here is pure. The time, the randomness and the bytes are arguments; there is no clock, no input or
//! output and nothing that waits, and `no_std` holds that without a review. The shells (`kms-client`, `kms-host`,
//! `kms-vendor`) read clocks, sockets and disks, and do what is decided here. `docs/protocol.md` says what the rules mean;
//! each module names its section.
//!
//! Read in the order of the `mod` lines: the words first, then what is signed, then the two sides that decide.
#![no_std]

extern crate alloc;

mod named;

pub mod features;
pub mod ids;
pub mod policy;
pub mod print;
pub mod reason;
#[cfg(feature = "explain")]
pub mod spelling;
pub mod time;

pub mod answer;
pub mod armour;
pub mod ask;
pub mod certificate;
pub mod envelope;
#[cfg(feature = "files")]
pub mod files;
pub mod revocation;

#[cfg(feature = "keys")]
pub mod groups;
#[cfg(feature = "keys")]
pub mod portal_address;
#[cfg(feature = "keys")]
pub mod product_key;

#[cfg(feature = "keys")]
pub mod activation;
#[cfg(feature = "keys")]
pub mod confirmation;
#[cfg(feature = "keys")]
pub mod parts;

#[cfg(feature = "accounts")]
pub mod user_lease;

#[cfg(feature = "codes")]
pub mod codes;
#[cfg(feature = "codes")]
pub mod telephones;

pub mod admission;
pub mod count;
pub mod doubt;
pub mod fair;
mod history;
pub mod inventory;
pub mod record;
mod rows;
pub mod serial;

pub mod exchange;
pub mod license;
pub mod srv;

#[cfg(feature = "testing")]
pub mod testing;

/// The service label under which hosts are found: `_kms-activation._tcp.<domain>`.
pub const SERVICE_LABEL: &str = "_kms-activation._tcp";

/// The port of a host that is named without one.
pub const DEFAULT_PORT: u16 = 21688;

/// The largest message that either side reads, in bytes.
///
/// An ask with a sibling's chain stays under 2 KiB; the rest is room for what a later release may add.
pub const MAX_MESSAGE_BYTES: usize = 16 * 1024;
