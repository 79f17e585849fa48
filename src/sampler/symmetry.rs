//! The symmetries of the square, which photographs have on the whole and networks lack.

use burn::tensor::Tensor;

/// Flips of the axes, then perhaps a transposition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symmetry {
    vertical: bool,
    horizontal: bool,
    transposed: bool,
}

impl Symmetry {
    /// Nothing changes.
    pub const IDENTITY: Self = Self { vertical: false, horizontal: false, transposed: false };

    /// The symmetry of that number, modulo 8: the identity, the other flips, then the same transposed.
    pub fn nth(n: usize) -> Self {
        Self { horizontal: n & 1 > 0, vertical: n & 2 > 0, transposed: n & 4 > 0 }
    }

    /// The turned image.
    pub fn apply(self, x: Tensor<4>) -> Tensor<4> {
        let x = self.flipped(x);
        if self.transposed { x.swap_dims(2, 3) } else { x }
    }

    /// The image turned back.
    pub fn undo(self, x: Tensor<4>) -> Tensor<4> {
        let x = if self.transposed { x.swap_dims(2, 3) } else { x };
        self.flipped(x)
    }

    fn flipped(self, x: Tensor<4>) -> Tensor<4> {
        let x = if self.vertical { x.flip([2]) } else { x };
        if self.horizontal { x.flip([3]) } else { x }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn eight_symmetries_differ_and_are_undone() {
        let device = Device::flex();
        let x = Tensor::<1>::from_floats([0., 1., 2., 3., 4., 5., 6., 7., 8.], &device).reshape([1, 1, 3, 3]);
        let values = |x: Tensor<4>| x.try_into_vec_as::<f32>().unwrap();
        let turned: Vec<Vec<f32>> = (0..8).map(|n| values(Symmetry::nth(n).apply(x.clone()))).collect();
        for (i, one) in turned.iter().enumerate() {
            assert!(turned[..i].iter().all(|other| other != one), "{i}");
            let symmetry = Symmetry::nth(i);
            assert_eq!(values(symmetry.undo(symmetry.apply(x.clone()))), values(x.clone()));
        }
        assert_eq!(Symmetry::nth(0), Symmetry::IDENTITY);
    }
}
