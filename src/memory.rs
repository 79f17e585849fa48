//! Main memory of the program.

use std::alloc::{GlobalAlloc, Layout};
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

use libmimalloc_sys::{mi_option_set_default, mi_option_t};
use mimalloc::MiMalloc;

/// mimalloc; where no memory is left, the program ends with a sentence.
pub struct Allocator;

// Every call is passed on as it is, and a null pointer never comes back.
#[expect(unsafe_code, reason = "allocators are called by unsafe functions")]
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as that of the caller.
        there(unsafe { MiMalloc.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as that of the caller.
        there(unsafe { MiMalloc.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as that of the caller.
        there(unsafe { MiMalloc.realloc(block, layout, size) }, size)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as that of the caller.
        unsafe { MiMalloc.dealloc(block, layout) }
    }
}

/// A block of that many bytes, if there is one.
fn there(block: *mut u8, size: usize) -> *mut u8 {
    if block.is_null() {
        end(size);
    }
    block
}

/// Ends the program: allocators must not panic. Nothing here allocates; temporary files are removed by the next run.
#[cold]
fn end(size: usize) -> ! {
    // Its address names the thread.
    thread_local!(static THREAD: u8 = const { 0 });
    static ENDING: AtomicUsize = AtomicUsize::new(0);
    let own = THREAD.with(|thread| std::ptr::from_ref(thread) as usize);
    match ENDING.compare_exchange(0, own, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => {}
        // What the system does at the end may allocate.
        Err(first) if first == own => std::process::abort(),
        // The first one says it.
        Err(_) => loop {
            std::thread::sleep(std::time::Duration::from_secs(1));
        },
    }
    let mut text = [0; 160];
    let mut rest = &mut text[..];
    let megabytes = size.div_ceil(1_000_000);
    _ = writeln!(
        rest,
        "fdgr: error: the memory does not suffice: {megabytes} MB more were needed; close other programs, or take a smaller picture"
    );
    let unused = rest.len();
    _ = std::io::stderr().write_all(&text[..text.len() - unused]);
    std::process::exit(1)
}

/// `mi_option_purge_delay` of `mimalloc.h`, which the bindings leave out: milliseconds, or -1 for never.
const PURGE_DELAY: mi_option_t = 15;

/// Tells mimalloc never to return freed pages to the operating system.
///
/// Peak memory is therefore held until exit. By itself mimalloc returns pages after a second; where a step takes longer than
/// that, every feature map would be fetched and cleared anew. A step of the built-in prior at 1536x1536 takes 2.8 s so, and 3.8 s
/// without. `MIMALLOC_PURGE_DELAY` in the environment takes precedence.
pub fn keep_freed() {
    // Sets one number, which mimalloc reads by atomic operations: sound at any time and on any thread.
    #[expect(unsafe_code, reason = "mimalloc has no other setting that a program can make for itself")]
    unsafe {
        mi_option_set_default(PURGE_DELAY, -1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_is_the_one_meant() {
        #[expect(unsafe_code, reason = "reads one number")]
        let delay = unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
        assert!(
            std::env::var_os("MIMALLOC_PURGE_DELAY").is_some() || delay == 1000,
            "{delay} is not mimalloc's default"
        );
    }
}
