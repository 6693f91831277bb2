//! The machine's command line as a process of its own, for tests that run it beside a real host or portal.

use std::process::ExitCode;

fn main() -> ExitCode {
    kms_client_cli::main()
}
