//! Mixtures of the channels: `y_k = sum_c M_kc x_c` at every pixel.

use burn::tensor::{Device, Tensor};
use nalgebra::{DMatrix, SymmetricEigen};

use super::{LinearOperator, Preconditioner, Spectral};

/// A matrix on the channels of every pixel; its rows are linearly independent or nothing is lost by their pseudo-inverse.
pub struct ChannelMix {
    matrix: DMatrix<f64>,
    size: [usize; 2],
    device: Device,
    /// Eigenvectors (columns) and eigenvalues of `M Mᵀ`.
    eigen: SymmetricEigen<f64, nalgebra::Dyn>,
}

/// Eigenvalues below this share of the largest count as 0.
const NEGLIGIBLE: f64 = 1e-9;

impl ChannelMix {
    /// The mixture by `rows`, each of as many weights as images have channels.
    ///
    /// # Panics
    /// If there are no rows, or they differ in length.
    pub fn new(rows: &[Vec<f64>], [height, width]: [usize; 2], device: &Device) -> Self {
        assert!(!rows.is_empty() && rows.iter().all(|row| row.len() == rows[0].len()), "rows of one length");
        let matrix = DMatrix::from_fn(rows.len(), rows[0].len(), |k, c| rows[k][c]);
        let eigen = SymmetricEigen::new(&matrix * matrix.transpose());
        Self { matrix, size: [height, width], device: device.clone(), eigen }
    }

    /// `M x` of channels by any matrix.
    fn mixed(&self, x: &Tensor<4>, matrix: &DMatrix<f64>) -> Tensor<4> {
        let row = |k: usize| {
            let weights: Vec<f32> = matrix.row(k).iter().map(|&w| w as f32).collect();
            let weights = Tensor::<1>::from_floats(&weights[..], &self.device).reshape([1, weights.len(), 1, 1]);
            (x.clone() * weights).sum_dim(1)
        };
        let rows: Vec<Tensor<4>> = (0..matrix.nrows()).map(row).collect();
        if rows.len() == 1 { rows.into_iter().next().expect("one row") } else { Tensor::cat(rows, 1) }
    }

    /// `U diag(g(lambda)) Uᵀ` of the eigenvalues of `M Mᵀ`.
    fn function(&self, g: impl Fn(f64) -> f64) -> DMatrix<f64> {
        let values = DMatrix::from_diagonal(&self.eigen.eigenvalues.map(g));
        &self.eigen.eigenvectors * values * self.eigen.eigenvectors.transpose()
    }

    fn negligible(&self) -> f64 {
        NEGLIGIBLE * self.eigen.eigenvalues.max()
    }
}

impl LinearOperator for ChannelMix {
    fn image_shape(&self) -> [usize; 3] {
        [self.matrix.ncols(), self.size[0], self.size[1]]
    }

    fn measured_shape(&self) -> [usize; 3] {
        [self.matrix.nrows(), self.size[0], self.size[1]]
    }

    fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        self.mixed(&x, &self.matrix)
    }

    fn adjoint(&self, y: Tensor<4>) -> Tensor<4> {
        self.mixed(&y, &self.matrix.transpose())
    }

    fn precondition(&self, y: Tensor<4>, p: Preconditioner) -> Tensor<4> {
        let negligible = self.negligible();
        let gain = |power: f64| if power + p.eta <= negligible { p.identity } else { p.gain(power) };
        match self.eigen.eigenvalues.as_slice() {
            [power] => y * gain(*power),
            _ => self.mixed(&y, &self.function(gain)),
        }
    }

    fn spectral(&self) -> Option<&dyn Spectral> {
        Some(self)
    }

    fn parts(&self) -> Vec<&dyn LinearOperator> {
        vec![self]
    }
}

impl Spectral for ChannelMix {
    fn singular_values(&self) -> Vec<f32> {
        let mut values: Vec<f32> = self.eigen.eigenvalues.iter().map(|&power| power.max(0.0).sqrt() as f32).collect();
        values.sort_by(|a, b| b.total_cmp(a));
        values
    }

    /// `f(0) x + Mᵀ U diag((f(s) - f(0)) / s²) Uᵀ M x`.
    fn filter(&self, x: Tensor<4>, f: &dyn Fn(f64) -> f64) -> Tensor<4> {
        let negligible = self.negligible();
        let gain = |power: f64| if power <= negligible { 0.0 } else { (f(power.sqrt()) - f(0.0)) / power };
        let seen = self.adjoint(self.mixed(&self.apply(x.clone()), &self.function(gain)));
        if f(0.0) == 0.0 { seen } else { seen + x * f(0.0) }
    }
}
