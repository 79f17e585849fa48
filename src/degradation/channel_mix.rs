//! Mixtures of the channels: `y_k = sum_c M_kc x_c` at every pixel.

use burn::tensor::{Device, Tensor};
use nalgebra::{DMatrix, SymmetricEigen};

use super::{LinearOperator, Preconditioner, Spectral};

/// A matrix on the channels of every pixel; its rows are linearly independent or nothing is lost by their pseudo-inverse.
pub struct ChannelMix {
    matrix: DMatrix<f64>,
    size: [usize; 2],
    /// Weights `[1, c, 1, 1]` of each row.
    rows: Vec<Tensor<4>>,
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
        let rows = uploaded(&matrix, device);
        Self { matrix, size: [height, width], rows, eigen }
    }

    /// `U diag(g(lambda)) Uᵀ` of the eigenvalues of `M Mᵀ`.
    fn function(&self, g: impl Fn(f64) -> f64) -> DMatrix<f64> {
        let values = DMatrix::from_diagonal(&self.eigen.eigenvalues.map(g));
        &self.eigen.eigenvectors * values * self.eigen.eigenvectors.transpose()
    }

    /// `sum_j u_j f(m_j, u_jᵀ y)` of the eigenvectors `u` and eigenvalues `m` of `M Mᵀ`, negligible ones as 0.
    pub(super) fn by_component(&self, y: Tensor<4>, f: impl Fn(f64, Tensor<4>) -> Tensor<4>) -> Tensor<4> {
        let device = y.device();
        let components = mixed(&y, &uploaded(&self.eigen.eigenvectors.transpose(), &device));
        let changed = self.eigen.eigenvalues.iter().enumerate().map(|(j, &power)| {
            let power = if power <= self.negligible() { 0.0 } else { power };
            f(power, components.clone().narrow(1, j, 1))
        });
        mixed(&Tensor::cat(changed.collect(), 1), &uploaded(&self.eigen.eigenvectors, &device))
    }

    fn negligible(&self) -> f64 {
        NEGLIGIBLE * self.eigen.eigenvalues.max()
    }
}

/// The rows of a matrix as weights `[1, c, 1, 1]`.
fn uploaded(matrix: &DMatrix<f64>, device: &Device) -> Vec<Tensor<4>> {
    let weights = |k: usize| -> Vec<f32> { matrix.row(k).iter().map(|&w| w as f32).collect() };
    let row = |k: usize| Tensor::<1>::from_floats(&weights(k)[..], device).reshape([1, matrix.ncols(), 1, 1]);
    (0..matrix.nrows()).map(row).collect()
}

/// The sums of the channels of `x` by the weights of each row.
fn mixed(x: &Tensor<4>, rows: &[Tensor<4>]) -> Tensor<4> {
    let mut sums: Vec<Tensor<4>> = rows.iter().map(|row| (x.clone() * row.clone()).sum_dim(1)).collect();
    if sums.len() == 1 { sums.remove(0) } else { Tensor::cat(sums, 1) }
}

impl LinearOperator for ChannelMix {
    fn image_shape(&self) -> [usize; 3] {
        [self.matrix.ncols(), self.size[0], self.size[1]]
    }

    fn measured_shape(&self) -> [usize; 3] {
        [self.matrix.nrows(), self.size[0], self.size[1]]
    }

    fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        mixed(&x, &self.rows)
    }

    fn adjoint(&self, y: Tensor<4>) -> Tensor<4> {
        let spread = |(k, row): (usize, &Tensor<4>)| y.clone().narrow(1, k, 1) * row.clone();
        let parts = self.rows.iter().enumerate().map(spread);
        parts.reduce(|sum, part| sum + part).expect("a mixture has rows")
    }

    fn precondition(&self, y: Tensor<4>, p: Preconditioner) -> Tensor<4> {
        let negligible = self.negligible();
        let gain = |power: f64| if power + p.eta <= negligible { p.identity } else { p.gain(power) };
        match self.eigen.eigenvalues.as_slice() {
            [power] => y * gain(*power),
            _ => mixed(&y, &uploaded(&self.function(gain), &y.device())),
        }
    }

    fn spectral(&self) -> Option<&dyn Spectral> {
        Some(self)
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
        let seen = self.adjoint(mixed(&self.apply(x.clone()), &uploaded(&self.function(gain), &x.device())));
        if f(0.0) == 0.0 { seen } else { seen + x * f(0.0) }
    }
}
