//! For the tests of `load`: results that a real tally has counted, and a host inside this process.

pub(super) mod results;
pub(super) mod stage;
