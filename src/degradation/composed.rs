//! Operators applied one after another.

use burn::tensor::Tensor;

use super::LinearOperator;

/// `A = A_n ... A_2 A_1`, inverted by conjugate gradients.
pub struct Composed(Vec<Box<dyn LinearOperator>>);

impl Composed {
    /// The product of `parts`, the first applied first; a single one as it is.
    ///
    /// # Panics
    /// If there are no parts, or one does not take what the one before it gives.
    pub fn of(mut parts: Vec<Box<dyn LinearOperator>>) -> Box<dyn LinearOperator> {
        assert!(!parts.is_empty(), "a product has factors");
        for pair in parts.windows(2) {
            assert_eq!(pair[0].measured_shape(), pair[1].image_shape(), "shapes of factors");
        }
        if parts.len() == 1 { parts.remove(0) } else { Box::new(Self(parts)) }
    }
}

impl LinearOperator for Composed {
    fn image_shape(&self) -> [usize; 3] {
        self.0[0].image_shape()
    }

    fn measured_shape(&self) -> [usize; 3] {
        self.0[self.0.len() - 1].measured_shape()
    }

    fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        self.0.iter().fold(x, |x, part| part.apply(x))
    }

    fn adjoint(&self, y: Tensor<4>) -> Tensor<4> {
        self.0.iter().rev().fold(y, |y, part| part.adjoint(y))
    }

    fn factors(&self) -> &[Box<dyn LinearOperator>] {
        &self.0
    }
}
