//! What every linear operator offers.

use burn::tensor::Tensor;

/// Iterations of the default inverse: enough for `eta >= 1e-3` of operators of norm 1.
const ITERATIONS: usize = 60;

/// A linear operator on images of one shape. Two functions and two shapes are enough; closed forms of the inverse override the
/// default.
pub trait LinearOperator: Send + Sync {
    /// Channels, height and width of the images `x`.
    fn image_shape(&self) -> [usize; 3];
    /// Channels, height and width of the measurements `y`.
    fn measured_shape(&self) -> [usize; 3];
    /// Height and width of the images `x`.
    fn image_size(&self) -> [usize; 2] {
        let [_, height, width] = self.image_shape();
        [height, width]
    }
    /// `A x`.
    fn apply(&self, x: Tensor<4>) -> Tensor<4>;
    /// `Aᵀ y`, so that `⟨A x, y⟩ = ⟨x, Aᵀ y⟩`.
    fn adjoint(&self, y: Tensor<4>) -> Tensor<4>;
    /// `A Aᵀ y`.
    fn gram(&self, y: Tensor<4>) -> Tensor<4> {
        self.apply(self.adjoint(y))
    }
    /// `P y`; by default the inverse in `P` is solved by conjugate gradients, which is approximate where `A Aᵀ + eta I` is
    /// badly conditioned.
    fn precondition(&self, y: Tensor<4>, p: Preconditioner) -> Tensor<4> {
        let solved = conjugate_gradients(self, &y, p.eta, ITERATIONS, |r| r);
        solved * p.inverse + y * p.identity
    }
    /// `Aᵀ P y` (DDPG, arXiv:2312.16519, eq. 14).
    fn preconditioned_adjoint(&self, y: Tensor<4>, p: Preconditioner) -> Tensor<4> {
        self.adjoint(self.precondition(y, p))
    }
    /// `Aᵀ (A Aᵀ + eta I)⁻¹ y`, `eta >= 0`; the pseudo-inverse `A⁺ y` at 0 (DDPG, eq. 9).
    fn regularized_inverse(&self, y: Tensor<4>, eta: f64) -> Tensor<4> {
        self.preconditioned_adjoint(y, Preconditioner::inverse(eta))
    }
    /// The singular value decomposition, where it is at hand.
    fn spectral(&self) -> Option<&dyn Spectral> {
        None
    }
    /// The operators that it applies in turn, where it is a product.
    fn factors(&self) -> &[Box<dyn LinearOperator>] {
        &[]
    }
}

/// `P = p (A Aᵀ + eta I)⁻¹ + q I`: between a back-projection and least squares.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Preconditioner {
    /// `eta >= 0`; at 0 the inverse is 0 where `A Aᵀ` is.
    pub eta: f64,
    /// `p`.
    pub inverse: f64,
    /// `q`.
    pub identity: f64,
}

impl Preconditioner {
    /// The inverse alone.
    pub fn inverse(eta: f64) -> Self {
        Self { eta, inverse: 1.0, identity: 0.0 }
    }

    /// What `P` multiplies components by that `A Aᵀ` multiplies by `power > 0`.
    pub fn gain(&self, power: f64) -> f64 {
        self.inverse / (power + self.eta) + self.identity
    }
}

/// An operator whose singular value decomposition `A = U Σ Vᵀ` is at hand.
pub trait Spectral: LinearOperator {
    /// Singular values of one channel (of a pixel for mixtures of channels), descending.
    fn singular_values(&self) -> Vec<f32>;
    /// `V f(Σ) Vᵀ x`: components of `x` times `f` of their singular value, and times `f(0)` where `A` sees nothing.
    fn filter(&self, x: Tensor<4>, f: &dyn Fn(f64) -> f64) -> Tensor<4>;
}

/// [`Spectral::filter`] of an operator whose singular values are all `s`: `f(0) x + (f(s) - f(0)) / s² Aᵀ A x`.
pub(super) fn filter_flat(a: &dyn LinearOperator, s: f64, x: Tensor<4>, f: &dyn Fn(f64) -> f64) -> Tensor<4> {
    let seen = a.adjoint(a.apply(x.clone())) * ((f(s) - f(0.0)) / (s * s));
    if f(0.0) == 0.0 { seen } else { seen + x * f(0.0) }
}

/// A closed convex set of measurements.
pub trait ConvexSet: std::fmt::Debug + Send + Sync {
    /// The member that is closest to a measurement `A x`, or in a metric close to it.
    fn nearest(&self, ax: Tensor<4>) -> Tensor<4>;

    /// The share of what is known of a measurement that `A x` contradicts.
    fn outside(&self, ax: Tensor<4>) -> Tensor<1>;
}

/// An approximation of `(A Aᵀ + eta I)⁻¹ y` after some iterations from 0, one system a picture, preconditioned by
/// `precondition`. Nothing is read from the device.
pub fn conjugate_gradients<A: LinearOperator + ?Sized>(
    a: &A,
    y: &Tensor<4>,
    eta: f64,
    iterations: usize,
    precondition: impl Fn(Tensor<4>) -> Tensor<4>,
) -> Tensor<4> {
    const TINY: f64 = 1e-30;
    let dot = |a: &Tensor<4>, b: &Tensor<4>| (a.clone() * b.clone()).sum_dim(3).sum_dim(2).sum_dim(1);
    let (mut w, mut r) = (y.zeros_like(), y.clone());
    let mut before: Option<(Tensor<4>, Tensor<4>)> = None;
    for _ in 0..iterations {
        let z = precondition(r.clone());
        let rz = dot(&r, &z);
        let p = match before {
            Some((p, rz_before)) => z + p * (rz.clone() / (rz_before + TINY)),
            None => z,
        };
        let q = a.gram(p.clone()) + p.clone() * eta;
        let alpha = rz.clone() / (dot(&p, &q) + TINY);
        w = w + p.clone() * alpha.clone();
        r = r - q * alpha;
        before = Some((p, rz));
    }
    w
}
