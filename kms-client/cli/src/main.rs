//! The client's command line. `lib.rs` has the life of the process, `cli.rs` the commands.

use std::process::ExitCode;

fn main() -> ExitCode {
    kms_client_cli::main()
}
