//! Distances between sets of pictures, from features of each.
//!
//! FID (M. Heusel et al., 2017, arXiv:1706.08500) takes both sets for Gaussians; KID (M. Bińkowski et al., 2018,
//! arXiv:1801.01401) compares them by a polynomial kernel, without bias in small sets.

use nalgebra::{DMatrix, DVector};
use rand::seq::index::sample;

use super::about::{About, about};
use crate::noise::{Stream, generator};

/// The Fréchet distance of sets of pictures.
pub const FID: About = about("fid", "FID", false, 2);
/// The kernel distance of sets of pictures.
pub const KID: About = about("kid", "KID", false, 5);

/// Pictures of a subset of KID, and the number of subsets of sets larger than that.
const SUBSET: usize = 1000;
const SUBSETS: usize = 100;

/// Features of a set, one row for each picture.
pub type Features = DMatrix<f64>;

/// Rows of features.
///
/// # Panics
/// If the rows differ in length.
pub fn features(rows: &[Vec<f32>]) -> Features {
    let width = rows.first().map_or(0, Vec::len);
    assert!(rows.iter().all(|row| row.len() == width), "features of one network");
    DMatrix::from_fn(rows.len(), width, |i, j| f64::from(rows[i][j]))
}

/// The Fréchet distance `|m_a - m_b|² + tr(C_a + C_b - 2 (C_a C_b)^(1/2))` of the Gaussians with the means and covariances
/// of two sets; none for sets of fewer than two.
pub fn fid(a: &Features, b: &Features) -> Option<f64> {
    if a.nrows() < 2 || b.nrows() < 2 {
        return None;
    }
    let (mean_a, root_a) = centred(a);
    let (mean_b, root_b) = centred(b);
    let spread = root_a.norm_squared() + root_b.norm_squared();
    // With C = R' R the eigenvalues of C_a C_b are the squared singular values of R_a R_b'.
    let cross: f64 = (root_a * root_b.transpose()).singular_values().sum();
    Some((mean_a - mean_b).norm_squared() + spread - 2.0 * cross)
}

/// The mean, and `R` of as few rows as possible with `R' R` the covariance.
fn centred(x: &Features) -> (DVector<f64>, DMatrix<f64>) {
    let mean = x.row_mean();
    let mut root = x.clone();
    root.row_iter_mut().for_each(|mut row| row -= &mean);
    root /= ((x.nrows() - 1) as f64).sqrt();
    if root.nrows() > root.ncols() {
        root = root.qr().r();
    }
    (mean.transpose(), root)
}

/// The unbiased squared maximum mean discrepancy with the kernel `(x · y / d + 1)³`: of the whole sets, or the mean over 100
/// random subsets of 1000 where a set is larger; none for sets of fewer than two.
pub fn kid(a: &Features, b: &Features) -> Option<f64> {
    let size = a.nrows().min(b.nrows()).min(SUBSET);
    if size < 2 {
        return None;
    }
    if a.nrows() <= SUBSET && b.nrows() <= SUBSET {
        return Some(discrepancy(a, b));
    }
    let mut random = generator(0, Stream::KidSubsets);
    let mut subset =
        |x: &Features| x.select_rows(sample(&mut random, x.nrows(), size).iter().collect::<Vec<_>>().iter());
    Some((0..SUBSETS).map(|_| discrepancy(&subset(a), &subset(b))).sum::<f64>() / SUBSETS as f64)
}

fn discrepancy(a: &Features, b: &Features) -> f64 {
    let kernel = |a: &Features, b: &Features| {
        let mut products = a * b.transpose();
        products.apply(|v| *v = (*v / a.ncols() as f64 + 1.0).powi(3));
        products
    };
    let within = |x: &Features| {
        let n = x.nrows() as f64;
        let products = kernel(x, x);
        (products.sum() - products.trace()) / (n * (n - 1.0))
    };
    within(a) + within(b) - 2.0 * kernel(a, b).mean()
}
