//! Convolution as a camera does it: light comes from beyond the border of the picture that is measured.

use burn::tensor::{Device, Tensor};

use super::{Convolution, LinearOperator, Preconditioner, psf::Kernel};
use crate::error::Result;

/// Iterations of the conjugate gradients in the inverse.
const ITERATIONS: usize = 6;

/// `A = C H`: the circular convolution `H` of an image with a margin at its lower and right side, and the crop `C` to the
/// part without it. With a margin of the kernel's reach on both sides, the opposite ends do not meet in what is measured.
#[derive(Debug)]
pub struct ValidConvolution {
    convolution: Convolution,
    measured: [usize; 2],
}

impl ValidConvolution {
    /// Measures the upper left `measured` (height, width) of images that are `margin` larger.
    ///
    /// # Errors
    /// A kernel larger than the image.
    pub fn new(kernel: &Kernel, measured: [usize; 2], margin: [usize; 2], device: &Device) -> Result<Self> {
        let [height, width] = [measured[0] + margin[0], measured[1] + margin[1]];
        Ok(Self { convolution: Convolution::new(kernel, height, width, device)?, measured })
    }

    /// The circular convolution of the whole image.
    pub fn circular(&self) -> &Convolution {
        &self.convolution
    }

    fn cropped(&self, x: Tensor<4>) -> Tensor<4> {
        let ([b, c, _, _], [h, w]) = (x.dims(), self.measured);
        x.slice([0..b, 0..c, 0..h, 0..w])
    }

    /// The adjoint of the crop.
    fn padded(&self, y: Tensor<4>) -> Tensor<4> {
        let ([height, width], [h, w]) = (self.image_size(), self.measured);
        y.pad([(0, height - h), (0, width - w)], 0.0)
    }
}

impl LinearOperator for ValidConvolution {
    fn image_size(&self) -> [usize; 2] {
        self.convolution.image_size()
    }

    fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        self.cropped(self.convolution.apply(x))
    }

    fn adjoint(&self, y: Tensor<4>) -> Tensor<4> {
        self.convolution.adjoint(self.padded(y))
    }

    /// Approximate: some steps of conjugate gradients on `(A Aᵀ + eta I) w = y`, preconditioned by the crop of
    /// `(H Hᵀ + eta I)⁻¹`, which is exact but for the border. Nothing is read from the device.
    fn preconditioned_adjoint(&self, y: Tensor<4>, preconditioner: Preconditioner) -> Tensor<4> {
        const TINY: f64 = 1e-30;
        let Preconditioner { eta, inverse, identity } = preconditioner;
        let circular = Preconditioner { inverse: 1.0, identity: 0.0, ..preconditioner };
        let dot = |a: &Tensor<4>, b: &Tensor<4>| (a.clone() * b.clone()).sum_dim(3).sum_dim(2).sum_dim(1);
        let precondition =
            |r: &Tensor<4>| self.cropped(self.convolution.precondition(self.padded(r.clone()), circular));

        let mut w = y.zeros_like();
        let mut r = y.clone();
        let mut z = precondition(&r);
        let mut p = z.clone();
        let mut rz = dot(&r, &z);
        for _ in 0..ITERATIONS {
            let q = self.apply(self.adjoint(p.clone())) + p.clone() * eta;
            let alpha = rz.clone() / (dot(&p, &q) + TINY);
            w = w + p.clone() * alpha.clone();
            r = r - q * alpha;
            z = precondition(&r);
            let next = dot(&r, &z);
            p = z.clone() + p * (next.clone() / (rz + TINY));
            rz = next;
        }
        self.adjoint(w * inverse + y * identity)
    }
}
