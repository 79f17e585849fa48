//! The cosine transform of eight samples: that of JPEG, of the estimate of noise, and of BM3D.

/// Number of samples.
pub(crate) const SAMPLES: usize = 8;

/// The orthonormal transform of type II as a matrix: `c_k sqrt(2/8) cos(pi k (n + 1/2) / 8)` in row `k` and column `n`, with `c_0 = sqrt(1/2)` and
/// else 1.
pub(crate) fn matrix() -> [[f64; SAMPLES]; SAMPLES] {
    std::array::from_fn(|k| {
        std::array::from_fn(|n| {
            let angle = std::f64::consts::PI * k as f64 * (n as f64 + 0.5) / SAMPLES as f64;
            let scale = if k == 0 { 1.0 } else { 2.0 } / SAMPLES as f64;
            scale.sqrt() * angle.cos()
        })
    })
}
