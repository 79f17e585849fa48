//! Conjugate gradients: the regularised inverse of operators without a closed form.

use burn::tensor::Tensor;

use super::LinearOperator;

/// Iterations of the default inverse: enough for `eta >= 1e-3` of operators of norm 1.
pub(super) const ITERATIONS: usize = 60;

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
    let mut w = y.zeros_like();
    let mut r = y.clone();
    let mut z = precondition(r.clone());
    let mut p = z.clone();
    let mut rz = dot(&r, &z);
    for _ in 0..iterations {
        let q = a.apply(a.adjoint(p.clone())) + p.clone() * eta;
        let alpha = rz.clone() / (dot(&p, &q) + TINY);
        w = w + p.clone() * alpha.clone();
        r = r - q * alpha;
        z = precondition(r.clone());
        let next = dot(&r, &z);
        p = z.clone() + p * (next.clone() / (rz + TINY));
        rz = next;
    }
    w
}
