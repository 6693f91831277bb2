//! The portal as a process of its own, for tests that kill it.

use std::process::ExitCode;

fn main() -> ExitCode {
    kms_portal_cli::main()
}
