//! The portal and its command line. The life of the process is told in `daemon.rs`, the commands in `lib.rs`.

use std::process::ExitCode;

fn main() -> ExitCode {
    kms_portal_cli::main()
}
