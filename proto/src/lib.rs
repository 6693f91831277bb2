//! The messages of the activation protocol, and by feature its gRPC stubs.
//!
//! The code under `src/gen` is generated from `kms/**/*.proto` and checked in, so that no build of a vendor's product
//! needs a protobuf compiler or a build script. `tests/generated.rs` generates it again and fails on a difference.
//! Without a feature the crate is `no_std` and holds messages alone: the rules in `shared` decode them after
//! verification. What the messages mean is told in `docs/protocol.md`.
#![cfg_attr(not(any(feature = "client", feature = "server")), no_std)]

/// `kms.v1`: what machines and hosts say to each other, what is signed, and the files between host and vendor.
#[rustfmt::skip]
#[path = "gen/kms.v1.rs"]
pub mod v1;

pub mod admin;
pub mod portal;
pub mod state;
pub mod vendor;

/// Every `.proto` of this crate as an encoded `FileDescriptorSet`, for gRPC reflection.
#[cfg(feature = "server")]
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("gen/descriptors.bin");
