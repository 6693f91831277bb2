//! Stories in which time passes, clocks are wrong, or somebody copies a disk.
//!
//! Hosts and machines are the real ones, with real sockets, ledgers and signatures; they live in this process, where a
//! story moves their clocks. The numbers are those of production. `world.rs` has the words in which the stories are told.

#![expect(clippy::unwrap_used, reason = "all of this is a test; clippy sees only the functions marked so")]

mod world;

mod copies;
mod disks;
mod newcomers;
mod siblings;

mod counting;
mod evidence;
mod renewal;

mod host_clock;
mod machine_clock;
mod portal;
