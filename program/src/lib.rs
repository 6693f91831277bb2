//! What every program does in the same way: it parses arguments, reads TOML, works as the owner of a directory, prints, and ends with an
//! exit code. `carried` is the file in which asks travel; `csv` writes tables for spreadsheets; `explain` is a command of more than one;
//! `pages` writes manual pages and completions; `typed` reads what a person types. What a program says is its own.

pub mod arguments;
#[cfg(feature = "carried")]
pub mod carried;
pub mod code;
pub mod csv;
pub mod exit;
pub mod explain;
pub mod output;
pub mod owner;
#[cfg(feature = "pages")]
pub mod pages;
#[cfg(feature = "tables")]
pub mod table;
pub mod toml_text;
pub mod typed;
