//! Main memory of the program.

use libmimalloc_sys::{mi_option_set_default, mi_option_t};
pub use mimalloc::MiMalloc;

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
