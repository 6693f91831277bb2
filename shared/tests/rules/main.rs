//! The rules of activation from outside: what a reader of `docs/protocol.md` would want to see hold.
//!
//! One binary, so that it links once. `kit` makes signed things from fixed keys and a ledger in memory; the stories
//! tell each rule at its edges; the properties let chance look for what the stories forgot; the vectors hold the
//! bytes. What a module checks of its own private parts stands beside it in `src`.
#![expect(
    clippy::unwrap_used,
    reason = "all of this is tests, and a kit that cannot make a message has failed one"
)]
#![expect(clippy::needless_raw_string_hashes, reason = "expect_test writes its literals with them")]

// The name by which the other crates know it.
extern crate kms_shared as shared;

mod books;
mod kit;

mod license_script;

mod account_license_stories;
mod account_stories;
mod admission_stories;
mod answer_stories;
mod armour_stories;
mod certificate_stories;
mod code_stories;
mod copy_stories;
mod count_stories;
mod exchange_stories;
mod host_code_stories;
mod key_license_stories;
mod key_stories;
mod license_stories;
mod portal_stories;
mod shown_stories;
mod telephone_stories;

mod properties;

mod vector_files;

mod account_vectors;
mod bad_portal_vectors;
mod bad_vectors;
mod code_vectors;
mod key_vectors;
mod portal_vectors;
mod record_vectors;
mod signed_vectors;
mod telephone_vectors;
