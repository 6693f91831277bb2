//! What every program does in the same way: it parses arguments, reads TOML, works as the owner of a directory, prints, and ends with an
//! exit code. `explain` is a command of more than one. What a program says is its own.

pub mod arguments;
pub mod code;
pub mod exit;
pub mod explain;
pub mod output;
pub mod owner;
pub mod toml_text;
