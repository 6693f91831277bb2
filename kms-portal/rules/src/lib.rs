//! What a product key gives, and what people at the vendor's portal may do and have: pure decisions over rows.
//!
//! Rows go in, and a decision comes out. Nothing here reads a clock, draws a random number or knows a database, so these
//! functions are the only place that says who gets a place of a key, who may do what, who has a seat, and until when something
//! works. The portal reads the rows and writes the decision in one transaction.
//!
//! Read next: `keys`, what a product key gives to hosts and machines.
//!
//! Of people: `rights`, who may do what; `offers`, what the vendor sells; `life`, a subscription from its start to its end;
//! `seats`, who gets a licence, and `groups`, who gets one by a group; `conflicts`, who has one that no longer fits; `kept`, what is restored within 30 days;
//! `claimable`, which domains an organisation can have; `domains`, how it proves that one is its own; `devices`, where a person's licence is used;
//! `device_codes`, how a device signs in; `addresses`, which of them are the same; `deliveries`, when a message that could not
//! be delivered is tried again; `guesses`, how often somebody may be wrong;
//! `passwords`, which of them are taken.

pub mod addresses;
pub mod claimable;
pub mod conflicts;
pub mod deliveries;
pub mod device_codes;
pub mod devices;
pub mod domains;
pub mod groups;
pub mod guesses;
pub mod kept;
pub mod keys;
pub mod life;
pub mod offers;
pub mod passwords;
pub mod rights;
pub mod seats;

use std::time::Duration;

/// 24 hours, whatever the calendar says of that day.
pub const DAY: Duration = Duration::from_hours(24);

shared::ids! {
    /// A person: random. Neither an address nor a name decides who somebody is.
    PersonId;
    /// A subscription of an organisation or of a person: random.
    SubscriptionId;
    /// A group of an organisation's people: random.
    GroupId;
    /// A device on which a person has signed in: random.
    DeviceId;
    /// A token of a program that acts for an organisation: random.
    ApiTokenId;
}
