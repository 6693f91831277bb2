//! The simulator's command line. The commands and what becomes of them stand in `lib.rs`.

use std::process::ExitCode;

fn main() -> ExitCode {
    kms_simulator::main()
}
