//! The `fdgr` command.

use std::process::ExitCode;

/// Gives the memory of one feature map to the next, where the system's allocator would return it and fetch it again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    fdgr::cli::main()
}
