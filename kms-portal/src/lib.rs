//! The vendor's online service: which product keys were sold, and which hosts and machines they activate.
//!
//! It holds an issuing key that a root has signed for a year, and never a root. `rules` is what a key allows.

pub mod rules;
