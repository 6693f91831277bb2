//! The exit codes that scripts see, as in BSD's sysexits.h.

/// The arguments are wrong.
pub const EX_USAGE: u8 = 64;
/// The contents of a file are wrong.
pub const EX_DATAERR: u8 = 65;
/// A file is missing or cannot be read.
pub const EX_NOINPUT: u8 = 66;
/// A service is not available.
pub const EX_UNAVAILABLE: u8 = 69;
/// This program is wrong.
pub const EX_SOFTWARE: u8 = 70;
/// A file exists already, or cannot be created.
pub const EX_CANTCREAT: u8 = 73;
/// The disk or standard output has failed.
pub const EX_IOERR: u8 = 74;
/// Nothing is wrong, but it has to be tried again later.
pub const EX_TEMPFAIL: u8 = 75;
/// This user may not do this.
pub const EX_NOPERM: u8 = 77;
/// Settings are wrong, or something that has to be installed is missing.
pub const EX_CONFIG: u8 = 78;
