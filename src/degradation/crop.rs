//! An operator whose measurement is cut to its upper left part, as a camera cuts what it sees, and of which single pixels may be unknown.

use std::sync::Arc;

use burn::tensor::Tensor;

use super::{LinearOperator, Preconditioner, conjugate_gradients};

/// Iterations of the conjugate gradients in the inverse: the preconditioner is exact but for the border.
const ITERATIONS: usize = 6;
/// The same where pixels are unknown, for which it is not exact either.
const ITERATIONS_WITH_HOLES: usize = 12;

/// Planes of more pixels are inverted one after the other, for their memory.
const LARGE: usize = 1 << 20;

/// `C A`: the upper left `measured` (height, width) of what `A` measures.
///
/// `A` has to treat every channel alike, and any number of them.
///
/// For a circular convolution `A` of an image with a margin of the kernel's reach at its lower and right side, this is the
/// valid convolution of a photograph: the opposite ends do not meet in what is measured.
pub struct Crop<A> {
    whole: Arc<A>,
    measured: [usize; 2],
    /// 1 for pixels that are measured and 0 for others, `[1, 1, h, w]`; all are if there is none.
    known: Option<Tensor<4>>,
}

impl<A: LinearOperator> Crop<A> {
    /// The upper left `measured` of what `whole` measures.
    ///
    /// # Panics
    /// If that is larger than the whole.
    pub fn new(whole: Arc<A>, measured: [usize; 2]) -> Self {
        let [_, height, width] = whole.measured_shape();
        assert!(measured[0] <= height && measured[1] <= width, "a crop of {measured:?} from {height}x{width}");
        Self { whole, measured, known: None }
    }

    /// The same, with 0 where `known`, `[1, 1, h, w]` of the measurement, is 0, and not 1.
    #[must_use]
    pub fn knowing(self, known: Tensor<4>) -> Self {
        Self { known: Some(known), ..self }
    }

    fn cropped(&self, x: Tensor<4>) -> Tensor<4> {
        let ([b, c, _, _], [h, w]) = (x.dims(), self.measured);
        self.masked(x.slice([0..b, 0..c, 0..h, 0..w]))
    }

    fn masked(&self, y: Tensor<4>) -> Tensor<4> {
        match &self.known {
            Some(known) => y * known.clone(),
            None => y,
        }
    }

    /// The adjoint of the crop.
    fn padded(&self, y: Tensor<4>) -> Tensor<4> {
        let ([_, height, width], [h, w]) = (self.whole.measured_shape(), self.measured);
        self.masked(y).pad([(0, height - h), (0, width - w)], 0.0)
    }
}

impl<A: LinearOperator> LinearOperator for Crop<A> {
    fn image_shape(&self) -> [usize; 3] {
        self.whole.image_shape()
    }

    fn measured_shape(&self) -> [usize; 3] {
        [self.whole.measured_shape()[0], self.measured[0], self.measured[1]]
    }

    fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        self.cropped(self.whole.apply(x))
    }

    fn adjoint(&self, y: Tensor<4>) -> Tensor<4> {
        self.whole.adjoint(self.padded(y))
    }

    fn gram(&self, y: Tensor<4>) -> Tensor<4> {
        self.cropped(self.whole.gram(self.padded(y)))
    }

    /// Approximate: some conjugate gradients, preconditioned by the crop of the whole's own inverse. Every plane is a system of its own.
    fn precondition(&self, y: Tensor<4>, p: Preconditioner) -> Tensor<4> {
        let inverse = Preconditioner::inverse(p.eta);
        let precondition = |r| self.cropped(self.whole.precondition(self.padded(r), inverse));
        let iterations = if self.known.is_some() { ITERATIONS_WITH_HOLES } else { ITERATIONS };
        let solved = |y: Tensor<4>| conjugate_gradients(self, &y, p.eta, iterations, precondition);
        let [b, c, h, w] = y.dims();
        let rest = (p.identity != 0.0).then(|| y.clone() * p.identity);
        let planes = y.reshape([b * c, 1, h, w]);
        let solved = match h * w > LARGE {
            true => Tensor::cat(planes.chunk(b * c, 0).into_iter().map(solved).collect(), 0),
            false => solved(planes),
        };
        let inverse = solved.reshape([b, c, h, w]) * p.inverse;
        match rest {
            Some(rest) => inverse + rest,
            None => inverse,
        }
    }
}
