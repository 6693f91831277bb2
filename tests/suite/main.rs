//! The suite: stories of the whole, told with real hosts, real machines and a real DNS server on loopback.
//!
//! `stage` sets the scene for all of them, `middle` listens between machine and host,
//! `slow` is a host whose disk stands still. Stories in which a clock is moved are in `tests/clocks`.

#![expect(clippy::unwrap_used, reason = "all of this is a test; clippy sees only the functions marked so")]

mod middle;
mod slow;
mod stage;

mod burst;
mod kills;
mod machines;
mod threshold;

mod damage;
mod discovery;
mod names;
mod replay;
mod revoked;
mod rotation;
mod siblings;
mod trust;

mod admin;
mod attacks;
mod audit;
mod backups;
mod certificates;
mod changes;
mod codes;
mod commands;
mod connections;
mod doctor;
mod failing_disk;
mod fairness;
mod home;
mod inventory;
mod life;
mod looking;
mod odd_files;
mod owner;
mod portal;
mod printing;
mod reasons;
mod seats;
mod settings;
mod sizes;
mod space;
mod supervised;
mod tls;
mod unsigned;

mod architecture;
mod circles;
