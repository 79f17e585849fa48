//! What of a run fits the memory of its device: whole images, or windows of them.

use crate::device::Selected;
use crate::error::{Error, Result};
use crate::prior::{Prior, SMALLEST_WINDOW};

/// What a run with a prior needs of its device.
pub(super) struct Budget<'a> {
    pub prior: &'a Prior,
    pub device: &'a Selected,
    /// Whether the method differentiates through the prior.
    pub derivatives: bool,
    /// Whether what the blur did not make is looked for, which keeps a first result.
    pub robust: bool,
}

/// Sides up to this are never divided where the memory allows it.
const LARGEST_WINDOW: usize = 1024;
/// Images of the whole size that are alive at once beside the network: the state, the estimate, the measurement, spectra.
const WHOLE_IMAGES: u64 = 12;
/// Those that a search for outliers keeps: the first result, the photo, its data, masks.
const MORE_IMAGES: u64 = 8;

/// Large enough to be refused, small enough for the footprint's arithmetic.
fn pixels([height, width]: [usize; 2]) -> usize {
    height.checked_mul(width).unwrap_or(usize::MAX / 4096)
}

/// Bytes of one tensor of so many pixels for each of `batch` images.
fn images(pixels: usize, batch: usize) -> u64 {
    (pixels as u64).saturating_mul(3 * size_of::<f32>() as u64).saturating_mul(batch as u64)
}

impl Budget<'_> {
    /// Whether `batch` images of `size` (height, width) fit in windows of at most `side`.
    fn fits_in(&self, size: [usize; 2], side: usize, batch: usize) -> bool {
        let pixels = pixels(size);
        let window = size[0].min(side).saturating_mul(size[1].min(side)).min(pixels);
        let network = self.prior.working_memory(window, batch, self.derivatives);
        let count = WHOLE_IMAGES + if self.robust { MORE_IMAGES } else { 0 };
        let whole = if window < pixels { count.saturating_mul(images(pixels, batch)) } else { 0 };
        let largest = self.prior.largest_tensor(window, batch).max(images(pixels, batch));
        network.saturating_add(whole) <= self.device.memory
            && self.device.max_tensor.is_none_or(|limit| largest <= limit)
    }

    /// Whether `batch` images of `size` (height, width) fit in windows as large as memory never divides.
    pub fn fits(&self, size: [usize; 2], batch: usize) -> bool {
        self.fits_in(size, LARGEST_WINDOW, batch)
    }

    /// The side of the windows that a run has, which a whole image may be smaller than: the largest that fits.
    fn window(&self, size: [usize; 2], batch: usize) -> Option<usize> {
        let sides = (SMALLEST_WINDOW..=LARGEST_WINDOW).rev().step_by(64);
        // Whatever the size, an image that is smaller than the smallest window is whole.
        sides.into_iter().find(|&side| self.fits_in(size, side, batch))
    }

    /// The side of a run's windows.
    ///
    /// # Errors
    /// Images of which not even windows fit, with the size that would.
    pub fn window_for(&self, [height, width]: [usize; 2], batch: usize) -> Result<usize> {
        if let Some(side) = self.window([height, width], batch) {
            return Ok(side);
        }
        let pixels = pixels([height, width]);
        let mut side = 16;
        while self.window([side + 16, side + 16], batch).is_some() {
            side += 16;
        }
        let window = (SMALLEST_WINDOW * SMALLEST_WINDOW).min(pixels);
        let largest = self.prior.largest_tensor(window, batch).max(images(pixels, batch));
        let by_tensor = self.device.max_tensor.filter(|&limit| largest > limit);
        let (needed, available) = match by_tensor {
            Some(limit) => (largest, limit),
            None => {
                let network = self.prior.working_memory(window, batch, self.derivatives);
                (network.saturating_add(WHOLE_IMAGES.saturating_mul(images(pixels, batch))), self.device.memory)
            }
        };
        Err(Error::TooLarge {
            width,
            height,
            needed_mib: needed >> 20,
            available_mib: available >> 20,
            device: match by_tensor {
                Some(_) => format!("a buffer of {}", self.device.description),
                None => self.device.description.clone(),
            },
            side,
        })
    }
}
