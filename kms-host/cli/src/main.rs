//! The host daemon and its command line. The life of the process is told in `daemon.rs`, the commands in `lib.rs`.

use std::process::ExitCode;

fn main() -> ExitCode {
    kms_host_cli::main()
}
