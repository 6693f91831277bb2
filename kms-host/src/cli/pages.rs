//! What packages carry beside the program: completions for shells, and manual pages, both made from the command line itself.

use std::fs;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, EX_CANTCREAT, Failure, OrExit};

/// A script that completes `kms-host` in this shell.
pub(super) fn completions(shell: Shell) -> Result<String, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "kms-host", &mut script);
    String::from_utf8(script).or_exit(EX_CANTCREAT)
}

/// Writes `kms-host.1` and a page for each command into a directory.
pub(super) fn manual(directory: &Path) -> Result<String, Failure> {
    let written =
        fs::create_dir_all(directory).and_then(|()| clap_mangen::generate_to(Cli::command(), directory));
    written.or_exit(EX_CANTCREAT)?;
    Ok(format!("Wrote the manual pages into {}.\n", directory.display()))
}
