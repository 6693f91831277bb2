//! The client's command line. The life of the process is told in `lib.rs`, the commands in `cli.rs`.

use std::process::ExitCode;

fn main() -> ExitCode {
    kms_client_cli::main()
}
