//! Time spent in each kind of network layer.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use burn::tensor::{Device, Tensor};

/// The calls of one kind of operation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Calls {
    /// How many there were.
    pub count: usize,
    /// Time of all of them.
    pub time: Duration,
}

thread_local! {
    static PROFILE: RefCell<Option<BTreeMap<String, Calls>>> = const { RefCell::new(None) };
}

/// The result of `work`, and the calls of [`super::NetworkKernels`] in it, on this thread, by kind and size. The device
/// is synchronised before and after each call. Profiles do not nest.
pub fn profile<T>(work: impl FnOnce() -> T) -> (T, BTreeMap<String, Calls>) {
    /// Ends the profile, after a panic as well.
    struct End;
    impl Drop for End {
        fn drop(&mut self) {
            PROFILE.take();
        }
    }
    PROFILE.replace(Some(BTreeMap::new()));
    let _end = End;
    let result = work();
    (result, PROFILE.take().unwrap_or_default())
}

/// Runs `work`, and adds its time to the profile if one is taken.
pub(super) fn timed<const D: usize>(
    device: &Device,
    kind: impl FnOnce() -> String,
    work: impl FnOnce() -> Tensor<D>,
) -> Tensor<D> {
    if PROFILE.with_borrow(Option::is_none) {
        return work();
    }
    // A device that fails shows where its results are read.
    _ = device.sync();
    let begun = Instant::now();
    let result = work();
    _ = device.sync();
    let time = begun.elapsed();
    PROFILE.with_borrow_mut(|profile| {
        let calls = profile.get_or_insert_default().entry(kind()).or_default();
        calls.count += 1;
        calls.time += time;
    });
    result
}
