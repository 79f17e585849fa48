//! Whole networks by the reference implementations.

use std::cell::Cell;

thread_local! {
    static ON: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` with the references of [`super::NetworkKernels`] in place of the kernels, on this thread.
pub fn by_reference<T>(work: impl FnOnce() -> T) -> T {
    /// Restores the flag, after a panic as well.
    struct Reset(bool);
    impl Drop for Reset {
        fn drop(&mut self) {
            ON.set(self.0);
        }
    }
    let _reset = Reset(ON.replace(true));
    work()
}

/// Whether references are to be used on this thread.
pub(super) fn is_on() -> bool {
    ON.get()
}
