//! The `fdgr` command.

use std::process::ExitCode;

mod memory;

use memory::MiMalloc;

/// Gives the memory of one feature map to the next, where the system's allocator would return it and fetch it again.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    memory::keep_freed();
    fdgr::cli::main()
}
