//! Whether a configuration suits an image, before anything is computed.

use super::{Measurement, RestoreConfig};
use crate::error::{Error, Hint, Result, Setting, Subject};

impl RestoreConfig {
    /// Whether it can restore an image of `size` (height, width); computes nothing.
    ///
    /// # Errors
    /// Parameters outside their range, sizes that do not fit the degradation, and methods that need what it does not have.
    pub fn check_for(&self, size: [usize; 2]) -> Result<()> {
        self.check()?;
        self.degradation.check(size)?;
        if self.degradation.is_quantized() && self.degradation.magnifies() {
            let fact = "cells of JPEG do not say how far a blur or noise before them can be undone";
            let hint = "leave jpeg out of the tasks: the others take compression for noise";
            return Err(Error::mismatch(Setting::DEGRADATION, fact, hint));
        }
        let extent = Measurement::extent(&self.degradation, self.border, size)?;
        if !self.method.needs(self.sigma).spectrum {
            return Ok(());
        }
        let method = Subject::given(Setting::METHOD, self.method.name());
        if extent != size {
            return Err(Error::mismatch(
                method,
                "it needs the singular values of the blur, which light from beyond a photograph's border hides",
                Hint::set(Setting::BORDER, "periodic").or("choose another method"),
            ));
        }
        if self.degradation.single().is_none() {
            let fact = "it needs singular values, which are not known of several kinds of degradation at once";
            return Err(Error::mismatch(method, fact, "choose another method"));
        }
        Ok(())
    }
}
