//! The `fdgr` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    fdgr::cli::main()
}
