//! Whether a run fits the memory of its device.

use crate::device::Selected;
use crate::error::{Error, Result};
use crate::prior::Prior;

/// What a run with a prior needs of its device.
pub(super) struct Budget<'a> {
    pub prior: &'a Prior,
    pub device: &'a Selected,
    /// Whether the method differentiates through the prior.
    pub derivatives: bool,
}

impl Budget<'_> {
    /// Whether `batch` images of so many pixels fit.
    pub fn fits(&self, pixels: usize, batch: usize) -> bool {
        self.prior.working_memory(pixels, batch, self.derivatives) <= self.device.memory
            && self.device.max_tensor.is_none_or(|limit| self.prior.largest_tensor(pixels, batch) <= limit)
    }

    /// Refuses images that do not fit, with the size that would.
    pub fn check(&self, [height, width]: [usize; 2], batch: usize) -> Result<()> {
        // Large enough to be refused, small enough for the footprint's arithmetic.
        let pixels = height.checked_mul(width).unwrap_or(usize::MAX / 4096);
        if self.fits(pixels, batch) {
            return Ok(());
        }
        let mut side = 16;
        while self.fits((side + 16) * (side + 16), batch) {
            side += 16;
        }
        let largest = self.prior.largest_tensor(pixels, batch);
        let by_tensor = self.device.max_tensor.filter(|&limit| largest > limit);
        let (needed, available) = match by_tensor {
            Some(limit) => (largest, limit),
            None => (self.prior.working_memory(pixels, batch, self.derivatives), self.device.memory),
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
