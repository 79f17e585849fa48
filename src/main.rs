//! The `fdgr` command.

use std::process::ExitCode;

mod memory;

use memory::Allocator;

/// Gives the memory of one feature map to the next, where the system's allocator would return it and fetch it again.
#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

fn main() -> ExitCode {
    memory::keep_freed();
    fdgr::cli::main()
}
