//! Inpainting: `y` is the picture with unknown pixels set to 0.

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::{LinearOperator, Preconditioner, Spectral, filter_flat};
use crate::error::{Error, Result};

/// Which pixels are known, row by row. A recipe stores the runs of known and unknown pixels in turn, known first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mask {
    height: usize,
    width: usize,
    runs: Vec<usize>,
}

impl Mask {
    /// The mask with `known(y, x)`.
    pub fn from_fn(height: usize, width: usize, known: impl Fn(usize, usize) -> bool) -> Self {
        let mut runs = vec![0];
        let mut current = true;
        for i in 0..height * width {
            if known(i / width, i % width) != current {
                current = !current;
                runs.push(0);
            }
            if let Some(run) = runs.last_mut() {
                *run += 1;
            }
        }
        Self { height, width, runs }
    }

    /// Height and width.
    pub fn size(&self) -> [usize; 2] {
        [self.height, self.width]
    }

    /// Known pixels as 1, unknown ones as 0.
    pub fn values(&self) -> Vec<f32> {
        let run = |(i, &length): (usize, &usize)| std::iter::repeat_n(if i % 2 == 0 { 1.0 } else { 0.0 }, length);
        self.runs.iter().enumerate().flat_map(run).collect()
    }
}

/// Product with a mask.
#[derive(Debug)]
pub struct Inpainting {
    mask: Tensor<4>,
    known: usize,
}

impl Inpainting {
    /// The operator of `mask` for images of `height` x `width`.
    ///
    /// # Errors
    /// A mask of another size, or one that knows no pixel.
    pub fn new(mask: &Mask, height: usize, width: usize, device: &Device) -> Result<Self> {
        // Before the runs are written out: a recipe may say anything.
        let covered = mask.runs.iter().try_fold(0usize, |sum, &run| sum.checked_add(run));
        if mask.size() != [height, width] || covered != Some(height * width) {
            return Err(Error::Mismatch {
                what: "mask".into(),
                fact: format!("it is {}x{}, but the picture is {width}x{height}", mask.width, mask.height),
                remedy: "resize the mask to the picture".into(),
            });
        }
        let values = mask.values();
        let known = values.iter().filter(|&&v| v > 0.0).count();
        if known == 0 {
            return Err(Error::Mismatch {
                what: "mask".into(),
                fact: "it leaves no pixel of the picture".into(),
                remedy: "mark in white only what is to be filled in, or pass --invert-mask".into(),
            });
        }
        let mask = Tensor::from_data(TensorData::new(values, [1, 1, height, width]), device);
        Ok(Self { mask, known })
    }
}

impl LinearOperator for Inpainting {
    fn image_size(&self) -> [usize; 2] {
        let [_, _, h, w] = self.mask.dims();
        [h, w]
    }

    fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        x * self.mask.clone()
    }

    fn adjoint(&self, y: Tensor<4>) -> Tensor<4> {
        y * self.mask.clone()
    }

    fn preconditioned_adjoint(&self, y: Tensor<4>, preconditioner: Preconditioner) -> Tensor<4> {
        self.adjoint(y * preconditioner.gain(1.0))
    }

    fn spectral(&self) -> Option<&dyn Spectral> {
        Some(self)
    }
}

impl Spectral for Inpainting {
    fn singular_values(&self) -> Vec<f32> {
        vec![1.0; self.known]
    }

    fn filter(&self, x: Tensor<4>, f: &dyn Fn(f64) -> f64) -> Tensor<4> {
        filter_flat(self, 1.0, x, f)
    }
}

#[cfg(test)]
mod tests {
    use super::Mask;

    #[test]
    fn runs_give_the_values_back() {
        let known = |y: usize, x: usize| (y + 2 * x) % 3 == 1;
        let mask = Mask::from_fn(4, 5, known);
        let expected: Vec<f32> = (0..20).map(|i| if known(i / 5, i % 5) { 1.0 } else { 0.0 }).collect();
        assert_eq!(mask.values(), expected);
    }
}
