//! What people do that takes more than one transaction: it draws secrets, hashes passwords, or mails.
//!
//! Pages and the API call these functions with what was typed. Each lets [`crate::db`] decide in one transaction, with the mail that goes
//! with it. What is one call of the database is called there directly.

pub mod accounts;
pub mod devices;
pub mod domains;
mod letters;
pub mod passkeys;
pub mod subscriptions;

pub use letters::{invitation, letter, link_path};
