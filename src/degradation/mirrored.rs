//! Symmetric kernels with mirrored borders, in the frequency domain.

use burn::tensor::{Device, Tensor};

use super::{Convolution, LinearOperator, Preconditioner, Spectral, psf::Kernel};

/// A convolution whose image is mirrored beyond its borders, the border pixels repeated; with every `scale`-th pixel where it
/// reduces.
///
/// It is the circular convolution `C` of the image and its mirror images side by side, `A = ½ Eᵀ C E` for each axis with the extension
/// `E`. Extensions are symmetric, a symmetric kernel keeps them so, and so do functions of `C Cᵀ` and `Cᵀ C`: all of them
/// are the circular ones of the extension, cropped. Costs four times the pixels, and no decomposition.
pub struct Mirrored {
    circular: Convolution,
    image: [usize; 3],
    measured: [usize; 3],
}

impl Mirrored {
    /// Bicubic reduction by `scale` of images `[channels, height, width]`, the operator of
    /// [`Separable::bicubic`](super::Separable::bicubic).
    ///
    /// # Panics
    /// If `scale` is 0.
    pub fn bicubic(scale: usize, image: [usize; 3], device: &Device) -> Self {
        let [channels, height, width] = image;
        let circular =
            Convolution::folded(&Kernel::bicubic_of_blocks(scale), scale, [channels, 2 * height, 2 * width], device);
        Self { circular, image, measured: [channels, height / scale, width / scale] }
    }

    /// `f` of the extension of `x`, cropped to `[_, height, width]`; channel by channel, because spectra of it are large.
    fn through(x: Tensor<4>, [_, height, width]: [usize; 3], f: impl Fn(Tensor<4>) -> Tensor<4>) -> Tensor<4> {
        let of_channel = |x: Tensor<4>| {
            let rows = Tensor::cat(vec![x.clone(), x.flip([2])], 2);
            let extended = Tensor::cat(vec![rows.clone(), rows.flip([3])], 3);
            f(extended).narrow(2, 0, height).narrow(3, 0, width)
        };
        Tensor::cat(x.split(1, 1).into_iter().map(of_channel).collect(), 1)
    }
}

impl LinearOperator for Mirrored {
    fn image_shape(&self) -> [usize; 3] {
        self.image
    }

    fn measured_shape(&self) -> [usize; 3] {
        self.measured
    }

    fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        Self::through(x, self.measured, |x| self.circular.apply(x))
    }

    fn adjoint(&self, y: Tensor<4>) -> Tensor<4> {
        Self::through(y, self.image, |y| self.circular.adjoint(y))
    }

    fn precondition(&self, y: Tensor<4>, p: Preconditioner) -> Tensor<4> {
        Self::through(y, self.measured, |y| self.circular.precondition(y, p))
    }

    fn preconditioned_adjoint(&self, y: Tensor<4>, p: Preconditioner) -> Tensor<4> {
        Self::through(y, self.image, |y| self.circular.preconditioned_adjoint(y, p))
    }

    fn spectral(&self) -> Option<&dyn Spectral> {
        Some(self)
    }
}

impl Spectral for Mirrored {
    /// Those of the symmetric waves, which are the lower half of the frequencies on both axes.
    fn singular_values(&self) -> Vec<f32> {
        let [_, height, width] = self.measured;
        let rows = self.circular.spectrum().chunks_exact(2 * width).take(height);
        let mut values: Vec<f32> = rows.flat_map(|row| &row[..width]).map(|&s| s as f32).collect();
        values.sort_by(|a, b| b.total_cmp(a));
        values
    }

    fn filter(&self, x: Tensor<4>, f: &dyn Fn(f64) -> f64) -> Tensor<4> {
        Self::through(x, self.image, |x| self.circular.filter(x, f))
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Distribution, TensorData};

    use super::super::Separable;
    use super::*;

    fn close(what: &str, a: Tensor<4>, b: Tensor<4>) {
        assert_eq!(a.dims(), b.dims(), "{what}");
        let difference = (a - b).abs().max().try_into_vec_as::<f32>().unwrap()[0];
        assert!(difference < 2e-4, "{what}: {difference}");
    }

    #[test]
    fn it_is_the_operator_that_is_decomposed() {
        let device = Device::flex();
        for (scale, [height, width]) in [(2, [16, 24]), (3, [21, 12]), (4, [8, 40])] {
            let shape = [2, height, width];
            let (mirrored, separable) =
                (Mirrored::bicubic(scale, shape, &device), Separable::bicubic(scale, shape, &device));
            let x = Tensor::<4>::random([1, 2, height, width], Distribution::Normal(0.0, 1.0), &device);
            let y = separable.apply(x.clone());
            close("A", mirrored.apply(x.clone()), y.clone());
            close("its adjoint", mirrored.adjoint(y.clone()), separable.adjoint(y.clone()));
            let p = Preconditioner { eta: 0.1, inverse: 0.7, identity: 0.3 };
            close("P", mirrored.precondition(y.clone(), p), separable.precondition(y.clone(), p));
            let (a, b) = (&mirrored, &separable);
            close("its inverse", a.regularized_inverse(y.clone(), 0.01), b.regularized_inverse(y.clone(), 0.01));
            let f = |s: f64| 1.0 / (1.0 + s);
            close("a filter", mirrored.filter(x.clone(), &f), separable.filter(x, &f));
            let tensor = |values: Vec<f32>| {
                let count = values.len();
                Tensor::<4>::from_data(TensorData::new(values, [1, 1, 1, count]), &device)
            };
            close("singular values", tensor(mirrored.singular_values()), tensor(separable.singular_values()));
        }
    }
}
