//! The host daemon and its command line. The life of the process is told in `cli/daemon.rs`, the commands in `cli.rs`.

use std::process::ExitCode;

fn main() -> ExitCode {
    kms_host::cli::main()
}
